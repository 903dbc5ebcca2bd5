//! Fabrics.

macro_rules! fabric {
    () => {
        "SELECT fabrics.id, fabrics.name, fabrics.description, fabrics.cluster_kind, fabrics.endpoint_server, \
         fabrics.endpoint_ca_pem, fabrics.endpoint_certificate_pem, fabrics.verify_tls, fabrics.namespace, fabrics.source_kind, fabrics.source_url, \
         fabrics.source_credential, fabrics.source_username, fabrics.known_hosts, fabrics.branch, fabrics.path, \
         fabrics.sync_enabled, fabrics.deadline_seconds, fabrics.cluster_uid, fabrics.cluster_seen_uid, \
         fabrics.created_at, fabrics.updated_at, fabrics.version, fabrics.policy, fabrics.suspended_at, \
         fabrics.suspended_by, fabrics.suspended_reason FROM fabrics"
    };
}

/// Doing, for lists.
pub(crate) const LIST: &str = "list the fabrics";
/// Followed by conditions.
pub(crate) const SELECT: &str = fabric!();
/// Followed by conditions.
pub(crate) const COUNT: &str = "SELECT count(*) AS n FROM fabrics";
pub(crate) const HAS_ID: &str = "fabrics.id = ?";
pub(crate) const NAME_OR_DESCRIPTION_LIKE: &str =
    "(lower(fabrics.name) LIKE ? ESCAPE '\\' OR lower(fabrics.description) LIKE ? ESCAPE '\\')";
pub(crate) const OF_CLUSTER: &str = "fabrics.cluster_uid = ?";
pub(crate) const OF_NAMESPACE: &str = "fabrics.namespace = ?";
pub(crate) const ORDER_BY_NAME: &str = " ORDER BY lower(fabrics.name)";
pub(crate) const ORDER_BY_CREATED: &str = " ORDER BY fabrics.created_at";
pub(crate) const ORDER_BY_UPDATED: &str = " ORDER BY fabrics.updated_at";
pub(crate) const THEN_BY_ID: &str = ", fabrics.id";

super::statements! {
    RESERVE_ID("reserve an id for a fabric") = (
        "UPDATE ids SET last_id = last_id + 1 WHERE noun = 'fabrics' RETURNING last_id"
    );
    CREATE("create a fabric") = (
        "INSERT INTO fabrics (id, name, description, cluster_kind, endpoint_server, endpoint_ca_pem, verify_tls,",
        " namespace, source_kind, source_url, source_credential, source_username, known_hosts, branch, path,",
        " sync_enabled, deadline_seconds, endpoint_certificate_pem, policy, kubeconfig, token, source_token, ssh_key,",
        " created_at, updated_at, version)",
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,",
        " $22, $23, $24, $24, 1)"
    );
    /// A secret is kept where its flag is 1 and set to the value beside it otherwise. A cluster that was seen before the
    /// fabric had one was seen by other settings.
    UPDATE("change a fabric") = (
        "UPDATE fabrics SET name = $2, description = $3, cluster_kind = $4, endpoint_server = $5,",
        " endpoint_ca_pem = $6, verify_tls = $7, namespace = $8, source_kind = $9, source_url = $10,",
        " source_credential = $11, source_username = $12, known_hosts = $13, branch = $14, path = $15,",
        " sync_enabled = $16, deadline_seconds = $17, endpoint_certificate_pem = $18,",
        " policy = $19, kubeconfig = CASE WHEN $20 = 1 THEN kubeconfig ELSE $21 END,",
        " token = CASE WHEN $22 = 1 THEN token ELSE $23 END,",
        " source_token = CASE WHEN $24 = 1 THEN source_token ELSE $25 END,",
        " ssh_key = CASE WHEN $26 = 1 THEN ssh_key ELSE $27 END,",
        " cluster_seen_uid = CASE WHEN cluster_uid IS NULL THEN NULL ELSE cluster_seen_uid END,",
        " updated_at = $28, version = version + 1 WHERE id = $1 AND version = $29"
    );
    SECRETS("read a fabric's sealed secrets") = (
        "SELECT kubeconfig, token, source_token, ssh_key FROM fabrics WHERE id = $1"
    );
    /// Each only where the secret is still the one that was read: somebody may enter another meanwhile.
    RESEAL_KUBECONFIG("seal a kubeconfig anew") = (
        "UPDATE fabrics SET kubeconfig = $3 WHERE id = $1 AND kubeconfig = $2"
    );
    RESEAL_ENDPOINT("seal an endpoint's secret anew") = ("UPDATE fabrics SET token = $3 WHERE id = $1 AND token = $2");
    RESEAL_SOURCE_TOKEN("seal a source's token anew") = (
        "UPDATE fabrics SET source_token = $3 WHERE id = $1 AND source_token = $2"
    );
    RESEAL_SSH_KEY("seal a source's key anew") = ("UPDATE fabrics SET ssh_key = $3 WHERE id = $1 AND ssh_key = $2");
    SET_SYNC_ENABLED("switch a fabric's sync") = (
        "UPDATE fabrics SET sync_enabled = $2, updated_at = $3, version = version + 1 WHERE id = $1"
    );
    /// All three or none: who stopped the automatic syncs, when and why.
    SET_SUSPENSION("suspend a fabric's automatic syncs") = (
        "UPDATE fabrics SET suspended_at = $2, suspended_by = $3, suspended_reason = $4 WHERE id = $1"
    );
    SET_CLUSTER_UID("note a fabric's cluster") = (
        "UPDATE fabrics SET cluster_uid = $2, cluster_seen_uid = NULL WHERE id = $1"
    );
    /// Only the first connection sets it; every other change has to be confirmed.
    ADOPT_CLUSTER_UID("note a fabric's cluster") = (
        "UPDATE fabrics SET cluster_uid = $2, cluster_seen_uid = NULL WHERE id = $1 AND cluster_uid IS NULL"
    );
    SET_SEEN_UID("note another cluster of a fabric") = (
        "UPDATE fabrics SET cluster_seen_uid = $2 WHERE id = $1"
    );
    DELETE("delete a fabric") = ("DELETE FROM fabrics WHERE id = $1");
    IS_WRITTEN("look for a running operation") = (
        "SELECT id FROM operations WHERE fabric_id = $1 AND state = 'running' AND writes = 1 LIMIT 1"
    );
    DEPENDENTS("count what hangs on a fabric") = (
        "SELECT (SELECT count(*) FROM operations WHERE fabric_id = $1) AS operations,",
        " (SELECT count(*) FROM comparisons WHERE fabric_id = $1) AS comparisons,",
        " (SELECT count(*) FROM objects WHERE fabric_id = $1) AS objects,",
        " (SELECT count(*) FROM attempts WHERE fabric_id = $1) AS attempts"
    );
    /// A row lock on PostgreSQL, where two requests may otherwise both see that nothing is queued; SQLite's
    /// transactions that write are one at a time anyway. Not the lock for a deletion: rows that refer to the fabric may be
    /// stored meanwhile, and a comparison takes its time for that.
    LOCK("lock a fabric") = {
        sqlite: ("SELECT id, deadline_seconds FROM fabrics WHERE id = $1"),
        postgres: ("SELECT id, deadline_seconds FROM fabrics WHERE id = $1 FOR NO KEY UPDATE"),
    };
}
