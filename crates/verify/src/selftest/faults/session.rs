//! Who is known, from when, and until when.

use super::guard::lend;
use super::work::told;
use super::{Fault, says_nothing};
use crate::cause::Cause;
use crate::selftest::acts::LONG_MS;
use crate::selftest::passing::Answered;
use crate::selftest::rule::{Pass, Rule};
use serde_json::json;
use std::time::Duration;

/// Another site, at a port where nobody listens.
const ELSEWHERE: &str = "http://127.0.0.1:1/elsewhere/";

pub(super) fn all() -> Vec<Fault> {
    let mut all = logins();
    all.extend(known());
    all.extend(ends());
    all.extend(limits());
    all.extend(in_place());
    all
}

fn logins() -> Vec<Fault> {
    vec![
        Fault::new("target_cut", "The target cuts every connection.", &["login_logout"])
            .invalid(Cause::Transport)
            .rule(|_| Rule::on("*", "").cut()),
        Fault::new("login_page_fails", "The login page is an error of the server.", &["login_logout"])
            .invalid(Cause::ServerError)
            .rule(|_| {
                Rule::on("GET", "^/login/").answer(|_| Answered::page(503, "<title>Down</title><main>Down.</main>"))
            }),
        Fault::new("right_password_refused", "The right password is refused.", &["login_logout"])
            .invalid(Cause::BadPassword)
            .rule(|_| Rule::on("POST", "^/login/").change(|asked| asked.set_field("password", "not the password"))),
        Fault::new(
            "login_page_again",
            "After the right password the login page comes again, without a reason.",
            &["login_logout"],
        )
        .invalid(Cause::LoginPageWith200)
        .rule(|_| Rule::on("POST", "^/login/").login_page()),
        Fault::new("no_cookie", "The login sets no cookie.", &["login_logout"]).invalid(Cause::NoSession).rule(|_| {
            Rule::on("POST", "^/login/").after(|_, answer| {
                answer.cookies(|_| None);
                true
            })
        }),
        Fault::new("cookie_refused", "The login sets a cookie that no browser takes.", &["login_logout"])
            .invalid(Cause::NoSession)
            .rule(|_| {
                Rule::on("POST", "^/login/").after(|_, answer| {
                    answer.cookies(|cookie| Some(format!("{cookie}; Domain=elsewhere.example")));
                    true
                })
            }),
        Fault::new("login_forged", "The login's own token is refused.", &["login_logout"])
            .invalid(Cause::Csrf)
            .rule(|_| Rule::on("POST", "^/login/").change(|asked| asked.set_token("stale"))),
        Fault::new("wrong_password_taken", "Any password is taken.", &["wrong_password"])
            .fails(Cause::PermissionNotChecked)
            .rule(|on| {
                let password = on.password.clone();
                Rule::on("POST", "^/login/").change(move |asked| asked.set_field("password", &password))
            }),
        Fault::new("refusal_silent", "A wrong password is turned away without a word.", &["wrong_password"])
            .fails(Cause::UnclearMessage)
            .rule(|_| Rule::on("POST", "^/login/").text("The user name or the password is wrong[^<]*", "")),
        Fault::new("refusal_fails", "A wrong password is an error of the server.", &["wrong_password"])
            .fails(Cause::ServerError)
            .rule(|_| {
                Rule::on("POST", "^/login/").after(|_, answer| {
                    let refused = answer.status.as_u16() != 303;
                    if refused {
                        *answer = Answered::page(500, "<title>Error</title><main>Something broke.</main>");
                    }
                    refused
                })
            }),
        Fault::new(
            "login_sent_elsewhere",
            "The form of the login page sends name and password to another site.",
            &["login_logout"],
        )
        .invalid(Cause::ForeignRedirect)
        .rule(|_| {
            Rule::on("GET", "^/login/")
                .page()
                .text(r#"action="/login/""#, r#"action="http://elsewhere.example/login/""#)
        }),
        Fault::new("foreign_redirect", "The login leads to another site.", &["login_logout"])
            .fails(Cause::ForeignRedirect)
            .rule(|_| {
                Rule::on("POST", "^/login/").status(303).after(|asked, answer| {
                    let asked_for = asked.header("referer").contains("elsewhere");
                    if asked_for {
                        answer.set_header("location", ELSEWHERE);
                    }
                    asked_for
                })
            }),
    ]
}

/// The login page, as those come to it who asked for another page.
pub(super) const LEADS_BACK: &str = r"^/login/\?next=";

/// The session's cookie is lost on the way.
pub(super) fn lost(rule: Rule) -> Rule {
    rule.change(|asked| asked.set_session(None))
}

fn known() -> Vec<Fault> {
    let without = |name: &'static str, sentence: &'static str, attribute: &'static str| {
        Fault::new(name, sentence, &["login_logout"]).fails(Cause::CookieUnsafe).rule(move |_| {
            Rule::on("POST", "^/login/").after(move |_, answer| {
                answer.cookies(|cookie| Some(cookie.replace(attribute, "")));
                true
            })
        })
    };
    vec![
        without("cookie_without_httponly", "Scripts can read the session's cookie.", "; HttpOnly"),
        without("cookie_without_samesite", "Other sites' forms carry the session's cookie.", "; SameSite=Lax"),
        Fault::new("session_not_kept", "A page does not know the user who has just logged in.", &["fabric_page"])
            .fails(Cause::NoSession)
            .rules(|on| vec![lost(Rule::on("GET", &on.page()).page()), lost(Rule::on("GET", LEADS_BACK))]),
        Fault::new("session_lost_at_the_press", "The press comes without its session.", &["sync_by_button"])
            .fails(Cause::NoSession)
            .rules(|on| vec![lost(Rule::on("POST", &on.sync())), lost(Rule::on("GET", LEADS_BACK))]),
        Fault::new("press_gets_login_page", "The press gets a login page with status 200.", &["sync_by_button"])
            .fails(Cause::LoginPageWith200)
            .rule(|on| Rule::on("POST", &on.sync()).login_page()),
        Fault::new("open_to_strangers", "The fabric's page answers who is not logged in.", &["fabric_page"])
            .fails(Cause::OpenToStrangers)
            .rule(|on| {
                let admin = on.admin.clone();
                Rule::on("GET", &on.page()).by("").before(move |asked, inside| {
                    let admin = admin.clone();
                    Box::pin(async move {
                        let Some(session) = inside.session(&admin).await else { return Pass::Untouched };
                        asked.set_session(Some(&session.cookie));
                        Pass::On
                    })
                })
            }),
    ]
}

fn ends() -> Vec<Fault> {
    let revoked = |name: &'static str, sentence: &'static str| Fault::new(name, sentence, &["session_revoked"]);
    vec![
        Fault::new(
            "session_survives_logout",
            "The logout takes the cookie away, and the session goes on.",
            &["login_logout"],
        )
        .fails(Cause::SessionSurvives)
        .rule(|_| {
            Rule::on("POST", "^/logout/").answer(|_| {
                let mut answer = Answered::redirect("/login/");
                answer.set_header("set-cookie", "hedgerow_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
                answer
            })
        }),
        Fault::new("page_kept_after_logout", "A cache answers as before after the logout.", &["login_logout"])
            .fails(Cause::PageKept)
            .rule(|on| {
                let kept = format!(
                    "<!doctype html><title>Fabrics · Hedgerow</title><body data-user=\"{0}\"><main>{0}: all fabrics</main>",
                    on.admin
                );
                // The first is the stranger of the control.
                Rule::on("GET", "^/fabrics/$").page().by("").only(2).answer(move |_| Answered::page(200, &kept))
            }),
        Fault::new("logout_does_nothing", "The logout does nothing at all.", &["login_logout"])
            .fails(Cause::SessionSurvives)
            .rule(|_| Rule::on("POST", "^/logout/").answer(|_| Answered::redirect("/"))),
        revoked("revoked_goes_on", "A session that was ended elsewhere goes on.").fails(Cause::ExpiredServed).rule(
            |_| Rule::on("POST", r"^/account/sessions/\d+/end/").answer(|_| Answered::redirect("/account/sessions/")),
        ),
        revoked(
            "ended_gets_login_page",
            "Who opens a page after the session's end gets the login with status 200 there.",
        )
        .fails(Cause::LoginPageWith200)
        .rule(|on| Rule::on("GET", &on.page()).page().status(303).login_page()),
        revoked("script_gets_login_page", "A script gets the login page with 200 after the session's end.")
            .fails(Cause::LoginPageWith200)
            .rule(|_| Rule::on("GET", "^/session/").script().status(401).login_page()),
        revoked("ended_is_json_200", "A script is told of the session's end with status 200.")
            .fails(Cause::ExpiredServed)
            .rule(|_| {
                Rule::on("GET", "^/session/").script().status(401).after(|_, answer| {
                    *answer = Answered::json(200, &json!({"success": false, "error": "session expired"}));
                    true
                })
            }),
        revoked("ended_is_a_page", "A script is told of the session's end in a page.")
            .fails(Cause::MarkupForScript)
            .rule(|_| {
                Rule::on("GET", "^/session/").script().status(401).after(|_, answer| {
                    *answer = Answered::page(401, "<title>Unauthorized</title><main>Unauthorized</main>");
                    true
                })
            }),
        revoked("end_misnamed", "A script is told of another end than it was.").fails(Cause::UnclearMessage).rule(
            |_| {
                Rule::on("GET", "^/session/")
                    .script()
                    .status(401)
                    .json(|body| body["code"] = json!("authentication_required"))
            },
        ),
        revoked("end_untold", "The login page does not say that the session has ended.")
            .fails(Cause::SilentEnd)
            .rule(|_| Rule::on("GET", "^/login/").page().text(r"(?s)(<h1>Log in</h1>).*?(<form)", "$1$2")),
    ]
}

fn limits() -> Vec<Fault> {
    let kept = |on: &super::Ground| {
        let admin = on.admin.clone();
        Rule::on("GET", "").by(&on.admin).before(move |asked, inside| {
            let admin = admin.clone();
            Box::pin(async move {
                let Some(session) = inside.session(&admin).await else { return Pass::Untouched };
                asked.set_session(Some(&session.cookie));
                Pass::On
            })
        })
    };
    vec![
        Fault::new("idle_limit_ignored", "A session that rests goes on for ever.", &["session_idle_expiry"])
            .fails(Cause::ExpiredServed)
            .with_short_sessions()
            .rule(kept),
        Fault::new("absolute_limit_ignored", "A session gets as old as it likes.", &["session_absolute_expiry"])
            .fails(Cause::ExpiredServed)
            .with_short_sessions()
            .rule(kept),
        Fault::new("session_ends_under_way", "The session's end overtakes the press.", &["test_connection"])
            .fails(Cause::SessionExpired)
            .with_short_sessions()
            .rule(|on| {
                Rule::on("POST", &on.below("test-connection/$")).before(|_, _| {
                    Box::pin(async {
                        // Longer than sessions rest, also those of a browser.
                        tokio::time::sleep(Duration::from_secs(10)).await;
                        Pass::On
                    })
                })
            }),
        Fault::new("idle_end_misnamed", "The end of a rest is told as something else.", &["session_idle_expiry"])
            .fails(Cause::UnclearMessage)
            .with_short_sessions()
            .rule(|_| {
                Rule::on("GET", "^/session/").script().status(401).json(|body| body["code"] = json!("session_revoked"))
            }),
    ]
}

/// What an open page does when its session ends, and what is pressed meanwhile.
fn in_place() -> Vec<Fault> {
    vec![
        Fault::new(
            "press_without_session_done",
            "A press without a session is done all the same.",
            &["session_missing"],
        )
        .fails(Cause::ExpiredServed)
        .rule(|on| lend(Rule::on("POST", &on.below("[a-z-]+/$")).by(""), &on.admin, true, true)),
        Fault::new(
            "older_tab_silent",
            "A press in a tab that is older than the login ends in silence.",
            &["older_tab"],
        )
        .fails(Cause::SilentFailure)
        .fails(Cause::Unanswered)
        .patience(Duration::from_secs(6))
        .rule(|on| says_nothing(Rule::on("POST", &on.below("test-connection/$")), &format!("/fabrics/{}/", on.fabric))),
        Fault::new("long_sync_stops", "A sync stops when the session that began it ends.", &["long_sync_expiry"])
            .fails(Cause::Stuck)
            .with_short_sessions()
            .lab(json!({"latencyMs": LONG_MS}))
            .rules(|_| told("Succeeded", "Interrupted")),
        Fault::new("no_warning", "The page does not say that its session is about to end.", &["expiry_warning"])
            .fails(Cause::NoWarning)
            .with_short_sessions()
            .in_a_browser()
            .rule(|on| Rule::on("GET", &on.page()).page().text(r#"id="session-warning""#, r#"id="nothing""#)),
        Fault::new(
            "press_forgotten",
            "After the login over the page the press is not offered again.",
            &["relogin_in_place"],
        )
        .fails(Cause::WorkLost)
        .with_short_sessions()
        .in_a_browser()
        .rule(|_| Rule::on("GET", r"^/static/.*press\.js").text(r#""data-again""#, r#""data-gone""#)),
    ]
}
