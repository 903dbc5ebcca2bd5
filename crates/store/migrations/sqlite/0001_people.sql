-- Who may do what: users, groups, object permissions, sessions.
-- Times are microseconds since 1970 UTC, booleans 0 or 1, lists and constraints JSON text. Both histories
-- (sqlite, postgres) describe the same tables; a test compares them.

CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    username      TEXT    NOT NULL CONSTRAINT users_username_given CHECK (username <> ''),
    password_hash TEXT    NOT NULL,
    is_superuser  INTEGER NOT NULL CONSTRAINT users_is_superuser_bool CHECK (is_superuser IN (0, 1)),
    is_active     INTEGER NOT NULL CONSTRAINT users_is_active_bool CHECK (is_active IN (0, 1)),
    created_at    INTEGER NOT NULL,
    last_login_at INTEGER
) STRICT;
-- 'Anna' and 'anna' are one person.
CREATE UNIQUE INDEX users_username ON users (lower(username));

CREATE TABLE user_groups (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL CONSTRAINT user_groups_name_given CHECK (name <> ''),
    description TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX user_groups_name ON user_groups (name);

CREATE TABLE group_members (
    group_id INTEGER NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
    user_id  INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
) STRICT;
CREATE INDEX group_members_user ON group_members (user_id);

CREATE TABLE object_permissions (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT    NOT NULL CONSTRAINT object_permissions_name_given CHECK (name <> ''),
    enabled      INTEGER NOT NULL CONSTRAINT object_permissions_enabled_bool CHECK (enabled IN (0, 1)),
    object_types TEXT    NOT NULL,
    actions      TEXT    NOT NULL,
    constraints  TEXT
) STRICT;
CREATE UNIQUE INDEX object_permissions_name ON object_permissions (name);

CREATE TABLE object_permission_users (
    permission_id INTEGER NOT NULL REFERENCES object_permissions (id) ON DELETE CASCADE,
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (permission_id, user_id)
) STRICT;
CREATE INDEX object_permission_users_user ON object_permission_users (user_id);

CREATE TABLE object_permission_groups (
    permission_id INTEGER NOT NULL REFERENCES object_permissions (id) ON DELETE CASCADE,
    group_id      INTEGER NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
    PRIMARY KEY (permission_id, group_id)
) STRICT;
CREATE INDEX object_permission_groups_group ON object_permission_groups (group_id);

-- Ended rows stay for a while, so that an old cookie can be told which limit ended it.
CREATE TABLE sessions (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash          TEXT    NOT NULL CONSTRAINT sessions_token_hash_sha256 CHECK (length(token_hash) = 64),
    user_id             INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at          INTEGER NOT NULL,
    last_active_at      INTEGER NOT NULL,
    idle_expires_at     INTEGER NOT NULL,
    absolute_expires_at INTEGER NOT NULL,
    ended_at            INTEGER,
    end_reason          TEXT CONSTRAINT sessions_end_reason_known
        CHECK (end_reason IN ('idle', 'absolute', 'logged_out', 'revoked', 'password_changed')),
    ended_by            TEXT,
    user_agent          TEXT    NOT NULL,
    address             TEXT    NOT NULL,
    CONSTRAINT sessions_idle_within_absolute CHECK (idle_expires_at <= absolute_expires_at),
    CONSTRAINT sessions_end_has_reason CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT;
CREATE UNIQUE INDEX sessions_token_hash ON sessions (token_hash);
CREATE INDEX sessions_user ON sessions (user_id, id);
CREATE INDEX sessions_idle_expires ON sessions (idle_expires_at);
