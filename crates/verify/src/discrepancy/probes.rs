//! One probe a layer, in the order in which a press goes through them. A probe asks one thing, beside a control that asks
//! the same without it, and takes the time.

use super::behind;
use super::press::{Beside, Press, script_errors};
use crate::answer::Answer;
use crate::cause::{Cause, Layer};
use crate::drivers::Ask;
use crate::effect::{self, Planted};
use crate::page::{Found, Page};
use crate::recorder::millis;
use crate::results::Probe;
use crate::scene::{Scene, says};
use crate::stop::Walked;
use crate::visitor::Visitor;
use std::collections::BTreeSet;
use std::time::Instant;

/// The cause that a layer's parting is.
pub(super) fn cause(layer: Layer) -> Cause {
    match layer {
        Layer::Page => Cause::ControlMissing,
        Layer::Script => Cause::ControlDead,
        Layer::Request => Cause::Transport,
        Layer::Route => Cause::WrongAddress,
        Layer::Session => Cause::NoSession,
        Layer::Csrf => Cause::Csrf,
        Layer::Permission => Cause::Permission,
        Layer::ConnectionGuard => Cause::Connection,
        Layer::State => Cause::NoEffect,
        Layer::Cluster => Cause::Cluster,
    }
}

/// What was asked and what came back, for one layer.
pub(super) struct Asked {
    pub(super) probe: &'static str,
    pub(super) outcome: String,
    pub(super) control: &'static str,
    pub(super) control_outcome: String,
    pub(super) holds: Option<bool>,
}

/// Tries every layer. `otherwise` says that the user's path claimed what the oracle saw otherwise. A difference is planted
/// first, as for each arm: the press must have the same to do.
pub(super) async fn all(scene: &mut Scene<'_>, managed: &BTreeSet<String>, otherwise: bool) -> Walked<Vec<Probe>> {
    let before = effect::world(scene).await?;
    let planted = effect::plant(scene, &before, managed).await?;
    let probes = layers(scene, planted.as_ref(), otherwise).await;
    scene.site.take_back().await;
    probes
}

async fn layers(scene: &mut Scene<'_>, planted: Option<&Planted>, otherwise: bool) -> Walked<Vec<Probe>> {
    let first_step = scene.recorder().count();
    let mut visitor = scene.user().await?;
    let (fabric, profile) = (scene.fabric()?, scene.profile());
    let mut probes = Vec::new();
    let clock = Instant::now();
    let page = visitor.open(&fabric.address).await?;
    let action = scene.action("sync")?;
    let button = page.find(&action.button).ok();
    let asked = on_page(scene, &mut visitor, &page, button.as_ref()).await?;
    push(&mut probes, Layer::Page, "the page does not give the button to this user", clock, asked);

    if let Some(elsewhere) = button.as_ref().and_then(|button| scene.leads_elsewhere(&page, button)) {
        let asked = Asked {
            probe: "read the button's address",
            outcome: elsewhere,
            control: "read the page's own",
            control_outcome: page.url.path().to_owned(),
            holds: Some(true),
        };
        push(&mut probes, Layer::Route, "the address of the button leads elsewhere", clock, asked);
        return Ok(probes);
    }

    // One press, once more, whose answer tells of the layers behind it.
    let clock = Instant::now();
    let form = button.as_ref().and_then(|button| page.form_of(button).ok());
    let address = form.and_then(|form| Some(page.url.join(&form.action).ok()?.to_string()));
    visitor.open(&fabric.address).await?;
    if planted.is_some()
        && let Ok(read) = scene.action("sync_from_fabric")
        && let Ok(page) = visitor.press(&read.button).await
    {
        visitor.follow(page, scene.site.plan.patience).await?;
        visitor.open(&fabric.address).await?;
    }
    let before = scene.recorder().count();
    let pressed = visitor.press(&action.button).await;
    let press = Press::of(&scene.recorder().steps_from(before), &pressed, address.as_deref(), &profile);
    // How it goes on is said on the page that is open now, and on none of those that are opened later.
    let answer = match &pressed {
        Ok(page) if press.left && !press.is_lost() => {
            Some(visitor.follow(page.clone(), scene.site.plan.patience).await?.0)
        }
        _ => None,
    };
    let asked = in_script(scene, &mut visitor, &page, &press, first_step).await?;
    push(&mut probes, Layer::Script, "the page's script does not get or send what it needs", clock, asked);

    let clock = Instant::now();
    let asked = Asked {
        probe: "press, and see whether a request leaves and is answered, as the page says it",
        outcome: press.outcome.clone(),
        control: "read the same page",
        control_outcome: format!("status {}", page.status),
        holds: Some(press.is_lost()),
    };
    push(&mut probes, Layer::Request, "the request is lost or changed on its way", clock, asked);

    let clock = Instant::now();
    let nowhere = visitor.ask(&Ask::get("/verify-looks-for-an-address-that-does-not-exist/")).await?;
    let same = match address.as_deref().filter(|_| press.status == 404) {
        Some(address) => Some(visitor.ask(&Ask::get(address)).await?.status),
        None => None,
    };
    let beside =
        Beside { nowhere: Answer::read(&nowhere, &profile).code, leads: same.is_some_and(|status| status != 404) };
    let read = same.map(|status| format!("; its address, only read: status {status}")).unwrap_or_default();
    let outcome = said(&press);
    let another = match &answer {
        Some(answer) => scene.did_another(&mut visitor, &action, Some(&fabric.id), answer).await?,
        None => None,
    };
    let instead = another.as_ref().map(|another| format!("; {another}")).unwrap_or_default();
    let asked = Asked {
        probe: "the answer to the press",
        outcome: format!("{outcome}{read}{instead}"),
        control: "an address that does not exist",
        control_outcome: format!("status {}", nowhere.status),
        holds: Some(another.is_some() || press.leads_nowhere(&profile, &beside)),
    };
    push(
        &mut probes,
        Layer::Route,
        "the address of the button leads nowhere, or elsewhere, or takes another method",
        clock,
        asked,
    );

    let clock = Instant::now();
    let asked = of_session(scene, &mut visitor, &press, pressed.as_ref().ok()).await?;
    push(&mut probes, Layer::Session, "the server does not know who asks", clock, asked);

    let clock = Instant::now();
    let is_forged = press.is_forged(&profile);
    let fresh = visitor.open(&fabric.address).await?;
    let token = profile.csrf.page.read(&fresh).unwrap_or_default();
    let control = match &address {
        Some(address) if is_forged => {
            let answer = visitor.ask(&Ask::post(address).with(&profile.csrf.header, &token)).await?;
            says(&answer)
        }
        _ => format!("the page holds a token of {} characters", token.len()),
    };
    let asked = Asked {
        probe: "whether the answer refuses the press as forged",
        outcome: outcome.clone(),
        control: "the same with a token that was fetched just now",
        control_outcome: control,
        holds: Some(is_forged),
    };
    push(&mut probes, Layer::Csrf, "the request is taken for a forged one", clock, asked);

    let clock = Instant::now();
    let other = scene.action("test_connection").ok();
    let offered = other.is_some_and(|other| fresh.find(&other.button).is_ok_and(|found| !found.disabled));
    let asked = Asked {
        probe: "whether the answer refuses the user",
        outcome,
        control: "whether the page offers this user another action",
        control_outcome: if offered { "it does".to_owned() } else { "it does not".to_owned() },
        holds: Some(press.is_denied(&profile, &beside)),
    };
    push(&mut probes, Layer::Permission, "the user may not do it", clock, asked);

    let pressed = behind::Pressed { press: &press, answer: answer.as_ref(), planted, otherwise };
    behind::all(scene, &mut visitor, &mut probes, &pressed).await?;
    Ok(probes)
}

/// The answer to a press in short.
fn said(press: &Press) -> String {
    let code = press.code.as_deref().map(|code| format!(", {code}")).unwrap_or_default();
    format!("status {}{code}", press.status)
}

/// Adds a layer's probe, with the time since its clock began.
pub(super) fn push(probes: &mut Vec<Probe>, layer: Layer, hypothesis: &str, clock: Instant, asked: Asked) {
    probes.push(Probe {
        layer,
        hypothesis: hypothesis.to_owned(),
        probe: asked.probe.to_owned(),
        outcome: asked.outcome,
        control: asked.control.to_owned(),
        control_outcome: asked.control_outcome,
        holds: asked.holds,
        ms: millis(clock.elapsed()),
    });
}

async fn on_page(scene: &mut Scene<'_>, visitor: &mut Visitor, page: &Page, button: Option<&Found>) -> Walked<Asked> {
    let list = visitor.open(&scene.profile().fabrics.address).await?;
    Ok(Asked {
        probe: "open the fabric's page and look for the button",
        outcome: button.map_or_else(
            || says(page),
            |button| format!("“{}”{}", button.name, if button.disabled { ", disabled" } else { "" }),
        ),
        control: "open the list of fabrics",
        control_outcome: format!("status {}", list.status),
        holds: Some(page.status != 200 || button.is_none_or(|button| button.disabled)),
    })
}

/// `first_step` is where the probes began: what failed before, on another page or in another window, stands in no way here.
async fn in_script(
    scene: &mut Scene<'_>,
    visitor: &mut Visitor,
    page: &Page,
    press: &Press,
    first_step: usize,
) -> Walked<Asked> {
    let mut outcome = vec![if press.left { "a request leaves".to_owned() } else { press.outcome.clone() }];
    let mut broken = false;
    for address in page.attributes("script[src]", "src") {
        let answer = visitor.ask(&Ask::get(&address).with("Accept", "*/*")).await?;
        let media = answer.header("content-type").unwrap_or_default();
        broken |= answer.status != 200 || !media.contains("javascript");
        outcome.push(format!("{address}: {} {media}", answer.status));
    }
    let errors = script_errors(scene.recorder(), first_step);
    let style = page.attributes("link[rel=stylesheet]", "href").into_iter().next();
    let control = match style {
        Some(style) => format!("{style}: {}", visitor.ask(&Ask::get(&style).with("Accept", "*/*")).await?.status),
        None => "the page has none".to_owned(),
    };
    outcome.extend(errors.first().cloned());
    // Who runs no scripts is stopped by none that is broken.
    let fails = visitor.runs_scripts() && (broken || !errors.is_empty());
    Ok(Asked {
        probe: "press, and see whether a request leaves; fetch the page's scripts, and read the console",
        outcome: outcome.join("; "),
        control: "fetch a style sheet",
        control_outcome: control,
        holds: Some(!press.left || fails),
    })
}

async fn of_session(scene: &mut Scene<'_>, visitor: &mut Visitor, press: &Press, page: Option<&Page>) -> Walked<Asked> {
    let profile = scene.profile();
    let username = scene.site.plan.account.username.clone();
    let with = visitor.open(&profile.fabrics.address).await?;
    let known = !scene.is_login(&with) && scene.names(&with, &username);
    let mut stranger = scene.stranger().await?;
    let without = stranger.open(&profile.fabrics.address).await?;
    let stranger_known = !scene.is_login(&without) && scene.names(&without, &username);
    let at_login = press.status == 401 || page.is_some_and(|page| scene.is_login(page) || page.status == 401);
    Ok(Asked {
        probe: "open a page with the session, and see what the press was answered",
        outcome: format!(
            "{}; the press {}",
            if known { "the user is named" } else { "nobody is named" },
            if at_login { "led to the login" } else { "did not lead to the login" }
        ),
        control: "the same page without a session",
        control_outcome: if stranger_known {
            "the user is named there, too".to_owned()
        } else {
            "nobody is named".to_owned()
        },
        holds: if stranger_known { None } else { Some(!known || at_login) },
    })
}
