//! What runs by itself goes on: after a sync by hand, after a failure, after a restart.

use crate::cause::Cause;
use crate::drivers::Ask;
use crate::profile::OperationPage;
use crate::scene::Scene;
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use std::time::{Duration, Instant};

/// How often the list of operations is read.
const EVERY: Duration = Duration::from_millis(700);
/// How many operations are looked back at.
const BACK: usize = 25;

/// One operation of the list, the newest first.
struct Seen {
    address: String,
    state: String,
    is_automatic: bool,
    is_final: bool,
}

async fn operations(
    scene: &mut Scene<'_>,
    visitor: &mut Visitor,
    places: &OperationPage,
    most: usize,
) -> Walked<Vec<Seen>> {
    let Some(json) = &places.json else {
        return Err(Stop::Skipped("The profile does not say what began an operation.".to_owned()));
    };
    let page = visitor.leaf(&places.list.replace("{id}", &scene.fabric()?.id)).await?;
    let mut links = page.attributes(&places.list_link, "href");
    links.dedup();
    let mut all = Vec::new();
    for address in links.into_iter().take(most) {
        let answer = visitor.ask(&Ask::get(&address)).await?;
        scene.shown_by(visitor);
        let body = answer.json()?;
        let text =
            |pointer: &str| body.pointer(pointer).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        let is_automatic = text(&json.actor).starts_with("system:");
        let is_final = body.pointer(&json.is_final).and_then(|value| value.as_bool()).unwrap_or(false);
        all.push(Seen { address, state: text(&json.state), is_automatic, is_final });
    }
    Ok(all)
}

pub(super) async fn walk(scene: &mut Scene<'_>) -> Walked<()> {
    let places = scene.profile().operation.clone();
    let places = places.ok_or_else(|| Stop::Skipped("The profile knows no operations of the target.".to_owned()))?;
    let mut visitor = scene.user().await?;
    let before = operations(scene, &mut visitor, &places, BACK).await?;
    if !before.iter().any(|one| one.is_automatic) {
        return Err(Stop::Skipped(
            "None of the fabric's last operations began by itself: its policy has no automatic syncs.".to_owned(),
        ));
    }
    // After a sync by hand, and whatever came before it.
    let action = scene.action("sync")?;
    scene.open_fabric(&mut visitor).await?;
    let (answer, _) = scene.press_and_follow(&mut visitor, &action).await?;
    let by_hand = answer.operation.clone().unwrap_or_default();
    let (began, longest) = (Instant::now(), scene.site.plan.max_wait);
    let mut after = Vec::new();
    while began.elapsed() < longest {
        after = operations(scene, &mut visitor, &places, 5).await?;
        let newer: Vec<&Seen> = after.iter().take_while(|one| one.address != by_hand).collect();
        if newer.iter().any(|one| one.is_automatic && one.is_final) {
            break;
        }
        tokio::time::sleep(EVERY).await;
    }
    let newer: Vec<&Seen> = after.iter().take_while(|one| one.address != by_hand && !by_hand.is_empty()).collect();
    let next = newer.iter().find(|one| one.is_automatic && one.is_final);
    let expected = format!("after a sync by hand, the next one by itself comes within {} s", longest.as_secs());
    let observed = next.map_or_else(
        || format!("none came in {:.0} s", began.elapsed().as_secs_f64()),
        |next| format!("{}: {}", next.address, next.state),
    );
    scene.measure("from a sync by hand to the end of the next one by itself", began.elapsed());
    scene.assert(next.is_some(), Cause::AutomaticStopped, &expected, observed)?;
    // In what is past: no failure and no interruption was the last of its kind.
    let all = operations(scene, &mut visitor, &places, BACK).await?;
    let broke = |one: &Seen| !["succeeded", "queued", "running"].contains(&one.state.as_str());
    let newest_broken = all.iter().position(broke);
    match newest_broken {
        None => scene
            .untold("after a failure or a restart, the next one by itself comes", "none of the last operations failed"),
        Some(place) => {
            let went_on = all[..place].iter().any(|one| one.is_automatic);
            let observed = format!("{} {}; after it {} operations", all[place].address, all[place].state, place);
            let expected = "after one that failed or was interrupted, the next one by itself came";
            scene.assert(went_on, Cause::AutomaticStopped, expected, observed)?;
        }
    }
    visitor.close().await;
    Ok(())
}
