DROP TABLE tenon_oauth_id_tokens;
DROP TABLE tenon_oauth_grants;
DROP TABLE tenon_oauth_attachments;
DROP TABLE tenon_oauth_links;
