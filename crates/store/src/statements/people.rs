//! Users, groups, object permissions.

macro_rules! user {
    () => {
        "users.id, users.username, users.password_hash, users.is_superuser, users.is_active, users.created_at, \
         users.last_login_at, users.external_issuer, users.external_subject"
    };
}
macro_rules! permission {
    () => {
        "SELECT p.id, p.name, p.enabled, p.object_types, p.actions, p.constraints FROM object_permissions p"
    };
}

/// Doing, for lists.
pub(crate) const USERS: &str = "list the users";
/// Followed by conditions.
pub(crate) const USERS_SELECT: &str = concat!("SELECT ", user!(), " FROM users");
/// Followed by conditions.
pub(crate) const USERS_COUNT: &str = "SELECT count(*) AS n FROM users";
pub(crate) const USERNAME_LIKE: &str = "lower(users.username) LIKE ? ESCAPE '\\'";
pub(crate) const USER_HAS_ID: &str = "users.id = ?";
pub(crate) const USER_ACTIVE: &str = "users.is_active = ?";
pub(crate) const USER_SUPERUSER: &str = "users.is_superuser = ?";
pub(crate) const USER_IN_GROUP: &str =
    "EXISTS (SELECT 1 FROM group_members m WHERE m.user_id = users.id AND m.group_id = ?)";
pub(crate) const USERS_BY_NAME: &str = " ORDER BY lower(users.username), users.id";
/// Doing, for lists.
pub(crate) const GROUPS: &str = "list the groups";
/// Followed by conditions.
pub(crate) const GROUPS_SELECT: &str =
    "SELECT user_groups.id, user_groups.name, user_groups.description FROM user_groups";
/// Followed by conditions.
pub(crate) const GROUPS_COUNT: &str = "SELECT count(*) AS n FROM user_groups";
pub(crate) const GROUP_LIKE: &str =
    "(lower(user_groups.name) LIKE ? ESCAPE '\\' OR lower(user_groups.description) LIKE ? ESCAPE '\\')";
pub(crate) const GROUP_HAS_ID: &str = "user_groups.id = ?";
pub(crate) const GROUPS_BY_NAME: &str = " ORDER BY lower(user_groups.name), user_groups.id";
/// Doing, for lists.
pub(crate) const PERMISSIONS: &str = "list the permissions";
/// Followed by conditions.
pub(crate) const PERMISSIONS_SELECT: &str = "SELECT object_permissions.id, object_permissions.name, \
     object_permissions.enabled, object_permissions.object_types, object_permissions.actions, \
     object_permissions.constraints FROM object_permissions";
/// Followed by conditions.
pub(crate) const PERMISSIONS_COUNT: &str = "SELECT count(*) AS n FROM object_permissions";
pub(crate) const PERMISSION_LIKE: &str = "lower(object_permissions.name) LIKE ? ESCAPE '\\'";
pub(crate) const PERMISSION_HAS_ID: &str = "object_permissions.id = ?";
pub(crate) const PERMISSION_ENABLED: &str = "object_permissions.enabled = ?";
/// The name of an object type, in quotes.
pub(crate) const PERMISSION_OF_TYPE: &str = "object_permissions.object_types LIKE ? ESCAPE '\\'";
pub(crate) const PERMISSIONS_BY_NAME: &str = " ORDER BY lower(object_permissions.name), object_permissions.id";

super::statements! {
    USER_CREATE("create a user") = (
        "INSERT INTO users (username, password_hash, is_superuser, is_active, created_at) VALUES ($1, $2, $3, $4, $5)",
        " RETURNING ", user!()
    );
    USER_CREATE_EXTERNAL("create a user of a provider") = (
        "INSERT INTO users (username, password_hash, is_superuser, is_active, created_at, external_issuer,",
        " external_subject) VALUES ($1, '', 0, 1, $2, $3, $4) RETURNING ", user!()
    );
    USER_BY_EXTERNAL("find a user of a provider") = (
        "SELECT ", user!(), " FROM users WHERE external_issuer = $1 AND external_subject = $2"
    );
    USER_LINK("connect a user with a provider") = (
        "UPDATE users SET external_issuer = $2, external_subject = $3 WHERE id = $1"
    );
    USER_GET("read a user") = ("SELECT ", user!(), " FROM users WHERE id = $1");
    USER_BY_NAME("find a user by name") = ("SELECT ", user!(), " FROM users WHERE lower(username) = lower($1)");
    USER_LIST("list the users") = ("SELECT ", user!(), " FROM users ORDER BY lower(username), id");
    USER_COUNT("count the users") = ("SELECT count(*) AS n FROM users");
    USER_SET_PASSWORD("set a user's password") = ("UPDATE users SET password_hash = $2 WHERE id = $1");
    USER_SET_LAST_LOGIN("note a user's login") = ("UPDATE users SET last_login_at = $2 WHERE id = $1");
    USER_RENAME("change a user") = (
        "UPDATE users SET username = $2, is_superuser = $3, is_active = $4 WHERE id = $1"
    );
    /// Locks them on PostgreSQL: of two administrators who demote each other at once, the second finds out. SQLite's
    /// transactions that write are one at a time anyway.
    ADMINISTRATORS("look for other administrators") = {
        sqlite: ("SELECT id FROM users WHERE is_superuser = 1 AND is_active = 1 ORDER BY id"),
        postgres: ("SELECT id FROM users WHERE is_superuser = 1 AND is_active = 1 ORDER BY id FOR UPDATE"),
    };
    USER_DELETE("delete a user") = ("DELETE FROM users WHERE id = $1");

    GROUP_CREATE("create a group") = (
        "INSERT INTO user_groups (name, description) VALUES ($1, $2) RETURNING id, name, description"
    );
    GROUP_GET("read a group") = ("SELECT id, name, description FROM user_groups WHERE id = $1");
    GROUP_BY_NAME("find a group by name") = ("SELECT id, name, description FROM user_groups WHERE name = $1");
    GROUP_LIST("list the groups") = ("SELECT id, name, description FROM user_groups ORDER BY name");
    GROUP_UPDATE("change a group") = ("UPDATE user_groups SET name = $2, description = $3 WHERE id = $1");
    GROUP_PERMISSIONS("read what a group is given") = (
        permission!(),
        " JOIN object_permission_groups g ON g.permission_id = p.id WHERE g.group_id = $1 ORDER BY p.id"
    );
    GROUP_DELETE("delete a group") = ("DELETE FROM user_groups WHERE id = $1");
    GROUP_ADD_MEMBER("add a user to a group") = (
        "INSERT INTO group_members (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
    );
    GROUP_REMOVE_MEMBER("take a user out of a group") = (
        "DELETE FROM group_members WHERE group_id = $1 AND user_id = $2"
    );
    GROUP_LIMITS("read a group's limits of sessions") = (
        "SELECT session_idle, session_absolute FROM user_groups WHERE id = $1"
    );
    GROUP_LIMITS_OF_USER("read a user's limits of sessions") = (
        "SELECT min(g.session_idle) AS session_idle, min(g.session_absolute) AS session_absolute",
        " FROM user_groups g JOIN group_members m ON m.group_id = g.id WHERE m.user_id = $1"
    );
    GROUP_SET_LIMITS("set a group's limits of sessions") = (
        "UPDATE user_groups SET session_idle = $2, session_absolute = $3 WHERE id = $1"
    );
    GROUP_OF_USER("list a user's groups") = (
        "SELECT g.id, g.name, g.description FROM user_groups g JOIN group_members m ON m.group_id = g.id",
        " WHERE m.user_id = $1 ORDER BY g.name"
    );
    GROUP_MEMBERS("list a group's members") = (
        "SELECT ", user!(), " FROM users JOIN group_members m ON m.user_id = users.id WHERE m.group_id = $1",
        " ORDER BY lower(users.username)"
    );

    PERMISSION_CREATE("create a permission") = (
        "INSERT INTO object_permissions (name, enabled, object_types, actions, constraints)",
        " VALUES ($1, $2, $3, $4, $5) RETURNING id"
    );
    PERMISSION_UPDATE("change a permission") = (
        "UPDATE object_permissions SET name = $2, enabled = $3, object_types = $4, actions = $5, constraints = $6",
        " WHERE id = $1"
    );
    PERMISSION_GET("read a permission") = (permission!(), " WHERE p.id = $1");
    PERMISSION_LIST("list the permissions") = (permission!(), " ORDER BY p.name");
    PERMISSION_DELETE("delete a permission") = ("DELETE FROM object_permissions WHERE id = $1");
    PERMISSION_TO_USER("give a permission to a user") = (
        "INSERT INTO object_permission_users (permission_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
    );
    PERMISSION_TO_GROUP("give a permission to a group") = (
        "INSERT INTO object_permission_groups (permission_id, group_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
    );
    PERMISSION_FROM_USER("take a permission from a user") = (
        "DELETE FROM object_permission_users WHERE permission_id = $1 AND user_id = $2"
    );
    PERMISSION_FROM_GROUP("take a permission from a group") = (
        "DELETE FROM object_permission_groups WHERE permission_id = $1 AND group_id = $2"
    );
    PERMISSION_DELETE_UNUSED("delete a permission that nobody has") = (
        "DELETE FROM object_permissions WHERE id = $1",
        " AND NOT EXISTS (SELECT 1 FROM object_permission_users u WHERE u.permission_id = $1)",
        " AND NOT EXISTS (SELECT 1 FROM object_permission_groups g WHERE g.permission_id = $1)"
    );
    PERMISSION_OF_USER("list what is given to a user itself") = (
        permission!(),
        " JOIN object_permission_users u ON u.permission_id = p.id WHERE u.user_id = $1 ORDER BY p.id"
    );
    /// Switched on or not, directly or by a group.
    PERMISSION_ALL_OF_USER("read everything that is given to a user") = (
        permission!(),
        " WHERE EXISTS (SELECT 1 FROM object_permission_users u WHERE u.permission_id = p.id AND u.user_id = $1)",
        " OR EXISTS (SELECT 1 FROM object_permission_groups g JOIN group_members m ON m.group_id = g.group_id",
        " WHERE g.permission_id = p.id AND m.user_id = $1) ORDER BY p.id"
    );
    PERMISSION_EFFECTIVE("read a user's permissions") = (
        permission!(),
        " WHERE p.enabled = 1 AND (",
        "EXISTS (SELECT 1 FROM object_permission_users u WHERE u.permission_id = p.id AND u.user_id = $1)",
        " OR EXISTS (SELECT 1 FROM object_permission_groups g JOIN group_members m ON m.group_id = g.group_id",
        " WHERE g.permission_id = p.id AND m.user_id = $1)) ORDER BY p.id"
    );
}
