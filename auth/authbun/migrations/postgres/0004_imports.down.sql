DROP INDEX tenon_credentials_kind;
ALTER TABLE tenon_credentials DROP COLUMN kind;
