//! The ends of a session: not used, too old, ended by somebody. Beside each the control, a session that must go on, and the
//! times as they were measured.

use crate::cause::Cause;
use crate::drivers::Ask;
use crate::page::{Found, Page};
use crate::profile::SessionPlaces;
use crate::scene::{Scene, says};
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// How much later than its limit the end of a session may be noticed.
const GRACE: Duration = Duration::from_millis(1_500);

fn places(scene: &Scene<'_>) -> Walked<SessionPlaces> {
    let places = scene.profile().session.clone();
    places.ok_or_else(|| {
        Stop::Skipped("The profile knows nothing that the target's pages say of their session.".to_owned())
    })
}

fn deadline(page: &Page, place: &crate::profile::Place) -> Option<Timestamp> {
    place.read(page)?.parse().ok()
}

/// How long until a moment, by the server's clock: `Date` of the page says what time it is there.
fn left(page: &Page, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(page.date().unwrap_or_else(Timestamp::now))).unwrap_or_default()
}

/// How long a session's end is away, if that may be waited for.
fn waitable(scene: &Scene<'_>, what: &str, time: Duration) -> Walked<Duration> {
    let most = scene.site.plan.max_wait;
    if time <= most {
        return Ok(time);
    }
    Err(Stop::Skipped(format!(
        "The {what} of the target's sessions is {} s away, and at most {} s may be waited for; --max-wait {}s would allow it. \
         A target with short limits of its own shows it sooner.",
        time.as_secs(),
        most.as_secs(),
        time.as_secs() + 10
    )))
}

/// Not used for as long as the limit says.
pub(super) async fn idle(scene: &mut Scene<'_>) -> Walked<()> {
    let places = places(scene)?;
    let mut rests = scene.user().await?;
    let page = scene.open_fabric(&mut rests).await?;
    let began = Instant::now();
    let idle = deadline(&page, &places.idle_deadline);
    let Some(idle) = idle else {
        return Err(Stop::Inconclusive("The page does not say when its session ends.".to_owned()));
    };
    let limit = waitable(scene, "idle limit", left(&page, idle))?;
    let mut used = scene.user().await?;
    let end = began + limit + GRACE;
    // The control is used all the while, and a little before the end both must still be good.
    while Instant::now() + limit / 4 < end {
        tokio::time::sleep((limit / 4).min(end.saturating_duration_since(Instant::now()))).await;
        scene.open_fabric(&mut used).await?;
    }
    tokio::time::sleep(end.saturating_duration_since(Instant::now())).await;
    let held = began.elapsed();
    scene.measure("from the last use of the session to the look after its end", held);
    let codes = vec![places.codes.idle.clone()];
    ended(scene, &mut rests, &places, &codes, "the session that rested for its limit").await?;
    goes_on(scene, &mut used, "a session that was used meanwhile").await?;
    rests.close().await;
    used.close().await;
    Ok(())
}

/// As old as the limit says, used or not.
pub(super) async fn absolute(scene: &mut Scene<'_>) -> Walked<()> {
    let places = places(scene)?;
    let mut old = scene.user().await?;
    let page = scene.open_fabric(&mut old).await?;
    let began = Instant::now();
    let (absolute, idle) = (deadline(&page, &places.absolute_deadline), deadline(&page, &places.idle_deadline));
    let Some(absolute) = absolute else {
        return Err(Stop::Inconclusive("The page does not say when its session ends in any case.".to_owned()));
    };
    let limit = waitable(scene, "absolute limit", left(&page, absolute))?;
    let pause = idle.map_or(limit, |idle| left(&page, idle) / 3).min(limit / 4);
    let pause = pause.clamp(Duration::from_millis(200), Duration::from_secs(30));
    let end = began + limit + GRACE;
    let mut young = None;
    while Instant::now() < end {
        let until_end = end.saturating_duration_since(Instant::now());
        // It is used all the time, so that only its age can end it.
        if until_end > GRACE + Duration::from_millis(500) {
            scene.open_fabric(&mut old).await?;
        }
        // So is one that began later, whose age ends it later.
        if let Some(young) = &mut young {
            scene.open_fabric(young).await?;
        } else if until_end < limit / 2 {
            young = Some(scene.user().await?);
        }
        tokio::time::sleep(pause.min(end.saturating_duration_since(Instant::now()))).await;
    }
    scene.measure("from the login to the look after the end", began.elapsed());
    let codes = vec![places.codes.absolute.clone()];
    ended(scene, &mut old, &places, &codes, "the session that was used until it was too old").await?;
    let Some(mut young) = young else {
        return Err(Stop::Inconclusive("No session was begun later, so that there is no control.".to_owned()));
    };
    goes_on(scene, &mut young, "a session that began later").await?;
    young.close().await;
    old.close().await;
    Ok(())
}

/// Ended by its user from another browser.
pub(super) async fn revoked(scene: &mut Scene<'_>) -> Walked<()> {
    let places = places(scene)?;
    let mut ends = scene.user().await?;
    scene.open_fabric(&mut ends).await?;
    let mut goes = scene.user().await?;
    goes_on(scene, &mut ends, "the session, before anybody ended it").await?;
    let page = goes.open(&places.list).await?;
    scene.shown_by(&goes);
    let own = own_sessions(scene, &page, &places);
    if page.find(&places.end_one).is_err() {
        return Err(scene.failed(Cause::ControlMissing, "a user can end the other sessions", says(&page)));
    }
    if own.is_empty() {
        return Err(Stop::Inconclusive(
            "The list of sessions does not show which are this run's, and it ends no others.".to_owned(),
        ));
    }
    // Of those that this run began, and that are not the one that looks.
    for _ in 0..own.len() {
        let page = goes.open(&places.list).await?;
        let Some(button) = own_sessions(scene, &page, &places).into_iter().next() else { break };
        goes.press_found(&button).await?;
    }
    let codes = vec![places.codes.revoked.clone()];
    ended(scene, &mut ends, &places, &codes, "the session that was ended from another browser").await?;
    goes_on(scene, &mut goes, "the session that ended it").await?;
    ends.close().await;
    goes.close().await;
    Ok(())
}

/// The buttons that end this run's own sessions but the one that looks at the list.
fn own_sessions(scene: &Scene<'_>, page: &Page, places: &SessionPlaces) -> Vec<Found> {
    let run = format!("run {}", scene.site.plan.id);
    let is_own = |button: &Found| {
        let Some(end) = button.path.rfind("tr:nth-child(") else { return false };
        let rest = &button.path[end..];
        let row = &button.path[..end + rest.find(')').map_or(rest.len(), |close| close + 1)];
        let text = page.text(row).unwrap_or_default();
        let titles = page.attributes(&format!("{row} [title]"), "title").concat();
        (text.contains(&run) || titles.contains(&run)) && !text.contains(&places.this_one)
    };
    page.find_every(&places.end_one).unwrap_or_default().into_iter().filter(is_own).collect()
}

/// That a session is over, for a script and for a person, each in its own form, with the reason.
async fn ended(
    scene: &mut Scene<'_>,
    visitor: &mut Visitor,
    places: &SessionPlaces,
    codes: &[String],
    which: &str,
) -> Walked<()> {
    let fabric = scene.fabric()?;
    let profile = scene.profile();
    let answer = visitor.ask(&Ask::get(&places.address)).await?;
    scene.shown_by(visitor);
    let expected = format!("{which} is worth nothing to a script: 401");
    if answer.status < 300 {
        let cause = if scene.is_login(&answer) { Cause::LoginPageWith200 } else { Cause::ExpiredServed };
        return Err(scene.failed(cause, &expected, says(&answer)));
    }
    scene.assert(answer.status == 401, Cause::ExpiredServed, &expected, format!("status {}", answer.status))?;
    let media = answer.header("content-type").unwrap_or_default();
    scene.assert(media.contains("json"), Cause::MarkupForScript, "a script is told in data", &media)?;
    let body = answer.json()?;
    let code = body.pointer(&profile.refusals.code).and_then(|code| code.as_str()).unwrap_or_default().to_owned();
    let expected = format!("the script is told which end it was: {}", codes.join(" or "));
    scene.assert(codes.contains(&code), Cause::UnclearMessage, &expected, &code)?;

    let page = visitor.open(&fabric.address).await?;
    scene.shown_by(visitor);
    let shown = page.status == 200 && !scene.is_login(&page);
    let expected = format!("{which} opens no page any more");
    scene.assert(!shown, Cause::ExpiredServed, &expected, says(&page))?;
    let own = page.url.path() == crate::scene::path_of(&fabric.address);
    if own && page.status == 200 {
        return Err(scene.failed(Cause::LoginPageWith200, "a navigation is redirected to the login page", says(&page)));
    }
    let told = crate::scene::session_is_over(&page, "", &profile);
    scene.assert(told, Cause::SilentEnd, "the login page says that the session has ended", says(&page))
}

/// That a session goes on.
async fn goes_on(scene: &mut Scene<'_>, visitor: &mut Visitor, which: &str) -> Walked<()> {
    let fabric = scene.fabric()?;
    let page = visitor.open(&fabric.address).await?;
    scene.shown_by(visitor);
    let good = page.status == 200 && !scene.is_login(&page);
    let observed = if good { format!("{} answers 200", fabric.address) } else { says(&page) };
    scene.control(good, &format!("{which} goes on"), observed)
}
