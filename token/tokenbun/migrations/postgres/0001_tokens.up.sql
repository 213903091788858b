CREATE TABLE tenon_one_time_tokens (
    id               text COLLATE "C" PRIMARY KEY,
    selector         text COLLATE "C" NOT NULL,
    purpose          text COLLATE "C" NOT NULL,
    subject          text COLLATE "C" NOT NULL,
    -- The organization that owns the token, '' where none does.
    tenant           text COLLATE "C" NOT NULL,
    kid              text COLLATE "C" NOT NULL,
    mac              bytea NOT NULL,
    security_version bigint NOT NULL,
    created_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    consumed_at      timestamptz,
    attempts         integer NOT NULL,
    -- Text, not jsonb: the mac covers its bytes.
    payload          text NOT NULL
);
CREATE UNIQUE INDEX tenon_one_time_tokens_selector_key ON tenon_one_time_tokens (selector);
CREATE INDEX tenon_one_time_tokens_subject ON tenon_one_time_tokens (purpose, subject, tenant) WHERE consumed_at IS NULL;
CREATE INDEX tenon_one_time_tokens_expires_at ON tenon_one_time_tokens (expires_at);
