//! The discrepancy: the user's path and the direct one, side by side, on the same fabric, in both orders. Where one comes
//! to its end and the other does not, probes find the first layer at which they part: each hypothesis has a probe, a
//! control and a measured outcome.
//!
//! The direct path is a command (`--direct`, for instance `hedgerow sync`, or a shell of the target); without one, the
//! cluster is asked by a dry run whether it would take what Git says. A difference is planted before each arm, so that
//! each has the same work to do.

mod behind;
mod press;
mod probes;

use crate::answer::Tone;
use crate::cause::{Cause, Layer};
use crate::effect::{self, Planted, World};
use crate::recorder::millis;
use crate::results::{Arm, Discrepancy, Path, Probe};
use crate::scene::Scene;
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::Instant;

/// The journey `two_paths`.
pub(crate) async fn walk(scene: &mut Scene<'_>) -> Walked<()> {
    if scene.site.plan.cluster.is_none() && scene.site.plan.direct.is_none() {
        return Err(Stop::Skipped(
            "There is no direct path to walk: neither --direct nor --oracle-kubeconfig was given.".to_owned(),
        ));
    }
    let mut visitor = scene.user().await?;
    let world = effect::world(scene).await?;
    let managed = match world.desired {
        Some(_) => BTreeSet::new(),
        None => effect::managed(scene, &mut visitor).await?,
    };
    drop(visitor);
    let mut arms = Vec::new();
    for first in [Path::User, Path::Direct] {
        let second = if first == Path::User { Path::Direct } else { Path::User };
        for path in [first, second] {
            let before = effect::world(scene).await?;
            let planted = effect::plant(scene, &before, &managed).await?;
            let arm = match path {
                Path::Direct => direct(scene, first, &before, planted.as_ref()).await?,
                _ => user(scene, first, &before, planted.as_ref()).await?,
            };
            arms.push(arm);
            scene.site.take_back().await;
        }
    }
    let (subject, came) = (format!("make the cluster of {} hold what Git says", scene.fabric()?.name), came(&arms));
    let (probes, parts_at) = match came {
        Came::UserFails | Came::UserLies => {
            let probes = probes::all(scene, &managed, says_otherwise(&arms)).await?;
            let first = probes.iter().find(|probe| probe.holds == Some(true)).map(|probe| probe.layer);
            (probes, first)
        }
        _ => (Vec::<Probe>::new(), None),
    };
    let sentence = match (came, parts_at) {
        (Came::Agree, _) => "Both paths come to the same, in both orders.".to_owned(),
        (Came::BothFail, _) => "Neither path comes to its end: what is wrong stands in the way of both.".to_owned(),
        (Came::DirectFails, _) => "The user's path comes to its end, the direct one does not.".to_owned(),
        (Came::Untold, _) => {
            "Nobody can say whether the direct path comes to its end, so that the two cannot be compared.".to_owned()
        }
        (_, Some(layer)) => {
            format!("The direct path comes to its end; the user's path parts from it at the layer {}.", layer.word())
        }
        (_, None) => {
            "The direct path comes to its end, the user's does not; no probe could tell at which layer they part."
                .to_owned()
        }
    };
    scene.site.discrepancy(Discrepancy { subject, arms: arms.clone(), parts_at, sentence: sentence.clone(), probes });
    let expected = "the user's path and the direct one come to the same";
    let said = arms.iter().map(|arm| format!("{}: {}", arm.by, arm.said)).collect::<Vec<_>>().join("; ");
    match came {
        Came::Agree => {
            let judged = arms.iter().any(|arm| arm.path == Path::User && arm.effect == Some(true));
            scene.verified = Some(judged);
            if !judged {
                scene.untold(expected, "no oracle saw an effect: nothing was planted, or no cluster could be read");
            }
            scene.assert(true, Cause::NoEffect, expected, said)
        }
        Came::BothFail | Came::DirectFails | Came::Untold => Err(Stop::Inconclusive(format!("{sentence} {said}"))),
        Came::UserFails | Came::UserLies => {
            // Where the target's own state refuses, nothing was called a success.
            let refused = matches!(came, Came::UserFails) && parts_at == Some(Layer::State);
            let mut stop = scene.failed(
                parts_at.filter(|_| !refused).map_or(Cause::WrongRefusal, probes::cause),
                expected,
                format!("{sentence} {said}"),
            );
            if let (Stop::Fail(finding), Some(layer)) = (&mut stop, parts_at) {
                finding.layer = layer;
            }
            Err(stop)
        }
    }
}

/// What the arms come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Agree,
    UserFails,
    /// It says that it went well, and nothing came of it.
    UserLies,
    DirectFails,
    BothFail,
    /// The direct path asked for nothing, or was not answered: it is no measure of the user's.
    Untold,
}

fn came(arms: &[Arm]) -> Came {
    let good = |arm: &&Arm| arm.claimed == Some(true) && arm.effect != Some(false);
    let of = |path: Path| arms.iter().filter(move |arm| arm.path == path);
    if of(Path::Direct).any(|arm| arm.claimed.is_none()) {
        return Came::Untold;
    }
    let (user, direct) = (of(Path::User).all(|arm| good(&arm)), of(Path::Direct).all(|arm| good(&arm)));
    let lies = of(Path::User).any(|arm| arm.claimed == Some(true) && arm.effect == Some(false));
    match (user, direct) {
        (true, true) => Came::Agree,
        (true, false) => Came::DirectFails,
        (false, true) if lies => Came::UserLies,
        (false, true) => Came::UserFails,
        (false, false) => Came::BothFail,
    }
}

/// Whether the target said of a press what the oracle saw otherwise: a success without effect, or an effect that is called a
/// failure.
fn says_otherwise(arms: &[Arm]) -> bool {
    let differs = |arm: &Arm| matches!((arm.claimed, arm.effect), (Some(claimed), Some(effect)) if claimed != effect);
    arms.iter().any(|arm| arm.path == Path::User && differs(arm))
}

/// The user's path: page, button, answer.
async fn user(scene: &mut Scene<'_>, first: Path, before: &World, planted: Option<&Planted>) -> Walked<Arm> {
    let (started, clock) = (Timestamp::now(), Instant::now());
    let mut visitor = scene.user().await?;
    let walked = press(scene, &mut visitor, planted.is_some()).await;
    let by = format!("the button, {}", visitor.driver());
    drop(visitor);
    let (said, claimed) = match walked {
        Ok(said) => said,
        Err(Stop::Fail(finding)) => (format!("{}: {}", finding.cause.title(), finding.observed), Some(false)),
        Err(stop) => return Err(stop),
    };
    let (effect, seen) = effect::seen(scene, before, planted, claimed).await?;
    Ok(Arm { path: Path::User, by, first, started, ms: millis(clock.elapsed()), said, claimed, effect, seen })
}

async fn press(scene: &mut Scene<'_>, visitor: &mut Visitor, planted: bool) -> Walked<(String, Option<bool>)> {
    scene.open_fabric(visitor).await?;
    if planted && let Ok(read) = scene.action("sync_from_fabric") {
        scene.press_and_follow(visitor, &read).await?;
        scene.open_fabric(visitor).await?;
    }
    let action = scene.action("sync")?;
    let (answer, _) = scene.press_and_follow(visitor, &action).await?;
    let claimed = match answer.tone {
        Tone::Good => Some(true),
        Tone::Bad => Some(false),
        Tone::Busy | Tone::Silent => None,
    };
    Ok((answer.text, claimed))
}

/// The direct path: a command, or a dry run at the cluster.
async fn direct(scene: &mut Scene<'_>, first: Path, before: &World, planted: Option<&Planted>) -> Walked<Arm> {
    let (started, clock) = (Timestamp::now(), Instant::now());
    let Some(command) = scene.site.plan.direct.clone() else {
        let (claimed, said) = effect::would_take(scene, before, planted).await?;
        let by = "a dry run at the cluster's API".to_owned();
        scene.recorder().direct("verify", &by, started, clock.elapsed(), &said);
        let seen = "a dry run changes nothing".to_owned();
        return Ok(Arm {
            path: Path::Direct,
            by,
            first,
            started,
            ms: millis(clock.elapsed()),
            said,
            claimed,
            effect: None,
            seen,
        });
    };
    let mut program = tokio::process::Command::new("sh");
    program.args(["-c", &command]).env("VERIFY_FABRIC", scene.fabric()?.name);
    let (claimed, said) = match crate::command::run(program, scene.site.plan.patience).await {
        Ok(None) => (None, format!("it did not end within {} s", scene.site.plan.patience.as_secs())),
        Err(error) => return Err(Stop::Inconclusive(format!("The direct command cannot be started: {error}"))),
        Ok(Some(ended)) => {
            let text: String = String::from_utf8_lossy(&ended.said).trim().chars().take(2_000).collect();
            (Some(ended.status.success()), format!("{}: {text}", ended.status))
        }
    };
    scene.recorder().direct("verify", &command, started, clock.elapsed(), &said);
    let (effect, seen) = effect::seen(scene, before, planted, claimed).await?;
    let said = scene.site.redactor.text(&said);
    Ok(Arm {
        path: Path::Direct,
        by: command,
        first,
        started,
        ms: millis(clock.elapsed()),
        said,
        claimed,
        effect,
        seen,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(path: Path, claimed: bool, effect: Option<bool>) -> Arm {
        Arm {
            path,
            by: String::new(),
            first: Path::User,
            started: Timestamp::UNIX_EPOCH,
            ms: 0,
            said: String::new(),
            claimed: Some(claimed),
            effect,
            seen: String::new(),
        }
    }

    #[test]
    fn what_two_paths_come_to() {
        let (user, direct) = (|c, e| arm(Path::User, c, e), |c, e| arm(Path::Direct, c, e));
        for (arms, wanted) in [
            (vec![user(true, Some(true)), direct(true, None)], Came::Agree),
            (vec![user(true, Some(false)), direct(true, Some(true))], Came::UserLies),
            (vec![user(false, Some(false)), direct(true, Some(true))], Came::UserFails),
            (vec![user(true, Some(true)), direct(true, None), direct(false, None)], Came::DirectFails),
            (vec![user(false, None), direct(false, None)], Came::BothFail),
            (vec![user(true, Some(true)), user(false, None), direct(true, None)], Came::UserFails),
        ] {
            assert_eq!(came(&arms), wanted, "{arms:?}");
        }
    }

    #[test]
    fn a_direct_path_that_asked_nothing_is_no_measure() {
        let asked_nothing = Arm { claimed: None, ..arm(Path::Direct, true, None) };
        for user in
            [arm(Path::User, true, Some(true)), arm(Path::User, false, None), arm(Path::User, true, Some(false))]
        {
            assert_eq!(came(&[user.clone(), asked_nothing.clone()]), Came::Untold, "{user:?}");
        }
    }

    #[test]
    fn what_the_target_says_and_the_oracle_does_not_see() {
        let (said, true_word) = (arm(Path::User, true, Some(false)), arm(Path::User, true, Some(true)));
        assert!(says_otherwise(&[true_word.clone(), said]));
        assert!(says_otherwise(&[arm(Path::User, false, Some(true))]), "what was done is called a failure");
        assert!(!says_otherwise(&[true_word, arm(Path::User, false, Some(false)), arm(Path::User, false, None)]));
    }
}
