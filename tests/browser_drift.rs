//! Drift on an open page: somebody changes the cluster with kubectl, and the page that is open in Chromium says so, in
//! every place where a page that is read afresh says it.

use crate::browser_tab::Tab;
use crate::kube_watch::watching;
use crate::site::{all_applied, fabric_files};
use crate::world::{add_fabric, vpc};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::eventually;

/// Notes when the page's head says these words, on the machine's clock, in milliseconds.
const NOTE: &str = "
    window.driftSeenAt = null;
    const note = () => {
        if (window.driftSeenAt === null && document.querySelector('.head-title')?.textContent.includes('Out of sync')) {
            window.driftSeenAt = Date.now();
        }
    };
    new MutationObserver(note).observe(document.body, {subtree: true, childList: true, characterData: true});
    note();";

/// What the open page says, and what the same page says when it is read afresh, without the ages and the clock.
const BOTH: &str = r#"
    const words = (page) => {
        const copy = page.querySelector("body").cloneNode(true);
        const passing = "script, #announce, .strips, .answer, time, [data-clock], pre[data-copy] ~ button";
        copy.querySelectorAll(passing).forEach((node) => node.remove());
        return copy.textContent.replace(/\s+/g, " ");
    };
    return fetch(location.href, {credentials: "same-origin", headers: {Accept: "text/html"}})
        .then((answer) => answer.text())
        .then((text) => ({open: words(document), fresh: words(new DOMParser().parseFromString(text, "text/html"))}));"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_says_in_every_place_what_a_fresh_one_says() -> Result<()> {
    let mut site = watching().await?;
    site.commit(&fabric_files()).await?;
    site.synced().await?;
    site.until("it is in sync, and applied", |s| s["sync_status"] == "in_sync" && all_applied(s)).await?;

    // Of two fabrics the list says in its headline how many are in which state.
    add_fabric(&mut site.user, &[("name", "another"), ("cluster_kind", "none")]).await?;

    let tab = Tab::start(site.console.url()).await?;
    let (name, password) = (site.console.username()?, site.console.password()?);
    tab.login("/", name, password).await?;
    let of_fabric = |rest: &str| format!("/fabrics/{}/{rest}", site.id);
    let pages = [
        "/".to_owned(),
        of_fabric(""),
        of_fabric("objects/"),
        of_fabric("objects/?kind=VPC.vpc.githedgehog.com&state=extra"),
        of_fabric("objects/VPC.vpc.githedgehog.com/default/vpc-01/"),
        of_fabric("operations/"),
    ];
    for page in pages {
        // The control: nothing has happened since it was opened.
        tab.open(&page).await?;
        let before = agree(&tab, &page, "").await?;
        tab.mark().await?;
        let mut extra: Value = serde_saphyr::from_str(&vpc("extra", 250, 1998))?;
        extra["metadata"]["namespace"] = "default".into();
        site.client.create(&extra).await?;
        let drifted = agree(&tab, &page, &before).await?;
        site.client.delete("VPC", "extra").await?;
        agree(&tab, &page, &drifted).await?;
        tab.not_reloaded().await?;
    }
    Ok(())
}

/// What the open page and a fresh one say, once it is the same and no longer what was said before.
async fn agree(tab: &Tab, page: &str, before: &str) -> Result<String> {
    eventually(Duration::from_secs(20), &format!("the open page {page} says what a fresh one says"), || async {
        let both = tab.script(BOTH).await?;
        let [open, fresh] = ["open", "fresh"].map(|which| both[which].as_str().unwrap_or_default().to_owned());
        ensure!(!fresh.is_empty() && fresh != before, "nothing has changed: {fresh}");
        ensure!(open == fresh, "open:  {open}\nfresh: {fresh}");
        Ok(fresh)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_made_by_kubectl_reaches_an_open_page() -> Result<()> {
    let mut site = watching().await?;
    site.commit(&fabric_files()).await?;
    site.synced().await?;
    // The switches that a sync has to follow are applied by then: nothing is compared any more but what a watch sees.
    site.until("it is in sync, and applied", |s| s["sync_status"] == "in_sync" && all_applied(s)).await?;

    let tab = Tab::start(site.console.url()).await?;
    let (name, password) = (site.console.username()?, site.console.password()?);
    tab.login(&format!("/fabrics/{}/", site.id), name, password).await?;
    tab.says(".head-title", "In sync").await?;
    tab.mark().await?;
    tab.script(NOTE).await?;
    ensure!(tab.script("return window.driftSeenAt").await?.is_null(), "the control: nothing has drifted yet");

    let before = site.plane.client()?.get("VPC", "vpc-01").await?.context("the VPC is there")?;
    site.door.take_calls();
    let asked = jiff::Timestamp::now();
    let patch = json!({"spec": {"subnets": {"default": {"vlan": 1999}}}});
    site.client.patch("VPC", "vpc-01", &patch).await?;
    let changed = jiff::Timestamp::now();
    tab.says(".head-title", "Out of sync").await?;
    tab.not_reloaded().await?;
    let seen = tab.script("return window.driftSeenAt").await?.as_i64().context("the page noted when it said so")?;
    println!("on the page {} ms after the API server had taken the change", seen - changed.as_millisecond());
    ensure!(seen >= asked.as_millisecond(), "it was not said before it happened");

    // The cause: nobody asked, nothing was listed, and the row is of this very change.
    let calls = site.door.take_calls();
    let asked: Vec<_> =
        calls.iter().filter(|call| call.path.contains("/vpcs") && call.path.contains("limit=")).collect();
    ensure!(asked.is_empty(), "a list told it: {asked:?}");
    let object = site.object_page("VPC.vpc.githedgehog.com", "vpc-01").await?.visible_text();
    ensure!(object.contains("1999"), "{object}");
    ensure!(before["spec"]["subnets"]["default"]["vlan"] != 1999, "the control: it was another one before");
    Ok(())
}
