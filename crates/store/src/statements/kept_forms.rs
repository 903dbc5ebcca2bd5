//! Forms that were sent after their session had ended.

super::statements! {
    CREATE("keep a form") = (
        "INSERT INTO kept_forms (token_hash, user_id, created_at, path, fields) VALUES ($1, $2, $3, $4, $5)"
    );
    /// Of a user only the newest are kept, and of anybody none that is old.
    PURGE("delete forms that nobody came back for") = (
        "DELETE FROM kept_forms WHERE created_at < $1 OR (user_id = $2 AND id NOT IN",
        " (SELECT k.id FROM kept_forms k WHERE k.user_id = $2 ORDER BY k.id DESC LIMIT $3))"
    );
    GET("find a kept form") = (
        "SELECT user_id, created_at, path, fields FROM kept_forms WHERE token_hash = $1 AND user_id = $2",
        " AND created_at >= $3"
    );
    CLEAR("forget every kept form") = ("DELETE FROM kept_forms");
    DELETE("forget a kept form") = ("DELETE FROM kept_forms WHERE token_hash = $1 AND user_id = $2");
}
