//! Sessions.

macro_rules! session {
    () => {
        "SELECT s.id, s.token_hash, s.user_id, s.created_at, s.last_active_at, s.idle_expires_at, \
         s.absolute_expires_at, s.ended_at, s.end_reason, s.ended_by, s.user_agent, s.address, s.authenticated_at, \
         s.idle_limit, s.rotation_due, s.method FROM sessions s"
    };
}

super::statements! {
    CREATE("create a session") = (
        "INSERT INTO sessions (token_hash, user_id, created_at, last_active_at, idle_expires_at, absolute_expires_at,",
        " user_agent, address, authenticated_at, idle_limit, method)",
        " VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $3, $8, $9) RETURNING id"
    );
    KEEP_ID_TOKEN("keep what a logout shows to the provider") = ("UPDATE sessions SET id_token = $2 WHERE id = $1");
    ID_TOKEN("read what a logout shows to the provider") = ("SELECT id_token FROM sessions WHERE id = $1");
    USE_STATE("note that a login came back") = (
        "INSERT INTO openid_states (state_hash, used_at) VALUES ($1, $2) ON CONFLICT DO NOTHING"
    );
    PURGE_STATES("forget logins that came back long ago") = ("DELETE FROM openid_states WHERE used_at < $1");
    GET("read a session") = (session!(), " WHERE s.id = $1");
    BY_HASH("find a session") = (
        session!(), " WHERE s.token_hash = $1 OR (s.previous_hash = $1 AND s.rotated_at >= $2)"
    );
    ROTATE("give a session a new token") = (
        "UPDATE sessions SET previous_hash = token_hash, token_hash = $3, rotated_at = $4, rotation_due = 0,",
        " authenticated_at = CASE WHEN $5 = 1 THEN $4 ELSE authenticated_at END",
        " WHERE id = $1 AND token_hash = $2 AND ended_at IS NULL"
    );
    ROTATE_SOON("have a user's sessions get new tokens") = (
        "UPDATE sessions SET rotation_due = 1 WHERE user_id = $1 AND ended_at IS NULL"
    );
    /// Of everybody who has this permission, directly or by a group.
    ROTATE_SOON_BY_PERMISSION("have sessions get new tokens") = (
        "UPDATE sessions SET rotation_due = 1 WHERE ended_at IS NULL AND user_id IN (",
        "SELECT u.user_id FROM object_permission_users u WHERE u.permission_id = $1 UNION",
        " SELECT m.user_id FROM object_permission_groups g JOIN group_members m ON m.group_id = g.group_id",
        " WHERE g.permission_id = $1)"
    );
    /// Of everybody who belongs to this group.
    ROTATE_SOON_BY_GROUP("have sessions get new tokens") = (
        "UPDATE sessions SET rotation_due = 1 WHERE ended_at IS NULL AND user_id IN (",
        "SELECT m.user_id FROM group_members m WHERE m.group_id = $1)"
    );
    OF_USER("list a user's sessions") = (session!(), " WHERE s.user_id = $1 ORDER BY s.id DESC");
    /// Never shortens: a request that was slow must not take back what a later one extended.
    TOUCH("extend a session") = (
        "UPDATE sessions SET last_active_at = $2,",
        " idle_expires_at = CASE WHEN $3 < absolute_expires_at THEN $3 ELSE absolute_expires_at END",
        " WHERE id = $1 AND ended_at IS NULL AND last_active_at < $2 AND idle_expires_at > $2"
    );
    /// The first reason stays.
    END("end a session") = (
        "UPDATE sessions SET ended_at = $2, end_reason = $3, ended_by = $4, id_token = NULL WHERE id = $1 AND ended_at IS NULL"
    );
    END_ALL_OF_USER("end a user's sessions") = (
        "UPDATE sessions SET ended_at = $2, end_reason = $3, ended_by = $4, id_token = NULL",
        " WHERE user_id = $1 AND ended_at IS NULL AND id <> $5"
    );
    PURGE("delete sessions that ended long ago") = (
        "DELETE FROM sessions WHERE idle_expires_at < $1 OR ended_at < $1"
    );
}
