//! Answers stay small, however many objects a fabric has: the objects are read by page, all of them and each once.

use crate::world::{Fabric, token, world};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use testkit::Access;

/// How many objects the fabric has.
const OBJECTS: usize = 400;
/// What an answer may weigh. The predecessor's had 638 KB.
const LIMIT: usize = 64 << 10;
/// What a page with fifty rows may weigh.
const PAGE_LIMIT: usize = 256 << 10;

/// That many servers in one file; `extra` is one more line of each one's `spec`.
fn servers(extra: &str) -> String {
    let mut text = String::new();
    for n in 0..OBJECTS {
        let _ = write!(
            text,
            "---\napiVersion: wiring.githedgehog.com/v1beta1\nkind: Server\nmetadata:\n  name: server-{n:03}\nspec:\n  \
             description: In rack {n}, with a text that is as long as such texts are\n{extra}",
        );
    }
    text
}

/// Both sync addresses of the predecessor's, the fabric and the operation: none weighs more than the limit. Gives the
/// operation.
async fn answers_are_bounded(fabric: &mut Fabric, expected: u16) -> Result<Value> {
    let mut operation = Value::Null;
    for part in ["", "/api"] {
        let csrf = token(&fabric.page().await?)?;
        let path = format!("/plugins/hedgehog{part}/fabrics/{}/sync/?wait=50", fabric.id);
        let answer = fabric.user.script("POST", &path, &[("X-CSRFToken", &csrf)], Some("{}")).await?;
        assert_eq!(answer.status, expected, "{}", answer.body.chars().take(2_000).collect::<String>());
        assert!(answer.body.len() < LIMIT, "{path} answers {} bytes", answer.body.len());
        operation = answer.json()?["operation"].clone();
    }
    let own = format!("/fabrics/{}/", fabric.id);
    let url = operation["url"].as_str().context("the operation has an address")?.to_owned();
    for path in [own.clone(), format!("/plugins/hedgehog{own}"), url] {
        let answer = fabric.user.script("GET", &path, &[], None).await?;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.len() < LIMIT, "{path} answers {} bytes", answer.body.len());
        let page = fabric.user.visit(&path).await?;
        assert!(page.body.len() < PAGE_LIMIT, "the page {path} has {} bytes", page.body.len());
    }
    Ok(operation)
}

/// Reads all outcomes of an operation, page by page.
async fn outcomes(fabric: &mut Fabric, url: &str) -> Result<Vec<Value>> {
    let (mut all, mut next) = (Vec::new(), Some(1));
    while let Some(number) = next {
        let answer = fabric.user.script("GET", &format!("{url}?page={number}"), &[], None).await?;
        assert!(answer.body.len() < LIMIT, "page {number} has {} bytes", answer.body.len());
        let outcomes = answer.json()?["outcomes"].clone();
        assert_eq!(outcomes["count"], OBJECTS, "each page says how many there are");
        all.extend(outcomes["results"].as_array().context("a page of outcomes")?.iter().cloned());
        next = outcomes["next_page"].as_u64();
        assert!(all.len() <= OBJECTS, "the pages end");
    }
    Ok(all)
}

fn names(outcomes: &[Value]) -> BTreeSet<String> {
    outcomes.iter().map(|one| one["key"].to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_51_answers_are_bounded_and_objects_are_read_by_page() -> Result<()> {
    let mut fabric = Fabric::add().await?;
    fabric.commit(&[("servers.yaml", Some(&servers("")))]).await?;
    let operation = answers_are_bounded(&mut fabric, 200).await?;
    let url = operation["url"].as_str().context("an address")?.to_owned();
    let read = outcomes(&mut fabric, &url).await?;
    assert_eq!((read.len(), names(&read).len()), (OBJECTS, OBJECTS), "each once");

    let list = format!("/fabrics/{}/objects/?sort=name", fabric.id);
    let mut seen = BTreeSet::new();
    for number in 1..=OBJECTS / 50 {
        let page = fabric.user.visit(&format!("{list}&page={number}")).await?;
        assert_eq!(page.texts("main tbody tr").len(), 50, "page {number}");
        assert!(page.body.len() < PAGE_LIMIT, "page {number} has {} bytes", page.body.len());
        seen.extend(page.texts("td.name a"));
    }
    let live = fabric.kubectl(&["get", "servers", "-o", "jsonpath={.items[*].metadata.name}"]).await?;
    let live: BTreeSet<String> = live.split_whitespace().map(str::to_owned).collect();
    assert_eq!((live.len(), &seen), (OBJECTS, &live), "the pages hold what the cluster holds");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_51_answers_are_bounded_when_everything_is_refused() -> Result<()> {
    let plane = &world().await.plane;
    let user = plane.token_user("lesson-51", &Access::writer().read_only("servers")).await?;
    let kubeconfig = plane.kubeconfig(&plane.url(), &user.token);
    let mut fabric = Fabric::add_with(&[("kubeconfig", &kubeconfig)]).await?;
    fabric.commit(&[("servers.yaml", Some(&servers("")))]).await?;
    let operation = answers_are_bounded(&mut fabric, 502).await?;
    assert_eq!(operation["code"], "kubernetes_forbidden", "{operation}");
    let url = operation["url"].as_str().context("an address")?.to_owned();
    let read = outcomes(&mut fabric, &url).await?;
    assert_eq!((read.len(), names(&read).len()), (OBJECTS, OBJECTS), "each failure is kept, not the first five");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_51_answers_are_bounded_when_every_file_has_a_mistake() -> Result<()> {
    let mut fabric = Fabric::add().await?;
    fabric.commit(&[("servers.yaml", Some(&servers("  descriptoin: misspelt\n")))]).await?;
    let operation = answers_are_bounded(&mut fabric, 422).await?;
    assert!(operation["message"].as_str().is_some_and(|said| said.len() < 2_000), "{operation}");
    assert_eq!(fabric.status().await?["findings_total"], OBJECTS, "all are counted");
    Ok(())
}
