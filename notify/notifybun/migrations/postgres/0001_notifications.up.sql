-- Notifications, one row per recipient; see notify.Item. in_app is false for what went
-- by mail alone and is kept for its key.
CREATE TABLE tenon_notifications (
    id              text COLLATE "C" PRIMARY KEY,
    user_id         text COLLATE "C" NOT NULL,
    category        text COLLATE "C" NOT NULL,
    type            text COLLATE "C" NOT NULL,
    organization_id text COLLATE "C" NOT NULL,
    dedupe_key      text COLLATE "C" NOT NULL,
    title           text COLLATE "C" NOT NULL,
    body            text COLLATE "C" NOT NULL,
    link            text COLLATE "C" NOT NULL,
    data            text COLLATE "C" NOT NULL,
    in_app          boolean NOT NULL,
    created_at      timestamptz NOT NULL,
    read_at         timestamptz
);
CREATE UNIQUE INDEX tenon_notifications_user_id_dedupe_key_key ON tenon_notifications (user_id, dedupe_key);
CREATE INDEX tenon_notifications_list ON tenon_notifications (user_id, created_at, id) WHERE in_app;
CREATE INDEX tenon_notifications_unread ON tenon_notifications (user_id, created_at, id) WHERE in_app AND read_at IS NULL;
CREATE INDEX tenon_notifications_created_at ON tenon_notifications (created_at);

-- Where users differ from the defaults of categories; see notify.Preference.
CREATE TABLE tenon_notification_preferences (
    user_id    text COLLATE "C" NOT NULL,
    category   text COLLATE "C" NOT NULL,
    channel    text COLLATE "C" NOT NULL,
    enabled    boolean NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, category, channel)
);
