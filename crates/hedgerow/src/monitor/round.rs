//! The rounds of the monitor: which runs are due, one after the other, and what becomes of each.

use super::Monitor;
use super::account::{self, Reader, Unfit};
use super::refused::{Refused, is_refusal};
use auth::{Clock, Sessions};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use store::fabrics::FabricFilter;
use store::verify_runs::{InARow, NewVerifyRun};
use store::{Fabric, Page, Scope, Store};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
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
    /// The login that was refused, until one is not.
    refused: Option<Refused>,
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
        let telling = TaskTracker::new();
        Self { monitor, store, sessions, clock, stop, telling, unfit: None, refused: None, settled: false }
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
            Err(unfit) => return self.unfit(unfit).await,
        };
        if self.unfit.take().is_some() {
            tracing::info!(username, "the monitor walks again: its account may only look");
        }
        self.read_password();
        let password = &self.monitor.plan.account.password;
        if self.refused.as_ref().is_some_and(|refused| !refused.is_over(password, &reader.user, self.clock.now())) {
            return self.still_refused(false).await;
        }
        let filter = FabricFilter::default();
        let fabrics = self.store.fabrics().list(&reader.scope, &filter, Page::all()).await?.rows;
        let many = fabrics.len() > LISTED;
        // Without a fabric the console as a whole is walked.
        let each = if fabrics.is_empty() { vec![None] } else { fabrics.iter().map(Some).collect() };
        for fabric in each {
            if self.stop.is_cancelled() {
                break;
            }
            let Some(run) = self.walk(&reader, fabric, many).await? else { continue };
            // Who is refused once is refused for every fabric.
            if is_refusal(&run) {
                tracing::warn!(username, run = run.run, "the monitor is not let in: {}", run.sentence);
                let password = &self.monitor.plan.account.password;
                let now = self.clock.now();
                self.refused = Some(Refused::new(run, password, &reader.user, self.refused.as_ref(), now));
                return self.still_refused(fabric.is_none()).await;
            }
            // Of a console that did not answer it is not known whether it would let anybody in.
            let is_in = run.verdict != Mark::Invalid;
            self.keep(run, fabric).await?;
            if !is_in {
                continue;
            }
            if self.refused.take().is_some() {
                tracing::info!(username, "the monitor walks again: it is let in");
            }
            self.settle(fabric).await?;
        }
        Ok(())
    }

    /// A password that was changed is taken without a restart. While the file is being written there may be none in it;
    /// the old one stays then.
    fn read_password(&mut self) {
        if let Ok(password) = super::password(&self.monitor.password_file) {
            self.monitor.plan.account.password = password;
        }
    }

    /// The login was refused, and is not tried again yet. That stands in the list, once for all fabrics; `is_ours` where
    /// the run about none is begun already.
    async fn still_refused(&mut self, is_ours: bool) -> Result<(), store::Error> {
        self.settled = false;
        let Some(refused) = &self.refused else { return Ok(()) };
        if !is_ours && !self.is_due(None).await? {
            return Ok(());
        }
        let username = &self.monitor.plan.account.username;
        let judged = refused.judged(new_id(), username, &self.monitor.password_file, self.clock.now());
        self.keep(judged, None).await
    }

    /// Whether a run is due, and this process the one that makes it.
    async fn is_due(&self, fabric: Option<i64>) -> Result<bool, store::Error> {
        let now = self.clock.now();
        let interval = SignedDuration::try_from(self.monitor.interval).unwrap_or(SignedDuration::MAX);
        let unless_after = now.checked_sub(interval).unwrap_or(Timestamp::MIN);
        self.store.verify_runs().claim(fabric, now, unless_after).await
    }

    /// Nothing is walked with this account. That stands in the list as a run that could not be made.
    async fn unfit(&mut self, unfit: Unfit) -> Result<(), store::Error> {
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

    /// Ends the row of runs that could not be made for want of a fit account or of a login, so that whoever was told is
    /// told. A run about no fabric has ended it already, or goes on with it.
    async fn settle(&mut self, walked: Option<&Fabric>) -> Result<(), store::Error> {
        if std::mem::replace(&mut self.settled, true) || walked.is_none() {
            return Ok(());
        }
        let newest = self.store.verify_runs().newest(&Scope::System, 1).await?;
        if !newest.iter().any(|run| run.fabric_id.is_none() && run.row.count > 0) {
            return Ok(());
        }
        let sentence = "The monitor's account may look again, and nothing else, and it is let in: it walks.".to_owned();
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

    /// Walks once, if a run is due; gives what it found, which is not recorded yet.
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
        // A run that ends before it saw the fabric is about it all the same, and whoever is told must know about which.
        let named = judged.fabric.clone().or_else(|| fabric.map(|fabric| fabric.name.clone()));
        Ok(Some(Judged { fabric: named, ..judged }))
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
