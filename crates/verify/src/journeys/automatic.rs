//! What runs by itself goes on: after a sync by hand, after a failure, after a restart.

use crate::cause::Cause;
use crate::drivers::Ask;
use crate::effect;
use crate::records::{self, Operation};
use crate::scene::Scene;
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// How often the list of operations is read.
const EVERY: Duration = Duration::from_millis(700);
/// How many operations are looked back at.
const BACK: usize = 25;
/// How much later than its time one may begin.
const LATE: Duration = Duration::from_secs(30);

/// When the next one begins by itself, and how long that is from now by the target's clock; `None` where none does.
async fn next(scene: &mut Scene<'_>, visitor: &mut Visitor) -> Walked<Option<(Timestamp, Duration)>> {
    let Some(place) = scene.profile().fabric.next_automatic.clone() else { return Ok(None) };
    let answer = visitor.ask(&Ask::get(&place.address.replace("{id}", &scene.fabric()?.id))).await?;
    scene.shown_by(visitor);
    let body = answer.json()?;
    let at = body.pointer(&place.pointer).and_then(|value| value.as_str()).and_then(|text| text.parse().ok());
    let now = answer.date().unwrap_or_else(Timestamp::now);
    Ok(at.map(|at: Timestamp| (at, Duration::try_from(at.duration_since(now)).unwrap_or_default())))
}

fn is_automatic(one: &Operation) -> bool {
    one.actor.starts_with("system:")
}

pub(super) async fn walk(scene: &mut Scene<'_>) -> Walked<()> {
    let mut visitor = scene.user().await?;
    let Some((first, left)) = next(scene, &mut visitor).await? else {
        return Err(Stop::Skipped(
            "The fabric's page names no next automatic sync: it has none, or they are held.".to_owned(),
        ));
    };
    let most = scene.site.plan.max_wait;
    if left > most {
        return Err(Stop::Skipped(format!(
            "The next automatic sync is {} s away, and at most {} s may be waited for; --max-wait {}s would allow it.",
            left.as_secs(),
            most.as_secs(),
            left.as_secs() + 10
        )));
    }
    // A sync by hand; and then something to do, so that the next one has work.
    let action = scene.action("sync")?;
    scene.open_fabric(&mut visitor).await?;
    scene.press_and_follow(&mut visitor, &action).await?;
    let before = records::listed(scene, &mut visitor).await?.unwrap_or_default();
    let world = effect::world(scene).await?;
    let managed = match world.desired {
        Some(_) => Default::default(),
        None => effect::managed(scene, &mut visitor).await?,
    };
    let planted = effect::plant(scene, &world, &managed).await?;
    let (began, longest) = (Instant::now(), left + LATE.max(left));
    let (came, moved) = loop {
        let new = records::since(scene, &mut visitor, &before).await?;
        let came = new.into_iter().find(|one| is_automatic(one) && one.is_final);
        let at = next(scene, &mut visitor).await?;
        // One that is named no more has not moved on.
        let moved = at.is_some_and(|(at, _)| at > first);
        // Where there may be nothing to do, none need come: then it is the schedule that must have moved on.
        if came.is_some() || moved && planted.is_none() || began.elapsed() >= longest {
            break (came, moved);
        }
        tokio::time::sleep(EVERY).await;
    };
    scene.measure("from a sync by hand to the next one by itself", began.elapsed());
    let expected = format!("after a sync by hand, the next one by itself comes within {} s", longest.as_secs());
    match &came {
        Some(came) => {
            scene.assert(true, Cause::AutomaticStopped, &expected, format!("{}: {}", came.address, came.state))?
        }
        None if moved && planted.is_none() => {
            let schedule = "after a sync by hand, the schedule goes on";
            scene.assert(true, Cause::AutomaticStopped, schedule, "the next one is later than the one before")?;
            scene.untold(
                &expected,
                "nothing differed, so that none had to come; with --oracle-kubeconfig a difference is planted",
            );
        }
        None => {
            let observed = format!("none came in {:.0} s", began.elapsed().as_secs_f64());
            return Err(scene.failed(Cause::AutomaticStopped, &expected, observed));
        }
    }
    past(scene, &mut visitor, came.as_ref()).await?;
    visitor.close().await;
    Ok(())
}

/// In what is past: after one that failed or was interrupted, another came.
async fn past(scene: &mut Scene<'_>, visitor: &mut Visitor, came: Option<&Operation>) -> Walked<()> {
    let expected = "after one that failed or was interrupted, the next one by itself came";
    let mut newer = came.map(|came| came.address.clone());
    for address in records::listed(scene, visitor).await?.unwrap_or_default().iter().take(BACK) {
        let one = records::read(scene, visitor, address).await?;
        let broke = one.is_final && one.success == Some(false);
        if let Some(newer) = newer.as_ref().filter(|newer| broke && **newer != one.address) {
            let observed = format!("{} was {}; after it came {newer}", one.address, one.state);
            return scene.assert(true, Cause::AutomaticStopped, expected, observed);
        }
        if is_automatic(&one) {
            newer = Some(one.address);
        }
    }
    scene.untold(expected, "none of the last operations failed, with one by itself after it");
    Ok(())
}
