//! The layers behind the request: whether the target reaches the cluster, what it says of what it did, and what the cluster
//! does. What the target names as the reason is read first, as far as it has codes for it.

use super::press::{Press, codes, is_of};
use super::probes::{Asked, push};
use crate::answer::{Answer, Tone};
use crate::cause::Layer;
use crate::drivers::Ask;
use crate::effect::{self, Planted};
use crate::profile::Profile;
use crate::results::Probe;
use crate::scene::Scene;
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use std::time::Instant;

/// The press that was made, and what came of it.
pub(super) struct Pressed<'a> {
    /// What left and was answered.
    pub(super) press: &'a Press,
    /// How it ended, as the page says it.
    pub(super) answer: Option<&'a Answer>,
    /// What it had to put right.
    pub(super) planted: Option<&'a Planted>,
    /// Whether the user's path claimed what the oracle saw otherwise.
    pub(super) otherwise: bool,
}

/// Tries these layers.
pub(super) async fn all(
    scene: &mut Scene<'_>,
    visitor: &mut Visitor,
    probes: &mut Vec<Probe>,
    pressed: &Pressed<'_>,
) -> Walked<()> {
    let clock = Instant::now();
    let profile = scene.profile();
    let answer = pressed.answer;
    let reasons = reasons(scene, visitor, pressed.press, answer).await;
    let named = |class: &str| reasons.iter().find(|code| is_of(&profile, class, code)).cloned();
    let world = effect::world(scene).await?;
    let reached = if world.live.is_some() { "the oracle reads the cluster" } else { "there is no oracle to ask" };
    let guard = match scene.action("test_connection") {
        Ok(action) => {
            scene.open_fabric(visitor).await?;
            match scene.press_and_follow(visitor, &action).await {
                Ok((answer, _)) => Some(answer),
                Err(Stop::Fail(_)) => None,
                Err(stop) => return Err(stop),
            }
        }
        Err(_) => None,
    };
    let (guarded, refused) = (named("connection"), named("cluster"));
    // What the cluster refused has reached it, whatever the test says of the rights that are missing there.
    let tested = guard.as_ref().map(|answer| answer.tone == Tone::Bad && refused.is_none());
    let mut outcome = guard.as_ref().map_or_else(|| "it could not be pressed".to_owned(), |answer| answer.text.clone());
    outcome.extend(guarded.as_ref().map(|code| format!("; the press ended with {code}")));
    let asked = Asked {
        probe: "press the test of the connection, and see why the press ended",
        outcome,
        control: "reach the cluster beside the target",
        control_outcome: reached.to_owned(),
        holds: match (guarded.is_some(), tested) {
            (false, None) => None,
            (guarded, tested) => Some((guarded || tested == Some(true)) && world.live.is_some()),
        },
    };
    push(probes, Layer::ConnectionGuard, "the target does not let the operation reach the cluster", clock, asked);

    let clock = Instant::now();
    let said = answer.map_or_else(|| "nothing".to_owned(), |answer| format!("{:?}: {}", answer.tone, answer.text));
    let asked = Asked {
        probe: "what the target says of the press",
        outcome: said,
        control: "what the oracle reads",
        control_outcome: format!("{} differences between Git and the cluster", world.lacking.len()),
        holds: Some(
            pressed.otherwise || answer.is_some_and(|answer| !answer.is_final()) || is_own(&profile, pressed.press),
        ),
    };
    push(probes, Layer::State, "the target says something else than what is", clock, asked);

    let clock = Instant::now();
    let (takes, said) = effect::would_take(scene, &world, pressed.planted).await?;
    let asked = Asked {
        probe: "see whether the press ended because the cluster refused",
        outcome: refused.clone().unwrap_or_else(|| "the target does not say so".to_owned()),
        control: "ask the cluster by a dry run whether it takes what Git says",
        control_outcome: format!("{said}; {reached}"),
        holds: if refused.is_some() { Some(true) } else { takes.map(|takes| !takes) },
    };
    push(probes, Layer::Cluster, "the cluster refuses", clock, asked);
    Ok(())
}

/// Whether the press was refused for a reason of the target's own, which is of none of the classes that other layers are.
fn is_own(profile: &Profile, press: &Press) -> bool {
    let classes = ["csrf", "permission", "no_session", "connection", "cluster"];
    let is_named = |code: &String| classes.iter().any(|class| is_of(profile, class, code));
    press.own && (400..500).contains(&press.status) && !press.code.as_ref().is_some_and(is_named)
}

/// The codes that the target has for why the press ended as it did: in its answer, and in the operation that it began. A
/// target without such data has none.
async fn reasons(scene: &Scene<'_>, visitor: &mut Visitor, press: &Press, answer: Option<&Answer>) -> Vec<String> {
    let mut all: Vec<String> = press.code.clone().into_iter().collect();
    if let Some(operation) = answer.and_then(|answer| answer.operation.as_deref())
        && let Ok(told) = visitor.ask(&Ask::get(operation)).await
        && let Ok(data) = told.json()
    {
        all.extend(codes(&data, &scene.profile()));
    }
    all
}
