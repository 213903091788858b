ALTER TABLE tenon_sessions DROP COLUMN step_up_failures;
ALTER TABLE tenon_sessions DROP COLUMN fresh_channels;
ALTER TABLE tenon_sessions DROP COLUMN fresh_at;
