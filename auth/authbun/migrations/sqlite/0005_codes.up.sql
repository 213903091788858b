-- Codes of six digits, one for each flow, purpose and address. The digits are in
-- no column: mac recognises them under a key that is not in the database.
CREATE TABLE tenon_codes (
    id               TEXT NOT NULL PRIMARY KEY,
    flow             BLOB NOT NULL,
    purpose          TEXT NOT NULL,
    email            TEXT NOT NULL,
    subject          TEXT NOT NULL,
    security_version INTEGER NOT NULL,
    kid              TEXT NOT NULL,
    mac              BLOB NOT NULL,
    attempts         INTEGER NOT NULL,
    asked_at         TIMESTAMP NOT NULL,
    expires_at       TIMESTAMP NOT NULL,
    consumed_at      TIMESTAMP
);
CREATE UNIQUE INDEX tenon_codes_flow_key ON tenon_codes (email, flow, purpose);
CREATE INDEX tenon_codes_asked_at ON tenon_codes (asked_at);
