DROP TABLE tenon_team_members;
DROP TABLE tenon_teams;
