-- Notifications, one row per recipient; see notify.Item. in_app is false for what went
-- by mail alone and is kept for its key.
CREATE TABLE tenon_notifications (
    id              TEXT NOT NULL PRIMARY KEY,
    user_id         TEXT NOT NULL,
    category        TEXT NOT NULL,
    type            TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    dedupe_key      TEXT NOT NULL,
    title           TEXT NOT NULL,
    body            TEXT NOT NULL,
    link            TEXT NOT NULL,
    data            TEXT NOT NULL,
    in_app          BOOLEAN NOT NULL,
    created_at      TIMESTAMP NOT NULL,
    read_at         TIMESTAMP
);
CREATE UNIQUE INDEX tenon_notifications_user_id_dedupe_key_key ON tenon_notifications (user_id, dedupe_key);
CREATE INDEX tenon_notifications_list ON tenon_notifications (user_id, created_at, id) WHERE in_app;
-- The last two columns are for counting: SQLite looks at a row for every column that a
-- statement names and the index does not have.
CREATE INDEX tenon_notifications_unread ON tenon_notifications (user_id, created_at, id, in_app, read_at) WHERE in_app AND read_at IS NULL;
CREATE INDEX tenon_notifications_created_at ON tenon_notifications (created_at);

-- Where users differ from the defaults of categories; see notify.Preference.
CREATE TABLE tenon_notification_preferences (
    user_id    TEXT NOT NULL,
    category   TEXT NOT NULL,
    channel    TEXT NOT NULL,
    enabled    BOOLEAN NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    PRIMARY KEY (user_id, category, channel)
);
