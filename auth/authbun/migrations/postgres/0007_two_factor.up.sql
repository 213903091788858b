-- Authenticator apps: one confirmed and one unconfirmed of each user. last_step is
-- the last step whose code was accepted.
CREATE TABLE tenon_totp (
    id               text COLLATE "C" PRIMARY KEY,
    user_id          text COLLATE "C" NOT NULL REFERENCES tenon_users (id) ON DELETE CASCADE,
    session_id       text COLLATE "C" NOT NULL,
    security_version bigint NOT NULL,
    secret           bytea NOT NULL,
    algorithm        integer NOT NULL,
    digits           integer NOT NULL,
    period_seconds   integer NOT NULL,
    last_step        bigint NOT NULL,
    confirmed        boolean NOT NULL,
    created_at       timestamptz NOT NULL,
    confirmed_at     timestamptz
);
CREATE UNIQUE INDEX tenon_totp_user_key ON tenon_totp (user_id, confirmed);
CREATE INDEX tenon_totp_created_at ON tenon_totp (confirmed, created_at);

-- The codes are in no column: mac recognises them under a key that is not in the
-- database. Those of an unconfirmed enrolment are not valid yet.
CREATE TABLE tenon_recovery_codes (
    id         text COLLATE "C" PRIMARY KEY,
    user_id    text COLLATE "C" NOT NULL REFERENCES tenon_users (id) ON DELETE CASCADE,
    enrolment  text COLLATE "C" REFERENCES tenon_totp (id) ON DELETE CASCADE,
    kid        text COLLATE "C" NOT NULL,
    mac        bytea NOT NULL,
    created_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE UNIQUE INDEX tenon_recovery_codes_user_key ON tenon_recovery_codes (user_id, mac);
CREATE INDEX tenon_recovery_codes_enrolment ON tenon_recovery_codes (enrolment);

-- Users whose second step is a mailed code: no second factor to what is sensitive.
ALTER TABLE tenon_users ADD COLUMN second_factor_mail boolean NOT NULL DEFAULT false;
