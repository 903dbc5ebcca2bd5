//! What a sync says when somebody or something comes between its writes and its proof: what was written and could not be
//! read back, what nobody knows because no answer came either, what somebody created meanwhile, what is being deleted. Answers that do not pass are asked for once.

use crate::apart::{Apart, Behind, Database, LEFTOVER, PRUNING, SOON, VPCS, end_of, operation};
use crate::world::{vpc, world};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testkit::{Gate, Rule, eventually};

fn outcome<'a>(operation: &'a Value, name: &str) -> Result<&'a Value> {
    let rows = operation["outcomes"]["results"].as_array().context("the objects")?;
    rows.iter().find(|row| row["key"]["name"] == name).with_context(|| format!("{name} is no object of {operation}"))
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

const NO_VPCS: &str = "vpcs.vpc.githedgehog.com is forbidden: User \"x\" cannot list resource \"vpcs\" in API group";

/// Presses Sync with prune where a VPC is left over, and holds it where it has sent its deletion; gives the address of the
/// operation.
async fn held_at_the_deletion(apart: &mut Apart, fabric: &Behind, gate: &Gate) -> Result<String> {
    fabric.has_leftover(&mut apart.user).await?;
    fabric.front.add(Rule::on("DELETE", "/vpcs/").hold(gate));
    let location = fabric.begin_with(&mut apart.user, PRUNING).await?;
    gate.arrived(SOON).await?;
    Ok(location)
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
    for (rule, code, unread) in [
        (Rule::on("GET", "/").unauthorized(), "kubernetes_unauthorized", all),
        (Rule::on("GET", "/vpcs?").answer(403, "Forbidden", NO_VPCS), "kubernetes_forbidden", VPCS.into()),
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
async fn a_write_without_an_answer_that_cannot_be_read_back_is_known_by_nobody() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    // The server writes each time and nobody learns of it, and then the kind may not be read; nor may each object, so that
    // what the second try meets is not known either.
    for (unread, code) in [("/vpcs?", "kubernetes_unavailable"), ("/vpcs", "kubernetes_forbidden")] {
        let fabric = apart.fabric().await?;
        let gate = Gate::default();
        let location = held_at_the_vpcs(&mut apart, &fabric, &gate).await?;
        let lost = Rule::on("POST", "/vpcs?").without("dryRun").break_off(0);
        fabric.front.add(if code == "kubernetes_forbidden" { lost.times(VPCS.into()) } else { lost });
        fabric.front.add(Rule::on("GET", unread).answer(403, "Forbidden", NO_VPCS));
        gate.open();
        let ended = end_of(&mut apart.user, &location).await?;
        ensure!(ended["state"] == "partial" && ended["code"] == code, "{ended}");
        let said = "2 of 5 objects are live as desired; 3 may or may not have been written and could not be read back.";
        ensure!(words(&ended["message"]).starts_with(said), "{ended}");
        ensure!(ended["result"]["outcomes"]["unknown"] == VPCS, "{ended}");
        let row = outcome(&ended, "vpc-01")?;
        ensure!(row["outcome"] == "unknown" && row["verified"] == false && row["code"] == code, "{row}");
        let (why, then) = ("No clear answer to its write came (", "It may or may not have been written; the next run");
        ensure!(words(&row["message"]).starts_with(why) && words(&row["message"]).contains(then), "{row}");
        let phases = ended["phases"].as_array().context("phases")?;
        let apply = phases.iter().find(|phase| phase["phase"] == "apply").context("apply")?;
        ensure!(words(&apply["detail"]).ends_with("0 not done, 3 without a clear answer"), "{apply}");
        let page = apart.user.visit(&location).await?.visible_text();
        ensure!(page.contains(said) && page.contains("5: 3 not known, 2 read back and as desired"), "{page}");
        let activity = apart.user.visit(&format!("/fabrics/{}/activity/", fabric.id)).await?.visible_text();
        ensure!(activity.contains(said), "{activity}");
        ensure!(fabric.live("vpc-01").await?.is_some(), "it was written");
        ensure!(fabric.status(&mut apart.user).await?["sync_status"] != "in_sync");
        fabric.heal();
        fabric.syncs(&mut apart.user).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_without_an_answer_is_what_was_read_back_or_known_by_nobody() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let lost = || Rule::on("DELETE", "/vpcs/").break_off(0);
    let refused = || Rule::on("DELETE", "/vpcs/").answer(500, "InternalError", "etcdserver: request timed out");
    let unread = || Some(Rule::on("GET", "/vpcs?").answer(403, "Forbidden", NO_VPCS));
    for (deletion, unread, outcome_word, told, summary) in [
        (lost(), None, "pruned", "Read back, it is gone.", "1 deleted; all 5 are live as desired."),
        (refused(), None, "failed", "Read back, it is still there.", "0 of 1 deletions were done."),
        (
            lost(),
            unread(),
            "unknown",
            "It may or may not have been deleted; the next run looks at it again.",
            "0 of 1 deletions were done, and 1 more may or may not have been deleted and could not be read back.",
        ),
    ] {
        let fabric = apart.fabric().await?;
        let gate = Gate::default();
        let location = held_at_the_deletion(&mut apart, &fabric, &gate).await?;
        fabric.front.add(deletion);
        unread.into_iter().for_each(|rule| fabric.front.add(rule));
        gate.open();
        let ended = end_of(&mut apart.user, &location).await?;
        let row = outcome(&ended, LEFTOVER)?;
        ensure!(row["outcome"] == outcome_word && row["verified"] == (outcome_word == "pruned"), "{row}");
        let said = words(&row["message"]);
        ensure!(said.starts_with("No clear answer to its deletion came (") && said.contains(told), "{said}");
        ensure!(words(&ended["message"]).contains(summary), "{summary}: {ended}");
        ensure!((ended["state"] == "succeeded") == (outcome_word == "pruned"), "{ended}");
        ensure!(fabric.live(LEFTOVER).await?.is_none() == (outcome_word != "failed"), "{LEFTOVER}: {ended}");
        fabric.heal();
        let location = fabric.begin_with(&mut apart.user, PRUNING).await?;
        let done = end_of(&mut apart.user, &location).await?;
        ensure!(done["state"] == "succeeded" && fabric.live(LEFTOVER).await?.is_none(), "{done}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_was_accepted_is_looked_at_again() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    // Whether it is gone may not be read while it is waited for, and then: may be read again, or may not.
    for (unread, outcome_word, told, summary) in [
        ("/vpcs/", "pruned", "Read back, it is gone.", "1 deleted; all 5 are live as desired."),
        (
            "/vpcs",
            "not_verified",
            "It could not be read back: ",
            "0 of 1 deletions were done, and 1 more could not be read back.",
        ),
    ] {
        let fabric = apart.fabric().await?;
        let gate = Gate::default();
        let location = held_at_the_deletion(&mut apart, &fabric, &gate).await?;
        fabric.front.add(Rule::on("GET", unread).answer(403, "Forbidden", NO_VPCS));
        gate.open();
        let ended = end_of(&mut apart.user, &location).await?;
        let row = outcome(&ended, LEFTOVER)?;
        ensure!(row["outcome"] == outcome_word && row["verified"] == (outcome_word == "pruned"), "{row}");
        let said = words(&row["message"]);
        ensure!(said.starts_with("The deletion was accepted, but whether it is gone"), "{said}");
        ensure!(said.contains(told) && words(&ended["message"]).contains(summary), "{ended}");
        ensure!((ended["state"] == "succeeded") == (outcome_word == "pruned"), "{ended}");
        fabric.heal();
        fabric.syncs(&mut apart.user).await?;
    }
    // Somebody's finalizer holds it, and the run is ended while it waits.
    let fabric = apart.fabric().await?;
    fabric.has_leftover(&mut apart.user).await?;
    let (client, vpc) = (world().await.plane.client()?, format!("{}/{LEFTOVER}", fabric.name));
    client.patch("VPC", &vpc, &json!({"metadata": {"finalizers": ["example.test/hold"]}})).await?;
    let location = fabric.begin_with(&mut apart.user, PRUNING).await?;
    eventually(SOON, "it waits until the VPC is gone", || async {
        let now = operation(&mut apart.tab()?, &location).await?;
        let waits = now["phases"].to_string().contains("Waiting until VPC vpc-09 is gone");
        ensure!(waits && now["state"] == "running", "{now}");
        Ok(())
    })
    .await?;
    let page = apart.user.visit(&location).await?;
    apart.user.submit(&page, "form[data-verb=cancel]", &[]).await?;
    let ended = end_of(&mut apart.user, &location).await?;
    let row = outcome(&ended, LEFTOVER)?;
    ensure!(ended["state"] == "cancelled" && row["outcome"] == "not_verified", "{ended}");
    ensure!(words(&row["message"]) == "Its deletion was accepted. It was not seen to be gone.", "{row}");
    ensure!(words(&ended["message"]).contains("Until then 1 object had been written."), "{ended}");
    client.patch("VPC", &vpc, &json!({"metadata": {"finalizers": null}})).await?;
    fabric.syncs(&mut apart.user).await?;
    Ok(())
}

/// The answer to a deletion is lost, and a finalizer holds the object: the second try meets what goes already.
#[tokio::test(flavor = "multi_thread")]
async fn what_goes_already_by_a_lost_deletion_is_waited_for() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    fabric.has_leftover(&mut apart.user).await?;
    let (client, vpc) = (world().await.plane.client()?, format!("{}/{LEFTOVER}", fabric.name));
    client.patch("VPC", &vpc, &json!({"metadata": {"finalizers": ["example.test/hold"]}})).await?;
    fabric.front.add(Rule::on("DELETE", "/vpcs/").times(1).break_off(0));
    let location = fabric.begin_with(&mut apart.user, PRUNING).await?;
    eventually(SOON, "it waits until the VPC is gone", || async {
        let now = operation(&mut apart.tab()?, &location).await?;
        ensure!(now["phases"].to_string().contains("Waiting until VPC vpc-09 is gone"), "{now}");
        Ok(())
    })
    .await?;
    client.patch("VPC", &vpc, &json!({"metadata": {"finalizers": null}})).await?;
    let ended = end_of(&mut apart.user, &location).await?;
    let row = outcome(&ended, LEFTOVER)?;
    ensure!(row["outcome"] == "pruned" && row["verified"] == true && row["attempts"] == 2, "{row}");
    ensure!(ended["state"] == "succeeded" && fabric.live(LEFTOVER).await?.is_none(), "{ended}");
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
    ensure!(review.contains("1 would wait for a deletion") && !review.contains("would be updated"), "{review}");

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

#[tokio::test(flavor = "multi_thread")]
async fn what_a_first_sync_overwrites_of_others_is_kept_with_whose_it_was() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    let mut object: Value = serde_saphyr::from_str(&vpc("vpc-01", 1, 1234))?;
    object["metadata"]["namespace"] = fabric.name.as_str().into();
    let file = file_of(&fabric.name, &object)?;
    world().await.plane.kubectl(&["apply", "-f", &file]).await?;
    std::fs::remove_file(&file)?;
    // The page shows it, so that the press covers it.
    fabric.press(&mut apart.user, "sync_from_fabric").await?;
    let done = fabric.syncs(&mut apart.user).await?;
    let row = outcome(&done, "vpc-01")?;
    let overwrote = row["overwrote"].as_array().context("what it overwrote")?;
    let said = "spec.subnets.default.vlan: 1234 in the cluster, 1001 in Git, by kubectl-client-side-apply";
    ensure!(row["outcome"] == "updated" && overwrote.iter().any(|line| line == said), "{row}");
    ensure!(outcome(&done, "vpc-02")?["overwrote"] == json!([]), "nobody else had it: {done}");
    let page = apart.user.visit(done["url"].as_str().context("its address")?).await?.visible_text();
    ensure!(page.contains(&format!("overwrote {said}")), "{page}");
    Ok(())
}

/// An object in a file of its own.
fn file_of(name: &str, object: &Value) -> Result<String> {
    let path = std::env::temp_dir().join(format!("{name}.json"));
    std::fs::write(&path, object.to_string())?;
    Ok(path.to_string_lossy().into_owned())
}

/// A policy by which the server rewrites a VPC's VLAN at each write, in one namespace. It goes when this is dropped, also
/// when the journey ends early: the control plane is every journey's.
struct Rewriting {
    name: String,
}

impl Rewriting {
    async fn vlan(namespace: &str, vpc: &str, vlan: u16) -> Result<Self> {
        let name = format!("rewrites-{namespace}");
        let policy = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": name}, "spec": {"reinvocationPolicy": "Never",
            "matchConstraints": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "resourceRules": [{"apiGroups": ["vpc.githedgehog.com"], "apiVersions": ["*"],
                    "operations": ["CREATE", "UPDATE"], "resources": ["vpcs"]}]},
            "matchConditions": [{"name": "one", "expression": format!("object.metadata.name == '{vpc}'")}],
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": format!(
                "[JSONPatch{{op: \"replace\", path: \"/spec/subnets/default/vlan\", value: {vlan}}}]")}}]}});
        let binding = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": name}, "spec": {"policyName": name}});
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [policy, binding]});
        let file = file_of(&name, &list)?;
        // From here on something may be there.
        let ordered = Self { name };
        let created = world().await.plane.kubectl(&["create", "-f", &file]).await;
        std::fs::remove_file(&file)?;
        created.map(|_| ordered)
    }

    /// What there is of it, as `kind/name` a line.
    async fn found(name: &str) -> Result<String> {
        let args = ["get", Self::KINDS, "--output=name", "--field-selector", &format!("metadata.name={name}")];
        world().await.plane.kubectl(&args).await
    }

    const KINDS: &str = "mutatingadmissionpolicybindings,mutatingadmissionpolicies";
}

impl Drop for Rewriting {
    fn drop(&mut self) {
        let gone = async {
            let args = ["delete", Self::KINDS, &self.name, "--ignore-not-found"];
            world().await.plane.kubectl(&args).await
        };
        let gone = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(gone));
        assert!(gone.is_ok() || std::thread::panicking(), "{} stays behind: {gone:?}", self.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_rewrites_at_each_write_is_said_to_be_its_doing() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    let plane = &world().await.plane;
    let rewriting = Rewriting::vlan(&fabric.name, "vpc-01", 1777).await?;
    let name = rewriting.name.clone();
    ensure!(Rewriting::found(&name).await?.lines().count() == 2, "the policy and its binding");
    // The API server takes a moment to notice it.
    let client = plane.client()?;
    eventually(SOON, "it rewrites", || async {
        let mut probe: Value = serde_saphyr::from_str(&vpc("vpc-01", 1, 1001))?;
        probe["metadata"]["namespace"] = fabric.name.as_str().into();
        let key = format!("{}/vpc-01", fabric.name);
        client.create(&probe).await?;
        let live = client.get("VPC", &key).await?.context("the probe")?;
        plane.kubectl(&["--namespace", &fabric.name, "delete", "vpc", "vpc-01"]).await?;
        ensure!(live["spec"]["subnets"]["default"]["vlan"] == 1777, "{live}");
        Ok(())
    })
    .await?;
    let ended = fabric.press(&mut apart.user, "sync_to_kubernetes").await?;
    drop(rewriting);
    assert_eq!(Rewriting::found(&name).await?, "", "it is gone, as it is when this ends early");
    let row = outcome(&ended, "vpc-01")?;
    ensure!(row["outcome"] == "not_verified" && row["code"] == "not_verified", "{row}");
    let said = "spec.subnets.default.vlan: 1777 in the cluster, 1001 in Git: the server changed what was sent (a mutating \
                webhook, or a default)";
    ensure!(words(&row["message"]).contains(said), "{row}");
    ensure!(words(&ended["what_to_do"]).contains("the server changes what is sent"), "{ended}");
    Ok(())
}
