//! Objects as the newest comparison found them: verdict, place in the source, differences, and the three bodies
//! (desired, live, base). Written by [`crate::comparisons::Comparisons::save`]; lists leave the bodies where they are.

use crate::row::{Columns, to_json};
use crate::sql::{Arg, Sql, args, like};
use crate::statements::objects as st;
use crate::{Direction, Listed, Page, Result, Store};
use model::compare::{FieldDiff, ObjectState};
use model::manifest::{Finding, Location, Severity};
use model::{Body, Gvk, ObjectKey};
use serde_json::Value;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

/// What becomes of the base, the form that was last verified live.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum BaseChange {
    /// It stays.
    #[default]
    Keep,
    /// It is this from now on.
    Set(Body),
    /// There is none any more.
    Clear,
}

/// An object that is to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectRow {
    /// Identity.
    pub key: ObjectKey,
    /// API version, as desired, or as live when it is not desired.
    pub version: String,
    /// Place in apply order.
    pub rank: u8,
    /// The verdict.
    pub state: ObjectState,
    /// Whether the fabric manages its kind, so that it counts for the fabric's state.
    pub managed: bool,
    /// Whether the server confirmed the verdict (`true`) or disagreed with the normaliser (`false`).
    pub confirmed: Option<bool>,
    /// The object as it stands in the source.
    pub desired: Option<Body>,
    /// The object as it was read from the cluster.
    pub live: Option<Body>,
    /// What becomes of the base.
    pub base: BaseChange,
    /// The fields that differ.
    pub diffs: Vec<FieldDiff>,
    /// What is wrong with the desired object.
    pub findings: Vec<Finding>,
    /// Where it stands in the source.
    pub location: Option<Location>,
    /// resourceVersion of the live object.
    pub live_rv: Option<String>,
    /// UID of the live object.
    pub live_uid: Option<String>,
    /// Whether this comparison saw the live object change; also when it appeared or vanished.
    pub live_changed: bool,
    /// Which agents hold it, as the engine understands it.
    pub holdings: Value,
    /// A digest by which the engine tells whether the row has to be written again.
    pub digest: String,
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectBrief {
    /// Identity.
    pub key: ObjectKey,
    /// API version.
    pub version: String,
    /// Place in apply order.
    pub rank: u8,
    /// The verdict.
    pub state: ObjectState,
    /// Whether it counts for the fabric's state.
    pub managed: bool,
    /// Whether the server confirmed the verdict.
    pub confirmed: Option<bool>,
    /// Whether a finding is an error.
    pub has_errors: bool,
    /// Number of fields that differ.
    pub diff_count: u64,
    /// Number of findings.
    pub finding_count: u64,
    /// Where it stands in the source; the column is not kept.
    pub location: Option<Location>,
    /// resourceVersion of the live object.
    pub live_rv: Option<String>,
    /// UID of the live object.
    pub live_uid: Option<String>,
    /// The comparison that last saw the live object change.
    pub changed_in: i64,
    /// The engine's digest of the row.
    pub digest: String,
}

impl ObjectBrief {
    /// Group, version and kind.
    pub fn gvk(&self) -> Gvk {
        Gvk::new(&self.key.group, &self.version, &self.key.kind)
    }
}

/// An object with everything that is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectDetail {
    /// What a list shows.
    pub brief: ObjectBrief,
    /// The object as it stands in the source.
    pub desired: Option<Value>,
    /// The object as it was last read from the cluster.
    pub live: Option<Value>,
    /// The form that was last verified live.
    pub base: Option<Value>,
    /// The fields that differ.
    pub diffs: Vec<FieldDiff>,
    /// What is wrong with the desired object.
    pub findings: Vec<Finding>,
    /// Which agents hold it.
    pub holdings: Value,
}

/// What the engine compares a new verdict with.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectDigest {
    /// Identity.
    pub key: ObjectKey,
    /// The verdict.
    pub state: ObjectState,
    /// The engine's digest of the row.
    pub digest: String,
    /// resourceVersion of the live object.
    pub live_rv: Option<String>,
    /// The comparison that last saw the live object change.
    pub changed_in: i64,
    /// Whether the server confirmed the verdict.
    pub confirmed: Option<bool>,
}

/// An object with both sides of it, for what looks at all objects at once.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectBodies {
    /// Identity.
    pub key: ObjectKey,
    /// The verdict.
    pub state: ObjectState,
    /// Whether it counts for the fabric's state.
    pub managed: bool,
    /// The engine's digest of the row.
    pub digest: String,
    /// UID of the live object.
    pub live_uid: Option<String>,
    /// Where it stands in the source; the column is not kept.
    pub location: Option<Location>,
    /// What is wrong with the desired object.
    pub findings: Vec<Finding>,
    /// The object as it stands in the source.
    pub desired: Option<Value>,
    /// The object as it was last read from the cluster.
    pub live: Option<Value>,
}

/// How many objects of a kind are in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindCount {
    /// API group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Place in apply order.
    pub rank: u8,
    /// The state.
    pub state: ObjectState,
    /// Objects.
    pub objects: u64,
}

/// By what a list of objects is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ObjectSort {
    /// Apply order, then kind and name.
    #[default]
    Rank,
    /// Kind, then name.
    Kind,
    /// Name.
    Name,
    /// State, then apply order.
    State,
}

/// Which objects, in which order.
#[derive(Debug, Clone, Default)]
pub struct ObjectFilter {
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this group; two groups may have kinds of one name.
    pub group: Option<String>,
    /// In this namespace.
    pub namespace: Option<String>,
    /// Of one of these kinds, as `Kind.group`; empty for all.
    pub kinds: Vec<String>,
    /// One of these; empty for all.
    pub keys: Vec<ObjectKey>,
    /// In one of these states; empty for all.
    pub states: Vec<ObjectState>,
    /// The name contains this, without regard to case.
    pub name: Option<String>,
    /// Only those that count for the fabric's state, or only those that do not.
    pub managed: Option<bool>,
    /// Only those with a finding that is an error, or only those without.
    pub has_errors: Option<bool>,
    /// Order.
    pub sort: ObjectSort,
    /// Direction.
    pub direction: Direction,
}

/// Rows of one statement: 27 values each, far below the limits of both engines. A full chunk's statement is prepared
/// once, and kept with all its values; the last, shorter one is not.
const CHUNK: usize = 50;

fn location(row: &AnyRow) -> Result<Option<Location>> {
    let Some(file) = row.text_or_null("file")? else { return Ok(None) };
    Ok(Some(Location {
        file: file.into(),
        line: row.unsigned_or_null("line")?.unwrap_or(1),
        column: 1,
        document: row.unsigned_or_null("document")?.unwrap_or(1),
    }))
}

fn brief(row: &AnyRow) -> Result<ObjectBrief> {
    Ok(ObjectBrief {
        key: ObjectKey::new(row.text("group_")?, row.text("kind")?, row.text("namespace")?, row.text("name")?),
        version: row.text("version")?,
        rank: row.unsigned("rank")?,
        state: row.word("state")?,
        managed: row.bool("managed")?,
        confirmed: row.bool_or_null("confirmed")?,
        has_errors: row.bool("has_errors")?,
        diff_count: row.unsigned("diff_count")?,
        finding_count: row.unsigned("finding_count")?,
        location: location(row)?,
        live_rv: row.text_or_null("live_rv")?,
        live_uid: row.text_or_null("live_uid")?,
        changed_in: row.int("changed_in")?,
        digest: row.text("digest")?,
    })
}

fn detail(row: &AnyRow) -> Result<ObjectDetail> {
    Ok(ObjectDetail {
        brief: brief(row)?,
        desired: row.json_or_null("desired")?,
        live: row.json_or_null("live")?,
        base: row.json_or_null("base")?,
        diffs: row.json("diffs")?,
        findings: row.json("findings")?,
        holdings: row.json("holdings")?,
    })
}

impl ObjectRow {
    fn args(&self, fabric_id: i64, comparison_id: i64) -> Result<Vec<Arg>> {
        let body = |body: &Option<Body>| body.as_ref().map(|body| body.text().to_owned());
        let place = self.location.as_ref();
        let mut args = args![
            fabric_id,
            self.key.to_string(),
            &self.key.group,
            &self.version,
            &self.key.kind,
            &self.key.namespace,
            &self.key.name,
            self.rank,
            self.state.as_str(),
            self.managed,
            self.confirmed,
            self.findings.iter().any(|f| f.severity == Severity::Error),
            self.diffs.len() as u64,
            self.findings.len() as u64,
            place.map(|p| &*p.file),
            place.map(|p| p.line),
            place.map(|p| p.document),
            &self.live_rv,
            &self.live_uid,
            // 0 leaves the stored one.
            if self.live_changed { comparison_id } else { 0 },
            &self.digest,
            to_json("holdings", &self.holdings)?,
            to_json("diffs", &self.diffs)?,
            to_json("findings", &self.findings)?,
            body(&self.desired),
            body(&self.live)
        ];
        match &self.base {
            BaseChange::Keep => {}
            BaseChange::Set(base) => args.push(Arg::from(base.text())),
            BaseChange::Clear => args.push(Arg::Text(None)),
        }
        Ok(args)
    }
}

/// Stores objects, on the connection of a comparison's transaction.
pub(crate) async fn put(
    conn: &mut AnyConnection,
    fabric_id: i64,
    comparison_id: i64,
    rows: &[ObjectRow],
) -> Result<()> {
    let (keeping, with): (Vec<&ObjectRow>, Vec<_>) = rows.iter().partition(|row| row.base == BaseChange::Keep);
    for (rows, insert, upsert) in [
        (keeping, st::INSERT_KEEPING_BASE, st::UPSERT_KEEPING_BASE),
        (with, st::INSERT_WITH_BASE, st::UPSERT_WITH_BASE),
    ] {
        for chunk in rows.chunks(CHUNK) {
            let mut sql = Sql::bulk(conn, st::PUT, insert);
            sql.rows(chunk, |row| row.args(fabric_id, comparison_id))?;
            sql.push(upsert);
            if chunk.len() < CHUNK {
                sql.once();
            }
            sql.run(conn).await?;
        }
    }
    Ok(())
}

/// Deletes objects, on the connection of a comparison's transaction.
pub(crate) async fn delete(conn: &mut AnyConnection, fabric_id: i64, keys: &[ObjectKey]) -> Result<()> {
    for chunk in keys.chunks(CHUNK) {
        let mut sql = Sql::with_args(st::PUT, st::DELETE, args![fabric_id]);
        sql.bind_list(chunk.iter().map(ObjectKey::to_string));
        sql.once();
        sql.run(conn).await?;
    }
    Ok(())
}

/// The functions on objects; from [`Store::objects`]. All of them are of one fabric, and the caller has asked for that
/// fabric under a scope.
#[derive(Debug, Clone, Copy)]
pub struct Objects<'a>(&'a Store);

impl<'a> Objects<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// The objects of a fabric, without their bodies, a page of them.
    pub async fn list(&self, fabric_id: i64, filter: &ObjectFilter, page: Page) -> Result<Listed<ObjectBrief>> {
        let mut count = Sql::new(st::LIST, st::COUNT);
        restrict(&mut count, fabric_id, filter);
        let mut select = Sql::new(st::LIST, st::SELECT);
        restrict(&mut select, fabric_id, filter);
        let order = match filter.sort {
            // Objects of one kind have one rank.
            ObjectSort::Rank if filter.kind.is_some() => st::BY_KIND,
            ObjectSort::Rank => st::BY_RANK,
            ObjectSort::Kind => st::BY_KIND,
            ObjectSort::Name => st::BY_NAME,
            ObjectSort::State => st::BY_STATE,
        };
        let order = order.replace("{d}", filter.direction.sql());
        select.push(&order).page(page).expand(st::SELECT_ROWS, fabric_id).push(&order);
        let mut conn = self.0.reader(st::LIST).await?;
        let total = count.count(&mut conn).await?;
        let rows = select.all(&mut conn).await?.iter().map(brief).collect::<Result<_>>()?;
        Ok(Listed { rows, total: total.unsigned_abs() })
    }

    /// How many objects of each kind are in each state, in apply order.
    pub async fn counts(&self, fabric_id: i64) -> Result<Vec<KindCount>> {
        let mut conn = self.0.reader(st::COUNTS.doing).await?;
        let rows = st::COUNTS.all(&mut conn, args![fabric_id]).await?;
        rows.iter()
            .map(|row| {
                Ok(KindCount {
                    group: row.text("group_")?,
                    kind: row.text("kind")?,
                    rank: row.unsigned("rank")?,
                    state: row.word("state")?,
                    objects: row.unsigned("n")?,
                })
            })
            .collect()
    }

    /// An object with everything that is known of it.
    pub async fn get(&self, fabric_id: i64, key: &ObjectKey) -> Result<ObjectDetail> {
        let mut conn = self.0.reader(st::GET.doing).await?;
        detail(&st::GET.one(&mut conn, "object", args![fabric_id, key.to_string()]).await?)
    }

    /// What the engine compares new verdicts with, so that it writes only what changed: all objects, by key.
    pub async fn all_brief(&self, fabric_id: i64) -> Result<Vec<ObjectDigest>> {
        let mut conn = self.0.reader(st::ALL_BRIEF.doing).await?;
        let rows = st::ALL_BRIEF.all(&mut conn, args![fabric_id]).await?;
        rows.iter()
            .map(|row| {
                Ok(ObjectDigest {
                    key: row.word("object_key")?,
                    state: row.word("state")?,
                    digest: row.text("digest")?,
                    live_rv: row.text_or_null("live_rv")?,
                    changed_in: row.int("changed_in")?,
                    confirmed: row.bool_or_null("confirmed")?,
                })
            })
            .collect()
    }

    /// All objects of a fabric with both sides of each: large, and for what cannot be asked in a smaller question.
    pub async fn all_bodies(&self, fabric_id: i64) -> Result<Vec<ObjectBodies>> {
        let mut conn = self.0.reader(st::BODIES.doing).await?;
        let rows = st::BODIES.all(&mut conn, args![fabric_id]).await?;
        rows.iter()
            .map(|row| {
                Ok(ObjectBodies {
                    key: row.word("object_key")?,
                    state: row.word("state")?,
                    managed: row.bool("managed")?,
                    digest: row.text("digest")?,
                    live_uid: row.text_or_null("live_uid")?,
                    location: location(row)?,
                    findings: row.json("findings")?,
                    desired: row.json_or_null("desired")?,
                    live: row.json_or_null("live")?,
                })
            })
            .collect()
    }

    /// The forms that were last verified live, of those of these objects that have one.
    pub async fn bases(&self, fabric_id: i64, keys: &[ObjectKey]) -> Result<Vec<(ObjectKey, Body)>> {
        let mut found = Vec::new();
        if keys.is_empty() {
            return Ok(found);
        }
        let mut conn = self.0.reader(st::BASES).await?;
        for chunk in keys.chunks(CHUNK) {
            let mut sql = Sql::with_args(st::BASES, st::SELECT_BASES, args![fabric_id]);
            sql.bind_list(chunk.iter().map(ObjectKey::to_string));
            if chunk.len() < CHUNK {
                sql.once();
            }
            for row in sql.all(&mut conn).await? {
                found.push((row.word("object_key")?, row.body("base")?));
            }
        }
        Ok(found)
    }

    /// Which agents hold which objects.
    pub async fn holdings(&self, fabric_id: i64) -> Result<Vec<(ObjectKey, Value)>> {
        let mut conn = self.0.reader(st::HOLDINGS.doing).await?;
        let rows = st::HOLDINGS.all(&mut conn, args![fabric_id]).await?;
        rows.iter().map(|row| Ok((row.word("object_key")?, row.json("holdings")?))).collect()
    }
}

fn restrict(sql: &mut Sql, fabric_id: i64, filter: &ObjectFilter) {
    sql.condition(st::OF_FABRIC, fabric_id);
    if let Some(kind) = &filter.kind {
        sql.condition(st::OF_KIND, kind);
    }
    if let Some(group) = &filter.group {
        sql.condition(st::OF_GROUP, group);
    }
    if let Some(namespace) = &filter.namespace {
        sql.condition(st::IN_NAMESPACE, namespace);
    }
    if !filter.kinds.is_empty() {
        sql.and().push(st::IN_KINDS).bind_list(filter.kinds.iter().map(String::as_str));
    }
    if !filter.keys.is_empty() {
        sql.and().push(st::IN_KEYS).bind_list(filter.keys.iter().map(ObjectKey::to_string)).once();
    }
    if !filter.states.is_empty() {
        sql.and().push(st::IN_STATE).bind_list(filter.states.iter().map(|s| s.as_str()));
    }
    if let Some(name) = filter.name.as_deref().filter(|n| !n.is_empty()) {
        sql.condition(st::NAME_LIKE, like("%", name, "%"));
    }
    if let Some(managed) = filter.managed {
        sql.condition(st::IS_MANAGED, managed);
    }
    if let Some(has_errors) = filter.has_errors {
        sql.condition(st::HAS_ERRORS, has_errors);
    }
}
