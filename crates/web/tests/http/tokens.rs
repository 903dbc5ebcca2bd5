//! API tokens: made on their page, and what they let in, from the router's side.

use crate::console::{Answer, Browser, Console};
use crate::forms::{contents, send, set};
use http::StatusCode;
use secrecy::ExposeSecret;
use std::time::Duration;
use store::attempts::AttemptFilter;
use store::{Page, Scope};
use web::Sensitive;

/// Makes a token by the form, as a person does, and gives it with the page that shows it.
async fn made(browser: &mut Browser, fields: &[(&str, &str)]) -> (String, Answer) {
    let page = browser.open("/account/tokens/").await;
    let csrf = page.field("csrfmiddlewaretoken");
    let all = [&[("csrfmiddlewaretoken", csrf.as_str()), ("description", "a test")], fields].concat();
    let answer = browser.submit("/account/tokens/", &all).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    let start = answer.body.find("nbt_").unwrap();
    let token: String = answer.body[start..].chars().take(4 + 12 + 1 + 43).collect();
    (token, answer)
}

async fn with(browser: &mut Browser, method: &str, path: &str, token: &str, more: &[(&str, &str)]) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [&[("authorization", bearer.as_str()), ("accept", "application/json")], more].concat();
    browser.send(method, path, &headers, None).await
}

fn code(answer: &Answer) -> String {
    let json = answer.json();
    assert_eq!(json["success"], false, "{json}");
    assert_eq!(json["detail"], json["message"], "NetBox's clients read detail");
    json["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_is_shown_once_and_works_at_once() {
    let console = Console::start().await;
    console.admin().await;
    let fabric = console.fabric("lab-1").await;
    let mut browser = console.logged_in("alice").await;
    let (token, answer) = made(&mut browser, &[("expires", "30")]).await;
    assert!(answer.text().contains("It will not be shown again"), "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    let secret = token.split_once('.').unwrap().1.to_owned();
    let page = browser.open("/account/tokens/").await;
    assert!(page.text().contains(&token[..16]) && !page.body.contains(&secret), "the key, and not the secret");
    let listed = browser.script("/account/tokens/").await;
    assert!(listed.json()["results"][0]["lasts"].as_bool().unwrap() && !listed.body.contains(&secret));

    let mut program = console.browser();
    for scheme in ["Bearer", "bearer", "Token"] {
        let header = format!("{scheme} {token}");
        let headers = [("authorization", header.as_str()), ("accept", "application/json")];
        let who = program.send("GET", "/session/", &headers, None).await.json();
        assert_eq!(who["user"]["username"], "alice");
        assert_eq!((who["token"]["key"].as_str(), who["csrf_token"].as_str()), (Some(&token[4..16]), None), "{who}");
    }
    // A verb without any CSRF token, and its trace: who, with which token.
    let path = format!("/fabrics/{}/sync-from-git/", fabric.id);
    let begun = with(&mut program, "POST", &path, &token, &[]).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.body);
    let filter = AttemptFilter { fabric_id: Some(fabric.id), refused_only: false };
    let tries = console.store.attempts().list(&Scope::System, &filter, Page::all()).await.unwrap().rows;
    assert_eq!((tries[0].actor.as_str(), tries[0].token_key.as_deref()), ("alice", Some(&token[4..16])));
    let activity = browser.open("/activity/?show=attempts").await.text();
    assert!(activity.contains(&format!("with the API token {}", &token[4..16])), "{activity}");
    assert!(program.cookies.is_empty(), "no session began");
}

#[tokio::test]
async fn a_bad_token_lets_nobody_in_also_beside_a_good_cookie() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.logged_in("alice").await;
    assert_eq!(browser.script("/session/").await.status, StatusCode::OK, "the control: the cookie is good");
    let (token, _) = made(&mut browser, &[]).await;
    let wrong = format!("{}{}", &token[..17], "x".repeat(43));
    for header in [format!("Bearer {wrong}"), "Token abc".to_owned(), "Bearer nbt_".to_owned()] {
        let headers = [("authorization", header.as_str()), ("accept", "text/html")];
        let refused = browser.send("GET", "/fabrics/", &headers, None).await;
        assert_eq!((refused.status, code(&refused).as_str()), (StatusCode::FORBIDDEN, "token_invalid"), "{header}");
        assert_eq!(refused.header("location"), "", "never the way to a login page");
    }
    let another = [("authorization", "Bearer somebody-elses"), ("accept", "application/json")];
    assert_eq!(
        browser.send("GET", "/session/", &another, None).await.status,
        StatusCode::OK,
        "that is no token of ours"
    );
    let mut nobody = console.browser();
    let refused = nobody.send("GET", "/session/", &another, None).await;
    assert_eq!(refused.json()["code"], "authentication_required");
}

#[tokio::test]
async fn every_limit_of_a_token_holds_and_says_so() {
    let console = Console::start().await;
    let alice = console.admin().await;
    let fabric = console.fabric("lab-1").await;
    let mut browser = console.logged_in("alice").await;
    let mut program = console.browser();
    let path = format!("/fabrics/{}/sync-from-git/", fabric.id);

    let (reader, _) = made(&mut browser, &[("read_only", "on")]).await;
    assert_eq!(with(&mut program, "GET", "/fabrics/", &reader, &[]).await.json()["results"][0]["name"], "lab-1");
    let refused = with(&mut program, "POST", &path, &reader, &[]).await;
    assert_eq!((refused.status, code(&refused).as_str()), (StatusCode::FORBIDDEN, "token_read_only"));

    let (elsewhere, _) = made(&mut browser, &[("allowed_addresses", "192.0.2.0/24")]).await;
    let refused = with(&mut program, "GET", "/fabrics/", &elsewhere, &[]).await;
    assert_eq!(code(&refused), "token_address_refused");
    assert!(refused.json()["detail"].as_str().unwrap().contains("127.0.0.1"), "{}", refused.body);
    let (here, _) = made(&mut browser, &[("allowed_addresses", "127.0.0.0/8")]).await;
    assert_eq!(with(&mut program, "GET", "/fabrics/", &here, &[]).await.status, StatusCode::OK);

    let (token, _) = made(&mut browser, &[("expires", "7")]).await;
    let foreign = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    assert_eq!(code(&with(&mut program, "POST", &path, &token, &foreign).await), "csrf_failed");
    assert_eq!(with(&mut program, "POST", &path, &token, &[]).await.status, StatusCode::ACCEPTED, "the control");
    let page = browser.open("/account/tokens/").await;
    let csrf = page.field("csrfmiddlewaretoken");
    let id = console.store.api_tokens().find_by_key(&here[4..16]).await.unwrap().unwrap().id;
    let revoked = browser.submit(&format!("/account/tokens/{id}/revoke/"), &[("csrfmiddlewaretoken", &csrf)]).await;
    assert_eq!((revoked.status, revoked.header("location")), (StatusCode::SEE_OTHER, "/account/tokens/"));
    assert_eq!(code(&with(&mut program, "GET", "/fabrics/", &here, &[]).await), "token_revoked");
    let page = browser.open("/account/tokens/").await.text();
    assert!(page.contains("Ended: 1") && page.contains("by you"), "{page}");

    console.clock.advance(Duration::from_secs(7 * 24 * 3600));
    assert_eq!(code(&with(&mut program, "POST", &path, &token, &[]).await), "token_expired");
    // Of a token that was refused it is known whose it was.
    let filter = AttemptFilter { fabric_id: Some(fabric.id), refused_only: true };
    let tries = console.store.attempts().list(&Scope::System, &filter, Page::all()).await.unwrap().rows;
    assert_eq!((tries[0].user_id, tries[0].token_key.as_deref()), (Some(alice.id), Some(&token[4..16])));
}

#[tokio::test]
async fn a_token_makes_no_token_and_reaches_no_account() {
    let console = Console::start().await;
    let alice = console.admin().await;
    let made = console.state.tokens.make(alice.id, auth::TokenWishes::default(), None).await.unwrap();
    let token = made.text.expose_secret().to_owned();
    let mut program = console.browser();
    let mut refused = 0;
    for route in
        web::routes().iter().filter(|route| route.sensitive == Sensitive::Always || route.path.starts_with("/account/"))
    {
        let path = route.path.replace("{id}", &made.token.id.to_string());
        let answer = with(&mut program, route.method.as_str(), &path, &token, &[]).await;
        if route.needs != web::Needs::Public {
            assert_eq!(
                (answer.status, code(&answer).as_str()),
                (StatusCode::FORBIDDEN, "token_not_permitted_here"),
                "{path}"
            );
            refused += 1;
        }
    }
    assert!(refused >= 3, "{refused}");
    assert_eq!(code(&with(&mut program, "POST", "/logout/", &token, &[]).await), "token_not_permitted_here");
    let theirs = console.store.api_tokens().of_user(alice.id).await.unwrap();
    assert!(theirs.len() == 1 && theirs[0].revoked_at.is_none(), "{theirs:?}");
}

#[tokio::test]
async fn a_token_may_what_its_user_may_and_somebody_elses_cannot_be_revoked() {
    let console = Console::start().await;
    let (alice, bert) = (console.admin().await, console.user("bert", false).await);
    let fabric = console.fabric("lab-1").await;
    let text = async |user: &store::User| {
        let made = console.state.tokens.make(user.id, auth::TokenWishes::default(), None).await.unwrap();
        (made.text.expose_secret().to_owned(), made.token.id)
    };
    let ((of_bert, _), (of_alice, id)) = (text(&bert).await, text(&alice).await);
    let mut program = console.browser();
    let path = format!("/fabrics/{}/", fabric.id);
    assert_eq!(with(&mut program, "GET", &path, &of_bert, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(with(&mut program, "GET", &path, &of_alice, &[]).await.status, StatusCode::OK);
    console.permit(&bert, &["view"], None).await;
    let seen = with(&mut program, "GET", &path, &of_bert, &[]).await;
    assert_eq!(seen.status, StatusCode::OK, "permissions are read at each request");
    let refused = with(&mut program, "POST", &format!("{path}sync/"), &of_bert, &[]).await;
    assert_eq!(code(&refused), "permission_denied");

    let mut browser = console.logged_in("bert").await;
    let csrf = browser.token().await;
    let answer = browser.call(&format!("/account/tokens/{id}/revoke/"), &csrf, &[]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(with(&mut program, "GET", &path, &of_alice, &[]).await.status, StatusCode::OK);
    console.user("root", true).await;
    console.store.users().set_flags(alice.id, true, false).await.unwrap();
    assert_eq!(code(&with(&mut program, "GET", &path, &of_alice, &[]).await), "token_revoked");
}

#[tokio::test]
async fn a_form_that_cannot_be_taken_comes_back_with_what_it_held() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.logged_in("alice").await;
    let csrf = browser.open("/account/tokens/").await.field("csrfmiddlewaretoken");
    let fields = [
        ("csrfmiddlewaretoken", csrf.as_str()),
        ("description", "the <pipeline>"),
        ("expires", "date"),
        ("expires_on", "2020-01-01"),
        ("allowed_addresses", "nowhere"),
    ];
    let refused = browser.submit("/account/tokens/", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = refused.text();
    assert!(text.contains("No token was made.") && text.contains("This day is over"), "{text}");
    assert!(refused.body.contains("the &#60;pipeline&#62;") && !refused.body.contains("nbt_"), "{}", refused.body);
    let by_script = browser.call("/account/tokens/", &csrf, &fields).await;
    assert_eq!(by_script.status, StatusCode::UNPROCESSABLE_ENTITY);
    let said = by_script.json();
    assert!(said["fields"]["expires_on"].is_string() && said["fields"]["allowed_addresses"].is_string(), "{said}");
}

#[tokio::test]
async fn a_form_that_is_sent_again_makes_no_second_token() {
    let console = Console::start().await;
    let alice = console.admin().await;
    let mut browser = console.logged_in("alice").await;
    let page = browser.open("/account/tokens/").await;
    let mut fields = contents(&page);
    set(&mut fields, "description", "nightly");
    let first = send(&mut browser, "/account/tokens/", &fields).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text());
    let again = send(&mut browser, "/account/tokens/", &fields).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text());
    let tokens = console.store.api_tokens().of_user(alice.id).await.unwrap();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    assert!(again.text().contains(&tokens[0].key) && again.text().contains("revoke that token"), "{}", again.text());
    // The same form of somebody else is another one, and so is the one that came with the answer.
    console.user("bob", false).await;
    let mut bob = console.logged_in("bob").await;
    let csrf = bob.open("/account/tokens/").await.field("csrfmiddlewaretoken");
    let theirs: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.clone(), if name == "csrfmiddlewaretoken" { csrf.clone() } else { value.clone() }))
        .collect();
    assert_eq!(send(&mut bob, "/account/tokens/", &theirs).await.status, StatusCode::CREATED);
    let mut fields = contents(&first);
    set(&mut fields, "description", "another");
    assert_eq!(send(&mut browser, "/account/tokens/", &fields).await.status, StatusCode::CREATED);
    assert_eq!(console.store.api_tokens().of_user(alice.id).await.unwrap().len(), 2);
}
