DROP TABLE tenon_challenges;
ALTER TABLE tenon_users DROP COLUMN second_factor_at;
