//! The buttons that read: Sync from Git, Sync from Fabric, Test Connection. They change nothing, in Git or in the cluster.

use crate::answer::{Answer, Tone};
use crate::beside;
use crate::cause::Cause;
use crate::effect::{self, World};
use crate::oracle::Snapshot;
use crate::page::Page;
use crate::profile::Effect;
use crate::scene::{Scene, says};
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;

pub(super) async fn from_git(scene: &mut Scene<'_>) -> Walked<()> {
    walk(scene, "sync_from_git").await
}

pub(super) async fn from_fabric(scene: &mut Scene<'_>) -> Walked<()> {
    walk(scene, "sync_from_fabric").await
}

pub(super) async fn test_connection(scene: &mut Scene<'_>) -> Walked<()> {
    walk(scene, "test_connection").await
}

async fn walk(scene: &mut Scene<'_>, name: &str) -> Walked<()> {
    let action = scene.action(name)?;
    let before = effect::world(scene).await?;
    let mut visitor = scene.user().await?;
    scene.open_fabric(&mut visitor).await?;
    let (answer, page) = scene.press_and_follow(&mut visitor, &action).await?;
    let expected = "the page says how it ended";
    match answer.tone {
        Tone::Silent => return Err(scene.failed(Cause::SilentFailure, expected, says(&page))),
        Tone::Busy => return Err(scene.failed(Cause::Stuck, expected, &answer.text)),
        Tone::Good | Tone::Bad => scene.assert(true, Cause::SilentFailure, expected, &answer.text)?,
    }
    let after = effect::world(scene).await?;
    let unchanged = nothing_changed(scene, &before, &after)?;
    let judged = match action.effect {
        Effect::GitRead => git_read(scene, &mut visitor, &answer, &after).await,
        Effect::ClusterRead | Effect::ConnectionTold => cluster_told(scene, &answer, &after),
        Effect::ClusterHoldsGit => Ok(()),
    };
    visitor.close().await;
    judged?;
    if !unchanged {
        scene.verified = Some(false);
    }
    Ok(())
}

/// What only reads changes nothing in the cluster; whether that could be told.
fn nothing_changed(scene: &mut Scene<'_>, before: &World, after: &World) -> Walked<bool> {
    let expected = "what only reads changes nothing in the cluster";
    let (Some(before), Some(after)) = (&before.live, &after.live) else {
        scene.untold(expected, "no oracle was given that reads the cluster");
        return Ok(false);
    };
    let differences = Snapshot::differences(before, after);
    let observed = if differences.is_empty() {
        format!("{} objects are as before", after.objects.len())
    } else {
        let changed = differences.changed.iter().map(|one| one.key.to_string());
        let all: Vec<String> =
            differences.created.iter().chain(&differences.deleted).map(ToString::to_string).chain(changed).collect();
        format!("changed meanwhile, by this or by somebody else: {}", all.join(", "))
    };
    if !differences.is_empty() {
        scene.untold(expected, &observed);
        return Ok(false);
    }
    scene.assert(true, Cause::NoEffect, expected, observed)?;
    Ok(true)
}

/// The page names the commit that a fresh clone has.
async fn git_read(scene: &mut Scene<'_>, visitor: &mut Visitor, answer: &Answer, world: &World) -> Walked<()> {
    let Some(desired) = &world.desired else {
        scene.verified = Some(false);
        scene.untold("the page shows the newest commit", "no oracle was given that reads Git");
        return Ok(());
    };
    if answer.tone == Tone::Bad {
        let expected = "the repository, which the oracle can read, is read";
        return Err(scene.failed(Cause::WrongRefusal, expected, &answer.text));
    }
    let page: Page = scene.open_fabric(visitor).await?;
    let shown = scene.profile().fabric.commit.as_ref().and_then(|place| place.read(&page)).unwrap_or_default();
    let holds = shown.len() >= 7 && desired.commit.starts_with(&shown);
    let expected = format!("the page shows the newest commit, {}", &desired.commit[..desired.commit.len().min(12)]);
    scene.verified = Some(true);
    scene.assert(holds, Cause::StatusLies, &expected, format!("“{shown}”"))
}

/// The page says of the cluster what the oracle finds.
fn cluster_told(scene: &mut Scene<'_>, answer: &Answer, world: &World) -> Walked<()> {
    let reached = world.live.is_some();
    if !reached {
        scene.verified = Some(false);
        scene.untold("the page says of the cluster what is true", "no oracle was given that reads the cluster");
        return Ok(());
    }
    if answer.tone == Tone::Bad {
        // The oracle may have other rights; so only what is plainly about reaching it is a contradiction.
        return Err(Stop::Inconclusive(format!(
            "The oracle reads the cluster, and the target says that it cannot, or not all: “{}”. They may have different rights.",
            answer.text
        )));
    }
    beside::read_nothing(scene, &answer.text, world.live.as_ref())?;
    scene.verified = Some(true);
    scene.assert(
        true,
        Cause::FailureCalledSuccess,
        "the page says of the cluster what the oracle finds",
        "both reach it",
    )
}
