//! Operations, their queue, and the outcome of each object.

macro_rules! columns {
    () => {
        "operations.id, operations.fabric_id, operations.verb, operations.writes, operations.state, operations.actor, \
         operations.actor_user_id, operations.trigger_kind, operations.request_id, operations.fingerprint, \
         operations.options, operations.shown_comparison_id, operations.commit_id, operations.phases, \
         operations.code, operations.message, operations.error_object, operations.result, operations.queued_at, \
         operations.started_at, operations.ended_at, operations.time_limit, operations.deadline_at, \
         operations.lease_owner, operations.heartbeat_at, \
         operations.cancel_requested_at, operations.cancel_requested_by"
    };
}
/// Whether a queued operation may run now: one that only reads always, one that writes when no other does.
macro_rules! may_run {
    () => {
        "operations.state = 'queued' AND (operations.writes = 0 OR NOT EXISTS (SELECT 1 FROM operations r \
         WHERE r.fabric_id = operations.fabric_id AND r.state = 'running' AND r.writes = 1))"
    };
}
/// Of a fabric and a verb, the last that was asked for, the last that succeeded and the last that ended: seeks in two
/// indices. A dry run of a verb that writes is none of them.
macro_rules! last_ids {
    ($verb:literal, $writes:literal) => {
        concat!(
            "(SELECT max(o.id) FROM operations o WHERE o.fabric_id = $1 AND o.verb = '",
            $verb,
            "' AND o.writes = ",
            $writes,
            "), (SELECT max(o.id) FROM operations o WHERE o.fabric_id = $1 AND o.verb = '",
            $verb,
            "' AND o.state = 'succeeded' AND o.writes = ",
            $writes,
            "), (SELECT max(o.id) FROM operations o WHERE o.fabric_id = $1 AND o.verb = '",
            $verb,
            "' AND o.ended_at IS NOT NULL AND o.writes = ",
            $writes,
            ")"
        )
    };
}

pub(crate) const LIST: &str = "list operations";
/// Followed by conditions.
pub(crate) const SELECT: &str = concat!("SELECT ", columns!(), " FROM operations");
/// Followed by conditions.
pub(crate) const COUNT: &str = "SELECT count(*) AS n FROM operations";
pub(crate) const OF_FABRIC: &str = "operations.fabric_id = ?";
pub(crate) const OF_VERB: &str = "operations.verb = ?";
pub(crate) const IN_STATE: &str = "operations.state = ?";
pub(crate) const IS_OPEN: &str = "operations.state IN ('queued', 'running')";
/// Followed by the columns' conditions of a scope and a closing parenthesis.
pub(crate) const FABRIC_IN_SCOPE: &str = "operations.fabric_id IN (SELECT fabrics.id FROM fabrics";
pub(crate) const NEWEST_FIRST: &str = " ORDER BY operations.id DESC";
/// For a list of both operations and attempts; followed by conditions.
pub(crate) const LOG_SELECT: &str = "SELECT 0 AS what, operations.id AS id, operations.queued_at AS at FROM operations";
/// The order of this half, in which it comes out of an index.
pub(crate) const LOG_NEWEST: &str = " ORDER BY operations.queued_at DESC, operations.id DESC";
/// Around the halves: each brings no more rows than the page can need, so that neither engine sorts more than those.
pub(crate) const LOG_BOTH: &str = "SELECT * FROM (";
pub(crate) const LOG_AND: &str = ") AS done UNION ALL SELECT * FROM (";
pub(crate) const LOG_END: &str = ") AS tried ORDER BY at DESC, id DESC";
/// Followed by a list.
pub(crate) const HAS_ID: &str = "operations.id IN ";
/// Followed by a list.
pub(crate) const IN_STATES: &str = "operations.state IN ";
pub(crate) const BY_ACTOR: &str = "operations.actor = ?";
pub(crate) const WITH_CODE: &str = "operations.code = ?";
pub(crate) const SINCE: &str = "operations.queued_at >= ?";
pub(crate) const BEFORE: &str = "operations.queued_at < ?";
pub(crate) const OLDEST_FIRST: &str = " ORDER BY operations.id";

pub(crate) const PUT_OUTCOMES: &str = "store the outcomes of an operation";
/// Followed by rows of values.
pub(crate) const OUTCOME_INSERT: &str = "INSERT INTO operation_objects (operation_id, object_key, outcome, verified, \
     code, message, overwrote, attempts, at, detail) VALUES ";
pub(crate) const OUTCOME_UPSERT: &str = " ON CONFLICT (operation_id, object_key) DO UPDATE SET \
     outcome = excluded.outcome, verified = excluded.verified, code = excluded.code, message = excluded.message, \
     overwrote = excluded.overwrote, attempts = excluded.attempts, at = excluded.at, detail = excluded.detail";
pub(crate) const OUTCOME_LIST: &str = "list the outcomes of an operation";
/// Followed by conditions.
pub(crate) const OUTCOME_SELECT: &str = "SELECT object_key, outcome, verified, code, message, overwrote, attempts, at, detail \
     FROM operation_objects";
/// Followed by conditions.
pub(crate) const OUTCOME_COUNT: &str = "SELECT count(*) AS n FROM operation_objects";
pub(crate) const OUTCOME_OF: &str = "operation_id = ?";
/// Followed by a list.
pub(crate) const OUTCOME_IN: &str = "outcome IN ";
/// What failed first, before what was left because of it: an object with an error of its own before those that only
/// were not tried; what was written before what was equal anyway.
pub(crate) const OUTCOME_ORDER: &str = " ORDER BY CASE outcome WHEN 'refused' THEN 0 WHEN 'failed' THEN 1 \
     WHEN 'unknown' THEN 2 WHEN 'not_verified' THEN 3 WHEN 'changed_meanwhile' THEN 4 \
     WHEN 'waiting_for_reference' THEN 5 WHEN 'not_attempted' THEN CASE WHEN code = 'source_invalid' THEN 6 ELSE 7 END \
     WHEN 'pruned' THEN 8 WHEN 'created' THEN 9 WHEN 'updated' THEN 10 WHEN 'adopted' THEN 11 WHEN 'left_out' THEN 12 \
     WHEN 'extra' THEN 13 ELSE 14 END, object_key";

super::statements! {
    INSERT("queue an operation") = (
        "INSERT INTO operations (fabric_id, verb, writes, state, actor, actor_user_id, trigger_kind, request_id,",
        " fingerprint, options, shown_comparison_id, commit_id, phases, message, result, queued_at, time_limit)",
        " VALUES ($1, $2, $3, 'queued', $4, $5, $6, $7, $8, $9, $10, $11, $12, '', 'null', $13, $14) RETURNING id"
    );
    GET("read an operation") = ("SELECT ", columns!(), " FROM operations WHERE id = $1");
    BY_KEY("find an operation by its key") = (
        "SELECT ", columns!(), " FROM operations JOIN operation_keys k ON k.operation_id = operations.id",
        " WHERE k.fabric_id = $1 AND k.key = $2"
    );
    KEEP_KEY("keep an operation's key") = (
        "INSERT INTO operation_keys (fabric_id, key, operation_id, created_at) VALUES ($1, $2, $3, $4)"
    );
    PURGE_KEYS("forget old keys") = ("DELETE FROM operation_keys WHERE created_at < $1");
    QUEUED_WRITER("look for an operation that waits to write") = (
        "SELECT id FROM operations WHERE fabric_id = $1 AND state = 'queued' AND writes = 1 LIMIT 1"
    );
    SAME_REQUEST("look for the same operation") = (
        "SELECT ", columns!(), " FROM operations WHERE fabric_id = $1 AND state IN ('queued', 'running')",
        " AND verb = $2 AND fingerprint = $3 AND cancel_requested_at IS NULL ORDER BY id DESC LIMIT 1"
    );
    /// Of each fabric the oldest that reads and the oldest that writes: few rows, however long the queue is.
    WAITING("look at the queue") = (
        "SELECT min(operations.id) AS id, operations.fabric_id, operations.writes FROM operations WHERE ", may_run!(),
        " GROUP BY operations.fabric_id, operations.writes ORDER BY 1"
    );
    CLAIM("claim an operation") = (
        "UPDATE operations SET state = 'running', started_at = $2, heartbeat_at = $2, lease_owner = $3,",
        " lease_expires_at = $4, lease_length = $5, lease_beat = lease_beat + 1, deadline_at = $2 + time_limit",
        " WHERE operations.id = $1 AND ", may_run!(), " RETURNING id"
    );
    HEARTBEAT("extend an operation's lease") = (
        "UPDATE operations SET heartbeat_at = $3, lease_expires_at = $4, lease_beat = lease_beat + 1",
        " WHERE id = $1 AND lease_owner = $2 AND state = 'running'"
    );
    /// Holds the row until the end of the transaction, so that nobody takes the operation over in its middle.
    OWNED("see whose an operation is") = {
        sqlite: ("SELECT id FROM operations WHERE id = $1 AND lease_owner = $2 AND state = 'running'"),
        postgres: ("SELECT id FROM operations WHERE id = $1 AND lease_owner = $2 AND state = 'running' FOR UPDATE"),
    };
    TOLD_TO_END("look for requests to cancel") = (
        "SELECT id, cancel_requested_by FROM operations",
        " WHERE state = 'running' AND lease_owner = $1 AND cancel_requested_by IS NOT NULL"
    );
    SAVE_PROGRESS("store an operation's progress") = (
        "UPDATE operations SET phases = $3 WHERE id = $1 AND lease_owner = $2 AND state = 'running'"
    );
    SET_COMMIT("store an operation's commit") = (
        "UPDATE operations SET commit_id = $3 WHERE id = $1 AND lease_owner = $2 AND state = 'running'"
    );
    FINISH("finish an operation") = (
        "UPDATE operations SET state = $3, code = $4, message = $5, error_object = $6, result = $7, phases = $8,",
        " ended_at = $9, lease_owner = NULL, lease_expires_at = NULL",
        " WHERE id = $1 AND lease_owner = $2 AND state = 'running'"
    );
    CANCEL_QUEUED("cancel a queued operation") = (
        "UPDATE operations SET state = 'cancelled', code = 'cancelled', message = $4, ended_at = $2,",
        " cancel_requested_at = $2, cancel_requested_by = $3 WHERE id = $1 AND state = 'queued'"
    );
    CANCEL_RUNNING("ask a running operation to end") = (
        "UPDATE operations SET cancel_requested_at = $2, cancel_requested_by = $3",
        " WHERE id = $1 AND state = 'running' AND cancel_requested_at IS NULL"
    );
    LEASES("look at the leases") = (
        "SELECT id, fabric_id, lease_owner, lease_beat, lease_length FROM operations WHERE state = 'running' ORDER BY id"
    );
    /// Owner and counter are compared once more: the owner may have come back just now.
    INTERRUPT("mark an operation as interrupted") = (
        "UPDATE operations SET state = 'interrupted', code = 'interrupted', message = $2, phases = $3, ended_at = $4,",
        " lease_owner = NULL, lease_expires_at = NULL",
        " WHERE id = $1 AND state = 'running' AND lease_owner = $5 AND lease_beat = $6"
    );
    /// What was planned and of which nothing was heard. It may have been written in the process's last moment.
    LEFT_BY_THE_DEAD("say what is not known of the objects") = (
        "UPDATE operation_objects SET code = 'interrupted', message = $2, outcome = $3",
        " WHERE operation_id = $1 AND outcome = 'not_attempted' AND code IS NULL"
    );
    RUNNING("look for running operations") = (
        "SELECT ", columns!(), " FROM operations WHERE fabric_id = $1 AND state = 'running' ORDER BY id"
    );
    LAST_OF_VERB("look for the last operation") = (
        "SELECT ", columns!(), " FROM operations WHERE fabric_id = $1 AND verb = $2 AND writes = $3 ORDER BY id DESC LIMIT 1"
    );
    LAST_SUCCESS("look for the last successful operation") = (
        "SELECT ", columns!(), " FROM operations WHERE fabric_id = $1 AND verb = $2 AND writes = $3",
        " AND state = 'succeeded' ORDER BY id DESC LIMIT 1"
    );
    SUMMARY("summarise a fabric's operations") = (
        "SELECT ", columns!(), " FROM operations WHERE id IN (",
        last_ids!("test_connection", 0), ", ", last_ids!("sync_from_git", 0), ", ",
        last_ids!("sync_from_fabric", 0), ", ", last_ids!("sync_to_kubernetes", 1), ")",
        " OR (fabric_id = $1 AND state IN ('queued', 'running')) ORDER BY id DESC"
    );
    OUTCOME_COUNTS("count the outcomes of an operation") = (
        "SELECT outcome, count(*) AS n, CAST(sum(verified) AS BIGINT) AS verified FROM operation_objects",
        " WHERE operation_id = $1 GROUP BY outcome ORDER BY outcome"
    );
    LAST_OF_TRIGGER("look for the last operation") = (
        "SELECT ", columns!(), " FROM operations WHERE fabric_id = $1 AND trigger_kind = $2 ORDER BY id DESC LIMIT 1"
    );
    /// Seeks: the newest syncs in one index, the object's outcome in each by its key.
    PUT_RIGHT("count how often an object was put right") = (
        "SELECT count(*) AS n FROM operation_objects WHERE object_key = $2 AND overwrote <> '[]' AND verified = 1",
        " AND operation_id IN (SELECT id FROM operations WHERE fabric_id = $1 AND verb = 'sync_to_kubernetes'",
        " AND writes = 1 ORDER BY id DESC LIMIT 10)"
    );
    /// The first of them, with how many there are. Seeks: the refusals of one operation, each object by its key.
    STILL_REFUSED("read what is refused still") = (
        "SELECT o.object_key, o.message, count(*) OVER () AS n FROM operation_objects o JOIN objects l",
        " ON l.fabric_id = $1 AND l.object_key = o.object_key WHERE o.operation_id = $2 AND o.outcome = 'refused'",
        " AND l.state <> 'equal' ORDER BY o.object_key LIMIT 1"
    );
    /// Seeks: the newest syncs in one index, what may be a deletion of theirs in another.
    DELETED("read what the last syncs deleted") = (
        "SELECT object_key, outcome, detail FROM operation_objects",
        " WHERE outcome IN ('pruned', 'unknown', 'not_verified', 'changed_meanwhile')",
        " AND operation_id IN (SELECT id FROM operations WHERE fabric_id = $1 AND verb = 'sync_to_kubernetes'",
        " AND writes = 1 ORDER BY id DESC LIMIT 10)"
    );
    /// Those that nobody asked for. Keeps what a page may still show or a status derive from: the newest, and each verb's
    /// last success.
    PRUNE("delete old operations") = (
        "DELETE FROM operations WHERE fabric_id = $1 AND trigger_kind IN ('schedule', 'interval', 'self_heal')",
        " AND ended_at < $2",
        " AND id NOT IN (SELECT max(id) FROM operations WHERE fabric_id = $1 GROUP BY verb, writes)",
        " AND id NOT IN (SELECT max(id) FROM operations WHERE fabric_id = $1 AND state = 'succeeded'",
        " GROUP BY verb, writes)"
    );
}
