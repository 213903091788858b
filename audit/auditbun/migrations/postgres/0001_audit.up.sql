-- Entries are inserted with their cause and linked behind it (rule R30). They outlive
-- their organizations and users: nothing refers to those rows.
CREATE TABLE tenon_audit_entries (
    id              text COLLATE "C" PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL,
    at              timestamptz NOT NULL,
    action          text COLLATE "C" NOT NULL,
    event           text COLLATE "C" NOT NULL,
    outcome         text COLLATE "C" NOT NULL,
    actor_id        text COLLATE "C" NOT NULL,
    impersonator_id text COLLATE "C" NOT NULL,
    api_key_id      text COLLATE "C" NOT NULL,
    session_id      text COLLATE "C" NOT NULL,
    target_type     text COLLATE "C" NOT NULL,
    target_id       text COLLATE "C" NOT NULL,
    personal        bytea,
    personal_hash   bytea,
    kid             text COLLATE "C" NOT NULL,
    mac             bytea NOT NULL,
    seq             bigint,
    prev            bytea,
    link            bytea,
    link_kid        text COLLATE "C"
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
    organization_id text COLLATE "C" PRIMARY KEY,
    head_count      bigint NOT NULL,
    head_hash       bytea NOT NULL,
    head_at         timestamptz NOT NULL,
    head_kid        text COLLATE "C" NOT NULL,
    head_mac        bytea NOT NULL,
    base_count      bigint NOT NULL,
    base_hash       bytea,
    base_at         timestamptz,
    base_kid        text COLLATE "C" NOT NULL,
    base_mac        bytea,
    anchored_count  bigint NOT NULL,
    anchored_at     timestamptz
);
CREATE INDEX tenon_audit_chains_unanchored ON tenon_audit_chains (anchored_at) WHERE head_count > anchored_count;

-- One row: who seals, and how many chains there are.
CREATE TABLE tenon_audit_sealer (
    id         integer PRIMARY KEY CHECK (id = 1),
    holder     text COLLATE "C" NOT NULL,
    token      bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    chains     bigint NOT NULL,
    chains_kid text COLLATE "C" NOT NULL,
    chains_mac bytea
);
