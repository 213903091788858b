DROP INDEX tenon_members_organization_id_offer_key;
ALTER TABLE tenon_members DROP COLUMN offer_version;
ALTER TABLE tenon_members DROP COLUMN offer_ends_at;
ALTER TABLE tenon_members DROP COLUMN chosen_at;
DROP TABLE tenon_organization_roles;
ALTER TABLE tenon_organizations DROP COLUMN roles_version;
