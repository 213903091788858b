-- Whoever signed in before this column existed is not fresh.
ALTER TABLE tenon_sessions ADD COLUMN fresh_at timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00';
ALTER TABLE tenon_sessions ADD COLUMN fresh_channels text NOT NULL DEFAULT '';
ALTER TABLE tenon_sessions ADD COLUMN step_up_failures integer NOT NULL DEFAULT 0;
