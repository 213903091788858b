ALTER TABLE tenon_sessions DROP COLUMN team_id;
