CREATE TABLE tenon_jwt_keys (
    id           text COLLATE "C" PRIMARY KEY,
    state        text COLLATE "C" NOT NULL CHECK (state IN ('published', 'signing', 'retired')),
    private_key  bytea NOT NULL,
    published_at timestamptz NOT NULL,
    signing_at   timestamptz,
    retired_at   timestamptz
);
-- One key is next and one signs, however many processes think it is time.
CREATE UNIQUE INDEX tenon_jwt_keys_state_key ON tenon_jwt_keys (state) WHERE state <> 'retired';
