DROP TABLE tenon_mail_budgets;
DROP TABLE tenon_guesses;
DROP TABLE tenon_sign_ups;
DROP TABLE tenon_superuser_claims;
DROP TABLE tenon_credentials;
DROP TABLE tenon_users;
