CREATE TABLE tenon_jwt_keys (
    id           TEXT NOT NULL PRIMARY KEY,
    state        TEXT NOT NULL CHECK (state IN ('published', 'signing', 'retired')),
    private_key  BLOB NOT NULL,
    published_at TIMESTAMP NOT NULL,
    signing_at   TIMESTAMP,
    retired_at   TIMESTAMP
);
-- One key is next and one signs, however many processes think it is time.
CREATE UNIQUE INDEX tenon_jwt_keys_state_key ON tenon_jwt_keys (state) WHERE state <> 'retired';
