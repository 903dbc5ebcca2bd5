//! Rows of any noun by their names, and single terms of a scope.

use crate::nouns::{Link, Noun};

/// Doing, for lists.
pub(crate) const NAMES: &str = "list names";
/// Doing, for one term.
pub(crate) const TEST: &str = "test a term of a permission";
/// Followed by the term.
pub(crate) const TEST_TERM: &str = "SELECT CASE WHEN ";
/// Between the term and the column that it compares.
pub(crate) const TEST_VALUE: &str = " THEN 1 ELSE 0 END AS holds, CAST(";

/// After the column; followed by the id.
pub(crate) fn tested(noun: Noun) -> &'static str {
    match noun {
        Noun::Fabric => " AS TEXT) AS value FROM fabrics WHERE fabrics.id = ",
        Noun::User => " AS TEXT) AS value FROM users WHERE users.id = ",
        Noun::Group => " AS TEXT) AS value FROM user_groups WHERE user_groups.id = ",
        Noun::Permission => " AS TEXT) AS value FROM object_permissions WHERE object_permissions.id = ",
    }
}

/// What is selected, how it is counted, the condition on the name, and the order.
pub(crate) fn of(noun: Noun) -> (&'static str, &'static str, &'static str, &'static str) {
    match noun {
        Noun::Fabric => (
            "SELECT fabrics.id AS id, fabrics.name AS name FROM fabrics",
            "SELECT count(*) AS n FROM fabrics",
            "lower(fabrics.name) LIKE ? ESCAPE '\\'",
            " ORDER BY lower(fabrics.name), fabrics.id",
        ),
        Noun::User => (
            "SELECT users.id AS id, users.username AS name FROM users",
            "SELECT count(*) AS n FROM users",
            "lower(users.username) LIKE ? ESCAPE '\\'",
            " ORDER BY lower(users.username), users.id",
        ),
        Noun::Group => (
            "SELECT user_groups.id AS id, user_groups.name AS name FROM user_groups",
            "SELECT count(*) AS n FROM user_groups",
            "lower(user_groups.name) LIKE ? ESCAPE '\\'",
            " ORDER BY lower(user_groups.name), user_groups.id",
        ),
        Noun::Permission => (
            "SELECT object_permissions.id AS id, object_permissions.name AS name FROM object_permissions",
            "SELECT count(*) AS n FROM object_permissions",
            "lower(object_permissions.name) LIKE ? ESCAPE '\\'",
            " ORDER BY lower(object_permissions.name), object_permissions.id",
        ),
    }
}

/// Doing, for links.
pub(crate) const LINKS: &str = "list who belongs to what";

/// What is selected, the conditions on either side, and the order.
pub(crate) fn linked(link: Link) -> (&'static str, &'static str, &'static str, &'static str) {
    match link {
        Link::Member => (
            "SELECT user_groups.id AS left_id, user_groups.name AS left_name, users.id AS right_id, \
             users.username AS right_name FROM group_members \
             JOIN user_groups ON user_groups.id = group_members.group_id \
             JOIN users ON users.id = group_members.user_id",
            "group_members.group_id = ?",
            "group_members.user_id = ?",
            " ORDER BY lower(user_groups.name), user_groups.id, lower(users.username), users.id",
        ),
        Link::ToUser => (
            "SELECT object_permissions.id AS left_id, object_permissions.name AS left_name, users.id AS right_id, \
             users.username AS right_name FROM object_permission_users \
             JOIN object_permissions ON object_permissions.id = object_permission_users.permission_id \
             JOIN users ON users.id = object_permission_users.user_id",
            "object_permission_users.permission_id = ?",
            "object_permission_users.user_id = ?",
            " ORDER BY lower(object_permissions.name), object_permissions.id, lower(users.username), users.id",
        ),
        Link::ToGroup => (
            "SELECT object_permissions.id AS left_id, object_permissions.name AS left_name, \
             user_groups.id AS right_id, user_groups.name AS right_name FROM object_permission_groups \
             JOIN object_permissions ON object_permissions.id = object_permission_groups.permission_id \
             JOIN user_groups ON user_groups.id = object_permission_groups.group_id",
            "object_permission_groups.permission_id = ?",
            "object_permission_groups.group_id = ?",
            " ORDER BY lower(object_permissions.name), object_permissions.id, lower(user_groups.name), user_groups.id",
        ),
    }
}
