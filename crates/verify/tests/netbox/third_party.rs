//! A profile that a third party writes, in a file, for a product that nobody here has heard of; it is the example of the
//! guide, `docs/concepts/verify-profiles.md`. The product's page is open to nobody,
//! its button is a form's, and its list is no table.

use crate::target::{PASSWORD, condemned, plan, right, walk};
use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::{Form, Path, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use verify::cause::Cause;
use verify::profile::{Profile, load};
use verify::verdict::{RunVerdict, Verdict};

/// The page that teaches how to write one, and whose example this is.
const GUIDE: &str = include_str!("../../../../docs/concepts/verify-profiles.md");

/// Those who are in, by their cookie.
static INSIDE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The profile, read from a file as `--profile FILE` is.
pub fn profile() -> Result<Profile> {
    let folder = testkit::Folder::new("profile")?;
    let file = folder.join("loom.toml");
    let example = GUIDE.split_once("```toml\n").and_then(|(_, rest)| rest.split_once("```")).context("an example")?.0;
    std::fs::write(&file, example)?;
    Ok(load(&file.display().to_string())?)
}

/// Serves something on a port of its own, as long as the test runs.
pub async fn serve(router: Router) -> Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies.split("; ").find_map(|pair| pair.strip_prefix("loom=")).map(str::to_owned)
}

fn page(body: &str) -> Html<String> {
    Html(format!("<!doctype html><title>Loom</title>{body}"))
}

fn form(words: &str) -> Html<String> {
    page(&format!(
        "<h1>Enter</h1><p>{words}</p><form method=post><label>Who <input name=who></label>\
         <label>Pass phrase <input type=password name=phrase></label><button>Enter</button></form>"
    ))
}

async fn enter(Form(fields): Form<HashMap<String, String>>) -> Response {
    if fields.get("phrase").is_none_or(|phrase| phrase != PASSWORD) {
        return form("Nobody of that name and phrase").into_response();
    }
    let mut inside = INSIDE.lock().unwrap_or_else(PoisonError::into_inner);
    let session = format!("session-number-{}", inside.len());
    inside.push(session.clone());
    let cookie = AppendHeaders([(header::SET_COOKIE, format!("loom={session}; Path=/; HttpOnly; SameSite=Lax"))]);
    (cookie, Redirect::to("/webs")).into_response()
}

async fn leave(headers: HeaderMap) -> Redirect {
    let mine = cookie(&headers).unwrap_or_default();
    let mut inside = INSIDE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(session) = inside.iter_mut().find(|session| **session == mine) {
        "left".clone_into(session);
    }
    drop(inside);
    Redirect::to("/enter")
}

async fn guard(request: Request, next: Next) -> Response {
    let mine = cookie(request.headers());
    let known = mine.is_some_and(|mine| INSIDE.lock().unwrap_or_else(PoisonError::into_inner).contains(&mine));
    if known { next.run(request).await } else { Redirect::to("/enter").into_response() }
}

const LEAVE: &str = "<p>You are ada</p><form method=post action=/leave><button>Leave</button></form>";

async fn web(Path(id): Path<u32>) -> Response {
    if id != 7 {
        return StatusCode::NOT_FOUND.into_response();
    }
    let body = "<h1>north</h1><p>State: <em>Woven</em></p><form method=post action=/webs/7/weave>\
                <input type=hidden name=stamp value=0123456789><button>Weave</button></form>";
    page(&format!("{body}{LEAVE}")).into_response()
}

/// The product. Its button leads to an address only if it is mended.
pub fn product() -> Router {
    Router::new()
        .route(
            "/webs",
            get(|| async { page(&format!("<ul><li><a href=/webs/7>north</a> <em>Woven</em></li></ul>{LEAVE}")) }),
        )
        .route("/webs/{id}", get(web))
        .layer(from_fn(guard))
        .route("/enter", get(|| async { form("") }).post(enter))
        .route("/leave", axum::routing::post(leave))
}

#[tokio::test]
async fn it_works_end_to_end() -> Result<()> {
    let mended =
        product().route("/webs/{id}/weave", axum::routing::post(|| async { page("<p class=good>Woven.</p>") }));
    let site = serve(mended).await?;
    let journeys = ["login_logout", "wrong_password", "fabric_page", "crawl"];
    let run = walk(plan(&site, profile()?, &journeys)?).await;
    for name in journeys {
        right(&run, name, Verdict::Pass)?;
    }
    assert_eq!(run.verdict, RunVerdict::Pass, "{}", run.sentence);
    assert_eq!((run.target.profile.as_str(), run.target.product.as_str()), ("loom", "Loom"));
    assert_eq!(run.target.fabric.as_deref(), Some("north"));
    // What the profile does not describe is skipped, and says so.
    let run = walk(plan(&site, profile()?, &["cancel", "drift"])?).await;
    right(&run, "cancel", Verdict::Skipped)?;
    right(&run, "drift", Verdict::Skipped)
}

#[tokio::test]
async fn a_defect_of_it_is_found_by_the_same_file() -> Result<()> {
    let site = serve(product()).await?;
    let run = walk(plan(&site, profile()?, &["fabric_page"])?).await;
    condemned(&run, "fabric_page", Cause::WrongAddress, &["status 404"])
}

/// The names of all keys in a schema.
fn keys(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            let named = map.get("properties").and_then(Value::as_object);
            found.extend(named.into_iter().flat_map(|named| named.keys().cloned()));
            map.values().for_each(|value| keys(value, found));
        }
        Value::Array(all) => all.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

#[test]
fn the_guide_names_every_key() -> Result<()> {
    let mut all = BTreeSet::new();
    keys(&serde_json::to_value(schemars::schema_for!(Profile))?, &mut all);
    ensure!(all.len() > 80, "{all:?}");
    let named = |key: &String| {
        [format!("`{key}`"), format!("`[{key}]`"), format!("`[[{key}]]`"), format!("`[{key}.NAME]`")]
            .iter()
            .any(|way| GUIDE.contains(way.as_str()))
    };
    let missing: Vec<&String> = all.iter().filter(|key| !named(key)).collect();
    ensure!(missing.is_empty(), "the guide does not name {missing:?}");
    Ok(())
}
