//! A run: preconditions, the fabric, the journeys one after the other, and what it comes to.

use crate::cause::Cause;
use crate::effect;
use crate::journeys::{self, Journey};
use crate::leaks;
use crate::obstacle::Obstacle;
use crate::recorder::millis;
use crate::results::{Check, Clock, Conditions, Finding, JourneyResult, Run, SCHEMA, Target, Version};
use crate::scene::Scene;
use crate::site::{DriverKind, FabricRef, Site};
use crate::stop::Stop;
use crate::verdict::{RunVerdict, Verdict};
use jiff::Timestamp;
use serde_json::json;
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

/// A journey under way.
struct UnderWay {
    journey: &'static Journey,
    kind: DriverKind,
    started: Timestamp,
    clock: Instant,
    first_step: usize,
}

impl UnderWay {
    fn new(journey: &'static Journey, kind: DriverKind, site: &Site) -> Self {
        let first_step = site.recorder.count();
        Self { journey, kind, started: Timestamp::now(), clock: Instant::now(), first_step }
    }

    /// What is known of it when the run was ended in its middle.
    fn cut_off(self, steps: usize) -> JourneyResult {
        JourneyResult {
            name: self.journey.name.into(),
            proves: self.journey.proves.into(),
            driver: self.kind.name().into(),
            verdict: Verdict::Inconclusive,
            verified: None,
            sentence: "The run was ended from outside before it was over.".into(),
            finding: None,
            checks: Vec::new(),
            measured: Vec::new(),
            started: self.started,
            ms: millis(self.clock.elapsed()),
            first_step: self.first_step,
            steps: steps.saturating_sub(self.first_step),
        }
    }
}

/// A run under way.
pub struct Runner {
    site: Site,
    started: Timestamp,
    clock: Instant,
    versions: Vec<Version>,
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
        let versions = vec![
            Version { of: "verify".into(), version: env!("CARGO_PKG_VERSION").into() },
            Version {
                of: "operating system".into(),
                version: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            },
        ];
        Self {
            site,
            started: Timestamp::now(),
            clock: Instant::now(),
            versions,
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

    /// The preconditions: the oracles answer, the target is what the profile says, the user can log in, and there is a
    /// fabric.
    async fn begin(&mut self) -> Result<(), Stop> {
        self.site.recorder.begin("");
        let uid = self.ask_oracles().await?;
        let Some(kind) = self.site.plan.drivers.first().copied() else {
            return Err(Stop::Inconclusive("No driver was chosen.".to_owned()));
        };
        let mut scene = Scene::new(&self.site, kind);
        let found = prepare(&mut scene, uid.as_deref()).await;
        self.preconditions.append(&mut scene.checks);
        let (fabric, namespace, product) = found?;
        self.product = product;
        self.clocks.extend(target_clock(&self.site));
        if self.site.namespace.is_none() {
            self.site.namespace = namespace;
        }
        self.site.fabric = fabric;
        let mut scene = Scene::new(&self.site, kind);
        let left = effect::left_by_others(&mut scene).await;
        self.preconditions.append(&mut scene.checks);
        left
    }

    async fn ask_oracles(&mut self) -> Result<Option<String>, Stop> {
        let recorder = self.site.recorder.clone();
        let mut uid = None;
        if let Some(cluster) = &self.site.plan.cluster {
            let unusable = |error: &dyn std::fmt::Display| {
                Stop::invalid(
                    Cause::OracleUnusable,
                    "the oracle reaches the cluster that it was given",
                    error.to_string(),
                )
            };
            let version = cluster.version().await.map_err(|error| unusable(&error))?;
            recorder.reading(
                &version.reading.from,
                &version.reading.asked,
                &version.reading.found.to_string(),
                json!(null),
            );
            self.versions.push(Version { of: "cluster".into(), version: version.value.git_version.clone() });
            let identity = cluster.identity().await.map_err(|error| unusable(&error))?;
            recorder.reading(
                &identity.reading.from,
                &identity.reading.asked,
                &identity.reading.found.to_string(),
                json!(null),
            );
            uid = identity.value;
        }
        if let Some(git) = &self.site.plan.git {
            let read = git.read().await.map_err(|error| {
                Stop::invalid(
                    Cause::OracleUnusable,
                    "the oracle can clone the repository that it was given",
                    error.to_string(),
                )
            })?;
            recorder.reading(&read.reading.from, &read.reading.asked, &read.reading.found.to_string(), json!(null));
            self.site.git_head = Some(read.value.commit);
        }
        if let Some(database) = &self.site.plan.database {
            let read = database.one("SELECT 1").await.map_err(|error| {
                Stop::invalid(
                    Cause::OracleUnusable,
                    "the oracle can read the database that it was given",
                    error.to_string(),
                )
            })?;
            recorder.reading(&read.reading.from, &read.reading.asked, &read.reading.found.to_string(), json!(null));
        }
        Ok(uid)
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
        // What an answer shows is a failure of whatever journey met it; of the first, where the preconditions did.
        let leaks = self.site.redactor.leaks();
        let walked = match (walked, leaks.get(self.leaks_told.load(Ordering::Relaxed))) {
            (Ok(()) | Err(Stop::Inconclusive(_)), Some(leak)) => {
                self.leaks_told.store(leaks.len(), Ordering::Relaxed);
                Err(scene.failed(Cause::SecretShown, leaks::NONE, leak.to_string()))
            }
            (walked, _) => walked,
        };
        let (verdict, sentence, finding) = judge(&walked, scene.verified, &scene.checks);
        let mut result = JourneyResult {
            name: journey.name.into(),
            proves: journey.proves.into(),
            driver: kind.name().into(),
            verdict,
            verified: scene.verified,
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
            versions: self.versions,
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

fn judge(walked: &Result<(), Stop>, verified: Option<bool>, checks: &[Check]) -> (Verdict, String, Option<Finding>) {
    match walked {
        Ok(()) if verified == Some(false) => {
            let open = checks.iter().rev().find(|check| check.held.is_none());
            let why = open.map_or("", |check| check.observed.as_str());
            (
                Verdict::Inconclusive,
                format!("Not verified: {why}. What the page says was seen, and not what is true."),
                None,
            )
        }
        Ok(()) => match checks.iter().find(|check| check.held.is_none()) {
            Some(open) => {
                let sentence =
                    format!("What could be told was seen to hold. Not told: {} ({}).", open.expected, open.observed);
                (Verdict::Pass, sentence, None)
            }
            None => (Verdict::Pass, "Everything that it proves was seen to hold.".to_owned(), None),
        },
        Err(Stop::Fail(finding)) => {
            (Verdict::Fail, format!("{}: {}", finding.cause.title(), finding.observed), Some((**finding).clone()))
        }
        Err(Stop::Invalid(finding)) => (
            Verdict::Inconclusive,
            format!("A precondition does not hold. {}: {}", finding.cause.title(), finding.observed),
            Some((**finding).clone()),
        ),
        Err(Stop::Inconclusive(why) | Stop::Mismatch(why)) => (Verdict::Inconclusive, why.clone(), None),
        Err(Stop::Skipped(why)) => (Verdict::Skipped, why.clone(), None),
    }
}

fn conclude(
    journeys: &[JourneyResult],
    stop: Option<Stop>,
    interrupted: bool,
) -> (RunVerdict, String, Option<Finding>) {
    if interrupted {
        return (RunVerdict::Interrupted, "The run was ended from outside before it was over.".to_owned(), None);
    }
    // What was found stays found, whatever ended the run after it.
    let has_failed = journeys.iter().any(|one| one.verdict == Verdict::Fail);
    match stop.filter(|_| !has_failed) {
        Some(Stop::Mismatch(why)) => return (RunVerdict::Mismatch, why, None),
        Some(Stop::Invalid(finding) | Stop::Fail(finding)) => {
            let judged = match journeys.iter().filter(|one| one.verdict == Verdict::Pass).count() {
                0 => "Nothing was judged".to_owned(),
                passed => format!("After {passed} that passed, nothing more was judged"),
            };
            let sentence = format!(
                "{judged}, because a precondition does not hold. {}: {}",
                finding.cause.title(),
                finding.observed
            );
            return (RunVerdict::Invalid, sentence, Some(*finding));
        }
        Some(Stop::Inconclusive(why) | Stop::Skipped(why)) => return (RunVerdict::Inconclusive, why, None),
        None => {}
    }
    let count = |verdict: Verdict| journeys.iter().filter(|one| one.verdict == verdict).count();
    let verdict = RunVerdict::of(journeys.iter().map(|one| one.verdict));
    let counts = format!(
        "{} passed, {} failed, {} inconclusive, {} skipped",
        count(Verdict::Pass),
        count(Verdict::Fail),
        count(Verdict::Inconclusive),
        count(Verdict::Skipped)
    );
    let first = journeys.iter().find(|one| one.verdict == Verdict::Fail);
    let sentence = match (verdict, first) {
        (RunVerdict::Fail, Some(first)) => format!("{counts}. First, {}: {}", first.name, first.sentence),
        (RunVerdict::Inconclusive, _) => match journeys.iter().find(|one| one.verdict == Verdict::Inconclusive) {
            Some(open) => format!("{counts}. Not told, {}: {}", open.name, open.sentence),
            None => format!("{counts}. Nothing was judged."),
        },
        _ => format!("{counts}."),
    };
    (verdict, sentence, first.and_then(|first| first.finding.clone()))
}

/// Logs in once, recognises the target, and finds the fabric.
async fn prepare(
    scene: &mut Scene<'_>,
    uid: Option<&str>,
) -> Result<(Option<FabricRef>, Option<String>, String), Stop> {
    let mut visitor = scene.user().await?;
    let profile = scene.profile();
    let list = visitor.open(&profile.fabrics.address).await?;
    scene.shown_by(&visitor);
    if list.status == 404 {
        return Err(Stop::Mismatch(format!(
            "{} is not {}: it has no {}, where the profile {} finds the fabrics. It answers {}.",
            scene.site.plan.target,
            profile.product,
            profile.fabrics.address,
            profile.name,
            crate::scene::says(&list)
        )));
    }
    let expected = "the list of fabrics answers who is logged in";
    if scene.is_login(&list) {
        return Err(scene.invalid(Cause::NoSession, expected, crate::scene::says(&list)));
    }
    if list.status != 200 {
        let cause = match list.status {
            401 => Cause::NoSession,
            403 => Cause::Permission,
            500.. => Cause::ServerError,
            _ => Cause::BrokenPage,
        };
        return Err(scene.invalid(cause, expected, crate::scene::says(&list)));
    }
    let wanted = scene.site.plan.fabric.clone();
    // Further pages are read for the one that was named, and in search of the oracle's cluster.
    let is_it = |fabric: &FabricRef| match &wanted {
        Some(wanted) => fabric.name == *wanted || fabric.id == *wanted,
        None => uid.is_none() || profile.fabric.cluster_uid.is_none(),
    };
    let (rows, _) = crate::fabrics::until(&mut visitor, list, &profile, is_it).await?;
    let mut found: Vec<FabricRef> = rows.into_iter().map(|(fabric, _)| fabric).collect();
    if let Some(wanted) = &wanted {
        let names: Vec<String> = found.iter().map(|fabric| fabric.name.clone()).collect();
        found.retain(is_it);
        if found.is_empty() {
            let observed = match names.as_slice() {
                [] => "it shows this user none".to_owned(),
                names => format!("it shows {}", names.join(", ").chars().take(300).collect::<String>()),
            };
            return Err(scene.invalid(Cause::FabricUnknown, &format!("the list of fabrics shows {wanted}"), observed));
        }
    }
    let (fabric, namespace) = crate::fabrics::choose(scene, &mut visitor, found, uid).await?;
    visitor.close().await;
    Ok((fabric, namespace, profile.product.clone()))
}

/// What the target's clock said in the newest answer.
fn target_clock(site: &Site) -> Option<Clock> {
    let steps = site.recorder.steps_from(0);
    let exchange = steps.iter().flat_map(|step| &step.exchanges).rev().find(|one| one.status != 0)?;
    let date = exchange.response_headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("date"))?;
    let said = jiff::fmt::rfc2822::parse(&date.1).ok()?.timestamp();
    let half = i64::try_from(exchange.ms / 2).unwrap_or(0);
    let ours = exchange.started + jiff::SignedDuration::from_millis(half);
    let ahead_ms = i64::try_from(said.duration_since(ours).as_millis()).unwrap_or(i64::MAX);
    Some(Clock { of: "target".into(), said, ours, ahead_ms })
}

/// What a step that could not be taken means before anything was judged.
impl From<&Obstacle> for Cause {
    fn from(obstacle: &Obstacle) -> Self {
        match obstacle {
            Obstacle::NoAnswer { .. } => Self::Transport,
            Obstacle::Cookie { .. } => Self::NoSession,
            Obstacle::Missing(_) => Self::ControlMissing,
            Obstacle::Unusable(_) => Self::ControlDead,
            _ => Self::BrokenPage,
        }
    }
}
