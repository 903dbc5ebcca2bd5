//! API tokens.

macro_rules! token {
    () => {
        "SELECT t.id, t.user_id, t.key, t.secret_hash, t.description, t.created_at, t.expires_at, t.last_used_at, \
         t.last_used_address, t.allowed_addresses, t.read_only, t.revoked_at, t.revoked_by FROM api_tokens t"
    };
}

super::statements! {
    CREATE("create an API token") = (
        "INSERT INTO api_tokens (user_id, key, secret_hash, description, created_at, expires_at, allowed_addresses,",
        " read_only) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id"
    );
    GET("read an API token") = (token!(), " WHERE t.id = $1");
    BY_KEY("find an API token") = (token!(), " WHERE t.key = $1");
    OF_USER("list a user's API tokens") = (token!(), " WHERE t.user_id = $1 ORDER BY t.id DESC");
    /// Never back: of two requests the later one counts, whichever is written first.
    USED("note the use of an API token") = (
        "UPDATE api_tokens SET last_used_at = $2, last_used_address = $3",
        " WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)"
    );
    /// Who revoked it first stays.
    REVOKE("revoke an API token") = (
        "UPDATE api_tokens SET revoked_at = $2, revoked_by = $3 WHERE id = $1 AND revoked_at IS NULL"
    );
    REVOKE_ALL("revoke the restored API tokens") = (
        "UPDATE api_tokens SET revoked_at = $1, revoked_by = $2 WHERE revoked_at IS NULL"
    );
    PURGE("delete API tokens that ended long ago") = (
        "DELETE FROM api_tokens WHERE expires_at < $1 OR revoked_at < $1"
    );
}
