//! `hedgerow sync`, `diff` and `wait` from another machine: the built program against the built console, its exit codes,
//! what it prints where, and what reached the cluster.

use crate::http_tokens::{key, make};
use crate::world::{Fabric, NAMESPACES, database, endpoint, vpc, world};
use anyhow::{Context, Result, ensure};
use model::operation::Verb;
use serde_json::Value;
use std::process::Command;
use std::time::Duration;
use store::attempts::AttemptFilter;
use store::operations::OperationFilter;
use store::{Page, Scope};
use testkit::{Access, ApiFront, Chaos, ChaosProxy, Folder, Process, Rule, built_program, eventually, hedgerow};

/// How a command ended: its exit code, and what it printed where.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.out).with_context(|| format!("one JSON document: {} {}", self.out, self.err))
    }
}

async fn run_at(server: &str, token: &str, words: &[&str]) -> Result<Ended> {
    let env = [("HEDGEROW_TOKEN", token), ("HEDGEROW_SERVER", server)];
    let output = hedgerow(words, &env, None).await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ended = Ended { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) };
    let secret = token.split_once('.').map_or(token, |(_, secret)| secret);
    ensure!(secret.is_empty() || !(ended.out.contains(secret) || ended.err.contains(secret)), "the secret is printed");
    Ok(ended)
}

async fn run(token: &str, words: &[&str]) -> Result<Ended> {
    run_at(world().await.console.url(), token, words).await
}

/// A fabric with a VPC and its namespaces to deliver, and a token of the administrator.
async fn with_vpc() -> Result<(Fabric, String)> {
    let mut fabric = Fabric::add().await?;
    fabric.commit(&[("namespaces.yaml", Some(NAMESPACES)), ("one.yaml", Some(&vpc("vpc-01", 1, 1001)))]).await?;
    let token = make(&mut fabric.user, &[]).await?;
    Ok((fabric, token))
}

/// How many syncs there were, and how many tries of one.
async fn syncs(fabric: &Fabric) -> Result<(usize, usize)> {
    let store = database(&world().await.console).await?;
    let filter = OperationFilter { fabric_id: Some(fabric.id), verb: Some(Verb::SyncToKubernetes), state: None };
    let operations = store.operations().list(&Scope::System, &filter, Page::all()).await?.rows.len();
    let filter = AttemptFilter { fabric_id: Some(fabric.id), refused_only: false };
    let tries = store.attempts().list(&Scope::System, &filter, Page::all()).await?.rows;
    store.close().await;
    Ok((operations, tries.iter().filter(|attempt| attempt.verb == Some(Verb::SyncToKubernetes)).count()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_from_another_machine() -> Result<()> {
    let (fabric, token) = with_vpc().await?;
    let name = fabric.name.as_str();
    let differs = run(&token, &["diff", name]).await?;
    assert_eq!(differs.code, Some(1), "{} {}", differs.out, differs.err);
    assert!(differs.out.contains(&format!("+ VPC {name}/vpc-01  not delivered")), "{}", differs.out);
    assert!(!differs.out.contains('\u{1b}') && !differs.err.contains('\u{1b}'), "plain lines in a pipe");
    assert!(differs.err.contains("Compare: "), "how far it is stands beside the result: {}", differs.err);
    assert!(!differs.out.contains("Compare: "), "the result stands alone: {}", differs.out);

    let dry = run(&token, &["sync", name, "--dry-run"]).await?;
    assert_eq!(dry.code, Some(1), "something would change: {} {}", dry.out, dry.err);
    assert!(dry.out.contains(&format!("would create VPC {name}/vpc-01")), "{}", dry.out);
    assert!(fabric.live("VPC", "vpc-01").await?.is_none(), "a dry run writes nothing");

    let synced = run(&token, &["sync", name]).await?;
    assert_eq!((synced.code, synced.err.as_str()), (Some(0), ""), "{}", synced.out);
    assert!(synced.out.contains(&format!("created VPC {name}/vpc-01")), "{}", synced.out);
    assert!(synced.out.contains("Write to the cluster") && !synced.out.contains('\u{1b}'), "{}", synced.out);
    let live = fabric.live("VPC", "vpc-01").await?.context("it is in the cluster")?;
    assert_eq!(live["spec"]["subnets"]["default"]["vlan"], 1001);

    // By number now, and for a script.
    let id = fabric.id.to_string();
    for words in [&["diff", &id, "--json"][..], &["sync", &id, "--dry-run", "--json"], &["wait", &id, "--json"]] {
        let ended = run(&token, words).await?;
        let said = ended.json()?;
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{words:?} {said}");
        assert_eq!((&said["verdict"], &said["exit_code"]), (&"in_sync".into(), &0.into()), "{words:?}");
        assert_eq!(said["fabric"]["name"], name);
    }

    // Somebody changes it: the field, both values, and who.
    let patch = r#"{"spec": {"subnets": {"default": {"vlan": 1500}}}}"#;
    fabric.kubectl(&["patch", "vpc", "vpc-01", "--type=merge", "-p", patch]).await?;
    let drifted = run(&token, &["diff", name]).await?;
    assert_eq!(drifted.code, Some(1), "{} {}", drifted.out, drifted.err);
    for words in [format!("~ VPC {name}/vpc-01"), "spec.subnets.default.vlan".into(), "- 1500".into(), "+ 1001".into()]
    {
        assert!(drifted.out.contains(&words), "{words}: {}", drifted.out);
    }
    let waited = run(&token, &["wait", name, "--timeout", "2s"]).await?;
    assert_eq!(waited.code, Some(2), "it does not come to that by waiting: {}", waited.out);
    assert!(waited.err.contains("timed_out") && waited.err.contains("--timeout"), "{}", waited.err);
    let json = run(&token, &["sync", name, "--json"]).await?;
    let said = json.json()?;
    assert_eq!((json.code, &said["operation"]["success"]), (Some(0), &true.into()), "{said}");
    assert_eq!(said["objects"][0]["outcome"], "updated", "{said}");
    assert_eq!(run(&token, &["wait", name, "--for", "operation-end"]).await?.code, Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_2_with_its_words() -> Result<()> {
    let (mut fabric, token) = with_vpc().await?;
    let (name, url) = (fabric.name.clone(), world().await.console.url().to_owned());
    let console = &world().await.console;
    let made = async |more: &[&str]| -> Result<String> {
        let words = [&["user", "token", "add", "admin", "--description", "x"], more].concat();
        let output = console.run(&words, None).await?;
        ensure!(output.status.success(), "{output:?}");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let expired = made(&["--expires", "1ms"]).await?;
    let elsewhere = made(&["--from", "192.0.2.0/24"]).await?;
    let reader = made(&["--read-only"]).await?;
    let revoked = made(&[]).await?;
    let output = console.run(&["user", "token", "revoke", key(&revoked)], None).await?;
    assert!(output.status.success(), "{output:?}");
    let listed = console.run(&["user", "token", "list", "admin"], None).await?;
    let listed = String::from_utf8(listed.stdout)?;
    assert!(listed.contains(key(&reader)) && listed.contains("revoked by the command line"), "{listed}");

    let wrong = format!("nbt_zzzzzzzzzzzz.{}", "x".repeat(43));
    let cases: &[(&str, &str, &str)] = &[
        ("a wrong token", &wrong, "token_invalid"),
        ("an expired token", &expired, "token_expired"),
        ("a revoked token", &revoked, "token_revoked"),
        ("from another address", &elsewhere, "token_address_refused"),
        ("a token that only reads", &reader, "token_read_only"),
        ("no token", "", "HEDGEROW_TOKEN"),
        ("a password", "correct horse battery", "begins with nbt_"),
    ];
    for (what, token, words) in cases {
        let ended = run(token, &["sync", &name]).await?;
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{what}: {}", ended.err);
        assert!(ended.err.starts_with("error: ") && ended.err.contains(words), "{what}: {}", ended.err);
        let json = run(token, &["sync", &name, "--json"]).await?;
        assert_eq!((json.code, json.json()?["verdict"].as_str()), (Some(2), Some("failed")), "{what}");
    }
    let unknown = run(&token, &["sync", "no-such-fabric"]).await?;
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("There is no fabric no-such-fabric"), "{}", unknown.err);
    let gone = run_at("http://127.0.0.1:9", &token, &["diff", &name]).await?;
    assert_eq!(gone.code, Some(2));
    assert!(gone.err.contains("transport_failed") && gone.err.contains("127.0.0.1:9"), "{}", gone.err);
    let clear = run_at("http://hedgerow.example.net", &token, &["diff", &name]).await?;
    assert_eq!(clear.code, Some(2));
    assert!(clear.err.contains("in clear") && clear.err.contains("--allow-http"), "{}", clear.err);
    let page = run_at(&format!("{url}/fabrics/"), &token, &["diff", &name]).await?;
    assert_eq!(page.code, Some(2), "{}", page.err);
    assert_eq!(syncs(&fabric).await?.0, 0, "no operation came of any of them");
    assert!(fabric.live("VPC", "vpc-01").await?.is_none(), "and nothing was written");

    // Who only reads gets what is stored, and is told so.
    assert_eq!(fabric.press("sync_from_git").await?["state"], "succeeded");
    let stored = run(&reader, &["diff", &name]).await?;
    assert_eq!(stored.code, Some(1), "{}", stored.err);
    assert!(stored.err.starts_with("note: not compared now") && stored.out.contains("vpc-01"), "{}", stored.err);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cluster_refuses_is_2_with_the_object() -> Result<()> {
    let world = world().await;
    let front = ApiFront::start(&world.plane).await?;
    let account = world.plane.token_user("command-line-refused", &Access::writer()).await?;
    let mut fabric = Fabric::add_with(&endpoint(&front.url(), &account.token, world.plane.ca_certificate())).await?;
    let two = [vpc("vpc-01", 1, 1001), vpc("vpc-02", 2, 1002)].join("---\n");
    fabric.commit(&[("namespaces.yaml", Some(NAMESPACES)), ("two.yaml", Some(&two))]).await?;
    let token = make(&mut fabric.user, &[]).await?;
    front.add(Rule::on("POST", "/vpcs?").without("dryRun").answer(403, "Forbidden", "not today"));
    let ended = run(&token, &["sync", &fabric.name]).await?;
    assert_eq!(ended.code, Some(2), "{} {}", ended.out, ended.err);
    assert!(ended.err.starts_with("error: ") && ended.err.contains("not today"), "{}", ended.err);
    assert!(ended.err.contains(&format!("VPC {}/vpc-0", fabric.name)), "the object is named: {}", ended.err);
    assert!(ended.err.contains("/operations/"), "and where to look: {}", ended.err);
    front.clear();
    let again = run(&token, &["sync", &fabric.name]).await?;
    assert_eq!(again.code, Some(0), "the control: {} {}", again.out, again.err);
    assert!(fabric.live("VPC", "vpc-01").await?.is_some() && fabric.live("VPC", "vpc-02").await?.is_some());
    Ok(())
}

/// A fabric whose operations hang in the reading of the cluster until the rule is taken away.
async fn that_hangs(front: &ApiFront, account: &str) -> Result<(Fabric, String)> {
    let world = world().await;
    let user = world.plane.token_user(account, &Access::writer()).await?;
    let mut fabric = Fabric::add_with(&endpoint(&front.url(), &user.token, world.plane.ca_certificate())).await?;
    fabric.commit(&[("namespaces.yaml", Some(NAMESPACES)), ("one.yaml", Some(&vpc("vpc-01", 1, 1001)))]).await?;
    assert_eq!(fabric.press("sync_from_git").await?["state"], "succeeded");
    let token = make(&mut fabric.user, &[]).await?;
    front.add(Rule::on("GET", "/vpcs?").delay(Duration::from_secs(6)));
    Ok((fabric, token))
}

/// The address of the sync of the fabric that runs, if one does.
async fn running_now(fabric: &Fabric) -> Result<Option<String>> {
    let store = database(&world().await.console).await?;
    let found = store.operations().running(fabric.id).await?;
    store.close().await;
    let operation = found.into_iter().find(|operation| operation.verb == Verb::SyncToKubernetes);
    Ok(operation.map(|operation| format!("/operations/{}/", operation.id)))
}

/// Waits until a sync of the fabric runs, and gives its address.
async fn running(fabric: &Fabric) -> Result<String> {
    eventually(Duration::from_secs(30), "a sync runs", || async { running_now(fabric).await?.context("none runs") })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_revoked_in_the_middle_ends_the_command_and_not_the_operation() -> Result<()> {
    let front = ApiFront::start(&world().await.plane).await?;
    let (mut fabric, token) = that_hangs(&front, "command-line-revoked").await?;
    let (name, used) = (fabric.name.clone(), token.clone());
    let command = tokio::spawn(async move { run(&used, &["sync", &name]).await });
    let place = running(&fabric).await?;
    let output = world().await.console.run(&["user", "token", "revoke", key(&token)], None).await?;
    assert!(output.status.success(), "{output:?}");
    let ended = command.await??;
    assert_eq!(ended.code, Some(2), "{} {}", ended.out, ended.err);
    assert!(ended.err.contains("token_revoked"), "{}", ended.err);
    assert!(ended.err.contains("The operation goes on") && ended.err.contains(&place), "{}", ended.err);
    assert_eq!(fabric.ended(&place).await?["state"], "succeeded", "it outlives the token");
    assert!(fabric.live("VPC", "vpc-01").await?.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_command_and_says_that_the_operation_goes_on() -> Result<()> {
    let front = ApiFront::start(&world().await.plane).await?;
    let (mut fabric, token) = that_hangs(&front, "command-line-ctrl-c").await?;
    let folder = Folder::new("ctrl-c")?;
    let mut command = Command::new(built_program()?);
    command.args(["sync", &fabric.name, "--server", world().await.console.url()]);
    command.env("HEDGEROW_TOKEN", &token).current_dir(folder.path());
    let mut process = Process::start("sync", &command, folder.path(), "INT")?;
    let place = running(&fabric).await?;
    let status = process.stop().await?;
    let said = std::fs::read_to_string(folder.join("sync.err"))?;
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("Ctrl-C") && said.contains("The operation goes on") && said.contains(&place), "{said}");
    assert!(said.contains(&format!("hedgerow wait {}", fabric.name)), "{said}");
    let waited = run(&token, &["wait", &fabric.name, "--for", "operation-end"]).await?;
    assert_eq!(waited.code, Some(0), "{} {}", waited.out, waited.err);
    assert_eq!(fabric.ended(&place).await?["state"], "succeeded");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_asked_for_again_and_nothing_runs_twice() -> Result<()> {
    let (fabric, token) = with_vpc().await?;
    let console = &world().await.console;
    let proxy = ChaosProxy::start(&console.address()).await?;
    let server = format!("http://{}", proxy.address());
    // Of a run that only reads the fabric it is known how long that answer is; the next answer is that of the press.
    assert_eq!(
        run_at(&server, &token, &["wait", &fabric.id.to_string(), "--for", "operation-end"]).await?.code,
        Some(0)
    );
    let first = proxy.answered_bytes();
    proxy.set(Chaos::ResetAfter(first + 60));
    let (id, used) = (fabric.id.to_string(), token.clone());
    let command = tokio::spawn(async move { run_at(&server, &used, &["sync", &id, "--json"]).await });
    eventually(Duration::from_secs(30), "an answer is lost", || async {
        ensure!(proxy.resets() > 0, "none yet");
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    // It is over before the press comes again: by then nothing runs that the console could point to, only the key.
    proxy.set(Chaos::Cut);
    eventually(Duration::from_secs(30), "the operation is over", || async {
        let live = fabric.live("VPC", "vpc-01").await?;
        ensure!(live.is_some() && running_now(&fabric).await?.is_none(), "it is not");
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    proxy.set(Chaos::Pass);
    let ended = command.await??;
    assert_eq!(ended.code, Some(0), "{} {}", ended.out, ended.err);
    let (operations, tries) = syncs(&fabric).await?;
    assert_eq!(operations, 1, "it ran once");
    assert!(tries >= 2, "the press arrived twice, or nothing was lost: {tries}");
    assert!(fabric.live("VPC", "vpc-01").await?.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_there_is_a_bar() -> Result<()> {
    let (fabric, token) = with_vpc().await?;
    let program = built_program()?;
    let line = format!("{} sync {} --server {}", program.display(), fabric.name, world().await.console.url());
    // `script` gives the command a terminal, and ends as it does.
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).env("HEDGEROW_TOKEN", &token).env("TERM", "xterm");
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains('\u{1b}') && shown.contains('\r'), "it is drawn again in its place: {shown:?}");
    assert!(shown.contains("created VPC"), "and what came of it is left: {shown:?}");
    assert!(!shown.contains("Compare: "), "without the lines of a pipe: {shown:?}");
    Ok(())
}
