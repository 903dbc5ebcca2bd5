//! What a sync says when somebody or something comes between its writes and its proof: what was written and could not be
//! read back, what somebody created meanwhile, what is being deleted. Answers that do not pass are asked for once.

use crate::apart::{Apart, Behind, Database, SOON, VPCS, end_of};
use crate::world::{vpc, world};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testkit::{Gate, Rule};

fn outcome<'a>(operation: &'a Value, name: &str) -> Result<&'a Value> {
    let rows = operation["outcomes"]["results"].as_array().context("the objects")?;
    rows.iter().find(|row| row["key"]["name"] == name).with_context(|| format!("{name} is no object of {operation}"))
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Presses Sync, and holds it where it has sent its first VPCs; gives the address of the operation.
async fn held_at_the_vpcs(apart: &mut Apart, fabric: &Behind, gate: &Gate) -> Result<String> {
    fabric.front.add(Rule::on("POST", "/vpcs?").without("dryRun").hold(gate));
    let location = fabric.begin(&mut apart.user, "sync_to_kubernetes").await?;
    gate.arrived(SOON).await?;
    Ok(location)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_and_could_not_be_read_back_was_done_and_is_called_so() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let all = usize::from(VPCS) + 2;
    // The token is revoked for everything, and the right to read one kind is lost.
    let forbidden = "vpcs.vpc.githedgehog.com is forbidden: User \"x\" cannot list resource \"vpcs\" in API group";
    for (rule, code, unread) in [
        (Rule::on("GET", "/").unauthorized(), "kubernetes_unauthorized", all),
        (Rule::on("GET", "/vpcs?").answer(403, "Forbidden", forbidden), "kubernetes_forbidden", VPCS.into()),
    ] {
        let fabric = apart.fabric().await?;
        let gate = Gate::default();
        let location = held_at_the_vpcs(&mut apart, &fabric, &gate).await?;
        fabric.front.add(rule);
        gate.open();
        let ended = end_of(&mut apart.user, &location).await?;
        ensure!(ended["state"] == "partial" && ended["code"] == code, "{ended}");
        let said = format!(
            "{} of {all} objects are live as desired; {unread} were written and could not be read back. ",
            all - unread
        );
        ensure!(words(&ended["message"]).starts_with(&said), "{said}: {ended}");
        ensure!(outcome(&ended, "vpc-01")?["outcome"] == "not_verified", "{ended}");
        ensure!(fabric.live("vpc-01").await?.is_some(), "it was written");
        let page = apart.user.visit(&location).await?.visible_text();
        ensure!(page.contains("were written and could not be read back"), "{page}");
        // What is not read back is not green, and the next run proves it.
        let status = fabric.status(&mut apart.user).await?;
        ensure!(status["sync_status"] != "in_sync", "{status}");
        fabric.heal();
        fabric.syncs(&mut apart.user).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_created_meanwhile_is_not_said_to_have_been_changed() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    let gate = Gate::default();
    let location = held_at_the_vpcs(&mut apart, &fabric, &gate).await?;
    let mut theirs: Value = serde_saphyr::from_str(&vpc("vpc-01", 1, 1999))?;
    theirs["metadata"]["namespace"] = fabric.name.as_str().into();
    world().await.plane.client()?.create(&theirs).await?;
    gate.open();
    let ended = end_of(&mut apart.user, &location).await?;
    ensure!(ended["state"] == "partial" && ended["code"] == "kubernetes_conflict", "{ended}");
    let row = outcome(&ended, "vpc-01")?;
    ensure!(row["outcome"] == "changed_meanwhile", "{row}");
    let said = words(&row["message"]);
    ensure!(said.starts_with("It was created by somebody else between comparison and write (spec."), "{said}");
    ensure!(said.contains("vlan: 1999 in the cluster, 1001 in Git"), "{said}");
    ensure!(!said.contains("became") && !said.contains("changed"), "it was never anything else: {said}");
    let live = fabric.live("vpc-01").await?.context("it is there")?;
    ensure!(live["spec"]["subnets"]["default"]["vlan"] == 1999, "it was not overwritten: {live}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_deleted_is_not_in_sync_and_is_created_again_when_it_is_gone() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    fabric.syncs(&mut apart.user).await?;
    let (client, vpc) = (world().await.plane.client()?, format!("{}/vpc-01", fabric.name));
    client.patch("VPC", &vpc, &json!({"metadata": {"finalizers": ["example.test/hold"]}})).await?;
    client.delete("VPC", &vpc).await?;
    let held = fabric.live("vpc-01").await?.context("its finalizer holds it")?;
    let since = words(&held["metadata"]["deletionTimestamp"]);
    fabric.press(&mut apart.user, "sync_from_fabric").await?;
    let status = fabric.status(&mut apart.user).await?;
    ensure!(status["sync_status"] == "out_of_sync", "{status}");
    let page = format!("/fabrics/{}/objects/VPC.vpc.githedgehog.com/{vpc}/", fabric.id);
    let shown = apart.user.visit(&page).await?.visible_text();
    let said = format!("It is being deleted since {since}, held by its finalizers (example.test/hold).");
    ensure!(shown.contains("metadata.deletionTimestamp") && shown.contains(&said), "{said}: {shown}");
    let review = apart.user.visit(&format!("/fabrics/{}/sync/review/", fabric.id)).await?.visible_text();
    ensure!(review.contains("Being deleted, waits") && review.contains(&said), "{review}");
    ensure!(!review.contains("somebody else set"), "{review}");
    ensure!(review.contains("1 being deleted, would wait") && !review.contains("would be updated"), "{review}");

    fabric.front.take_calls();
    let ended = fabric.press(&mut apart.user, "sync_to_kubernetes").await?;
    ensure!(ended["state"] == "failed" && ended["code"] == "deletion_pending", "{ended}");
    let row = outcome(&ended, "vpc-01")?;
    ensure!(row["outcome"] == "waiting_for_reference" && row["verified"] == false, "{row}");
    ensure!(words(&row["message"]).starts_with(&said), "{said}: {row}");
    ensure!(fabric.written().is_empty(), "nothing is written to it: {:?}", fabric.written());
    ensure!(fabric.status(&mut apart.user).await?["sync_status"] != "in_sync");

    client.patch("VPC", &vpc, &json!({"metadata": {"finalizers": null}})).await?;
    ensure!(fabric.live("vpc-01").await?.is_none(), "it is gone");
    fabric.syncs(&mut apart.user).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_something_else_answers_is_sent_once() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    // A proxy's page instead of a Kubernetes answer: the code is that of a connection that failed, and it does not pass.
    fabric.front.add(Rule::on("POST", "/ipv4namespaces?").without("dryRun").text(200, "text/html", "<p>Welcome</p>"));
    let ended = fabric.press(&mut apart.user, "sync_to_kubernetes").await?;
    ensure!(ended["code"] == "connection_failed", "{ended}");
    let calls = fabric.front.calls();
    let sent = calls.iter().filter(|call| call.method == "POST" && call.path.contains("/ipv4namespaces?"));
    let sent: Vec<&str> = sent.map(|call| call.path.as_str()).filter(|path| !path.contains("dryRun")).collect();
    assert_eq!(sent.len(), 1, "{sent:?}");
    ensure!(outcome(&ended, "default")?["attempts"] == 1, "{ended}");
    Ok(())
}
