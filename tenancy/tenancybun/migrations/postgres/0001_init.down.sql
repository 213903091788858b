ALTER TABLE tenon_organizations DROP CONSTRAINT tenon_organizations_owner_fkey;
DROP TABLE tenon_members;
DROP TABLE tenon_organizations;
