DROP TABLE tenon_one_time_tokens;
