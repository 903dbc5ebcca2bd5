//! Deleting what Git names no more: only what is Hedgerow's own, in reverse order, shown and confirmed; with Hedgehog's
//! webhooks, controller and agents. What was deleted is read from the cluster, the order from the API server's door.

use crate::site::{Site, fabric_files, stopped_by_preflight, text};
use crate::world::{self, vpc};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{AgentMode, Gate, Rule, eventually};

fn attachment(name: &str, vpc: &str) -> String {
    format!(
        "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPCAttachment\nmetadata:\n  name: {name}\nspec:\n  subnet: \
         {vpc}/default\n  connection: server-02--unbundled--leaf-03\n"
    )
}

/// VPCs vpc-11 and up, each in a file of its own, and the attachment of vpc-12.
fn more() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> =
        (11..=15).map(|n| (format!("more/vpc-{n}.yaml"), vpc(&format!("vpc-{n}"), n, 1000 + u16::from(n)))).collect();
    files.push(("more/attachment.yaml".to_owned(), attachment("vpc-12--server-02", "vpc-12")));
    files
}

async fn start() -> Result<Site> {
    let mut site = Site::start().await?;
    let more = more();
    let mut files = fabric_files();
    files.extend(more.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))));
    site.commit(&files).await?;
    site.synced().await?;
    Ok(site)
}

/// Git drops files, and the page knows it.
async fn drop_files(site: &mut Site, paths: &[&str]) -> Result<()> {
    let files: Vec<_> = paths.iter().map(|path| (*path, None)).collect();
    site.commit(&files).await?;
    ensure!(site.press("sync_from_git").await?["state"] == "succeeded");
    Ok(())
}

/// The deletions that came to the API server, as kind/name.
fn deleted(site: &Site) -> Vec<String> {
    let calls = site.writes(true).into_iter().filter(|call| call.starts_with("DELETE"));
    calls
        .map(|call| {
            let path = call.split('?').next().unwrap_or_default().to_owned();
            path.rsplit('/').take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("/")
        })
        .collect()
}

fn said(outcome: &Value) -> (String, bool, String) {
    (text(&outcome["outcome"]), outcome["verified"] == true, text(&outcome["message"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_git_drops_goes_in_reverse_order_and_what_is_not_ours_stays() -> Result<()> {
    let mut site = start().await?;
    // Another person's VPC, and one of ours that is to be kept.
    let foreign: Value = serde_saphyr::from_str(&vpc("foreign", 90, 1090))?;
    let mut foreign = foreign;
    foreign["metadata"]["namespace"] = "default".into();
    site.client.create(&foreign).await?;
    let keep = json!({"metadata": {"annotations": {"hedgerow.io/prune": "disabled"}}});
    site.client.patch("VPC", "vpc-13", &keep).await?;
    let old_page = site.page().await?;
    drop_files(&mut site, &["more/vpc-12.yaml", "more/vpc-13.yaml", "more/attachment.yaml"]).await?;
    let before = site.versions().await?;
    site.writes(true);

    // Not asked for, or not allowed: everything stays.
    let (operation, outcomes) = site.sync().await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert_eq!(outcomes["VPC/vpc-12"]["outcome"], "extra");
    let (operation, _) = site.sync_with(json!({"prune": true})).await?;
    assert_eq!((&operation["state"], &operation["code"]), (&json!("failed"), &json!("prune_not_allowed")));
    site.allow_prune(60).await?;
    // A dry run asks, and says what the server cannot know.
    let (operation, outcomes) = site.sync_with(json!({"prune": true, "dry_run": true})).await?;
    assert_eq!(operation["state"], "succeeded", "{operation} {outcomes:?}");
    assert_eq!(outcomes["VPCAttachment/vpc-12--server-02"]["outcome"], "pruned");
    let unjudged = &outcomes["VPC/vpc-12"];
    assert_eq!(
        (&unjudged["outcome"], &unjudged["code"]),
        (&json!("waiting_for_reference"), &json!(null)),
        "{unjudged}"
    );
    assert_eq!(unjudged["detail"]["waiting_for"], "VPCAttachment vpc-12--server-02", "{unjudged}");
    assert_eq!(site.versions().await?, before, "nothing was changed");
    // A page from before Git dropped them showed no deletion, so it orders none.
    let (operation, outcomes) = site.sync_from(&old_page, json!({"prune": true})).await?;
    assert_eq!(operation["code"], "changed_since_comparison", "{operation}");
    for name in ["VPC/vpc-12", "VPCAttachment/vpc-12--server-02"] {
        let (outcome, _, message) = said(&outcomes[name]);
        assert!(outcome == "changed_meanwhile" && message.contains("since the page was shown"), "{name}: {message}");
    }
    assert_eq!(site.versions().await?, before, "nothing was changed");

    site.writes(true);
    let (operation, outcomes) = site.sync_with(json!({"prune": true})).await?;
    assert_eq!(operation["state"], "succeeded", "{operation} {outcomes:?}");
    assert!(text(&operation["message"]).starts_with("2 deleted; all "), "{operation}");
    assert_eq!(deleted(&site), ["vpcattachments/vpc-12--server-02", "vpcs/vpc-12"]);
    for name in ["VPC/vpc-12", "VPCAttachment/vpc-12--server-02"] {
        let (outcome, verified, message) = said(&outcomes[name]);
        assert_eq!((outcome.as_str(), verified), ("pruned", true), "{name}: {message}");
    }
    assert_eq!(outcomes["VPCAttachment/vpc-12--server-02"]["detail"]["switches"], json!(["leaf-03"]));
    assert!(said(&outcomes["VPC/vpc-13"]).2.contains("hedgerow.io/prune: disabled"), "{}", outcomes["VPC/vpc-13"]);
    assert!(said(&outcomes["VPC/foreign"]).2.contains("not written by Hedgerow"), "{}", outcomes["VPC/foreign"]);
    for name in ["foreign", "vpc-13", "vpc-01"] {
        site.there("VPC", name).await?;
    }
    assert!(site.live("VPC", "vpc-12").await?.is_none());
    let rollout = operation["phases"].as_array().and_then(|all| all.last()).context("the last phase")?;
    assert_eq!((&rollout["phase"], &rollout["state"]), (&json!("rollout"), &json!("done")), "{rollout}");
    assert!(text(&rollout["detail"]).contains("applied"), "a deletion is followed, too: {rollout}");

    // The server deletes it, and its answer is lost; another one may not be read while it is waited for, and is gone when
    // everything is read again.
    drop_files(&mut site, &["more/vpc-14.yaml", "more/vpc-15.yaml"]).await?;
    site.door.add(Rule::on("DELETE", "/vpcs/vpc-14").times(1).break_off(0));
    let forbidden = "vpcs.vpc.githedgehog.com is forbidden: User \"x\" cannot get resource \"vpcs\" in API group";
    site.door.add(Rule::on("GET", "/vpcs/vpc-15").answer(403, "Forbidden", forbidden));
    let (operation, outcomes) = site.sync_with(json!({"prune": true})).await?;
    site.door.clear();
    let lost = &outcomes["VPC/vpc-14"];
    assert_eq!((&lost["outcome"], &lost["attempts"], &lost["verified"]), (&json!("pruned"), &json!(2), &json!(true)));
    assert!(text(&lost["message"]).starts_with("It was deleted by an earlier try whose answer was lost"), "{lost}");
    let unread = &outcomes["VPC/vpc-15"];
    assert_eq!((&unread["outcome"], &unread["verified"]), (&json!("pruned"), &json!(true)), "{unread}");
    let message = text(&unread["message"]);
    assert!(message.starts_with("The deletion was accepted, but whether it is gone"), "{unread}");
    assert!(message.ends_with("Read back, it is gone."), "{unread}");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert!(text(&operation["message"]).starts_with("2 deleted; all "), "{operation}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn for_much_and_for_all_the_fabrics_name_is_to_be_typed() -> Result<()> {
    let mut site = start().await?;
    site.allow_prune(5).await?;
    drop_files(&mut site, &["more/vpc-11.yaml", "more/vpc-12.yaml", "more/vpc-13.yaml", "more/attachment.yaml"])
        .await?;
    let before = site.versions().await?;
    for (options, words) in [
        (json!({"prune": true}), "VPC vpc-11"),
        (json!({"prune": true, "prune_confirmation": "siite"}), "'siite' is not its name"),
    ] {
        let (operation, outcomes) = site.sync_with(options).await?;
        assert_eq!((&operation["state"], &operation["code"]), (&json!("failed"), &json!("prune_unconfirmed")));
        let message = text(&operation["message"]);
        assert!(message.contains("4 of the ") && message.contains(words), "{message}");
        assert_eq!(outcomes["VPC/vpc-11"]["outcome"], "not_attempted");
        assert_eq!(site.versions().await?, before, "nothing was written");
        // From the operation it is one step to the field that asks for the name.
        let page = site.operation_page(&operation).await?;
        let link = "[data-live=operation-notices] a[href*='/review/']";
        let review = page.attribute(link, "href")?.context("a link to the review")?;
        let review = site.user.visit(&review).await?;
        ensure!(review.attribute("#id_prune_confirmation", "name").is_ok(), "{}", review.visible_text());
    }
    let (operation, _) = site.sync_with(json!({"prune": true, "prune_confirmation": "site"})).await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert!(site.live("VPC", "vpc-11").await?.is_none());

    // The source is empty, perhaps by mistake: everything would go.
    site.allow_prune(100).await?;
    let all: Vec<String> = fabric_files().iter().map(|(path, _)| (*path).to_owned()).collect();
    let mut all: Vec<&str> = all.iter().map(String::as_str).collect();
    all.extend(["more/vpc-14.yaml", "more/vpc-15.yaml"]);
    drop_files(&mut site, &all).await?;
    let before = site.versions().await?;
    let (operation, _) = site.sync_with(json!({"prune": true})).await?;
    assert_eq!(operation["code"], "prune_unconfirmed", "{operation}");
    assert!(text(&operation["message"]).contains("The source holds no objects at all"), "{operation}");
    assert_eq!(site.versions().await?, before, "nothing was written");
    let (operation, outcomes) = site.sync_with(json!({"prune": true, "prune_confirmation": "site"})).await?;
    assert_eq!(operation["state"], "succeeded", "{operation} {outcomes:?}");
    for kind in ["Switch", "Connection", "Server", "VPC", "GatewayPeering", "IPv4Namespace", "SwitchGroup"] {
        ensure!(site.client.list(kind).await?.is_empty(), "{kind} is left");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_used_stays_with_the_reason_and_without_a_loop() -> Result<()> {
    let mut site = start().await?;
    site.allow_prune(90).await?;
    // Hedgehog would let a VPC go that a gateway peering names; this does not begin.
    let kept = include_str!("fabric/vpcs.yaml");
    let documents: Vec<&str> = kept.split("---\n").collect();
    let without = |names: &[&str]| -> String {
        let stays = |document: &&&str| !names.iter().any(|name| document.contains(&format!("  name: {name}\n")));
        documents.iter().filter(stays).copied().collect::<Vec<_>>().join("---\n")
    };
    site.write("vpcs.yaml", &without(&["vpc-02", "vpc-02--server-02"])).await?;
    ensure!(site.press("sync_from_git").await?["state"] == "succeeded");
    let before = site.versions().await?;
    let (operation, _) = site.sync_with(json!({"prune": true})).await?;
    stopped_by_preflight(&operation);
    let message = text(&operation["message"]);
    assert!(message.contains("VPC vpc-02 is not to be deleted: GatewayPeering vpc-01--vpc-02 uses it"), "{message}");
    assert_eq!(site.versions().await?, before, "nothing was written");

    // Without the peering it may go; but another person has attached it, and the webhook says so, once.
    site.write("vpcs.yaml", &without(&["vpc-02", "vpc-02--server-02", "vpc-01--vpc-02"])).await?;
    let mut theirs: Value = serde_saphyr::from_str(
        &attachment("theirs", "vpc-02").replace("server-02--unbundled--leaf-03", "server-01--eslag--leaf-01--leaf-02"),
    )?;
    theirs["metadata"]["namespace"] = "default".into();
    site.client.create(&theirs).await?;
    // And somebody's finalizer keeps vpc-15.
    let hold = json!({"metadata": {"finalizers": ["example.test/hold"]}});
    site.client.patch("VPC", "vpc-15", &hold).await?;
    drop_files(&mut site, &["more/vpc-15.yaml"]).await?;
    site.writes(true);
    let (operation, outcomes) = site.sync_with(json!({"prune": true})).await?;
    assert_eq!(operation["state"], "partial", "{operation}");
    let refused = &outcomes["VPC/vpc-02"];
    assert_eq!((&refused["outcome"], &refused["attempts"]), (&json!("refused"), &json!(1)), "{refused}");
    assert_eq!(refused["detail"]["webhook"], "vvpc.kb.io", "{refused}");
    assert!(text(&refused["message"]).contains("VPC has attachments"), "{refused}");
    assert_eq!(said(&outcomes["VPCAttachment/vpc-02--server-02"]).0, "pruned");
    let held = said(&outcomes["VPC/vpc-15"]);
    assert_eq!((held.0.as_str(), held.1), ("not_verified", false), "{held:?}");
    assert!(held.2.contains("finalizers keep it (example.test/hold)"), "{held:?}");
    assert!(held.2.contains("Read back, it is being deleted since "), "{held:?}");
    assert!(text(&operation["message"]).contains("2 of 4 deletions were done"), "{operation}");
    let calls = deleted(&site);
    assert_eq!(calls.iter().filter(|call| *call == "vpcs/vpc-02").count(), 1, "{calls:?}");
    site.there("VPC", "vpc-02").await?;

    site.client.patch("VPC", "vpc-15", &json!({"metadata": {"finalizers": null}})).await?;
    site.client.delete("VPCAttachment", "theirs").await?;
    ensure!(site.press("sync_from_fabric").await?["state"] == "succeeded");
    let (operation, _) = site.sync_with(json!({"prune": true})).await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert!(site.live("VPC", "vpc-02").await?.is_none() && site.live("VPC", "vpc-15").await?.is_none());
    assert_eq!(site.status().await?["sync_status"], "in_sync");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_frees_comes_first_and_a_broken_file_deletes_nothing() -> Result<()> {
    let mut site = start().await?;
    site.allow_prune(50).await?;
    // The attachment moves to a VPC that is new; what it leaves goes.
    let moved = attachment("vpc-12--server-02", "vpc-16");
    let new = vpc("vpc-16", 16, 1016);
    let files = [
        ("more/vpc-12.yaml", None),
        ("more/attachment.yaml", Some(moved.as_str())),
        ("more/vpc-16.yaml", Some(new.as_str())),
        ("more/broken.yaml", Some("kind: VPC\n  metadata: [")),
    ];
    site.commit(&files).await?;
    ensure!(site.press("sync_from_git").await?["state"] == "succeeded");
    // A document that cannot be read may be the one that names it.
    let (operation, outcomes) = site.sync_with(json!({"prune": true, "dry_run": true})).await?;
    let kept = &outcomes["VPC/vpc-12"];
    assert_eq!((&kept["outcome"], &kept["code"]), (&json!("not_attempted"), &json!("source_invalid")), "{kept}");
    let words = "1 document of the source could not be read (more/broken.yaml:2:";
    assert!(text(&kept["message"]).contains(words), "{kept} {operation}");
    site.commit(&[("more/broken.yaml", None)]).await?;
    ensure!(site.press("sync_from_git").await?["state"] == "succeeded");

    site.writes(true);
    let (operation, outcomes) = site.sync_with(json!({"prune": true})).await?;
    assert_eq!(operation["state"], "succeeded", "{operation} {outcomes:?}");
    let mut calls: Vec<String> = site
        .writes(false)
        .into_iter()
        .map(|call| {
            call.split('?')
                .next()
                .unwrap_or_default()
                .replace("/apis/vpc.githedgehog.com/v1beta1/namespaces/default/", "")
        })
        .collect();
    // A webhook that knows the new VPC a moment later is asked again.
    calls.dedup();
    assert_eq!(calls, ["POST vpcs", "PUT vpcattachments/vpc-12--server-02", "DELETE vpcs/vpc-12"]);
    assert!(site.live("VPC", "vpc-12").await?.is_none());
    assert_eq!(site.there("VPCAttachment", "vpc-12--server-02").await?["spec"]["subnet"], "vpc-16/default");
    assert_eq!(site.status().await?["sync_status"], "in_sync");
    Ok(())
}

/// The outcome of an object that is not created before leaf-03 has applied the deletion of one of its name.
fn waits_for_leaf_03(outcome: &Value) {
    assert_eq!(
        (&outcome["outcome"], &outcome["code"], &outcome["detail"]["waiting_for"]),
        (&json!("waiting_for_reference"), &json!("deletion_pending"), &json!("Switch leaf-03")),
        "{outcome}"
    );
}

/// Everything is applied, and Git drops a VPC. Its switch is told of what happens to it, and does not apply it.
async fn vpc_12_dropped_and_leaf_03_stuck() -> Result<Site> {
    let mut site = start().await?;
    site.until("every switch has applied everything", crate::site::all_applied).await?;
    site.allow_prune(60).await?;
    site.hedgehog.set_agent("leaf-03", AgentMode::Stuck);
    drop_files(&mut site, &["more/vpc-12.yaml", "more/attachment.yaml"]).await?;
    Ok(site)
}

/// Git names it again: it is not created before leaf-03 has applied that it is gone, and then it is.
async fn vpc_12_named_again_waits(site: &mut Site) -> Result<()> {
    let back = more();
    let again = |path: &str| back.iter().find(|(at, _)| at == path).map(|(_, text)| text.clone()).unwrap_or_default();
    let (vpc, attachment) = (again("more/vpc-12.yaml"), again("more/attachment.yaml"));
    site.commit(&[("more/vpc-12.yaml", Some(&vpc)), ("more/attachment.yaml", Some(&attachment))]).await?;
    eventually(Duration::from_secs(30), "leaf-03 is told, and has not applied it", || async {
        let agent = site.there("Agent", "leaf-03").await?;
        ensure!(agent["spec"]["vpcs"]["vpc-12"].is_null(), "it is still told of it");
        ensure!(agent["status"]["lastAppliedGen"] != agent["metadata"]["generation"], "it has applied that");
        Ok(())
    })
    .await?;
    ensure!(site.press("sync_from_git").await?["state"] == "succeeded");
    the_review_says_that_it_waits(site).await?;
    let (_, outcomes) = site.sync().await?;
    waits_for_leaf_03(&outcomes["VPC/vpc-12"]);
    assert!(site.live("VPC", "vpc-12").await?.is_none());
    site.hedgehog.set_agent("leaf-03", AgentMode::Working);
    site.until("every switch has applied what is left", crate::site::all_applied).await?;
    site.synced().await?;
    site.there("VPC", "vpc-12").await.map(drop)
}

/// What a sync has deleted is known as well as what somebody deletes with kubectl, though nothing is left of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_pruned_vpc_that_git_names_again_waits_for_every_switch() -> Result<()> {
    let mut site = vpc_12_dropped_and_leaf_03_stuck().await?;
    let (operation, outcomes) = site.sync_with(json!({"prune": true})).await?;
    assert_eq!(outcomes["VPC/vpc-12"]["outcome"], "pruned", "{operation}");
    vpc_12_named_again_waits(&mut site).await
}

/// The server deletes it, no answer comes, and it cannot be read back: nobody knows, so it may have been deleted.
#[tokio::test(flavor = "multi_thread")]
async fn a_vpc_that_may_have_been_pruned_waits_for_every_switch_as_well() -> Result<()> {
    let mut site = vpc_12_dropped_and_leaf_03_stuck().await?;
    let gate = Gate::default();
    site.door.add(Rule::on("DELETE", "/vpcs/vpc-12").hold(&gate));
    let page = site.page().await?;
    let location = site.begin_from(&page, json!({"prune": true})).await?;
    gate.arrived(Duration::from_secs(60)).await?;
    site.door.add(Rule::on("DELETE", "/vpcs/vpc-12").break_off(0));
    let forbidden = "vpcs.vpc.githedgehog.com is forbidden: User \"x\" cannot list resource \"vpcs\" in API group";
    site.door.add(Rule::on("GET", "/vpcs?").answer(403, "Forbidden", forbidden));
    gate.open();
    let operation = world::ended(&mut site.user, &location).await?;
    let (operation, outcomes) = site.outcomes_of(operation).await?;
    assert_eq!(outcomes["VPC/vpc-12"]["outcome"], "unknown", "{operation}");
    site.door.clear();
    // What is compared before Git names it again knows of no such VPC.
    ensure!(site.press("sync_from_fabric").await?["state"] == "succeeded");
    vpc_12_named_again_waits(&mut site).await
}

/// What a sync will not do yet is said before it is pressed.
async fn the_review_says_that_it_waits(site: &mut Site) -> Result<()> {
    let review = site.user.visit(&format!("/fabrics/{}/sync/review/", site.id)).await?.visible_text();
    for part in ["1 would wait for a deletion", "A VPC of this name was deleted, and leaf-03 has not applied that yet"]
    {
        ensure!(review.contains(part), "{part}: {review}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_vpc_is_not_created_again_before_every_switch_has_let_it_go() -> Result<()> {
    let mut site = start().await?;
    site.until("every switch has applied everything", crate::site::all_applied).await?;
    // The controller is down while somebody deletes the VPC: its switch still runs it.
    site.hedgehog.set_controller(false);
    site.client.delete("VPCAttachment", "vpc-12--server-02").await?;
    eventually(Duration::from_secs(20), "the VPC can be deleted", || async {
        site.client.delete("VPC", "vpc-12").await
    })
    .await?;
    ensure!(site.press("sync_from_fabric").await?["state"] == "succeeded");
    the_review_says_that_it_waits(&mut site).await?;
    let (operation, outcomes) = site.sync().await?;
    waits_for_leaf_03(&outcomes["VPC/vpc-12"]);
    assert_eq!(outcomes["VPCAttachment/vpc-12--server-02"]["outcome"], "waiting_for_reference");
    assert_eq!(operation["code"], "deletion_pending", "{operation}");
    assert!(site.live("VPC", "vpc-12").await?.is_none());

    site.hedgehog.set_controller(true);
    eventually(Duration::from_secs(30), "leaf-03 has let it go", || async {
        let agent = site.there("Agent", "leaf-03").await?;
        ensure!(agent["spec"]["vpcs"]["vpc-12"].is_null(), "it still holds it");
        ensure!(agent["status"]["lastAppliedGen"] == agent["metadata"]["generation"], "not applied yet");
        Ok(())
    })
    .await?;
    site.synced().await?;
    site.there("VPC", "vpc-12").await?;
    site.there("VPCAttachment", "vpc-12--server-02").await?;
    Ok(())
}
