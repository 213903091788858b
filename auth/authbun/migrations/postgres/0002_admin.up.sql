-- A ban ends by itself at banned_until: the next sign-in after it takes it away.
ALTER TABLE tenon_users ADD COLUMN banned_until timestamptz;
ALTER TABLE tenon_users ADD COLUMN ban_reason text NOT NULL DEFAULT '';
ALTER TABLE tenon_users ADD COLUMN banned_by text COLLATE "C" NOT NULL DEFAULT '';
-- The list of users, the youngest first.
CREATE INDEX tenon_users_created_at ON tenon_users (created_at, id);
CREATE INDEX tenon_users_superuser ON tenon_users (id) WHERE superuser;
