//! The filters of the activity: read from the address, shown as a form and as chips, and written back into links.

use crate::parts::{Badge, Chip, Chips, Choice};
use crate::problem::Problem;
use crate::state::AppState;
use crate::url;
use crate::view::{Query, View, bad};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use model::Code;
use model::operation::{OperationState, Verb};
use store::activity::{ActivityFilter, Show};
use store::fabrics::FabricFilter;

/// The choices of what the list is of: the word in the address, and the words on the page.
const SHOWS: [(Show, &str, &str); 4] = [
    (Show::Everything, "", "Everything"),
    (Show::Operations, "operations", "Operations"),
    (Show::Attempts, "attempts", "Attempts"),
    (Show::Refused, "refused", "Turned away"),
];

/// So many fabrics a select offers; of more, the fabric's own page leads to its activity.
const OFFERED: u32 = 500;

/// The filters as the address has them, and as the store takes them.
pub struct Wanted {
    /// The list without its query.
    pub path: String,
    /// Of the list of a fabric's operations this is no choice.
    has_show: bool,
    /// Whether the address may choose the fabric.
    has_fabric: bool,
    show: String,
    fabric: String,
    actor: String,
    verb: String,
    state: String,
    code: String,
    since: String,
    before: String,
    /// The page, from 1.
    pub page: u64,
    /// As the store takes it.
    pub filter: ActivityFilter,
    /// The fabric that the address names, with its name.
    named: Option<String>,
}

impl Wanted {
    /// The filters of a list of one kind of thing, or of all.
    pub async fn read(
        state: &AppState,
        view: &View,
        path: String,
        fabric_id: Option<i64>,
        show: Option<Show>,
    ) -> Result<Self, Problem> {
        let query = view.query();
        let text = |name: &str| query.get(name).unwrap_or_default().to_owned();
        let word = text("show");
        let chosen = SHOWS.iter().find(|(_, known, _)| *known == word).map(|(show, ..)| *show);
        let mut filter = ActivityFilter {
            show: match show {
                Some(show) => show,
                None => chosen.ok_or_else(|| bad("show", &word))?,
            },
            fabric_id,
            actor: query.get("actor").map(str::to_owned),
            verb: query.word::<Verb>("verb")?,
            states: query.word::<OperationState>("state")?.into_iter().collect(),
            code: query.word::<Code>("code")?,
            since: time(&query, "since")?,
            before: time(&query, "before")?,
        };
        let mut named = None;
        if let (None, Some(text)) = (fabric_id, query.get("fabric")) {
            let id: i64 = text.parse().map_err(|_| bad("fabric", text))?;
            // A fabric that may not be seen is told from one that is not there by nobody.
            let fabric = match state.store.fabrics().get(&view.login.access.fabrics(), id).await {
                Ok(fabric) => fabric,
                Err(store::Error::NotFound(_)) => {
                    return Err(bad("fabric", text).todo("There is no such fabric, or you may not see it."));
                }
                Err(error) => return Err(error.into()),
            };
            named = Some(fabric.name);
            filter.fabric_id = Some(id);
        }
        Ok(Self {
            path,
            has_show: show.is_none(),
            has_fabric: fabric_id.is_none(),
            show: word,
            fabric: if fabric_id.is_none() { text("fabric") } else { String::new() },
            actor: text("actor"),
            verb: text("verb"),
            state: text("state"),
            code: text("code"),
            since: text("since"),
            before: text("before"),
            page: query.page()?,
            filter,
            named,
        })
    }

    fn all(&self) -> [(&'static str, &str); 8] {
        [
            ("show", &self.show),
            ("fabric", &self.fabric),
            ("actor", &self.actor),
            ("verb", &self.verb),
            ("state", &self.state),
            ("code", &self.code),
            ("since", &self.since),
            ("before", &self.before),
        ]
    }

    /// The query without the page.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let given = self.all().into_iter().filter(|(_, value)| !value.is_empty());
        given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// This list with one filter changed, from its first page.
    fn with(&self, name: &str, value: &str) -> String {
        let mut pairs = self.all();
        for pair in pairs.iter_mut().filter(|pair| pair.0 == name) {
            pair.1 = value;
        }
        url::with_query(&self.path, &pairs)
    }

    /// This list as a file: words and address.
    pub fn exports(&self) -> Vec<(&'static str, String)> {
        let fabric = self.filter.fabric_id.map(|id| id.to_string()).unwrap_or_default();
        let file = |words, format| {
            let mut pairs = self.all().to_vec();
            for pair in pairs.iter_mut().filter(|pair| pair.0 == "fabric") {
                pair.1 = &fabric;
            }
            if self.filter.show == Show::Operations {
                pairs.retain(|pair| pair.0 != "show");
                pairs.push(("show", "operations"));
            }
            pairs.push(("format", format));
            (words, url::with_query(&url::activity_export(), &pairs))
        };
        vec![file("CSV", "csv"), file("JSON", "json")]
    }

    /// The timeline of the one fabric or the one user that the list is of.
    pub fn timeline(&self) -> Option<String> {
        let fabric = self.filter.fabric_id.map(|id| id.to_string()).unwrap_or_default();
        let of_one = !fabric.is_empty() || !self.actor.is_empty();
        let pairs = [("fabric", &*fabric), ("user", &self.actor), ("since", &self.since), ("before", &self.before)];
        of_one.then(|| url::with_query(&url::timeline(), &pairs))
    }

    /// Whether anything is filtered.
    pub fn is_filtered(&self) -> bool {
        self.all().iter().any(|(name, value)| *name != "show" && !value.is_empty())
    }

    /// Links that choose what the list is of.
    pub fn choices(&self) -> Vec<Choice> {
        if !self.has_show {
            return Vec::new();
        }
        let choice = |(_, word, label): (Show, &str, &str)| Choice {
            value: self.with("show", word),
            label: label.to_owned(),
            selected: word == self.show,
        };
        SHOWS.into_iter().map(choice).collect()
    }

    /// The filters that are set, each to take off.
    pub fn chips(&self) -> Chips {
        let mut chips = Vec::new();
        let mut chip = |name: &'static str, field: &str, value: String, given: &str| {
            if !given.is_empty() {
                chips.push(Chip { name, value, without: self.with(field, "") });
            }
        };
        chip("fabric", "fabric", self.named.clone().unwrap_or_default(), &self.fabric);
        chip("by", "actor", self.actor.clone(), &self.actor);
        chip("verb", "verb", self.filter.verb.map_or("", Verb::title).to_owned(), &self.verb);
        let state = self.filter.states.first().map(|state| Badge::from(*state).word);
        chip("outcome", "state", state.unwrap_or_default(), &self.state);
        chip("code", "code", self.code.clone(), &self.code);
        chip("from", "since", shown(self.filter.since), &self.since);
        chip("before", "before", shown(self.filter.before), &self.before);
        Chips { chips, clear: url::with_query(&self.path, &[("show", &self.show)]) }
    }

    /// The form's fields.
    pub async fn form(&self, state: &AppState, view: &View) -> Result<FilterForm, Problem> {
        let mut fabrics = Vec::new();
        if self.has_fabric {
            let scope = view.login.access.fabrics();
            let all = FabricFilter::default();
            let listed = state.store.fabrics().list(&scope, &all, store::Page::first(OFFERED)).await?;
            fabrics = listed
                .rows
                .into_iter()
                .map(|fabric| option(&fabric.id.to_string(), fabric.name, &self.fabric))
                .collect();
            if let Some(name) = self.named.as_ref().filter(|_| !fabrics.iter().any(|choice| choice.selected)) {
                fabrics.push(option(&self.fabric, name.clone(), &self.fabric));
            }
        }
        let verbs = Verb::ALL.iter().map(|verb| option(verb.as_str(), verb.title().to_owned(), &self.verb));
        let states =
            OperationState::ALL.iter().map(|state| option(state.as_str(), Badge::from(*state).word, &self.state));
        let codes = Code::ALL.iter().map(|code| option(code.as_str(), code.as_str().to_owned(), &self.code));
        Ok(FilterForm {
            action: self.path.clone(),
            show: self.show.clone(),
            fabrics,
            verbs: verbs.collect(),
            states: states.collect(),
            codes: codes.collect(),
            actor: self.actor.clone(),
            since: local(self.filter.since),
            before: local(self.filter.before),
        })
    }
}

fn option(value: &str, label: String, chosen: &str) -> Choice {
    Choice { value: value.to_owned(), label, selected: value == chosen }
}

/// A moment of the address: with its zone, or a day or a time of day of the server's clock, which is UTC.
pub fn time(query: &Query, name: &str) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let with_zone = text.parse::<Timestamp>().ok();
    let of_clock = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    match with_zone.or_else(of_clock) {
        Some(at) => Ok(Some(at)),
        None => Err(bad(name, text).todo("Write a day as 2026-02-03 or a time as 2026-02-03T14:00, in UTC.")),
    }
}

fn shown(at: Option<Timestamp>) -> String {
    at.map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
}

/// As a field for a time takes it.
fn local(at: Option<Timestamp>) -> String {
    at.map(|at| at.strftime("%Y-%m-%dT%H:%M").to_string()).unwrap_or_default()
}

/// The form of the filters.
pub struct FilterForm {
    pub action: String,
    pub show: String,
    /// Empty on the pages of one fabric.
    pub fabrics: Vec<Choice>,
    pub verbs: Vec<Choice>,
    pub states: Vec<Choice>,
    pub codes: Vec<Choice>,
    pub actor: String,
    pub since: String,
    pub before: String,
}
