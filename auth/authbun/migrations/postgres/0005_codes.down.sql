DROP TABLE tenon_codes;
