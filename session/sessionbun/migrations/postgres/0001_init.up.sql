CREATE TABLE tenon_sessions (
    id               text COLLATE "C" PRIMARY KEY,
    selector         text COLLATE "C" NOT NULL,
    kid              text COLLATE "C" NOT NULL,
    verifier         bytea NOT NULL,
    user_id          text COLLATE "C" NOT NULL,
    security_version bigint NOT NULL,
    organization_id  text COLLATE "C",
    -- What was proven, first factor first, separated by spaces.
    channels         text NOT NULL,
    proven_at        timestamptz NOT NULL,
    browser_only     boolean NOT NULL,
    ip               text NOT NULL,
    user_agent       text NOT NULL,
    created_at       timestamptz NOT NULL,
    last_seen_at     timestamptz NOT NULL,
    idle_ends_at     timestamptz NOT NULL,
    ends_at          timestamptz NOT NULL,
    revoked_at       timestamptz,
    CHECK (idle_ends_at <= ends_at)
);
CREATE UNIQUE INDEX tenon_sessions_selector_key ON tenon_sessions (selector);
CREATE INDEX tenon_sessions_user_id ON tenon_sessions (user_id) WHERE revoked_at IS NULL;
CREATE INDEX tenon_sessions_idle_ends_at ON tenon_sessions (idle_ends_at);
CREATE INDEX tenon_sessions_revoked_at ON tenon_sessions (revoked_at) WHERE revoked_at IS NOT NULL;
