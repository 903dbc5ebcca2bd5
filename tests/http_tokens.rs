//! API tokens against the built program: made by the form without script, good at once, ended at once, and in no place
//! where a secret can be read.

use crate::crawl::crawl;
use crate::world::{Fabric, world};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::time::Duration;
use testkit::{HttpUser, Page, eventually};

/// Makes a token by the form, as a person does without a script, and gives it.
pub async fn make(user: &mut HttpUser, fields: &[(&str, &str)]) -> Result<String> {
    let page = user.visit("/account/tokens/").await?;
    let all = [&[("description", "a journey")], fields].concat();
    let answer = user.submit(&page, "form.form", &all).await?;
    ensure!(answer.status == 201, "no token was made: {} {}", answer.status, answer.visible_text());
    ensure!(answer.visible_text().contains("It will not be shown again"), "{}", answer.visible_text());
    ensure!(answer.header("cache-control").as_deref() == Some("no-store"), "no cache keeps the page");
    answer.text("pre[data-copy]").context("the token stands on the page")
}

/// The public part of a token.
pub fn key(token: &str) -> &str {
    token.get(4..16).unwrap_or_default()
}

/// Asks as a program does that has nothing but a token.
pub async fn ask(method: &str, path: &str, token: &str) -> Result<Page> {
    let mut program = world().await.console.visitor()?;
    let bearer = format!("Bearer {token}");
    Ok(program.script(method, path, &[("Authorization", &bearer)], (method == "POST").then_some("{}")).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_token_is_shown_once_and_stands_nowhere() -> Result<()> {
    let world = world().await;
    let mut fabric = Fabric::add().await?;
    let token = make(&mut fabric.user, &[("expires", "30")]).await?;
    let secret = token.split_once('.').context("a key and a secret")?.1.to_owned();
    assert_eq!(secret.len(), 43, "256 bits");
    let path = format!("/fabrics/{}/", fabric.id);
    assert_eq!(ask("GET", &path, &token).await?.json()?["name"], fabric.name.as_str());
    let begun = ask("POST", &format!("{path}sync-from-git/"), &token).await?;
    assert_eq!(begun.status, 202, "{}", begun.body);
    let place = begun.json()?["operation"]["url"].as_str().context("an operation")?.to_owned();
    assert_eq!(fabric.ended(&place).await?["actor"], "admin");
    // A wrong one, and one in the wrong place.
    let wrong = format!("{}x", &token[..token.len() - 1]);
    assert_eq!(ask("GET", &path, &wrong).await?.status, 403);
    assert_eq!(ask("POST", "/account/tokens/", &token).await?.json()?["code"], "token_not_permitted_here");

    let list = fabric.user.visit("/account/tokens/").await?;
    assert!(list.visible_text().contains(key(&token)) && !list.body.contains(&secret));
    let user = tokio::sync::Mutex::new(&mut fabric.user);
    eventually(Duration::from_secs(10), "the list says when it was used", || async {
        let text = user.lock().await.visit("/account/tokens/").await?.visible_text();
        ensure!(text.contains("from 127.0.0.1"), "{text}");
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    let crawled = crawl(&mut fabric.user, fabric.id).await?;
    assert!(crawled.pages.len() > 10);
    for page in &crawled.pages {
        assert!(!page.body.contains(&secret), "{} shows the secret", page.url);
    }
    let activity = fabric.user.visit(&format!("{path}activity/?show=attempts")).await?.visible_text();
    assert!(activity.contains(&format!("with the API token {}", key(&token))), "{activity}");
    let log = world.console.log();
    assert!(log.contains(key(&token)) && !log.contains(&secret), "the log has the key, and not the secret");
    let held = files_with(world.console.data_dir(), secret.as_bytes())?;
    assert_eq!(held, Vec::<String>::new(), "no file of the console holds it");
    let control = files_with(world.console.data_dir(), key(&token).as_bytes())?;
    assert!(control.iter().any(|file| file.contains("hedgerow.db")), "the control: the key is found: {control:?}");
    Ok(())
}

/// The files below a folder that hold these bytes.
fn files_with(folder: &Path, bytes: &[u8]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_with(&path, bytes)?);
        } else if std::fs::read(&path).is_ok_and(|text| text.windows(bytes.len()).any(|part| part == bytes)) {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_events_ends_with_its_token() -> Result<()> {
    let mut fabric = Fabric::add().await?;
    let token = make(&mut fabric.user, &[]).await?;
    let path = format!("/fabrics/{}/events/", fabric.id);
    let listening = tokio::spawn({
        let (path, bearer) = (path.clone(), format!("Bearer {token}"));
        let mut program = world().await.console.visitor()?;
        async move {
            let headers = [("Authorization", bearer.as_str()), ("Accept", "text/event-stream")];
            program.script("GET", &path, &headers, None).await
        }
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!listening.is_finished(), "the control: with a good token it goes on");
    let page = fabric.user.visit("/account/tokens/").await?;
    // Of this very token: others of the same user are other journeys'.
    let button = format!("button[aria-label*=\"{}\"]", key(&token));
    let answer = fabric.user.submit(&page, &button, &[]).await?;
    assert_eq!((answer.status, answer.location().as_deref()), (303, Some("/account/tokens/")));
    let ended = tokio::time::timeout(Duration::from_secs(40), listening).await.context("the stream ends")???;
    assert_eq!(ended.status, 200, "{}", ended.body);
    assert!(ended.body.contains("event: session_ended") && ended.body.contains("\"token_revoked\""), "{}", ended.body);
    assert_eq!(ask("GET", &path, &token).await?.json()?["code"], "token_revoked");
    Ok(())
}
