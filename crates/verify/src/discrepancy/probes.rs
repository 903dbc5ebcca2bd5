//! One probe a layer, in the order in which a press goes through them. A probe asks one thing, beside a control that asks
//! the same without it, and takes the time.

use crate::answer::{Answer, Tone};
use crate::cause::{Cause, Layer};
use crate::drivers::Ask;
use crate::effect;
use crate::page::{Found, Page};
use crate::recorder::millis;
use crate::results::Probe;
use crate::scene::{Scene, says};
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
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
struct Asked {
    probe: &'static str,
    outcome: String,
    control: &'static str,
    control_outcome: String,
    holds: Option<bool>,
}

/// Tries every layer. `lies` says that the user's path claimed a success that the oracle did not see.
pub(super) async fn all(scene: &mut Scene<'_>, lies: bool) -> Walked<Vec<Probe>> {
    let mut visitor = scene.user().await?;
    let fabric = scene.fabric()?;
    let mut probes = Vec::new();
    let clock = Instant::now();
    let page = visitor.open(&fabric.address).await?;
    let action = scene.action("sync")?;
    let button = page.find(&action.button).ok();
    let asked = on_page(scene, &mut visitor, &page, button.as_ref()).await?;
    push(&mut probes, Layer::Page, "the page does not give the button to this user", clock, asked);

    let clock = Instant::now();
    let asked = in_script(scene, &mut visitor, &page).await?;
    push(&mut probes, Layer::Script, "the page's script does not get or send what it needs", clock, asked);

    let form = button.as_ref().and_then(|button| page.form_of(button).ok());
    let address = form.as_ref().map(|form| form.action.clone());
    // One press, once more, whose answer tells of the layers behind it.
    let clock = Instant::now();
    visitor.open(&fabric.address).await?;
    let first_step = scene.recorder().count();
    let pressed = visitor.press(&action.button).await;
    let sent =
        scene.recorder().steps_from(first_step).into_iter().flat_map(|step| step.exchanges).find(|one| one.is_write());
    let asked = Asked {
        probe: "press, and see whether a request leaves and is answered, as the page says it",
        outcome: match (&sent, &pressed) {
            (Some(sent), _) => format!(
                "{} {}: status {} after {} ms {}",
                sent.method,
                sent.path(),
                sent.status,
                sent.ms,
                sent.error.clone().unwrap_or_default()
            ),
            (None, Err(obstacle)) => obstacle.to_string(),
            (None, Ok(_)) => "no request left".to_owned(),
        },
        control: "read the same page",
        control_outcome: format!("status {}", page.status),
        holds: Some(match &sent {
            None => pressed.is_err(),
            Some(sent) => {
                sent.status == 0
                    || sent.status >= 502
                    || address.as_ref().is_some_and(|address| !same(&page, address, &sent.url))
            }
        }),
    };
    push(&mut probes, Layer::Request, "the request is lost or changed on its way", clock, asked);
    let answer = pressed.as_ref().ok().map(|page| (page.clone(), Answer::read(page, &scene.profile())));
    let status = sent.as_ref().map_or(0, |sent| sent.status);

    let clock = Instant::now();
    let nowhere = visitor.ask(&Ask::get("/verify-looks-for-an-address-that-does-not-exist/")).await?;
    let asked = Asked {
        probe: "the status of the press",
        outcome: format!("status {status}"),
        control: "an address that does not exist",
        control_outcome: format!("status {}", nowhere.status),
        holds: Some(status == 404 || status == 405),
    };
    push(&mut probes, Layer::Route, "the address of the button leads nowhere, or takes another method", clock, asked);

    let clock = Instant::now();
    let asked = of_session(scene, &mut visitor, answer.as_ref()).await?;
    push(&mut probes, Layer::Session, "the server does not know who asks", clock, asked);

    let clock = Instant::now();
    let profile = scene.profile();
    let class = |class: &str| {
        let Some((page, answer)) = &answer else { return false };
        let code = answer.code.as_deref().unwrap_or_default();
        let text = page.visible_text();
        status == 403
            && (profile.refusals.codes.get(class).is_some_and(|all| all.iter().any(|one| one == code))
                || profile
                    .refusals
                    .words
                    .get(class)
                    .is_some_and(|all| all.iter().any(|one| text.contains(one.as_str()))))
    };
    let is_forged = class("csrf");
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
        outcome: format!("status {status}"),
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
        outcome: format!("status {status}"),
        control: "whether the page offers this user another action",
        control_outcome: if offered { "it does".to_owned() } else { "it does not".to_owned() },
        holds: Some(status == 403 && !is_forged),
    };
    push(&mut probes, Layer::Permission, "the user may not do it", clock, asked);

    behind(scene, &mut visitor, &mut probes, answer, lies).await?;
    Ok(probes)
}

fn push(probes: &mut Vec<Probe>, layer: Layer, hypothesis: &str, clock: Instant, asked: Asked) {
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

fn same(page: &Page, address: &str, url: &str) -> bool {
    page.url.join(address).is_ok_and(|wanted| wanted.as_str() == url)
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

async fn in_script(scene: &mut Scene<'_>, visitor: &mut Visitor, page: &Page) -> Walked<Asked> {
    let mut outcome = Vec::new();
    let mut broken = false;
    for address in page.attributes("script[src]", "src") {
        let answer = visitor.ask(&Ask::get(&address).with("Accept", "*/*")).await?;
        let media = answer.header("content-type").unwrap_or_default();
        broken |= answer.status != 200 || !media.contains("javascript");
        outcome.push(format!("{address}: {} {media}", answer.status));
    }
    let errors: Vec<String> = scene
        .recorder()
        .steps_from(0)
        .into_iter()
        .flat_map(|step| step.console)
        .filter(|line| line.level == "SEVERE" && !line.text.contains("Failed to load resource"))
        .map(|line| line.text)
        .collect();
    let style = page.attributes("link[rel=stylesheet]", "href").into_iter().next();
    let control = match style {
        Some(style) => format!("{style}: {}", visitor.ask(&Ask::get(&style).with("Accept", "*/*")).await?.status),
        None => "the page has none".to_owned(),
    };
    outcome.extend(errors.first().cloned());
    Ok(Asked {
        probe: "fetch the page's scripts, and read the console",
        outcome: if outcome.is_empty() {
            "the page has no script of its own address".to_owned()
        } else {
            outcome.join("; ")
        },
        control: "fetch a style sheet",
        control_outcome: control,
        holds: Some(broken || !errors.is_empty()),
    })
}

async fn of_session(scene: &mut Scene<'_>, visitor: &mut Visitor, answer: Option<&(Page, Answer)>) -> Walked<Asked> {
    let profile = scene.profile();
    let username = scene.site.plan.account.username.clone();
    let with = visitor.open(&profile.fabrics.address).await?;
    let known = !scene.is_login(&with) && scene.names(&with, &username);
    let mut stranger = scene.stranger().await?;
    let without = stranger.open(&profile.fabrics.address).await?;
    let stranger_known = !scene.is_login(&without) && scene.names(&without, &username);
    let at_login = answer.is_some_and(|(page, _)| scene.is_login(page) || page.status == 401);
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

/// The layers behind the request: what the target makes of it, and what the cluster does.
async fn behind(
    scene: &mut Scene<'_>,
    visitor: &mut Visitor,
    probes: &mut Vec<Probe>,
    answer: Option<(Page, Answer)>,
    lies: bool,
) -> Walked<()> {
    let clock = Instant::now();
    let answer = match answer {
        Some((page, _)) => Some(visitor.follow(page, scene.site.plan.patience).await?.0),
        None => None,
    };
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
    let asked = Asked {
        probe: "press the test of the connection",
        outcome: guard.as_ref().map_or_else(|| "it could not be pressed".to_owned(), |answer| answer.text.clone()),
        control: "reach the cluster beside the target",
        control_outcome: reached.to_owned(),
        holds: guard.as_ref().map(|answer| answer.tone == Tone::Bad && world.live.is_some()),
    };
    push(probes, Layer::ConnectionGuard, "the target does not let the operation reach the cluster", clock, asked);

    let clock = Instant::now();
    let said =
        answer.as_ref().map_or_else(|| "nothing".to_owned(), |answer| format!("{:?}: {}", answer.tone, answer.text));
    let asked = Asked {
        probe: "what the target says of the press",
        outcome: said,
        control: "what the oracle reads",
        control_outcome: format!("{} differences between Git and the cluster", world.lacking.len()),
        holds: Some(lies || answer.as_ref().is_some_and(|answer| !answer.is_final())),
    };
    push(probes, Layer::State, "the target says something else than what is", clock, asked);

    let clock = Instant::now();
    let (takes, said) = effect::would_take(scene, &world, None).await?;
    let asked = Asked {
        probe: "ask the cluster by a dry run whether it takes what Git says",
        outcome: said,
        control: "read the cluster",
        control_outcome: reached.to_owned(),
        holds: takes.map(|takes| !takes),
    };
    push(probes, Layer::Cluster, "the cluster refuses", clock, asked);
    Ok(())
}
