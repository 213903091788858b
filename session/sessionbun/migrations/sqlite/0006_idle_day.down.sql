DROP INDEX tenon_sessions_idle_day;
ALTER TABLE tenon_sessions DROP COLUMN idle_day;
CREATE INDEX tenon_sessions_idle_ends_at ON tenon_sessions (idle_ends_at);
