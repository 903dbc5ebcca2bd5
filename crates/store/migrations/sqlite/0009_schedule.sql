-- What has to be known of automatic syncs after a restart: up to which slot of its interval a fabric is settled, and what
-- self-heal set out to put right, so that a fight with another writer is noticed.
CREATE TABLE automatic_slots (
    fabric_id  INTEGER NOT NULL PRIMARY KEY REFERENCES fabrics (id) ON DELETE CASCADE,
    settled_at INTEGER NOT NULL
) STRICT;

-- field is empty where the object itself was gone, manager where it is not known.
CREATE TABLE heals (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    fabric_id    INTEGER NOT NULL REFERENCES fabrics (id) ON DELETE CASCADE,
    operation_id INTEGER NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    object_key   TEXT    NOT NULL,
    field        TEXT    NOT NULL,
    manager      TEXT    NOT NULL,
    at           INTEGER NOT NULL
) STRICT;
CREATE INDEX heals_fabric ON heals (fabric_id, at);
CREATE INDEX heals_operation ON heals (operation_id);
CREATE INDEX operations_trigger ON operations (fabric_id, trigger_kind, id);
