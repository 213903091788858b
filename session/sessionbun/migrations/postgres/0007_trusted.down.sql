ALTER TABLE tenon_sessions DROP COLUMN trusted_until;
