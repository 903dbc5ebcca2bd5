//! The engine: the four verbs, the operations that carry them, what happens by itself, the watches, and the one answer
//! to "how does this fabric stand?".
//!
//! Pages and scripts ask through [`Engine`]. An operation is a row in the store from its first moment to its last;
//! whoever asked may go away. The engine never holds a database transaction across a network call.

mod adopting;
mod aging;
mod applying;
mod blocking;
mod causes;
mod comparing;
mod connections;
mod ending;
mod error;
mod events;
mod findings;
mod leases;
mod metering;
mod noting;
mod observing;
mod overview;
mod places;
mod preflight;
mod pruning;
mod queue;
mod read_kinds;
mod retrying;
mod reviewing;
mod run;
mod schedule;
mod selecting;
mod server_view;
mod settings;
mod source_head;
mod too_soon;
mod verbs;
mod watching;

pub use adopting::{Adoption, Left, NewFile};
pub use error::Error;
pub use events::Event;
pub use observing::Problem;
pub use overview::{ConnectionCheck, Overview, SwitchRow};
pub use pruning::{Hindrance, PrunePlan};
pub use read_kinds::columns;
pub use reviewing::{Remark, Review, ReviewCounts};
pub use schedule::{Automation, LastRun, Standoff};
pub use server_view::ServerView;
pub use settings::{Settings, source_dir};

use model::operation::{Trigger, Verb};
use model::policy::Suspension;
use model::sync_options::SyncOptions;
use secrecy::SecretString;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::operations::{CancelRequest, Lease};
use store::{Author, NewOperation, Operation, Scope, Sealed, Store};
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What time it is. Tests bring their own.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// Opens a sealed secret of a fabric: fabric id, column, sealed bytes. The error says why without saying what.
pub type Unseal = Arc<dyn Fn(i64, &'static str, &Sealed) -> Result<SecretString, String> + Send + Sync>;

/// Somebody asks for a verb on a fabric.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which fabric.
    pub fabric_id: i64,
    /// What to do.
    pub verb: Verb,
    /// Who asks, as it will stand in the operation for ever.
    pub actor: String,
    /// The account of whoever asks; `None` for the system itself.
    pub actor_user_id: Option<i64>,
    /// How it was asked.
    pub trigger: Trigger,
    /// The id of the request, which stands in the log and in the answer too.
    pub request_id: String,
    /// The same key gives the same operation.
    pub idempotency_key: Option<String>,
    /// The comparison that the page showed: what changed in the cluster after it is not overwritten.
    pub shown_comparison: Option<i64>,
    /// What it is about and how far it may go.
    pub options: SyncOptions,
}

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// A new operation, which begins now.
    New,
    /// A new operation, which waits for another one that writes to the same fabric.
    Queued,
    /// The same was asked before and is not done yet; this is that operation.
    AlreadyRunning,
    /// The same key was used before; this is the operation that it got.
    SameKey,
}

/// The operation that answers a request.
#[derive(Debug, Clone)]
pub struct Requested {
    /// The operation; it may be one that runs already.
    pub operation: Operation,
    /// How the request was answered.
    pub disposition: Disposition,
}

/// How long the remote may take to say what its branch's newest commit is, when that is all somebody waits for.
const NEWEST_WITHIN: Duration = Duration::from_secs(4);

/// Whether a run has written all that it will: it reads again, or follows the switches.
pub(crate) fn has_written(operation: &Operation) -> bool {
    use model::operation::{Phase, PhaseState};
    let began = |phase| operation.phases.iter().any(|p| p.phase == phase && p.state != PhaseState::Waiting);
    began(Phase::Verify) || began(Phase::Rollout)
}

/// What the parts of the engine share.
pub(crate) struct Shared {
    store: Store,
    unseal: Unseal,
    settings: Settings,
    clock: Clock,
    lease: Lease,
    connections: connections::Connections,
    memories: comparing::Memories,
    events: events::Events,
    schedule: schedule::Schedule,
    leases: leases::Watch,
    places: places::Places,
    notes: noting::Notes,
    ages: aging::Ages,
    metering: metering::Metering,
    watching: watching::Watching,
    cancelled_by: Mutex<HashMap<i64, String>>,
    wake: Notify,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Shared {
    /// What time it is.
    fn now(&self) -> jiff::Timestamp {
        (self.clock)()
    }

    /// Lets go of a fabric that is deleted, and removes its repository.
    async fn forget_fabric(&self, fabric_id: i64) {
        self.connections.forget(fabric_id);
        self.watching.forget(fabric_id);
        self.schedule.forget(fabric_id);
        self.places.forget(fabric_id);
        self.memories.forget(fabric_id);
        self.notes.forget(fabric_id);
        self.ages.forget(fabric_id);
        let dir = self.source_dir(fabric_id);
        if let Err(e) = tokio::fs::remove_dir_all(&dir).await
            && e.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(fabric = fabric_id, error = %e, "the deleted fabric's repository could not be removed");
        }
        self.events.send(fabric_id, Event::Changed);
    }

    /// Ends an operation that runs in this process, whatever it is doing.
    fn cancel_here(&self, operation_id: i64, by: &str) {
        if self.places.runs(operation_id) {
            let mut notes = self.cancelled_by.lock().unwrap_or_else(PoisonError::into_inner);
            notes.entry(operation_id).or_insert_with(|| by.to_owned());
            drop(notes);
            self.places.cancel(operation_id);
        }
    }

    fn cancelled_by(&self, operation_id: i64) -> String {
        let mut notes = self.cancelled_by.lock().unwrap_or_else(PoisonError::into_inner);
        notes.remove(&operation_id).unwrap_or_else(|| "somebody".to_owned())
    }
}

/// The engine. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

impl Engine {
    /// Starts the engine with its background work: the queue of operations and the schedule.
    ///
    /// # Errors
    /// When no owner id for leases can be made, because the system has no randomness.
    pub async fn start(store: Store, unseal: Unseal, settings: Settings, clock: Clock) -> Result<Engine, Error> {
        let owner = format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple());
        let shared = Arc::new(Shared {
            store,
            unseal,
            clock,
            lease: Lease { owner, duration: settings.lease },
            leases: leases::Watch::default(),
            places: places::Places::new(settings.parallel),
            settings,
            connections: connections::Connections::default(),
            memories: comparing::Memories::default(),
            events: events::Events::default(),
            schedule: schedule::Schedule::default(),
            notes: noting::Notes::default(),
            ages: aging::Ages::default(),
            metering: metering::Metering::default(),
            watching: watching::Watching::default(),
            cancelled_by: Mutex::default(),
            wake: Notify::new(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        shared.tasks.spawn(queue::serve(shared.clone()));
        shared.tasks.spawn(leases::serve(shared.clone()));
        shared.tasks.spawn(schedule::serve(shared.clone()));
        Ok(Engine { shared })
    }

    /// Takes a request: makes an operation of it, or gives back the one that runs already.
    ///
    /// # Errors
    /// When the fabric does not exist or the store does not answer.
    pub async fn request(&self, request: Request) -> Result<Requested, Error> {
        let shared = &self.shared;
        let fabric = shared.store.fabrics().get(&Scope::System, request.fabric_id).await?;
        let running = shared.store.operations().running(fabric.id).await?;
        let writer = running.iter().find(|o| o.writes);
        let writes = request.verb.writes() && !request.options.dry_run;
        let fingerprint = self.fingerprint(&fabric, &request, writer).await;
        let new = NewOperation {
            fabric_id: fabric.id,
            verb: request.verb,
            writes,
            actor: request.actor,
            actor_user_id: request.actor_user_id,
            trigger: request.trigger,
            request_id: request.request_id,
            idempotency_key: request.idempotency_key,
            fingerprint,
            options: serde_json::to_value(&request.options).unwrap_or_default(),
            shown_comparison_id: request.shown_comparison,
            commit: None,
            phases: run::waiting_phases(request.verb, &request.options),
            time_limit: None,
        };
        let enqueued = shared.store.operations().enqueue(new, shared.now()).await?;
        let disposition = match enqueued.disposition {
            store::Disposition::New if writes && writer.is_some() => Disposition::Queued,
            store::Disposition::New => Disposition::New,
            store::Disposition::AlreadyRunning => Disposition::AlreadyRunning,
            store::Disposition::SameKey => Disposition::SameKey,
        };
        let id = enqueued.operation.id;
        if request.actor_user_id.is_some() && shared.places.is_silent(fabric.id) {
            // Somebody believes that it answers again. A comparison finds out sooner than a turn among the silent ones.
            shared.schedule.now(fabric.id);
        }
        shared.events.send(fabric.id, Event::Operation { id });
        shared.wake.notify_one();
        Ok(Requested { operation: enqueued.operation, disposition })
    }

    /// What makes two requests the same: verb, mode, and the commit that they would deliver. One that runs already
    /// counts as delivering its own commit; before it has fetched, whatever is newest. One that has written all that it
    /// will counts no more: what changed since in Git or in the cluster, it does not deliver.
    async fn fingerprint(&self, fabric: &store::Fabric, request: &Request, writer: Option<&Operation>) -> String {
        let latest = self.shared.store.comparisons().latest(fabric.id).await.ok().flatten();
        // A source that cannot be opened fails the operation, with its reason, in its own phase.
        let head = self.shared.source_head(fabric, latest.as_ref()).map(|head| head.id).unwrap_or_default();
        let options = serde_json::to_string(&request.options).unwrap_or_default();
        let of = |commit: &str| format!("{} {options} commit={commit}", request.verb);
        let Some(writer) = writer.filter(|w| w.commit.as_ref().is_none_or(|commit| *commit == head)) else {
            return of(&head);
        };
        if has_written(writer) {
            return format!("{} after={}", of(&head), writer.id);
        }
        // The run has its commit, and the branch may have moved on since: only the remote can tell.
        if let (Some(commit), Ok(repository)) = (&writer.commit, self.shared.repository(fabric).await)
            && let Ok(Some(newest)) = repository.remote_head(NEWEST_WITHIN).await
            && newest != *commit
        {
            return of(&newest);
        }
        let theirs = writer.fingerprint.rsplit_once("commit=").map_or("", |(_, commit)| commit);
        of(theirs)
    }

    /// Ends an operation, whatever it is doing, and says whether there was anything left to end.
    ///
    /// # Errors
    /// When there is no such operation or the store does not answer.
    pub async fn cancel(&self, operation_id: i64, by: &str) -> Result<CancelRequest, Error> {
        let shared = &self.shared;
        let came_to = shared.store.operations().request_cancel(operation_id, by, shared.now()).await?;
        shared.cancel_here(operation_id, by);
        let operation = shared.store.operations().get(operation_id).await?;
        shared.events.send(operation.fabric_id, Event::Operation { id: operation_id });
        Ok(came_to)
    }

    /// Waits until an operation has ended, or until the time is up, and gives it as it stands then.
    ///
    /// # Errors
    /// When there is no such operation or the store does not answer.
    pub async fn wait(&self, operation_id: i64, up_to: Duration) -> Result<Operation, Error> {
        let until = tokio::time::Instant::now() + up_to;
        let mut operation = self.shared.store.operations().get(operation_id).await?;
        let mut events = self.subscribe(operation.fabric_id);
        loop {
            operation = self.shared.store.operations().get(operation_id).await?;
            if operation.state.is_final() || tokio::time::Instant::now() >= until {
                return Ok(operation);
            }
            // Events come from this process only; another one may run the operation, so the row is read anyway.
            let next = tokio::time::timeout(Duration::from_millis(500), events.recv());
            tokio::select! {
                _ = next => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    /// Listens for hints that something about a fabric changed.
    pub fn subscribe(&self, fabric_id: i64) -> broadcast::Receiver<Event> {
        self.shared.events.subscribe(fabric_id)
    }

    /// The user confirmed that the fabric has moved to the cluster that was last seen.
    ///
    /// # Errors
    /// When no other cluster was seen, another fabric uses it already, or the store does not answer.
    pub async fn confirm_cluster(&self, scope: &Scope, fabric_id: i64, author: &Author) -> Result<(), Error> {
        let fabric = self.shared.store.fabrics().get(scope, fabric_id).await?;
        let Some(seen) = fabric.cluster_seen_uid.as_ref().filter(|_| fabric.has_other_cluster()) else {
            return Err(Error::new(
                model::Code::InvalidInput,
                "No other cluster was seen; there is nothing to confirm.",
            ));
        };
        self.shared.store.fabrics().by(author).set_cluster_uid(scope, fabric_id, seen).await?;
        // Resource versions of two clusters mean nothing to each other.
        self.shared.memories.forget(fabric_id);
        tracing::info!(fabric = fabric_id, by = author.actor, cluster = %seen, "the fabric's cluster was confirmed");
        self.fabric_saved(fabric_id).await;
        Ok(())
    }

    /// The text of a manifest file at a commit.
    ///
    /// # Errors
    /// When the commit or the file does not exist.
    pub async fn manifest(&self, fabric: &store::Fabric, commit: &str, file: &str) -> Result<String, Error> {
        let repository = self.shared.repository(fabric).await?;
        match repository.blob(commit, file, self.shared.settings.source.file_bytes).await? {
            Some(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            None => Err(Error::new(model::Code::NotFound, format!("Commit {commit} holds no file {file}."))),
        }
    }

    /// What adopting these objects would commit, as far as it is known now, in their order. `kinds` is what the comparison
    /// keeps of the kinds.
    ///
    /// # Errors
    /// When the source cannot be opened or read, or the store does not answer.
    pub async fn adoptions(
        &self,
        fabric: &store::Fabric,
        keys: &[model::ObjectKey],
        kinds: &serde_json::Value,
    ) -> Result<Vec<Adoption>, Error> {
        adopting::preview(&self.shared, fabric, keys, kinds).await
    }

    /// A fabric's settings changed: its clients are made anew, and it is compared at once.
    pub async fn fabric_saved(&self, fabric_id: i64) {
        self.shared.connections.forget(fabric_id);
        self.shared.watching.forget(fabric_id);
        self.shared.places.forget(fabric_id);
        self.shared.schedule.now(fabric_id);
        self.shared.events.send(fabric_id, Event::Changed);
    }

    /// Stops the automatic syncs of a fabric, or with `None` lets them go on. `scope` is what the caller's permission
    /// covers.
    ///
    /// # Errors
    /// When there is no such fabric in the scope, or the store does not answer.
    pub async fn suspend(
        &self,
        scope: &Scope,
        fabric_id: i64,
        suspension: Option<&Suspension>,
        author: &Author,
    ) -> Result<(), Error> {
        let by = &author.actor;
        self.shared.store.fabrics().by(author).set_suspension(scope, fabric_id, suspension).await?;
        match suspension {
            Some(suspension) => {
                tracing::info!(fabric = fabric_id, by, reason = suspension.reason, "automatic syncs were suspended");
            }
            None => tracing::info!(fabric = fabric_id, by, "automatic syncs were resumed"),
        }
        self.shared.schedule.now(fabric_id);
        self.shared.events.send(fabric_id, Event::Changed);
        Ok(())
    }

    /// A fabric was deleted: its repository goes too.
    pub async fn fabric_deleted(&self, fabric_id: i64) {
        self.shared.forget_fabric(fabric_id).await;
    }

    /// Ends cleanly: running operations are recorded as interrupted, nothing is left half-written in the store.
    pub async fn stop(&self) {
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        if tokio::time::timeout(Duration::from_secs(8), self.shared.tasks.wait()).await.is_err() {
            tracing::warn!("some background work did not end in time; leases will expire");
        }
    }
}
