-- Browsers that users signed in from; see auth.Device.
CREATE TABLE tenon_devices (
    id               text COLLATE "C" PRIMARY KEY,
    user_id          text COLLATE "C" NOT NULL REFERENCES tenon_users (id) ON DELETE CASCADE,
    security_version bigint NOT NULL,
    selector         text COLLATE "C" NOT NULL,
    kid              text COLLATE "C" NOT NULL,
    mac              bytea NOT NULL,
    created_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL
);
CREATE UNIQUE INDEX tenon_devices_selector_key ON tenon_devices (selector);
CREATE INDEX tenon_devices_user_id ON tenon_devices (user_id, created_at, id);
CREATE INDEX tenon_devices_expires_at ON tenon_devices (expires_at);
