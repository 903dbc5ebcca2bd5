//! The second voice: the server's own answer, a dry run of the very write that a sync would do. It is asked about what
//! differs, and at a bounded rate about what is equal. A dead webhook or read-only credentials withhold confirmation,
//! not the comparison.

use super::Compared;
use super::judge::resource_version;
use crate::Shared;
use crate::observing::{Live, Observation};
use cluster::Cluster;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt};
use model::compare::{FieldDiff, ObjectState, compare_object, desired_for_write};
use model::manifest::Manifest;
use model::{Body, Code, ObjectKey};
use std::sync::Arc;
use std::time::Duration;

/// Differing objects that the server is asked about in one comparison.
const DIFFERING: usize = 40;
/// Equal objects that it is asked about in one comparison, in turn.
const EQUAL: usize = 4;
/// How long asking may take; what is not answered by then is asked the next time.
const LIMIT: Duration = Duration::from_secs(5);

/// What the server said of one pair of desired and live.
#[derive(Clone)]
pub(crate) struct Confirmation {
    desired: Body,
    live_rv: Option<String>,
    /// Whether a write would change nothing; `None` when it refused.
    pub equal: Option<bool>,
    /// What a write would change.
    pub diffs: Vec<FieldDiff>,
}

impl Confirmation {
    pub(super) fn new(desired: Body, live: Option<&Arc<Live>>, equal: Option<bool>, diffs: Vec<FieldDiff>) -> Self {
        Self { desired, live_rv: resource_version(live).map(str::to_owned), equal, diffs }
    }

    /// Whether it is about this very pair.
    pub fn is_of(&self, manifest: Option<&Manifest>, live: Option<&Arc<Live>>) -> bool {
        manifest.is_some_and(|m| m.object.is(&self.desired)) && self.live_rv.as_deref() == resource_version(live)
    }
}

struct Question {
    key: ObjectKey,
    desired: Body,
    live: Option<Arc<Live>>,
    base: Option<Body>,
    is_equal: bool,
}

/// What the server is asked about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// Only what differs: somebody waits for the answer.
    Differing,
    /// Also some of what is equal, in turn; for the background, whose pace is the bound on the rate.
    EqualToo,
}

/// Asks the server. `true` when what it said changes what is to be stored, so that the comparison is made again.
pub(crate) async fn confirm(
    shared: &Arc<Shared>,
    cluster: &Cluster,
    compared: &Compared,
    fabric_id: i64,
    asking: Asking,
) -> bool {
    let memory = shared.memories.of(fabric_id);
    let questions = questions(&*memory.lock().await, compared, asking);
    if questions.is_empty() {
        return false;
    }
    let asked: Vec<BoxFuture<'_, Option<(ObjectKey, Confirmation, bool)>>> =
        questions.iter().map(|q| ask(cluster, &compared.observation, q).boxed()).collect();
    let mut answers = Vec::new();
    let collecting = stream::iter(asked).buffer_unordered(cluster.limits().concurrency.max(1)).for_each(|answer| {
        answers.extend(answer);
        futures::future::ready(())
    });
    // What is answered within the limit counts, the rest is asked the next time.
    let _ = tokio::time::timeout(LIMIT, collecting).await;
    let mut news = false;
    let mut memory = memory.lock().await;
    for (key, confirmation, was_equal) in answers {
        if let Some(equal) = confirmation.equal
            && equal != was_equal
        {
            news = true;
            metrics::voices_disagreed();
            tracing::warn!(fabric = fabric_id, object = %key, server_says_equal = equal,
                "the server disagrees with the offline comparison; its word counts, and this is a defect to report");
        }
        // That a difference is confirmed is worth storing at once; of what is equal the next comparison tells.
        news |= confirmation.equal.is_some() && !was_equal;
        memory.hear(key, confirmation);
    }
    news
}

fn questions(memory: &super::memory::Memory, compared: &Compared, asking: Asking) -> Vec<Question> {
    let unanswered = |key: &ObjectKey, manifest: &Manifest, live: Option<&Arc<Live>>| {
        !memory.confirmations.get(key).is_some_and(|c| c.is_of(Some(manifest), live))
    };
    let mut questions: Vec<Question> = compared
        .differing
        .iter()
        // What is being deleted, a write would leave as it is: that says nothing about whether it stays.
        .filter(|d| d.deletion().is_none())
        .filter(|d| unanswered(&d.manifest.key, &d.manifest, compared.observation.live.get(&d.manifest.key)))
        .take(DIFFERING)
        .map(|d| Question {
            key: d.manifest.key.clone(),
            desired: d.manifest.object.clone(),
            live: compared.observation.live.get(&d.manifest.key).cloned(),
            base: d.base.clone(),
            is_equal: false,
        })
        .collect();
    let equal = compared.settled.equal.iter().filter_map(|key| {
        let known = memory.objects.get(key)?;
        let (desired, live) = (known.desired.as_ref()?, compared.observation.live.get(key)?);
        let answered = memory
            .confirmations
            .get(key)
            .is_some_and(|c| c.desired.is(desired) && c.live_rv.as_deref() == resource_version(Some(live)));
        (!answered).then(|| Question {
            key: (**key).clone(),
            desired: desired.clone(),
            live: Some(live.clone()),
            base: None,
            is_equal: true,
        })
    });
    questions.extend(equal.take(if asking == Asking::EqualToo { EQUAL } else { 0 }));
    questions
}

/// One question. `None` when there is no answer that says anything about the object.
async fn ask(cluster: &Cluster, observation: &Observation, q: &Question) -> Option<(ObjectKey, Confirmation, bool)> {
    let kind = observation.kinds.find(&q.key.group, &q.key.kind)?;
    let live = q.live.as_ref().map(|live| live.value());
    let object = desired_for_write(&q.desired.value(), live.as_deref(), q.base.as_ref().map(Body::value).as_ref());
    let answer = match &q.live {
        Some(_) => cluster.replace(kind, &object, true).await,
        None => cluster.create(kind, &object, true).await,
    };
    let (equal, diffs) = match answer {
        Ok(written) => match &live {
            Some(live) => {
                let (state, diffs) = compare_object(Some(&written.object), Some(live), None);
                (Some(state == ObjectState::Equal), diffs)
            }
            None => (Some(false), Vec::new()),
        },
        // It refuses: the object differs as the normaliser says, and why it cannot be delivered a sync will tell.
        Err(e) if e.code() == Code::KubernetesRejected && !q.is_equal => (None, Vec::new()),
        Err(_) => return None,
    };
    // Where both voices see a difference, the comparison tells which.
    let diffs = if q.is_equal { diffs } else { Vec::new() };
    Some((q.key.clone(), Confirmation::new(q.desired.clone(), q.live.as_ref(), equal, diffs), q.is_equal))
}
