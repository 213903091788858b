-- Which accounts at identity providers are whose; see oauth.Link.
CREATE TABLE tenon_oauth_links (
    id           text COLLATE "C" PRIMARY KEY,
    user_id      text COLLATE "C" NOT NULL,
    provider     text COLLATE "C" NOT NULL,
    issuer       text COLLATE "C" NOT NULL,
    subject      text COLLATE "C" NOT NULL,
    email        text COLLATE "C" NOT NULL,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz
);
CREATE UNIQUE INDEX tenon_oauth_links_identity_key ON tenon_oauth_links (issuer, subject);
CREATE INDEX tenon_oauth_links_user_id ON tenon_oauth_links (user_id, created_at, id);

-- Accounts that wait for the address of a sign-up to be proven. A row is deleted when
-- it is.
CREATE TABLE tenon_oauth_attachments (
    sign_up_id text COLLATE "C" PRIMARY KEY,
    link_id    text COLLATE "C" NOT NULL,
    provider   text COLLATE "C" NOT NULL,
    issuer     text COLLATE "C" NOT NULL,
    subject    text COLLATE "C" NOT NULL,
    email      text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX tenon_oauth_attachments_expires_at ON tenon_oauth_attachments (expires_at);

-- What providers let us do for users; see oauth.Grant. The tokens are sealed for their
-- row and column. refreshing_until is the turn of whoever is at the provider.
CREATE TABLE tenon_oauth_grants (
    link_id          text COLLATE "C" PRIMARY KEY REFERENCES tenon_oauth_links (id) ON DELETE CASCADE,
    user_id          text COLLATE "C" NOT NULL,
    access_token     bytea NOT NULL,
    refresh_token    bytea,
    scopes           text COLLATE "C" NOT NULL,
    access_ends_at   timestamptz,
    generation       bigint NOT NULL,
    refreshing_until timestamptz,
    ended_at         timestamptz,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);

-- ID tokens that apps brought, by hash, until they run out: each is good once.
CREATE TABLE tenon_oauth_id_tokens (
    hash       bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX tenon_oauth_id_tokens_expires_at ON tenon_oauth_id_tokens (expires_at);
