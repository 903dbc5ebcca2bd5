//! What has happened before the first look: the fabrics were compared, and then somebody was at the cluster of `east`
//! with kubectl. The comparison before is what lets the one after say *changed in the cluster* instead of *not
//! delivered*: it remembers the form that was once equal.

use super::fabrics::Fabrics;
use super::labs::{Cluster, Labs};
use anyhow::{Context as _, bail};
use engine::{Engine, Request};
use lab::Lab;
use model::manifest::{Limits, parse_file};
use model::operation::{Trigger, Verb};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Longest time for one operation of the preparation, and for the agents.
const PATIENCE: Duration = Duration::from_secs(30);

/// The object that somebody deletes in the cluster of `east`.
const DELETED: (&str, &str) = ("VPCAttachment", "ci-runners--server-10");

/// Tells the story, at the first start with its beginning.
pub(super) async fn tell(engine: &Engine, labs: &Labs, fabrics: &Fabrics) -> anyhow::Result<()> {
    if let (Some(east), true) = (fabrics.east, fabrics.are_new) {
        labs.east.lab.load([deleted(&labs.east)?], "hhfab").context("cannot fill the lab of east")?;
        operate(engine, east, Verb::SyncFromGit).await?;
        labs.east.lab.delete(DELETED.0, "default", DELETED.1).context("cannot delete an object of the lab of east")?;
    }
    labs.east.drift()?;
    agents_are_done(&[&labs.east.lab, &labs.west.lab]).await;
    let looks =
        [(fabrics.east, Verb::SyncFromFabric), (fabrics.west, Verb::SyncFromGit), (fabrics.north, Verb::SyncFromGit)];
    futures::future::try_join_all(
        looks.into_iter().filter_map(|(id, verb)| Some((id?, verb))).map(|(id, verb)| operate(engine, id, verb)),
    )
    .await?;
    Ok(())
}

/// Runs a verb to its end, as the button would. How it ended stands in the operation, for everybody to see.
async fn operate(engine: &Engine, fabric_id: i64, verb: Verb) -> anyhow::Result<()> {
    let request = Request {
        fabric_id,
        verb,
        actor: "demo".to_owned(),
        actor_user_id: None,
        trigger: Trigger::Script,
        request_id: format!("demo-{fabric_id}-{verb}"),
        idempotency_key: None,
        shown_comparison: None,
        options: model::sync_options::SyncOptions::default(),
    };
    let requested = engine.request(request).await.with_context(|| format!("cannot start {}", verb.title()))?;
    let operation = engine.wait(requested.operation.id, PATIENCE).await.context("cannot follow the operation")?;
    if !operation.state.is_final() {
        bail!("{} of a demo fabric did not end within {} s", verb.title(), PATIENCE.as_secs());
    }
    Ok(())
}

/// The manifest of the object that is about to be deleted, from the fabric's own files.
fn deleted(cluster: &Cluster) -> anyhow::Result<Value> {
    let (kind, name) = DELETED;
    let files = cluster.fabric.files.iter().filter(|file| file.path.ends_with(".yaml"));
    let manifests =
        files.flat_map(|file| parse_file(file.path, file.text.as_bytes(), "default", &Limits::default()).manifests);
    let found = manifests.into_iter().find(|manifest| manifest.key.kind == kind && manifest.key.name == name);
    let found = found.with_context(|| format!("the demo has no {kind} {name}"))?;
    Ok(found.object.value())
}

/// Waits until the simulated switches run what their cluster holds, so that the first page does not show them at work.
/// A lab that is slower than that is no reason not to start.
async fn agents_are_done(labs: &[&Lab]) {
    let until = Instant::now() + Duration::from_secs(5);
    let is_done = |agent: &Value| agent["status"]["lastAppliedGen"] == agent["metadata"]["generation"];
    let all_done = || {
        labs.iter().all(|lab| {
            let agents = lab.objects("Agent");
            !agents.is_empty() && agents.iter().all(is_done) && lab.objects("GatewayAgent").iter().all(is_done)
        })
    };
    while !all_done() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab::demo;

    #[test]
    fn what_is_deleted_is_in_the_files_and_not_in_the_cluster_afterwards() {
        let east = demo::east();
        let (kind, name) = DELETED;
        let text: String = east.files.iter().map(|file| file.text).collect();
        assert!(text.contains(&format!("name: {name}\n")), "{name} is in no file");
        let is_it = |object: &Value| object["kind"] == kind && object["metadata"]["name"] == name;
        assert!(!east.seeds.iter().flat_map(|seed| &seed.objects).any(is_it), "a seed brings {name} back");
    }
}
