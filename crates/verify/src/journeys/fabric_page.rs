//! The fabric's page: for its user and for nobody else, with scripts and styles that load, and a button that leads
//! somewhere.

use crate::cause::Cause;
use crate::drivers::Ask;
use crate::http::kept_for;
use crate::page::Page;
use crate::scene::{Scene, says};
use crate::stop::Walked;
use crate::visitor::Visitor;

/// An address that no target has.
const NOWHERE: &str = "/verify-looks-for-an-address-that-does-not-exist/";

pub(super) async fn walk(scene: &mut Scene<'_>) -> Walked<()> {
    let profile = scene.profile();
    let mut visitor = scene.user().await?;
    let page = scene.open_fabric(&mut visitor).await?;

    scene.look_at_script(&visitor)?;
    assets(scene, &mut visitor, &page).await?;
    asked_for_each_time(scene, &page)?;

    let Some((word, code)) = scene.status_on(&page) else {
        return Err(scene.failed(Cause::ControlMissing, "the page says how the fabric stands, in a word", says(&page)));
    };
    let expected = "the word of the state is one that the profile knows";
    if code.is_none() {
        scene.untold(expected, &format!("“{word}”"));
    } else {
        scene.assert(true, Cause::ControlMissing, expected, format!("“{word}”"))?;
    }

    let action = scene.action("sync")?;
    let found = page.find(&action.button);
    let expected = "the page has the button that syncs";
    let Ok(found) = found else {
        return Err(scene.failed(Cause::ControlMissing, expected, says(&page)));
    };
    scene.assert(true, Cause::ControlMissing, expected, format!("“{}”", found.name))?;
    if found.disabled {
        let expected = "the button can be pressed, or the page says why not";
        let Some(why) = page.why_not(&found) else {
            return Err(scene.failed(Cause::ControlMissing, expected, "it is there, and disabled"));
        };
        scene.untold("the button can be pressed", &why);
    } else {
        leads_somewhere(scene, &mut visitor, &page, &found).await?;
    }
    visitor.close().await;

    // Somebody who is not logged in gets the login, and neither the page nor its buttons.
    let fabric = scene.fabric()?;
    let mut stranger = scene.stranger().await?;
    let page = stranger.open(&fabric.address).await?;
    scene.shown_by(&stranger);
    let shown = page.status == 200
        && !scene.is_login(&page)
        && (page.find(&action.button).is_ok() || profile.fabric.status.read(&page).is_some());
    let expected = "somebody who is not logged in does not get the fabric's page";
    scene.assert(!shown, Cause::OpenToStrangers, expected, says(&page))?;
    stranger.close().await;
    Ok(())
}

/// What changes must not be shown as it was: neither the state, nor a token, nor what only its user may see.
fn asked_for_each_time(scene: &mut Scene<'_>, page: &Page) -> Walked<()> {
    let kept = kept_for(page);
    let policy = page.header("cache-control").unwrap_or_else(|| "no Cache-Control".to_owned());
    let observed = match kept.as_secs() {
        0 if kept.is_zero() => policy,
        seconds => format!("{policy}: for {seconds} s it may be shown as it was"),
    };
    scene.assert(kept.is_zero(), Cause::PageKept, "the fabric's page is asked for each time it is opened", observed)
}

/// Whether what the page loads can be used: status, type, policy.
async fn assets(scene: &mut Scene<'_>, visitor: &mut Visitor, page: &Page) -> Walked<()> {
    let sheets = page.attributes("link[rel=stylesheet][href]", "href").into_iter().map(|address| (address, "css"));
    let scripts = page.attributes("script[src]", "src").into_iter().map(|address| (address, "javascript"));
    let policy = page.header("content-security-policy").unwrap_or_default();
    for (address, media) in sheets.chain(scripts) {
        let Ok(url) = page.url.join(&address) else {
            return Err(scene.failed(Cause::AssetBroken, "the page's parts have addresses", &address));
        };
        // What lies on another site is that site's matter.
        if url.origin() != page.url.origin() {
            continue;
        }
        let answer = visitor.ask(&Ask::get(&address).with("Accept", "*/*")).await?;
        scene.shown_by(visitor);
        let kind = answer.header("content-type").unwrap_or_default();
        let sniffed = answer.header("x-content-type-options").is_some_and(|value| value == "nosniff");
        let right = kind.contains(media);
        let holds = answer.status == 200 && (right || !sniffed && kind.is_empty());
        let expected = format!("{address} answers 200 as {media}");
        scene.assert(holds, Cause::AssetBroken, &expected, format!("status {}, {kind}", answer.status))?;
        let allowed = allows(&policy, if media == "css" { "style-src" } else { "script-src" });
        scene.assert(allowed, Cause::AssetBroken, "the page's policy lets its own parts load", &policy)?;
    }
    Ok(())
}

/// Whether a Content-Security-Policy lets a page load its own files.
fn allows(policy: &str, directive: &str) -> bool {
    if policy.is_empty() {
        return true;
    }
    let of = |name: &str| {
        policy.split(';').map(str::trim).find_map(|one| {
            let (found, sources) = one.split_once(' ').unwrap_or((one, ""));
            found.eq_ignore_ascii_case(name).then(|| sources.to_owned())
        })
    };
    let sources = of(&format!("{directive}-elem")).or_else(|| of(directive)).or_else(|| of("default-src"));
    sources.is_none_or(|sources| {
        sources.split_whitespace().any(|source| {
            ["'self'", "*", "'strict-dynamic'", "http:", "https:"].contains(&source)
                || source.starts_with("'nonce-")
                || source.starts_with("http")
        })
    })
}

/// Whether the address that the button sends to exists: asked for in a way that does nothing.
async fn leads_somewhere(
    scene: &mut Scene<'_>,
    visitor: &mut Visitor,
    page: &Page,
    button: &crate::page::Found,
) -> Walked<()> {
    let Ok(form) = page.form_of(button) else {
        // A button of a script: what it sends is seen when it is pressed.
        return Ok(());
    };
    let nowhere = visitor.ask(&Ask::get(NOWHERE)).await?;
    scene.shown_by(visitor);
    scene.control(nowhere.status == 404, "an address that does not exist answers 404", says(&nowhere))?;
    let answer = visitor.ask(&Ask::get(&form.action)).await?;
    scene.shown_by(visitor);
    let expected = format!("the address of the button, {}, exists", form.action);
    if answer.status == 404 && !tells_methods(scene, visitor, page, &form.action).await? {
        scene.untold(&expected, "the target answers 404 to whoever only reads an address that is there to be sent to");
        return Ok(());
    }
    scene.assert(answer.status != 404, Cause::WrongAddress, &expected, format!("status {}", answer.status))
}

/// Whether an address that is there to be sent to can be told from one that is not there, by reading it: another form's can.
async fn tells_methods(scene: &mut Scene<'_>, visitor: &mut Visitor, page: &Page, address: &str) -> Walked<bool> {
    let own = |other: &String| page.url.join(other).is_ok_and(|url| url.origin() == page.url.origin());
    let mut others = page.attributes("form[method=post]", "action");
    others.retain(|other| other != address && own(other));
    others.dedup();
    for other in others {
        let answer = visitor.ask(&Ask::get(&other)).await?;
        scene.shown_by(visitor);
        if answer.status != 404 {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::allows;

    #[test]
    fn policies_are_read() {
        assert!(allows("", "script-src"));
        assert!(allows("default-src 'none'; script-src 'self'", "script-src"));
        assert!(!allows("default-src 'none'; script-src 'none'", "script-src"));
        assert!(!allows("default-src 'none'; style-src 'self'", "script-src"));
        assert!(allows("default-src 'self'", "style-src"));
        assert!(allows("script-src 'nonce-abc'", "script-src"));
        assert!(allows("img-src 'self'", "script-src"), "nothing is said of scripts");
    }
}
