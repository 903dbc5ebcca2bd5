//! What the metrics say of the fabrics: the very overview that the pages show, read when somebody asks. However many
//! ask, and however often, the database is read once every few seconds.

use crate::{Engine, Error, Overview};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use metrics::verify::{JourneyFacts, VerifyFacts};
use metrics::{FabricFacts, Facts};
use model::compare::ObjectState;
use model::operation::OperationState;
use model::status::SyncState;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};
use store::fabrics::FabricFilter;
use store::{Fabric, Operation, Page, Scope, VerifyRun};
use tokio::sync::Mutex;

/// How old what is given out may be.
const FRESH: Duration = Duration::from_secs(5);
/// How long reading may take: Prometheus gives up after ten seconds.
const LIMIT: Duration = Duration::from_secs(8);
/// Fabrics that are read at once.
const AT_ONCE: usize = 4;

/// What was read last.
#[derive(Default)]
pub(crate) struct Metering {
    last: Mutex<Option<(Instant, Facts)>>,
}

impl Engine {
    /// Everything that Prometheus may know, in its own format. Where the database does not answer in time, the answer
    /// says so and has no word on fabrics.
    pub async fn metrics(&self) -> String {
        let mut last = self.shared.metering.last.lock().await;
        if last.as_ref().is_none_or(|(at, _)| at.elapsed() > FRESH) {
            let facts = match tokio::time::timeout(LIMIT, self.facts()).await {
                Ok(Ok(facts)) => facts,
                Ok(Err(_)) | Err(_) => Facts::default(),
            };
            *last = Some((Instant::now(), facts));
        }
        last.as_ref().map_or_else(String::new, |(_, facts)| metrics::exposition(facts))
    }

    async fn facts(&self) -> Result<Facts, Error> {
        let store = &self.shared.store;
        let fabrics = store.fabrics().list(&Scope::System, &FabricFilter::default(), Page::all()).await?.rows;
        let open = &store.operations().open().await?;
        let names: HashMap<i64, String> = fabrics.iter().map(|fabric| (fabric.id, fabric.name.clone())).collect();
        let reading = fabrics.into_iter().map(|fabric| async move {
            let overview = self.overview(&fabric).await?;
            Ok::<_, Error>(of(&fabric, &overview, open, self.shared.now()))
        });
        let fabrics = stream::iter(reading).buffered(AT_ONCE).try_collect().await?;
        Ok(Facts { store_up: true, fabrics, verified: self.verified(&names).await? })
    }

    /// What the console's own monitor found, of the fabrics with these names; nothing where it is off.
    async fn verified(&self, names: &HashMap<i64, String>) -> Result<Vec<VerifyFacts>, Error> {
        let Some(interval) = self.shared.settings.verify_every else { return Ok(Vec::new()) };
        let store = &self.shared.store;
        let successes = store.verify_runs().successes().await?;
        let runs = store.verify_runs().newest(&Scope::System, 1).await?;
        let of = |run: &VerifyRun| {
            let id = run.fabric_id?;
            let last_success = successes.get(&id).copied();
            Some(of_run(run, names.get(&id)?.clone(), last_success, interval))
        };
        Ok(runs.iter().filter_map(of).collect())
    }
}

/// What is told of the newest run about a fabric.
fn of_run(run: &VerifyRun, fabric: String, last_success: Option<Timestamp>, interval: Duration) -> VerifyFacts {
    let journeys = run.journeys.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|one| {
        let text = |name: &str| one.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        let seconds = one.get("ms").and_then(|ms| ms.as_f64()).unwrap_or_default() / 1000.0;
        JourneyFacts { name: text("name"), driver: text("driver"), verdict: text("verdict"), seconds }
    });
    VerifyFacts {
        fabric: Some(fabric),
        verdict: run.verdict.clone(),
        journeys: journeys.collect(),
        last_run: Some(seconds(run.ended_at)),
        last_success: last_success.map(seconds),
        failures_in_a_row: run.row.count,
        seconds: run.ended_at.duration_since(run.started_at).as_secs_f64(),
        interval: interval.as_secs_f64(),
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

/// What is told of a fabric; `open` are the operations of all fabrics that wait or run, whether they write or not.
fn of(fabric: &Fabric, overview: &Overview, open: &[Operation], now: Timestamp) -> FabricFacts {
    let mut objects: BTreeMap<&'static str, u64> = ObjectState::ALL.iter().map(|state| (state.as_str(), 0)).collect();
    for (state, count) in overview.counts.values().flatten() {
        *objects.entry(state.as_str()).or_default() += count;
    }
    let mut switches = BTreeMap::new();
    for switch in &overview.switches {
        *switches.entry(switch.state.as_str()).or_default() += 1;
    }
    let open_in = |state| open.iter().filter(move |o| o.fabric_id == fabric.id && o.state == state);
    FabricFacts {
        name: fabric.name.clone(),
        state: overview.status.state.as_str(),
        states: STATES,
        objects,
        switches,
        evidence_age: overview.status.evidence_at.map(|at| (seconds(now) - seconds(at)).max(0.0)),
        last_success: overview.last_success.map(seconds),
        running: by_verb(open_in(OperationState::Running)),
        queued: by_verb(open_in(OperationState::Queued)),
    }
}

fn by_verb<'a>(operations: impl Iterator<Item = &'a Operation>) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for operation in operations {
        *counts.entry(operation.verb.as_str()).or_default() += 1;
    }
    counts
}

/// The words of the status.
const STATES: &[&str] = &{
    let mut words = [""; SyncState::ALL.len()];
    let mut i = 0;
    while i < words.len() {
        words[i] = SyncState::ALL[i].as_str();
        i += 1;
    }
    words
};
