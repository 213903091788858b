-- Authenticator apps: one confirmed and one unconfirmed of each user. last_step is
-- the last step whose code was accepted.
CREATE TABLE tenon_totp (
    id               TEXT NOT NULL PRIMARY KEY,
    user_id          TEXT NOT NULL REFERENCES tenon_users (id) ON DELETE CASCADE,
    session_id       TEXT NOT NULL,
    security_version INTEGER NOT NULL,
    secret           BLOB NOT NULL,
    algorithm        INTEGER NOT NULL,
    digits           INTEGER NOT NULL,
    period_seconds   INTEGER NOT NULL,
    last_step        INTEGER NOT NULL,
    confirmed        BOOLEAN NOT NULL,
    created_at       TIMESTAMP NOT NULL,
    confirmed_at     TIMESTAMP
);
CREATE UNIQUE INDEX tenon_totp_user_key ON tenon_totp (user_id, confirmed);
CREATE INDEX tenon_totp_created_at ON tenon_totp (confirmed, created_at);

-- The codes are in no column: mac recognises them under a key that is not in the
-- database. Those of an unconfirmed enrolment are not valid yet.
CREATE TABLE tenon_recovery_codes (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES tenon_users (id) ON DELETE CASCADE,
    enrolment  TEXT REFERENCES tenon_totp (id) ON DELETE CASCADE,
    kid        TEXT NOT NULL,
    mac        BLOB NOT NULL,
    created_at TIMESTAMP NOT NULL,
    used_at    TIMESTAMP
);
CREATE UNIQUE INDEX tenon_recovery_codes_user_key ON tenon_recovery_codes (user_id, mac);
CREATE INDEX tenon_recovery_codes_enrolment ON tenon_recovery_codes (enrolment);

-- Users whose second step is a mailed code: no second factor to what is sensitive.
ALTER TABLE tenon_users ADD COLUMN second_factor_mail BOOLEAN NOT NULL DEFAULT FALSE;
