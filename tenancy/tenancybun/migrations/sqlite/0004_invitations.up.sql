-- The secret of an invitation is a one-time token; nothing here opens anything.
CREATE TABLE tenon_invitations (
    id              TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES tenon_organizations (id) ON DELETE CASCADE,
    email           TEXT NOT NULL,
    display         TEXT NOT NULL,
    role            TEXT NOT NULL,
    team_ids        TEXT NOT NULL,
    inviter_id      TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('pending', 'accepted', 'rejected', 'canceled')),
    user_id         TEXT,
    expires_at      TIMESTAMP NOT NULL,
    created_at      TIMESTAMP NOT NULL,
    updated_at      TIMESTAMP NOT NULL,
    CHECK (role <> '' AND instr(',' || role || ',', ',owner,') = 0),
    CHECK (status <> 'accepted' OR user_id IS NOT NULL)
);
CREATE UNIQUE INDEX tenon_invitations_pending_key ON tenon_invitations (organization_id, email) WHERE status = 'pending';
CREATE INDEX tenon_invitations_organization_id ON tenon_invitations (organization_id, created_at, id);
CREATE INDEX tenon_invitations_email ON tenon_invitations (email) WHERE status = 'pending';
CREATE INDEX tenon_invitations_inviter_id ON tenon_invitations (inviter_id);
CREATE INDEX tenon_invitations_user_id ON tenon_invitations (user_id) WHERE user_id IS NOT NULL;
