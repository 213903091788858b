-- Data keys, wrapped. Rows are never deleted: a destroyed key stays as a tombstone without its key.
CREATE TABLE tenon_keys (
    id          text COLLATE "C" PRIMARY KEY,
    purpose     text COLLATE "C" NOT NULL,
    tenant      text COLLATE "C" NOT NULL,
    kek         text COLLATE "C" NOT NULL,
    kek_version text COLLATE "C" NOT NULL,
    wrapped     bytea,
    check_value bytea,
    state       text COLLATE "C" NOT NULL CHECK (state IN ('pending', 'active', 'decrypt-only', 'destroyed')),
    state_mac   bytea NOT NULL,
    seals       bigint NOT NULL,
    created_at  timestamptz NOT NULL,
    retired_at  timestamptz,
    CHECK ((state = 'destroyed') = (wrapped IS NULL))
);
CREATE UNIQUE INDEX tenon_keys_active ON tenon_keys (purpose, tenant) WHERE state = 'active';
CREATE INDEX tenon_keys_tenant ON tenon_keys (tenant, purpose);
