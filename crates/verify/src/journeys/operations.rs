//! Operations end: none is stuck, one that is cancelled stops, and the next one works.

use crate::answer::Answer;
use crate::cause::Cause;
use crate::drivers::Ask;
use crate::effect;
use crate::profile::OperationPage;
use crate::scene::{Scene, says};
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use jiff::Timestamp;
use std::time::Duration;

/// How long a page's script may take until it shows what came of a press.
const MOMENT: Duration = Duration::from_secs(3);

fn places(scene: &Scene<'_>) -> Walked<OperationPage> {
    let places = scene.profile().operation.clone();
    places.ok_or_else(|| Stop::Skipped("The profile knows no operations of the target.".to_owned()))
}

/// No operation is older than it may be; and a press works although others died.
pub(super) async fn stuck(scene: &mut Scene<'_>) -> Walked<()> {
    let places = places(scene)?;
    let Some(json) = &places.json else {
        return Err(Stop::Skipped("The profile does not say where an operation's deadline stands.".to_owned()));
    };
    let mut visitor = scene.user().await?;
    let page = visitor.open(&places.list.replace("{id}", &scene.fabric()?.id)).await?;
    let mut links = page.attributes(&places.list_link, "href");
    links.dedup();
    let (mut seen, mut died) = (0, Vec::new());
    for link in links.iter().take(30) {
        let answer = visitor.ask(&Ask::get(link)).await?;
        scene.shown_by(&visitor);
        let body = answer.json()?;
        let is_final = body.pointer(&json.is_final).and_then(|value| value.as_bool()).unwrap_or(false);
        let deadline = body
            .pointer(&json.deadline)
            .and_then(|value| value.as_str())
            .and_then(|text| text.parse::<Timestamp>().ok());
        let state = body.pointer(&json.state).and_then(|value| value.as_str()).unwrap_or_default();
        if places.interrupted.iter().any(|word| word.eq_ignore_ascii_case(state)) {
            died.push(link.clone());
        }
        // Half a minute for the end itself to be stored.
        let late = deadline.is_some_and(|deadline| Timestamp::now() > deadline + jiff::SignedDuration::from_secs(30));
        if !is_final && late {
            let expected = "no operation goes on after its deadline";
            return Err(scene.failed(
                Cause::Stuck,
                expected,
                format!("{link} is {state}, and was to end by {deadline:?}"),
            ));
        }
        seen += 1;
    }
    scene.assert(
        true,
        Cause::Stuck,
        "no operation goes on after its deadline",
        format!("{seen} operations were looked at"),
    )?;
    if died.is_empty() {
        scene.untold(
            "the operation after one that died works",
            "none died: kill the target in the middle of a sync, start it, and verify again",
        );
    }
    // Something that writes nothing still needs its turn.
    let action = scene.action("sync_from_fabric")?;
    scene.open_fabric(&mut visitor).await?;
    let (answer, page) = scene.press_and_follow(&mut visitor, &action).await?;
    let expected = "the next operation gets its turn and ends";
    let observed = if answer.text.is_empty() { says(&page) } else { answer.text.clone() };
    scene.assert(answer.is_final(), Cause::Stuck, expected, observed)?;
    visitor.close().await;
    Ok(())
}

/// A sync that is cancelled stops, says so, and what it had not done is not done afterwards.
pub(super) async fn cancel(scene: &mut Scene<'_>) -> Walked<()> {
    let places = places(scene)?;
    let action = scene.action("sync")?;
    let mut visitor = scene.user().await?;
    scene.open_fabric(&mut visitor).await?;
    let pressed = visitor.press(&action.button).await?;
    scene.shown_by(&visitor);
    let profile = scene.profile();
    let answer = Answer::read(&pressed, &profile);
    let Some(address) = answer.operation.clone() else {
        return Err(scene.failed(Cause::NotRecorded, "the press leads to an operation", says(&pressed)));
    };
    let page = visitor.open(&address).await?;
    let over = |page: &crate::page::Page| Answer::read(page, &profile).is_final();
    let button = page.find(&places.cancel);
    if over(&page) || button.as_ref().is_ok_and(|button| button.disabled) {
        return Err(Stop::Inconclusive(format!(
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
        return Err(Stop::Inconclusive(format!("The sync ended as “{state}” before the cancel reached it.")));
    }
    let before = effect::world(scene).await?;
    settle(&mut visitor).await?;
    let after = effect::world(scene).await?;
    let (Some(before), Some(after)) = (&before.live, &after.live) else {
        scene.verified = Some(false);
        scene.untold("nothing is written after the cancel", "no oracle was given that reads the cluster");
        visitor.close().await;
        return Ok(());
    };
    let differences = crate::oracle::Snapshot::differences(before, after);
    scene.verified = Some(true);
    let observed = if differences.is_empty() {
        "the cluster stands still".to_owned()
    } else {
        format!("{differences:?}").chars().take(400).collect()
    };
    scene.assert(differences.is_empty(), Cause::NotCancelled, "nothing is written after the cancel", observed)?;
    visitor.close().await;
    Ok(())
}

/// Two looks at the page, a second apart: time in which something that had not stopped would go on.
async fn settle(visitor: &mut Visitor) -> Walked<()> {
    visitor.until("a second has passed", Duration::from_secs(1), |_| None::<()>).await?;
    Ok(())
}
