//! Logging in by an OpenID Connect provider: a real one, `oidc-provider`, through its own login page. What counts is who
//! is logged in afterwards, with which permissions; beside each refusal the same way without the fault passes.

use crate::world::{add_fabric, database};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use store::{Method, ObjectPermission};
use testkit::{Console, ConsoleOptions, HttpUser, OpenidProvider, Page, eventually};

const GROUPS: (&str, &str) = ("HEDGEROW_OPENID_GROUPS", "noc=operators");
const SUPERUSERS: (&str, &str) = ("HEDGEROW_OPENID_SUPERUSER_GROUP", "roots");

/// Who is logged in, as the console tells a script; nobody when it refuses.
async fn who(user: &mut HttpUser) -> Result<Option<String>> {
    let answer = user.script("GET", "/session/", &[], None).await?;
    Ok(answer.json()?["user"]["username"].as_str().map(str::to_owned))
}

/// Logs in by the provider, and lands on a page that names the user.
async fn logged_in(provider: &OpenidProvider, console: &Console, name: &str) -> Result<HttpUser> {
    let mut user = console.visitor()?;
    let back = provider.log_in(&mut user, name).await?;
    ensure!(back.status == 303, "{}: {}\n{}\n{}", back.status, back.visible_text(), provider.log(), console.log());
    let page = user.arrive(back).await?;
    ensure!(page.status == 200 && page.visible_text().contains(name), "{}: {}", page.url, page.visible_text());
    Ok(user)
}

/// A refusal: a page with its code and a request id, and nobody is logged in.
async fn refused(user: &mut HttpUser, page: &Page, code: &str, words: &str) -> Result<()> {
    let said = page.visible_text();
    ensure!(page.status == 403 || page.status == 503, "{}: {said}", page.status);
    ensure!(said.contains(code) && said.contains(words), "not {code} and '{words}': {said}");
    ensure!(said.contains("request ") && page.has("a[href='/login/']"), "no way on: {said}");
    ensure!(who(user).await?.is_none(), "somebody is logged in");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_the_provider_become_memberships_and_go_with_the_next_login() -> Result<()> {
    let provider = OpenidProvider::start(&[("anna", &["noc", "other"])]).await?;
    let console = provider.console(&[GROUPS]).await?;
    let (mut admin, _) = console.login("admin", console.password()?).await?;
    let fabric =
        add_fabric(&mut admin, &[("name", "lab-1"), ("cluster_kind", "none"), ("credential_kind", "none")]).await?;
    let store = database(&console).await?;
    let group = store.groups().create("operators", "").await?;
    let other = store.groups().create("other", "").await?;
    let permission = ObjectPermission {
        id: 0,
        name: "see fabrics".to_owned(),
        enabled: true,
        object_types: vec!["hedgerow.fabric".to_owned()],
        actions: vec!["view".to_owned()],
        constraints: None,
    };
    let permission = store.permissions().create(&permission).await?;
    store.permissions().give_to_group(permission, group.id).await?;
    let path = format!("/fabrics/{fabric}/");

    let mut anna = logged_in(&provider, &console, "anna").await?;
    ensure!(anna.visit(&path).await?.status == 200, "the group's permission shows the fabric");
    let user = store.users().by_name("anna").await?.context("an account was made")?;
    ensure!(!user.has_password() && !user.is_superuser, "{user:?}");
    ensure!(user.external.as_ref().is_some_and(|known| known.subject == "number-of-anna"), "{:?}", user.external);
    let session = store.sessions().list_of_user(user.id).await?.remove(0);
    ensure!(session.method == Method::Openid, "{session:?}");
    ensure!(store.groups().members(other.id).await?.is_empty(), "only groups that are mapped are touched");

    // A membership that somebody gave here stays; the mapped one goes.
    store.groups().add_member(other.id, user.id).await?;
    provider.set_people(&[("anna", &[])]).await?;
    let mut later = logged_in(&provider, &console, "anna").await?;
    ensure!(later.visit(&path).await?.status == 404, "without the group the fabric is not there");
    ensure!(anna.visit(&path).await?.status == 404, "nor is it in the session from before");
    let names: Vec<String> = store.groups().of_user(user.id).await?.into_iter().map(|group| group.name).collect();
    ensure!(names == ["other"], "{names:?}");

    // A provider that has stopped to speak of groups takes them, too; one that tells them by userinfo gives them.
    provider.set_people(&[("anna", &["noc"])]).await?;
    provider.register(&console, true).await?;
    let mut thin = logged_in(&provider, &console, "anna").await?;
    ensure!(provider.asked("/me").await? >= 1, "userinfo was asked");
    ensure!(thin.visit(&path).await?.status == 200, "the group came by userinfo");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_login_and_the_last_administrator_stay() -> Result<()> {
    let provider = OpenidProvider::start(&[("root", &["roots"]), ("admin", &["roots"]), ("bob", &[])]).await?;
    let console = provider.console(&[SUPERUSERS]).await?;
    let store = database(&console).await?;

    // Somebody at the provider calls himself admin: the account here is not his.
    let mut stranger = console.visitor()?;
    let page = provider.log_in(&mut stranger, "admin").await?;
    refused(&mut stranger, &page, "account_refused", "hedgerow user link admin --openid-subject number-of-admin")
        .await?;
    let admin = store.users().by_name("admin").await?.context("admin")?;
    ensure!(admin.external.is_none(), "nothing was connected");
    let linked = console.run(&["user", "link", "admin", "--openid-subject", "number-of-admin"], None).await?;
    ensure!(linked.status.success(), "{linked:?}");
    logged_in(&provider, &console, "admin").await?;
    console.login("admin", console.password()?).await?;

    // The flag follows the group, but not from the last one.
    provider.set_people(&[("admin", &[])]).await?;
    logged_in(&provider, &console, "admin").await?;
    ensure!(store.users().get(admin.id).await?.is_superuser, "the last administrator was taken away");
    provider.set_people(&[("root", &["roots"]), ("admin", &[]), ("bob", &[])]).await?;
    logged_in(&provider, &console, "root").await?;
    ensure!(store.users().by_name("root").await?.context("root")?.is_superuser, "the group makes a superuser");
    logged_in(&provider, &console, "admin").await?;
    ensure!(!store.users().get(admin.id).await?.is_superuser, "there is another one now");

    // Without a password nobody logs in by one, not even by none.
    logged_in(&provider, &console, "bob").await?;
    for password in ["", "provider-password"] {
        let mut user = console.visitor()?;
        let form = user.visit("/login/").await?;
        let answer =
            user.submit(&form, "form:has([name=username])", &[("username", "bob"), ("password", password)]).await?;
        ensure!(answer.status == 200 || answer.status == 401, "{}", answer.status);
        ensure!(who(&mut user).await?.is_none(), "bob has no password");
    }
    // Who is switched off stays out.
    let bob = store.users().by_name("bob").await?.context("bob")?;
    store.users().set_flags(bob.id, false, false).await?;
    let mut user = console.visitor()?;
    let page = provider.log_in(&mut user, "bob").await?;
    refused(&mut user, &page, "account_refused", "is switched off").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_begun_here_or_came_back_before_is_refused() -> Result<()> {
    let provider = OpenidProvider::start(&[("anna", &[]), ("eve", &[])]).await?;
    let console = provider.console(&[]).await?;

    // Nothing was begun in this browser.
    let mut user = console.visitor()?;
    let page = user.get("/login/openid/callback/?code=x&state=y").await?;
    refused(&mut user, &page, "openid_refused", "not begun in this browser").await?;

    // The end of eve's login, opened in anna's browser in the middle of hers: a foreign state. Hers goes on.
    let (mut eve, mut anna) = (console.visitor()?, console.visitor()?);
    let mut way = eve.get("/login/openid/").await?;
    let of_eve = provider.way_back(&mut eve, &mut way, "eve").await?;
    let mut way = anna.get("/login/openid/?next=/activity/").await?;
    let page = anna.get(&of_eve).await?;
    refused(&mut anna, &page, "openid_refused", "another login").await?;
    let of_anna = provider.way_back(&mut anna, &mut way, "anna").await?;

    // Used once it counts; with the cookie from before it does not count again, nor in a second console's process.
    let before = anna.cookies().to_vec();
    let back = anna.get(&of_anna).await?;
    ensure!(back.location().as_deref() == Some("/activity/"), "{} {:?}", back.status, back.location());
    ensure!(who(&mut anna).await?.as_deref() == Some("anna"), "anna is logged in");
    let mut replay = console.visitor()?;
    for cookie in before {
        replay.set_cookie(&cookie.name, Some(&cookie.value));
    }
    let page = replay.get(&of_anna).await?;
    refused(&mut replay, &page, "openid_refused", "each counts once").await?;
    let page = anna.get(&of_anna).await?;
    ensure!(page.status == 403 && page.visible_text().contains("brought to its end before"), "{}", page.visible_text());
    ensure!(who(&mut anna).await?.as_deref() == Some("anna"), "her session stays");

    // A code that was used already, in a login of its own: the provider refuses it.
    let code = |way: &str| way.split("code=").nth(1).and_then(|rest| rest.split('&').next()).map(str::to_owned);
    let used = code(&of_anna).context("a code")?;
    let mut user = console.visitor()?;
    let mut way = user.get("/login/openid/").await?;
    let fresh = provider.way_back(&mut user, &mut way, "anna").await?;
    let page = user.get(&fresh.replace(&code(&fresh).context("a code")?, &used)).await?;
    refused(&mut user, &page, "openid_refused", "was used before, or too much time has passed").await?;

    // Cancelled at the provider, and a page elsewhere to come back to.
    let mut user = console.visitor()?;
    let mut page = user.get("/login/openid/?next=https://evil.example/").await?;
    while page.location().is_some() {
        page = user.follow(&page).await?;
    }
    let mut page = user.submit(&page, "#cancel", &[]).await?;
    while page.location().is_some() {
        page = user.follow(&page).await?;
    }
    refused(&mut user, &page, "openid_refused", "The login was cancelled").await?;
    let way = user.get("/login/openid/?next=https://evil.example/").await?;
    let back = provider.pass(&mut user, way, "anna").await?;
    ensure!(back.location().as_deref() == Some("/"), "{:?}", back.location());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_with_a_fault_lets_nobody_in_and_is_nowhere_to_be_read() -> Result<()> {
    let provider = OpenidProvider::start(&[("anna", &[])]).await?;
    let console = provider.console(&[]).await?;
    for (fault, words) in [
        ("expired", "clock"),
        ("future", "clock"),
        ("nonce", "belongs to another login"),
        ("no nonce", "belongs to another login"),
        ("audience", "meant for another program"),
        ("issuer", "comes from somebody else"),
        ("other key", "not signed with a key of the provider"),
        ("unknown key", "not signed with a key of the provider"),
        ("none", "not signed with a key of the provider"),
        ("own secret", "not signed with a key of the provider"),
    ] {
        provider.fault(fault).await?;
        let mut user = console.visitor()?;
        let page = provider.log_in(&mut user, "anna").await?;
        refused(&mut user, &page, "openid_refused", words).await.with_context(|| fault.to_owned())?;
    }
    ensure!(database(&console).await?.users().by_name("anna").await?.is_none(), "an account was made");
    // Clocks that are a little apart are no reason.
    for fault in ["a little expired", ""] {
        provider.fault(fault).await?;
        logged_in(&provider, &console, "anna").await.with_context(|| format!("'{fault}'"))?;
    }
    // New keys are fetched when a token is signed with one.
    provider.rotate_keys().await?;
    tokio::time::sleep(Duration::from_secs(6)).await;
    logged_in(&provider, &console, "anna").await.context("after the rotation")?;
    let log = console.log();
    ensure!(!log.contains("eyJ") && !log.contains(provider.secret()), "a token or the secret is in the log:\n{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_costs_its_own_login_and_no_other() -> Result<()> {
    let mut provider = OpenidProvider::start(&[("anna", &[])]).await?;
    let console = provider.console(&[]).await?;
    provider.stop();
    let mut user = console.visitor()?;
    let form = user.visit("/login/").await?;
    ensure!(form.visible_text().contains("Log in with Example ID"), "{}", form.visible_text());
    let page = user.click(&form, "a[href^='/login/openid/']").await?;
    ensure!(page.status == 503, "{}", page.status);
    refused(&mut user, &page, "openid_unavailable", "does not answer").await?;
    console.login("admin", console.password()?).await.context("the password login works")?;
    provider.resume().await?;
    provider.register(&console, false).await?;
    provider.set_people(&[("anna", &[])]).await?;
    eventually(Duration::from_secs(20), "the console finds the provider again", || {
        let visitor = console.visitor();
        async move {
            let status = visitor?.get("/login/openid/").await?.status;
            ensure!(status == 303, "it answers {status}");
            Ok(())
        }
    })
    .await?;
    logged_in(&provider, &console, "anna").await?;

    // It goes away between the way there and the way back.
    let mut user = console.visitor()?;
    let mut way = user.get("/login/openid/").await?;
    let back = provider.way_back(&mut user, &mut way, "anna").await?;
    provider.stop();
    let page = user.get(&back).await?;
    refused(&mut user, &page, "openid_unavailable", "does not answer").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_ends_both_sessions() -> Result<()> {
    let mut provider = OpenidProvider::start(&[("anna", &[])]).await?;
    let console = provider.console(&[]).await?;
    let mut anna = logged_in(&provider, &console, "anna").await?;
    let page = anna.visit("/account/sessions/").await?;
    ensure!(page.visible_text().contains("by the provider of logins"), "{}", page.visible_text());
    let page = anna.visit("/").await?;
    let policy = page.header("content-security-policy").context("a policy")?;
    ensure!(policy.contains(&format!("form-action 'self' {};", provider.issuer())), "{policy}");
    let out = anna.submit(&page, "form.who", &[]).await?;
    let there = out.location().context("the logout leads on")?;
    ensure!(out.status == 303 && there.starts_with(&provider.issuer()) && there.contains("id_token_hint="), "{there}");
    ensure!(who(&mut anna).await?.is_none(), "the session here has ended before");
    let asked = anna.follow(&out).await?;
    let mut page = anna.submit(&asked, "#out", &[]).await?;
    while page.location().is_some() {
        page = anna.follow(&page).await?;
    }
    ensure!(page.url.path() == "/login/", "{} {}", page.url, page.visible_text());
    // The provider asks again who it is.
    let mut way = anna.get("/login/openid/").await?;
    while way.location().is_some() {
        way = anna.follow(&way).await?;
    }
    ensure!(way.has("#login"), "the session at the provider went on: {}", way.url);
    // Of the ended session no token is kept, and a login by password has nothing to end there.
    let store = database(&console).await?;
    let user = store.users().by_name("anna").await?.context("anna")?;
    let session = store.sessions().list_of_user(user.id).await?.remove(0);
    ensure!(session.ended_at.is_some() && store.sessions().id_token(session.id).await?.is_none(), "{session:?}");
    let (mut admin, page) = console.login("admin", console.password()?).await?;
    let out = admin.submit(&page, "form.who", &[]).await?;
    ensure!(out.location().as_deref() == Some("/login/"), "{:?}", out.location());
    // A provider that is down is nobody to lead to.
    let mut anna = logged_in(&provider, &console, "anna").await?;
    let page = anna.visit("/").await?;
    provider.stop();
    let out = anna.submit(&page, "form.who", &[]).await?;
    let said = out.visible_text();
    ensure!(out.status == 200 && said.contains("You are logged out here"), "{}: {said}", out.status);
    ensure!(said.contains("Example ID does not answer") && who(&mut anna).await?.is_none(), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sensitive_change_asks_at_the_provider_and_keeps_what_was_sent() -> Result<()> {
    let provider = OpenidProvider::start(&[("root", &["roots"]), ("bert", &[])]).await?;
    let console = provider.console(&[SUPERUSERS, ("HEDGEROW_SESSION_REAUTHENTICATE", "2s")]).await?;
    let mut root = logged_in(&provider, &console, "root").await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let fields = [
        ("name", "lab-7"),
        ("cluster_kind", "endpoint"),
        ("server", "https://127.0.0.1:9"),
        ("token", "a-token-of-the-cluster"),
        ("credential_kind", "none"),
    ];
    let form = root.visit("/fabrics/add/").await?;
    ensure!(!form.has("[name=current_password]"), "there is no password that could be asked for");
    let answer = root.submit(&form, "form.form", &fields).await?;
    let said = answer.visible_text();
    ensure!(answer.status == 403 && said.contains("by Example ID"), "{}: {said}", answer.status);
    ensure!(!answer.body.contains("a-token-of-the-cluster"), "the credential is in the page");

    // The provider asks, although root is logged in there.
    let way = root.click(&answer, "a[href^='/login/openid/again/']").await?;
    let there = way.location().context("the way leads to the provider")?;
    ensure!(there.contains("prompt=login") && there.contains("max_age=0"), "{there}");
    // One that did not ask again proves nothing.
    provider.fault("old login").await?;
    let back = provider.pass(&mut root, way, "root").await?;
    ensure!(
        back.status == 403 && back.visible_text().contains("did not ask you to log in again"),
        "{}",
        back.visible_text()
    );
    provider.fault("").await?;
    // Nor does somebody else; the way to try once more stands beside what became of it.
    let way = root.click(&back, "a[href^='/login/openid/again/']").await?;
    let back = provider.pass(&mut root, way, "bert").await?;
    let said = back.visible_text();
    ensure!(back.status == 403 && said.contains("Log in there once more"), "{}: {said}", back.status);
    ensure!(said.contains("You are logged in here as root still"), "{said}");
    ensure!(!said.contains("You are not logged in") && !said.contains("Back to the login"), "{said}");
    let way = root.click(&back, "a[href^='/login/openid/again/']").await?;
    let back = provider.pass(&mut root, way, "root").await?;
    ensure!(back.status == 303, "{}: {}", back.status, back.visible_text());
    let kept = root.arrive(back).await?;
    let said = kept.visible_text();
    ensure!(said.contains("lab-7") && said.contains("Not sent yet: Add a fabric"), "{said}");
    ensure!(said.contains("when you had to log in once more for it"), "{said}");
    let added = root.submit(&kept, "form:has([name=token])", &[("token", "a-token-of-the-cluster")]).await?;
    ensure!(added.status == 303, "{}: {}", added.status, added.visible_text());
    // A script gets the way in its answer.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let page = root.visit("/fabrics/add/").await?;
    let csrf = crate::world::token(&page)?;
    let body = r#"{"name": "lab-8", "cluster_kind": "endpoint", "server": "https://127.0.0.1:9", "token": "x"}"#;
    let answer = root.script("POST", "/fabrics/add/", &[("X-CSRFToken", &csrf)], Some(body)).await?;
    let said = answer.json()?;
    ensure!(answer.status == 403 && said["code"] == "password_required", "{said}");
    ensure!(said["redirect"].as_str().is_some_and(|way| way.starts_with("/login/openid/again/")), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_there_is_no_button_and_no_address() -> Result<()> {
    let console = Console::start(ConsoleOptions::default()).await?;
    let mut user = console.visitor()?;
    let page = user.visit("/login/").await?;
    ensure!(!page.body.contains("/login/openid/") && !page.visible_text().contains("Log in with"), "{}", page.body);
    for path in ["/login/openid/", "/login/openid/callback/?code=a&state=b"] {
        let page = user.get(path).await?;
        ensure!(page.status == 404, "{path}: {}", page.status);
    }
    let (mut admin, page) = console.login("admin", console.password()?).await?;
    ensure!(!page.body.contains("/login/openid/"), "{}", page.body);
    ensure!(admin.get("/login/openid/again/").await?.status == 404);
    let policy = page.header("content-security-policy").context("a policy")?;
    ensure!(policy.contains("form-action 'self';"), "{policy}");
    Ok(())
}
