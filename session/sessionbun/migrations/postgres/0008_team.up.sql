-- The active team in the active organization; NULL: none.
ALTER TABLE tenon_sessions ADD COLUMN team_id text COLLATE "C";
