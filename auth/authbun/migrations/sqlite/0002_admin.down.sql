DROP INDEX tenon_users_superuser;
DROP INDEX tenon_users_created_at;
ALTER TABLE tenon_users DROP COLUMN banned_by;
ALTER TABLE tenon_users DROP COLUMN ban_reason;
ALTER TABLE tenon_users DROP COLUMN banned_until;
