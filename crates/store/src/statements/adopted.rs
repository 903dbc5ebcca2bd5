//! Objects that a person took over from a cluster into Git.

pub(crate) const PUT: &str = "record adopted objects";
/// Followed by rows of values.
pub(crate) const INSERT: &str = "INSERT INTO adopted_objects (fabric_id, object_key, uid, actor, at) VALUES ";
pub(crate) const UPSERT: &str =
    " ON CONFLICT (fabric_id, object_key) DO UPDATE SET uid = excluded.uid, actor = excluded.actor, at = excluded.at";
/// Followed by a list.
pub(crate) const DELETE: &str = "DELETE FROM adopted_objects WHERE fabric_id = $1 AND object_key IN ";

super::statements! {
    ALL_OF_FABRIC("read the adopted objects") = (
        "SELECT object_key, uid, actor, at FROM adopted_objects WHERE fabric_id = $1 ORDER BY object_key"
    );
}
