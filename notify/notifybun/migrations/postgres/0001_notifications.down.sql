DROP TABLE tenon_notification_preferences;
DROP TABLE tenon_notifications;
