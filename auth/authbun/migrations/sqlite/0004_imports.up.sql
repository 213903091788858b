-- How a hash from another system was made; empty for our own. Decoys follow the counts.
ALTER TABLE tenon_credentials ADD COLUMN kind TEXT NOT NULL DEFAULT '';
CREATE INDEX tenon_credentials_kind ON tenon_credentials (kind) WHERE kind <> '';
