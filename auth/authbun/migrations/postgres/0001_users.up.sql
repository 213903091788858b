CREATE TABLE tenon_users (
    id               text COLLATE "C" PRIMARY KEY,
    email            text COLLATE "C" NOT NULL,
    email_display    text NOT NULL,
    email_verified   boolean NOT NULL,
    name             text NOT NULL,
    image            text NOT NULL,
    superuser        boolean NOT NULL,
    security_version bigint NOT NULL,
    banned_at        timestamptz,
    last_sign_in_at  timestamptz,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);
CREATE UNIQUE INDEX tenon_users_email_key ON tenon_users (email);

CREATE TABLE tenon_credentials (
    user_id    text COLLATE "C" PRIMARY KEY REFERENCES tenon_users (id) ON DELETE CASCADE,
    password   bytea NOT NULL,
    updated_at timestamptz NOT NULL
);

-- Which configured address made whom a superuser; it acts once.
CREATE TABLE tenon_superuser_claims (
    email      text COLLATE "C" PRIMARY KEY,
    user_id    text COLLATE "C" NOT NULL,
    claimed_at timestamptz NOT NULL
);

CREATE TABLE tenon_sign_ups (
    id            text COLLATE "C" PRIMARY KEY,
    user_id       text COLLATE "C" NOT NULL,
    email         text COLLATE "C" NOT NULL,
    email_display text NOT NULL,
    name          text NOT NULL,
    image         text NOT NULL,
    password      bytea,
    browser_hash  bytea NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX tenon_sign_ups_email ON tenon_sign_ups (email, created_at, id);
CREATE INDEX tenon_sign_ups_expires_at ON tenon_sign_ups (expires_at);

-- Times in microseconds since 1970, because the pace is arithmetic on them.
CREATE TABLE tenon_guesses (
    factor     text COLLATE "C" NOT NULL,
    account    bytea NOT NULL,
    failures   bigint NOT NULL,
    charged_at bigint NOT NULL,
    PRIMARY KEY (factor, account)
);
CREATE INDEX tenon_guesses_charged_at ON tenon_guesses (charged_at);

CREATE TABLE tenon_mail_budgets (
    scope      text COLLATE "C" NOT NULL,
    target     bytea NOT NULL,
    started_at bigint NOT NULL,
    spent      bigint NOT NULL,
    PRIMARY KEY (scope, target)
);
CREATE INDEX tenon_mail_budgets_started_at ON tenon_mail_budgets (started_at);
