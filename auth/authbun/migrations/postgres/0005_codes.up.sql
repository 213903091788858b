-- Codes of six digits, one for each flow, purpose and address. The digits are in
-- no column: mac recognises them under a key that is not in the database.
CREATE TABLE tenon_codes (
    id               text COLLATE "C" PRIMARY KEY,
    flow             bytea NOT NULL,
    purpose          text COLLATE "C" NOT NULL,
    email            text COLLATE "C" NOT NULL,
    subject          text COLLATE "C" NOT NULL,
    security_version bigint NOT NULL,
    kid              text COLLATE "C" NOT NULL,
    mac              bytea NOT NULL,
    attempts         integer NOT NULL,
    asked_at         timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    consumed_at      timestamptz
);
CREATE UNIQUE INDEX tenon_codes_flow_key ON tenon_codes (email, flow, purpose);
CREATE INDEX tenon_codes_asked_at ON tenon_codes (asked_at);
