-- Exactly one owner (rule R31): owner_id names a member whose role is owner, and
-- no other member has that role. The keys hold at every commit, so that an
-- organization and its owner can be inserted, or ownership moved, in one
-- transaction.
CREATE TABLE tenon_organizations (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    slug       TEXT NOT NULL,
    logo       TEXT NOT NULL,
    metadata   TEXT,
    owner_id   TEXT NOT NULL,
    owner_role TEXT NOT NULL DEFAULT 'owner' CHECK (owner_role = 'owner'),
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    CONSTRAINT tenon_organizations_owner_fkey
        FOREIGN KEY (id, owner_id, owner_role) REFERENCES tenon_members (organization_id, user_id, role)
        DEFERRABLE INITIALLY DEFERRED
);
CREATE UNIQUE INDEX tenon_organizations_slug_key ON tenon_organizations (slug);

CREATE TABLE tenon_members (
    id              TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES tenon_organizations (id) ON DELETE CASCADE,
    user_id         TEXT NOT NULL,
    role            TEXT NOT NULL,
    created_at      TIMESTAMP NOT NULL,
    UNIQUE (organization_id, user_id, role),
    -- A list of roles never contains that of the owner.
    CHECK (role = 'owner' OR instr(',' || role || ',', ',owner,') = 0)
);
CREATE UNIQUE INDEX tenon_members_organization_id_user_id_key ON tenon_members (organization_id, user_id);
CREATE UNIQUE INDEX tenon_members_organization_id_owner_key ON tenon_members (organization_id) WHERE role = 'owner';
CREATE INDEX tenon_members_user_id ON tenon_members (user_id, created_at, id);
