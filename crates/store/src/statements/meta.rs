//! Facts about the installation.

super::statements! {
    GET("read a fact about the installation") = ("SELECT value FROM meta WHERE key = $1");
    SET("store a fact about the installation") = (
        "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    );
    SET_ONCE("store a fact about the installation") = (
        "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING"
    );
    PING("ask the database whether it answers") = ("SELECT CAST(1 AS BIGINT) AS n");
}
