-- Operations: recorded runs of a verb, the queue that they wait in, and what became of each object.

CREATE TABLE operations (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    fabric_id           INTEGER NOT NULL REFERENCES fabrics (id) ON DELETE CASCADE,
    verb                TEXT    NOT NULL CONSTRAINT operations_verb_known
        CHECK (verb IN ('test_connection', 'sync_from_git', 'sync_from_fabric', 'sync_to_kubernetes')),
    writes              INTEGER NOT NULL CONSTRAINT operations_writes_bool CHECK (writes IN (0, 1)),
    state               TEXT    NOT NULL CONSTRAINT operations_state_known
        CHECK (state IN ('queued', 'running', 'succeeded', 'partial', 'failed', 'cancelled', 'timed_out', 'interrupted')),
    actor               TEXT    NOT NULL,
    actor_user_id       INTEGER REFERENCES users (id) ON DELETE SET NULL,
    trigger_kind        TEXT    NOT NULL,
    request_id          TEXT    NOT NULL,
    fingerprint         TEXT    NOT NULL,
    options             TEXT    NOT NULL,
    shown_comparison_id INTEGER,
    commit_id           TEXT,
    phases              TEXT    NOT NULL,
    code                TEXT,
    message             TEXT    NOT NULL,
    error_object        TEXT,
    result              TEXT    NOT NULL,
    queued_at           INTEGER NOT NULL,
    started_at          INTEGER,
    ended_at            INTEGER,
    time_limit          INTEGER NOT NULL CONSTRAINT operations_time_limit_positive CHECK (time_limit > 0),
    deadline_at         INTEGER,
    lease_owner         TEXT,
    lease_expires_at    INTEGER,
    heartbeat_at        INTEGER,
    cancel_requested_at INTEGER,
    cancel_requested_by TEXT,
    CONSTRAINT operations_running_has_lease
        CHECK ((state = 'running') = (lease_owner IS NOT NULL AND lease_expires_at IS NOT NULL)),
    CONSTRAINT operations_end_has_time CHECK ((state IN ('queued', 'running')) = (ended_at IS NULL))
) STRICT;
-- The promise that only one operation at a time writes to a fabric, across processes.
CREATE UNIQUE INDEX operations_one_writer ON operations (fabric_id) WHERE state = 'running' AND writes = 1;
CREATE INDEX operations_open ON operations (state, id) WHERE state IN ('queued', 'running');
CREATE INDEX operations_fabric ON operations (fabric_id, id);
CREATE INDEX operations_last ON operations (fabric_id, verb, state, id);
CREATE INDEX operations_last_of_verb ON operations (fabric_id, verb, id);
CREATE INDEX operations_actor_user ON operations (actor_user_id);
CREATE INDEX operations_shown_comparison ON operations (shown_comparison_id) WHERE shown_comparison_id IS NOT NULL;

-- Which operation a request got, also when it was given one that ran already: the same key, the same answer.
CREATE TABLE operation_keys (
    fabric_id    INTEGER NOT NULL REFERENCES fabrics (id) ON DELETE CASCADE,
    key          TEXT    NOT NULL CONSTRAINT operation_keys_key_given CHECK (key <> ''),
    operation_id INTEGER NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (fabric_id, key)
) STRICT;
CREATE INDEX operation_keys_operation ON operation_keys (operation_id);

CREATE TABLE operation_objects (
    operation_id INTEGER NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    object_key   TEXT    NOT NULL,
    outcome      TEXT    NOT NULL,
    verified     INTEGER NOT NULL CONSTRAINT operation_objects_verified_bool CHECK (verified IN (0, 1)),
    code         TEXT,
    message      TEXT    NOT NULL,
    overwrote    TEXT    NOT NULL,
    attempts     INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (operation_id, object_key)
) STRICT;
CREATE INDEX operation_objects_outcome ON operation_objects (operation_id, outcome, object_key);
