//! Whether a sync did what it says, read in the cluster and in a fresh clone: what Git says and the cluster lacked before,
//! what it holds after, a difference that was planted to be taken back, and whether the switches run it.

mod plant;
pub(crate) mod switches;
mod world;

pub use plant::Planted;
pub(crate) use plant::{left_by_others, managed, plant};
pub(crate) use world::{World, cannot_tell, namespace, world};

use crate::cause::Cause;
use crate::oracle::{DesiredObject, OracleError};
use crate::scene::Scene;
use crate::stop::{Stop, Walked};
use serde_json::json;
use world::manifest;

/// How many objects are asked about by dry runs.
const MOST_ASKED: usize = 60;

/// Kinds whose objects Hedgehog makes by itself, by its API reference.
const MADE_BY_HEDGEHOG: [&str; 6] = ["Agent", "Catalog", "DHCPSubnet", "GatewayAgent", "SwitchProfile", "VPCInfo"];

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
            Some(planted.is_taken_back(before, now.as_ref()))
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
    let commit = |world: &World| world.desired.as_ref().map(|desired| desired.commit.clone()).unwrap_or_default();
    if commit(before) != commit(&after) && !undone.is_empty() {
        return Err(Stop::Inconclusive(format!(
            "Git moved on from {:.12} to {:.12} while the sync ran: “{words}”, and {list}.",
            commit(before),
            commit(&after)
        )));
    }
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
        Claim::Good if !after.untold.is_empty() => {
            scene.verified = Some(false);
            scene.untold(expected, &format!("{done} of {work} differences are gone; {}", cannot_tell(&after)));
            Ok(())
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
        // Of what is to be deleted, and of what the oracle cannot read, it does not know whether it was done.
        Claim::Bad if undone.is_empty() && work > 0 && knows_all(&after) => {
            let observed = format!("“{words}”; but all of {work} differences are gone");
            Err(scene.failed(Cause::WrongRefusal, "what was done is not called a failure", observed))
        }
        Claim::Bad => {
            let oracle = match (list.is_empty(), work) {
                (false, _) => format!("The oracle agrees: {list}."),
                (true, _) if after.desired.is_some() && !after.untold.is_empty() => {
                    format!("The oracle sees {done} of {work} differences gone; {}.", cannot_tell(&after))
                }
                (true, 1..) if after.desired.is_some() => format!(
                    "The oracle sees {done} of {work} differences gone; whether the objects that Git does not hold were to be \
                     deleted it does not know."
                ),
                (true, 0) => "The oracle saw nothing that had to be done.".to_owned(),
                (true, _) => format!(
                    "The oracle sees {done} of {work} differences gone; what else Git says it does not see without --oracle-git."
                ),
            };
            Err(Stop::Inconclusive(format!("The sync did not succeed, and the page says so: “{words}”. {oracle}")))
        }
    }
}

/// Whether nothing of a sync escapes the oracle: it can tell of everything that Git says, and the cluster holds no more that
/// people write, which a sync may have been asked to delete.
fn knows_all(world: &World) -> bool {
    let (Some(desired), Some(live)) = (&world.desired, &world.live) else { return false };
    let surplus = live
        .objects
        .keys()
        .any(|key| !MADE_BY_HEDGEHOG.contains(&key.kind.as_str()) && desired.find(&key.kind, &key.name).is_empty());
    world.untold.is_empty() && !surplus
}

/// Whether the effect of a sync is there: nothing is lacking, and what was planted is taken back. `None` without an oracle,
/// or where there was nothing to do.
pub(crate) async fn seen(
    scene: &mut Scene<'_>,
    before: &World,
    planted: Option<&Planted>,
    claimed: Option<bool>,
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
        if !planted.is_taken_back(before, now.as_ref()) {
            open.push(format!("{}: {} is still what was planted", planted.object(), planted.path));
        }
    }
    let work = before.lacking.len() + usize::from(planted.is_some());
    let list = open.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
    Ok(match (open.is_empty(), work) {
        (true, 0) => (None, "there was nothing to do".to_owned()),
        // What is called a failure may be about what the oracle does not see.
        (true, _) if claimed == Some(false) && after.desired.is_some() && !knows_all(&after) => {
            (None, format!("all of {work} differences are gone that the oracle sees; of others it does not know"))
        }
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
