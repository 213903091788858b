-- What is to be deleted is found by its day, as on PostgreSQL.
DROP INDEX tenon_sessions_idle_ends_at;
ALTER TABLE tenon_sessions ADD COLUMN idle_day TEXT NOT NULL GENERATED ALWAYS AS (substr(idle_ends_at, 1, 10)) VIRTUAL;
CREATE INDEX tenon_sessions_idle_day ON tenon_sessions (idle_day);
