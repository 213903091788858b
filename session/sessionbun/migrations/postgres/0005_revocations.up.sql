-- What caches in other processes have to forget. The ids become visible in the
-- order of the commits, not in their own.
CREATE TABLE tenon_session_revocations (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Empty: everybody.
    user_id    text COLLATE "C" NOT NULL,
    -- Empty: all of the user's sessions.
    session_id text COLLATE "C" NOT NULL,
    at         timestamptz NOT NULL,
    CHECK (session_id = '' OR user_id <> '')
);
CREATE INDEX tenon_session_revocations_at ON tenon_session_revocations (at);
