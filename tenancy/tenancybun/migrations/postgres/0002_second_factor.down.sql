ALTER TABLE tenon_organizations DROP COLUMN second_factor_trusts;
ALTER TABLE tenon_organizations DROP COLUMN second_factor_from;
