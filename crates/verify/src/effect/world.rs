//! Where the fabric stands, seen from outside: the namespace in the cluster, the newest commit, and what of it the cluster
//! does not hold.

use crate::oracle::holds::Difference;
use crate::oracle::{ClusterOracle, Desired, DesiredObject, Kind, OracleError, Snapshot};
use crate::scene::Scene;
use crate::site::Site;
use crate::stop::{Stop, Walked};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many objects the server is asked about, beyond those that are plainly equal or missing.
const MOST_ASKED: usize = 500;

/// Where the fabric stands, seen from outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    /// The namespace in the cluster, if an oracle reads it.
    pub(crate) live: Option<Snapshot>,
    /// The branch's newest commit, if an oracle reads it.
    pub(crate) desired: Option<Desired>,
    /// What Git says and the cluster does not hold: each object with why.
    pub(crate) lacking: BTreeMap<String, String>,
    /// What Git says and the oracle cannot tell whether the cluster holds: each object with why.
    pub(crate) untold: BTreeMap<String, String>,
    /// The kinds that the cluster has.
    pub(super) kinds: Vec<Kind>,
}

/// The namespace of the fabric.
pub(crate) fn namespace(site: &Site) -> String {
    site.namespace.clone().unwrap_or_else(|| "default".to_owned())
}

/// Reads cluster and Git, as far as oracles were given.
pub(crate) async fn world(scene: &mut Scene<'_>) -> Walked<World> {
    let mut world = World::default();
    let recorder = scene.recorder().clone();
    let site = scene.site;
    if let Some(git) = &site.plan.git {
        let read =
            git.read().await.map_err(|error| Stop::Inconclusive(format!("The oracle could not read Git: {error}")))?;
        recorder.reading(&read.reading.from, &read.reading.asked, &read.reading.found.to_string(), json!(null));
        world.desired = Some(read.value);
    }
    let Some(cluster) = &site.plan.cluster else { return Ok(world) };
    let unread = |error: OracleError| Stop::Inconclusive(format!("The oracle could not read the cluster: {error}"));
    let read = Snapshot::take(cluster, &namespace(site)).await.map_err(unread)?;
    recorder.reading(&read.reading.from, &read.reading.asked, &read.reading.found.to_string(), json!(null));
    world.kinds = cluster.kinds().await.map_err(unread)?.value;
    if let Some(desired) = &world.desired {
        let read = looked_at(cluster, &world.kinds, desired, &read.value).await.map_err(unread)?;
        (world.lacking, world.untold) = read;
    }
    world.live = Some(read.value);
    Ok(world)
}

type Objects = BTreeMap<String, String>;

/// What the cluster does not hold, and of what that cannot be told.
async fn looked_at(
    cluster: &ClusterOracle,
    kinds: &[Kind],
    desired: &Desired,
    live: &Snapshot,
) -> Result<(Objects, Objects), OracleError> {
    let (mut found, mut untold) = (BTreeMap::new(), BTreeMap::new());
    let mut asked = 0;
    for object in &desired.objects {
        let name = format!("{} {}", object.kind, object.name);
        let Some(kind) = kinds.iter().find(|kind| kind.kind == object.kind && kind.group == object.group()) else {
            found.insert(name, "the cluster has no such kind".to_owned());
            continue;
        };
        if let Some(namespace) = object.namespace.as_ref().filter(|namespace| **namespace != live.namespace) {
            untold.insert(name, format!("it is of the namespace {namespace}, and the fabric's is {}", live.namespace));
            continue;
        }
        if let Some(why) = live.unread.get(&kind.full_name()) {
            untold.insert(name, format!("the oracle cannot read its kind: {why}"));
            continue;
        }
        let Some(seen) = live.get(&object.kind, &object.name) else {
            found.insert(name, "it is not in the cluster".to_owned());
            continue;
        };
        let plain = crate::oracle::holds::differences(&object.spec, &seen.spec);
        if plain.is_empty() {
            continue;
        }
        // What webhooks write otherwise than Git has it is held all the same: only the server can tell, by a dry run.
        asked += 1;
        if asked > MOST_ASKED {
            untold.insert(name, format!("more than {MOST_ASKED} objects differ by the letter"));
            continue;
        }
        let live_object = json!({"spec": seen.spec});
        let differences = match cluster
            .differences(kind, Some(&live.namespace), &manifest(object, &live.namespace), &live_object)
            .await
        {
            Ok(read) => read.value,
            // What the server refuses to take is not held either.
            Err(OracleError::Refused { .. }) => plain,
            Err(OracleError::Forbidden { .. }) => {
                let first = plain.first().map(Difference::to_string).unwrap_or_default();
                untold.insert(name, format!("{first}; the oracle may not ask by a dry run whether that is the same"));
                continue;
            }
            Err(error) => return Err(error),
        };
        if let Some(first) = differences.first() {
            found.insert(name, Difference::to_string(first));
        }
    }
    Ok((found, untold))
}

/// An object of Git as it is sent to the server.
pub(super) fn manifest(object: &DesiredObject, namespace: &str) -> Value {
    let metadata = json!({
        "name": object.name, "namespace": namespace, "labels": object.labels, "annotations": object.annotations,
    });
    json!({"apiVersion": object.api_version, "kind": object.kind, "metadata": metadata, "spec": object.spec})
}

/// Of which objects the oracle cannot tell, in words.
pub(crate) fn cannot_tell(world: &World) -> String {
    let list: Vec<String> = world.untold.iter().take(3).map(|(object, why)| format!("{object}: {why}")).collect();
    format!("of {} objects the oracle cannot tell ({})", world.untold.len(), list.join("; "))
}
