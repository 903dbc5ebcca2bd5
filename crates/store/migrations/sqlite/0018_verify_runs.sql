-- What the console's own monitor found when it walked its own front door (verify.every), and when it last began, so that
-- of several processes one runs. A run without a fabric is one of an account that sees none.
CREATE TABLE verify_runs (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id        TEXT    NOT NULL,
    fabric_id     INTEGER REFERENCES fabrics (id) ON DELETE CASCADE,
    started_at    INTEGER NOT NULL,
    ended_at      INTEGER NOT NULL,
    verdict       TEXT    NOT NULL,
    sentence      TEXT    NOT NULL,
    cause         TEXT,
    failure_point INTEGER,
    what_to_do    TEXT,
    journeys      TEXT    NOT NULL,
    in_a_row      INTEGER NOT NULL,
    since         INTEGER
) STRICT;
CREATE INDEX verify_runs_fabric ON verify_runs (fabric_id, id);
CREATE UNIQUE INDEX verify_runs_run ON verify_runs (run_id);

-- fabric_id is 0 where there is no fabric; of one that was deleted a row may stay, and is never read.
CREATE TABLE verify_slots (
    fabric_id INTEGER NOT NULL PRIMARY KEY,
    begun_at  INTEGER NOT NULL
) STRICT;
