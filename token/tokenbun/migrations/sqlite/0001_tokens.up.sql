CREATE TABLE tenon_one_time_tokens (
    id               TEXT NOT NULL PRIMARY KEY,
    selector         TEXT NOT NULL,
    purpose          TEXT NOT NULL,
    subject          TEXT NOT NULL,
    -- The organization that owns the token, '' where none does.
    tenant           TEXT NOT NULL,
    kid              TEXT NOT NULL,
    mac              BLOB NOT NULL,
    security_version BIGINT NOT NULL,
    created_at       TIMESTAMP NOT NULL,
    expires_at       TIMESTAMP NOT NULL,
    consumed_at      TIMESTAMP,
    attempts         INTEGER NOT NULL,
    -- The mac covers its bytes.
    payload          TEXT NOT NULL
);
CREATE UNIQUE INDEX tenon_one_time_tokens_selector_key ON tenon_one_time_tokens (selector);
CREATE INDEX tenon_one_time_tokens_subject ON tenon_one_time_tokens (purpose, subject, tenant) WHERE consumed_at IS NULL;
CREATE INDEX tenon_one_time_tokens_expires_at ON tenon_one_time_tokens (expires_at);
