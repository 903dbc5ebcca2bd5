-- Comparisons, the objects as the newest comparison found them, and what the agents report.

CREATE TABLE comparisons (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    fabric_id       INTEGER NOT NULL REFERENCES fabrics (id) ON DELETE CASCADE,
    operation_id    INTEGER REFERENCES operations (id) ON DELETE SET NULL,
    trigger_kind    TEXT    NOT NULL,
    commit_id       TEXT,
    commit_time     INTEGER,
    commit_subject  TEXT,
    commit_author   TEXT,
    observed_at     INTEGER NOT NULL,
    finished_at     INTEGER NOT NULL,
    result          TEXT    NOT NULL CONSTRAINT comparisons_result_known CHECK (result IN ('ok', 'partial', 'failed')),
    code            TEXT,
    message         TEXT    NOT NULL,
    problems        TEXT    NOT NULL,
    counts          TEXT    NOT NULL,
    findings        TEXT    NOT NULL,
    findings_total  INTEGER NOT NULL,
    cluster_release TEXT,
    duration_ms     INTEGER NOT NULL,
    kinds           TEXT    NOT NULL
) STRICT;
CREATE INDEX comparisons_fabric ON comparisons (fabric_id, id);
CREATE INDEX comparisons_last ON comparisons (fabric_id, result, id);
CREATE INDEX comparisons_operation ON comparisons (operation_id);

-- changed_in is the id of the comparison that last saw the live object change; comparisons are pruned, so it is a
-- number to compare with, not a reference. base is the form that was last verified live.
CREATE TABLE objects (
    fabric_id     INTEGER NOT NULL REFERENCES fabrics (id) ON DELETE CASCADE,
    object_key    TEXT    NOT NULL,
    group_        TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    namespace     TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    rank          INTEGER NOT NULL,
    state         TEXT    NOT NULL CONSTRAINT objects_state_known
        CHECK (state IN ('equal', 'undelivered', 'modified', 'missing', 'conflict', 'extra', 'unknown')),
    managed       INTEGER NOT NULL CONSTRAINT objects_managed_bool CHECK (managed IN (0, 1)),
    confirmed     INTEGER CONSTRAINT objects_confirmed_bool CHECK (confirmed IN (0, 1)),
    has_errors    INTEGER NOT NULL CONSTRAINT objects_has_errors_bool CHECK (has_errors IN (0, 1)),
    diff_count    INTEGER NOT NULL,
    finding_count INTEGER NOT NULL,
    file          TEXT,
    line          INTEGER,
    document      INTEGER,
    live_rv       TEXT,
    live_uid      TEXT,
    changed_in    INTEGER NOT NULL,
    digest        TEXT    NOT NULL,
    holdings      TEXT    NOT NULL,
    diffs         TEXT    NOT NULL,
    findings      TEXT    NOT NULL,
    desired       TEXT,
    live          TEXT,
    base          TEXT,
    PRIMARY KEY (fabric_id, object_key)
) STRICT;
-- The bodies make rows large. Lists find their page, filter and count in these indices alone; objects_by_kind then
-- leads to the rows.
CREATE INDEX objects_by_rank ON objects (fabric_id, rank, kind, group_, namespace, name, state, managed, has_errors);
CREATE INDEX objects_by_kind ON objects (fabric_id, kind, group_, namespace, name, state, managed, has_errors, rank);
CREATE INDEX objects_by_name ON objects (fabric_id, name, kind, group_, namespace, state, managed, has_errors, rank);
CREATE INDEX objects_by_state ON objects (fabric_id, state, rank, kind, group_, namespace, name, managed, has_errors);
CREATE INDEX objects_brief ON objects (fabric_id, object_key, state, digest, live_rv, changed_in, confirmed);

CREATE TABLE agents (
    fabric_id   INTEGER NOT NULL REFERENCES fabrics (id) ON DELETE CASCADE,
    kind        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    summary     TEXT    NOT NULL,
    observed_at INTEGER NOT NULL,
    PRIMARY KEY (fabric_id, kind, name)
) STRICT;
