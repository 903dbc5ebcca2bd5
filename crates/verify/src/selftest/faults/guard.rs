//! Forged requests, permissions, secrets.

use super::Fault;
use crate::cause::Cause;
use crate::selftest::bed::READER;
use crate::selftest::passing::{Answered, Asked};
use crate::selftest::rule::{Pass, Rule};
use serde_json::json;

pub(super) fn all() -> Vec<Fault> {
    let mut all = forged();
    all.extend(permissions());
    all.extend(secrets());
    all
}

/// Gives a request the session, the token, or both, of a user.
pub(super) fn lend(rule: Rule, whose: &str, session: bool, token: bool) -> Rule {
    let whose = whose.to_owned();
    rule.before(move |asked, inside| {
        let whose = whose.clone();
        Box::pin(async move {
            let Some(lent) = inside.session(&whose).await else { return Pass::Untouched };
            if session {
                asked.set_session(Some(&lent.cookie));
            }
            if token {
                asked.set_token(&lent.token);
            }
            Pass::On
        })
    })
}

/// Makes a request look as if it came from a page of the console.
fn at_home(asked: &mut Asked) {
    let own = format!("http://{}", asked.header("host"));
    asked.set_header("origin", &own);
    asked.set_header("referer", &format!("{own}/"));
    asked.set_header("sec-fetch-site", "same-origin");
}

fn forged() -> Vec<Fault> {
    let verbs = |on: &super::Ground| on.below("[a-z-]+/$");
    vec![
        Fault::new("token_missing", "The press lacks its token.", &["sync_by_button"]).fails(Cause::Csrf).rules(|on| {
            let form = r#"(data-verb="sync_to_kubernetes">\s*)<input[^>]*csrfmiddlewaretoken[^>]*>"#;
            let script = |asked: &mut Asked| _ = asked.headers.remove("x-csrftoken");
            vec![
                Rule::on("GET", &on.page()).page().text(form, "$1"),
                Rule::on("POST", &on.sync()).script().change(script),
            ]
        }),
        Fault::new("token_stale", "The press comes with a token that is good no more.", &["sync_by_button"])
            .fails(Cause::Csrf)
            .rules(|on| {
                let stale = "stale".repeat(12);
                let form = r#"(data-verb="sync_to_kubernetes">\s*<input[^>]*value=")[^"]*"#;
                vec![
                    Rule::on("GET", &on.page()).page().text(form, &format!("${{1}}{stale}")),
                    // A script that is refused once reads a new token, which is as stale.
                    Rule::on("POST", &on.sync()).script().change(move |asked| asked.set_token(&stale)),
                ]
            }),
        Fault::new("token_of_another", "The press is sent with the token of another user.", &["sync_by_button"])
            .fails(Cause::Csrf)
            .rule(|on| lend(Rule::on("POST", &on.sync()), READER, false, true)),
        Fault::new("token_not_checked", "Any token is taken, and none.", &["csrf"])
            .fails(Cause::CsrfNotChecked)
            .rule(move |on| lend(Rule::on("POST", &verbs(on)).by(&on.admin).script(), &on.admin, false, true)),
        Fault::new("foreign_origin_taken", "A form of another site is taken.", &["csrf"])
            .fails(Cause::CsrfNotChecked)
            .rule(move |on| {
                let admin = on.admin.clone();
                Rule::on("POST", &verbs(on)).before(move |asked, inside| {
                    let admin = admin.clone();
                    Box::pin(async move {
                        // A page of no site has the origin `null`.
                        if !asked.header("origin").contains("elsewhere") && asked.header("origin") != "null" {
                            return Pass::Untouched;
                        }
                        let Some(session) = inside.session(&admin).await else { return Pass::Untouched };
                        at_home(asked);
                        asked.set_session(Some(&session.cookie));
                        asked.set_token(&session.token);
                        Pass::On
                    })
                })
            }),
        Fault::new("forgery_refused_with_a_page", "A script whose token is refused gets a page.", &["csrf"])
            .fails(Cause::MarkupForScript)
            .rule(move |on| {
                Rule::on("POST", &verbs(on)).script().status(403).after(|_, answer| {
                    *answer = Answered::page(403, "<title>Forbidden</title><main>CSRF verification failed.</main>");
                    true
                })
            }),
        Fault::new(
            "forgery_refused_with_login",
            "A script whose token is refused gets the login page with 200.",
            &["csrf"],
        )
        .fails(Cause::LoginPageWith200)
        .rule(move |on| Rule::on("POST", &verbs(on)).script().status(403).login_page()),
        Fault::new("forgery_refused_unnamed", "The refusal of a forged request has the code of another.", &["csrf"])
            .fails(Cause::UnclearMessage)
            .rule(move |on| {
                Rule::on("POST", &verbs(on)).script().status(403).json(|body| body["code"] = json!("permission_denied"))
            }),
    ]
}

fn permissions() -> Vec<Fault> {
    let reader = |on: &super::Ground| Rule::on("POST", &on.below("[a-z-]+/$")).by(READER).script();
    vec![
        Fault::new("permission_not_checked", "Whoever may only look can press all the same.", &["permission"])
            .fails(Cause::PermissionNotChecked)
            .rule(move |on| lend(reader(on), &on.admin, true, true)),
        Fault::new("button_for_everybody", "Who may only look is offered the button.", &["permission"])
            .fails(Cause::UnclearMessage)
            .rule(|on| lend(Rule::on("GET", &on.page()).by(READER).page(), &on.admin, true, false)),
        Fault::new("refusal_is_a_page", "A script without the permission gets a page.", &["permission"])
            .fails(Cause::MarkupForScript)
            .rule(move |on| {
                reader(on).status(403).after(|_, answer| {
                    *answer = Answered::page(403, "<title>Forbidden</title><main>Forbidden</main>");
                    true
                })
            }),
        Fault::new(
            "refusal_is_the_login",
            "A script without the permission gets the login page with 200.",
            &["permission"],
        )
        .fails(Cause::LoginPageWith200)
        .rule(move |on| reader(on).status(403).login_page()),
        Fault::new(
            "permission_missing",
            "The user lacks the permission that the page's button needs.",
            &["sync_by_button"],
        )
        .fails(Cause::Permission)
        .rule(|on| lend(Rule::on("POST", &on.sync()).by(&on.admin), READER, true, true)),
    ]
}

fn secrets() -> Vec<Fault> {
    vec![
        Fault::new("password_in_a_page", "A page holds the user's password.", &["fabric_page"])
            .fails(Cause::SecretShown)
            .rule(|on| {
                let secret = format!("<input type=\"hidden\" value=\"{}\"></main>", on.password);
                Rule::on("GET", &on.page()).page().text("</main>", &secret)
            }),
        Fault::new("session_in_a_page", "A page holds the value of the session's cookie.", &["fabric_page"])
            .fails(Cause::SecretShown)
            .rule(|on| {
                Rule::on("GET", &on.page()).page().after(|asked, answer| {
                    let Some(session) = asked.session() else { return false };
                    answer.body = format!("{}<!-- {session} -->", answer.text()).into();
                    true
                })
            }),
        Fault::new("token_in_data", "What scripts read of the fabric holds the cluster's token.", &["secrets"])
            .fails(Cause::SecretShown)
            .rule(|on| Rule::on("GET", &on.page()).script().json(|body| body["kubernetes_token"] = json!("abcdef"))),
        Fault::new("private_key_in_an_answer", "An answer to a script holds a private key.", &["status_agrees"])
            .fails(Cause::SecretShown)
            .rule(|on| {
                let key = format!("-----BEGIN PRIVATE KEY-----\n{}\n", "MC4CAQAwBQYDK2VwBCIE".repeat(3));
                Rule::on("GET", &on.page()).script().json(move |body| body["key"] = json!(key))
            }),
    ]
}
