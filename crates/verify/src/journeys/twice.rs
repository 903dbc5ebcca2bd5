//! A double click, and two users at once: one operation, and the second gets it back.

use crate::answer::Tone;
use crate::cause::Cause;
use crate::scene::{Scene, says};
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use std::collections::BTreeSet;

/// One person, two clicks.
pub(super) async fn double_click(scene: &mut Scene<'_>) -> Walked<()> {
    let action = scene.action("sync")?;
    let mut visitor = scene.user().await?;
    let before = operations(scene, &mut visitor).await?;
    scene.open_fabric(&mut visitor).await?;
    let first_step = scene.recorder().count();
    let pressed = visitor.press_twice(&action.button).await?;
    scene.shown_by(&visitor);
    let (answer, page) = visitor.follow(pressed, scene.site.plan.patience).await?;
    if answer.tone == Tone::Silent {
        return Err(scene.failed(Cause::SilentFailure, "the page says what came of the presses", says(&page)));
    }
    let judged = once(scene, &mut visitor, before, first_step).await;
    visitor.close().await;
    judged
}

/// Two people, a click each.
pub(super) async fn two_users(scene: &mut Scene<'_>) -> Walked<()> {
    let action = scene.action("sync")?;
    let mut one = scene.user().await?;
    let (mut other, who) = scene.second().await?;
    let before = operations(scene, &mut one).await?;
    scene.open_fabric(&mut one).await?;
    scene.open_fabric(&mut other).await?;
    let first_step = scene.recorder().count();
    let (first, second) = tokio::join!(one.press(&action.button), other.press(&action.button));
    let patience = scene.site.plan.patience;
    for (visitor, pressed) in [(&mut one, first), (&mut other, second)] {
        let (answer, page) = visitor.follow(pressed?, patience).await?;
        scene.shown_by(visitor);
        let told = answer.tone != Tone::Silent;
        let expected = format!("both are told what came of it; the second is {who}");
        scene.assert(told, Cause::SilentFailure, &expected, says(&page))?;
    }
    let judged = once(scene, &mut one, before, first_step).await;
    one.close().await;
    other.close().await;
    judged
}

/// The operations of the fabric, by their addresses; `None` where the target keeps none.
async fn operations(scene: &mut Scene<'_>, visitor: &mut Visitor) -> Walked<Option<BTreeSet<String>>> {
    let profile = scene.profile();
    let Some(places) = &profile.operation else { return Ok(None) };
    let page = visitor.open(&places.list.replace("{id}", &scene.fabric()?.id)).await?;
    Ok(Some(page.attributes(&places.list_link, "href").into_iter().collect()))
}

/// That two presses were one operation.
async fn once(
    scene: &mut Scene<'_>,
    visitor: &mut Visitor,
    before: Option<BTreeSet<String>>,
    first_step: usize,
) -> Walked<()> {
    let expected = "two presses are one operation; the second gets the one that runs";
    let Some(before) = before else { return answered_once(scene, first_step, expected) };
    let after = operations(scene, visitor).await?.unwrap_or_default();
    scene.shown_by(visitor);
    let new: Vec<String> = after.difference(&before).cloned().collect();
    match new.len() {
        0 => Err(scene.failed(Cause::NotRecorded, expected, "no operation came of it")),
        1 => scene.assert(true, Cause::RanTwice, expected, &new[0]),
        _ => overlapping(scene, visitor, &new, expected).await,
    }
}

/// Several operations: one after the other is two presses that did not meet; beside each other is the defect.
async fn overlapping(scene: &mut Scene<'_>, visitor: &mut Visitor, new: &[String], expected: &str) -> Walked<()> {
    let mut spans = Vec::new();
    for address in new {
        let body = visitor.ask(&crate::drivers::Ask::get(address)).await?.json()?;
        let time = |name: &str| {
            body.get(name).and_then(|value| value.as_str()).and_then(|text| text.parse::<jiff::Timestamp>().ok())
        };
        spans.push((time("queued_at"), time("ended_at"), address.clone()));
    }
    let meet = spans.iter().enumerate().any(|(number, one)| {
        spans[number + 1..].iter().any(|other| match (one.0, one.1, other.0, other.1) {
            (Some(from), Some(to), Some(other_from), Some(other_to)) => from < other_to && other_from < to,
            _ => false,
        })
    });
    let list = new.join(", ");
    if meet {
        return Err(scene.failed(Cause::RanTwice, expected, format!("{list} ran, or waited, at the same time")));
    }
    Err(Stop::Inconclusive(format!(
        "The first press was over before the second arrived ({list}): the two did not meet, and nothing is proved. A sync that \
         takes longer would tell."
    )))
}

/// Where there are no operations to be counted: both presses were answered as if each had done the work.
fn answered_once(scene: &mut Scene<'_>, first_step: usize, expected: &str) -> Walked<()> {
    let profile = scene.profile();
    let mut done = Vec::new();
    let name = profile.answers.json.as_ref().and_then(|places| places.success.rsplit('/').next()).unwrap_or_default();
    let said = [format!("\"{name}\": true"), format!("\"{name}\":true")];
    for exchange in scene.recorder().steps_from(first_step).iter().flat_map(|step| &step.exchanges) {
        if !exchange.is_write() {
            continue;
        }
        let json =
            exchange.response_body.as_deref().and_then(|body| serde_json::from_str::<serde_json::Value>(body).ok());
        let places = profile.answers.json.as_ref();
        let success = json.zip(places).and_then(|(json, places)| json.pointer(&places.success)?.as_bool());
        // A body that was too long to be kept still begins with what it says.
        let begins =
            exchange.response_body.as_deref().is_some_and(|body| said.iter().any(|said| body.contains(said.as_str())));
        if success == Some(true) || exchange.status == 200 && begins {
            done.push(format!("{} at {}", exchange.path(), exchange.started));
        }
    }
    match done.len() {
        0 => Err(Stop::Inconclusive("Neither press was said to have done anything.".to_owned())),
        1 => scene.assert(true, Cause::RanTwice, expected, &done[0]),
        _ => Err(scene.failed(Cause::RanTwice, expected, format!("each was answered as done: {}", done.join(", ")))),
    }
}
