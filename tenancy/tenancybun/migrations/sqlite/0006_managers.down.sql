DROP INDEX tenon_members_managers;
