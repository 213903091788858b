-- Projects, the product's own things. Each belongs to one organization.
CREATE TABLE projects (
    id              text COLLATE "C" PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL,
    name            text NOT NULL,
    created_at      timestamptz NOT NULL
);
CREATE INDEX projects_organization_id ON projects (organization_id, id);
