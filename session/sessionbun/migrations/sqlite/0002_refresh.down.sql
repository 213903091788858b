-- Without their generation, bearer sessions would be taken for others.
DELETE FROM tenon_sessions WHERE generation > 0;
ALTER TABLE tenon_sessions DROP COLUMN replays;
ALTER TABLE tenon_sessions DROP COLUMN rotated_at;
ALTER TABLE tenon_sessions DROP COLUMN salt;
ALTER TABLE tenon_sessions DROP COLUMN generation;
