DROP TABLE tenon_keys;
