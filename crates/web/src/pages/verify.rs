//! What the console's own monitor found when it walked its own front door as a user does: the newest verdict of each
//! fabric with its reasons, the last runs as a strip, and the list of a fabric's runs. The runs are made by the program
//! (`verify.every`); here they are read, under the reader's scope.

use crate::extract::OfFabric;
use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::layers::classify::wants_json;
use crate::parts::list::{PAGE_SIZE, page_of};
use crate::parts::verdict::{self, Found, STRIP, Strip, badge};
use crate::parts::{Badge, Pager, Tone};
use crate::problem::Problem;
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use crate::when::{self, When};
use askama::Template;
use auth::Action;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;
use store::fabrics::FabricFilter;
use store::{Scope, VerifyRun};

/// The routes of these pages.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page("verify", pattern::verify, Needs::Listing, show),
        Route::page("fabric_verify", pattern::fabric_verify, Needs::Fabric(Action::View), of_fabric),
    ]
}

/// A run is due each interval; after so many without one, the newest says nothing any more.
const INTERVALS: u32 = 3;

/// Whether a run is too old to say anything, where one is due each `every`.
fn is_stale(every: Option<Duration>, run: &VerifyRun, now: Timestamp) -> bool {
    let limit = every.and_then(|every| SignedDuration::try_from(every.saturating_mul(INTERVALS)).ok());
    // The run itself takes a while; a monitor that is off makes none.
    limit.is_none_or(|limit| now.duration_since(run.ended_at) > limit.max(SignedDuration::from_secs(30)))
}

async fn show(State(state): State<AppState>, view: View) -> Result<Response, Problem> {
    let number = view.query().page()?;
    let scope = view.login.access.fabrics();
    let listed = state.store.fabrics().list(&scope, &FabricFilter::default(), page_of(number)).await?;
    let runs = state.store.verify_runs().newest(&scope, STRIP).await?;
    let every = state.settings.verify_every;
    let of = |fabric: Option<i64>| runs.iter().filter(move |run| run.fabric_id == fabric).collect::<Vec<_>>();
    let mut of_each: Vec<(Option<&store::Fabric>, Vec<&VerifyRun>)> =
        listed.rows.iter().map(|fabric| (Some(fabric), of(Some(fabric.id)))).collect();
    let of_none = of(None);
    // Who sees everything sees what was found of the console as a whole: that the account may not be used, or sees no
    // fabric. Once that is over it is history.
    let is_over = of_none.first().is_none_or(|run| run.row.count == 0) && !listed.rows.is_empty();
    if number == 1 && !is_over && matches!(scope, Scope::All | Scope::System) {
        of_each.insert(0, (None, of_none));
    }
    if wants_json(&view.headers) {
        return Ok(view::json(StatusCode::OK, &as_json(&of_each, (every, view.now), number, listed.total)));
    }
    let mut rows: Vec<Row> = of_each.iter().map(|(fabric, runs)| Row::of(*fabric, runs, every, view.now)).collect();
    rows.sort_by_key(|row| row.urgency);
    let any = !runs.is_empty();
    let mut frame = view.frame("verify", "Verify", Nav::Verify)?.crumbs(vec![], "Verify");
    frame.events = Some(url::events());
    frame.refresh_without_script = 30;
    let page = Page {
        frame,
        about: about(every, any),
        off: every.is_none(),
        rows: if any || every.is_some() { rows } else { Vec::new() },
        pager: Pager::new(url::verify(), Vec::new(), number, listed.total),
    };
    view::page("verify", &page)
}

/// What the page is about, in a sentence.
fn about(every: Option<Duration>, any: bool) -> String {
    match (every.and_then(|every| SignedDuration::try_from(every).ok()), any) {
        (Some(every), _) => {
            format!(
                "Every {}, the console walks its own front door as a user does, and changes nothing.",
                when::span(every)
            )
        }
        (None, true) => "The monitor is switched off. These are the runs of before.".to_owned(),
        (None, false) => String::new(),
    }
}

/// The same for a script.
fn as_json(
    of_each: &[(Option<&store::Fabric>, Vec<&VerifyRun>)],
    (every, now): (Option<Duration>, Timestamp),
    number: u64,
    total: u64,
) -> Value {
    let row = |(fabric, runs): &(Option<&store::Fabric>, Vec<&VerifyRun>)| {
        let brief = |run: &&VerifyRun| json!({ "verdict": run.verdict, "ended_at": run.ended_at, "run": run.run_id });
        json!({
            "fabric": fabric.map(|fabric| json!({ "id": fabric.id, "name": fabric.name, "url": url::fabric(fabric.id) })),
            "runs": fabric.map(|fabric| url::fabric_verify(fabric.id)),
            "newest": runs.first().map(|run| run_json(run)),
            "stale": runs.first().map(|run| is_stale(every, run, now)),
            "history": runs.iter().map(brief).collect::<Vec<_>>(),
        })
    };
    let next = (number * PAGE_SIZE < total).then_some(number + 1);
    json!({
        "every_seconds": every.map(|every| every.as_secs_f64()),
        "count": total,
        "page": number,
        "next_page": next,
        "results": of_each.iter().map(row).collect::<Vec<_>>(),
    })
}

fn run_json(run: &VerifyRun) -> Value {
    json!({
        "run": run.run_id,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "verdict": run.verdict,
        "sentence": run.sentence,
        "cause": run.cause,
        "failure_point": run.failure_point,
        "what_to_do": run.what_to_do,
        "in_a_row": run.row.count,
        "since": run.row.since,
        "journeys": verdict::journeys(run),
    })
}

async fn of_fabric(State(state): State<AppState>, view: View, OfFabric(fabric): OfFabric) -> Result<Response, Problem> {
    let number = view.query().page()?;
    let listed = state.store.verify_runs().of_fabric(fabric.id, page_of(number)).await?;
    if wants_json(&view.headers) {
        let next = (number * PAGE_SIZE < listed.total).then_some(number + 1);
        let results: Vec<Value> = listed.rows.iter().map(run_json).collect();
        let body = json!({ "count": listed.total, "page": number, "next_page": next, "results": results });
        return Ok(view::json(StatusCode::OK, &body));
    }
    let run = |run: &VerifyRun| RunRow {
        badge: badge(&run.verdict),
        when: view.when(run.ended_at),
        took: when::length(run.ended_at.duration_since(run.started_at)),
        found: Found::of(run, view.now),
        id: run.run_id.clone(),
    };
    let way = vec![("Verify".to_owned(), url::verify())];
    let mut frame =
        view.frame("fabric_verify", format!("Verify · {}", fabric.name), Nav::Verify)?.crumbs(way, fabric.name.clone());
    frame.events = Some(url::fabric_events(fabric.id));
    let page = Runs {
        frame,
        fabric: fabric.name.clone(),
        href: url::fabric(fabric.id),
        off: state.settings.verify_every.is_none(),
        empty: if listed.total > 0 { "There is no such page of this list." } else { "No run about this fabric yet." },
        rows: listed.rows.iter().map(run).collect(),
        pager: Pager::new(url::fabric_verify(fabric.id), Vec::new(), number, listed.total),
    };
    view::page("fabric_verify", &page)
}

/// What the page shows.
#[derive(Template)]
#[template(path = "verify.html")]
pub struct Page {
    pub frame: Frame,
    /// What it is about.
    pub about: String,
    /// Whether the monitor is switched off.
    pub off: bool,
    pub rows: Vec<Row>,
    pub pager: Pager,
}

/// One fabric.
pub struct Row {
    /// The fabric's name and page; none for the console as a whole.
    pub fabric: Option<(String, String)>,
    /// The list of its runs.
    pub runs: Option<String>,
    pub badge: Badge,
    /// What the newest run found.
    pub found: Option<Found>,
    /// When the newest run was over.
    pub when: Option<When>,
    pub strip: Strip,
    /// What must be looked at first comes first.
    urgency: u8,
}

/// Since when nothing is known: from the end of the newest run.
fn unknown_since(newest: Option<&&VerifyRun>, now: Timestamp) -> String {
    let Some(run) = newest else { return "Unknown".to_owned() };
    let is_today = run.ended_at.strftime("%F").to_string() == now.strftime("%F").to_string();
    let at = run.ended_at.strftime(if is_today { "%H:%M" } else { "%-d %b %H:%M" });
    format!("Unknown since {at}")
}

impl Row {
    fn of(fabric: Option<&store::Fabric>, runs: &[&VerifyRun], every: Option<Duration>, now: Timestamp) -> Self {
        let newest = runs.first();
        let stale = newest.is_some_and(|run| is_stale(every, run, now));
        let said = newest.map(|run| badge(&run.verdict));
        let badge = match said {
            Some(_) if stale => Badge::new(Tone::Stale, Icon::Question, unknown_since(newest, now)),
            Some(said) => said,
            None => Badge::new(Tone::Off, Icon::Hollow, "No run yet"),
        };
        Self {
            fabric: fabric.map(|fabric| (fabric.name.clone(), url::fabric(fabric.id))),
            runs: fabric.filter(|_| newest.is_some()).map(|fabric| url::fabric_verify(fabric.id)),
            urgency: match badge.tone {
                Tone::Bad => 0,
                Tone::Stale => 1,
                Tone::Off if newest.is_some() => 2,
                Tone::Good => 3,
                _ => 4,
            },
            badge,
            found: newest.map(|run| {
                let found = Found::of(run, now);
                let word = verdict::badge(&run.verdict).word;
                let sentence = format!("No run has ended since. The last one: {word}. {}", found.sentence);
                if stale { Found { sentence, ..found } } else { found }
            }),
            when: newest.map(|run| When::new(run.ended_at, now)),
            strip: Strip::of(runs.iter().copied()),
        }
    }
}

/// The runs about one fabric.
#[derive(Template)]
#[template(path = "verify_runs.html")]
pub struct Runs {
    pub frame: Frame,
    pub fabric: String,
    /// The fabric's page.
    pub href: String,
    /// Whether the monitor is switched off.
    pub off: bool,
    pub empty: &'static str,
    pub rows: Vec<RunRow>,
    pub pager: Pager,
}

/// One run.
pub struct RunRow {
    pub badge: Badge,
    pub when: When,
    pub took: String,
    pub found: Found,
    /// Its name, as in the log and in the user agent of what it sent.
    pub id: String,
}

#[cfg(test)]
impl Page {
    /// A page of sample runs: those of each fabric newest first.
    pub fn sample(
        frame: Frame,
        every: Option<Duration>,
        fabrics: &[(&str, i64, Vec<VerifyRun>)],
        now: Timestamp,
    ) -> Self {
        let row = |(name, id, runs): &(&str, i64, Vec<VerifyRun>)| {
            let mut row = Row::of(None, &runs.iter().collect::<Vec<_>>(), every, now);
            row.fabric = Some(((*name).to_owned(), url::fabric(id)));
            row.runs = (!runs.is_empty()).then(|| url::fabric_verify(id));
            row
        };
        let mut rows: Vec<Row> = fabrics.iter().map(row).collect();
        rows.sort_by_key(|row| row.urgency);
        let pager = Pager::new(url::verify(), Vec::new(), 1, rows.len() as u64);
        Self { frame, about: about(every, !rows.is_empty()), off: every.is_none(), rows, pager }
    }
}

#[cfg(test)]
impl Runs {
    /// The runs of a sample fabric.
    pub fn sample(frame: Frame, fabric: &str, runs: &[VerifyRun], now: Timestamp) -> Self {
        let run = |run: &VerifyRun| RunRow {
            badge: badge(&run.verdict),
            when: When::new(run.ended_at, now),
            took: when::length(run.ended_at.duration_since(run.started_at)),
            found: Found::of(run, now),
            id: run.run_id.clone(),
        };
        Self {
            frame,
            fabric: fabric.to_owned(),
            href: url::fabric(7),
            off: false,
            empty: "No run about this fabric yet.",
            rows: runs.iter().map(run).collect(),
            pager: Pager::new(url::fabric_verify(7), Vec::new(), 1, 288),
        }
    }
}
