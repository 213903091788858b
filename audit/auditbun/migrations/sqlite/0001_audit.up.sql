-- Entries are inserted with their cause and linked behind it (rule R30). They outlive
-- their organizations and users: nothing refers to those rows.
CREATE TABLE tenon_audit_entries (
    id              TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    at              TIMESTAMP NOT NULL,
    action          TEXT NOT NULL,
    event           TEXT NOT NULL,
    outcome         TEXT NOT NULL,
    actor_id        TEXT NOT NULL,
    impersonator_id TEXT NOT NULL,
    api_key_id      TEXT NOT NULL,
    session_id      TEXT NOT NULL,
    target_type     TEXT NOT NULL,
    target_id       TEXT NOT NULL,
    personal        BLOB,
    personal_hash   BLOB,
    kid             TEXT NOT NULL,
    mac             BLOB NOT NULL,
    seq             INTEGER,
    prev            BLOB,
    link            BLOB,
    link_kid        TEXT
);
CREATE UNIQUE INDEX tenon_audit_entries_organization_id_seq_key ON tenon_audit_entries (organization_id, seq);
CREATE INDEX tenon_audit_entries_organization_id ON tenon_audit_entries (organization_id, id);
CREATE INDEX tenon_audit_entries_unsealed ON tenon_audit_entries (id) WHERE seq IS NULL;
-- Whole, not partial: a row costs the same whether or not its user exists (rule R7).
CREATE INDEX tenon_audit_entries_actor_id ON tenon_audit_entries (actor_id, id);
CREATE INDEX tenon_audit_entries_target_id ON tenon_audit_entries (target_id, id);
CREATE INDEX tenon_audit_entries_impersonator_id ON tenon_audit_entries (impersonator_id) WHERE impersonator_id <> '';

-- One row for each organization, and '' for what belongs to none.
CREATE TABLE tenon_audit_chains (
    organization_id TEXT NOT NULL PRIMARY KEY,
    head_count      INTEGER NOT NULL,
    head_hash       BLOB NOT NULL,
    head_at         TIMESTAMP NOT NULL,
    head_kid        TEXT NOT NULL,
    head_mac        BLOB NOT NULL,
    base_count      INTEGER NOT NULL,
    base_hash       BLOB,
    base_at         TIMESTAMP,
    base_kid        TEXT NOT NULL,
    base_mac        BLOB,
    anchored_count  INTEGER NOT NULL,
    anchored_at     TIMESTAMP
);
CREATE INDEX tenon_audit_chains_unanchored ON tenon_audit_chains (anchored_at) WHERE head_count > anchored_count;

-- One row: who seals, and how many chains there are.
CREATE TABLE tenon_audit_sealer (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    holder     TEXT NOT NULL,
    token      INTEGER NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    chains     INTEGER NOT NULL,
    chains_kid TEXT NOT NULL,
    chains_mac BLOB
);
