-- Data keys, wrapped. Rows are never deleted: a destroyed key stays as a tombstone without its key.
CREATE TABLE tenon_keys (
    id          TEXT PRIMARY KEY NOT NULL,
    purpose     TEXT NOT NULL,
    tenant      TEXT NOT NULL,
    kek         TEXT NOT NULL,
    kek_version TEXT NOT NULL,
    wrapped     BLOB,
    check_value BLOB,
    state       TEXT NOT NULL CHECK (state IN ('pending', 'active', 'decrypt-only', 'destroyed')),
    state_mac   BLOB NOT NULL,
    seals       INTEGER NOT NULL,
    created_at  TIMESTAMP NOT NULL,
    retired_at  TIMESTAMP,
    CHECK ((state = 'destroyed') = (wrapped IS NULL))
);
CREATE UNIQUE INDEX tenon_keys_active ON tenon_keys (purpose, tenant) WHERE state = 'active';
CREATE INDEX tenon_keys_tenant ON tenon_keys (tenant, purpose);
