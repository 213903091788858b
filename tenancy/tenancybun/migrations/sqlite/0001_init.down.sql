-- Organizations first: nothing refers to members then.
DELETE FROM tenon_organizations;
DROP TABLE tenon_organizations;
DROP TABLE tenon_members;
