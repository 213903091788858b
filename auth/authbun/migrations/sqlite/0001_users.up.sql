CREATE TABLE tenon_users (
    id               TEXT NOT NULL PRIMARY KEY,
    email            TEXT NOT NULL,
    email_display    TEXT NOT NULL,
    email_verified   BOOLEAN NOT NULL,
    name             TEXT NOT NULL,
    image            TEXT NOT NULL,
    superuser        BOOLEAN NOT NULL,
    security_version INTEGER NOT NULL,
    banned_at        TIMESTAMP,
    last_sign_in_at  TIMESTAMP,
    created_at       TIMESTAMP NOT NULL,
    updated_at       TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX tenon_users_email_key ON tenon_users (email);

CREATE TABLE tenon_credentials (
    user_id    TEXT NOT NULL PRIMARY KEY REFERENCES tenon_users (id) ON DELETE CASCADE,
    password   BLOB NOT NULL,
    updated_at TIMESTAMP NOT NULL
);

-- Which configured address made whom a superuser; it acts once.
CREATE TABLE tenon_superuser_claims (
    email      TEXT NOT NULL PRIMARY KEY,
    user_id    TEXT NOT NULL,
    claimed_at TIMESTAMP NOT NULL
);

CREATE TABLE tenon_sign_ups (
    id            TEXT NOT NULL PRIMARY KEY,
    user_id       TEXT NOT NULL,
    email         TEXT NOT NULL,
    email_display TEXT NOT NULL,
    name          TEXT NOT NULL,
    image         TEXT NOT NULL,
    password      BLOB,
    browser_hash  BLOB NOT NULL,
    created_at    TIMESTAMP NOT NULL,
    expires_at    TIMESTAMP NOT NULL
);
CREATE INDEX tenon_sign_ups_email ON tenon_sign_ups (email, created_at, id);
CREATE INDEX tenon_sign_ups_expires_at ON tenon_sign_ups (expires_at);

-- Times in microseconds since 1970, because the pace is arithmetic on them.
CREATE TABLE tenon_guesses (
    factor     TEXT NOT NULL,
    account    BLOB NOT NULL,
    failures   INTEGER NOT NULL,
    charged_at INTEGER NOT NULL,
    PRIMARY KEY (factor, account)
);
CREATE INDEX tenon_guesses_charged_at ON tenon_guesses (charged_at);

CREATE TABLE tenon_mail_budgets (
    scope      TEXT NOT NULL,
    target     BLOB NOT NULL,
    started_at INTEGER NOT NULL,
    spent      INTEGER NOT NULL,
    PRIMARY KEY (scope, target)
);
CREATE INDEX tenon_mail_budgets_started_at ON tenon_mail_budgets (started_at);
