//! The person without a browser does what Chromium does, and nothing that a person could not. The site below answers
//! with what it was asked, and Chromium itself is asked the same, so that the two can be compared.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{any, get};
use testkit::{Browser, HttpUser, eventually};
use thirtyfour::By;

const FORM: &str = r#"<!doctype html><title>Form</title><p role=alert>Mind the gap</p>
<a id=link href="/echo?link">A link</a>
<form id=main method=post action="/echo">
  <input type=hidden name=csrfmiddlewaretoken value="a-token">
  <input name=name value="old"> <input name=off disabled value=no>
  <input type=checkbox name=enabled checked> <input type=checkbox name=verify value=yes>
  <input type=radio name=source value=remote checked> <input type=radio name=source value=local>
  <select name=namespace><option>default<option value=fab selected>fab system</select>
  <select name=kinds multiple><option selected>VPC<option>Server<option selected>Switch</select>
  <textarea name=kubeconfig>
line one
line two</textarea>
  <button id=save>Save</button> <button id=check name=action value=test formaction="/echo?checked">Test</button>
</form>
<input form=main name=outside value=in>
<form id=search action="/echo?dropped=1"><input name=q value="a b"></form>"#;

const LOGIN: &str = r#"<form method=post action="/login/"><input type=hidden name=csrfmiddlewaretoken value=t1>
<input name=username><input name=password type=password><button>Log in</button></form>"#;

/// Says what it was asked: the method, the address, the headers that matter, the body.
async fn echo(request: Request) -> Result<String, String> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.map_err(|error| error.to_string())?;
    let names = ["origin", "referer", "cookie", "content-type", "upgrade-insecure-requests"];
    let mut headers = BTreeMap::new();
    for (name, value) in &parts.headers {
        if names.contains(&name.as_str()) || name.as_str().starts_with("sec-fetch-") {
            headers.insert(name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned());
        }
    }
    Ok(format!("{} {}\n{headers:#?}\n{}", parts.method, parts.uri, String::from_utf8_lossy(&body)))
}

async fn log_in(body: String) -> Response {
    if body != "csrfmiddlewaretoken=t1&username=ada&password=right" {
        return (StatusCode::FORBIDDEN, Html("<p role=alert>Wrong name or password.</p>")).into_response();
    }
    let cookie = "__Host-session=s1; Path=/; Secure; HttpOnly; SameSite=Lax";
    ([(header::SET_COOKIE, cookie)], Redirect::to("/home")).into_response()
}

async fn home(headers: HeaderMap) -> Response {
    match headers.get(header::COOKIE).and_then(|value| value.to_str().ok()) {
        Some("__Host-session=s1") => Html("<nav>Logged in as <b>ada</b></nav>").into_response(),
        _ => Redirect::to("/login/").into_response(),
    }
}

async fn site() -> Result<String> {
    let silent = [(header::REFERRER_POLICY, "no-referrer")];
    let router = Router::new()
        .route("/form", get(|| async { Html(FORM) }))
        .route("/silent", get(move || async move { (silent, Html(FORM)) }))
        .route("/echo", any(echo))
        .route("/login/", get(|| async { Html(LOGIN) }).post(log_in))
        .route("/home", get(home));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

/// What the site is asked when Chromium clicks.
async fn chromium_clicks(browser: &Browser, page: &str, button: &str) -> Result<String> {
    browser.open(page).await?;
    browser.driver().find(By::Css(button)).await?.click().await?;
    eventually(Duration::from_secs(20), "the answer is shown", || async {
        let text = browser.driver().execute("return document.body.textContent", vec![]).await?;
        let text = text.json().as_str().unwrap_or_default().to_owned();
        if text.starts_with("GET /echo") || text.starts_with("POST /echo") {
            Ok(text)
        } else {
            Err(anyhow::anyhow!(text))
        }
    })
    .await
}

#[tokio::test]
async fn sends_what_chromium_sends() -> Result<()> {
    let (site, browser) = (site().await?, Browser::start().await?);
    let mut user = HttpUser::new(&site)?;
    for path in ["/form", "/silent"] {
        let page = user.get(path).await?;
        for button in ["#save", "#check"] {
            let ours = user.submit(&page, button, &[]).await?;
            assert_eq!(
                ours.body,
                chromium_clicks(&browser, &format!("{site}{path}"), button).await?,
                "{path} {button}"
            );
        }
        let ours = user.click(&page, "#link").await?;
        assert_eq!(ours.body, chromium_clicks(&browser, &format!("{site}{path}"), "#link").await?, "{path} link");
    }
    Ok(())
}

#[tokio::test]
async fn fields_are_filled_in_as_a_person_can() -> Result<()> {
    let site = site().await?;
    let mut user = HttpUser::new(&site)?;
    let page = user.get("/form").await?;
    assert_eq!(page.text("[role=alert]").as_deref(), Some("Mind the gap"));
    let mut form = page.form("#main")?;
    assert_eq!(form.value("name").as_deref(), Some("old"));
    assert_eq!(form.options("namespace"), ["default", "fab"]);
    for (name, value) in [
        ("name", "new & better"),
        ("enabled", "off"),
        ("verify", "on"),
        ("source", "local"),
        ("namespace", "default"),
        ("kinds", "Server"),
    ] {
        form.set(name, value)?;
    }
    let sent = user.send(&page, &form).await?;
    let body = sent.body.lines().last().unwrap();
    assert_eq!(
        body,
        "csrfmiddlewaretoken=a-token&name=new+%26+better&verify=yes&source=local&namespace=default&kinds=Server&\
         kubeconfig=line+one%0D%0Aline+two&outside=in"
    );
    for (name, value) in [
        ("csrfmiddlewaretoken", "forged"),
        ("namespace", "kube-system"),
        ("absent", "x"),
        ("off", "x"),
        ("source", "third"),
    ] {
        assert!(form.set(name, value).is_err(), "nobody could set {name} to {value}");
    }
    let found = user.submit(&page, "#search", &[("q", "x y")]).await?;
    assert!(found.body.starts_with("GET /echo?q=x+y\n"), "{}", found.body);
    Ok(())
}

#[tokio::test]
async fn a_login_is_proven() -> Result<()> {
    let site = site().await?;
    let mut user = HttpUser::new(&site)?;
    let refused = user.login("ada", "wrong").await.unwrap_err().to_string();
    assert!(refused.contains("403") && refused.contains("Wrong name or password."), "{refused}");
    let page = user.login("ada", "right").await?;
    assert_eq!(page.text("nav b").as_deref(), Some("ada"));
    assert_eq!(user.cookies()[0].attribute("SameSite"), Some("Lax"));
    user.set_cookie("__Host-session", None);
    let away = user.get("/home").await?;
    assert_eq!(away.location().as_deref(), Some("/login/"));
    assert!(user.visit("/home").await?.has("[name=password]"));
    Ok(())
}

#[tokio::test]
async fn a_script_asks_as_fetch_does() -> Result<()> {
    let site = site().await?;
    let mut user = HttpUser::new(&site)?;
    user.set_cookie("a", Some("b"));
    let asked = user.script("POST", "/echo", &[("x-csrftoken", "t")], Some(r#"{"dry": true}"#)).await?.body;
    for expected in [
        r#""sec-fetch-mode": "cors""#,
        r#""sec-fetch-dest": "empty""#,
        r#""cookie": "a=b""#,
        r#""content-type": "application/json""#,
        r#"{"dry": true}"#,
        &format!(r#""origin": "{site}""#),
    ] {
        assert!(asked.contains(expected), "no {expected} in {asked}");
    }
    Ok(())
}
