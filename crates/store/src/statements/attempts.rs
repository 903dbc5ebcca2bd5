//! Attempts.

pub(crate) const LIST: &str = "list attempts";
/// Followed by conditions.
pub(crate) const SELECT: &str = "SELECT attempts.id, attempts.at, attempts.fabric_id, attempts.fabric_name, \
     attempts.verb, attempts.actor, attempts.user_id, attempts.address, attempts.method, attempts.path, \
     attempts.http_status, attempts.code, attempts.message, attempts.request_id, attempts.operation_id, \
     attempts.action, attempts.subject, attempts.redirected, attempts.token_key FROM attempts";
/// Followed by conditions.
pub(crate) const COUNT: &str = "SELECT count(*) AS n FROM attempts";
pub(crate) const OF_FABRIC: &str = "attempts.fabric_id = ?";
/// For those that were turned away: word for word the condition of the indices of these, so that they are used.
pub(crate) const WAS_REFUSED: &str = "attempts.http_status >= 400";
/// For those that no operation came of: word for word the condition of the indices of these.
pub(crate) const IS_ALONE: &str = "attempts.operation_id IS NULL";
/// The same beside a condition whose own index finds fewer.
pub(crate) const IS_ALONE_TOO: &str = "coalesce(attempts.operation_id, 0) = 0";
/// Also of a fabric that is gone: its name stayed.
pub(crate) const ON_A_FABRIC: &str = "attempts.fabric_id IS NOT NULL OR attempts.fabric_name <> ''";
pub(crate) const OR_ON_NO_FABRIC: &str = " OR attempts.fabric_id IS NULL";
pub(crate) const OR_OWN: &str = " OR (attempts.fabric_id IS NULL AND attempts.user_id = ?)";
/// Followed by the conditions of a scope and a closing parenthesis.
pub(crate) const FABRIC_IN_SCOPE: &str = "attempts.fabric_id IN (SELECT fabrics.id FROM fabrics";
/// For a list of both operations and attempts; followed by conditions.
pub(crate) const LOG_SELECT: &str = "SELECT 1 AS what, attempts.id AS id, attempts.at AS at FROM attempts";
/// The order of this half, in which it comes out of an index.
pub(crate) const LOG_NEWEST: &str = " ORDER BY attempts.at DESC, attempts.id DESC";
/// Followed by a list.
pub(crate) const HAS_ID: &str = "attempts.id IN ";
pub(crate) const OF_VERB: &str = "attempts.verb = ?";
pub(crate) const BY_ACTOR: &str = "attempts.actor = ?";
pub(crate) const WITH_CODE: &str = "attempts.code = ?";
pub(crate) const SINCE: &str = "attempts.at >= ?";
pub(crate) const BEFORE: &str = "attempts.at < ?";
pub(crate) const NEWEST_FIRST: &str = " ORDER BY attempts.id DESC";

super::statements! {
    RECORD("record an attempt") = (
        "INSERT INTO attempts (at, fabric_id, fabric_name, verb, actor, user_id, address, method, path, http_status,",
        " code, message, request_id, operation_id, action, subject, redirected, token_key)",
        " SELECT $1, (SELECT f.id FROM fabrics f WHERE f.id = $2), $3, $4, $5,",
        " (SELECT u.id FROM users u WHERE u.id = $6), $7, $8, $9, $10, $11, $12, $13,",
        " (SELECT o.id FROM operations o WHERE o.id = $14), $15, $16, $17, $18 RETURNING id"
    );
    PURGE("delete old attempts") = ("DELETE FROM attempts WHERE at < $1");
}
