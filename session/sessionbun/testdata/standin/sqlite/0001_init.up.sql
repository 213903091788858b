CREATE TABLE standin_users (
    id             TEXT PRIMARY KEY,
    version        BIGINT NOT NULL,
    banned         BOOLEAN NOT NULL,
    email          TEXT NOT NULL,
    name           TEXT NOT NULL,
    image          TEXT NOT NULL,
    email_verified BOOLEAN NOT NULL,
    superuser      BOOLEAN NOT NULL,
    second_factor  BOOLEAN NOT NULL,
    created_at     TIMESTAMP NOT NULL,
    updated_at     TIMESTAMP NOT NULL
);
CREATE TABLE standin_members (
    organization_id TEXT NOT NULL,
    user_id         TEXT NOT NULL,
    role            TEXT NOT NULL,
    PRIMARY KEY (organization_id, user_id)
);
CREATE TABLE standin_policies (
    organization_id TEXT NOT NULL PRIMARY KEY,
    since           TIMESTAMP,
    trusts          BOOLEAN NOT NULL DEFAULT FALSE,
    roles_version   BIGINT NOT NULL DEFAULT 0
);
