-- Which accounts at identity providers are whose; see oauth.Link.
CREATE TABLE tenon_oauth_links (
    id           TEXT NOT NULL PRIMARY KEY,
    user_id      TEXT NOT NULL,
    provider     TEXT NOT NULL,
    issuer       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    email        TEXT NOT NULL,
    created_at   TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP
);
CREATE UNIQUE INDEX tenon_oauth_links_identity_key ON tenon_oauth_links (issuer, subject);
CREATE INDEX tenon_oauth_links_user_id ON tenon_oauth_links (user_id, created_at, id);

-- Accounts that wait for the address of a sign-up to be proven. A row is deleted when
-- it is.
CREATE TABLE tenon_oauth_attachments (
    sign_up_id TEXT NOT NULL PRIMARY KEY,
    link_id    TEXT NOT NULL,
    provider   TEXT NOT NULL,
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    email      TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX tenon_oauth_attachments_expires_at ON tenon_oauth_attachments (expires_at);

-- What providers let us do for users; see oauth.Grant. The tokens are sealed for their
-- row and column. refreshing_until is the turn of whoever is at the provider.
CREATE TABLE tenon_oauth_grants (
    link_id          TEXT NOT NULL PRIMARY KEY REFERENCES tenon_oauth_links (id) ON DELETE CASCADE,
    user_id          TEXT NOT NULL,
    access_token     BLOB NOT NULL,
    refresh_token    BLOB,
    scopes           TEXT NOT NULL,
    access_ends_at   TIMESTAMP,
    generation       INTEGER NOT NULL,
    refreshing_until TIMESTAMP,
    ended_at         TIMESTAMP,
    created_at       TIMESTAMP NOT NULL,
    updated_at       TIMESTAMP NOT NULL
);

-- ID tokens that apps brought, by hash, until they run out: each is good once.
CREATE TABLE tenon_oauth_id_tokens (
    hash       BLOB NOT NULL PRIMARY KEY,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX tenon_oauth_id_tokens_expires_at ON tenon_oauth_id_tokens (expires_at);
