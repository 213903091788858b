-- The superuser who acts in the session, and their own, with which it ends.
ALTER TABLE tenon_sessions ADD COLUMN actor_id TEXT;
ALTER TABLE tenon_sessions ADD COLUMN actor_session_id TEXT;
