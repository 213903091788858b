DROP TABLE tenon_sessions;
