-- Passkeys of users; see passkey.Passkey. Nothing in them is secret: public_key
-- verifies, the key that signs is in the authenticator.
CREATE TABLE tenon_passkeys (
    id              TEXT NOT NULL PRIMARY KEY,
    user_id         TEXT NOT NULL,
    credential_id   BLOB NOT NULL,
    public_key      BLOB NOT NULL,
    name            TEXT NOT NULL,
    aaguid          TEXT NOT NULL,
    transports      TEXT NOT NULL,
    sign_count      INTEGER NOT NULL,
    backup_eligible BOOLEAN NOT NULL,
    backup_state    BOOLEAN NOT NULL,
    user_verified   BOOLEAN NOT NULL,
    created_at      TIMESTAMP NOT NULL,
    last_used_at    TIMESTAMP
);
CREATE UNIQUE INDEX tenon_passkeys_credential_id_key ON tenon_passkeys (credential_id);
CREATE INDEX tenon_passkeys_user_id ON tenon_passkeys (user_id, created_at, id);

-- How authenticators know users: random, and the same for all passkeys of one.
CREATE TABLE tenon_passkey_handles (
    user_id TEXT NOT NULL PRIMARY KEY,
    handle  BLOB NOT NULL
);
CREATE UNIQUE INDEX tenon_passkey_handles_handle_key ON tenon_passkey_handles (handle);

-- What was asked of an authenticator, until it answers. A row is deleted when it is
-- used. owner is a hash.
CREATE TABLE tenon_passkey_ceremonies (
    id                TEXT NOT NULL PRIMARY KEY,
    kind              TEXT NOT NULL,
    owner             BLOB NOT NULL,
    challenge         BLOB NOT NULL,
    user_id           TEXT NOT NULL,
    security_version  INTEGER NOT NULL,
    user_verification BOOLEAN NOT NULL,
    bearer            BOOLEAN NOT NULL,
    created_at        TIMESTAMP NOT NULL,
    expires_at        TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX tenon_passkey_ceremonies_challenge_key ON tenon_passkey_ceremonies (challenge);
CREATE INDEX tenon_passkey_ceremonies_user_id ON tenon_passkey_ceremonies (user_id) WHERE user_id <> '';
CREATE INDEX tenon_passkey_ceremonies_expires_at ON tenon_passkey_ceremonies (expires_at);
