//! One's own sessions and password, the password again before sensitive changes, and what was sent after the end.

use crate::console::{Answer, Browser, Console, PASSWORD};
use crate::forms::{contents, send, set};
use http::StatusCode;
use std::time::Duration;
use store::attempts::AttemptFilter;
use store::{Attempt, Page, Scope};

const TOKEN: &str = "glpat-very-secret";

async fn attempts(console: &Console) -> Vec<Attempt> {
    console.store.attempts().list(&Scope::System, &AttemptFilter::default(), Page::first(50)).await.unwrap().rows
}

/// The form that adds a fabric, filled with a source that needs a token.
async fn fabric_form(browser: &mut Browser, name: &str) -> Vec<(String, String)> {
    let mut fields = contents(&browser.open("/fabrics/add/").await);
    for (field, value) in [
        ("name", name),
        ("cluster_kind", "none"),
        ("source_url", "https://git.example.net/one.git"),
        ("credential_kind", "token"),
        ("source_token", TOKEN),
    ] {
        set(&mut fields, field, value);
    }
    fields
}

async fn count(console: &Console) -> u64 {
    let filter = store::fabrics::FabricFilter::default();
    console.store.fabrics().list(&Scope::System, &filter, Page::first(10)).await.unwrap().total
}

#[tokio::test]
async fn a_credential_is_not_saved_without_the_password_when_that_is_long_ago() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.logged_in("alice").await;
    let fields = fabric_form(&mut browser, "soon").await;
    assert_eq!(send(&mut browser, "/fabrics/add/", &fields).await.status, StatusCode::SEE_OTHER, "the control arm");
    console.clock.advance(Duration::from_secs(16 * 60));
    let page = browser.open("/fabrics/add/").await;
    assert!(page.body.contains("name=\"current_password\""), "the form itself has a field for it");
    let fields = fabric_form(&mut browser, "later").await;
    let before = browser.cookies.clone();

    // Without script: the form comes back with all but its secret, and asks.
    let refused = send(&mut browser, "/fabrics/add/", &fields).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text().contains("this change needs it again"), "{}", refused.text());
    assert!(refused.body.contains("name=\"name\" value=\"later\"") && !refused.body.contains(TOKEN));
    for asked in ["current_password", "source_token"] {
        assert!(refused.body.contains(&format!("id=\"again-{asked}\"")), "{asked}");
    }
    // By script: a code, and the field that is missing.
    let token = browser.token().await;
    let plain: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let said = browser.call("/fabrics/add/", &token, &plain).await;
    assert_eq!((said.status, said.json()["code"].as_str()), (StatusCode::FORBIDDEN, Some("password_required")));
    assert!(said.json()["fields"]["current_password"].is_string());
    let with = |password: &str| {
        let mut fields = fields.clone();
        set(&mut fields, "current_password", password);
        fields
    };
    let wrong = send(&mut browser, "/fabrics/add/", &with("not the password")).await;
    assert!(wrong.text().contains("That is not your password."), "{}", wrong.text());
    assert_eq!(count(&console).await, 1, "nothing was saved by any of these");
    assert_eq!(browser.cookies, before);

    let saved = send(&mut browser, "/fabrics/add/", &with(PASSWORD)).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text());
    assert_eq!(count(&console).await, 2);
    assert_ne!(browser.cookies, before, "the session has a new token");
    assert!(
        !browser.open("/fabrics/add/").await.body.contains("name=\"current_password\""),
        "for a while it is enough"
    );
    // Without a credential nothing was ever asked.
    console.clock.advance(Duration::from_secs(16 * 60));
    let mut fields = contents(&browser.open("/fabrics/add/").await);
    set(&mut fields, "name", "local");
    set(&mut fields, "cluster_kind", "none");
    assert_eq!(send(&mut browser, "/fabrics/add/", &fields).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_stored_token_does_not_follow_an_address_to_another_server() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.logged_in("alice").await;
    let fields = fabric_form(&mut browser, "lab").await;
    let made = send(&mut browser, "/fabrics/add/", &fields).await;
    let edit = format!("{}edit/", made.header("location"));
    let mut change = async |url: &str, token: &str| {
        let mut fields = contents(&browser.open(&edit).await);
        set(&mut fields, "source_url", url);
        set(&mut fields, "source_token", token);
        send(&mut browser, &edit, &fields).await
    };
    let moved = change("https://git.evil.example/one.git", "").await;
    assert_eq!(moved.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(moved.text().contains("The source is on another server; enter its credentials again."), "{}", moved.text());
    let same = change("https://git.example.net/two.git", "").await;
    assert_eq!(same.status, StatusCode::SEE_OTHER, "another repository of the same server: {}", same.text());
    let entered = change("https://git.evil.example/one.git", "another").await;
    assert_eq!(entered.status, StatusCode::SEE_OTHER, "{}", entered.text());

    // The same for a cluster.
    let mut fields = contents(&browser.open(&edit).await);
    for (name, value) in [("cluster_kind", "endpoint"), ("server", "https://10.0.0.1:6443"), ("token", "first")] {
        set(&mut fields, name, value);
    }
    assert_eq!(send(&mut browser, &edit, &fields).await.status, StatusCode::SEE_OTHER);
    let mut fields = contents(&browser.open(&edit).await);
    set(&mut fields, "server", "https://10.9.9.9:6443");
    let moved = send(&mut browser, &edit, &fields).await;
    assert_eq!(moved.status, StatusCode::UNPROCESSABLE_ENTITY);
    set(&mut fields, "token", "second");
    assert_eq!(send(&mut browser, &edit, &fields).await.status, StatusCode::SEE_OTHER);
}

/// Follows an answer to where it leads.
async fn arrive(browser: &mut Browser, answer: &Answer) -> Answer {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    browser.open(answer.header("location")).await
}

#[tokio::test]
async fn what_was_sent_after_the_end_is_shown_to_its_user_after_the_login_and_to_nobody_else() {
    let console = Console::start().await;
    console.admin().await;
    console.user("bob", true).await;
    let mut browser = console.logged_in("alice").await;
    let fields = fabric_form(&mut browser, "kept <b>").await;
    console.clock.advance(Duration::from_secs(3601));
    let late = send(&mut browser, "/fabrics/add/", &fields).await;
    let login = arrive(&mut browser, &late).await;
    assert!(login.text().contains("What you sent is kept."), "{}", login.text());
    assert!(login.text().contains("not used for some time; the limit is 60 min"), "{}", login.text());
    let next = login.field("next");
    assert!(next.starts_with("/kept/"), "{next}");

    let mut other = browser.clone();
    other.log_in("bob", PASSWORD, &next).await;
    let theirs = other.open(&next).await;
    assert_eq!(theirs.status, StatusCode::NOT_FOUND);
    assert!(!theirs.body.contains("kept &#60;b&#62;") && !theirs.body.contains("git.example.net"));

    let back = browser.log_in("alice", PASSWORD, &next).await;
    let page = arrive(&mut browser, &back).await;
    assert!(page.text().contains("so nothing was done"), "{}", page.text());
    assert!(page.body.contains("kept &#60;b&#62;") && !page.body.contains(TOKEN));
    assert_eq!(count(&console).await, 0);
    let mut again = contents(&page);
    set(&mut again, "source_token", TOKEN);
    let saved = send(&mut browser, "/fabrics/add/", &again).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text());
    assert_eq!(count(&console).await, 1);
    let twice = send(&mut browser, "/fabrics/add/", &again).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY, "the same once more is refused");
    console.clock.advance(Duration::from_secs(12 * 3600 + 1));
    browser.log_in("alice", PASSWORD, "/").await;
    assert_eq!(browser.open(&next).await.status, StatusCode::NOT_FOUND, "it is not kept for ever");

    // Of nobody nothing is kept, and a script is told, not led.
    let mut nobody = console.browser();
    let late = send(&mut nobody, "/fabrics/add/", &fields).await;
    assert_eq!(late.header("location"), "/login/?next=%2Ffabrics%2F");
}

#[tokio::test]
async fn one_sees_ones_sessions_and_ends_them_and_nobody_elses() {
    let console = Console::start().await;
    let alice = console.admin().await;
    console.user("bob", false).await;
    let (mut here, mut there) = (console.logged_in("alice").await, console.logged_in("alice").await);
    let mut bob = console.logged_in("bob").await;
    let page = here.open("/account/sessions/").await;
    assert_eq!(page.body.matches(">End</button>").count(), 1, "this one and another: {}", page.text());
    assert!(page.text().contains("this one"));
    let sessions = console.store.sessions().list_of_user(alice.id).await.unwrap();
    let there_id = sessions[0].id;

    let csrf = bob.token().await;
    let refused = bob.submit(&format!("/account/sessions/{there_id}/end/"), &[("csrfmiddlewaretoken", &csrf)]).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "bob does not even learn that it exists");
    assert_eq!(there.script("/session/").await.status, StatusCode::OK);

    let csrf = here.token().await;
    here.submit(&format!("/account/sessions/{there_id}/end/"), &[("csrfmiddlewaretoken", &csrf)]).await;
    let ended = there.script("/session/").await.json();
    assert_eq!(ended["code"], "session_revoked");
    assert_eq!(ended["detail"], "You ended this session from another one.");
    assert!(here.open("/account/sessions/").await.text().contains("ended by alice"));

    let mut there = console.logged_in("alice").await;
    here.submit("/account/sessions/end/", &[("csrfmiddlewaretoken", &csrf), ("which", "others")]).await;
    assert_eq!(there.script("/session/").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(here.script("/session/").await.status, StatusCode::OK, "this one goes on");
    let odd = here.submit("/account/sessions/end/", &[("csrfmiddlewaretoken", &csrf), ("which", "some")]).await;
    assert_eq!(odd.status, StatusCode::BAD_REQUEST);
    let mut there = console.logged_in("alice").await;
    let out = here.submit("/account/sessions/end/", &[("csrfmiddlewaretoken", &csrf), ("which", "all")]).await;
    assert_eq!(out.header("location"), "/login/");
    assert!(!here.cookies.contains_key("hedgerow_session"));
    assert_eq!(there.script("/session/").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bob.script("/session/").await.status, StatusCode::OK, "nobody else's ended");
}

#[tokio::test]
async fn ones_password_is_changed_with_the_old_one_and_ends_every_other_session() {
    let console = Console::start().await;
    let alice = console.admin().await;
    let (mut here, mut there) = (console.logged_in("alice").await, console.logged_in("alice").await);
    let hash = async || console.store.users().get(alice.id).await.unwrap().password_hash;
    let before = hash().await;
    let cookie = here.cookies.clone();
    let new = "seven lanterns on a hill";
    for (old, one, two, words) in [
        ("", new, new, "Enter the password that you log in with now."),
        ("wrong", new, new, "That is not your password."),
        (PASSWORD, "short", "short", "10 to 1024 characters"),
        (PASSWORD, "password1234", "password1234", "guessed first"),
        (PASSWORD, "alice-alice", "alice-alice", "little more than the user&#39;s name"),
        (PASSWORD, new, "seven lanterns on a hull", "The two new passwords differ."),
    ] {
        let csrf = here.token().await;
        let fields = [
            ("csrfmiddlewaretoken", csrf.as_str()),
            ("current_password", old),
            ("new_password", one),
            ("new_password_again", two),
        ];
        let refused = here.submit("/account/password/", &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{words}");
        assert!(refused.text().contains(words), "{words}: {}", refused.text());
        assert!(!refused.body.contains(PASSWORD) && !refused.body.contains(new), "no password comes back");
    }
    assert_eq!(hash().await, before);
    let csrf = here.token().await;
    let fields = [
        ("csrfmiddlewaretoken", csrf.as_str()),
        ("current_password", PASSWORD),
        ("new_password", new),
        ("new_password_again", new),
    ];
    let changed = here.submit("/account/password/", &fields).await;
    let page = arrive(&mut here, &changed).await;
    assert!(page.text().contains("Your password was changed."), "{}", page.text());
    assert_ne!(hash().await, before);
    assert_ne!(here.cookies, cookie, "this session goes on under a new token");
    let ended = there.script("/session/").await.json();
    assert_eq!(
        (ended["code"].as_str(), ended["detail"].as_str()),
        (Some("session_revoked"), Some("Your session ended because your password was changed."),)
    );
    let mut anew = console.browser();
    assert_eq!(anew.log_in("alice", PASSWORD, "/").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(anew.log_in("alice", new, "/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn every_login_is_recorded_and_no_name_that_nobody_has() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.browser();
    browser.log_in("hunter2-typed-into-the-wrong-field", "x", "/").await;
    browser.log_in("ALICE", "wrong", "/").await;
    browser.log_in("alice", PASSWORD, "/").await;
    let rows = attempts(&console).await;
    let told: Vec<_> =
        rows.iter().map(|row| (row.action.as_str(), row.actor.as_str(), row.code.map(|c| c.as_str()))).collect();
    assert_eq!(
        told,
        [
            ("login", "alice", None),
            ("login", "alice", Some("authentication_required")),
            ("login", "anonymous", Some("authentication_required")),
        ]
    );
    assert!(rows.iter().all(|row| row.address == "127.0.0.1" && !row.request_id.is_empty()));
    assert!(!format!("{rows:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_session_whose_user_may_do_something_else_gets_a_new_token_and_no_tab_is_thrown_out() {
    let console = Console::start().await;
    let alice = console.admin().await;
    let mut browser = console.logged_in("alice").await;
    let mut other_tab = browser.clone();
    console.store.sessions().rotate_soon(alice.id).await.unwrap();
    let old = browser.cookies.clone();
    browser.script_in_background("/session/").await;
    assert_eq!(browser.cookies, old, "what a page does by itself changes nothing");
    assert_eq!(browser.open("/fabrics/").await.status, StatusCode::OK);
    assert_ne!(browser.cookies, old);
    assert_eq!(other_tab.open("/fabrics/").await.status, StatusCode::OK, "it had been under way");
    console.clock.advance(Duration::from_secs(11));
    other_tab.cookies = old;
    assert_eq!(other_tab.open("/fabrics/").await.status, StatusCode::SEE_OTHER, "the old token is nobody's");
    assert_eq!(browser.open("/fabrics/").await.status, StatusCode::OK);
}
