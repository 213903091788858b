ALTER TABLE tenon_users DROP COLUMN email_proof;
