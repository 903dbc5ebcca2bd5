-- When somebody last proved who it is: at the login, or with the password again before a sensitive change. The idle
-- limit in seconds that this session got from its user's groups; none: the setting's. The hash of the token before the
-- last rotation: requests that were on their way then still carry it.
ALTER TABLE sessions ADD COLUMN authenticated_at INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET authenticated_at = created_at;
ALTER TABLE sessions ADD COLUMN idle_limit INTEGER;
ALTER TABLE sessions ADD COLUMN previous_hash TEXT;
ALTER TABLE sessions ADD COLUMN rotated_at INTEGER;
ALTER TABLE sessions ADD COLUMN rotation_due INTEGER NOT NULL DEFAULT 0
    CONSTRAINT sessions_rotation_due_bool CHECK (rotation_due IN (0, 1));
CREATE UNIQUE INDEX sessions_previous_hash ON sessions (previous_hash) WHERE previous_hash IS NOT NULL;

-- Limits in seconds for the sessions of those who belong to a group; the shortest of a user's groups counts.
ALTER TABLE user_groups ADD COLUMN session_idle INTEGER;
ALTER TABLE user_groups ADD COLUMN session_absolute INTEGER;

-- What an attempt was about: the route's name, and the object when it is no fabric.
ALTER TABLE attempts ADD COLUMN action TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN subject TEXT NOT NULL DEFAULT '';

-- A form that was sent after its session had ended, until its user has logged in again. Credentials are not in it, and
-- the rest is sealed.
CREATE TABLE kept_forms (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash TEXT    NOT NULL CONSTRAINT kept_forms_token_hash_sha256 CHECK (length(token_hash) = 64),
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    path       TEXT    NOT NULL,
    fields     BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX kept_forms_token_hash ON kept_forms (token_hash);
CREATE INDEX kept_forms_user ON kept_forms (user_id, id);
