-- From when on members need a second factor; NULL: not at all.
ALTER TABLE tenon_organizations ADD COLUMN second_factor_from TIMESTAMP;
ALTER TABLE tenon_organizations ADD COLUMN second_factor_trusts BOOLEAN NOT NULL DEFAULT FALSE;
