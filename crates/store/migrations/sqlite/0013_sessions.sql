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

-- What an attempt was about: the route's name, and the object when it is no fabric; and whether its answer was the way
-- to the login page.
ALTER TABLE attempts ADD COLUMN action TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN subject TEXT NOT NULL DEFAULT '';ALTER TABLE attempts ADD COLUMN redirected INTEGER NOT NULL DEFAULT 0
    CONSTRAINT attempts_redirected_bool CHECK (redirected IN (0, 1));

-- What no operation came of, as the activity lists it beside the operations.
-- The index that leads from an operation to its attempts must not be taken for a list of all that have none.
DROP INDEX attempts_operation;
CREATE INDEX attempts_operation ON attempts (operation_id) WHERE operation_id IS NOT NULL;
CREATE INDEX attempts_alone_at ON attempts (at, id) WHERE operation_id IS NULL;
CREATE INDEX attempts_alone_fabric_at ON attempts (fabric_id, at, id) WHERE operation_id IS NULL;
CREATE INDEX attempts_alone_actor_at ON attempts (actor, at, id) WHERE operation_id IS NULL;

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
