//! A harmless difference in the cluster that a sync must take back, so that a sync which does nothing is told from one that
//! has nothing to do: the description of a Server or Switch, which carries no traffic. Whatever ends the run, it is taken back.

use super::World;
use crate::oracle::{ClusterOracle, Kind, OracleError};
use crate::scene::Scene;
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use serde_json::json;
use std::collections::BTreeSet;

/// Kinds whose description can be changed without anything happening to traffic.
const PLANTED_IN: [&str; 2] = ["Server", "Switch"];

/// What a planted description begins with; the run's name follows.
const MARK: &str = "verify ";

/// A difference that was planted.
#[derive(Debug, Clone, PartialEq)]
pub struct Planted {
    pub(super) kind: Kind,
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

    /// The field, in words.
    pub(crate) fn place(&self) -> String {
        format!("{} of {} in the cluster", self.path, self.object())
    }

    /// How it is put right by hand.
    pub(crate) fn remedy(&self) -> String {
        // A quote in a description ends no quote of the shell's.
        let patch = json!({"spec": {"description": self.was}}).to_string().replace('\'', r"'\''");
        format!(
            "kubectl -n {} patch {}.{} {} --type merge -p '{patch}'",
            self.namespace, self.kind.plural, self.kind.group, self.name
        )
    }

    /// `Kind.group`, as pages name it.
    pub(crate) fn kind_and_group(&self) -> String {
        format!("{}.{}", self.kind.kind, self.kind.group)
    }

    /// Whether a sync has put right what stands there now: what was there before where that is what Git says, and else
    /// anything but what was planted.
    pub(super) fn is_taken_back(&self, before: &World, now: Option<&String>) -> bool {
        // An empty description and none are the same to the API.
        let said = |text: Option<&String>| text.filter(|text| !text.is_empty()).cloned();
        if before.desired.is_some() { said(now) == said(self.was.as_ref()) } else { now != Some(&self.value) }
    }

    /// Whether it is still there.
    pub(crate) async fn is_there(&self, scene: &Scene<'_>) -> Walked<bool> {
        let Some(cluster) = &scene.site.plan.cluster else { return Ok(false) };
        let now = self
            .now(cluster)
            .await
            .map_err(|error| Stop::Inconclusive(format!("The oracle could not read {}: {error}", self.object())))?;
        Ok(now.as_ref() == Some(&self.value))
    }

    pub(super) async fn now(&self, cluster: &ClusterOracle) -> Result<Option<String>, OracleError> {
        let live = cluster.get(&self.kind, Some(&self.namespace), &self.name).await?.value;
        Ok(live["spec"]["description"].as_str().map(str::to_owned))
    }

    /// Takes it back, if it is still there.
    pub(crate) async fn take_back(&self, cluster: &ClusterOracle) -> Result<(), String> {
        let now = match self.now(cluster).await {
            Ok(now) => now,
            Err(OracleError::NotFound { .. }) => return self.is_gone(cluster).await,
            Err(error) => return Err(error.to_string()),
        };
        if now.as_deref() != Some(&self.value) {
            return Ok(());
        }
        let patch = json!({"spec": {"description": self.was}});
        cluster.merge_patch(&self.kind, Some(&self.namespace), &self.name, &patch).await.map_err(|e| e.to_string())?;
        Ok(())
    }

    /// With the object, what was planted in it is gone; but while an upgrade registers kinds anew, nothing of theirs is found.
    async fn is_gone(&self, cluster: &ClusterOracle) -> Result<(), String> {
        let all = cluster.list(&self.kind, Some(&self.namespace)).await.map_err(|error| error.to_string())?.value;
        let is_there = all.iter().any(|one| one["metadata"]["name"] == self.name.as_str());
        if is_there { Err(format!("{} was not found, and is listed", self.object())) } else { Ok(()) }
    }
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
    let value = format!("{MARK}{}", scene.site.plan.id);
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

/// Looks for what a run that was killed has left in the cluster, and with leave puts it back to what Git says.
pub(crate) async fn left_by_others(scene: &mut Scene<'_>) -> Walked<()> {
    let Some(cluster) = scene.site.plan.cluster.as_ref().filter(|_| scene.site.fabric.is_some()) else { return Ok(()) };
    let world = super::world(scene).await?;
    let Some(live) = &world.live else { return Ok(()) };
    let own = format!("{MARK}{}", scene.site.plan.id);
    let is_left = |text: &str| {
        text != own
            && text.strip_prefix(MARK).is_some_and(|run| run.len() == 12 && run.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let mut left = Vec::new();
    for (key, seen) in live.objects.iter().filter(|(key, _)| PLANTED_IN.contains(&key.kind.as_str())) {
        if !seen.spec["description"].as_str().is_some_and(is_left) {
            continue;
        }
        let desired = world.desired.as_ref().and_then(|desired| desired.find(&key.kind, &key.name).into_iter().next());
        let kind = world.kinds.iter().find(|kind| kind.kind == key.kind && kind.group == key.group);
        let (Some(desired), Some(kind), true) = (desired, kind, scene.site.plan.allow_sync) else {
            left.push(key.to_string());
            continue;
        };
        let patch = json!({"spec": {"description": desired.spec["description"]}});
        let put_back = cluster.merge_patch(kind, Some(&live.namespace), &key.name, &patch).await;
        let what = format!("spec.description of {key}, which a run that was killed had planted");
        scene.recorder().cleaned(&what, put_back.map(drop).map_err(|error| error.to_string()));
    }
    if !left.is_empty() {
        let observed =
            format!("{} still hold what a run that was killed has planted; a sync puts it right", left.join(", "));
        scene.untold("no earlier run has left anything in the cluster", &observed);
    }
    Ok(())
}
