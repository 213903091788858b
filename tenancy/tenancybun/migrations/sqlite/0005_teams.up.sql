CREATE TABLE tenon_teams (
    id              TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES tenon_organizations (id) ON DELETE CASCADE,
    name            TEXT NOT NULL,
    created_at      TIMESTAMP NOT NULL,
    updated_at      TIMESTAMP NOT NULL,
    UNIQUE (organization_id, id)
);
CREATE UNIQUE INDEX tenon_teams_organization_id_name_key ON tenon_teams (organization_id, name);

-- A place in a team ends with the team and with the place in the organization.
CREATE TABLE tenon_team_members (
    id              TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    team_id         TEXT NOT NULL,
    user_id         TEXT NOT NULL,
    created_at      TIMESTAMP NOT NULL,
    FOREIGN KEY (organization_id, team_id) REFERENCES tenon_teams (organization_id, id) ON DELETE CASCADE,
    FOREIGN KEY (organization_id, user_id) REFERENCES tenon_members (organization_id, user_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX tenon_team_members_team_id_user_id_key ON tenon_team_members (team_id, user_id);
CREATE INDEX tenon_team_members_user_id ON tenon_team_members (user_id, organization_id);
