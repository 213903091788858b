DELETE FROM tenon_notifications WHERE EXISTS (
    SELECT 1 FROM tenon_notifications AS n WHERE n.user_id = tenon_notifications.user_id
        AND n.dedupe_key = tenon_notifications.dedupe_key AND n.id < tenon_notifications.id
);
CREATE UNIQUE INDEX tenon_notifications_user_id_dedupe_key_key ON tenon_notifications (user_id, dedupe_key);
DROP INDEX tenon_notifications_fact_key;
