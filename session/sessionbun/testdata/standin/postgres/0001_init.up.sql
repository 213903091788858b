CREATE TABLE standin_users (
    id             text COLLATE "C" PRIMARY KEY,
    version        bigint NOT NULL,
    banned         boolean NOT NULL,
    email          text NOT NULL,
    name           text NOT NULL,
    image          text NOT NULL,
    email_verified boolean NOT NULL,
    superuser      boolean NOT NULL,
    second_factor  boolean NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL
);
CREATE TABLE standin_members (
    organization_id text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL,
    role            text NOT NULL,
    PRIMARY KEY (organization_id, user_id)
);
CREATE TABLE standin_policies (
    organization_id TEXT NOT NULL PRIMARY KEY,
    since           timestamptz,
    trusts          BOOLEAN NOT NULL DEFAULT FALSE,
    roles_version   BIGINT NOT NULL DEFAULT 0
);
