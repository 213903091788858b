-- Since when a user signs in with two factors; NULL for one. And the sign-ins that
-- wait for their second factor: they open nothing but the routes that meet them.
ALTER TABLE tenon_users ADD COLUMN second_factor_at timestamptz;

CREATE TABLE tenon_challenges (
    id               text COLLATE "C" PRIMARY KEY,
    user_id          text COLLATE "C" NOT NULL,
    security_version bigint NOT NULL,
    channels         text COLLATE "C" NOT NULL,
    proven_at        timestamptz NOT NULL,
    browser_only     boolean NOT NULL,
    bearer           boolean NOT NULL,
    callback_url     text NOT NULL,
    selector         text COLLATE "C" NOT NULL,
    kid              text COLLATE "C" NOT NULL,
    mac              bytea NOT NULL,
    tries            integer NOT NULL DEFAULT 0,
    created_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    consumed_at      timestamptz
);
CREATE UNIQUE INDEX tenon_challenges_selector_key ON tenon_challenges (selector);
CREATE INDEX tenon_challenges_user ON tenon_challenges (user_id);
CREATE INDEX tenon_challenges_expires_at ON tenon_challenges (expires_at);
