DROP TABLE standin_policies;
DROP TABLE standin_members;
DROP TABLE standin_users;
