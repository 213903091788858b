-- An organization's own roles. The version rises with each change of them.
ALTER TABLE tenon_organizations ADD COLUMN roles_version bigint NOT NULL DEFAULT 0;
CREATE TABLE tenon_organization_roles (
    id              text COLLATE "C" PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL REFERENCES tenon_organizations (id) ON DELETE CASCADE,
    name            text COLLATE "C" NOT NULL CHECK (name <> 'owner' AND name NOT LIKE '%,%'),
    -- JSON: actions by resource.
    permissions     text NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
);
CREATE UNIQUE INDEX tenon_organization_roles_organization_id_name_key ON tenon_organization_roles (organization_id, name);

-- When the user last made the organization the active one; NULL: never.
ALTER TABLE tenon_members ADD COLUMN chosen_at timestamptz;
-- Until when the member may accept the ownership that the owner offered under that
-- security version. It goes with the membership; there is one at a time.
ALTER TABLE tenon_members ADD COLUMN offer_ends_at timestamptz;
ALTER TABLE tenon_members ADD COLUMN offer_version bigint NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX tenon_members_organization_id_offer_key ON tenon_members (organization_id) WHERE offer_ends_at IS NOT NULL;
