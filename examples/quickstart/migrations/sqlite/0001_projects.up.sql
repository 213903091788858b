-- Projects, the product's own things. Each belongs to one organization.
CREATE TABLE projects (
    id              TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    name            TEXT NOT NULL,
    created_at      TIMESTAMP NOT NULL
);
CREATE INDEX projects_organization_id ON projects (organization_id, id);
