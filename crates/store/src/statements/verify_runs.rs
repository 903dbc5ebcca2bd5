//! Runs of the console's own monitor.

pub(crate) const LIST: &str = "list the runs of the monitor";
/// Followed by conditions.
pub(crate) const SELECT: &str = "SELECT verify_runs.id, verify_runs.run_id, verify_runs.fabric_id, \
     verify_runs.started_at, verify_runs.ended_at, verify_runs.verdict, verify_runs.sentence, verify_runs.cause, \
     verify_runs.failure_point, verify_runs.what_to_do, verify_runs.journeys, verify_runs.in_a_row, verify_runs.since \
     FROM verify_runs";
/// Followed by conditions.
pub(crate) const COUNT: &str = "SELECT count(*) AS n FROM verify_runs";
pub(crate) const OF_FABRIC: &str = "verify_runs.fabric_id = ?";
/// The newest ones of each fabric.
pub(crate) const AMONG_NEWEST: &str = "verify_runs.id IN (SELECT r.id FROM (SELECT v.id AS id, \
     ROW_NUMBER() OVER (PARTITION BY v.fabric_id ORDER BY v.id DESC) AS place FROM verify_runs v) r WHERE r.place <= ?)";
/// Followed by the conditions of a scope and a closing parenthesis.
pub(crate) const FABRIC_IN_SCOPE: &str = "verify_runs.fabric_id IN (SELECT fabrics.id FROM fabrics";
pub(crate) const NEWEST_FIRST: &str = " ORDER BY verify_runs.id DESC";

super::statements! {
    /// 0 is no fabric, here and below.
    NEWEST("read the newest run of the monitor") = (
        "SELECT in_a_row, since FROM verify_runs WHERE (fabric_id = $1 OR (fabric_id IS NULL AND $1 = 0))",
        " ORDER BY id DESC LIMIT 1"
    );
    RECORD("record a run of the monitor") = (
        "INSERT INTO verify_runs (run_id, fabric_id, started_at, ended_at, verdict, sentence, cause, failure_point,",
        " what_to_do, journeys, in_a_row, since) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id"
    );
    PRUNE("remove old runs of the monitor") = (
        "DELETE FROM verify_runs WHERE (fabric_id = $1 OR (fabric_id IS NULL AND $1 = 0)) AND id NOT IN",
        " (SELECT v.id FROM verify_runs v WHERE (v.fabric_id = $1 OR (v.fabric_id IS NULL AND $1 = 0))",
        " ORDER BY v.id DESC LIMIT $2)"
    );
    CLAIM("begin a run of the monitor") = (
        "INSERT INTO verify_slots (fabric_id, begun_at) VALUES ($1, $2) ON CONFLICT (fabric_id)",
        " DO UPDATE SET begun_at = excluded.begun_at WHERE verify_slots.begun_at <= $3"
    );
    SUCCESSES("read when the user's path last held") = (
        "SELECT fabric_id, max(ended_at) AS ended_at FROM verify_runs",
        " WHERE verdict = 'pass' AND fabric_id IS NOT NULL GROUP BY fabric_id"
    );
}
