//! Automatic syncs.

pub(crate) const NOTE_HEALS: &str = "note what self-heal puts right";
/// Followed by rows of values.
pub(crate) const HEAL_INSERT: &str =
    "INSERT INTO heals (fabric_id, operation_id, object_key, field, manager, at) VALUES ";

super::statements! {
    SETTLED("read which slot of automatic syncs is over") = (
        "SELECT settled_at FROM automatic_slots WHERE fabric_id = $1"
    );
    /// Nothing of a fabric that was deleted meanwhile. A slot that is still to come was settled by a clock that was ahead.
    SETTLE("note that a slot of automatic syncs is over") = (
        "INSERT INTO automatic_slots (fabric_id, settled_at) SELECT f.id, $2 FROM fabrics f WHERE f.id = $1",
        " ON CONFLICT (fabric_id) DO UPDATE SET settled_at = CASE",
        " WHEN excluded.settled_at > automatic_slots.settled_at OR automatic_slots.settled_at > $3",
        " THEN excluded.settled_at",
        " ELSE automatic_slots.settled_at END"
    );
    FORGET_HEALS("forget what self-heal put right long ago") = ("DELETE FROM heals WHERE fabric_id = $1 AND at < $2");
    HEALS("read what self-heal put right") = (
        "SELECT object_key, field, manager, at FROM heals WHERE fabric_id = $1 AND at >= $2 ORDER BY id"
    );
}
