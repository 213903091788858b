-- The secret of an invitation is a one-time token; nothing here opens anything.
CREATE TABLE tenon_invitations (
    id              text COLLATE "C" PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL REFERENCES tenon_organizations (id) ON DELETE CASCADE,
    email           text COLLATE "C" NOT NULL,
    display         text NOT NULL,
    role            text COLLATE "C" NOT NULL,
    team_ids        text COLLATE "C" NOT NULL,
    inviter_id      text COLLATE "C" NOT NULL,
    status          text COLLATE "C" NOT NULL CHECK (status IN ('pending', 'accepted', 'rejected', 'canceled')),
    user_id         text COLLATE "C",
    expires_at      timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    CHECK (role <> '' AND ',' || role || ',' NOT LIKE '%,owner,%'),
    CHECK (status <> 'accepted' OR user_id IS NOT NULL)
);
CREATE UNIQUE INDEX tenon_invitations_pending_key ON tenon_invitations (organization_id, email) WHERE status = 'pending';
CREATE INDEX tenon_invitations_organization_id ON tenon_invitations (organization_id, created_at, id);
CREATE INDEX tenon_invitations_email ON tenon_invitations (email) WHERE status = 'pending';
CREATE INDEX tenon_invitations_inviter_id ON tenon_invitations (inviter_id);
CREATE INDEX tenon_invitations_user_id ON tenon_invitations (user_id) WHERE user_id IS NOT NULL;
