//! A double click, and two users at once: one operation, and the second gets it back.

use crate::answer::{Answer, Tone};
use crate::cause::Cause;
use crate::page::Page;
use crate::records::{self, Operation};
use crate::scene::{Scene, says};
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;

/// What there was before the presses.
struct Before {
    /// The addresses of the operations; `None` where the target keeps none.
    listed: Option<Vec<String>>,
    /// The newest of them, if it was not over: presses may be given it.
    open: Option<String>,
}

impl Before {
    async fn look(scene: &mut Scene<'_>, visitor: &mut Visitor) -> Walked<Self> {
        let listed = records::listed(scene, visitor).await?;
        let open = match listed.iter().flatten().next() {
            Some(newest) => Some(records::read(scene, visitor, newest).await?).filter(|one| !one.is_final),
            None => None,
        };
        Ok(Self { listed, open: open.map(|one| one.address) })
    }
}

/// One person, two clicks.
pub(super) async fn double_click(scene: &mut Scene<'_>) -> Walked<()> {
    let action = scene.action("sync")?;
    let mut visitor = scene.user().await?;
    let before = Before::look(scene, &mut visitor).await?;
    scene.open_fabric(&mut visitor).await?;
    scene.can_press(&mut visitor, &action).await?;
    let first_step = scene.recorder().count();
    let pressed = visitor.press_twice(&action.button).await?;
    scene.shown_by(&visitor);
    let (answer, page) = visitor.follow(pressed, scene.site.plan.patience).await?;
    if answer.tone == Tone::Silent {
        return Err(scene.failed(Cause::SilentFailure, "the page says what came of the presses", says(&page)));
    }
    let judged = once(scene, &mut visitor, before, first_step, (&answer, &page)).await;
    visitor.close().await;
    judged
}

/// Two people, a click each.
pub(super) async fn two_users(scene: &mut Scene<'_>) -> Walked<()> {
    let action = scene.action("sync")?;
    let mut one = scene.user().await?;
    let (mut other, who) = scene.second().await?;
    let before = Before::look(scene, &mut one).await?;
    scene.open_fabric(&mut one).await?;
    let address = scene.fabric()?.address;
    let seen = other.open(&address).await?;
    scene.shown_by(&other);
    if [403, 404].contains(&seen.status) {
        return Err(Stop::Inconclusive(format!(
            "{who} may not look at the fabric (status {}): name a second user who may do what the first one may.",
            seen.status
        )));
    }
    scene.open_fabric(&mut other).await?;
    scene.can_press(&mut one, &action).await?;
    scene.can_press(&mut other, &action).await?;
    let first_step = scene.recorder().count();
    let (first, second) = tokio::join!(one.press(&action.button), other.press(&action.button));
    let patience = scene.site.plan.patience;
    let mut came = None;
    for (visitor, pressed) in [(&mut one, first), (&mut other, second)] {
        let (answer, page) = visitor.follow(pressed?, patience).await?;
        scene.shown_by(visitor);
        let told = answer.tone != Tone::Silent;
        let expected = format!("both are told what came of it; the second is {who}");
        scene.assert(told, Cause::SilentFailure, &expected, says(&page))?;
        if came.as_ref().is_none_or(|(first, _): &(Answer, Page)| first.operation.is_none()) {
            came = Some((answer, page));
        }
    }
    let Some((answer, page)) = &came else { return Ok(()) };
    let judged = once(scene, &mut one, before, first_step, (answer, page)).await;
    one.close().await;
    other.close().await;
    judged
}

/// That two presses were one operation. What others began meanwhile, or the target by itself, is none of the two.
async fn once(
    scene: &mut Scene<'_>,
    visitor: &mut Visitor,
    before: Before,
    first_step: usize,
    (answer, page): (&Answer, &Page),
) -> Walked<()> {
    let operation = answer.operation.clone();
    let expected = "two presses are one operation; the second gets the one that runs";
    let Some(listed) = before.listed else { return answered_once(scene, first_step, expected) };
    let new = records::since(scene, visitor, &listed).await?;
    let plan = &scene.site.plan;
    let people: Vec<String> =
        [Some(&plan.account), plan.second.as_ref()].into_iter().flatten().map(|one| one.username.clone()).collect();
    let verb = operation
        .as_ref()
        .and_then(|address| new.iter().find(|one| one.address == *address))
        .map(|one| one.verb.clone());
    let ours: Vec<&Operation> = new
        .iter()
        .filter(|one| {
            people.iter().any(|name| name.eq_ignore_ascii_case(&one.actor))
                && verb.as_ref().is_none_or(|verb| one.verb == *verb)
        })
        .collect();
    match (ours.as_slice(), operation.filter(|address| before.open.as_ref() == Some(address))) {
        (_, Some(address)) => Err(Stop::Inconclusive(format!(
            "The presses met {address}, which had begun before them: nothing is proved of two presses."
        ))),
        ([], None) if new.is_empty() => match scene.begun(answer, page) {
            Ok(_) => Err(scene.failed(Cause::NotRecorded, expected, "no operation came of it")),
            Err(stop) => Err(stop),
        },
        ([], None) => Err(Stop::Inconclusive(format!(
            "The presses met an operation of somebody else, {}: nothing is proved of two presses.",
            new[0].address
        ))),
        ([one], None) => scene.assert(true, Cause::RanTwice, expected, &one.address),
        (several, None) => overlapping(scene, several, expected),
    }
}

/// Several operations: one after the other is two presses that did not meet; beside each other is the defect.
fn overlapping(scene: &mut Scene<'_>, ours: &[&Operation], expected: &str) -> Walked<()> {
    let meet = ours.iter().enumerate().any(|(number, one)| ours[number + 1..].iter().any(|other| one.meets(other)));
    let list = ours.iter().map(|one| one.address.as_str()).collect::<Vec<_>>().join(", ");
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
