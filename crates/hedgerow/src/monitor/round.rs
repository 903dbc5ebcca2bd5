//! The rounds of the monitor: which runs are due, one after the other, and what becomes of each.

use super::Monitor;
use super::account::{self, Reader, Unfit};
use auth::{Clock, Sessions};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use store::fabrics::FabricFilter;
use store::verify_runs::{InARow, NewVerifyRun};
use store::{Fabric, Page, Scope, Store};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use verify::cause::Cause;
use verify::monitor::{Alert, Event, Judged, Mark, Row, due};
use verify::run::{Runner, Silent};
use verify::site::{Plan, Site};

/// Fabrics that one page of the list shows. Beyond that, a run finds its own by name.
const LISTED: usize = 50;

/// What every round needs.
pub(super) struct Round {
    monitor: Monitor,
    store: Store,
    sessions: Sessions,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    telling: TaskTracker,
    /// What was last said to be wrong with the account, so that it is said once.
    unfit: Option<Unfit>,
    /// Whether it stands in the list that the account is as it should be.
    settled: bool,
}

impl Round {
    pub(super) fn new(
        monitor: Monitor,
        store: Store,
        sessions: Sessions,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) -> Self {
        Self { monitor, store, sessions, clock, stop, telling: TaskTracker::new(), unfit: None, settled: false }
    }

    /// Goes on until it is told to stop. What is due is looked at several times an interval; whether it is, the database
    /// decides.
    pub(super) async fn go_on(mut self) {
        let look = (self.monitor.interval / 4).clamp(Duration::from_millis(100), Duration::from_secs(15));
        let mut looks = tokio::time::interval(look);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                _ = looks.tick() => {}
            }
            // The next look tries again.
            if let Err(error) = store::in_background(self.once()).await {
                tracing::warn!(%error, "the monitor could not read or write the database");
            }
        }
        self.telling.close();
        // Whoever is being told has a moment left.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.telling.wait()).await;
    }

    async fn once(&mut self) -> Result<(), store::Error> {
        let username = self.monitor.plan.account.username.clone();
        let reader = match account::look(&self.store, &username).await? {
            Ok(reader) => reader,
            Err(unfit) => return self.refused(unfit).await,
        };
        if self.unfit.take().is_some() {
            tracing::info!(username, "the monitor walks again: its account may only look");
        }
        self.settle().await?;
        let filter = FabricFilter::default();
        let fabrics = self.store.fabrics().list(&reader.scope, &filter, Page::all()).await?.rows;
        if fabrics.is_empty() {
            return self.walk(&reader, None, false).await.map(drop);
        }
        let many = fabrics.len() > LISTED;
        // A password that is refused once is refused for every fabric: it is not tried again, or the throttle would turn
        // away others who come from the same address.
        let mut refused: Option<Judged> = None;
        for fabric in &fabrics {
            if self.stop.is_cancelled() {
                break;
            }
            match &refused {
                None => {
                    let run = self.walk(&reader, Some(fabric), many).await?;
                    refused = run.filter(|run| run.cause.as_deref() == Some(Cause::BadPassword.code()));
                }
                Some(run) if self.is_due(Some(fabric.id)).await? => {
                    self.keep(Judged { run: new_id(), ..run.clone() }, Some(fabric)).await?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Whether a run is due, and this process the one that makes it.
    async fn is_due(&self, fabric: Option<i64>) -> Result<bool, store::Error> {
        let now = self.clock.now();
        let interval = SignedDuration::try_from(self.monitor.interval).unwrap_or(SignedDuration::MAX);
        let unless_after = now.checked_sub(interval).unwrap_or(Timestamp::MIN);
        self.store.verify_runs().claim(fabric, now, unless_after).await
    }

    /// Nothing is walked with this account. That stands in the list as a run that could not be made.
    async fn refused(&mut self, unfit: Unfit) -> Result<(), store::Error> {
        if self.unfit.as_ref() != Some(&unfit) {
            tracing::warn!(what_to_do = unfit.what_to_do, "{}", unfit.sentence);
            self.unfit = Some(unfit.clone());
        }
        self.settled = false;
        if !self.is_due(None).await? {
            return Ok(());
        }
        let judged = self.without_run(Mark::Invalid, unfit.sentence, Some(unfit.what_to_do));
        self.keep(judged, None).await
    }

    /// Ends the row of runs that could not be made for want of a fit account, so that whoever was told is told.
    async fn settle(&mut self) -> Result<(), store::Error> {
        if std::mem::replace(&mut self.settled, true) {
            return Ok(());
        }
        let newest = self.store.verify_runs().newest(&Scope::System, 1).await?;
        if !newest.iter().any(|run| run.fabric_id.is_none() && run.row.count > 0) {
            return Ok(());
        }
        let sentence = "The monitor's account may look again, and nothing else: it walks.".to_owned();
        self.keep(self.without_run(Mark::Unverified, sentence, None), None).await
    }

    /// What is known without having walked.
    fn without_run(&self, verdict: Mark, sentence: String, what_to_do: Option<String>) -> Judged {
        let now = self.clock.now();
        Judged {
            run: new_id(),
            target: self.monitor.plan.target.to_string(),
            fabric: None,
            verdict,
            sentence,
            cause: None,
            failure_point: None,
            what_to_do,
            started: now,
            ended: now,
            journeys: Vec::new(),
        }
    }

    /// Walks once, if a run is due; gives what it found.
    async fn walk(&self, reader: &Reader, fabric: Option<&Fabric>, many: bool) -> Result<Option<Judged>, store::Error> {
        if !self.is_due(fabric.map(|fabric| fabric.id)).await? {
            return Ok(None);
        }
        let plan = self.plan(fabric, many);
        let id = plan.id.clone();
        let (mut runner, mut nobody) = (Runner::new(Site::new(plan, None)), Silent);
        let ended = tokio::select! {
            ended = runner.walk(&mut nobody) => Some(ended),
            () = self.stop.cancelled() => None,
        };
        runner.clean().await;
        let interrupted = ended.is_none();
        let run = runner.finish(ended.flatten(), interrupted);
        self.end_sessions(reader, &id).await;
        let Some(judged) = Judged::of(&run) else { return Ok(None) };
        self.keep(judged.clone(), fabric).await?;
        Ok(Some(judged))
    }

    /// The run about one fabric.
    fn plan(&self, fabric: Option<&Fabric>, many: bool) -> Plan {
        let mut plan = self.monitor.plan.clone();
        plan.id = new_id();
        plan.fabric = fabric.map(|fabric| fabric.name.clone());
        if let Some(fabric) = fabric.filter(|_| many) {
            let query: String = url::form_urlencoded::byte_serialize(fabric.name.as_bytes()).collect();
            plan.profile.fabrics.address.push_str(&format!("?q={query}"));
        }
        plan
    }

    /// Ends what the run could not log out of by itself, because the console does not answer, or ends.
    async fn end_sessions(&self, reader: &Reader, run: &str) {
        let left = async {
            let sessions = self.store.sessions().list_of_user(reader.user.id).await?;
            let of_run = sessions.iter().filter(|one| one.ended_at.is_none() && one.user_agent.contains(run));
            for session in of_run {
                self.sessions.revoke(session.id, "monitor").await?;
            }
            Ok::<_, store::Error>(())
        };
        if let Err(error) = left.await {
            tracing::warn!(%error, run, "a session of the monitor may be open still; it ends at its limits");
        }
    }

    /// Records what a run found, and tells somebody when that is due.
    async fn keep(&self, judged: Judged, fabric: Option<&Fabric>) -> Result<(), store::Error> {
        let new = NewVerifyRun {
            run_id: judged.run.clone(),
            fabric_id: fabric.map(|fabric| fabric.id),
            started_at: judged.started,
            ended_at: judged.ended,
            verdict: judged.verdict.code().to_owned(),
            is_good: judged.verdict.is_good(),
            sentence: judged.sentence.clone(),
            cause: judged.cause.clone(),
            failure_point: judged.failure_point,
            what_to_do: judged.what_to_do.clone(),
            journeys: serde_json::to_value(&judged.journeys).unwrap_or_default(),
        };
        // A fabric that was deleted meanwhile has no runs.
        if let Some(fabric) = fabric
            && matches!(self.store.fabrics().get(&Scope::System, fabric.id).await, Err(store::Error::NotFound(_)))
        {
            return Ok(());
        }
        let recorded = self.store.verify_runs().record(&new, self.monitor.keep).await?;
        let name = fabric.map(|fabric| fabric.name.clone()).unwrap_or_default();
        metrics::verify_ended(name.clone(), judged.verdict.code());
        let (before, after) = (row(recorded.before), row(recorded.after));
        let Some(event) = due(before, after, self.monitor.alert_after) else { return Ok(()) };
        let of = match event {
            Event::Failing => {
                tracing::warn!(fabric = name, runs = after.count, run = judged.run, "verify: {}", judged.sentence);
                after
            }
            Event::Recovered => {
                tracing::info!(fabric = name, runs = before.count, run = judged.run, "verify: it is good again");
                before
            }
        };
        self.tell(event, judged, of, fabric);
        Ok(())
    }

    /// Tells the webhook, beside everything else.
    fn tell(&self, event: Event, judged: Judged, of: Row, fabric: Option<&Fabric>) {
        let Some(webhook) = self.monitor.webhook.clone() else { return };
        let path = fabric.map_or_else(|| "verify/".to_owned(), |fabric| format!("fabrics/{}/verify/", fabric.id));
        let page = self.monitor.plan.target.join(&path).map(String::from).ok();
        let redactor = verify::site::redactor(&self.monitor.plan);
        let alert = Alert::of(event, &judged, of, page.as_deref()).hidden(&redactor);
        self.telling.spawn(async move {
            if let Err(error) = webhook.send(&alert).await {
                tracing::warn!(%error, run = alert.run, "nobody was told what verify found");
            }
        });
    }
}

fn row(row: InARow) -> Row {
    Row { count: row.count, since: row.since }
}

fn new_id() -> String {
    crate::commands::run_id()
}
