//! A run: preconditions, the fabric, the journeys one after the other, and what it comes to.

mod begin;
mod end;

use end::{UnderWay, conclude, judge};

use crate::cause::Cause;
use crate::journeys::{self, Journey};
use crate::leaks;
use crate::recorder::millis;
use crate::results::{Check, Clock, Conditions, JourneyResult, Run, SCHEMA, Target};
use crate::scene::Scene;
use crate::site::{DriverKind, Site};
use crate::stop::Stop;
use crate::verdict::RunVerdict;
use jiff::Timestamp;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// What is told while a run goes on.
pub trait Progress: Send {
    /// A journey begins.
    fn begins(&mut self, journey: &str, driver: &str);
    /// A journey is over.
    fn ended(&mut self, result: &JourneyResult);
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {
    fn begins(&mut self, _: &str, _: &str) {}
    fn ended(&mut self, _: &JourneyResult) {}
}

/// A run under way.
pub struct Runner {
    site: Site,
    started: Timestamp,
    clock: Instant,
    clocks: Vec<Clock>,
    preconditions: Vec<Check>,
    journeys: Vec<JourneyResult>,
    product: String,
    /// The journey that goes on.
    under_way: Option<UnderWay>,
    /// How many of the secrets that were shown stand in a journey's verdict.
    leaks_told: AtomicUsize,
}

impl Runner {
    /// A run that begins.
    pub fn new(site: Site) -> Self {
        site.note_version("verify", env!("CARGO_PKG_VERSION"));
        site.note_version("operating system", &operating_system());
        Self {
            site,
            started: Timestamp::now(),
            clock: Instant::now(),
            clocks: Vec::new(),
            preconditions: Vec::new(),
            journeys: Vec::new(),
            product: String::new(),
            under_way: None,
            leaks_told: AtomicUsize::new(0),
        }
    }

    /// Walks everything. What was found stays in the runner, also when this is dropped before its end.
    pub async fn walk(&mut self, progress: &mut dyn Progress) -> Option<Stop> {
        let most = self.site.plan.max_time;
        match tokio::time::timeout(most.saturating_sub(self.clock.elapsed()), self.begin()).await {
            Ok(Ok(())) => {}
            Ok(Err(stop)) => return Some(stop),
            Err(_) => {
                let why =
                    format!("The run's {} s were over before its preconditions were seen to hold.", most.as_secs());
                return Some(Stop::Inconclusive(why));
            }
        }
        let chosen: Vec<&'static Journey> = journeys::ALL
            .iter()
            .filter(|journey| {
                self.site.plan.journeys.is_empty() || self.site.plan.journeys.iter().any(|name| name == journey.name)
            })
            .collect();
        for kind in self.site.plan.drivers.clone() {
            for journey in &chosen {
                progress.begins(journey.name, kind.name());
                self.under_way = Some(UnderWay::new(journey, kind, &self.site));
                let (result, stop) = self.one(journey, kind).await;
                self.under_way = None;
                progress.ended(&result);
                self.journeys.push(result);
                if stop.is_some() {
                    return stop;
                }
            }
        }
        None
    }

    async fn one(&self, journey: &Journey, kind: DriverKind) -> (JourneyResult, Option<Stop>) {
        self.site.recorder.begin(journey.name);
        let (started, clock, first_step) = (Timestamp::now(), Instant::now(), self.site.recorder.count());
        let mut scene = Scene::new(&self.site, kind);
        let left = self.site.plan.max_time.saturating_sub(self.clock.elapsed());
        let without = self.site.profile.without.get(journey.name).cloned();
        let walked = match without {
            Some(why) => Err(Stop::Skipped(why)),
            None if journey.changes && !self.site.plan.allow_sync => {
                Err(Stop::Skipped("It changes something, and the run is read-only; --allow-sync allows it.".to_owned()))
            }
            None => tokio::time::timeout(left, (journey.walk)(&mut scene)).await.unwrap_or_else(|_| {
                Err(Stop::Inconclusive(format!(
                    "The run's {} s were over before it was.",
                    self.site.plan.max_time.as_secs()
                )))
            }),
        };
        // Each journey leaves what it found. Where that does not work at once, the end of the run does it, which is patient.
        let leave = async {
            self.site.take_back().await;
            // A target that did not do what it should may not answer this either, and would be waited for each time.
            if walked.is_ok() {
                self.site.end_sessions(false).await;
            }
        };
        let left = self.site.plan.max_time.saturating_sub(self.clock.elapsed());
        let _ = tokio::time::timeout(left, leave).await;
        // What an answer shows is a failure of whatever journey met it; of the first, where the preconditions did.
        let leaks = self.site.redactor.leaks();
        let walked = match (walked, leaks.get(self.leaks_told.load(Ordering::Relaxed))) {
            (Ok(()) | Err(Stop::Inconclusive(_)), Some(leak)) => {
                self.leaks_told.store(leaks.len(), Ordering::Relaxed);
                Err(scene.failed(Cause::SecretShown, leaks::NONE, leak.to_string()))
            }
            (walked, _) => walked,
        };
        // What an oracle confirmed of a walk that did not come to its end is not the whole of it.
        let verified = scene.verified.filter(|_| !matches!(walked, Err(Stop::Inconclusive(_))));
        let (verdict, sentence, finding) = judge(&walked, verified, &scene.checks);
        let mut result = JourneyResult {
            name: journey.name.into(),
            proves: journey.proves.into(),
            driver: kind.name().into(),
            verdict,
            verified,
            sentence,
            finding,
            checks: scene.checks,
            measured: scene.measured,
            started,
            ms: millis(clock.elapsed()),
            first_step,
            steps: self.site.recorder.count() - first_step,
        };
        result.hide(&self.site.redactor);
        let ends = matches!(walked, Err(Stop::Invalid(_) | Stop::Mismatch(_)));
        (result, walked.err().filter(|_| ends))
    }

    /// Takes back what was planted, logs out and closes the windows; call it whatever ended the walk.
    pub async fn clean(&self) {
        self.site.clean().await;
    }

    /// What it came to. `stop` is why it ended early, `interrupted` whether somebody ended it from outside.
    pub fn finish(mut self, stop: Option<Stop>, interrupted: bool) -> Run {
        if let Some(under_way) = self.under_way.take() {
            self.journeys.push(under_way.cut_off(self.site.recorder.count()));
        }
        let (steps, readings, cleanup) = self.site.recorder.take();
        let shown = self.site.redactor.leaks();
        let concluded = conclude(&self.journeys, stop, interrupted);
        let (mut verdict, mut sentence, finding) =
            leaks::judge(concluded, &shown, self.leaks_told.load(Ordering::Relaxed));
        let left = self.site.left_behind();
        if !left.is_empty() {
            sentence = format!(
                "Something was left behind in the cluster, put it right by hand: {}. {sentence}",
                left.join("; ")
            );
            if verdict != RunVerdict::Fail {
                verdict = RunVerdict::Invalid;
            }
        }
        if verdict == RunVerdict::Pass && self.site.plan.cluster.is_none() && self.site.plan.git.is_none() {
            sentence = format!("Not verified by an oracle: none was given. {sentence}");
        }
        let mut preconditions = self.preconditions;
        preconditions.extend(leaks::not_looked_for(&self.site.redactor, self.started));
        let plan = &self.site.plan;
        let oracles = [
            plan.cluster.as_ref().map(|_| "cluster"),
            plan.git.as_ref().map(|_| "git"),
            plan.database.as_ref().map(|_| "database"),
        ];
        let mut run = Run {
            schema: SCHEMA,
            id: plan.id.clone(),
            verdict,
            exit_code: verdict.exit_code(),
            sentence,
            finding,
            started: self.started,
            ended: Timestamp::now(),
            target: Target {
                url: plan.target.to_string(),
                profile: plan.profile.name.clone(),
                product: self.product,
                username: plan.account.username.clone(),
                fabric: self.site.fabric.as_ref().map(|fabric| fabric.name.clone()),
            },
            conditions: Conditions {
                drivers: plan.drivers.iter().map(|kind| kind.name().to_owned()).collect(),
                journeys: plan.journeys.clone(),
                allow_sync: plan.allow_sync,
                oracles: oracles.into_iter().flatten().map(str::to_owned).collect(),
                max_requests: plan.max_requests,
                max_seconds: plan.max_time.as_secs(),
            },
            versions: self.site.take_versions(),
            clocks: self.clocks,
            preconditions,
            journeys: self.journeys,
            discrepancy: self.site.take_discrepancy(),
            steps,
            readings,
            leaks: shown,
            cleanup,
            requests: self.site.budget.sent(),
        };
        // Once more, with everything that was learnt on the way: what a sentence quotes was on a page.
        run.hide(&self.site.redactor);
        run
    }
}

/// What this runs on: the name that the system gives itself, where it gives one, and the processor's.
fn operating_system() -> String {
    let named = std::fs::read_to_string("/etc/os-release").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
        Some(line.trim_matches('"').to_owned())
    });
    format!("{} {}", named.unwrap_or_else(|| std::env::consts::OS.to_owned()), std::env::consts::ARCH)
}
