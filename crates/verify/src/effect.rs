//! Whether a sync did what it says, read in the cluster and in a fresh clone: what Git says and the cluster lacked before,
//! what it holds after, and a difference that was planted to be taken back.
//!
//! A sync that has nothing to do cannot be told from one that does nothing. So where leave is given, the description of a
//! Server or Switch is changed in the cluster first, which carries no traffic; afterwards it must be as it was.

use crate::cause::Cause;
use crate::oracle::holds::Difference;
use crate::oracle::{ClusterOracle, Desired, DesiredObject, Kind, OracleError, Snapshot};
use crate::scene::Scene;
use crate::site::Site;
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How many objects the server is asked about, beyond those that are plainly equal or missing.
const MOST_ASKED: usize = 60;

/// Kinds whose description can be changed without anything happening to traffic.
const PLANTED_IN: [&str; 2] = ["Server", "Switch"];

/// Where the fabric stands, seen from outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    /// The namespace in the cluster, if an oracle reads it.
    pub(crate) live: Option<Snapshot>,
    /// The branch's newest commit, if an oracle reads it.
    pub(crate) desired: Option<Desired>,
    /// What Git says and the cluster does not hold: each object with why.
    pub(crate) lacking: BTreeMap<String, String>,
    kinds: Vec<Kind>,
}

/// A difference that was planted.
#[derive(Debug, Clone)]
pub struct Planted {
    kind: Kind,
    namespace: String,
    /// The object's name.
    pub(crate) name: String,
    /// The path of the field.
    pub(crate) path: &'static str,
    /// What stood there before.
    pub(crate) was: Option<String>,
    /// What was planted.
    pub(crate) value: String,
}

impl Planted {
    /// The object, in words.
    pub(crate) fn object(&self) -> String {
        format!("{} {}", self.kind.kind, self.name)
    }

    /// `Kind.group`, as pages name it.
    pub(crate) fn kind_and_group(&self) -> String {
        format!("{}.{}", self.kind.kind, self.kind.group)
    }

    async fn now(&self, cluster: &ClusterOracle) -> Result<Option<String>, OracleError> {
        let live = cluster.get(&self.kind, Some(&self.namespace), &self.name).await?.value;
        Ok(live["spec"]["description"].as_str().map(str::to_owned))
    }

    /// Takes it back, if it is still there.
    pub(crate) async fn take_back(&self, cluster: &ClusterOracle) -> Result<(), String> {
        let now = self.now(cluster).await.map_err(|error| error.to_string())?;
        if now.as_deref() != Some(&self.value) {
            return Ok(());
        }
        let patch = json!({"spec": {"description": self.was}});
        cluster.merge_patch(&self.kind, Some(&self.namespace), &self.name, &patch).await.map_err(|e| e.to_string())?;
        Ok(())
    }
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
        world.lacking = lacking(cluster, &world.kinds, desired, &read.value).await.map_err(unread)?;
    }
    world.live = Some(read.value);
    Ok(world)
}

/// What the cluster does not hold.
async fn lacking(
    cluster: &ClusterOracle,
    kinds: &[Kind],
    desired: &Desired,
    live: &Snapshot,
) -> Result<BTreeMap<String, String>, OracleError> {
    let mut found = BTreeMap::new();
    let mut asked = 0;
    for object in &desired.objects {
        let Some(kind) = kinds.iter().find(|kind| kind.kind == object.kind && kind.group == object.group()) else {
            continue;
        };
        let elsewhere = object.namespace.as_ref().is_some_and(|namespace| *namespace != live.namespace);
        if elsewhere || live.unread.contains_key(&kind.full_name()) {
            continue;
        }
        let name = format!("{} {}", object.kind, object.name);
        let Some(seen) = live.get(&object.kind, &object.name) else {
            found.insert(name, "it is not in the cluster".to_owned());
            continue;
        };
        let plain = crate::oracle::holds::differences(&object.spec, &seen.spec);
        if plain.is_empty() {
            continue;
        }
        asked += 1;
        let differences = if asked > MOST_ASKED {
            plain
        } else {
            let live_object = json!({"spec": seen.spec});
            match cluster
                .differences(kind, Some(&live.namespace), &manifest(object, &live.namespace), &live_object)
                .await
            {
                Ok(read) => read.value,
                // What the server refuses to take is not held either; who may not ask judges by the plain rule.
                Err(OracleError::Refused { .. } | OracleError::Forbidden { .. }) => plain,
                Err(error) => return Err(error),
            }
        };
        if let Some(first) = differences.first() {
            found.insert(name, Difference::to_string(first));
        }
    }
    Ok(found)
}

fn manifest(object: &DesiredObject, namespace: &str) -> Value {
    let metadata = json!({
        "name": object.name, "namespace": namespace, "labels": object.labels, "annotations": object.annotations,
    });
    json!({"apiVersion": object.api_version, "kind": object.kind, "metadata": metadata, "spec": object.spec})
}

/// Plants a difference that a sync must take back; `None` where there is nothing that could be changed without harm.
pub(crate) async fn plant(scene: &mut Scene<'_>, world: &World, managed: &BTreeSet<String>) -> Walked<Option<Planted>> {
    let (Some(cluster), Some(live)) = (&scene.site.plan.cluster, &world.live) else { return Ok(None) };
    let in_git = |kind: &str, name: &str| match &world.desired {
        Some(desired) => !desired.find(kind, name).is_empty(),
        None => managed.contains(&format!("{kind} {name}")),
    };
    let found = PLANTED_IN.iter().find_map(|wanted| {
        let fits = |key: &&crate::oracle::Key| {
            key.kind == *wanted && in_git(&key.kind, &key.name) && !world.lacking.contains_key(&key.to_string())
        };
        live.objects.keys().find(fits)
    });
    let Some(key) = found else { return Ok(None) };
    let Some(kind) = world.kinds.iter().find(|kind| kind.kind == key.kind && kind.group == key.group) else {
        return Ok(None);
    };
    let was = live.objects[key].spec["description"].as_str().map(str::to_owned);
    let value = format!("verify {}", scene.site.plan.id);
    let planted = Planted {
        kind: kind.clone(),
        namespace: live.namespace.clone(),
        name: key.name.clone(),
        path: "spec.description",
        was,
        value: value.clone(),
    };
    // Before it is written: whatever ends the run takes it back.
    scene.site.planted(planted.clone());
    let patch = json!({"spec": {"description": value}});
    let written = cluster.merge_patch(kind, Some(&live.namespace), &key.name, &patch).await;
    let written =
        written.map_err(|error| Stop::Inconclusive(format!("No difference could be planted in {key}: {error}")))?;
    scene.recorder().reading(
        &written.reading.from,
        &format!("plant spec.description = {value:?} in {key}"),
        &written.reading.found.to_string(),
        json!(null),
    );
    Ok(Some(planted))
}

/// What a sync came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The page says that it went well.
    Good,
    /// The page says that it did not, or only in part.
    Bad,
}

/// Judges a sync by what the oracles read before and after it.
pub(crate) async fn judge(
    scene: &mut Scene<'_>,
    claim: Claim,
    words: &str,
    before: &World,
    planted: Option<&Planted>,
) -> Walked<()> {
    if before.live.is_none() {
        scene.verified = Some(false);
        scene.untold("the cluster holds what Git says", "no oracle was given that reads the cluster");
        return Ok(());
    }
    let after = world(scene).await?;
    let back = match (planted, &scene.site.plan.cluster) {
        (Some(planted), Some(cluster)) => {
            let now = planted.now(cluster).await.map_err(|error| {
                Stop::Inconclusive(format!("The oracle could not read {}: {error}", planted.object()))
            })?;
            let said = now.as_deref().unwrap_or("nothing");
            scene.recorder().reading(
                &format!("cluster {}", cluster.address()),
                &format!("{} of {}", planted.path, planted.object()),
                said,
                json!(null),
            );
            Some(now == planted.was)
        }
        _ => None,
    };
    let mut undone: Vec<String> = after.lacking.iter().map(|(object, why)| format!("{object}: {why}")).collect();
    if let (Some(planted), Some(false)) = (planted, back) {
        undone.push(format!("{}: {} is still what was planted", planted.object(), planted.path));
    }
    let work = before.lacking.len() + usize::from(planted.is_some());
    let done = before.lacking.keys().filter(|object| !after.lacking.contains_key(*object)).count()
        + usize::from(back == Some(true));
    let list = undone.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
    let expected = "the cluster holds what Git says, as the page says";
    match claim {
        Claim::Good if !undone.is_empty() => {
            crate::beside::read_nothing(scene, words, after.live.as_ref())?;
            let cause = if done == 0 { Cause::NoEffect } else { Cause::PartialCalledSuccess };
            let observed = format!("“{words}”; but of {work} differences {done} are gone: {list}");
            Err(scene.failed(cause, expected, observed))
        }
        Claim::Good if work == 0 => {
            scene.untold(
                expected,
                "there was nothing to do, and nothing harmless to change; a sync that does nothing looks the same",
            );
            Err(Stop::Inconclusive(
                "The cluster held what Git says before the press, too, and nothing harmless was there to be changed: a sync that \
                 does nothing looks the same. Commit a change, then verify again."
                    .to_owned(),
            ))
        }
        Claim::Good => {
            scene.verified = Some(true);
            scene.assert(
                true,
                Cause::NoEffect,
                expected,
                format!("{done} of {work} differences are gone, and none is left"),
            )
        }
        // Without a look at Git nobody knows what else was to be done.
        Claim::Bad if undone.is_empty() && work > 0 && after.desired.is_some() => {
            let observed = format!("“{words}”; but all of {work} differences are gone");
            Err(scene.failed(Cause::WrongRefusal, "what was done is not called a failure", observed))
        }
        Claim::Bad => {
            let oracle = match (list.is_empty(), work) {
                (false, _) => format!("The oracle agrees: {list}."),
                (true, 0) => "The oracle saw nothing that had to be done.".to_owned(),
                (true, _) => format!(
                    "The oracle sees {done} of {work} differences gone; what else Git says it does not see without --oracle-git."
                ),
            };
            Err(Stop::Inconclusive(format!("The sync did not succeed, and the page says so: “{words}”. {oracle}")))
        }
    }
}

/// Whether the effect of a sync is there: nothing is lacking, and what was planted is taken back. `None` without an oracle,
/// or where there was nothing to do.
pub(crate) async fn seen(
    scene: &mut Scene<'_>,
    before: &World,
    planted: Option<&Planted>,
) -> Walked<(Option<bool>, String)> {
    let after = world(scene).await?;
    let (Some(_), Some(cluster)) = (&after.live, &scene.site.plan.cluster) else {
        return Ok((None, "no oracle was given that reads the cluster".to_owned()));
    };
    let mut open: Vec<String> = after.lacking.iter().map(|(object, why)| format!("{object}: {why}")).collect();
    if let Some(planted) = planted {
        let now = planted.now(cluster).await;
        let now = now
            .map_err(|error| Stop::Inconclusive(format!("The oracle could not read {}: {error}", planted.object())))?;
        if now != planted.was {
            open.push(format!("{}: {} is still what was planted", planted.object(), planted.path));
        }
    }
    let work = before.lacking.len() + usize::from(planted.is_some());
    let list = open.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
    Ok(match (open.is_empty(), work) {
        (true, 0) => (None, "there was nothing to do".to_owned()),
        (true, _) => (Some(true), format!("all of {work} differences are gone")),
        (false, _) => (Some(false), list),
    })
}

/// Whether the cluster would take what Git says, asked by dry runs; `None` where nothing can be asked.
pub(crate) async fn would_take(
    scene: &mut Scene<'_>,
    world: &World,
    planted: Option<&Planted>,
) -> Walked<(Option<bool>, String)> {
    let (Some(cluster), Some(live)) = (&scene.site.plan.cluster, &world.live) else {
        return Ok((None, "no oracle was given that reads the cluster".to_owned()));
    };
    let mut asked = 0;
    let lacking = |object: &&DesiredObject| {
        let name = format!("{} {}", object.kind, object.name);
        world.lacking.contains_key(&name) || planted.is_some_and(|planted| planted.object() == name)
    };
    for object in world.desired.iter().flat_map(|desired| &desired.objects).filter(lacking).take(MOST_ASKED) {
        let Some(kind) = world.kinds.iter().find(|kind| kind.kind == object.kind && kind.group == object.group())
        else {
            continue;
        };
        asked += 1;
        let asked_for = manifest(object, &live.namespace);
        if let Err(error) = cluster.dry_run_apply(kind, Some(&live.namespace), &asked_for).await {
            return Ok((taken(&error), error.to_string()));
        }
    }
    if let Some(planted) = planted.filter(|_| asked == 0) {
        let allowed = cluster.can_i("update", &planted.kind.group, &planted.kind.plural, Some(&live.namespace)).await;
        let allowed =
            allowed.map_err(|error| Stop::Inconclusive(format!("The oracle could not ask for its rights: {error}")))?;
        // That the oracle itself may not write says nothing of what the target may.
        let may = allowed.value.allowed;
        return Ok((may.then_some(true), format!("{} may be written by the oracle: {may}", planted.object())));
    }
    if asked == 0 {
        return Ok((None, "there was nothing to ask the cluster about".to_owned()));
    }
    Ok((Some(true), format!("the cluster would take all of {asked} objects")))
}

/// What an error of a dry run says of the object. That the oracle itself may not ask, or gets no answer, says nothing.
fn taken(error: &OracleError) -> Option<bool> {
    matches!(error, OracleError::Refused { .. } | OracleError::NotFound { .. }).then_some(false)
}

/// The objects that the target's own list names as taken from Git, as "Kind name": for when no oracle reads Git.
pub(crate) async fn managed(scene: &mut Scene<'_>, visitor: &mut Visitor) -> Walked<BTreeSet<String>> {
    let Some(drift) = scene.profile().drift.clone() else { return Ok(BTreeSet::new()) };
    let address = drift.list.replace("{id}", &scene.fabric()?.id);
    let mut found = BTreeSet::new();
    for kind in PLANTED_IN {
        let page = visitor.open(&address.replace("{kind}", kind)).await?;
        let links = page.attributes(&drift.from_git, "href");
        found.extend(links.iter().filter_map(|link| {
            let parts = drift.link.captures(link)?;
            Some(format!("{} {}", &parts[1], &parts[2]))
        }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_of_the_object_says_that_the_cluster_would_not_take_it() {
        let (address, asked, message) = (String::new, String::new, String::new);
        let refused = OracleError::Refused { address: address(), asked: asked(), status: 422, message: message() };
        assert_eq!(taken(&refused), Some(false));
        let forbidden = OracleError::Forbidden { address: address(), asked: asked(), message: message() };
        assert_eq!(taken(&forbidden), None, "the oracle's own rights are not the path's");
    }
}
