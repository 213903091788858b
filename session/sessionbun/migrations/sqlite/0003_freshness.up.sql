-- Whoever signed in before this column existed is not fresh.
ALTER TABLE tenon_sessions ADD COLUMN fresh_at TIMESTAMP NOT NULL DEFAULT '1970-01-01 00:00:00+00:00';
ALTER TABLE tenon_sessions ADD COLUMN fresh_channels TEXT NOT NULL DEFAULT '';
ALTER TABLE tenon_sessions ADD COLUMN step_up_failures INTEGER NOT NULL DEFAULT 0;
