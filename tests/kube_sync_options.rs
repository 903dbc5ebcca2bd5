//! A sync that is a question, or about a part: dry run, selection, what is left out, and what others change meanwhile;
//! with Hedgehog's webhooks. Everything goes by the fabric's own address with the page's token, and is read back from the
//! cluster.

use crate::site::{Site, fabric_files, stopped_by_preflight, text};
use crate::world::vpc;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Rule, eventually};

/// A manifest that attaches a VPC to the server of rack 2.
fn attachment(vpc: &str) -> String {
    format!(
        "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPCAttachment\nmetadata:\n  name: {vpc}--server-02\nspec:\n  \
         subnet: {vpc}/default\n  connection: server-02--unbundled--leaf-03\n"
    )
}

fn vpcs(numbers: &[u8]) -> String {
    let texts: Vec<String> = numbers.iter().map(|n| vpc(&format!("vpc-{n}"), *n, 1000 + u16::from(*n))).collect();
    texts.join("---\n")
}

fn key(kind: &str, name: &str) -> String {
    format!("{kind}.vpc.githedgehog.com/default/{name}")
}

/// The servers' file with another description of server-01.
fn described() -> Result<String> {
    let files = fabric_files();
    let (_, before) = files.iter().find(|(path, _)| *path == "wiring/servers.yaml").context("the servers' file")?;
    Ok(format!(
        "{}---\napiVersion: wiring.githedgehog.com/v1beta1\nkind: Server\nmetadata:\n  name: server-09\nspec:\n  description: new\n",
        before.context("its text")?
    ))
}

fn phases(operation: &Value) -> Vec<String> {
    operation["phases"].as_array().into_iter().flatten().map(|phase| text(&phase["phase"])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_the_server_says_to_everything_and_changes_nothing() -> Result<()> {
    let mut site = Site::start().await?;
    site.commit(&fabric_files()).await?;
    site.synced().await?;
    // A sync that failed, so that there is an error which a dry run must not end.
    site.hedgehog.reject("vpc-12", "the change window is closed");
    site.write("new.yaml", &vpcs(&[12])).await?;
    assert_eq!(site.sync().await?.0["state"], "failed");
    let new = [vpcs(&[11, 12]), attachment("vpc-11")].join("---\n");
    site.commit(&[("new.yaml", Some(&new)), ("wiring/servers.yaml", Some(&described()?))]).await?;
    site.client.patch("VPC", "vpc-02", &json!({"spec": {"subnets": {"default": {"vlan": 1022}}}})).await?;
    assert_eq!(site.press("sync_from_git").await?["state"], "succeeded");
    let (status, versions) = (site.status().await?, site.versions().await?);
    assert_eq!(status["sync_status"], "error");
    site.writes(true);

    let (operation, outcomes) = site.sync_with(json!({"dry_run": true})).await?;
    assert_eq!((&operation["dry_run"], &operation["writes"]), (&json!(true), &json!(false)), "{operation}");
    assert_eq!(operation["options"]["dry_run"], true);
    let said = text(&operation["message"]);
    assert!(said.starts_with("Dry run, nothing was changed: 2 would be created, 1 updated, 0 deleted;"), "{said}");
    assert!(said.contains("1 cannot be judged"), "{said}");
    assert_eq!((&operation["state"], &operation["code"]), (&json!("partial"), &json!("kubernetes_rejected")), "{said}");
    assert!(phases(&operation).iter().all(|phase| phase != "verify" && phase != "rollout"), "{operation}");
    for (name, outcome) in [
        ("VPC/vpc-11", "created"),
        ("Server/server-09", "created"),
        ("VPC/vpc-02", "updated"),
        ("VPC/vpc-01", "unchanged"),
    ] {
        assert_eq!(outcomes[name]["outcome"], outcome, "{name}: {}", outcomes[name]);
    }
    let changed = &outcomes["VPC/vpc-02"];
    assert_eq!(changed["detail"]["fields"][0]["path"], "spec.subnets.default.vlan", "{changed}");
    assert!(text(&changed["overwrote"][0]).contains("1022 in the cluster"), "{changed}");
    assert_eq!(changed["detail"]["switches"], json!(["gw-1", "leaf-03"]), "{changed}");
    let refused = &outcomes["VPC/vpc-12"];
    assert_eq!(
        (&refused["outcome"], &refused["detail"]["webhook"]),
        (&json!("refused"), &json!("vvpc.kb.io")),
        "{refused}"
    );
    assert!(text(&refused["message"]).contains("the change window is closed"), "{refused}");
    let unjudged = &outcomes["VPCAttachment/vpc-11--server-02"];
    assert_eq!(
        (&unjudged["outcome"], &unjudged["code"]),
        (&json!("waiting_for_reference"), &json!(null)),
        "{unjudged}"
    );
    assert_eq!(unjudged["detail"]["waiting_for"], "VPC vpc-11", "{unjudged}");

    let asked = site.writes(true);
    assert!(asked.len() >= 5, "{asked:?}");
    assert!(asked.iter().all(|call| call.contains("dryRun=All")), "{asked:?}");
    assert_eq!(site.versions().await?, versions, "nothing was changed");
    let after = site.status().await?;
    for time in ["last_attempt", "last_success", "sync_status"] {
        assert_eq!(after[time], status[time], "{time}");
    }
    let page = site.operation_page(&operation).await?.visible_text();
    assert!(page.contains("Dry run, nothing was changed"), "{page}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_synced_and_what_is_not_part_of_it_is_left_and_said() -> Result<()> {
    let mut site = Site::start().await?;
    site.commit(&fabric_files()).await?;
    site.synced().await?;
    let new = [vpcs(&[11, 12, 13, 14]), attachment("vpc-14")].join("---\n");
    site.write("new.yaml", &new).await?;
    let before = site.versions().await?;
    site.writes(false);

    // What is not known is refused before anything is written, with the value and what to do.
    for (options, words) in [
        (json!({"object": [key("VPC", "nope")]}), "object: VPC.vpc.githedgehog.com/default/nope is neither"),
        (
            json!({"leave_object": [key("VPC", "nope")]}),
            "leave_object: VPC.vpc.githedgehog.com/default/nope is neither",
        ),
        (json!({"kind": ["Vpc.vpc.githedgehog.com"]}), "kind: neither the source nor the cluster has a kind Vpc.vpc"),
        (json!({"leave_field": [format!("{}#spec.nope", key("VPC", "vpc-01"))]}), "has no such field"),
        (json!({"leave_field": [format!("{}#spec.subnets[", key("VPC", "vpc-01"))]}), "is not a field path"),
        (json!({"leave_field": [format!("{}#metadata.name", key("VPC", "vpc-01"))]}), "only fields of spec"),
        (json!({"leave_field": [format!("{}#spec.subnets", key("VPC", "vpc-11"))]}), "is not in the cluster"),
    ] {
        let (operation, _) = site.sync_with(options.clone()).await?;
        assert_eq!((&operation["state"], &operation["code"]), (&json!("failed"), &json!("invalid_input")), "{options}");
        assert!(text(&operation["message"]).contains(words), "{options}: {}", operation["message"]);
    }
    assert_eq!((site.versions().await?, site.writes(false)), (before, Vec::new()));

    let (operation, outcomes) = site.sync_with(json!({"object": [key("VPC", "vpc-11"), key("VPC", "vpc-01")]})).await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    let said = text(&operation["message"]);
    assert!(said.starts_with("1 object written; all 2 selected objects are live as desired."), "{said}");
    assert!(said.contains("others were not part of this run."), "{said}");
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["VPC/vpc-01", "VPC/vpc-11"]);
    site.there("VPC", "vpc-11").await?;
    assert!(site.live("VPC", "vpc-12").await?.is_none());
    assert_eq!(site.status().await?["sync_status"], "out_of_sync");

    // A kind, without one of it.
    let options =
        json!({"kind": ["VPC.vpc.githedgehog.com"], "leave_object": [key("VPC", "vpc-13"), key("VPC", "vpc-14")]});
    let (operation, outcomes) = site.sync_with(options).await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert!(text(&operation["message"]).contains("2 were left as they are, as asked."), "{operation}");
    assert_eq!(outcomes["VPC/vpc-12"]["outcome"], "created");
    assert_eq!(outcomes["VPC/vpc-13"]["outcome"], "left_out");
    assert!(site.live("VPC", "vpc-13").await?.is_none());

    // What a selected object needs and is not selected is said before, and it waits.
    let (operation, outcomes) = site.sync_with(json!({"object": [key("VPCAttachment", "vpc-14--server-02")]})).await?;
    assert_eq!(operation["state"], "failed", "{operation}");
    let warnings = operation["result"]["warnings"].as_array().context("the warnings are recorded")?;
    let said = warnings.iter().find(|w| w["rule"] == "not_selected").with_context(|| format!("{warnings:?}"))?;
    assert!(text(&said["message"]).contains("needs VPC vpc-14, which is in the source"), "{said}");
    let waits = &outcomes["VPCAttachment/vpc-14--server-02"];
    assert_eq!(
        (&waits["outcome"], &waits["detail"]["waiting_for"]),
        (&json!("waiting_for_reference"), &json!("VPC vpc-14"))
    );

    site.synced().await?;
    site.there("VPCAttachment", "vpc-14--server-02").await?;
    assert_eq!(site.status().await?["sync_status"], "in_sync");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_leads_nowhere_ends_the_run_before_its_first_write() -> Result<()> {
    let mut site = Site::start().await?;
    site.commit(&fabric_files()).await?;
    site.synced().await?;
    site.write("new.yaml", &[vpcs(&[11]), attachment("vpc-11"), attachment("vpc-nope")].join("---\n")).await?;
    let before = site.versions().await?;
    site.writes(false);

    let (operation, outcomes) = site.sync().await?;
    stopped_by_preflight(&operation);
    let words =
        "VPCAttachment vpc-nope--server-02 refers to VPC vpc-nope, which is neither in the source nor in the cluster";
    let said = text(&operation["message"]);
    assert!(said.contains(words) && said.contains("(new.yaml:"), "{said}");
    let left: Vec<_> = outcomes.iter().filter(|(_, one)| one["outcome"] != "unchanged").collect();
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left.iter().all(|(_, one)| one["outcome"] == "not_attempted"), "{left:?}");
    let own = text(&outcomes["VPCAttachment/vpc-nope--server-02"]["message"]);
    assert!(own.contains(words) && own.contains("(new.yaml:"), "{own}");
    assert_eq!((site.versions().await?, site.writes(false)), (before, Vec::new()), "nothing was written");
    assert!(site.page().await?.visible_text().contains(words));

    // Without it, the rest is delivered.
    let (operation, _) = site.sync_with(json!({"leave_object": [key("VPCAttachment", "vpc-nope--server-02")]})).await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    site.there("VPCAttachment", "vpc-11--server-02").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_is_left_as_it_is_in_the_cluster() -> Result<()> {
    let mut site = Site::start().await?;
    site.commit(&fabric_files()).await?;
    let own = vpcs(&[11]);
    site.write("new.yaml", &own).await?;
    site.synced().await?;
    site.client.patch("VPC", "vpc-11", &json!({"spec": {"subnets": {"default": {"vlan": 1111}}}})).await?;
    site.write("new.yaml", &format!("{own}  defaultIsolated: true\n")).await?;
    assert_eq!(site.press("sync_from_git").await?["state"], "succeeded");
    let leave = json!({"leave_field": [format!("{}#spec.subnets.default.vlan", key("VPC", "vpc-11"))]});

    let (operation, outcomes) = site.sync_with(leave.clone()).await?;
    let outcome = &outcomes["VPC/vpc-11"];
    assert_eq!(operation["state"], "succeeded", "{operation} {outcome}");
    assert!(text(&operation["message"]).contains("Fields of 1 object were left"), "{operation}");
    assert_eq!((&outcome["outcome"], &outcome["verified"]), (&json!("updated"), &json!(true)), "{outcome}");
    assert_eq!(outcome["detail"]["left_fields"], json!(["spec.subnets.default.vlan"]));
    assert_eq!(outcome["overwrote"], json!([]), "what is left is not overwritten: {outcome}");
    let spec = site.there("VPC", "vpc-11").await?["spec"].clone();
    assert_eq!((&spec["subnets"]["default"]["vlan"], &spec["defaultIsolated"]), (&json!(1111), &json!(true)));
    // The fabric still says that it differs; the run was asked not to mind.
    assert_eq!(site.status().await?["sync_status"], "out_of_sync");

    let versions = site.versions().await?;
    let (operation, outcomes) = site.sync_with(leave).await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert_eq!(outcomes["VPC/vpc-11"]["outcome"], "left_out", "{}", outcomes["VPC/vpc-11"]);
    assert_eq!(site.versions().await?, versions);
    site.synced().await?;
    assert_eq!(site.there("VPC", "vpc-11").await?["spec"]["subnets"]["default"]["vlan"], 1011);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kubectl_changes_between_comparison_and_write_is_never_overwritten_unseen() -> Result<()> {
    const MANY: std::ops::Range<u8> = 20..60;
    let mut site = Site::start().await?;
    let numbers: Vec<u8> = MANY.collect();
    site.commit(&fabric_files()).await?;
    site.write("many.yaml", &vpcs(&numbers)).await?;
    site.synced().await?;
    let edited: Vec<String> = numbers
        .iter()
        .map(|n| format!("{}  defaultRestricted: true\n", vpc(&format!("vpc-{n}"), *n, 1000 + u16::from(*n))))
        .collect();
    site.write("many.yaml", &edited.join("---\n")).await?;
    assert_eq!(site.press("sync_from_git").await?["state"], "succeeded");

    // The first writes wait at the door while somebody with kubectl changes every object.
    site.door.take_calls();
    let (door, open) = tokio::sync::watch::channel(false);
    site.door.add(Rule::on("PUT", "/vpcs/").times(4).until(open));
    let patches: Vec<Value> = numbers
        .iter()
        .map(|n| {
            json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC",
                "metadata": {"name": format!("vpc-{n}"), "namespace": "default"}, "spec": {"defaultIsolated": true}})
        })
        .collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": patches}).to_string();
    let page = site.page().await?;
    let csrf = crate::world::token(&page)?;
    let path = format!("/fabrics/{}/sync/", site.id);
    let answer = site.user.script("POST", &path, &[("X-CSRFToken", &csrf)], Some("{}")).await?.json()?;
    let location = text(&answer["operation"]["url"]);
    eventually(Duration::from_secs(30), "the first write is at the door", || async {
        let is_put = |call: &testkit::ApiCall| call.method == "PUT" && call.path.contains("/vpcs/");
        ensure!(site.door.calls().iter().any(is_put), "no write yet");
        Ok(())
    })
    .await?;
    let args = ["apply", "--server-side", "--force-conflicts", "--field-manager=night-shift", "-f", "-"];
    let done = site.plane.kubectl_output(&args, Some(&list)).await?;
    door.send_replace(true);
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let operation = crate::world::ended(&mut site.user, &location).await?;
    let (operation, outcomes) = site.outcomes_of(operation).await?;

    let (mut reported, mut later) = (0, Vec::new());
    for n in &numbers {
        let (name, live) = (format!("VPC/vpc-{n}"), site.there("VPC", &format!("vpc-{n}")).await?);
        let outcome = &outcomes[&name];
        assert_eq!(live["spec"]["defaultIsolated"], true, "{name} was overwritten: {outcome}");
        match text(&outcome["outcome"]).as_str() {
            "changed_meanwhile" => {
                reported += 1;
                let fields = outcome["detail"]["fields"].as_array().context("the fields")?;
                let field = fields.iter().find(|f| f["path"] == "spec.defaultIsolated").context("the field")?;
                assert_eq!((&field["manager"], &field["live"]), (&json!("night-shift"), &json!(true)), "{outcome}");
                assert!(text(&outcome["message"]).contains("by night-shift"), "{outcome}");
                assert_ne!(live["spec"]["defaultRestricted"], true, "{name}");
            }
            // It was written before kubectl came to it; then the re-read tells.
            "not_verified" => assert!(text(&outcome["message"]).contains("spec.defaultIsolated"), "{outcome}"),
            // Or after the re-read, when kubectl is slow; then the next look tells.
            "updated" => later.push(format!("vpc-{n}")),
            other => panic!("{name} ended as {other}: {outcome}"),
        }
    }
    assert!(reported >= 4, "the writes at the door met the changes: {reported}");
    assert_ne!(operation["state"], "succeeded", "{operation}");
    assert_eq!(site.press("sync_from_fabric").await?["state"], "succeeded");
    for name in &later {
        let page = site.object_page("VPC.vpc.githedgehog.com", name).await?;
        assert!(page.visible_text().contains("by night-shift"), "{name}: {}", page.visible_text());
    }
    // Pressing again is with open eyes: what is overwritten, and whose it was, is kept.
    let (operation, outcomes) = site.sync().await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    let overwrote = text(&outcomes["VPC/vpc-20"]["overwrote"][0]);
    assert!(overwrote.contains("spec.defaultIsolated") && overwrote.contains("by night-shift"), "{overwrote}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_cannot_be_read_is_named_in_the_outcomes() -> Result<()> {
    let mut site = Site::start().await?;
    site.commit(&fabric_files()).await?;
    site.synced().await?;
    site.door.add(Rule::on("GET", "/gatewaypeerings").answer(
        403,
        "Forbidden",
        "gatewaypeerings.gateway.githedgehog.com is forbidden: User \"hedgerow\" cannot list resource \"gatewaypeerings\"",
    ));
    let (operation, outcomes) = site.sync().await?;
    let blocked = &outcomes["GatewayPeering/vpc-01--vpc-02"];
    assert_eq!(
        (&blocked["outcome"], &blocked["code"]),
        (&json!("not_attempted"), &json!("kubernetes_forbidden")),
        "{blocked}"
    );
    assert_ne!(operation["state"], "succeeded");
    assert_eq!(operation["code"], "kubernetes_forbidden", "{operation}");
    let problems = operation["result"]["problems"].as_array().context("the problems")?;
    assert!(
        problems.iter().any(|p| p["kind"] == "GatewayPeering" && p["code"] == "kubernetes_forbidden"),
        "{problems:?}"
    );
    // It is no concern of a run that is about something else.
    let (operation, _) = site.sync_with(json!({"kind": ["VPC.vpc.githedgehog.com"]})).await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    site.door.clear();
    site.synced().await?;
    Ok(())
}
