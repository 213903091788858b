-- Browsers that skip the second step. mac recognises the newest token of each.
CREATE TABLE tenon_trusted_devices (
    id               text COLLATE "C" PRIMARY KEY,
    user_id          text COLLATE "C" NOT NULL REFERENCES tenon_users (id) ON DELETE CASCADE,
    security_version bigint NOT NULL,
    kid              text COLLATE "C" NOT NULL,
    mac              bytea NOT NULL,
    name             text NOT NULL,
    ip               text NOT NULL,
    created_at       timestamptz NOT NULL,
    last_used_at     timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL
);
CREATE INDEX tenon_trusted_devices_user ON tenon_trusted_devices (user_id, created_at);
CREATE INDEX tenon_trusted_devices_expires_at ON tenon_trusted_devices (expires_at);
