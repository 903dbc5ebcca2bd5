//! A button that is pressed when the session of its page is not there any more: the cookie ran out, or somebody cleared it.
//! And one of a page that is older than a login in another tab. Each as a person meets it; the first as a script, too.

use super::refusals::{harmless, request, was_taken};
use super::sync::unclear;
use crate::answer::{Answer, Tone};
use crate::cause::Cause;
use crate::drivers::Ask;
use crate::page::Page;
use crate::scene::{Scene, path_of, says};
use crate::stop::Walked;
use crate::visitor::Visitor;

/// The page stands open, and its session is gone.
pub(super) async fn gone(scene: &mut Scene<'_>) -> Walked<()> {
    let profile = scene.profile();
    let action = harmless(scene)?;
    let account = scene.site.plan.account.clone();
    let mut visitor = scene.user().await?;
    let page = scene.open_fabric(&mut visitor).await?;
    let button = page.find(&action.button)?;
    let by_form = page.form_of(&button).is_ok();
    let request = request(&page, &button, &profile)?;
    lose_session(scene, &mut visitor).await?;
    let pressed = visitor.press(&action.button).await?;
    scene.shown_by(&visitor);
    if visitor.runs_scripts() {
        let patience = scene.site.plan.patience;
        let told = |page: &Page| {
            (offers(scene, page) || scene.is_login(page) || Answer::read(page, &profile).is_final()).then_some(())
        };
        let (_, page) = visitor.until("the page says what came of the press", patience, told).await?;
        scene.shown_by(&visitor);
        told_to_person(scene, &page)?;
    } else if by_form {
        told_to_person(scene, &pressed)?;
    } else {
        told_to_script(scene, &pressed)?;
    }
    // The same request, from the page's script, or from any other.
    let ask = Ask::post(&request.address);
    let answer = visitor.ask(&ask.clone().with(&profile.csrf.header, &request.token)).await?;
    scene.shown_by(&visitor);
    told_to_script(scene, &answer)?;

    // The control: with a session it is taken.
    scene.log_in(&mut visitor, &account).await?;
    let page = scene.open_fabric(&mut visitor).await?;
    let own = profile.csrf.page.read(&page).unwrap_or_default();
    let answer = visitor.ask(&ask.with(&profile.csrf.header, &own)).await?;
    scene.shown_by(&visitor);
    let taken = answer.status < 400 && !scene.is_login(&answer);
    scene.control(taken, "the same request with a session is not turned away", says(&answer))?;
    visitor.close().await;
    Ok(())
}

/// Takes the session's cookies out of the window. All others stay, as in a browser whose session ran out: what is missing
/// is the session, and not the token.
async fn lose_session(scene: &Scene<'_>, visitor: &mut Visitor) -> Walked<()> {
    let names = &scene.site.profile.login.session_cookies;
    let mut kept = visitor.cookies().await?;
    kept.retain(|cookie| !names.iter().any(|name| name.is_match(&cookie.name)));
    visitor.forget().await?;
    Ok(visitor.restore(&kept).await?)
}

/// Whether a page offers the login in its own place.
fn offers(scene: &Scene<'_>, page: &Page) -> bool {
    scene.site.profile.session.as_ref().is_some_and(|places| page.has(&places.again) || page.has(&places.ended))
}

/// That a person is led to the login, or told in plain words.
fn told_to_person(scene: &mut Scene<'_>, page: &Page) -> Walked<()> {
    let profile = scene.profile();
    let expected = "a press without a session leads to the login, or the page says that there is none";
    if offers(scene, page) {
        return scene.assert(true, Cause::SilentEnd, expected, "the page offers the login in its own place");
    }
    if scene.is_login(page) {
        // Redirected, or refused with the login beside it; a login page in the place of the answer is neither.
        let redirected = page.url.path() == path_of(&profile.login.address) || page.status == 401;
        return scene.assert(redirected, Cause::LoginPageWith200, expected, says(page));
    }
    let answer = Answer::read(page, &profile);
    scene.assert(!was_taken(page, &profile), Cause::ExpiredServed, expected, &answer.text)?;
    unclear(scene, &answer.text)?;
    let words = profile.refusals.words.get("no_session").cloned().unwrap_or_default();
    let told = answer.tone == Tone::Bad && words.iter().any(|one| answer.text.contains(one.as_str()));
    let observed = if answer.text.is_empty() { says(page) } else { answer.text };
    scene.assert(told, Cause::SilentEnd, expected, observed)
}

/// That a script is told, in data.
fn told_to_script(scene: &mut Scene<'_>, answer: &Page) -> Walked<()> {
    let profile = scene.profile();
    let expected = "a script without a session gets 401";
    if scene.is_login(answer) && answer.status == 200 {
        return Err(scene.failed(Cause::LoginPageWith200, expected, says(answer)));
    }
    scene.assert(!was_taken(answer, &profile), Cause::ExpiredServed, expected, says(answer))?;
    let media = answer.header("content-type").unwrap_or_default();
    let observed = format!("{media}, status {}", answer.status);
    scene.assert(media.contains("json"), Cause::MarkupForScript, "a script without a session gets data", observed)?;
    scene.assert(answer.status == 401, Cause::SilentEnd, expected, says(answer))?;
    let Some(codes) = profile.refusals.codes.get("no_session") else { return Ok(()) };
    let code = Answer::read(answer, &profile).code.unwrap_or_default();
    let expected = format!("the refusal has a code for that: {}", codes.join(" or "));
    scene.assert(codes.contains(&code), Cause::UnclearMessage, &expected, &code)
}

/// The page stands open in one tab while its user logs in again in another.
pub(super) async fn older_tab(scene: &mut Scene<'_>) -> Walked<()> {
    let action = harmless(scene)?;
    let mut tab = scene.user().await?;
    scene.open_fabric(&mut tab).await?;
    // Tabs of a browser have their cookies in common: those of the newest login.
    let mut newer = scene.user().await?;
    let cookies = newer.cookies().await?;
    newer.close().await;
    tab.forget().await?;
    tab.restore(&cookies).await?;
    let (answer, page) = scene.press_and_follow(&mut tab, &action).await?;
    let expected = "the press of a page that is older than the login works, or the page says what to do";
    let observed = if answer.text.is_empty() { says(&page) } else { answer.text.clone() };
    // A page that waits, for no operation that it could name, waits for ever.
    let waits = answer.tone == Tone::Busy && answer.operation.is_none();
    scene.assert(!waits, Cause::Unanswered, expected, &observed)?;
    scene.assert(answer.tone != Tone::Silent, Cause::SilentFailure, expected, observed)?;
    unclear(scene, &answer.text)?;
    tab.close().await;
    Ok(())
}
