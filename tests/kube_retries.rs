//! What fails in a way that passes is tried again, with pauses, and the page says so while it happens; what does not pass
//! is not. A refusal of a webhook and a missing right are both HTTP 403, and are told apart by what the server says.

use crate::apart::{Apart, Behind, Database, SOON, VPCS, end_of, operation};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::{Duration, Instant};
use testkit::{Chaos, Gate, Rule, eventually};

/// The phase of an operation.
fn phase<'a>(operation: &'a Value, name: &str) -> &'a Value {
    let found = operation["phases"].as_array().and_then(|all| all.iter().find(|phase| phase["phase"] == name));
    found.unwrap_or(&Value::Null)
}

/// How often a path was called, counted up to now. Not counted are dry runs: a watch asks by them, whenever it sees fit.
fn calls(fabric: &Behind, method: &str, part: &str) -> usize {
    let calls = fabric.front.calls();
    let calls = calls.iter().filter(|call| call.method == method && call.path.contains(part));
    calls.filter(|call| !call.path.contains("dryRun")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_tried_again_in_its_place_and_counted() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    let down = |method: &str, part: &str, times| {
        fabric.front.add(Rule::on(method, part).times(times).answer(503, "ServiceUnavailable", "starting"));
    };
    down("GET", "/namespaces/kube-system", 1);
    down("GET", "/vpcs?", 2);
    down("POST", "/ipv4namespaces?", 2);
    let done = fabric.syncs(&mut apart.user).await?;
    for (name, retries) in [("connect", 1), ("observe", 2), ("apply", 2), ("verify", 0)] {
        ensure!(phase(&done, name)["retries"] == retries, "{name}: {done}");
        ensure!(phase(&done, name)["retry"].is_null(), "{name}: {done}");
    }
    assert_eq!(calls(&fabric, "GET", "/vpcs?"), 4, "three readings, of which two failed, and the one that verifies");
    assert_eq!(calls(&fabric, "GET", "/ipv4namespaces?"), 2, "what was read stays read");
    assert_eq!(calls(&fabric, "POST", "/ipv4namespaces?"), 3);
    let page = apart.user.visit(done["url"].as_str().context("its address")?).await?.visible_text();
    ensure!(page.contains("2 retries") && page.contains("1 retry"), "{page}");
    Ok(())
}

/// One object a page, and a reading that does not wait for long.
const PAGES: [(&str, &str); 2] = [("HEDGEROW_CLUSTER_PAGE_SIZE", "1"), ("HEDGEROW_CLUSTER_TIMEOUT", "10s")];

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_does_not_come_is_asked_for_again_and_not_those_before_it() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &PAGES).await?;
    let fabric = apart.fabric().await?;
    fabric.has_vpcs().await?;
    // The first answer to the second page is a failure, the next one never comes.
    let second = || Rule::on("GET", "/vpcs?limit=1&continue=").times(1);
    for rule in [second().answer(503, "ServiceUnavailable", "starting"), second().hang()] {
        fabric.front.clear();
        fabric.front.take_calls();
        fabric.front.add(rule);
        let done = fabric.press(&mut apart.user, "sync_from_fabric").await?;
        ensure!(done["state"] == "succeeded", "{done}");
        ensure!(phase(&done, "observe")["retries"] == 1, "{done}");
        let (pages, later) = (calls(&fabric, "GET", "/vpcs?limit=1"), calls(&fabric, "GET", "/vpcs?limit=1&continue="));
        assert_eq!(
            (pages - later, later),
            (1, usize::from(VPCS)),
            "the first page once, the second twice, the third once"
        );
    }
    // A position that the server has forgotten meanwhile: the list begins anew, and everything is there.
    fabric.front.clear();
    fabric.front.take_calls();
    fabric.front.add(Rule::on("GET", "/vpcs?limit=1&continue=").times(1).answer(503, "ServiceUnavailable", "starting"));
    fabric.front.add(Rule::on("GET", "/vpcs?limit=1&continue=").times(1).expired());
    let done = fabric.press(&mut apart.user, "sync_from_fabric").await?;
    ensure!(done["state"] == "succeeded" && done["result"]["objects"] == u64::from(VPCS), "{done}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_lost_in_the_middle_of_a_list_ends_the_reading_and_not_the_deadline() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &PAGES).await?;
    for (chaos, codes) in [
        (Chaos::Blackhole, ["kubernetes_timeout", "connection_failed"]),
        (Chaos::Cut, ["connection_failed", "kubernetes_unavailable"]),
    ] {
        let fabric = apart.fabric().await?;
        fabric.has_vpcs().await?;
        let gate = Gate::default();
        fabric.front.add(Rule::on("GET", "/vpcs?limit=1&continue=").hold(&gate));
        let location = fabric.begin(&mut apart.user, "sync_to_kubernetes").await?;
        gate.arrived(SOON).await?;
        fabric.front.take_calls();
        fabric.cable.set(chaos);
        gate.open();
        let ended = end_of(&mut apart.user, &location).await?;
        let code = ended["code"].as_str().unwrap_or_default();
        ensure!(ended["state"] == "failed" && codes.contains(&code), "{chaos:?}: {ended}");
        let said = ended["message"].as_str().unwrap_or_default();
        ensure!(said.starts_with("list "), "it names what was read: {said}");
        // It ends in the reading: nothing is compared, nothing written, and the time of a few tries is all that it took.
        for (name, state) in [("observe", "failed"), ("apply", "skipped"), ("verify", "skipped")] {
            ensure!(phase(&ended, name)["state"] == state, "{name}: {ended}");
        }
        let id = ended["id"].as_i64().context("its number")?;
        let took = apart.sql(&format!("SELECT (ended_at - started_at) / 1000 FROM operations WHERE id = {id}")).await?;
        ensure!(took.parse::<i64>()? < 60_000, "{chaos:?}: it took {took} ms");
        let status = fabric.status(&mut apart.user).await?;
        ensure!(status["sync_status"] == "error" && status["last_success"].is_null(), "{status}");
        fabric.heal();
        fabric.syncs(&mut apart.user).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_04_a_kind_whose_pages_alone_do_not_come_is_named_and_the_others_are_read() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &PAGES).await?;
    let fabric = apart.fabric().await?;
    fabric.has_vpcs().await?;
    fabric.front.add(Rule::on("GET", "/vpcs?limit=1&continue=").hang());
    let ended = fabric.press(&mut apart.user, "sync_from_fabric").await?;
    ensure!(ended["state"] == "partial" && ended["object"] == "VPC", "{ended}");
    let problems = ended["result"]["problems"].as_array().context("problems")?;
    ensure!(problems.len() == 1 && problems[0]["code"] == "kubernetes_timeout", "{ended}");
    fabric.heal();
    fabric.syncs(&mut apart.user).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_seen_while_it_is_waited_for_and_has_a_limit() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    // The Git server is gone for a moment.
    fabric.git.set(Chaos::Cut);
    let location = fabric.begin(&mut apart.user, "sync_to_kubernetes").await?;
    let waiting = eventually(SOON, "a retry is waited for", || async {
        let now = operation(&mut apart.tab()?, &location).await?;
        ensure!(!phase(&now, "fetch_source")["retry"].is_null(), "{now}");
        Ok(now)
    })
    .await?;
    let retry = &phase(&waiting, "fetch_source")["retry"];
    ensure!(retry["what"] == "fetch the source" && retry["code"] == "source_unreachable", "{retry}");
    ensure!(retry["of"] == 4 && retry["attempt"].as_u64().is_some_and(|n| (2..=4).contains(&n)), "{retry}");
    let shown = eventually(SOON, "the page shows it", || async {
        let page = apart.tab()?.visit(&location).await?;
        let lines = page.texts("[data-retry]");
        ensure!(lines.len() == 1, "{}", page.visible_text());
        Ok(lines[0].clone())
    })
    .await?;
    ensure!(
        shown.contains("Trying again") && shown.contains("of 4") && shown.contains("source_unreachable"),
        "{shown}"
    );
    fabric.git.set(Chaos::Pass);
    let done = end_of(&mut apart.user, &location).await?;
    ensure!(done["state"] == "succeeded", "{done}");

    // When it does not come back, the operation ends with that.
    fabric.git.set(Chaos::Cut);
    let failed = fabric.press(&mut apart.user, "sync_to_kubernetes").await?;
    ensure!(failed["state"] == "failed" && failed["code"] == "source_unreachable", "{failed}");
    ensure!(phase(&failed, "fetch_source")["retries"] == 3, "{failed}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_the_server_asks_for_is_kept_and_shown() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    fabric.front.add(Rule::on("GET", "/vpcs?").times(1).throttle(3));
    let began = Instant::now();
    let location = fabric.begin(&mut apart.user, "sync_from_fabric").await?;
    eventually(SOON, "the pause is shown", || async {
        let page = apart.tab()?.visit(&location).await?;
        let lines = page.texts("[data-retry]").join(" ");
        ensure!(lines.contains("asked to be called less often (429)"), "{}", page.visible_text());
        Ok(())
    })
    .await?;
    let done = end_of(&mut apart.user, &location).await?;
    ensure!(done["state"] == "succeeded", "{done}");
    ensure!(began.elapsed() >= Duration::from_secs(3), "the pause was kept");

    // One that ends after the deadline is not waited for.
    apart.sql(&format!("UPDATE fabrics SET deadline_seconds = 40 WHERE id = {}", fabric.id)).await?;
    fabric.front.add(Rule::on("GET", "/vpcs?").throttle(3600));
    let ended = fabric.press(&mut apart.user, "sync_to_kubernetes").await?;
    ensure!(ended["code"] == "kubernetes_unavailable" && ended["state"] != "timed_out", "{ended}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_pass_is_asked_once() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let forbidden = "vpcs.vpc.githedgehog.com is forbidden: User \"x\" cannot list resource \"vpcs\" in API group";
    for (status, reason, words, state, code) in [
        (401, "Unauthorized", "Unauthorized", "failed", "kubernetes_unauthorized"),
        (403, "Forbidden", forbidden, "partial", "kubernetes_forbidden"),
    ] {
        let fabric = apart.fabric().await?;
        fabric.front.add(Rule::on("GET", "/vpcs?").answer(status, reason, words));
        let ended = fabric.press(&mut apart.user, "sync_from_fabric").await?;
        ensure!(ended["state"] == state && ended["code"] == code, "{status}: {ended}");
        ensure!(phase(&ended, "observe")["retries"] == 0, "{ended}");
        assert_eq!(calls(&fabric, "GET", "/vpcs?"), 1, "{status}");
    }
    // Writes: RBAC's 403, a webhook's 403 that uses the very words of RBAC, and a 422.
    let rbac = "vpcs.vpc.githedgehog.com is forbidden: User \"x\" cannot create resource \"vpcs\" in API group";
    let webhook =
        "admission webhook \"vvpc.kb.io\" denied the request: User \"x\" cannot create resource \"vpcs\" today";
    for (status, reason, words, outcome, code) in [
        (403, "Forbidden", rbac, "failed", "kubernetes_forbidden"),
        (403, "Forbidden", webhook, "refused", "kubernetes_rejected"),
        (
            422,
            "Invalid",
            "VPC.vpc.githedgehog.com \"vpc-01\" is invalid: spec: too long",
            "refused",
            "kubernetes_rejected",
        ),
    ] {
        let fabric = apart.fabric().await?;
        fabric.front.add(Rule::on("POST", "/vpcs?").without("dryRun").answer(status, reason, words));
        let ended = fabric.press(&mut apart.user, "sync_to_kubernetes").await?;
        ensure!(ended["code"] == code, "{words}: {ended}");
        let rows = ended["outcomes"]["results"].as_array().context("the objects")?;
        for name in ["vpc-01", "vpc-02", "vpc-03"] {
            let key = format!("/{name}");
            let row = rows.iter().find(|row| row.to_string().contains(&key)).context("the VPC")?;
            ensure!(row["outcome"] == outcome && row["code"] == code && row["attempts"] == 1, "{words}: {row}");
        }
        assert_eq!(calls(&fabric, "POST", "/vpcs?"), 3, "each once: {words}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_which_every_answer_is_lost_is_what_was_read_back() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    fabric.syncs(&mut apart.user).await?;
    let plane = &crate::world::world().await.plane;
    plane.kubectl(&["--namespace", &fabric.name, "delete", "vpc", "vpc-01"]).await?;
    // The server does it each time, and nobody learns of it.
    fabric.front.add(Rule::on("POST", "/vpcs?").break_off(0));
    let done = fabric.press(&mut apart.user, "sync_to_kubernetes").await?;
    fabric.front.clear();
    assert!(calls(&fabric, "POST", "/vpcs?") >= 4, "it was tried again");
    let rows = done["outcomes"]["results"].as_array().context("the objects")?;
    let row = rows.iter().find(|row| row["key"]["name"] == "vpc-01").context("the VPC")?;
    ensure!(row["outcome"] == "created" && row["verified"] == true && row["code"].is_null(), "{row}");
    ensure!(row["message"].as_str().is_some_and(|words| words.contains("No clear answer to its write came")), "{row}");
    ensure!(done["state"] == "succeeded" && done["code"].is_null(), "everything is as desired: {done}");
    Ok(())
}
