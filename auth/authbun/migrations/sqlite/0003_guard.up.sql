-- Browsers that users signed in from; see auth.Device.
CREATE TABLE tenon_devices (
    id               TEXT NOT NULL PRIMARY KEY,
    user_id          TEXT NOT NULL REFERENCES tenon_users (id) ON DELETE CASCADE,
    security_version INTEGER NOT NULL,
    selector         TEXT NOT NULL,
    kid              TEXT NOT NULL,
    mac              BLOB NOT NULL,
    created_at       TIMESTAMP NOT NULL,
    expires_at       TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX tenon_devices_selector_key ON tenon_devices (selector);
CREATE INDEX tenon_devices_user_id ON tenon_devices (user_id, created_at, id);
CREATE INDEX tenon_devices_expires_at ON tenon_devices (expires_at);
