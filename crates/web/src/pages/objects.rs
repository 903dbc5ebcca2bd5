//! The objects of a fabric: filtered, sorted and paged, with all of that in the address.

use crate::extract::OfFabric;
use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::layers::classify::wants_json;
use crate::parts::columns::Cell;
use crate::parts::derive;
use crate::parts::head::FabricPage;
use crate::parts::list::{PAGE_SIZE, page_of};
use crate::parts::{Badge, Chip, Chips, Choice, Head, Pager, Tabs};
use crate::problem::Problem;
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, Query, View, bad};
use crate::when::relative;
use askama::Template;
use auth::Action;
use axum::extract::State;
use axum::response::Response;
use cluster::Column as Printer;
use http::StatusCode;
use model::compare::{ObjectState, Side};
use serde_json::json;
use std::collections::BTreeMap;
use store::Direction;
use store::objects::{KindCount, ObjectBrief, ObjectFilter, ObjectSort};

/// The routes of this page.
pub fn routes() -> Vec<Route> {
    vec![Route::page("objects", pattern::objects, Needs::Fabric(Action::View), show)]
}

/// The word in the address that shows the wide columns.
const WIDE: &str = "1";

/// The filter word for everything that is not equal.
const DIFFERS: &str = "differs";

/// The filters of the address, as they were written and as the store takes them.
struct Wanted {
    kind: String,
    state: String,
    name: String,
    sort: String,
    /// Whether the columns stand there that kubectl only shows with `-o wide`.
    wide: bool,
    page: u64,
    filter: ObjectFilter,
}

/// The filter that the address of such a list names.
pub fn filter_of(query: &Query) -> Result<ObjectFilter, Problem> {
    Wanted::read(query).map(|wanted| wanted.filter)
}

/// The list's own link to what the address names.
#[cfg(test)]
pub fn link_of(query: &Query) -> Result<String, Problem> {
    Wanted::read(query).map(|wanted| wanted.with(1, "", ""))
}

impl Wanted {
    fn read(query: &Query) -> Result<Self, Problem> {
        let text = |name: &str| query.get(name).unwrap_or_default().to_owned();
        let (kind, state, name, sort) = (text("kind"), text("state"), text("name"), text("sort"));
        let mut filter = ObjectFilter::default();
        if !kind.is_empty() {
            // `Kind.group`; a kind alone is of any group.
            let (kind, group) = kind.split_once('.').unwrap_or((&kind, ""));
            filter.kind = Some(kind.to_owned());
            filter.group = (!group.is_empty()).then(|| group.to_owned());
        }
        filter.states = match state.as_str() {
            "" => Vec::new(),
            DIFFERS => ObjectState::ALL.iter().copied().filter(|state| *state != ObjectState::Equal).collect(),
            word => vec![word.parse().map_err(|_| bad("state", word))?],
        };
        if state == DIFFERS {
            filter.managed = Some(true);
        }
        filter.name = (!name.is_empty()).then(|| name.clone());
        let (word, direction) = match sort.strip_prefix('-') {
            Some(word) => (word, Direction::Descending),
            None => (sort.as_str(), Direction::Ascending),
        };
        filter.direction = direction;
        filter.sort = match word {
            "" => ObjectSort::Rank,
            "name" => ObjectSort::Name,
            "kind" => ObjectSort::Kind,
            "state" => ObjectSort::State,
            other => return Err(bad("sort", other)),
        };
        let wide = query.get("wide") == Some(WIDE);
        Ok(Self { kind, state, name, sort, wide, page: query.page()?, filter })
    }

    /// This list with one parameter changed, from its first page.
    fn with(&self, id: i64, name: &str, value: &str) -> String {
        let mut pairs = self.all();
        for pair in &mut pairs {
            if pair.0 == name {
                pair.1 = value;
            }
        }
        url::with_query(&url::objects(id), &pairs)
    }

    fn pairs(&self) -> Vec<(String, String)> {
        let given = self.all().into_iter().filter(|(_, value)| !value.is_empty());
        given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn all(&self) -> [(&'static str, &str); 5] {
        let wide = if self.wide { WIDE } else { "" };
        [("kind", &self.kind), ("state", &self.state), ("name", &self.name), ("sort", &self.sort), ("wide", wide)]
    }

    fn choosing(&self, action: String, total: u64) -> Choosing {
        let filters: Vec<(String, String)> =
            self.pairs().into_iter().filter(|(name, _)| !matches!(name.as_str(), "sort" | "wide")).collect();
        let all = (!filters.is_empty() && total > 0).then(|| {
            let mut matching = ::url::form_urlencoded::Serializer::new(String::new());
            matching.extend_pairs(&filters);
            let words = if total == 1 {
                "Review the one that matches".to_owned()
            } else {
                format!("Review all {total} that match")
            };
            (words, url::with_query(&action, &[("match", &matching.finish())]))
        });
        Choosing { action, all }
    }

    /// Shows the wide columns, or hides them again.
    fn toggle(&self, id: i64, columns: &[Printer]) -> Option<Choice> {
        let more = columns.iter().filter(|column| column.priority > 0).count();
        let (label, value) = match (more, self.wide) {
            (0, _) => return None,
            (_, true) => ("Fewer columns".to_owned(), ""),
            (1, false) => ("1 more column".to_owned(), WIDE),
            (n, false) => (format!("{n} more columns"), WIDE),
        };
        Some(Choice { value: self.with(id, "wide", value), label, selected: self.wide })
    }

    fn chips(&self, id: i64) -> Chips {
        let mut chips = Vec::new();
        let mut chip = |name: &'static str, value: String, given: &str| {
            if !given.is_empty() {
                chips.push(Chip { name, value, without: self.with(id, name, "") });
            }
        };
        chip("kind", self.kind.split('.').next().unwrap_or_default().to_owned(), &self.kind);
        chip("state", state_word(&self.state), &self.state);
        chip("name", self.name.clone(), &self.name);
        Chips { chips, clear: url::with_query(&url::objects(id), &[("sort", &self.sort)]) }
    }

    /// A column's head: sorts by it, or the other way round.
    fn column(&self, id: i64, label: &str, word: &str, may_hide: bool) -> Column {
        let down = format!("-{word}");
        let (sorted, next) = match &self.sort {
            sort if sort == word => (Some("ascending"), down.as_str()),
            sort if *sort == down => (Some("descending"), word),
            _ => (None, word),
        };
        Column { label: label.to_owned(), href: Some(self.with(id, "sort", next)), sorted, may_hide }
    }
}

fn state_word(word: &str) -> String {
    match word.parse::<ObjectState>() {
        Ok(state) => Badge::from(state).word,
        Err(_) => "Everything that differs".to_owned(),
    }
}

async fn show(State(state): State<AppState>, view: View, OfFabric(fabric): OfFabric) -> Result<Response, Problem> {
    let id = fabric.id;
    let wanted = Wanted::read(&view.query())?;
    if wants_json(&view.headers) {
        return as_json(&state, id, &wanted).await;
    }
    let overview = state.engine.overview(&fabric).await?;
    let (head, tabs) = derive::head(&view, &fabric, &overview, FabricPage::Objects).await?;
    let head_review = head.review.clone();
    let counts = state.store.objects().counts(id).await?;
    let page = page_of(wanted.page);
    let listed = state.store.objects().list(id, &wanted.filter, page).await?;
    let all_printers = printers(&wanted, &overview);
    let toggle = wanted.toggle(id, &all_printers);
    let printers: Vec<Printer> =
        all_printers.into_iter().filter(|column| wanted.wide || column.priority == 0).collect();
    let mut rows = Vec::with_capacity(listed.rows.len());
    for object in &listed.rows {
        rows.push(row(&view, id, object, &printers, wanted.kind.is_empty()).await?);
    }
    let mut columns = vec![wanted.column(id, "Name", "name", false), wanted.column(id, "State", "state", false)];
    if wanted.kind.is_empty() {
        columns.push(wanted.column(id, "Kind", "kind", true));
    }
    let fixed = |label: &str| Column { label: label.to_owned(), href: None, sorted: None, may_hide: true };
    columns.extend(printers.iter().map(|column| fixed(&column.name)));
    columns.push(fixed("File"));
    let mut frame = view.fabric_frame("objects", "Objects", &fabric, None, "Objects")?;
    frame.events = Some(url::fabric_events(id));
    frame.fresh_until = overview.status.fresh_until;
    let page = Page {
        frame,
        head,
        tabs,
        kinds: kinds(&counts, &wanted.kind, |_| true),
        states: states(&counts, &wanted.state),
        chips: wanted.chips(id),
        empty: empty(&wanted, overview.comparison.is_some(), listed.total),
        columns,
        rows,
        pager: Pager::new(url::objects(id), wanted.pairs(), wanted.page, listed.total),
        toggle,
        adopt: adopt(id, &counts, &wanted),
        choosing: head_review.map(|action| wanted.choosing(action, listed.total)),
        wide: wanted.wide,
        name: wanted.name,
        sort: wanted.sort,
    };
    view::page("objects", &page)
}

/// One page of the list for a script: each object with its verdict and the fields that differ, without its bodies.
async fn as_json(state: &AppState, id: i64, wanted: &Wanted) -> Result<Response, Problem> {
    let listed = state.store.objects().list(id, &wanted.filter, page_of(wanted.page)).await?;
    let mut results = Vec::with_capacity(listed.rows.len());
    for object in &listed.rows {
        let detail = state.store.objects().get(id, &object.key).await?;
        results.push(json!({
            "key": object.key,
            "url": url::object(id, &object.key),
            "state": object.state,
            "state_title": Badge::from(object.state).word,
            "managed": object.managed,
            "confirmed": object.confirmed,
            "place": object.location.as_ref().map(ToString::to_string),
            "differences": detail.diffs,
            "findings": detail.findings,
        }));
    }
    let next = (wanted.page * PAGE_SIZE < listed.total).then_some(wanted.page + 1);
    let body = json!({ "count": listed.total, "page": wanted.page, "next_page": next, "results": results });
    Ok(view::json(StatusCode::OK, &body))
}

/// The way to adopting what stands only in the cluster, with these filters, where there is something.
fn adopt(id: i64, counts: &[KindCount], wanted: &Wanted) -> Option<Choice> {
    let extra: u64 = counts.iter().filter(|count| count.state == ObjectState::Extra).map(|count| count.objects).sum();
    let filters = [("kind", wanted.kind.as_str()), ("name", wanted.name.as_str())];
    let (value, label) = (url::with_query(&url::adopt(id), &filters), "Adopt into Git".to_owned());
    (extra > 0).then_some(Choice { value, label, selected: false })
}

fn empty(wanted: &Wanted, compared: bool, total: u64) -> String {
    if !compared {
        return "Nothing was compared yet. Sync from Git reads the source and the cluster.".to_owned();
    }
    if total > 0 {
        return "This list has fewer pages.".to_owned();
    }
    match wanted.pairs().iter().any(|(name, _)| !matches!(name.as_str(), "sort" | "wide")) {
        true => "No object fits these filters. Take one off above.".to_owned(),
        false => "Neither the source nor the cluster holds an object of Hedgehog's kinds.".to_owned(),
    }
}

/// The columns that the CRD of the chosen kind names.
fn printers(wanted: &Wanted, overview: &engine::Overview) -> Vec<Printer> {
    let (Some(kind), Some(comparison)) = (&wanted.filter.kind, &overview.comparison) else { return Vec::new() };
    // A kind by its name alone has columns when there is only one of that name.
    let mut groups = overview.counts.keys().filter_map(|each| each.split_once('.'));
    let mut groups = groups.by_ref().filter(|(name, _)| name == kind).map(|(_, group)| group);
    let group = match (&wanted.filter.group, groups.next(), groups.next()) {
        (Some(group), ..) => group.as_str(),
        (None, Some(only), None) => only,
        _ => return Vec::new(),
    };
    engine::columns(&comparison.kinds, group, kind)
}

async fn row(
    view: &View,
    id: i64,
    object: &ObjectBrief,
    printers: &[Printer],
    show_kind: bool,
) -> Result<Row, Problem> {
    let mut cells = Vec::new();
    if show_kind {
        cells.push(Cell::Text(object.key.kind.clone()));
    }
    let mut sub = Vec::new();
    // Who changed it and when; only the differences know.
    if matches!(object.state, ObjectState::Modified | ObjectState::Conflict) {
        let detail = view.state.store.objects().get(id, &object.key).await?;
        sub.extend(changed_by(&detail, view.now));
    }
    if !printers.is_empty() {
        // Bodies are read only where a column shows something of them, for the rows of one page.
        let detail = view.state.store.objects().get(id, &object.key).await?;
        let body = detail.live.or(detail.desired).unwrap_or_default();
        cells.extend(printers.iter().map(|column| Cell::of(column, &body, view.now)));
    }
    if object.has_errors {
        sub.push("has errors".to_owned());
    } else if object.finding_count > 0 {
        sub.push(format!(
            "{} {}",
            object.finding_count,
            if object.finding_count == 1 { "finding" } else { "findings" }
        ));
    }
    if !object.managed {
        sub.push("kind not kept in Git".to_owned());
    }
    Ok(Row {
        key: object.key.to_string(),
        href: url::object(id, &object.key),
        name: object.key.name.clone(),
        sub: sub.join(", "),
        state: object.state.into(),
        unconfirmed: object.confirmed != Some(true) && object.state != ObjectState::Extra,
        cells,
        place: object.location.as_ref().map(ToString::to_string).unwrap_or_default(),
    })
}

/// `changed by kubectl-edit 3 min ago`, of the field that was changed last.
fn changed_by(detail: &store::ObjectDetail, now: jiff::Timestamp) -> Option<String> {
    let theirs = detail.diffs.iter().filter(|diff| diff.side != Side::Desired);
    let last = theirs.max_by_key(|diff| diff.changed_at)?;
    let when = last.changed_at.map(|at| format!(" {}", relative(at, now))).unwrap_or_default();
    Some(format!("changed by {}{when}", last.manager.as_deref()?))
}

/// The kinds that have objects in the states that are meant, with how many, and the chosen one.
pub fn kinds(counts: &[KindCount], chosen: &str, is_meant: impl Fn(ObjectState) -> bool) -> Vec<Choice> {
    let mut kinds: BTreeMap<(u8, &str, &str), u64> = BTreeMap::new();
    for count in counts.iter().filter(|count| is_meant(count.state)) {
        *kinds.entry((count.rank, &count.kind, &count.group)).or_default() += count.objects;
    }
    let choice = |((_, kind, group), objects): ((u8, &str, &str), u64)| {
        let value = format!("{kind}.{group}");
        Choice { selected: value == chosen, label: format!("{kind} ({objects})"), value }
    };
    let mut choices: Vec<Choice> = kinds.into_iter().map(choice).collect();
    if !chosen.is_empty() && !choices.iter().any(|choice| choice.selected) {
        choices.push(Choice { value: chosen.to_owned(), label: format!("{chosen} (0)"), selected: true });
    }
    choices
}

fn states(counts: &[KindCount], chosen: &str) -> Vec<Choice> {
    let of = |state: ObjectState| counts.iter().filter(|c| c.state == state).map(|c| c.objects).sum::<u64>();
    let mut choices = vec![Choice {
        value: DIFFERS.to_owned(),
        label: "Everything that differs".to_owned(),
        selected: chosen == DIFFERS,
    }];
    choices.extend(ObjectState::ALL.iter().map(|state| Choice {
        value: state.as_str().to_owned(),
        label: format!("{} ({})", Badge::from(*state).word, of(*state)),
        selected: state.as_str() == chosen,
    }));
    choices
}

/// What the page shows.
#[derive(Template)]
#[template(path = "objects.html")]
pub struct Page {
    pub frame: Frame,
    pub head: Head,
    pub tabs: Tabs,
    pub kinds: Vec<Choice>,
    pub states: Vec<Choice>,
    pub name: String,
    pub sort: String,
    pub chips: Chips,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    pub empty: String,
    pub pager: Pager,
    /// The link to more columns, or to fewer.
    pub toggle: Option<Choice>,
    /// The link to adopting.
    pub adopt: Option<Choice>,
    pub wide: bool,
    /// What can be done with chosen objects; for those who may sync.
    pub choosing: Option<Choosing>,
}

/// The form that leads from chosen objects to the page that shows what a sync of them would do.
pub struct Choosing {
    pub action: String,
    /// The same for every object that the filters let through: its words and its address.
    pub all: Option<(String, String)>,
}

/// One column's head.
pub struct Column {
    pub label: String,
    pub href: Option<String>,
    pub sorted: Option<&'static str>,
    pub may_hide: bool,
}

/// One object.
pub struct Row {
    /// The object as forms name it.
    pub key: String,
    pub href: String,
    pub name: String,
    pub sub: String,
    pub state: Badge,
    pub unconfirmed: bool,
    pub cells: Vec<Cell>,
    pub place: String,
}

impl Row {
    /// The kind, for narrow pages, where its column is hidden: names alone are not unique.
    fn kind(&self) -> &str {
        self.key.split_once('.').map_or("", |(kind, _)| kind)
    }
}
