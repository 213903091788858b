DROP TABLE standin_members;
DROP TABLE standin_users;
