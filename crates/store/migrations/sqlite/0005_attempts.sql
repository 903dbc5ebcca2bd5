-- Attempts: every try of a user to start an operation, also those that were turned away; and facts about this store.

CREATE TABLE attempts (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at           INTEGER NOT NULL,
    fabric_id    INTEGER REFERENCES fabrics (id) ON DELETE SET NULL,
    fabric_name  TEXT    NOT NULL,
    verb         TEXT,
    actor        TEXT    NOT NULL,
    user_id      INTEGER REFERENCES users (id) ON DELETE SET NULL,
    address      TEXT    NOT NULL,
    method       TEXT    NOT NULL,
    path         TEXT    NOT NULL,
    http_status  INTEGER NOT NULL,
    code         TEXT,
    message      TEXT    NOT NULL,
    request_id   TEXT    NOT NULL,
    operation_id INTEGER REFERENCES operations (id) ON DELETE SET NULL
) STRICT;
CREATE INDEX attempts_fabric ON attempts (fabric_id, id);
CREATE INDEX attempts_user ON attempts (user_id);
CREATE INDEX attempts_operation ON attempts (operation_id);
CREATE INDEX attempts_at ON attempts (at);

CREATE TABLE meta (
    key   TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT;
