//! Requests that must be turned away: forged ones, and those of a user without the permission. The action is the test of
//! the connection, which changes nothing even where it is wrongly taken.

use crate::answer::{Answer, Tone};
use crate::cause::Cause;
use crate::drivers::{Ask, Forgery};
use crate::obstacle::Obstacle;
use crate::page::Page;
use crate::profile::Profile;
use crate::scene::{Scene, says};
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;

/// A button's request, as the page says it.
pub(super) struct Request {
    pub(super) address: String,
    fields: Vec<(String, String)>,
    pub(super) token: String,
}

/// The action that these journeys use: the most harmless that there is.
pub(super) fn harmless(scene: &Scene<'_>) -> Walked<crate::profile::Action> {
    match scene.action("test_connection") {
        Ok(action) => Ok(action),
        Err(_) => {
            scene.needs_leave("has no harmless action to try, and would press the sync")?;
            scene.action("sync")
        }
    }
}

/// Reads the request of a button out of the page: its form, or what the page's script would send.
pub(super) fn request(page: &Page, button: &crate::page::Found, profile: &Profile) -> Walked<Request> {
    if let Some(why) = page.why_not(button).filter(|_| button.disabled) {
        return Err(Stop::Inconclusive(format!("“{}” cannot be pressed by this user now: {why}", button.name)));
    }
    read_request(page, button, profile).ok_or_else(|| {
        Stop::Inconclusive(format!(
            "What a press of “{}” sends stands neither in a form nor in the page's script.",
            button.name
        ))
    })
}

fn read_request(page: &Page, button: &crate::page::Found, profile: &Profile) -> Option<Request> {
    let token = profile.csrf.page.read(page).unwrap_or_default();
    if let Ok(form) = page.form_of(button) {
        return Some(Request { address: form.action.clone(), fields: form.fields(), token });
    }
    let onclick = button.onclick.as_deref()?;
    profile.calls.iter().find_map(|call| {
        let argument = call.onclick.captures(onclick)?.get(1)?.as_str();
        let address = call.address.captures(&page.body)?.get(1)?.as_str();
        let open = address.find("${")?;
        let close = address[open..].find('}')? + open + 1;
        let address = format!("{}{argument}{}", &address[..open], &address[close..]);
        Some(Request { address, fields: Vec::new(), token: call.token.read(page).unwrap_or_default() })
    })
}

/// Whether an answer did what was asked.
pub(super) fn was_taken(answer: &Page, profile: &Profile) -> bool {
    let said = Answer::read(answer, profile);
    answer.status < 400 && (said.operation.is_some() || said.tone == Tone::Good || said.tone == Tone::Busy)
}

/// Forged requests: without a token, with a wrong one, with one of another session, from another site.
pub(super) async fn csrf(scene: &mut Scene<'_>) -> Walked<()> {
    let profile = scene.profile();
    let action = harmless(scene)?;

    // A token that was good once: of a session that is no more.
    let account = scene.site.plan.account.clone();
    let mut earlier = scene.user().await?;
    let page = scene.open_fabric(&mut earlier).await?;
    let stale = profile.csrf.page.read(&page).unwrap_or_default();
    earlier.press(&profile.login.logout).await?;
    earlier.close().await;

    let mut visitor = scene.stranger().await?;
    scene.log_in(&mut visitor, &account).await?;
    let page = scene.open_fabric(&mut visitor).await?;
    let button = page.find(&action.button)?;
    let request = request(&page, &button, &profile)?;
    let wrong = [("no token", None), ("a wrong token", Some("x".repeat(request.token.len().max(32))))];
    for (what, token) in wrong {
        let mut ask = Ask {
            method: "POST".into(),
            address: request.address.clone(),
            headers: Vec::new(),
            body: Some("{}".into()),
        };
        if let Some(token) = token {
            ask = ask.with(&profile.csrf.header, &token);
        }
        let answer = visitor.ask(&ask).await?;
        scene.shown_by(&visitor);
        refused(scene, what, &answer)?;
        told_to_script(scene, what, &answer)?;
    }

    // An old token of the same user: taken, so that the buttons of another tab go on working after a login; or refused
    // in a way that the page's script can renew it. Silence and a page in its place are neither.
    let ask = Ask::post(&request.address);
    let answer = visitor.ask(&ask.with(&profile.csrf.header, &stale)).await?;
    scene.shown_by(&visitor);
    let what = "the token of an earlier session";
    if was_taken(&answer, &profile) {
        let expected = "an old token of the same user is taken, or refused so that it can be renewed";
        scene.assert(true, Cause::Csrf, expected, "it is taken")?;
    } else {
        refused(scene, what, &answer)?;
        told_to_script(scene, what, &answer)?;
    }
    // A token of somebody else's page is worth nothing.
    if let Some(reader) = scene.site.plan.reader.clone() {
        let mut other = scene.other(&reader).await?;
        let page = other.open(&profile.fabrics.address).await?;
        let theirs = profile.csrf.page.read(&page).unwrap_or_default();
        other.close().await;
        let ask = Ask::post(&request.address);
        let answer = visitor.ask(&ask.with(&profile.csrf.header, &theirs)).await?;
        scene.shown_by(&visitor);
        refused(scene, "the token of another user", &answer)?;
    }

    // From another site. Cookies that stay at home make it a stranger's request, which is as good.
    let fields: Vec<(String, String)> = request
        .fields
        .iter()
        .map(|(name, value)| {
            let value = if *name == profile.csrf.field { String::new() } else { value.clone() };
            (name.clone(), value)
        })
        .collect();
    let address = page.url.join(&request.address).map_or_else(|_| request.address.clone(), |url| url.to_string());
    let answer = visitor.forge(&Forgery { address, fields }).await?;
    scene.shown_by(&visitor);
    let expected = "a form of another site is not taken";
    scene.assert(
        !was_taken(&answer, &profile) || scene.is_login(&answer),
        Cause::CsrfNotChecked,
        expected,
        says(&answer),
    )?;

    // The control: the same request with the page's own token is taken.
    let page = scene.open_fabric(&mut visitor).await?;
    let own = profile.csrf.page.read(&page).unwrap_or_default();
    let ask = Ask::post(&request.address);
    let answer = visitor.ask(&ask.with(&profile.csrf.header, &own)).await?;
    scene.shown_by(&visitor);
    scene.control(was_taken(&answer, &profile), "the same request with the page's token is taken", says(&answer))?;
    visitor.close().await;
    Ok(())
}

/// That a request did nothing.
fn refused(scene: &mut Scene<'_>, what: &str, answer: &Page) -> Walked<()> {
    let profile = scene.profile();
    let expected = format!("a request with {what} is not taken");
    scene.assert(!was_taken(answer, &profile), Cause::CsrfNotChecked, &expected, says(answer))?;
    if scene.is_login(answer) && answer.status == 200 {
        let expected = format!("a request with {what} is refused with its reason");
        return Err(scene.failed(Cause::LoginPageWith200, &expected, says(answer)));
    }
    let expected = format!("a request with {what} is refused with 403");
    scene.assert(answer.status == 403, Cause::Csrf, &expected, format!("status {}", answer.status))
}

/// That a script can read why.
fn told_to_script(scene: &mut Scene<'_>, what: &str, answer: &Page) -> Walked<()> {
    let profile = scene.profile();
    let media = answer.header("content-type").unwrap_or_default();
    let expected = format!("a script that sent {what} gets data, not a page");
    scene.assert(
        media.contains("json"),
        Cause::MarkupForScript,
        &expected,
        format!("{media}, status {}", answer.status),
    )?;
    let code = Answer::read(answer, &profile).code.unwrap_or_default();
    if let Some(codes) = profile.refusals.codes.get("csrf") {
        let expected = format!("the refusal of {what} has the code for forged requests");
        scene.assert(codes.contains(&code), Cause::UnclearMessage, &expected, &code)?;
    }
    Ok(())
}

/// A user who may look, and sync nothing: the sync is tried where leave is given, and always the most harmless action.
pub(super) async fn permission(scene: &mut Scene<'_>) -> Walked<()> {
    let Some(reader) = scene.site.plan.reader.clone() else {
        return Err(Stop::Skipped(
            "No user was given who may look and not sync; --reader NAME=FILE names one.".to_owned(),
        ));
    };
    let harmless = harmless(scene)?;
    let mut actions = vec![harmless.clone()];
    if scene.site.plan.allow_sync {
        actions.extend(scene.action("sync").ok().filter(|sync| sync.button.names != harmless.button.names));
    }
    let mut visitor = scene.user().await?;
    let mut other = scene.other(&reader).await?;
    for action in actions {
        let page = scene.open_fabric(&mut visitor).await?;
        let button = page.find(&action.button)?;
        let request = request(&page, &button, &scene.profile())?;
        let ask = Ask::post(&request.address);
        turned_away(scene, &mut other, &reader.username, &button.name, &action.button, &ask).await?;
        // The control: who has the permission may.
        if action.button.names == harmless.button.names {
            control(scene, &mut visitor, &ask, &page).await?;
        }
    }
    other.close().await;
    visitor.close().await;
    Ok(())
}

/// That one action is not offered to somebody, and refused whatever is sent.
async fn turned_away(
    scene: &mut Scene<'_>,
    other: &mut Visitor,
    reader: &str,
    label: &str,
    button: &crate::page::Locator,
    ask: &Ask,
) -> Walked<()> {
    let profile = scene.profile();
    let fabric = scene.fabric()?;
    let own = other.open(&fabric.address).await?;
    scene.shown_by(other);
    if own.status != 200 || scene.is_login(&own) {
        // Without a page there is no token either, and what is refused then is a forgery.
        return Err(Stop::Inconclusive(format!(
            "{reader} may not look at {} (status {}): nothing is proved of what else may be done. Name somebody who may look and \
             not sync.",
            fabric.name, own.status
        )));
    }
    let offered = own.status == 200 && own.find(button).is_ok_and(|found| !found.disabled);
    let token = profile.csrf.page.read(&own).unwrap_or_default();
    let answer = match other.ask(&ask.clone().with(&profile.csrf.header, &token)).await {
        Ok(answer) => answer,
        Err(obstacle @ Obstacle::NoAnswer { .. }) => {
            return Err(scene.failed(Cause::Transport, "the request is refused", obstacle.to_string()));
        }
        Err(obstacle) => return Err(obstacle.into()),
    };
    scene.shown_by(other);
    let taken = was_taken(&answer, &profile);
    if offered && taken && profile.refusals.hides_buttons {
        return Err(Stop::Inconclusive(format!(
            "“{label}” is offered to {reader}, and works: either {reader} has the permission, or nobody's is checked. Name \
             somebody who may look and not sync."
        )));
    }
    let expected = format!("{reader} cannot use “{label}”, whatever is sent");
    scene.assert(!taken, Cause::PermissionNotChecked, &expected, says(&answer))?;
    let expected = format!("{reader} is offered no “{label}”, which would be refused");
    if !offered || profile.refusals.hides_buttons {
        scene.assert(!offered, Cause::UnclearMessage, &expected, says(&own))?;
    } else {
        scene.untold(&expected, "the button is offered; what is refused when it is pressed is a nuisance, and no hole");
    }
    if scene.is_login(&answer) && answer.status == 200 {
        return Err(scene.failed(Cause::LoginPageWith200, "the refusal names the permission", says(&answer)));
    }
    let code = Answer::read(&answer, &profile).code.unwrap_or_default();
    if profile.refusals.codes.get("csrf").is_some_and(|codes| codes.contains(&code)) {
        return Err(Stop::Inconclusive(format!(
            "“{label}” of {reader} was refused as forged ({code}), with the token of {reader}'s own page: whether the permission is \
             asked for is not proved."
        )));
    }
    let expected = "the refusal is 403, or 404 where the object is not to be seen";
    let known = [403, 404].contains(&answer.status);
    scene.assert(known, Cause::Permission, expected, format!("status {}", answer.status))?;
    let media = answer.header("content-type").unwrap_or_default();
    scene.assert(media.contains("json"), Cause::MarkupForScript, "a script gets data, not a page", &media)
}

async fn control(scene: &mut Scene<'_>, visitor: &mut Visitor, ask: &Ask, page: &Page) -> Walked<()> {
    let profile = scene.profile();
    let token = profile.csrf.page.read(page).unwrap_or_default();
    let answer = visitor.ask(&ask.clone().with(&profile.csrf.header, &token)).await?;
    scene.shown_by(visitor);
    let expected = format!("the same request of {} is taken", scene.site.plan.account.username);
    scene.control(was_taken(&answer, &profile), &expected, says(&answer))
}
