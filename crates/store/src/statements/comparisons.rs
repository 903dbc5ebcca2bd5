//! Comparisons, and what the agents report.

macro_rules! comparison {
    () => {
        "SELECT id, fabric_id, operation_id, trigger_kind, commit_id, commit_time, commit_subject, commit_author, \
         observed_at, finished_at, result, code, message, problems, counts, findings, findings_total, \
         cluster_release, duration_ms, kinds, confirmed_until FROM comparisons"
    };
}

pub(crate) const PUT_AGENTS: &str = "store what the agents report";
/// Followed by rows of values.
pub(crate) const AGENT_INSERT: &str = "INSERT INTO agents (fabric_id, kind, name, summary, observed_at) VALUES ";
pub(crate) const AGENT_UPSERT: &str = " ON CONFLICT (fabric_id, kind, name) DO UPDATE SET summary = excluded.summary, \
     observed_at = excluded.observed_at";

super::statements! {
    INSERT("store a comparison") = (
        "INSERT INTO comparisons (fabric_id, operation_id, trigger_kind, commit_id, commit_time, commit_subject,",
        " commit_author, observed_at, finished_at, result, code, message, problems, counts, findings, findings_total,",
        " cluster_release, duration_ms, kinds) VALUES",
        " ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) RETURNING id"
    );
    /// Only of the newest comparison, only when it was whole and of the present settings, and only forward.
    STILL_HOLDS("note that a comparison still holds") = (
        "UPDATE comparisons SET confirmed_until = $3 WHERE id = $2 AND fabric_id = $1 AND result = 'ok'",
        " AND observed_at < $3 AND (confirmed_until IS NULL OR confirmed_until < $3)",
        " AND id = (SELECT max(id) FROM comparisons WHERE fabric_id = $1)",
        " AND observed_at > (SELECT updated_at FROM fabrics WHERE id = $1)"
    );
    GET("read a comparison") = (comparison!(), " WHERE id = $1");
    LATEST("read the last comparison") = (comparison!(), " WHERE fabric_id = $1 ORDER BY id DESC LIMIT 1");
    LATEST_OF("read the last comparison") = (
        comparison!(), " WHERE fabric_id = $1 AND result = $2 ORDER BY id DESC LIMIT 1"
    );
    LIST("list comparisons") = (comparison!(), " WHERE fabric_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3");
    COUNT("count comparisons") = ("SELECT count(*) AS n FROM comparisons WHERE fabric_id = $1");
    /// Keeps the newest, the last of each result, and those that an operation refers to.
    PRUNE("delete old comparisons") = (
        "DELETE FROM comparisons WHERE fabric_id = $1",
        " AND id NOT IN (SELECT id FROM comparisons WHERE fabric_id = $1 ORDER BY id DESC LIMIT $2)",
        " AND id NOT IN (SELECT max(id) FROM comparisons WHERE fabric_id = $1 GROUP BY result)",
        " AND id NOT IN (SELECT shown_comparison_id FROM operations",
        " WHERE fabric_id = $1 AND shown_comparison_id IS NOT NULL)",
        " AND (operation_id IS NULL OR operation_id NOT IN",
        " (SELECT id FROM operations WHERE fabric_id = $1",
        " AND trigger_kind NOT IN ('schedule', 'interval', 'self_heal')))"
    );

    AGENT_LIST("read what the agents report") = (
        "SELECT fabric_id, kind, name, summary, observed_at FROM agents WHERE fabric_id = $1 ORDER BY kind, name"
    );
    AGENT_DELETE("forget an agent") = ("DELETE FROM agents WHERE fabric_id = $1 AND kind = $2 AND name = $3");
    AGENT_NAMES("read which agents there are") = ("SELECT kind, name FROM agents WHERE fabric_id = $1");
}
