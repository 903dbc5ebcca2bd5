//! The end of a session under an open page: the warning before it, the login over the page, the action offered again, and
//! a sync that goes on meanwhile.

use crate::answer::{Answer, Tone};
use crate::cause::Cause;
use crate::page::{Locator, Page, Role};
use crate::profile::SessionPlaces;
use crate::records;
use crate::scene::{Scene, says};
use crate::stop::{Stop, Walked};
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// How much later than its time something may be seen on a page.
const GRACE: Duration = Duration::from_secs(4);

fn places(scene: &Scene<'_>) -> Walked<SessionPlaces> {
    let places = scene.profile().session.clone();
    places.ok_or_else(|| {
        Stop::Skipped("The profile knows nothing that the target's pages say of their session.".to_owned())
    })
}

fn at(css: &str) -> Locator {
    Locator { role: Role::Any, names: Vec::new(), hints: vec![css.to_owned()] }
}

/// When the session of a page ends if it is not used, and how long that is from now by the page's own clock.
fn idle_left(scene: &Scene<'_>, page: &Page, places: &SessionPlaces) -> Walked<(Timestamp, Duration)> {
    let end: Option<Timestamp> = places.idle_deadline.read(page).and_then(|text| text.parse().ok());
    let Some(end) = end else {
        return Err(Stop::Inconclusive("The page does not say when its session ends.".to_owned()));
    };
    let now = page.date().unwrap_or_else(Timestamp::now);
    let left = Duration::try_from(end.duration_since(now)).unwrap_or_default();
    let most = scene.site.plan.max_wait;
    if left > most {
        return Err(Stop::Skipped(format!(
            "The session's end is {} s away, and at most {} s may be waited for; --max-wait {}s would allow it. A target with \
             short limits of its own shows it sooner.",
            left.as_secs(),
            most.as_secs(),
            left.as_secs() + 10
        )));
    }
    Ok((end, left))
}

/// The warning comes in time, and staying works.
pub(super) async fn warning(scene: &mut Scene<'_>) -> Walked<()> {
    scene.needs_scripts()?;
    let places = places(scene)?;
    let mut visitor = scene.user().await?;
    let page = scene.open_fabric(&mut visitor).await?;
    let (end, left) = idle_left(scene, &page, &places)?;
    let warn: u64 = places.warn_seconds.read(&page).and_then(|text| text.parse().ok()).unwrap_or_default();
    let (began, warning) = (Instant::now(), places.warning.clone());
    let (warned, page) =
        visitor.until("the page warns of the session's end", left, |page| page.has(&warning).then_some(())).await?;
    scene.shown_by(&visitor);
    let after = began.elapsed();
    let expected = format!("the page warns {warn} s before the session ends");
    if warned.is_none() {
        return Err(scene.failed(Cause::NoWarning, &expected, says(&page)));
    }
    scene.measure("from the last use of the session to the warning", after);
    let due = left.saturating_sub(Duration::from_secs(warn));
    let in_time = after + GRACE >= due && after <= due + GRACE;
    let observed = format!("after {:.1} s of {:.1} s", after.as_secs_f64(), left.as_secs_f64());
    scene.assert(in_time, Cause::NoWarning, &expected, observed)?;
    visitor.press(&places.stay).await?;
    let deadline = places.idle_deadline.clone();
    let moved = |page: &Page| {
        let now: Timestamp = deadline.read(page)?.parse().ok()?;
        (now > end && !page.has(&warning)).then_some(now)
    };
    let (later, page) = visitor.until("the end has moved", GRACE, moved).await?;
    scene.shown_by(&visitor);
    let expected = "who stays is told no more of the end, which has moved";
    scene.assert(later.is_some(), Cause::NoWarning, expected, says(&page))?;
    // The control: past the first end, the page is still logged in.
    let rest = left.saturating_sub(began.elapsed()) + Duration::from_secs(1);
    let ended = places.ended.clone();
    let (over, _) = visitor.until("the first end is past", rest, |page| page.has(&ended).then_some(())).await?;
    scene.shown_by(&visitor);
    let page = scene.open_fabric(&mut visitor).await?;
    scene.control(over.is_none() && page.status == 200, "past the first end the session goes on", says(&page))?;
    visitor.close().await;
    Ok(())
}

/// After the end, a press is kept, the login comes over the page, and the press is done once.
pub(super) async fn again(scene: &mut Scene<'_>) -> Walked<()> {
    scene.needs_scripts()?;
    let places = places(scene)?;
    let account = scene.site.plan.account.clone();
    let action = scene.action("test_connection")?;
    let mut watcher = scene.user().await?;
    let before = records::listed(scene, &mut watcher).await?.unwrap_or_default();
    drop(watcher);
    let mut visitor = scene.user().await?;
    let page = scene.open_fabric(&mut visitor).await?;
    let (_, left) = idle_left(scene, &page, &places)?;
    let ended = places.ended.clone();
    let (told, page) = visitor
        .until("the page says that its session has ended", left + GRACE, |page| page.has(&ended).then_some(()))
        .await?;
    scene.shown_by(&visitor);
    scene.assert(told.is_some(), Cause::SilentEnd, "an open page says that its session has ended", says(&page))?;
    visitor.press(&action.button).await?;
    scene.shown_by(&visitor);
    let (open, page) = {
        let again = places.again.clone();
        visitor.until("the login stands over the page", GRACE, |page| page.has(&again).then_some(())).await?
    };
    scene.shown_by(&visitor);
    scene.assert(
        open.is_some(),
        Cause::WorkLost,
        "a press after the end opens the login over the page",
        says(&page),
    )?;
    scene.sends_home(&mut visitor, &at(&places.again_button)).await?;
    visitor.fill(&at(&places.again_username), &account.username).await?;
    visitor.fill(&at(&places.again_password), account.password()).await?;
    visitor.press(&at(&places.again_button)).await?;
    let offered = places.again_action.clone();
    let (offer, page) =
        visitor.until("the press is offered again", GRACE, |page| page.has(&offered).then_some(())).await?;
    scene.shown_by(&visitor);
    scene.assert(offer.is_some(), Cause::WorkLost, "after the login the press is offered again", says(&page))?;
    let pressed = visitor.press(&at(&places.again_action)).await?;
    let (answer, page) = visitor.follow(pressed, scene.site.plan.patience).await?;
    scene.shown_by(&visitor);
    scene.assert(answer.is_final(), Cause::WorkLost, "the press that is offered does what it says", says(&page))?;
    // What others began meanwhile, or the target by itself, is not this press.
    let verb = match &answer.operation {
        Some(address) => records::read(scene, &mut visitor, address).await?.verb,
        None => String::new(),
    };
    let mut new = records::since(scene, &mut visitor, &before).await?;
    new.retain(|one| scene.is_user(&one.actor) && one.verb == verb);
    let list = new.iter().map(|one| one.address.as_str()).collect::<Vec<_>>().join(", ");
    let observed = format!("{} operations: {list}", new.len());
    scene.assert(new.len() == 1, Cause::RanTwice, "it was done once, after the login, and not before", observed)?;
    visitor.close().await;
    Ok(())
}

/// A sync outlives the session that began it.
pub(super) async fn long_sync(scene: &mut Scene<'_>) -> Walked<()> {
    let places = places(scene)?;
    let account = scene.site.plan.account.clone();
    let action = scene.action("sync")?;
    let mut visitor = scene.user().await?;
    let page = scene.open_fabric(&mut visitor).await?;
    let (_, left) = idle_left(scene, &page, &places)?;
    scene.can_press(&mut visitor, &action).await?;
    let pressed = visitor.press(&action.button).await?;
    scene.shown_by(&visitor);
    scene.look_at_answer(&visitor, &pressed)?;
    let profile = scene.profile();
    let began = Instant::now();
    let answer = Answer::read(&pressed, &profile);
    let address = scene.begun(&answer, &pressed)?;
    let too_short = |took: Duration| {
        Stop::Skipped(format!(
            "The sync was over after {:.1} s, and the session lasts {} s: nothing was to be seen. A sync that takes longer would \
             tell.",
            took.as_secs_f64(),
            left.as_secs()
        ))
    };
    if answer.is_final() {
        return Err(too_short(began.elapsed()));
    }
    // Nobody touches the page until its session is over. In a browser the page itself says how the sync goes.
    while began.elapsed() < left + Duration::from_millis(1_500) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        if visitor.runs_scripts() && Answer::read(&visitor.look().await?, &profile).tone == Tone::Good {
            return Err(too_short(began.elapsed()));
        }
    }
    let page = visitor.open(&address).await?;
    scene.shown_by(&visitor);
    scene.control(scene.is_login(&page), "the session that began it has ended", says(&page))?;
    scene.type_login(&mut visitor, &account).await?;
    let page = visitor.open(&address).await?;
    let (answer, page) = visitor.follow(page, scene.site.plan.patience).await?;
    scene.shown_by(&visitor);
    let expected = "the sync went on without the session that began it, and says how it ended";
    scene.assert(answer.tone == Tone::Good, Cause::Stuck, expected, says(&page))?;
    visitor.close().await;
    Ok(())
}
