-- What caches in other processes have to forget.
CREATE TABLE tenon_session_revocations (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- Empty: everybody.
    user_id    TEXT NOT NULL,
    -- Empty: all of the user's sessions.
    session_id TEXT NOT NULL,
    at         TIMESTAMP NOT NULL,
    CHECK (session_id = '' OR user_id <> '')
);
CREATE INDEX tenon_session_revocations_at ON tenon_session_revocations (at);
