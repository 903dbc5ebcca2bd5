//! The button that makes the cluster match: pressed as a person presses it, with and without script, and judged by what
//! the cluster holds afterwards.

use crate::answer::{Answer, Tone};
use crate::cause::Cause;
use crate::effect::{self, Claim};
use crate::page::Page;
use crate::records;
use crate::scene::{Scene, says};
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;

/// As a person presses it.
pub(super) async fn by_button(scene: &mut Scene<'_>) -> Walked<()> {
    let visitor = scene.user().await?;
    press(scene, visitor).await
}

/// Where scripts are off: the form must do by itself.
pub(super) async fn by_form(scene: &mut Scene<'_>) -> Walked<()> {
    let account = scene.site.plan.account.clone();
    let mut visitor = scene.without_scripts().await?;
    scene.log_in(&mut visitor, &account).await?;
    let page = scene.open_fabric(&mut visitor).await?;
    let action = scene.action("sync")?;
    scene.can_press(&mut visitor, &action).await?;
    let found = page.find(&action.button)?;
    let expected = "the button is one of a form, which needs no script";
    let form = page.form_of(&found);
    let observed = form.as_ref().map_or_else(ToString::to_string, |form| format!("{} {}", form.method, form.action));
    scene.assert(form.is_ok_and(|form| form.method == "POST"), Cause::ControlDead, expected, observed)?;
    press(scene, visitor).await
}

async fn press(scene: &mut Scene<'_>, mut visitor: Visitor) -> Walked<()> {
    let action = scene.action("sync")?;
    let before = effect::world(scene).await?;
    let managed = match before.desired {
        Some(_) => Default::default(),
        None => effect::managed(scene, &mut visitor).await?,
    };
    let planted = effect::plant(scene, &before, &managed).await?;
    scene.open_fabric(&mut visitor).await?;
    if planted.is_some() {
        // A page that shows its comparison syncs what it shows: it has to see the difference first.
        if let Ok(read) = scene.action("sync_from_fabric") {
            scene.press_and_follow(&mut visitor, &read).await?;
            scene.open_fabric(&mut visitor).await?;
        }
    }
    let (mut answer, mut page) = scene.press_and_follow(&mut visitor, &action).await?;
    if somebody_elses(scene, &mut visitor, &answer).await? {
        // It ran already when the button was pressed, and the press was given it, as it must be. Now it is over.
        scene.open_fabric(&mut visitor).await?;
        (answer, page) = scene.press_and_follow(&mut visitor, &action).await?;
    }
    let claim = match answer.tone {
        Tone::Good => Claim::Good,
        Tone::Bad => Claim::Bad,
        Tone::Busy => {
            let seconds = scene.site.plan.patience.as_secs();
            let expected = format!("the page says within {seconds} s how the sync ended");
            let cause = if answer.operation.is_some() { Cause::Stuck } else { Cause::Unanswered };
            return Err(scene.failed(cause, &expected, &answer.text));
        }
        Tone::Silent => {
            return Err(scene.failed(Cause::SilentFailure, "the page says how the sync ended", says(&page)));
        }
    };
    let expected = "the page says how the sync ended";
    scene.assert(!answer.text.trim().is_empty(), Cause::UnclearMessage, expected, &answer.text)?;
    unclear(scene, &answer.text)?;
    let judged = effect::judge(scene, claim, &answer.text, &before, planted.as_ref()).await;
    let commit = before.desired.as_ref().map(|git| git.commit.as_str());
    let told = record(scene, &mut visitor, &answer.operation, commit).await;
    if claim == Claim::Good && judged.is_ok() {
        let page = scene.open_fabric(&mut visitor).await?;
        status_follows(scene, &page)?;
        effect::switches::judge(scene, &mut visitor, Some(&before)).await?;
    }
    visitor.close().await;
    judged?;
    told
}

/// Whether the operation of an answer was begun by somebody else.
async fn somebody_elses(scene: &mut Scene<'_>, visitor: &mut Visitor, answer: &Answer) -> Walked<bool> {
    let known = scene.profile().operation.as_ref().is_some_and(|places| places.json.is_some());
    let Some(address) = answer.operation.as_ref().filter(|_| known && answer.is_final()) else { return Ok(false) };
    let one = records::read(scene, visitor, address).await?;
    Ok(!one.actor.is_empty() && !scene.is_user(&one.actor))
}

/// Words that tell of the program and not of what happened.
pub(super) fn unclear(scene: &mut Scene<'_>, text: &str) -> Walked<()> {
    let raw = ["Unexpected token", "<!DOCTYPE", "[object Object]", "undefined", "NaN", "Traceback", "panicked at"];
    let found = raw.iter().find(|raw| text.contains(**raw));
    let observed = found.map_or("plain words", |_| text);
    let holds = found.is_none();
    scene.assert(holds, Cause::UnclearMessage, "the page says in plain words what happened", observed)
}

/// The operation stands in the records: with its end, its actor, and the commit that Git has.
async fn record(
    scene: &mut Scene<'_>,
    visitor: &mut Visitor,
    operation: &Option<String>,
    commit: Option<&str>,
) -> Walked<()> {
    let profile = scene.profile();
    let Some(places) = &profile.operation else { return Ok(()) };
    let Some(address) = operation else {
        return Err(scene.failed(Cause::NotRecorded, "the answer leads to the operation", "it names none"));
    };
    if places.json.is_some() {
        let one = records::read(scene, visitor, address).await?;
        let expected = format!("the operation says that {} began it", scene.site.plan.account.username);
        scene.assert(scene.is_user(&one.actor), Cause::NotRecorded, &expected, &one.actor)?;
        if let Some(commit) = commit {
            let expected = format!("the sync was of the newest commit, {}", &commit[..commit.len().min(12)]);
            scene.assert(one.commit == commit, Cause::StatusLies, &expected, &one.commit)?;
        }
    }
    if let Some(activity) = &profile.activity {
        let page = visitor.open(&activity.address).await?;
        scene.shown_by(visitor);
        let number = address.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let links = page.attributes(&places.list_link, "href");
        let listed = links.iter().any(|link| link.trim_end_matches('/').ends_with(&format!("/{number}")));
        let observed = format!("{} rows", page.texts(&activity.row).len());
        scene.assert(listed, Cause::NotRecorded, &format!("the activity lists the operation {number}"), observed)?;
    }
    Ok(())
}

/// After a sync that succeeded, the fabric's own page does not say the contrary.
fn status_follows(scene: &mut Scene<'_>, page: &Page) -> Walked<()> {
    let profile = scene.profile();
    let Some((word, Some(code))) = scene.status_on(page) else {
        return Err(Stop::Inconclusive(format!(
            "The fabric's page shows no state that the profile knows: {}",
            says(page)
        )));
    };
    let holds = profile.status.good.contains(&code) || profile.status.busy.contains(&code);
    let expected = "after a sync that succeeded, the fabric's page says that all is well";
    scene.assert(holds, Cause::StatusDisagrees, expected, format!("“{word}”"))
}
