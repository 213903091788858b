DROP TABLE tenon_passkey_ceremonies;
DROP TABLE tenon_passkey_handles;
DROP TABLE tenon_passkeys;
