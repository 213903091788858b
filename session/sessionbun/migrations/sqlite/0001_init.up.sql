CREATE TABLE tenon_sessions (
    id               TEXT NOT NULL PRIMARY KEY,
    selector         TEXT NOT NULL,
    kid              TEXT NOT NULL,
    verifier         BLOB NOT NULL,
    user_id          TEXT NOT NULL,
    security_version BIGINT NOT NULL,
    organization_id  TEXT,
    -- What was proven, first factor first, separated by spaces.
    channels         TEXT NOT NULL,
    proven_at        TIMESTAMP NOT NULL,
    browser_only     BOOLEAN NOT NULL,
    ip               TEXT NOT NULL,
    user_agent       TEXT NOT NULL,
    created_at       TIMESTAMP NOT NULL,
    last_seen_at     TIMESTAMP NOT NULL,
    idle_ends_at     TIMESTAMP NOT NULL,
    ends_at          TIMESTAMP NOT NULL,
    revoked_at       TIMESTAMP,
    CHECK (idle_ends_at <= ends_at)
);
CREATE UNIQUE INDEX tenon_sessions_selector_key ON tenon_sessions (selector);
CREATE INDEX tenon_sessions_user_id ON tenon_sessions (user_id) WHERE revoked_at IS NULL;
CREATE INDEX tenon_sessions_idle_ends_at ON tenon_sessions (idle_ends_at);
CREATE INDEX tenon_sessions_revoked_at ON tenon_sessions (revoked_at) WHERE revoked_at IS NOT NULL;
