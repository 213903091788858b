-- The session's row is the family of its refresh tokens. Generation counts them,
-- and kid and verifier are the newest one's; 0 is a session with a cookie.
ALTER TABLE tenon_sessions ADD COLUMN generation bigint NOT NULL DEFAULT 0 CHECK (generation >= 0);
ALTER TABLE tenon_sessions ADD COLUMN salt bytea;
ALTER TABLE tenon_sessions ADD COLUMN rotated_at timestamptz;
ALTER TABLE tenon_sessions ADD COLUMN replays integer NOT NULL DEFAULT 0 CHECK (replays >= 0);
