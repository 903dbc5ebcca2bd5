//! Traps of a good design, each met where Hedgehog's webhooks and controller make them: addresses that a replace would
//! take away, a controller that is down, a misspelt field.

use crate::site::{Site, all_applied, applied, fabric_files, fabric_objects, switches, text, unhydrated, yaml};
use crate::world::ended;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The addresses of a fabric link or a gateway link by their ports.
pub fn addresses(connection: &Value) -> BTreeMap<String, String> {
    let links = ["fabric", "gateway"].into_iter().filter_map(|variant| connection["spec"][variant]["links"].as_array());
    let ends = links.flatten().filter_map(Value::as_object).flat_map(|link| link.values());
    ends.map(|end| (text(&end["port"]), text(&end["ip"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_43_wiring_without_addresses_is_edited_and_the_addresses_stay() -> Result<()> {
    let mut site = Site::start().await?;
    // The installer has filled in and created the wiring; Git holds what a person wrote.
    let installed = fabric_objects()?;
    for object in &installed {
        site.client.create(object).await?;
    }
    let mut written = unhydrated(&installed);
    site.write("fabric.yaml", &yaml(&written)?).await?;
    assert_eq!(site.press("sync_from_git").await?["state"], "succeeded");
    assert_eq!(site.status().await?["sync_status"], "in_sync", "what was left out is left to the cluster");

    let mut edited = Vec::new();
    for object in &mut written {
        match object["kind"].as_str() {
            Some("Switch") => object["spec"]["description"] = json!("moved to rack 7"),
            Some("Gateway") => object["spec"]["workers"] = json!(8),
            Some("Connection") => object["metadata"]["annotations"] = json!({"example.test/cable": "yellow"}),
            _ => continue,
        }
        edited.push((text(&object["kind"]), text(&object["metadata"]["name"])));
    }
    assert_eq!(edited.len(), 4 + 6 + 1);
    site.write("fabric.yaml", &yaml(&written)?).await?;
    let (operation, outcomes) = site.sync().await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    for (kind, name) in &edited {
        let outcome = &outcomes[&format!("{kind}/{name}")];
        assert_eq!((&outcome["outcome"], &outcome["verified"]), (&json!("updated"), &json!(true)), "{outcome}");
        let before = installed.iter().find(|object| object["kind"] == **kind && object["metadata"]["name"] == **name);
        let (before, now) = (before.context("it was installed")?, site.there(kind, name).await?);
        match kind.as_str() {
            "Connection" => {
                assert_eq!(now["metadata"]["annotations"]["example.test/cable"], "yellow", "{name}");
                assert_eq!(addresses(&now), addresses(before), "{name}");
            }
            "Switch" => {
                assert_eq!(now["spec"]["description"], "moved to rack 7", "{name}");
                for field in ["asn", "ip", "protocolIP", "vtepIP"] {
                    assert_eq!(now["spec"][field], before["spec"][field], "{name} {field}");
                }
            }
            _ => {
                assert_eq!(now["spec"]["workers"], 8);
                for field in ["asn", "protocolIP", "vtepIP", "vtepMAC", "vtepMTU", "interfaces", "neighbors"] {
                    assert_eq!(now["spec"][field], before["spec"][field], "{name} {field}");
                }
            }
        }
    }
    assert_eq!(site.status().await?["sync_status"], "in_sync");
    Ok(())
}

/// The connection whose second link Git gives up.
pub const NARROWED: &str = "spine-01--fabric--leaf-01";

/// A site in which Git, after a sync, gives up one of two links of a connection.
pub async fn link_given_up() -> Result<Site> {
    let mut site = Site::start().await?;
    let mut written = fabric_objects()?;
    let wide = |objects: &mut Vec<Value>, links: &[Value]| {
        let connection = objects.iter_mut().find(|object| object["metadata"]["name"] == NARROWED);
        connection.expect("it is in the fabric")["spec"]["fabric"]["links"] = links.into();
    };
    let link = |port: u8, address: u8| {
        let ip = |n: u8| format!("172.30.128.{}/31", address + n);
        json!({"spine": {"port": format!("spine-01/E1/{port}"), "ip": ip(0)},
            "leaf": {"port": format!("leaf-01/E1/{}", port + 20), "ip": ip(1)}})
    };
    let (first, second) = (link(1, 0), link(6, 40));
    wide(&mut written, &[first.clone(), second]);
    site.write("fabric.yaml", &yaml(&written)?).await?;
    site.synced().await?;
    assert_eq!(addresses(&site.there("Connection", NARROWED).await?).len(), 4);
    wide(&mut written, &[first]);
    site.write("fabric.yaml", &yaml(&written)?).await?;
    Ok(site)
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_43_a_link_that_git_gives_up_keeps_its_addresses_until_somebody_confirms() -> Result<()> {
    let mut site = link_given_up().await?;
    let before = addresses(&site.there("Connection", NARROWED).await?);
    let (operation, outcomes) = site.sync().await?;
    assert_eq!((&operation["state"], &operation["code"]), (&json!("failed"), &json!("address_removal")), "{operation}");
    let outcome = &outcomes[&format!("Connection/{NARROWED}")];
    assert_eq!(outcome["outcome"], "not_attempted", "{outcome}");
    for path in ["spec.fabric.links[1].leaf.ip", "spec.fabric.links[1].spine.ip"] {
        assert!(text(&outcome["message"]).contains(path), "{path}: {outcome}");
    }
    assert_eq!(addresses(&site.there("Connection", NARROWED).await?), before);
    assert_ne!(site.status().await?["sync_status"], "in_sync");

    // Without the tick it is a sync like any other.
    let page = site.operation_page(&operation).await?;
    let form = "form.verb:has(#remove-addresses-btn)";
    let answer = site.user.submit(&page, form, &[]).await?;
    let unconfirmed = ended(&mut site.user, &answer.location().context("it leads to the operation")?).await?;
    assert_eq!(unconfirmed["code"], "address_removal", "{unconfirmed}");
    assert_eq!(addresses(&site.there("Connection", NARROWED).await?), before);
    let page = site.operation_page(&unconfirmed).await?;
    let answer = site.user.submit(&page, form, &[("allow_address_removal", "on")]).await?;
    let confirmed = ended(&mut site.user, &answer.location().context("it leads to the operation")?).await?;
    assert_eq!(confirmed["state"], "succeeded", "{confirmed}");
    assert_eq!(addresses(&site.there("Connection", NARROWED).await?).len(), 2);
    assert_eq!(site.status().await?["sync_status"], "in_sync");
    assert!(!site.operation_page(&confirmed).await?.has(form), "there is nothing to confirm any more");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_45_with_the_controller_down_it_is_submitted_and_not_applied() -> Result<()> {
    let settings = [("HEDGEROW_ROLLOUT_WAIT", "3s"), ("HEDGEROW_COMPARE_INTERVAL", "3s")];
    let mut site = Site::start_with(&lab::kinds::crds(), &settings).await?;
    site.commit(&fabric_files()).await?;
    site.synced().await?;
    site.until("every switch has applied everything", all_applied).await?;

    site.hedgehog.set_controller(false);
    let files = fabric_files();
    let (path, before) = files.iter().find(|(path, _)| *path == "vpcs.yaml").context("the VPCs' file")?;
    let after = before.context("its text")?.replace("vlan: 1001", "vlan: 1101");
    site.write(path, &after).await?;
    let operation = site.synced().await?;
    assert_eq!(site.there("VPC", "vpc-01").await?["spec"]["subnets"]["default"]["vlan"], 1101);
    // The trap: by its generations every agent is done.
    for leaf in ["leaf-01", "leaf-02"] {
        let agent = site.there("Agent", leaf).await?;
        assert_eq!(agent["metadata"]["generation"], agent["status"]["lastAppliedGen"]);
        assert_eq!(agent["spec"]["vpcs"]["vpc-01"]["subnets"]["default"]["vlan"], 1001);
    }
    let phase = operation["phases"].as_array().and_then(|all| all.last()).context("the last phase")?;
    assert_eq!((&phase["phase"], &phase["state"]), (&json!("rollout"), &json!("partial")), "{phase}");
    assert!(text(&operation["message"]).contains("1 of 3 switches and gateways have applied it"), "{operation}");
    assert!(text(&operation["message"]).contains("leaf-01 has not been told yet"), "{operation}");

    let status = site.status().await?;
    assert_eq!(status["sync_status"], "in_sync", "the cluster holds what Git says");
    let wanted = [
        ("gw-1", "applied"),
        ("leaf-01", "submitted"),
        ("leaf-02", "submitted"),
        ("leaf-03", "applied"),
        ("spine-01", "applied"),
    ];
    assert_eq!(switches(&status)?, wanted.map(|(name, state)| (name.to_owned(), state.to_owned())).into());
    assert_eq!(applied(&status)["state"], "underway", "{}", applied(&status));
    assert!(applied(&status)["done"].as_u64() < applied(&status)["total"].as_u64());
    assert!(text(&applied(&status)["reason"]).contains("the fabric controller has not reacted"));
    let page = site.page().await?;
    let rows = page.texts("section[data-live=switches] tbody tr");
    for leaf in ["leaf-01", "leaf-02"] {
        let row = rows.iter().find(|row| row.contains(leaf)).with_context(|| format!("{leaf}: {rows:?}"))?;
        assert!(row.contains("Submitted") && !row.contains("Applied"), "{row}");
    }
    let object = site.object_page("VPC.vpc.githedgehog.com", "vpc-01").await?;
    let rows = object.texts("section[data-live=object-rollout] tbody tr");
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert_eq!(rows.iter().filter(|row| row.contains("Submitted")).count(), 2, "{rows:?}");

    // Nobody presses anything: the background comparison goes on following the switches.
    site.hedgehog.set_controller(true);
    site.until("the controller is back, and the switches have applied it", all_applied).await?;
    let rows = site.page().await?.texts("section[data-live=switches] tbody tr");
    assert!(rows.iter().all(|row| row.contains("Applied")), "{rows:?}");
    assert_eq!(site.there("Agent", "leaf-01").await?["spec"]["vpcs"]["vpc-01"]["subnets"]["default"]["vlan"], 1101);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_45_before_the_controller_ever_ran_nothing_is_applied() -> Result<()> {
    let settings = [("HEDGEROW_ROLLOUT_WAIT", "3s"), ("HEDGEROW_COMPARE_INTERVAL", "3s")];
    let mut site = Site::start_with(&lab::kinds::crds(), &settings).await?;
    site.hedgehog.set_controller(false);
    site.commit(&fabric_files()).await?;
    let operation = site.synced().await?;
    assert!(site.live("Agent", "leaf-01").await?.is_none(), "nobody makes the Agents");
    assert!(text(&operation["message"]).contains("No switch reports"), "{operation}");
    let phase = operation["phases"].as_array().and_then(|all| all.last()).context("the last phase")?;
    assert_eq!((&phase["phase"], &phase["state"]), (&json!("rollout"), &json!("partial")), "{phase}");
    let at = |key: &str| text(&phase[key]).parse::<jiff::Timestamp>();
    let waited = at("ended_at")?.duration_since(at("started_at")?);
    assert!(waited.as_secs() >= 2, "the Agent of a new switch is waited for: {phase}");
    let status = site.status().await?;
    assert_eq!(status["sync_status"], "in_sync", "the cluster holds what Git says");
    assert_ne!(applied(&status)["state"], "done", "{}", applied(&status));
    let object = site.object_page("Switch.wiring.githedgehog.com", "leaf-01").await?;
    assert!(!object.texts("section[data-live=object-rollout]").concat().contains("Applied"), "nobody runs it");

    site.hedgehog.set_controller(true);
    site.until("the Agents are made, and every switch has applied everything", all_applied).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_46_a_misspelt_field_is_a_finding_with_its_place_and_is_never_sent() -> Result<()> {
    let mut site = Site::start().await?;
    site.commit(&fabric_files()).await?;
    site.synced().await?;
    assert_eq!(site.status().await?["sync_status"], "in_sync");
    let before = site.versions().await?;
    site.writes(true);

    // Without it, Git and cluster hold the same: what the server drops cannot be told from the cluster.
    let files = fabric_files();
    let (path, text_before) = files.iter().find(|(path, _)| *path == "vpcs.yaml").context("the VPCs' file")?;
    let misspelt = text_before
        .context("its text")?
        .replace("dhcp:\n        enable: true", "dhcp:\n        enable: true\n        rellay: 10.0.9.9/32");
    let line = misspelt.lines().position(|line| line.contains("rellay")).context("the line")? + 1;
    site.write(path, &misspelt).await?;
    assert_eq!(site.press("sync_from_git").await?["state"], "succeeded");
    assert_eq!(site.status().await?["sync_status"], "out_of_sync");
    let place = format!("vpcs.yaml:{line}:");
    let findings = site.page().await?.texts("section[data-live=findings] tbody tr");
    let finding = findings.iter().find(|row| row.contains("unknown_field")).with_context(|| format!("{findings:?}"))?;
    for part in ["VPC vpc-02", "spec.subnets.default.dhcp.rellay", &place, "Did you mean relay?"] {
        assert!(finding.contains(part), "{part}: {finding}");
    }

    let (operation, outcomes) = site.sync().await?;
    assert_eq!((&operation["state"], &operation["code"]), (&json!("failed"), &json!("source_invalid")), "{operation}");
    let outcome = &outcomes["VPC/vpc-02"];
    assert_eq!(
        (&outcome["outcome"], &outcome["code"]),
        (&json!("not_attempted"), &json!("source_invalid")),
        "{outcome}"
    );
    assert!(text(&outcome["message"]).contains("rellay") && text(&outcome["message"]).contains(&place), "{outcome}");
    assert_ne!(site.status().await?["sync_status"], "in_sync");
    // Others are asked about at random, as dry runs, to confirm that they are equal.
    let mut sent = site.writes(true);
    sent.retain(|call| call.contains("/vpcs/vpc-02") || call.contains("/vpcs?"));
    assert_eq!(sent, [""; 0], "it was never sent, not even dry");
    assert_eq!(site.versions().await?, before, "nothing was written");

    // The control: spelt as the server knows it, it is delivered.
    site.write(path, &misspelt.replace("rellay: 10.0.9.9/32", "options: {interfaceMTU: 1500}")).await?;
    site.synced().await?;
    let vpc = site.there("VPC", "vpc-02").await?;
    assert_eq!(vpc["spec"]["subnets"]["default"]["dhcp"]["options"]["interfaceMTU"], 1500);
    assert_eq!(site.status().await?["sync_status"], "in_sync");
    Ok(())
}
