-- Passkeys of users; see passkey.Passkey. Nothing in them is secret: public_key
-- verifies, the key that signs is in the authenticator.
CREATE TABLE tenon_passkeys (
    id              text COLLATE "C" PRIMARY KEY,
    user_id         text COLLATE "C" NOT NULL,
    credential_id   bytea NOT NULL,
    public_key      bytea NOT NULL,
    name            text COLLATE "C" NOT NULL,
    aaguid          text COLLATE "C" NOT NULL,
    transports      text COLLATE "C" NOT NULL,
    sign_count      bigint NOT NULL,
    backup_eligible boolean NOT NULL,
    backup_state    boolean NOT NULL,
    user_verified   boolean NOT NULL,
    created_at      timestamptz NOT NULL,
    last_used_at    timestamptz
);
CREATE UNIQUE INDEX tenon_passkeys_credential_id_key ON tenon_passkeys (credential_id);
CREATE INDEX tenon_passkeys_user_id ON tenon_passkeys (user_id, created_at, id);

-- How authenticators know users: random, and the same for all passkeys of one.
CREATE TABLE tenon_passkey_handles (
    user_id text COLLATE "C" PRIMARY KEY,
    handle  bytea NOT NULL
);
CREATE UNIQUE INDEX tenon_passkey_handles_handle_key ON tenon_passkey_handles (handle);

-- What was asked of an authenticator, until it answers. A row is deleted when it is
-- used. owner is a hash.
CREATE TABLE tenon_passkey_ceremonies (
    id                text COLLATE "C" PRIMARY KEY,
    kind              text COLLATE "C" NOT NULL,
    owner             bytea NOT NULL,
    challenge         bytea NOT NULL,
    user_id           text COLLATE "C" NOT NULL,
    security_version  bigint NOT NULL,
    user_verification boolean NOT NULL,
    bearer            boolean NOT NULL,
    created_at        timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL
);
CREATE UNIQUE INDEX tenon_passkey_ceremonies_challenge_key ON tenon_passkey_ceremonies (challenge);
CREATE INDEX tenon_passkey_ceremonies_user_id ON tenon_passkey_ceremonies (user_id) WHERE user_id <> '';
CREATE INDEX tenon_passkey_ceremonies_expires_at ON tenon_passkey_ceremonies (expires_at);
