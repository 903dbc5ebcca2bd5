//! Operations end: none is stuck, one that is cancelled stops, and the next one works.

use crate::answer::Answer;
use crate::cause::Cause;
use crate::effect;
use crate::profile::OperationPage;
use crate::records;
use crate::scene::{Scene, says};
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use std::time::Duration;

/// How many operations are looked back at.
const LOOK_BACK: usize = 30;
/// How long a page's script may take until it shows what came of a press.
const MOMENT: Duration = Duration::from_secs(3);

fn places(scene: &Scene<'_>) -> Walked<OperationPage> {
    let places = scene.profile().operation.clone();
    places.ok_or_else(|| Stop::Skipped("The profile knows no operations of the target.".to_owned()))
}

/// No operation is older than it may be; and a press works although others died.
pub(super) async fn stuck(scene: &mut Scene<'_>) -> Walked<()> {
    let places = places(scene)?;
    let mut visitor = scene.user().await?;
    let links = records::listed(scene, &mut visitor).await?.unwrap_or_default();
    let expected = "no operation goes on after its deadline";
    let (mut seen, mut died) = (0, None);
    for link in links.iter().take(LOOK_BACK) {
        let one = records::read(scene, &mut visitor, link).await?;
        if one.is_late() {
            let observed = format!("{link} is {}, and was to end by {:?}", one.state, one.deadline);
            return Err(scene.failed(Cause::Stuck, expected, observed));
        }
        if places.interrupted.iter().any(|word| word.eq_ignore_ascii_case(&one.state)) {
            died = died.or(Some(link.clone()));
        }
        seen += 1;
    }
    scene.assert(true, Cause::Stuck, expected, format!("{seen} operations were looked at"))?;
    // Something that writes nothing still needs its turn.
    let action = scene.action("sync_from_fabric")?;
    scene.open_fabric(&mut visitor).await?;
    let (answer, page) = scene.press_and_follow(&mut visitor, &action).await?;
    let expected = "the next operation gets its turn and ends";
    let observed = if answer.text.is_empty() { says(&page) } else { answer.text.clone() };
    scene.assert(answer.is_final(), Cause::Stuck, expected, &observed)?;
    let expected = "an operation whose server died is let go, and the next one works";
    match died {
        Some(link) => {
            scene.assert(true, Cause::Stuck, expected, format!("{link} was interrupted; after it: {observed}"))?
        }
        None => {
            scene.untold(expected, "none died: kill the target in the middle of a sync, start it, and verify again")
        }
    }
    visitor.close().await;
    Ok(())
}

/// A sync that is cancelled stops, says so, and what it had not done is not done afterwards.
pub(super) async fn cancel(scene: &mut Scene<'_>) -> Walked<()> {
    let places = places(scene)?;
    let action = scene.action("sync")?;
    let mut visitor = scene.user().await?;
    let before = records::listed(scene, &mut visitor).await?.unwrap_or_default();
    scene.open_fabric(&mut visitor).await?;
    scene.can_press(&mut visitor, &action).await?;
    let pressed = visitor.press(&action.button).await?;
    scene.shown_by(&visitor);
    scene.look_at_answer(&visitor, &pressed)?;
    let profile = scene.profile();
    let address = scene.begun(&Answer::read(&pressed, &profile), &pressed)?;
    // What others began, or the target by itself, is theirs to cancel.
    let known = places.json.is_some();
    let actor = if known { records::read(scene, &mut visitor, &address).await?.actor } else { String::new() };
    if before.contains(&address) || !actor.is_empty() && !scene.is_user(&actor) {
        return Err(Stop::Inconclusive(format!(
            "The press met {address}, which somebody else had begun, and which is left alone: verify again when none runs."
        )));
    }
    let page = visitor.open(&address).await?;
    let over = |page: &crate::page::Page| Answer::read(page, &profile).is_final();
    let button = page.find(&places.cancel);
    if over(&page) || button.as_ref().is_ok_and(|button| button.disabled) {
        return Err(Stop::Skipped(format!(
            "The sync was over before it could be cancelled: “{}”. One that takes longer would tell.",
            Answer::read(&page, &profile).text.trim_end_matches('.')
        )));
    }
    scene.shown_by(&visitor);
    if button.is_err() {
        return Err(scene.failed(Cause::ControlMissing, "an operation that runs can be cancelled", says(&page)));
    }
    let began = std::time::Instant::now();
    visitor.press(&places.cancel).await?;
    // A page of forms is the answer; a script may take a moment to show it.
    let moment = if visitor.runs_scripts() { MOMENT } else { Duration::ZERO };
    let noted = |page: &crate::page::Page| {
        let again = page.find(&places.cancel).is_ok_and(|button| !button.disabled);
        (over(page) || !again).then_some(())
    };
    let (taken, page) = visitor.until("the cancel is taken", moment, noted).await?;
    scene.shown_by(&visitor);
    let expected =
        "after the press the operation is over, or the page says that it is to end and offers no second cancel";
    scene.assert(taken.is_some(), Cause::NotCancelled, expected, says(&page))?;
    let (ended, page) =
        visitor.until("the operation is over", scene.site.plan.patience, |page| over(page).then_some(())).await?;
    scene.measure("from the cancel to the end", began.elapsed());
    scene.shown_by(&visitor);
    let state = places.state.read(&page).unwrap_or_default();
    scene.assert(ended.is_some(), Cause::NotCancelled, "the operation ends", says(&page))?;
    if !places.cancelled.iter().any(|word| word.eq_ignore_ascii_case(&state)) {
        return Err(Stop::Skipped(format!("The sync ended as “{state}” before the cancel reached it.")));
    }
    let before = effect::world(scene).await?;
    settle(&mut visitor).await?;
    let after = effect::world(scene).await?;
    let (before_lacks, after_lacks) = (&before.lacking, &after.lacking);
    let (Some(before), Some(after)) = (&before.live, &after.live) else {
        scene.verified = Some(false);
        scene.untold("nothing is written after the cancel", "no oracle was given that reads the cluster");
        visitor.close().await;
        return Ok(());
    };
    visitor.close().await;
    let expected = "nothing is written after the cancel";
    let differences = crate::oracle::Snapshot::differences(before, after);
    if differences.is_empty() {
        scene.verified = Some(true);
        return scene.assert(true, Cause::NotCancelled, expected, "the cluster stands still");
    }
    // What Git says came into the cluster after the end; what else changed is somebody else's.
    let written: Vec<&String> = before_lacks.keys().filter(|object| !after_lacks.contains_key(*object)).collect();
    scene.verified = Some(!written.is_empty());
    if written.is_empty() {
        scene.untold(expected, "something changed meanwhile that is not what the sync writes");
        return Ok(());
    }
    Err(scene.failed(Cause::NotCancelled, expected, format!("{written:?}")))
}

/// Two looks at the page, a second apart: time in which something that had not stopped would go on.
async fn settle(visitor: &mut Visitor) -> Walked<()> {
    visitor.until("a second has passed", Duration::from_secs(1), |_| None::<()>).await?;
    Ok(())
}
