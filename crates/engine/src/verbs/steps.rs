//! Steps that verbs share: reach the cluster and prove which one it is, fetch the source, read the cluster, compare.

use crate::comparing::{self, Asking, Compared, Input};
use crate::connections::Belief;
use crate::observing::{self, Observation, Problem};
use crate::retrying::Retrying;
use crate::run::Run;
use crate::{Error, Shared};
use cluster::{Cluster, Kinds};
use futures::TryFutureExt;
use futures::future::{BoxFuture, FutureExt};
use jiff::SignedDuration;
use model::Code;
use model::operation::{Phase, PhaseState, Trigger};
use source::Desired;
use std::sync::Arc;
use store::Fabric;

/// How many comparisons of a fabric are kept, besides those that operations refer to.
const COMPARISONS_KEPT: u32 = 100;
/// How long scheduled operations are kept.
const OPERATIONS_KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);

/// The fabric as it is now; a run reads it once, at its beginning.
pub(crate) async fn fabric(run: &Run) -> Result<Fabric, Error> {
    let fabrics = run.shared.store.fabrics();
    let read = || fabrics.get(&store::Scope::System, run.operation.fabric_id).map_err(Error::from);
    let first = crate::run::phases_of(run.operation.verb, run.options()).first().copied().unwrap_or(Phase::Connect);
    Retrying::within(run, first).call("read the fabric", read).await
}

/// Reaches the cluster and proves that it is the one that the fabric remembers.
pub(crate) async fn connect(run: &Run, fabric: &Fabric) -> Result<(Cluster, Arc<Kinds>), Error> {
    run.begin(Phase::Connect, "Asking the cluster who it is");
    let retrying = Retrying::within(run, Phase::Connect);
    let cluster = run.shared.cluster(fabric).await?;
    let check = || check_identity(&run.shared, fabric, &cluster, retrying);
    retrying.call("remember the cluster", check).await?;
    let kinds = run.shared.kinds(fabric, &cluster, Belief::Nothing, retrying).await?;
    run.end(Phase::Connect, format!("{} kinds of Hedgehog's groups", kinds.kinds.len()));
    Ok((cluster, kinds))
}

/// Proves that the fabric's namespace is there, before anything is written to it. Credentials that may not look at it
/// leave that open.
pub(crate) async fn check_namespace(run: &Run, fabric: &Fabric, cluster: &Cluster) -> Result<(), Error> {
    let retrying = Retrying::within(run, Phase::Connect);
    let lacks = || cluster.lacks_namespace(&fabric.namespace);
    if !retrying.call("look for the namespace", lacks).await? {
        return Ok(());
    }
    Err(Error::new(Code::ClusterConfigInvalid, cluster::no_namespace(&fabric.namespace)))
}

/// Compares the cluster's identity with the one that the fabric remembers, and remembers it at first contact.
pub(crate) async fn check_identity(
    shared: &Shared,
    fabric: &Fabric,
    cluster: &Cluster,
    retrying: Retrying<'_>,
) -> Result<(), Error> {
    let uid = retrying.call("ask the cluster who it is", || cluster.identity()).await?.uid;
    let fabrics = shared.store.fabrics();
    let known = match fabrics.adopt_cluster_uid(fabric.id, &uid).await {
        Ok(known) => known,
        Err(store::Error::Conflict(store::Unique::ClusterNamespace)) => {
            // What is stored is read by many, so it names nobody. A page names the other fabric to whoever may see it.
            if fabric.cluster_seen_uid.as_ref() != Some(&uid) {
                fabrics.set_seen_uid(fabric.id, Some(&uid)).await?;
            }
            let message = format!(
                "Another fabric already manages namespace {} of this cluster; two fabrics would undo each other's work.",
                fabric.namespace
            );
            return Err(Error::new(Code::ClusterConfigInvalid, message));
        }
        Err(other) => return Err(other.into()),
    };
    if known == uid {
        if fabric.cluster_seen_uid.is_some() {
            fabrics.set_seen_uid(fabric.id, None).await?;
        }
        return Ok(());
    }
    fabrics.set_seen_uid(fabric.id, Some(&uid)).await?;
    shared.events.send(fabric.id, crate::Event::Changed);
    Err(Error::new(
        Code::ClusterChanged,
        format!(
            "Another cluster answers than the one that {} belongs to (kube-system {uid}, known {known}). Nothing is \
             written until you confirm it on the fabric's page.",
            fabric.name
        ),
    ))
}

/// Fetches the source and reads its manifests.
pub(crate) async fn fetch(run: &Run, fabric: &Fabric) -> Result<Arc<Desired>, Error> {
    run.begin(Phase::FetchSource, "Fetching the source");
    let repository = run.shared.repository(fabric).await?;
    // How far it is, and what the server says; why it failed is for the retry to say, in our words.
    let progress = |line: &str| {
        if line.contains('%') || line.starts_with("remote:") {
            run.detail(Phase::FetchSource, line.to_owned());
        }
    };
    let fetch = || repository.fetch(run.shared.settings.fetch_timeout, &progress);
    let commit = Retrying::within(run, Phase::FetchSource).call("fetch the source", fetch).await?;
    read(run, fabric, &commit.id).await
}

/// Reads the manifests of the commit that was fetched last; fetches when none was, or when another process has compared a
/// newer one.
pub(crate) async fn last_fetched(run: &Run, fabric: &Fabric) -> Result<Arc<Desired>, Error> {
    let repository = run.shared.repository(fabric).await?;
    let last = || run.shared.last_fetched(fabric, &repository);
    match Retrying::within(run, Phase::FetchSource).call("look for the last fetch", last).await? {
        Some(commit) => {
            run.begin(Phase::FetchSource, "Reading the last fetched commit");
            read(run, fabric, &commit.id).await
        }
        None => fetch(run, fabric).await,
    }
}

async fn read(run: &Run, fabric: &Fabric, commit: &str) -> Result<Arc<Desired>, Error> {
    let repository = run.shared.repository(fabric).await?;
    let desired = repository.read(commit, &fabric.namespace, &run.shared.settings.source).await?;
    let (objects, files) = (desired.manifests.len(), desired.files);
    run.advance(Phase::FetchSource, objects as u64, objects as u64);
    let of = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let detail = format!("{}: {} in {}", desired.commit.short(), of(objects, "object"), of(files, "file"));
    run.end(Phase::FetchSource, detail);
    Ok(desired)
}

/// Reads the cluster.
pub(crate) async fn observe(
    run: &Run,
    fabric: &Fabric,
    cluster: &Cluster,
    kinds: Arc<Kinds>,
    phase: Phase,
) -> Result<Arc<Observation>, Error> {
    // While switches are followed the phase counts those.
    let counts = phase != Phase::Rollout;
    if counts {
        run.begin(phase, "Reading the cluster");
    }
    let retrying = Retrying::within(run, phase);
    let progress = |done, total, objects| {
        if counts {
            run.advance(phase, done, total);
            run.detail(phase, format!("{objects} objects read"));
        }
    };
    let observation = observing::observe(cluster, kinds, &fabric.namespace, run.now(), &progress, retrying).await?;
    if phase == Phase::Observe {
        let detail = format!("{} objects of {} kinds", observation.live.len(), observation.read.len());
        match observation.problems.first() {
            None => run.end(phase, detail),
            Some(p) => run.close(phase, PhaseState::Partial, format!("{detail}; {}", p.message)),
        }
    }
    run.shared.watching.fold(&run.shared, fabric, &observation);
    Ok(Arc::new(observation))
}

/// Compares and stores the comparison.
pub(crate) async fn compare(
    run: &Run,
    fabric: &Fabric,
    desired: &Arc<Desired>,
    observation: &Arc<Observation>,
) -> Result<Compared, Error> {
    // The only thing in it that passes is a database that does not answer.
    let store = || comparing::compare(&run.shared, input(run, fabric, desired, observation));
    Retrying::within(run, Phase::Compare).call("store the comparison", store).await
}

/// Whether another process has compared a newer commit than this one's clone knows. Asked before a run stores a comparison
/// of its own, which hides the other one.
pub(crate) async fn is_behind(run: &Run, fabric: &Fabric) -> bool {
    let last = async { run.shared.last_fetched(fabric, &*run.shared.repository(fabric).await?).await };
    matches!(last.await, Ok(None))
}

/// Compares what a run has read with the newest commit, where somebody fetched another one while it ran: what pages tell is
/// of that one, and must not go back to the run's own. Gives whether it did. A run does not fail by it.
pub(crate) async fn compare_newest(
    run: &Run,
    fabric: &Fabric,
    own: &Desired,
    observation: &Arc<Observation>,
    is_behind: bool,
) -> bool {
    let compared = async {
        let repository = run.shared.repository(fabric).await?;
        let newest = match is_behind {
            true => Some(repository.fetch(run.shared.settings.fetch_timeout, &|_| {}).await?),
            false => run.shared.last_fetched(fabric, &repository).await?,
        };
        let Some(newest) = newest.filter(|commit| commit.id != own.commit.id) else { return Ok(false) };
        let desired = repository.read(&newest.id, &fabric.namespace, &run.shared.settings.source).await?;
        compare(run, fabric, &desired, observation).await.map(|_| true)
    };
    compared.await.unwrap_or_else(|e: Error| {
        tracing::warn!(fabric = fabric.id, operation = run.operation.id, error = %e,
            "the newest commit could not be compared by a sync of an older one");
        false
    })
}

fn input<'a>(
    run: &'a Run,
    fabric: &'a Fabric,
    desired: &'a Arc<Desired>,
    observation: &'a Arc<Observation>,
) -> Input<'a> {
    Input {
        fabric,
        operation_id: Some(run.operation.id),
        trigger: run.operation.trigger,
        desired,
        observation,
        problems: Vec::new(),
    }
}

/// Compares, lets the server confirm what differs, and stores the comparison.
pub(crate) async fn compare_and_confirm(
    run: &Run,
    fabric: &Fabric,
    cluster: &Cluster,
    desired: &Arc<Desired>,
    observation: &Arc<Observation>,
) -> Result<Compared, Error> {
    let compared = compare(run, fabric, desired, observation).await?;
    run.detail(Phase::Compare, "Asking the server about what differs");
    if comparing::confirm(&run.shared, cluster, &compared, fabric.id, Asking::Differing).await {
        return compare(run, fabric, desired, observation).await;
    }
    Ok(compared)
}

/// The comparison that runs by itself: fetch, read, compare, store; a failure is stored as one.
pub(crate) fn background<'a>(shared: &'a Arc<Shared>, fabric: &'a Fabric) -> BoxFuture<'a, Result<Compared, Error>> {
    background_recorded(shared, fabric).boxed()
}

async fn background_recorded(shared: &Arc<Shared>, fabric: &Fabric) -> Result<Compared, Error> {
    let observed_at = shared.now();
    let result = background_inner(shared, fabric, observed_at).await;
    shared.notes.compared(fabric, result.as_ref().map(|compared| &compared.comparison));
    if let Err(e) = &result {
        comparing::failed(shared, fabric.id, None, Trigger::Schedule, observed_at, e).await?;
    }
    result
}

async fn background_inner(
    shared: &Arc<Shared>,
    fabric: &Fabric,
    observed_at: jiff::Timestamp,
) -> Result<Compared, Error> {
    let repository = shared.repository(fabric).await?;
    let fetched = repository.fetch(shared.settings.fetch_timeout, &|_| {}).await;
    let (commit, problems) = match fetched {
        Ok(commit) => (commit, Vec::new()),
        Err(e) => {
            let e = Error::from(e);
            let Some(commit) = shared.last_fetched(fabric, &repository).await? else { return Err(e) };
            let problem = Problem { group: String::new(), kind: String::new(), code: e.code, message: e.message };
            (commit, vec![problem])
        }
    };
    let desired = repository.read(&commit.id, &fabric.namespace, &shared.settings.source).await?;
    let cluster = shared.cluster(fabric).await?;
    // Nothing is tried again here: the next comparison comes by itself.
    check_identity(shared, fabric, &cluster, Retrying::NEVER).await?;
    let mut kinds = shared.kinds(fabric, &cluster, Belief::Usual, Retrying::NEVER).await?;
    // A kind that the source names and that was not served may be by now, as after Hedgehog was installed anew. Where that
    // cannot be asked, what is known is good enough.
    if desired.manifests.iter().any(|m| kinds.find(&m.key.group, &m.key.kind).is_none())
        && let Ok(asked) = shared.kinds(fabric, &cluster, Belief::Doubted, Retrying::NEVER).await
    {
        kinds = asked;
    }
    let observation = match shared.watching.current(shared, fabric, &kinds) {
        Some(known) => known,
        None => {
            let observe = |kinds: Arc<Kinds>| {
                observing::observe(&cluster, kinds, &fabric.namespace, observed_at, &|_, _, _| {}, Retrying::NEVER)
            };
            let mut read = observe(kinds.clone()).await?;
            // A kind that is not where it was may be served in another version by now.
            if read.problems.iter().any(|p| p.code == Code::KubernetesRejected)
                && let Ok(asked) = shared.kinds(fabric, &cluster, Belief::Doubted, Retrying::NEVER).await
                && !Arc::ptr_eq(&asked, &kinds)
            {
                read = observe(asked).await?;
            }
            shared.watching.fold(shared, fabric, &read);
            read
        }
    };
    let observation = Arc::new(observation);
    let input = Input {
        fabric,
        operation_id: None,
        trigger: Trigger::Schedule,
        desired: &desired,
        observation: &observation,
        problems,
    };
    let mut compared = comparing::compare(shared, input.clone()).await?;
    if comparing::confirm(shared, &cluster, &compared, fabric.id, Asking::EqualToo).await {
        compared = comparing::compare(shared, input).await?;
    }
    if compared.comparison.id % 50 == 0 {
        prune(shared, fabric.id).await?;
    }
    Ok(compared)
}

/// Deletes what a fabric has left behind: old comparisons, and what it did by itself long ago.
pub(crate) async fn prune(shared: &Shared, fabric_id: i64) -> Result<(), Error> {
    let now = shared.now();
    shared.store.comparisons().prune(fabric_id, COMPARISONS_KEPT).await?;
    shared.store.operations().prune(fabric_id, now.checked_sub(OPERATIONS_KEPT).unwrap_or(now)).await?;
    Ok(())
}
