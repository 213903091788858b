DROP TABLE tenon_session_revocations;
