//! The log of changes.

/// Doing, for lists.
pub(crate) const LIST: &str = "list changes";
/// Followed by conditions.
pub(crate) const SELECT: &str = "SELECT changes.id, changes.at, changes.actor, changes.user_id, changes.request_id, \
     changes.object_type, changes.object_id, changes.object_name, changes.action, changes.before, changes.after \
     FROM changes";
/// Followed by conditions.
pub(crate) const COUNT: &str = "SELECT count(*) AS n FROM changes";
pub(crate) const OF_TYPE: &str = "changes.object_type = ?";
pub(crate) const OF_OBJECT: &str = "changes.object_id = ?";
pub(crate) const BY_ACTOR: &str = "changes.actor = ?";
pub(crate) const SINCE: &str = "changes.at >= ?";
pub(crate) const BEFORE: &str = "changes.at < ?";
/// Followed by a list.
pub(crate) const OF_REQUESTS: &str = "changes.request_id IN ";
pub(crate) const OLDEST_FIRST: &str = " ORDER BY changes.id";
pub(crate) const NEWEST_FIRST: &str = " ORDER BY changes.id DESC";
/// Each followed by the conditions of a scope and two closing parentheses.
pub(crate) const FABRIC_IN: &str =
    "(changes.object_type = 'hedgerow.fabric' AND changes.object_id IN (SELECT fabrics.id FROM fabrics";
pub(crate) const USER_IN: &str =
    "(changes.object_type = 'users.user' AND changes.object_id IN (SELECT users.id FROM users";
pub(crate) const GROUP_IN: &str =
    "(changes.object_type = 'users.group' AND changes.object_id IN (SELECT user_groups.id FROM user_groups";
pub(crate) const PERMISSION_IN: &str = "(changes.object_type = 'users.objectpermission' AND changes.object_id IN \
     (SELECT object_permissions.id FROM object_permissions";

super::statements! {
    /// A user or fabric that is gone is left out: the name stays.
    RECORD("record a change") = (
        "INSERT INTO changes (at, actor, user_id, request_id, object_type, object_id, object_name, fabric_id, action,",
        " before, after) SELECT $1, $2, (SELECT u.id FROM users u WHERE u.id = $3), $4, $5, $6, $7,",
        " (SELECT f.id FROM fabrics f WHERE f.id = $8), $9, $10, $11"
    );
    PURGE("delete old changes") = ("DELETE FROM changes WHERE at < $1");
}
