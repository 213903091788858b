ALTER TABLE tenon_sessions DROP COLUMN actor_session_id;
ALTER TABLE tenon_sessions DROP COLUMN actor_id;
