//! The table in which the migrator keeps what it applied.

super::statements! {
    /// Whether the table exists.
    EXISTS("look for the schema's history") = {
        sqlite: ("SELECT name FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'"),
        postgres: (
            "SELECT CAST(tablename AS TEXT) AS name FROM pg_tables",
            " WHERE schemaname = current_schema() AND tablename = '_sqlx_migrations'"
        ),
    };
    APPLIED("read the schema's history") = ("SELECT version FROM _sqlx_migrations ORDER BY version");
}
