//! The task that watches one fabric: it reads every stream, keeps the index, lets it be compared soon after something
//! changed, and notes now and then that nothing did.

use super::index::{Change, KindId};
use super::{Standing, Watched};
use crate::comparing::{self, Asking, Compared, Depth, Input};
use crate::observing::Observation;
use crate::retrying::Retrying;
use crate::verbs::{check_identity, prune};
use crate::{Event, Shared};
use cluster::{ErrorKind, Watch, WatchEvent, WatchLimits};
use futures::StreamExt;
use futures::stream::{self, BoxStream, SelectAll};
use model::Code;
use model::operation::Trigger;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use store::Fabric;
use tokio::time::{Instant, sleep_until};

/// After a change the next ones are waited for this long, because seldom one comes alone; in a storm no longer than
/// the second.
const TOGETHER: Duration = Duration::from_millis(80);
const LATEST: Duration = Duration::from_millis(250);
/// A comparison of what changed is followed by twice its own time of rest, up to this: a storm takes a third of a core.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// Rules and agents are asked about the whole no more often than this, and take a tenth of a core at most; in between
/// only what changed is judged.
const WHOLE_EACH: Duration = Duration::from_secs(5);
const WHOLE_REST: u32 = 9;
/// While a run of this process writes to the fabric, what changes is mostly its own doing, and comparing would take time
/// from it: so long apart then.
const WHILE_WRITTEN: Duration = Duration::from_secs(5);
/// How often it is noted that nothing has changed, and what agents report.
const BEAT: Duration = Duration::from_secs(10);
/// A report of an agent is noted this soon.
const REPORT: Duration = Duration::from_millis(300);
/// The server is asked to confirm differences when nothing has changed for this long, and no more often than the second.
const QUIET: Duration = Duration::from_millis(700);
const CONFIRM_EACH: Duration = Duration::from_secs(10);
/// After a failure, the next try.
const AGAIN: Duration = Duration::from_secs(5);
/// Old comparisons are deleted after so many new ones.
const PRUNE_AFTER: u32 = 50;

type Told = (KindId, Result<WatchEvent, cluster::Error>);

struct Watcher {
    shared: Arc<Shared>,
    fabric: Fabric,
    watched: Arc<Watched>,
    streams: SelectAll<BoxStream<'static, Told>>,
    /// The kinds that have a stream, open or on its way.
    open: HashSet<KindId>,
    /// Which beginning of the index the streams are of.
    beginning: u64,
    /// When the first and the last change came that are not compared yet.
    changed: Option<(Instant, Instant)>,
    /// The stored comparison that says what the index holds.
    says_it: Option<i64>,
    /// Whether rules and agents have to be asked about the whole.
    owes_the_whole: bool,
    /// From when on they may be.
    whole_at: Instant,
    rest_until: Instant,
    /// When the last comparison of what the watches saw began.
    compared_at: Instant,
    /// What differed last, to be confirmed by the server when it has become quiet.
    to_confirm: Option<(Instant, Compared)>,
    /// When it was last asked to.
    confirmed_at: Instant,
    /// What agents have told that is not stored yet.
    agents: Change,
    beat: Duration,
    beat_at: Instant,
    /// Whether some stream broke that is not open again.
    interrupted: bool,
    /// Whether lists were asked for, because the watches alone cannot tell what is newer.
    doubted: bool,
    /// Whether another cluster may answer than before.
    identity_due: bool,
    stored: u32,
}

/// Watches a fabric until it is told to stop.
pub(super) async fn run(shared: Arc<Shared>, fabric: Fabric, watched: Arc<Watched>) {
    let (stopping, stop) = (shared.stopping.clone(), watched.stop.clone());
    let beat = BEAT.min(shared.settings.freshness / 6).max(REPORT);
    let now = Instant::now();
    let mut watcher = Watcher {
        shared,
        fabric,
        watched,
        streams: SelectAll::new(),
        open: HashSet::new(),
        beginning: 0,
        changed: None,
        says_it: None,
        owes_the_whole: false,
        whole_at: now,
        rest_until: now,
        compared_at: now,
        to_confirm: None,
        confirmed_at: now.checked_sub(CONFIRM_EACH).unwrap_or(now),
        agents: Change::Nothing,
        beat,
        beat_at: now + beat,
        interrupted: false,
        doubted: false,
        identity_due: false,
        stored: 0,
    };
    let work = async {
        loop {
            watcher.step().await;
        }
    };
    tokio::select! {
        () = stopping.cancelled() => {}
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// The stream of a watch; it ends with what only a change of settings or rights can mend.
fn told_by(watch: Watch, id: KindId) -> BoxStream<'static, Told> {
    let step = move |watch: Option<Watch>| {
        let id = id.clone();
        async move {
            let mut watch = watch?;
            let told = watch.next().await;
            let goes_on = !told.as_ref().is_err_and(is_final);
            Some(((id, told), goes_on.then_some(watch)))
        }
    };
    stream::unfold(Some(watch), step).boxed()
}

fn is_final(error: &cluster::Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::Unauthorized | ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::Rejected | ErrorKind::Config
    )
}

impl Watcher {
    async fn step(&mut self) {
        let compare_at = self.compare_at();
        let is_written = self.watched.written_since().is_some();
        let confirm_at = self.to_confirm.as_ref().map(|(at, _)| *at).filter(|_| !is_written);
        let at = |at: Option<Instant>| sleep_until(at.unwrap_or_else(Instant::now));
        tokio::select! {
            () = self.watched.news.notified() => self.look().await,
            Some(told) = self.streams.next(), if !self.streams.is_empty() => self.take(told),
            () = at(compare_at), if compare_at.is_some() => self.compare().await,
            () = at(confirm_at), if confirm_at.is_some() => self.confirm(),
            () = sleep_until(self.beat_at) => self.beat().await,
        }
    }

    /// When the next comparison is due.
    fn compare_at(&self) -> Option<Instant> {
        let changed = self.changed.map(|(first, last)| (last + TOGETHER).min(first + LATEST));
        let whole = self.owes_the_whole.then_some(self.whole_at);
        let due = changed.into_iter().chain(whole).min()?;
        let written = self.watched.written_since().map(|since| since.max(self.compared_at) + WHILE_WRITTEN);
        Some(due.max(self.rest_until).max(written.unwrap_or(due)))
    }

    fn touch(&mut self) {
        let now = Instant::now();
        let first = self.changed.map_or(now, |(first, _)| first);
        self.changed = Some((first, now));
        self.says_it = None;
    }

    /// Something was listed or compared elsewhere: streams are opened that are missing, and the index is compared with
    /// what is stored now.
    async fn look(&mut self) {
        let (beginnings, compared) = {
            let mut state = self.watched.lock();
            (state.beginnings, std::mem::take(&mut state.compared))
        };
        if beginnings != self.beginning {
            self.beginning = beginnings;
            self.streams = SelectAll::new();
            self.open.clear();
        }
        if compared {
            self.touch();
        }
        let Ok(cluster) = self.shared.cluster(&self.fabric).await else { return };
        let state = self.watched.lock();
        let Some(index) = &state.index else { return };
        for (id, version) in index.versions().filter(|(id, _)| !self.open.contains(*id)) {
            if let Some(kind) = index.kinds().find(&id.0, &id.1) {
                let from = Some(version.to_owned());
                let watch = cluster.watch(kind, &self.fabric.namespace, from, WatchLimits::default());
                self.streams.push(told_by(watch, id.clone()));
            }
        }
        self.open = index.versions().map(|(id, _)| id.clone()).collect();
    }

    fn take(&mut self, (id, told): Told) {
        let now = self.shared.now();
        let mut state = self.watched.lock();
        let standing = state.standing.is_some();
        let Some(index) = &mut state.index else { return };
        match told {
            Ok(event) => {
                let change = index.apply(&id, event, now);
                let is_back = self.interrupted && index.is_whole();
                let is_doubted = index.is_doubted();
                drop(state);
                if is_doubted && !self.doubted {
                    self.shared.schedule.now(self.fabric.id);
                }
                self.doubted = is_doubted;
                match change {
                    Change::Content => self.touch(),
                    Change::Report if self.agents < Change::Report => self.beat_at = Instant::now() + REPORT,
                    _ => {}
                }
                self.agents = self.agents.max(change);
                if is_back {
                    self.interrupted = false;
                    tracing::info!(fabric = self.fabric.id, "every watch of the fabric stands again");
                    if !standing {
                        self.shared.schedule.now(self.fabric.id);
                    }
                }
            }
            Err(e) => {
                index.ended(&id);
                drop(state);
                self.identity_due = true;
                if is_final(&e) {
                    self.open.remove(&id);
                }
                if !std::mem::replace(&mut self.interrupted, true) {
                    tracing::info!(fabric = self.fabric.id, code = %e.code(), error = %e, "a watch of the fabric was interrupted");
                    // What only somebody can mend is said at once, by a comparison that fails on it.
                    if is_final(&e) {
                        self.shared.schedule.now(self.fabric.id);
                    }
                }
            }
        }
    }

    /// What is known, and what it is compared with; `None` while the last comparison failed: then the next whole one
    /// says how things stand.
    fn known(&self) -> Option<(Arc<Observation>, Standing)> {
        let state = self.watched.lock();
        Some((Arc::new(state.index.as_ref()?.observation(self.shared.now())), state.standing.clone()?))
    }

    /// After streams broke, whoever answers has to prove again which cluster it is.
    async fn is_the_same_cluster(&mut self) -> bool {
        if !self.identity_due {
            return true;
        }
        let proved = async {
            let cluster = self.shared.cluster(&self.fabric).await?;
            check_identity(&self.shared, &self.fabric, &cluster, Retrying::NEVER).await
        };
        match proved.await {
            Ok(()) => self.identity_due = false,
            Err(e) => {
                tracing::debug!(fabric = self.fabric.id, error = %e, "the watched cluster did not prove who it is");
                self.rest_until = Instant::now() + AGAIN;
                // Whoever does not answer is asked again, and its streams go on where they were: that is no reason to
                // list everything. An answer that is no proof is for a comparison to say.
                if !crate::schedule::is_silent(e.code) && e.code != Code::StoreUnavailable {
                    self.shared.schedule.now(self.fabric.id);
                }
            }
        }
        !self.identity_due
    }

    async fn compare(&mut self) {
        if !self.is_the_same_cluster().await {
            return;
        }
        self.changed = None;
        // Nothing has to be compared twice: what stands in the way of this ends with a comparison of somebody else's.
        let Some((observation, standing)) = self.known() else {
            self.owes_the_whole = false;
            return;
        };
        let depth = if self.owes_the_whole && Instant::now() >= self.whole_at { Depth::News } else { Depth::Changes };
        let input = Input {
            fabric: &self.fabric,
            operation_id: None,
            trigger: Trigger::Schedule,
            desired: &standing.desired,
            observation: &observation,
            problems: standing.problems,
        };
        let began = Instant::now();
        self.compared_at = began;
        let found = comparing::compare_news(&self.shared, input, depth).await;
        let now = Instant::now();
        let took = now - began;
        if depth == Depth::Changes {
            self.rest_until = now + (took * 2).min(LONGEST_REST);
        }
        let found = match found {
            Ok(found) => found,
            Err(e) => {
                tracing::warn!(fabric = self.fabric.id, error = %e, "what a watch saw could not be compared; trying again");
                self.touch();
                self.rest_until = now + AGAIN;
                return;
            }
        };
        if found.is_outdated {
            self.touch();
            return;
        }
        self.owes_the_whole = found.owes_the_whole;
        if !found.owes_the_whole {
            self.whole_at = now + WHOLE_EACH.max(took * WHOLE_REST);
        }
        self.says_it = found.says_it;
        let Some(compared) = found.compared else {
            if found.says_it.is_none() {
                // A newer reading is stored that the index does not know of; it will.
                self.touch();
                self.rest_until = now + AGAIN;
            }
            return;
        };
        if let Err(e) = crate::schedule::automatic::compared(&self.shared, &self.fabric, &compared).await {
            tracing::warn!(fabric = self.fabric.id, error = %e, "what the policy says could not be done; it is tried again");
        }
        let at = (now + QUIET).max(self.confirmed_at + CONFIRM_EACH);
        self.to_confirm = (!compared.differing.is_empty()).then(|| (at, compared.differences()));
        self.stored += 1;
        if self.stored >= PRUNE_AFTER {
            self.stored = 0;
            if let Err(e) = prune(&self.shared, self.fabric.id).await {
                tracing::warn!(fabric = self.fabric.id, error = %e, "old comparisons could not be deleted");
            }
        }
    }

    /// Lets the server confirm what differs, beside the streams: they are not to wait for it.
    fn confirm(&mut self) {
        let Some((_, compared)) = self.to_confirm.take() else { return };
        self.confirmed_at = Instant::now();
        let (shared, fabric, watched) = (self.shared.clone(), self.fabric.clone(), self.watched.clone());
        self.shared.tasks.spawn(async move {
            let asking = async {
                let Ok(cluster) = shared.cluster(&fabric).await else { return };
                if comparing::confirm(&shared, &cluster, &compared, fabric.id, Asking::Differing).await {
                    watched.lock().compared = true;
                    watched.news.notify_one();
                }
            };
            tokio::select! {
                () = shared.stopping.cancelled() => {}
                () = watched.stop.cancelled() => {}
                () = asking => {}
            }
        });
    }

    /// Notes what agents report, and that what was last found holds still.
    async fn beat(&mut self) {
        self.beat_at = Instant::now() + self.beat;
        let known = {
            let state = self.watched.lock();
            let is_free = state.standing.is_some() && !state.compared;
            state.index.as_ref().map(|index| (index.proof(), index.proof_of_agents(), index.agents(), is_free))
        };
        let Some((proof, proof_of_agents, agents, is_free)) = known else { return };
        if !is_free || !self.is_the_same_cluster().await {
            return;
        }
        let (store, id) = (&self.shared.store, self.fabric.id);
        let told = std::mem::replace(&mut self.agents, Change::Nothing);
        if told >= Change::Heartbeat
            && let Some(agents) = agents
        {
            let rows = comparing::agent_rows(&agents, proof_of_agents);
            match store.agents().replace(id, &rows).await {
                Ok(()) if told >= Change::Report => self.shared.events.send(id, Event::Changed),
                Ok(()) => {}
                Err(e) => tracing::warn!(fabric = id, error = %e, "what the agents report could not be stored"),
            }
        }
        if let Some(comparison) = self.says_it
            && let Err(e) = store.comparisons().still_holds(id, comparison, proof).await
        {
            tracing::warn!(fabric = id, error = %e, "that nothing has changed could not be stored");
        }
    }
}
