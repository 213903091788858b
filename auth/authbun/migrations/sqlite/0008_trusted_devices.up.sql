-- Browsers that skip the second step. mac recognises the newest token of each.
CREATE TABLE tenon_trusted_devices (
    id               TEXT NOT NULL PRIMARY KEY,
    user_id          TEXT NOT NULL REFERENCES tenon_users (id) ON DELETE CASCADE,
    security_version INTEGER NOT NULL,
    kid              TEXT NOT NULL,
    mac              BLOB NOT NULL,
    name             TEXT NOT NULL,
    ip               TEXT NOT NULL,
    created_at       TIMESTAMP NOT NULL,
    last_used_at     TIMESTAMP NOT NULL,
    expires_at       TIMESTAMP NOT NULL
);
CREATE INDEX tenon_trusted_devices_user ON tenon_trusted_devices (user_id, created_at);
CREATE INDEX tenon_trusted_devices_expires_at ON tenon_trusted_devices (expires_at);
