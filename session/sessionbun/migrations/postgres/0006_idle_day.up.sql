-- An update that changes no indexed column needs no new entries in any index (it is
-- HOT) if there is room on the row's page. Each rotation and each record of a use
-- moves idle_ends_at, so that what is to be deleted is found by its day instead.
ALTER TABLE tenon_sessions SET (fillfactor = 80);
DROP INDEX tenon_sessions_idle_ends_at;
ALTER TABLE tenon_sessions ADD COLUMN idle_day date NOT NULL GENERATED ALWAYS AS ((idle_ends_at AT TIME ZONE 'UTC')::date) STORED;
CREATE INDEX tenon_sessions_idle_day ON tenon_sessions (idle_day);
