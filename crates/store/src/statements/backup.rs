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
    END_SESSIONS("end the restored sessions") = (
        "UPDATE sessions SET ended_at = $1, end_reason = 'revoked', ended_by = $2 WHERE ended_at IS NULL"
    );
}
