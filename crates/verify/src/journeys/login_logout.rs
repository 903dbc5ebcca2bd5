//! In, known, out, and out for good: also for somebody who kept a copy of the cookie.

use crate::cause::Cause;
use crate::drivers::Ask;
use crate::scene::{Scene, says};
use crate::stop::Walked;
use crate::visitor::Visitor;

/// Somewhere that is not this site.
const ELSEWHERE: &str = "https://elsewhere.example/";

pub(super) async fn walk(scene: &mut Scene<'_>) -> Walked<()> {
    let account = scene.site.plan.account.clone();
    let profile = scene.profile();
    let home = profile.fabrics.address.clone();

    // The control: who has not logged in is not known.
    let mut stranger = scene.stranger().await?;
    let page = stranger.open(&home).await?;
    scene.shown_by(&stranger);
    let named = !scene.is_login(&page) && scene.names(&page, &account.username);
    scene.control(!named, "a stranger's page names nobody", says(&page))?;
    stranger.close().await;

    let mut visitor = scene.stranger().await?;
    let separator = if profile.login.address.contains('?') { '&' } else { '?' };
    let next: String = url::form_urlencoded::byte_serialize(ELSEWHERE.as_bytes()).collect();
    let address = format!("{}{separator}{}={next}", profile.login.address, profile.login.next);
    scene.open_login(&mut visitor, &address).await?;
    let page = scene.type_login(&mut visitor, &account).await?;
    let stays = page.url.origin() == scene.site.target().origin();
    scene.assert(stays, Cause::ForeignRedirect, "after the login one is on a page of this site", page.url.as_str())?;

    let cookie = scene.session_cookie(&mut visitor).await?;
    if let Some(cookie) = &cookie {
        let has = |name: &str| cookie.attribute(name).is_some();
        let same_site = cookie.attribute("samesite").unwrap_or_default().to_ascii_lowercase();
        let https = scene.site.target().scheme() == "https";
        let mut lacks = Vec::new();
        if !has("httponly") {
            lacks.push("HttpOnly");
        }
        if !["lax", "strict"].contains(&same_site.as_str()) {
            lacks.push("SameSite=Lax");
        }
        if https && !has("secure") {
            lacks.push("Secure");
        }
        let observed = format!("{}: {}", cookie.name, cookie.attributes.join("; "));
        let expected = "the session's cookie is kept from scripts and from other sites, and from plain HTTP where the page came by HTTPS";
        let observed = if lacks.is_empty() { observed } else { format!("{observed}; it lacks {}", lacks.join(", ")) };
        scene.assert(lacks.is_empty(), Cause::CookieUnsafe, expected, observed)?;
    }

    let page = visitor.open(&home).await?;
    scene.shown_by(&visitor);
    let expected = "the next page knows the user, too";
    let known = page.status == 200 && !scene.is_login(&page) && scene.names(&page, &account.username);
    scene.assert(known, Cause::NoSession, expected, says(&page))?;
    let before = visitor.cookies().await?;

    let page = visitor.press(&profile.login.logout).await?;
    scene.shown_by(&visitor);
    let named = !scene.is_login(&page) && profile.login.names_user.is_some() && scene.names(&page, &account.username);
    scene.assert(!named, Cause::SessionSurvives, "after the logout the page names nobody", says(&page))?;
    let page = visitor.open(&home).await?;
    scene.shown_by(&visitor);
    let known = !scene.is_login(&page) && scene.names(&page, &account.username);
    let kept = known && is_kept(scene, &mut visitor, &home).await?;
    let cause = if kept { Cause::PageKept } else { Cause::SessionSurvives };
    scene.assert(!known, cause, "after the logout the user is a stranger", says(&page))?;

    // Somebody who kept the cookie.
    visitor.restore(&before).await?;
    let page = visitor.open(&home).await?;
    scene.shown_by(&visitor);
    let known = !scene.is_login(&page) && scene.names(&page, &account.username);
    let kept = known && is_kept(scene, &mut visitor, &home).await?;
    let cause = if kept { Cause::PageKept } else { Cause::SessionSurvives };
    let expected = "the session is ended at the server: its cookie, kept and sent again, is worth nothing";
    scene.assert(!known, cause, expected, says(&page))?;
    visitor.close().await;
    Ok(())
}

/// Whether a page that still names the user comes out of a cache: asked for by an address that no cache has, the server does
/// not know who asks.
async fn is_kept(scene: &mut Scene<'_>, visitor: &mut Visitor, home: &str) -> Walked<bool> {
    let separator = if home.contains('?') { '&' } else { '?' };
    let fresh = format!("{home}{separator}verify={}", scene.site.plan.id);
    let answer = visitor.ask(&Ask::get(&fresh).with("Cache-Control", "no-cache")).await?;
    scene.shown_by(visitor);
    let username = scene.site.plan.account.username.clone();
    Ok((answer.status == 401 || scene.is_login(&answer)) && !scene.names(&answer, &username))
}
