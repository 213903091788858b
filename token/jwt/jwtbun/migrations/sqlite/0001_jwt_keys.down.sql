DROP TABLE tenon_jwt_keys;
