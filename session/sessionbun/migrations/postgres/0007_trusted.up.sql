ALTER TABLE tenon_sessions ADD COLUMN trusted_until timestamptz;
