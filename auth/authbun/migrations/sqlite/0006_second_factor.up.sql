-- Since when a user signs in with two factors; NULL for one. And the sign-ins that
-- wait for their second factor: they open nothing but the routes that meet them.
ALTER TABLE tenon_users ADD COLUMN second_factor_at TIMESTAMP;

CREATE TABLE tenon_challenges (
    id               TEXT NOT NULL PRIMARY KEY,
    user_id          TEXT NOT NULL,
    security_version INTEGER NOT NULL,
    channels         TEXT NOT NULL,
    proven_at        TIMESTAMP NOT NULL,
    browser_only     BOOLEAN NOT NULL,
    bearer           BOOLEAN NOT NULL,
    callback_url     TEXT NOT NULL,
    selector         TEXT NOT NULL,
    kid              TEXT NOT NULL,
    mac              BLOB NOT NULL,
    tries            INTEGER NOT NULL DEFAULT 0,
    created_at       TIMESTAMP NOT NULL,
    expires_at       TIMESTAMP NOT NULL,
    consumed_at      TIMESTAMP
);
CREATE UNIQUE INDEX tenon_challenges_selector_key ON tenon_challenges (selector);
CREATE INDEX tenon_challenges_user ON tenon_challenges (user_id);
CREATE INDEX tenon_challenges_expires_at ON tenon_challenges (expires_at);
