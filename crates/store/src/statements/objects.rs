//! Objects as the newest comparison found them.

macro_rules! brief {
    () => {
        "object_key, group_, version, kind, namespace, name, rank, state, managed, confirmed, has_errors, diff_count, \
         finding_count, file, line, document, live_rv, live_uid, changed_in, digest"
    };
}
macro_rules! put_columns {
    () => {
        "fabric_id, object_key, group_, version, kind, namespace, name, rank, state, managed, confirmed, has_errors, \
         diff_count, finding_count, file, line, document, live_rv, live_uid, changed_in, digest, holdings, diffs, \
         findings, desired, live"
    };
}
macro_rules! on_conflict {
    () => {
        " ON CONFLICT (fabric_id, object_key) DO UPDATE SET version = excluded.version, rank = excluded.rank, \
         state = excluded.state, managed = excluded.managed, confirmed = excluded.confirmed, \
         has_errors = excluded.has_errors, diff_count = excluded.diff_count, finding_count = excluded.finding_count, \
         file = excluded.file, line = excluded.line, document = excluded.document, live_rv = excluded.live_rv, \
         live_uid = excluded.live_uid, changed_in = CASE WHEN excluded.changed_in = 0 THEN objects.changed_in \
         ELSE excluded.changed_in END, digest = excluded.digest, holdings = excluded.holdings, \
         diffs = excluded.diffs, findings = excluded.findings, desired = excluded.desired, live = excluded.live"
    };
}

pub(crate) const PUT: &str = "store objects";
/// Followed by rows of values. The base stays as it is.
pub(crate) const INSERT_KEEPING_BASE: &str = concat!("INSERT INTO objects (", put_columns!(), ") VALUES ");
pub(crate) const UPSERT_KEEPING_BASE: &str = on_conflict!();
/// Followed by rows of values.
pub(crate) const INSERT_WITH_BASE: &str = concat!("INSERT INTO objects (", put_columns!(), ", base) VALUES ");
pub(crate) const UPSERT_WITH_BASE: &str = concat!(on_conflict!(), ", base = excluded.base");
/// Followed by a list.
pub(crate) const DELETE: &str = "DELETE FROM objects WHERE fabric_id = $1 AND object_key IN ";

pub(crate) const BASES: &str = "read what was last verified live";
/// Followed by a list.
pub(crate) const SELECT_BASES: &str =
    "SELECT object_key, base FROM objects WHERE base IS NOT NULL AND fabric_id = $1 AND object_key IN ";

pub(crate) const LIST: &str = "list objects";
/// Followed by conditions, an order and a page: which objects, found in an index alone.
pub(crate) const SELECT: &str = concat!(
    "SELECT ",
    brief!(),
    " FROM (SELECT kind AS page_kind, group_ AS page_group, namespace AS page_namespace,",
    " name AS page_name FROM objects"
);
/// Followed by the order once more: the rows of the page. `CROSS JOIN` keeps SQLite from walking the objects first.
pub(crate) const SELECT_ROWS: &str = ") AS page CROSS JOIN objects WHERE kind = page_kind AND group_ = page_group \
     AND namespace = page_namespace AND name = page_name AND fabric_id = ?";
/// Followed by conditions.
pub(crate) const COUNT: &str = "SELECT count(*) AS n FROM objects";
pub(crate) const OF_FABRIC: &str = "fabric_id = ?";
pub(crate) const OF_KIND: &str = "kind = ?";
pub(crate) const OF_GROUP: &str = "group_ = ?";
/// Followed by a list of `Kind.group`.
pub(crate) const IN_KINDS: &str = "kind || '.' || group_ IN ";
/// Followed by a list.
pub(crate) const IN_KEYS: &str = "object_key IN ";
pub(crate) const IN_NAMESPACE: &str = "namespace = ?";
/// Followed by a list.
pub(crate) const IN_STATE: &str = "state IN ";
pub(crate) const IS_MANAGED: &str = "managed = ?";
pub(crate) const HAS_ERRORS: &str = "has_errors = ?";
pub(crate) const NAME_LIKE: &str = "lower(name) LIKE ? ESCAPE '\\'";
/// Each order has an index; `{d}` is the direction.
pub(crate) const BY_RANK: &str = " ORDER BY rank{d}, kind{d}, group_{d}, namespace{d}, name{d}";
pub(crate) const BY_KIND: &str = " ORDER BY kind{d}, group_{d}, namespace{d}, name{d}";
pub(crate) const BY_NAME: &str = " ORDER BY name{d}, kind{d}, group_{d}, namespace{d}";
/// Worst first: what two sides have changed, what cannot be judged, what is gone, what somebody changed, what waits.
pub(crate) const BY_STATE: &str = " ORDER BY CASE state WHEN 'conflict' THEN 0 WHEN 'unknown' THEN 1 WHEN 'missing' THEN 2 \
     WHEN 'modified' THEN 3 WHEN 'undelivered' THEN 4 WHEN 'extra' THEN 5 ELSE 6 END{d}, rank{d}, kind{d}, group_{d}, \
     namespace{d}, name{d}";

super::statements! {
    GET("read an object") = (
        "SELECT ", brief!(), ", holdings, diffs, findings, desired, live, base FROM objects",
        " WHERE fabric_id = $1 AND object_key = $2"
    );
    COUNTS("count objects") = (
        "SELECT rank, group_, kind, state, count(*) AS n FROM objects WHERE fabric_id = $1",
        " GROUP BY rank, group_, kind, state ORDER BY rank, kind, group_, state"
    );
    ALL_BRIEF("read the digests of all objects") = (
        "SELECT object_key, state, digest, live_rv, changed_in, confirmed FROM objects WHERE fabric_id = $1",
        " ORDER BY object_key"
    );
    BODIES("read all objects with their bodies") = (
        "SELECT object_key, state, managed, digest, live_uid, file, line, document, findings, desired, live FROM objects",
        " WHERE fabric_id = $1 ORDER BY object_key"
    );
    HOLDINGS("read which agents hold which objects") = (
        "SELECT object_key, holdings FROM objects WHERE fabric_id = $1 ORDER BY object_key"
    );
}
