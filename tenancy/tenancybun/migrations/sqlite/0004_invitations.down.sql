DROP TABLE tenon_invitations;
