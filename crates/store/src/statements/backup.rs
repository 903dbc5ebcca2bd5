//! A copy of the whole database, and what is put right in one that was restored.

pub(crate) const COPY: &str = "copy the database";
/// Followed by the file. SQLite only: a snapshot of one moment, also while others write.
pub(crate) const VACUUM_INTO: &str = "VACUUM INTO ";

super::statements! {
    OPEN("look for operations that were under way") = (
        "SELECT id, writes, phases FROM operations WHERE state IN ('queued', 'running') ORDER BY id"
    );
    INTERRUPT("mark a restored operation as interrupted") = (
        "UPDATE operations SET state = 'interrupted', code = 'interrupted', message = $3, phases = $4, ended_at = $2,",
        " lease_owner = NULL, lease_expires_at = NULL WHERE id = $1 AND state IN ('queued', 'running')"
    );
    /// Which database this is: the server, the database on it, and the table as it was made. A dump that is restored makes
    /// another one of it, wherever that is done; of a SQLite file nothing tells a copy from the original.
    PLACE("see which database this is") = {
        sqlite: ("SELECT '' AS place"),
        postgres: (
            "SELECT CAST(s.system_identifier AS TEXT) || '/' || CAST(d.oid AS TEXT) || '/' ||",
            " CAST(CAST(CAST('operations' AS regclass) AS oid) AS TEXT) AS place",
            " FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()"
        ),
    };
    /// Of several processes that start at once, one finds that it has moved.
    MOVED("note which database this is") = ("UPDATE meta SET value = $2 WHERE key = $1 AND value <> $2");
    END_SESSIONS("end the restored sessions") = (
        "UPDATE sessions SET ended_at = $1, end_reason = 'revoked', ended_by = $2 WHERE ended_at IS NULL"
    );
}
