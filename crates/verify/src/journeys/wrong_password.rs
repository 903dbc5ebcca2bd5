//! A wrong password: turned away once, told so, and not logged in. One try only, so that nobody is locked out.

use crate::cause::Cause;
use crate::scene::{Scene, says};
use crate::stop::Walked;

pub(super) async fn walk(scene: &mut Scene<'_>) -> Walked<()> {
    let profile = scene.profile();
    let account = scene.site.plan.account.clone();
    let mut visitor = scene.stranger().await?;
    scene.open_login(&mut visitor, &profile.login.address).await?;
    visitor.fill(&profile.login.username, &account.username).await?;
    let wrong = format!("not the password {}", scene.site.plan.id);
    visitor.fill(&profile.login.password, &wrong).await?;
    let page = visitor.press(&profile.login.button).await?;
    scene.shown_by(&visitor);
    let cookie = scene.note_session(&mut visitor, &account.username).await?;
    let named = profile.login.names_user.is_some() && scene.names(&page, &account.username);
    let expected = "with a wrong password nobody is logged in";
    let inside = (cookie.is_some() && !scene.is_login(&page)) || named;
    scene.assert(!inside, Cause::PermissionNotChecked, expected, says(&page))?;
    let again = visitor.open(&profile.fabrics.address).await?;
    let known = !scene.is_login(&again) && profile.login.names_user.is_some() && scene.names(&again, &account.username);
    scene.assert(!known, Cause::PermissionNotChecked, "the next page knows nobody", says(&again))?;
    scene.assert(page.status < 500, Cause::ServerError, "the login page says what was wrong", says(&page))?;
    let text = page.visible_text();
    let told = profile.login.refused.iter().any(|words| text.contains(words.as_str()));
    scene.assert(told, Cause::UnclearMessage, "the page says that the name or the password is wrong", says(&page))?;
    visitor.close().await;
    // The control: with the right one it works, so it was the password.
    let right = scene.user().await?;
    right.close().await;
    scene.control(true, "the right password is taken", "it was")
}
