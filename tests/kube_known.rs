//! What is known and what is not: a kind that could not be read, a switch without an Agent, a clock that is ahead,
//! credentials that only compare, a namespace that is not there. Each is said as it is.

use crate::site::{Site, all_applied, applied, fabric_files, switches, text};
use crate::world::{Fabric, NAMESPACES, add_fabric, endpoint, press, vpc, world};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Access, AgentMode, ApiFront, HttpUser, Page, Rule, eventually};

/// A fabric of the common world behind a door of its own, with an account of these rights.
async fn behind(
    access: &Access,
    rules: Vec<Rule>,
    changes: &[(&str, &str)],
) -> Result<(HttpUser, i64, String, ApiFront)> {
    let world = world().await;
    let (name, own) = Fabric::place().await?;
    let account = world.plane.token_user(&name, access).await?;
    let front = ApiFront::start(&world.plane).await?;
    rules.into_iter().for_each(|rule| front.add(rule));
    let files = [("namespaces.yaml", Some(NAMESPACES)), ("vpc.yaml", Some(&*vpc("vpc-01", 1, 1001)))];
    world.git.commit(&name, "main", &files, "One VPC").await?;
    let url = front.url();
    let mut fields: Vec<(&str, &str)> = own.iter().map(|(field, value)| (*field, value.as_str())).collect();
    let others = endpoint(&url, &account.token, world.plane.ca_certificate());
    for (field, value) in others.iter().chain(changes) {
        fields.retain(|(known, _)| known != field);
        fields.push((field, value));
    }
    let mut user = world.admin().await?;
    let id = add_fabric(&mut user, &fields).await?;
    Ok((user, id, name, front))
}

async fn fabric_page(user: &mut HttpUser, id: i64) -> Result<(Value, Page)> {
    let path = format!("/fabrics/{id}/");
    let status = user.script("GET", &path, &[("Accept", "application/json")], None).await?.json()?;
    Ok((status, user.visit(&path).await?))
}

fn stage<'a>(status: &'a Value, name: &str) -> Result<&'a Value> {
    let all = status["stages"].as_array().context("the stages")?;
    all.iter().find(|stage| stage["name"] == name).with_context(|| format!("{name}: {status}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_comparison_that_could_not_read_a_kind_says_what_it_knows_and_what_it_does_not() -> Result<()> {
    let words = "vpcs.vpc.githedgehog.com is forbidden: User \"x\" cannot list resource \"vpcs\" in API group";
    let rules = vec![Rule::on("GET", "/vpcs?").answer(403, "Forbidden", words)];
    let (mut user, id, _, front) = behind(&Access::writer(), rules, &[]).await?;
    let synced = press(&mut user, id, "sync_to_kubernetes").await?;
    ensure!(synced["state"] == "partial", "{synced}");
    press(&mut user, id, "sync_from_fabric").await?;
    let (status, page) = fabric_page(&mut user, id).await?;
    for name in ["accepted", "live"] {
        let stage = stage(&status, name)?;
        ensure!(
            (&stage["done"], &stage["total"], &stage["state"]) == (&json!(2), &json!(3), &json!("blocked")),
            "{stage}"
        );
        let reason = text(&stage["reason"]);
        ensure!(reason.starts_with("1 object could not be read: list VPC") && reason.contains("forbidden"), "{reason}");
    }
    let saved = stage(&status, "saved")?;
    ensure!(saved["state"] == "done", "no manifest is wrong: {saved}");
    let shown = page.visible_text();
    ensure!(!shown.contains("has not been compared yet") && !shown.contains("not in the cluster yet"), "{shown}");
    ensure!(!shown.contains("Everything in the source is written as the cluster will take it"), "{shown}");
    ensure!(shown.contains("None in what could be checked. Not everything could be read (VPC)"), "{shown}");
    ensure!(shown.contains("not known: list VPC"), "the object's first difference: {shown}");
    // What the failure is about is the kind, not what the last sync was about.
    ensure!(status["status"]["failed"] == "comparison", "{}", status["status"]);
    let about = json!({"what": "kind", "which": "VPC.vpc.githedgehog.com"});
    assert_eq!(status["cause"]["evidence"], about, "{}", status["cause"]);
    front.clear();
    let done = press(&mut user, id, "sync_to_kubernetes").await?;
    ensure!(done["state"] == "succeeded", "{done}");
    let (status, _) = fabric_page(&mut user, id).await?;
    ensure!(stage(&status, "live")?["state"] == "done" && status["cause"].is_null(), "{status}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_without_an_agent_and_one_whose_clock_is_ahead_are_unknown_and_say_why() -> Result<()> {
    let mut site = Site::start().await?;
    site.commit(&fabric_files()).await?;
    site.synced().await?;
    site.until("every switch has applied everything", all_applied).await?;
    site.hedgehog.set_controller(false);
    site.client.delete("Agent", "leaf-01").await?;
    site.press("sync_from_fabric").await?;
    let status = site.status().await?;
    ensure!(switches(&status)?.get("leaf-01").map(String::as_str) == Some("unknown"), "{}", status["switches"]);
    let why = "Nothing is known of leaf-01: the cluster has no Agent of that name.";
    ensure!(text(&applied(&status)["reason"]) == why && applied(&status)["state"] != "done", "{}", applied(&status));
    let panel = site.page().await?.text("section[data-live=switches]").context("the panel")?;
    ensure!(panel.contains("4 of 5 applied") && panel.contains(why), "{panel}");

    // Its agent reports no more, or its next heartbeat would be right again.
    site.hedgehog.set_agent("leaf-02", AgentMode::Offline);
    eventually(Duration::from_secs(30), "leaf-02 has fallen silent", || async {
        let agent = site.there("Agent", "leaf-02").await?;
        let heard: jiff::Timestamp = text(&agent["status"]["lastHeartbeat"]).parse()?;
        ensure!(jiff::Timestamp::now().duration_since(heard) > jiff::SignedDuration::from_mins(2), "heard at {heard}");
        Ok(())
    })
    .await?;
    let ahead = (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(3 * 60 + 30)).to_string();
    site.client.patch_status("Agent", "leaf-02", &json!({"lastHeartbeat": ahead})).await?;
    site.press("sync_from_fabric").await?;
    let panel = site.page().await?.text("section[data-live=switches]").context("the panel")?;
    ensure!(panel.contains("leaf-02: its last heartbeat is 3 h ahead of this server's clock"), "{panel}");
    ensure!(panel.contains("Check NTP on the switch and on this server."), "{panel}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_only_compare_are_told_so_and_compare() -> Result<()> {
    let (mut user, id, _, _front) = behind(&Access::reader(), Vec::new(), &[]).await?;
    let tested = press(&mut user, id, "test_connection").await?;
    ensure!(tested["state"] == "partial" && tested["code"] == "kubernetes_forbidden", "{tested}");
    let said = text(&tested["message"]);
    for part in ["Reading works", "A sync would be refused", "create, update, delete on ", "VPC"] {
        ensure!(said.contains(part), "{part}: {said}");
    }
    let compared = press(&mut user, id, "sync_from_git").await?;
    ensure!(compared["state"] == "succeeded", "{compared}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_not_there_ends_a_sync_before_its_first_write() -> Result<()> {
    let (mut user, id, name, front) = behind(&Access::writer(), Vec::new(), &[]).await?;
    let form = user.visit(&format!("/fabrics/{id}/edit/")).await?;
    let gone = format!("{name}-gone");
    let saved = user.submit(&form, "form.form", &[("namespace", &gone)]).await?;
    ensure!(saved.status == 303, "{}", saved.visible_text());
    let tested = press(&mut user, id, "test_connection").await?;
    front.take_calls();
    let synced = press(&mut user, id, "sync_to_kubernetes").await?;
    ensure!(synced["state"] == "failed" && synced["code"] == "cluster_config_invalid", "{synced}");
    ensure!(text(&synced["message"]).contains(&format!("the cluster has no namespace '{gone}'")), "{synced}");
    assert_eq!((&synced["code"], &synced["message"]), (&tested["code"], &tested["message"]));
    let calls = front.calls();
    let sent: Vec<_> = calls
        .iter()
        .filter(|call| call.method != "GET" && call.path.contains(&gone) && !call.path.contains("dryRun=All"))
        .collect();
    // The comparison that runs by itself may ask the server about these writes; that changes nothing.
    ensure!(sent.is_empty(), "nothing was sent: {sent:?}");
    Ok(())
}
