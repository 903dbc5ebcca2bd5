//! Self-heal against kubectl, on a real API server: what somebody changes or deletes is put right, with what was
//! overwritten and whose it was; somebody who keeps changing it is named, and left alone for a growing time.

use crate::http_schedule::Automatic;
use crate::world::{NAMESPACES, database, vpc, world};
use anyhow::{Context, Result};
use model::operation::Trigger;
use serde_json::Value;
use std::time::Duration;
use store::Page;
use testkit::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changes_is_put_right_and_whose_it_was_stays_known() -> Result<()> {
    let mut fabric = Automatic::start(&[("self_heal", "on")]).await?;
    let files = [("n.yaml", NAMESPACES.to_owned()), ("web.yaml", vpc("web", 1, 1001)), ("db.yaml", vpc("db", 2, 1002))];
    fabric.commit(&files.each_ref().map(|(path, text)| (*path, Some(text.as_str())))).await?;
    fabric.until("the commit is seen", |status| status["sync_status"] == "out_of_sync").await?;
    assert!(fabric.syncs().await?.is_empty(), "what Git has that the cluster never had is for people to deliver");
    let pressed = crate::world::press(&mut fabric.user, fabric.id, "sync_to_kubernetes").await?;
    assert_eq!(pressed["state"], "succeeded", "{pressed}");

    fabric.set_vlan("web", 1500).await?;
    fabric.until_vlan("web", 1001).await?;
    fabric.until("it is in sync", |status| status["sync_status"] == "in_sync").await?;
    let syncs = fabric.syncs().await?;
    let heal = syncs.last().context("there is an operation")?;
    assert_eq!((heal.actor.as_str(), heal.actor_user_id, heal.trigger), ("system:self-heal", None, Trigger::SelfHeal));
    let named = heal.options["objects"].to_string();
    assert!(named.contains("web") && !named.contains("db"), "exactly what was changed: {named}");
    let path = format!("/operations/{}/", heal.id);
    let told = fabric.user.script("GET", &path, &[("Accept", "application/json")], None).await?.json()?;
    let outcomes = told["outcomes"]["results"].as_array().context("outcomes")?;
    let web = outcomes.iter().find(|o| o["key"]["name"] == "web").context("an outcome of web")?;
    let overwrote = web["overwrote"].to_string();
    assert!(overwrote.contains("1500") && overwrote.contains("kubectl"), "{web}");

    // Deleted is changed, too.
    world().await.plane.kubectl(&["-n", &fabric.name, "delete", "vpc", "db"]).await?;
    fabric.until_vlan("db", 1002).await?;
    Ok(())
}

/// Compared by itself only each 170 s: what is put right sooner, a watch has seen.
const BY_WATCH: [(&str, &str); 2] = [("HEDGEROW_COMPARE_INTERVAL", "170s"), ("HEDGEROW_COMPARE_WATCH", "true")];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_watch_sees_is_put_right_within_seconds_and_a_fight_is_named() -> Result<()> {
    let mut fabric = Automatic::start_with(&[("self_heal", "on")], &BY_WATCH).await?;
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("web.yaml", Some(&vpc("web", 1, 1001)))]).await?;
    assert_eq!(crate::world::press(&mut fabric.user, fabric.id, "sync_to_kubernetes").await?["state"], "succeeded");
    // After a sync the switches are followed by five comparisons; they are to be over.
    let store = database(&fabric.console).await?;
    eventually(Duration::from_secs(120), "the comparisons that follow a sync are over", || async {
        let all = store.comparisons().list(fabric.id, Page::all()).await?.rows;
        let of_sync = all.iter().filter_map(|c| c.comparison.operation_id.map(|_| c.id)).max().unwrap_or_default();
        let after = all.iter().filter(|c| c.id > of_sync).count();
        anyhow::ensure!(after >= 5, "{after} so far");
        Ok(())
    })
    .await?;
    store.close().await;
    fabric.until("it is in sync", |status| status["sync_status"] == "in_sync").await?;
    let before = jiff::Timestamp::now();
    fabric.set_vlan("web", 1500).await?;
    fabric.until_vlan("web", 1001).await?;
    let syncs = fabric.syncs().await?;
    let heal = syncs.last().context("there is an operation")?;
    assert_eq!((heal.actor.as_str(), heal.trigger), ("system:self-heal", Trigger::SelfHeal));
    let after = heal.queued_at.duration_since(before);
    assert!(after < jiff::SignedDuration::from_secs(15), "it began {after:#} after the change began");
    let path = format!("/operations/{}/", heal.id);
    assert_eq!(crate::world::ended(&mut fabric.user, &path).await?["state"], "succeeded");
    let said = fabric.user.visit(&path).await?.visible_text();
    assert!(said.contains("system:self-heal") && said.contains("kubectl"), "it says whose change it overwrote: {said}");

    // Somebody who does it again and again is left alone, and named.
    for round in 1..4 {
        fabric.set_vlan("web", 1500 + round).await?;
        fabric.until_vlan("web", 1001).await?;
    }
    fabric.set_vlan("web", 1600).await?;
    let fights =
        |status: &Value| status["sync_status"] == "out_of_sync" && status["automatic"]["fights"][0]["times"] == 4;
    fabric.until("the fight is named", fights).await?;
    let said = fabric.page().await?.text("[data-live=notices]").unwrap_or_default();
    assert!(
        said.contains("kubectl") && said.contains("has set spec.subnets.default.vlan of VPC web 4 times in"),
        "{said}"
    );
    assert_eq!(fabric.vlan("web").await?, Some(1600), "it is left as it is");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_keeps_changing_it_is_named_and_left_alone_for_a_while() -> Result<()> {
    let mut fabric = Automatic::start(&[("self_heal", "on")]).await?;
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("web.yaml", Some(&vpc("web", 1, 1001)))]).await?;
    assert_eq!(crate::world::press(&mut fabric.user, fabric.id, "sync_to_kubernetes").await?["state"], "succeeded");
    for round in 0..4 {
        fabric.set_vlan("web", 1500 + round).await?;
        fabric.until_vlan("web", 1001).await?;
    }
    // The fifth time it is left, and both page and JSON say with whom self-heal fights, over what, how often, until when.
    fabric.set_vlan("web", 1600).await?;
    let status = fabric
        .until("the fight is named", |status| {
            status["sync_status"] == "out_of_sync" && status["automatic"]["fights"][0]["times"] == 4
        })
        .await?;
    let fight = &status["automatic"]["fights"][0];
    assert_eq!(fight["object"]["name"], "web");
    assert_eq!(fight["field"], "spec.subnets.default.vlan");
    assert!(fight["manager"].as_str().is_some_and(|manager| manager.starts_with("kubectl")), "{fight}");
    let panel = fabric.page().await?.text("[data-live=automatic]").unwrap_or_default();
    assert!(panel.contains("VPC web is left alone until") && panel.contains("put right 4 times"), "{panel}");
    let until: jiff::Timestamp = fight["until"].as_str().context("a time")?.parse()?;
    assert!(until > jiff::Timestamp::now(), "{fight}");
    let said = fabric.page().await?.text("[data-live=notices]").unwrap_or_default();
    assert!(said.contains("has set spec.subnets.default.vlan of VPC web 4 times in"), "{said}");
    // It is remembered over a restart.
    let heals = |syncs: &[store::Operation]| syncs.iter().filter(|o| o.trigger == Trigger::SelfHeal).count();
    let before = heals(&fabric.syncs().await?);
    assert_eq!(before, 4);
    fabric.console.restart().await?;
    let from = jiff::Timestamp::now();
    let compared = |status: &Value| {
        let at = status["status"]["evidence_at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        at.is_some_and(|at| at > from + jiff::SignedDuration::from_secs(3))
    };
    let status = fabric.until("it was compared after the restart", compared).await?;
    assert_eq!(status["automatic"]["fights"][0]["times"], 4, "{}", status["automatic"]);
    assert_eq!(heals(&fabric.syncs().await?), before, "nothing is put right while self-heal waits");
    assert_eq!(fabric.vlan("web").await?, Some(1600));
    // A person may overwrite it all the same.
    assert_eq!(crate::world::press(&mut fabric.user, fabric.id, "sync_to_kubernetes").await?["state"], "succeeded");
    assert_eq!(fabric.vlan("web").await?, Some(1001));
    Ok(())
}
