-- From when on members need a second factor; NULL: not at all.
ALTER TABLE tenon_organizations ADD COLUMN second_factor_from timestamptz;
ALTER TABLE tenon_organizations ADD COLUMN second_factor_trusts boolean NOT NULL DEFAULT FALSE;
