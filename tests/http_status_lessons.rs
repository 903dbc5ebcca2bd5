//! What a fabric's state says, and what ends it: one word everywhere, errors with everything that is known of them, and
//! no success that nothing stands behind.

use crate::proof::Proof;
use crate::world::{Fabric, NAMESPACES, endpoint, vpc, world};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use testkit::{Access, ApiFront, Chaos, ChaosProxy, Rule};

async fn commit(fabric: &Fabric) -> Result<()> {
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("1.yaml", Some(&vpc("vpc-01", 1, 1001)))]).await?;
    Ok(())
}

/// Kind and name of every object that the pages list, by page.
async fn listed(fabric: &mut Fabric) -> Result<BTreeSet<(String, String)>> {
    let mut found = BTreeSet::new();
    for number in 1.. {
        let page = fabric.user.visit(&format!("/fabrics/{}/objects/?page={number}", fabric.id)).await?;
        let links = page.attributes("td.name a", "href");
        if links.is_empty() {
            break;
        }
        ensure!(number < 20, "the list of so few objects has no end");
        for link in links {
            let parts: Vec<&str> = link.split('/').collect();
            let kind = parts.get(4).and_then(|kind| kind.split('.').next()).context("a kind in the address")?;
            found.insert((kind.to_owned(), (*parts.get(6).context("a name in the address")?).to_owned()));
        }
    }
    Ok(found)
}

/// That a time is the end of an operation, which tells it in whole seconds.
fn is_end_of(time: &Value, operation: &Value) -> Result<()> {
    let read = |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let (time, end) = (read(time).context("a time")?, read(&operation["ended_at"]).context("an end")?);
    ensure!(time.duration_since(end).abs() <= jiff::SignedDuration::from_secs(1), "{time} is not {end}");
    Ok(())
}

/// Lesson 7, and verify sees the same: the time of the last success is the end of a sync that succeeded. Looking does not
/// move it, nor does a sync that fails.
#[tokio::test(flavor = "multi_thread")]
async fn lesson_07_the_last_success_moves_only_with_an_operation_behind_it() -> Result<()> {
    let mut proof = Proof::unsynced(&[]).await?;
    ensure!(proof.site.status().await?["last_success"].is_null(), "nothing has succeeded yet");
    let first = proof.site.synced().await?;
    let stood = proof.site.status().await?["last_success"].clone();
    is_end_of(&stood, &first)?;
    for verb in ["sync_from_git", "sync_from_fabric", "test_connection"] {
        ensure!(proof.site.press(verb).await?["state"] == "succeeded", "{verb}");
        ensure!(proof.site.status().await?["last_success"] == stood, "{verb} is no sync");
    }
    proof.site.write("broken.yaml", "kind: VPC\n").await?;
    let failed = proof.site.press("sync_to_kubernetes").await?;
    ensure!(failed["success"] == false, "{}", failed["state"]);
    ensure!(proof.site.status().await?["last_success"] == stood, "a failure moves nothing");
    proof.site.commit(&[("broken.yaml", None)]).await?;
    let second = proof.site.synced().await?;
    let now = proof.site.status().await?["last_success"].clone();
    ensure!(now != stood, "the next success moves it: {now}");
    is_end_of(&now, &second)?;
    let proved = proof.verify(&["--journey", "status_agrees"]).await?;
    proved.all_passed_but(&[])?;
    let expected = "the last success is the end of an operation that succeeded";
    let told = proved.journey("status_agrees")?.checks.iter().find(|check| check.expected == expected);
    let observed = told.with_context(|| format!("it was asked whether {expected}"))?;
    let page = second["url"].as_str().context("the operation's page")?;
    ensure!(observed.held == Some(true) && observed.observed == page, "{observed:?} is not {page}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_01_the_pages_list_exactly_what_the_cluster_holds() -> Result<()> {
    let mut fabric = Fabric::add().await?;
    let mut expected = BTreeSet::new();
    let mut manifests = String::from(NAMESPACES);
    for n in 1..=70 {
        manifests.push_str(&format!("---\n{}", vpc(&format!("vpc-{n:02}"), n, 1000 + u16::from(n))));
    }
    let made = world().await.plane.kubectl_output(&["-n", &fabric.name, "create", "-f", "-"], Some(&manifests)).await?;
    assert!(made.status.success(), "{made:?}");
    assert_eq!(fabric.press("sync_from_fabric").await?["state"], "succeeded");
    let client = fabric.cluster().await?;
    for kind in ["VPC", "IPv4Namespace", "VLANNamespace"] {
        for object in client.list(kind).await? {
            if object["metadata"]["namespace"] == fabric.name.as_str() {
                let name = object["metadata"]["name"].as_str().context("a name")?;
                expected.insert((kind.to_owned(), name.to_owned()));
            }
        }
    }
    assert_eq!(expected.len(), 72, "the oracle");
    assert_eq!(listed(&mut fabric).await?, expected);
    // One less there is one less here.
    client.delete("VPC", &format!("{}/vpc-33", fabric.name)).await?;
    expected.remove(&("VPC".to_owned(), "vpc-33".to_owned()));
    assert_eq!(fabric.press("sync_from_fabric").await?["state"], "succeeded");
    assert_eq!(listed(&mut fabric).await?, expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_02_a_token_that_dies_in_the_middle_of_the_lists_is_an_error() -> Result<()> {
    let plane = &world().await.plane;
    let front = ApiFront::start(plane).await?;
    let user = plane.token_user("lesson-02-lists", &Access::writer()).await?;
    let mut fabric = Fabric::add_with(&endpoint(&front.url(), &user.token, plane.ca_certificate())).await?;
    commit(&fabric).await?;
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    let before = fabric.status().await?;
    assert_eq!(before["sync_status"], "in_sync", "the precondition");
    for (verb, spared) in [("sync_from_fabric", 3), ("sync_to_kubernetes", 3), ("sync_from_fabric", 9)] {
        front.clear();
        front.take_calls();
        front.add(Rule::on("GET", "?limit=").after(spared).unauthorized());
        let ended = fabric.press(verb).await?;
        let said = (ended["state"].as_str(), ended["code"].as_str());
        assert_eq!(said, (Some("failed"), Some("kubernetes_unauthorized")), "{verb} after {spared} lists: {ended}");
        // The lists run side by side, and the first refusal ends them all, also those that were let through and are not
        // answered yet.
        let calls = front.calls();
        let of_status = |status: u16| calls.iter().filter(|c| c.path.contains("?limit=") && c.status == status).count();
        let (answered, refused, given_up) = (of_status(200), of_status(401), of_status(0));
        let in_the_middle = answered > 0 && refused > 0 && answered + given_up >= spared;
        assert!(in_the_middle, "{answered} lists were answered, {refused} refused, {given_up} given up");
        let after = fabric.status().await?;
        assert_eq!((&after["sync_status"], &after["last_success"]), (&"error".into(), &before["last_success"]));
    }
    front.clear();
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    assert_eq!(fabric.status().await?["sync_status"], "in_sync");
    Ok(())
}

/// The state as the JSON, the page, the predecessor's page, the dashboard and the objects page show it.
async fn is_everywhere(fabric: &mut Fabric, state: &str, word: &str) -> Result<()> {
    const WORDS: [&str; 8] =
        ["Not configured", "Disabled", "Syncing", "Error", "Never synced", "Unknown", "Out of sync", "In sync"];
    let json = fabric.status().await?;
    for field in [&json["sync_status"], &json["calculated_sync_status"], &json["status"]["state"]] {
        assert_eq!(field, state, "{json}");
    }
    let id = fabric.id;
    let mut shown = BTreeMap::new();
    for path in
        [format!("/fabrics/{id}/"), format!("/plugins/hedgehog/fabrics/{id}/"), format!("/fabrics/{id}/objects/")]
    {
        let page = fabric.user.visit(&path).await?;
        shown.insert(path, page.text(".head-title .badge").unwrap_or_default());
    }
    let dashboard = fabric.user.visit(&format!("/?q={}", fabric.name)).await?;
    shown.insert("the dashboard".into(), dashboard.text("tr.fabric-row .badge").unwrap_or_default());
    for (place, text) in shown {
        let found: Vec<&str> = WORDS.into_iter().filter(|known| text == *known).collect();
        assert_eq!(found, [word], "{place} shows {text:?} for {state}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_11_each_state_is_the_same_word_on_every_page() -> Result<()> {
    let plane = &world().await.plane;
    let proxy = ChaosProxy::start(&plane.address()).await?;
    let server = format!("https://{}", proxy.address());
    let user = plane.token_user("lesson-11", &Access::writer()).await?;
    proxy.set(Chaos::Blackhole);
    let mut fabric = Fabric::add_with(&endpoint(&server, &user.token, plane.ca_certificate())).await?;
    commit(&fabric).await?;
    is_everywhere(&mut fabric, "never_synced", "Never synced").await?;
    proxy.set(Chaos::Cut);
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "failed");
    is_everywhere(&mut fabric, "error", "Error").await?;
    proxy.set(Chaos::Pass);
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    is_everywhere(&mut fabric, "in_sync", "In sync").await?;
    fabric.kubectl(&["delete", "vpc", "vpc-01"]).await?;
    assert_eq!(fabric.press("sync_from_fabric").await?["state"], "succeeded");
    is_everywhere(&mut fabric, "out_of_sync", "Out of sync").await?;
    for (fields, state, word) in [
        (("sync_enabled", "off"), "disabled", "Disabled"),
        (("cluster_kind", "none"), "not_configured", "Not configured"),
    ] {
        let edit = fabric.user.visit(&format!("/fabrics/{}/edit/", fabric.id)).await?;
        let saved = fabric.user.submit(&edit, "form.form", &[fields]).await?;
        assert_eq!(saved.status, 303, "{}", saved.visible_text());
        is_everywhere(&mut fabric, state, word).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_28_an_error_ends_with_the_success_that_ends_it_and_with_nothing_else() -> Result<()> {
    let plane = &world().await.plane;
    let front = ApiFront::start(plane).await?;
    let user = plane.token_user("lesson-28", &Access::writer()).await?;
    let mut fabric = Fabric::add_with(&endpoint(&front.url(), &user.token, plane.ca_certificate())).await?;
    commit(&fabric).await?;
    front.add(Rule::on("POST", "/vpcs?fieldManager").answer(422, "Invalid", "not on a Sunday"));
    front.add(Rule::on("POST", "/vpcs?").answer(422, "Invalid", "not on a Sunday"));
    assert_ne!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    let shows_it = |text: &str| text.contains("kubernetes_rejected") && text.contains("not on a Sunday");
    assert!(shows_it(&fabric.page().await?.visible_text()), "{}", fabric.page().await?.visible_text());
    assert_eq!(fabric.status().await?["status"]["code"], "kubernetes_rejected");

    // A connection test that succeeds, and a reading that finds the object missing, end nothing.
    front.clear();
    for verb in ["test_connection", "sync_from_fabric", "sync_from_git"] {
        assert_eq!(fabric.press(verb).await?["state"], "succeeded", "{verb}");
        assert_eq!(fabric.status().await?["sync_status"], "error", "{verb} does not end it");
        assert!(shows_it(&fabric.page().await?.visible_text()), "{verb}");
    }
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    let (page, status) = (fabric.page().await?.visible_text(), fabric.status().await?);
    assert!(!page.contains("kubernetes_rejected") && !page.contains("not on a Sunday"), "{page}");
    assert_eq!((&status["sync_status"], &status["status"]["code"]), (&"in_sync".into(), &Value::Null), "{status}");
    let dashboard = fabric.user.visit(&format!("/?q={}", fabric.name)).await?.visible_text();
    assert!(!dashboard.contains("not on a Sunday"), "{dashboard}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_29_every_failure_keeps_its_own_message() -> Result<()> {
    let plane = &world().await.plane;
    let front = ApiFront::start(plane).await?;
    let user = plane.token_user("lesson-29-words", &Access::writer().read_only("ipv4namespaces")).await?;
    let mut fabric = Fabric::add_with(&endpoint(&front.url(), &user.token, plane.ca_certificate())).await?;
    let vpcs = [1, 2, 3].map(|n| vpc(&format!("vpc-0{n}"), n, 1000 + u16::from(n))).join("---\n");
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("v.yaml", Some(&vpcs))]).await?;
    front.add(Rule::on("POST", "/vpcs?").answer(422, "Invalid", "the subnet belongs to the neighbours"));
    let ended = fabric.press("sync_to_kubernetes").await?;
    assert!(ended["code"].is_string() && ended["message"].as_str().is_some_and(|said| said.len() > 20), "{ended}");
    let url = ended["url"].as_str().context("its address")?.to_owned();
    let page = fabric.user.visit(&url).await?;
    let rows = page.texts("tr[data-object]");
    let json = fabric.user.script("GET", &url, &[], None).await?.json()?;
    let results = json["outcomes"]["results"].as_array().context("outcomes")?;
    let expected = [
        ("default", "IPv4Namespace", "kubernetes_forbidden", "cannot create"),
        ("vpc-01", "VPC", "kubernetes_rejected", "the subnet belongs to the neighbours"),
        ("vpc-02", "VPC", "kubernetes_rejected", "the subnet belongs to the neighbours"),
        ("vpc-03", "VPC", "kubernetes_rejected", "the subnet belongs to the neighbours"),
    ];
    for (name, kind, code, words) in expected {
        let row = rows.iter().find(|row| row.contains(name) && row.contains(kind));
        let row = row.with_context(|| format!("{kind} {name}: {rows:#?}"))?;
        assert!(row.contains(code) && row.contains(words), "{row}");
        let result = results.iter().find(|one| one["key"]["name"] == name && one["key"]["kind"] == kind);
        let result = result.with_context(|| format!("{kind} {name}: {json}"))?;
        assert_eq!(result["code"], code, "{result}");
        assert!(result["message"].as_str().is_some_and(|said| said.contains(words)), "{result}");
    }
    assert!(fabric.live("VLANNamespace", "default").await?.is_some(), "what could be done was done");
    let fabrics = fabric.page().await?.visible_text();
    assert!(fabrics.contains(ended["code"].as_str().unwrap_or_default()), "the fabric's page says why: {fabrics}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_36_each_counter_is_a_count_of_the_objects() -> Result<()> {
    let mut fabric = Fabric::add().await?;
    let vpcs: Vec<String> = (1..=9).map(|n| vpc(&format!("vpc-{n:02}"), n, 1000 + u16::from(n))).collect();
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("v.yaml", Some(&vpcs.join("---\n")))]).await?;
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    // Two gone, one changed, one new in Git, one nobody's.
    fabric.kubectl(&["delete", "vpc", "vpc-01", "vpc-02"]).await?;
    let patch = r#"{"spec":{"subnets":{"default":{"vlan":1500}}}}"#;
    fabric.kubectl(&["patch", "vpc", "vpc-03", "--type=merge", "-p", patch]).await?;
    fabric.commit(&[("more.yaml", Some(&vpc("vpc-10", 10, 1010)))]).await?;
    let extra = vpc("vpc-99", 99, 1099);
    world().await.plane.kubectl_output(&["-n", &fabric.name, "create", "-f", "-"], Some(&extra)).await?;
    assert_eq!(fabric.press("sync_from_git").await?["state"], "succeeded");
    let expected = BTreeMap::from([("equal", 6), ("extra", 1), ("missing", 2), ("modified", 1), ("undelivered", 1)]);
    let counts = fabric.status().await?["counts"]["VPC.vpc.githedgehog.com"].clone();
    let counted: BTreeMap<&str, i64> = counts
        .as_object()
        .context("counts of VPCs")?
        .iter()
        .filter_map(|(state, count)| Some((state.as_str(), count.as_i64()?)))
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(counted, expected);
    for (state, count) in &expected {
        let list = format!("/fabrics/{}/objects/?kind=VPC.vpc.githedgehog.com&state={state}", fabric.id);
        let rows = fabric.user.visit(&list).await?.texts("main tbody tr").len();
        assert_eq!(i64::try_from(rows)?, *count, "{state}");
    }
    let page = fabric.page().await?;
    let columns = page.texts("section[data-live=counts] thead th");
    let row = page.texts("section[data-live=counts] tbody tr");
    let row = row.iter().find(|row| row.starts_with("VPC ")).with_context(|| format!("{row:?}"))?;
    let cells: BTreeMap<&str, &str> = columns.iter().map(String::as_str).skip(1).zip(row.split(' ').skip(1)).collect();
    let shown = [
        ("All", "11"),
        ("In sync", "6"),
        ("Changed in cluster", "1"),
        ("Missing in cluster", "2"),
        ("Not delivered", "1"),
        ("Only in cluster", "1"),
    ];
    for (column, count) in shown {
        assert_eq!(cells.get(column), Some(&count), "{column}: {cells:?}");
    }
    let live = fabric.kubectl(&["get", "vpcs", "-o", "name"]).await?.lines().count();
    assert_eq!(live, 6 + 1 + 1, "equal, modified and extra stand in the cluster");
    Ok(())
}
