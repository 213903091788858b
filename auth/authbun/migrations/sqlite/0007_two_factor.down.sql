ALTER TABLE tenon_users DROP COLUMN second_factor_mail;
DROP TABLE tenon_recovery_codes;
DROP TABLE tenon_totp;
