-- The session's row is the family of its refresh tokens. Generation counts them,
-- and kid and verifier are the newest one's; 0 is a session with a cookie.
ALTER TABLE tenon_sessions ADD COLUMN generation BIGINT NOT NULL DEFAULT 0 CHECK (generation >= 0);
ALTER TABLE tenon_sessions ADD COLUMN salt BLOB;
ALTER TABLE tenon_sessions ADD COLUMN rotated_at TIMESTAMP;
ALTER TABLE tenon_sessions ADD COLUMN replays INTEGER NOT NULL DEFAULT 0 CHECK (replays >= 0);
