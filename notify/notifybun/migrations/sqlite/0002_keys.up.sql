-- A key names a fact in an organization: the invoice 42 of another one is another.
CREATE UNIQUE INDEX tenon_notifications_fact_key ON tenon_notifications (user_id, organization_id, dedupe_key);
DROP INDEX tenon_notifications_user_id_dedupe_key_key;
