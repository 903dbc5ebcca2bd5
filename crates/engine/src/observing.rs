//! Reading a cluster: every object of every kind that the fabric may keep in Git, and what the agents say.
//!
//! One kind that cannot be read is a named problem, never "zero objects"; credentials that the cluster refuses, or a
//! cluster that does not answer (any more), end the whole reading.

mod live;

pub(crate) use live::{Live, LiveObjects, keyed};

use crate::Error;
use crate::blocking::compute;
use crate::retrying::Retrying;
use cluster::{Cluster, KindInfo, Kinds, SoFar};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use model::part::Part;
use model::rollout::AgentView;
use model::{Code, ObjectKey, kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

/// How long the cluster may take to say that it is there, after it did not answer a list.
const STILL_THERE: Duration = Duration::from_secs(5);

/// A kind that could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// API group; empty when it is about the cluster as a whole.
    pub group: String,
    /// Kind; empty when it is about the cluster as a whole.
    pub kind: String,
    /// Why.
    pub code: Code,
    /// One sentence.
    pub message: String,
}

impl Problem {
    /// Whether it is about the source, and hides nothing of the cluster.
    pub fn is_of_source(&self) -> bool {
        self.kind.is_empty() && self.code.as_str().starts_with("source_")
    }
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Observation {
    /// When the work on it began.
    pub began_at: Timestamp,
    /// What happened up to this moment is in it, so this is the age of the evidence: when lists began to be read, or the
    /// oldest proof that watches have.
    pub observed_at: Timestamp,
    /// The kinds that the cluster serves.
    pub kinds: Arc<Kinds>,
    /// Every live object that users may author.
    pub live: LiveObjects,
    /// Which kinds were read completely, as (group, kind).
    pub read: BTreeSet<(String, String)>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// What agents report; `None` when they could not be read.
    pub agents: Option<Vec<AgentView>>,
    /// The version up to which each kind was read, as (group, kind).
    pub versions: HashMap<(String, String), String>,
}

impl Observation {
    /// Whether a kind was read completely.
    pub fn has_read(&self, group: &str, kind: &str) -> bool {
        self.read.iter().any(|(g, k)| g == group && k == kind)
    }

    /// A part of every live object.
    ///
    /// # Errors
    /// When reading them ended unexpectedly.
    pub async fn parsed(self: &Arc<Self>, wanted: Part) -> Result<Vec<(ObjectKey, Value)>, Error> {
        let observation = self.clone();
        compute("Reading the live objects", move || {
            observation.live.parts(wanted).into_iter().map(|(key, object)| (key.clone(), object)).collect()
        })
        .await
    }
}

/// Whether objects of this kind report what a switch or gateway runs.
pub(crate) fn is_agent(k: &KindInfo) -> bool {
    matches!(
        (k.gvk.group.as_str(), k.gvk.kind.as_str()),
        ("agent.githedgehog.com", "Agent") | ("gwint.githedgehog.com", "GatewayAgent")
    )
}

/// Whether a comparison reads objects of this kind.
pub(crate) fn is_read(k: &KindInfo) -> bool {
    kind::is_user_authored(&k.gvk) || is_agent(k)
}

/// What the list of one kind held.
enum Held {
    Agents(Vec<AgentView>),
    Objects(Vec<(Arc<ObjectKey>, Arc<Live>)>),
}

/// Lists a kind; with the version of the list. A page that did not come is asked for again, not those before it.
async fn list(
    cluster: &Cluster,
    k: &KindInfo,
    namespace: &str,
    retrying: Retrying<'_>,
) -> Result<(Held, String), cluster::Error> {
    let what = format!("list {}", k.gvk.kind);
    if is_agent(k) {
        let so_far = Mutex::new(SoFar::default());
        let on = || async { cluster.list_on(k, namespace, &mut *so_far.lock().await, &|_, _| {}).await };
        let listed = retrying.call(&what, on).await?;
        let agents = listed.objects.iter().filter_map(AgentView::from_value).collect();
        return Ok((Held::Agents(agents), listed.resource_version));
    }
    let so_far = Mutex::new(SoFar::default());
    let on = || async { cluster.list_as_received_on(k, namespace, &mut *so_far.lock().await, &|_, _| {}).await };
    let listed = retrying.call(&what, on).await?;
    let objects = listed.objects.into_iter().map(|object| keyed(&k.gvk.group, &k.gvk.kind, object)).collect();
    Ok((Held::Objects(objects), listed.resource_version))
}

impl Held {
    fn len(&self) -> usize {
        match self {
            Self::Agents(agents) => agents.len(),
            Self::Objects(objects) => objects.len(),
        }
    }
}

/// What came of the list of one kind.
struct Answer<'a> {
    kind: &'a KindInfo,
    listed: Result<(Held, String), cluster::Error>,
    /// Whether nothing answers any more, whatever is asked.
    is_lost: bool,
}

/// The reading of one kind.
type Reading<'a> = BoxFuture<'a, Answer<'a>>;

/// Whether a list failed because the cluster is out of reach: it had no answer, and the simplest question has none, either.
async fn is_lost(cluster: &Cluster, failure: &cluster::Error) -> bool {
    if !failure.is_unanswered() {
        return false;
    }
    let asked = tokio::time::timeout(STILL_THERE, cluster.identity()).await;
    asked.map_or(true, |answer| answer.is_err_and(|e| e.is_unanswered()))
}

/// Reads every user-authored kind and the agents, several kinds at once. `progress` is told how many kinds are done,
/// out of how many, and how many objects were read. A kind that is tried again keeps the others as they are.
pub(crate) async fn observe(
    cluster: &Cluster,
    kinds: Arc<Kinds>,
    namespace: &str,
    observed_at: Timestamp,
    progress: &(dyn Fn(u64, u64, u64) + Sync),
    retrying: Retrying<'_>,
) -> Result<Observation, Error> {
    let wanted: Vec<&KindInfo> = kinds.kinds.iter().filter(|k| is_read(k)).collect();
    let hidden = kinds.problems.iter().filter(|p| p.hides_kinds);
    let mut problems: Vec<Problem> = hidden
        .map(|p| Problem {
            group: String::new(),
            kind: String::new(),
            code: Code::KubernetesUnavailable,
            message: p.message.clone(),
        })
        .collect();
    let total = wanted.len() as u64;
    let (done, objects) = (AtomicU64::new(0), AtomicU64::new(0));
    progress(0, total, 0);
    let read = |k| {
        let (done, objects) = (&done, &objects);
        async move {
            let listed = list(cluster, k, namespace, retrying).await;
            if let Ok((held, _)) = &listed {
                objects.fetch_add(held.len() as u64, Ordering::Relaxed);
            }
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, total, objects.load(Ordering::Relaxed));
            let is_lost = match &listed {
                Err(e) => is_lost(cluster, e).await,
                Ok(_) => false,
            };
            Answer { kind: k, listed, is_lost }
        }
        .boxed()
    };
    let lists: Vec<Reading<'_>> = wanted.into_iter().map(read).collect();
    let mut lists = stream::iter(lists).buffer_unordered(cluster.limits().concurrency.max(1));

    let mut found = Observation {
        began_at: observed_at,
        observed_at,
        kinds: kinds.clone(),
        live: LiveObjects::default(),
        read: BTreeSet::new(),
        problems: Vec::new(),
        agents: Some(Vec::new()),
        versions: HashMap::new(),
    };
    while let Some(Answer { kind: k, listed, is_lost }) = lists.next().await {
        let id = || (k.gvk.group.clone(), k.gvk.kind.clone());
        match listed {
            Ok((Held::Agents(read), version)) => {
                found.versions.insert(id(), version);
                if let Some(agents) = &mut found.agents {
                    agents.extend(read);
                }
            }
            Ok((Held::Objects(read), version)) => {
                found.versions.insert(id(), version);
                found.read.insert(id());
                found.live.extend(read);
            }
            // The other kinds would fail as this one did, each after its time.
            Err(e) if is_lost || e.code() == Code::KubernetesUnauthorized => return Err(e.into()),
            Err(e) => {
                if is_agent(k) {
                    found.agents = None;
                }
                problems.push(Problem {
                    group: k.gvk.group.clone(),
                    kind: k.gvk.kind.clone(),
                    code: e.code(),
                    message: e.to_string(),
                });
            }
        }
    }
    if found.read.is_empty()
        && let Some(first) = problems.first()
    {
        return Err(Error::new(first.code, first.message.clone()));
    }
    if found.read.is_empty() {
        return Err(Error::new(
            Code::ConnectionFailed,
            "The cluster serves no kind of the githedgehog.com groups: Hedgehog is not installed there, or this is \
             another cluster.",
        ));
    }
    problems.sort_by(|a, b| (&a.group, &a.kind).cmp(&(&b.group, &b.kind)));
    found.problems = problems;
    Ok(found)
}

/// Reads only the agents; `None` when the cluster has no such kind or they cannot be read.
pub(crate) async fn observe_agents(
    cluster: &Cluster,
    kinds: &Kinds,
    namespace: &str,
    retrying: Retrying<'_>,
) -> Option<Vec<AgentView>> {
    let mut agents = Vec::new();
    for k in kinds.kinds.iter().filter(|k| is_agent(k)) {
        if let (Held::Agents(listed), _) = list(cluster, k, namespace, retrying).await.ok()? {
            agents.extend(listed);
        }
    }
    Some(agents)
}
