//! The repository as its users see it: what cannot be read is an error with its code, what is in it is in the
//! comparison, and its counts are the repository's.

use crate::apart::{Apart, Database};
use crate::site::text;
use crate::world::{Fabric, NAMESPACES, vpc, world};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::Duration;
use testkit::{Chaos, GitMode, eventually};

/// Fetching fails with this code, says so on its page and on the fabric's, counts no object and moves no success.
async fn fails_with(fabric: &mut Fabric, code: &str) -> Result<()> {
    let before = fabric.status().await?["last_git_success"].clone();
    let ended = fabric.press("sync_from_git").await?;
    assert_eq!((ended["state"].as_str(), ended["code"].as_str()), (Some("failed"), Some(code)), "{ended}");
    let operation = fabric.user.visit(ended["url"].as_str().context("an address")?).await?.visible_text();
    let page = fabric.page().await?.visible_text();
    for text in [&operation, &page] {
        assert!(text.contains(code), "{code}: {text}");
        assert!(!text.contains("git-token-1") && !text.contains("a-wrong-token"), "{text}");
    }
    assert_eq!(fabric.status().await?["last_git_success"], before, "a failure is no success of Git");
    let waited = fabric.ask("sync-from-git/?wait=50", &[]).await?;
    assert!(waited.status >= 400, "a script gets a failure, too: {}", waited.status);
    assert_eq!((&waited.json()?["code"], &waited.json()?["success"]), (&code.into(), &Value::Bool(false)));
    Ok(())
}

/// Saves the settings with other values in some fields.
async fn save(fabric: &mut Fabric, fields: &[(&str, &str)]) -> Result<()> {
    let edit = fabric.user.visit(&format!("/fabrics/{}/edit/", fabric.id)).await?;
    let saved = fabric.user.submit(&edit, "form.form", fields).await?;
    assert_eq!(saved.status, 303, "{}", saved.visible_text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_17_each_way_that_git_fails_has_its_code() -> Result<()> {
    let world = world().await;
    let mut fabric = Fabric::add_with(&[("source_token", "a-wrong-token")]).await?;
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("1.yaml", Some(&vpc("vpc-01", 1, 1001)))]).await?;
    fails_with(&mut fabric, "source_unauthorized").await?;
    save(&mut fabric, &[("credential_kind", "none"), ("source_username", "")]).await?;
    fails_with(&mut fabric, "source_unauthorized").await?;
    let token = [("credential_kind", "token"), ("source_username", "hedgerow"), ("source_token", "git-token-1")];
    let nowhere = world.git.url("of-nobody");
    save(&mut fabric, &[&token[..], &[("source_url", nowhere.as_str())]].concat()).await?;
    fails_with(&mut fabric, "source_not_found").await?;
    let url = world.git.url(&fabric.name);
    save(&mut fabric, &[("source_url", &url), ("branch", "of-nobody")]).await?;
    fails_with(&mut fabric, "source_ref_not_found").await?;
    // To another server the stored token is not sent: it is entered again.
    let gone = [("branch", "main"), ("source_url", "http://127.0.0.1:1/x.git")];
    let edit = fabric.user.visit(&format!("/fabrics/{}/edit/", fabric.id)).await?;
    let refused = fabric.user.submit(&edit, "form.form", &gone).await?;
    assert_eq!(refused.status, 422, "{}", refused.visible_text());
    assert!(refused.text("#error-credential_kind").is_some_and(|said| said.contains("another server")));
    save(&mut fabric, &[&gone[..], &token].concat()).await?;
    fails_with(&mut fabric, "source_unreachable").await?;

    // The control: with all of it right it is read, and the errors are gone.
    save(&mut fabric, &[&[("source_url", url.as_str())], &token[..]].concat()).await?;
    let fetched = fabric.press("sync_from_git").await?;
    assert_eq!(fetched["state"], "succeeded", "{fetched}");
    assert!(fabric.status().await?["last_git_success"].is_string());
    let page = fabric.page().await?.visible_text();
    assert!(!page.contains("source_") && page.contains("3 not delivered"), "{page}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_17_a_git_server_that_fails_writes_nothing_and_ends_with_its_code() -> Result<()> {
    let git = testkit::GitServer::start().await?;
    git.create_repo("own").await?;
    git.commit("own", "main", &[("n.yaml", Some(NAMESPACES))], "Begin").await?;
    let url = git.url("own");
    let open =
        [("source_url", url.as_str()), ("credential_kind", "none"), ("source_username", ""), ("source_token", "")];
    let mut fabric = Fabric::add_with(&open).await?;
    assert_eq!(fabric.press("sync_from_git").await?["state"], "succeeded");
    git.set_mode(GitMode::Fail(503));
    git.commit("own", "main", &[("1.yaml", Some(&vpc("vpc-01", 1, 1001)))], "More").await?;
    let ended = fabric.press("sync_to_kubernetes").await?;
    assert_eq!((ended["state"].as_str(), ended["code"].as_str()), (Some("failed"), Some("source_unreachable")));
    assert!(fabric.live("VLANNamespace", "default").await?.is_none(), "yesterday's commit is not delivered instead");
    git.set_mode(GitMode::Serve);
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    assert!(fabric.live("VPC", "vpc-01").await?.is_some());

    // Nor is a fabric in sync with what nobody can read any more: the failed fetch says so at once, by whatever verb.
    assert_eq!(fabric.status().await?["sync_status"], "in_sync", "the control");
    git.set_mode(GitMode::Fail(403));
    assert_eq!(fabric.press("sync_from_git").await?["state"], "failed");
    let status = fabric.status().await?;
    assert_eq!(status["sync_status"], "error", "{status}");
    assert_eq!(status["status"]["code"], "source_unauthorized", "{status}");
    git.set_mode(GitMode::Serve);
    assert_eq!(fabric.press("sync_from_git").await?["state"], "succeeded");
    assert_eq!(fabric.status().await?["sync_status"], "in_sync");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_18_a_file_in_the_repository_is_an_object_in_the_comparison() -> Result<()> {
    let mut fabric = Fabric::add().await?;
    let deep = "regions/eu/berlin/vpcs/all.yml";
    let both = format!("{}---\n{}", vpc("vpc-01", 1, 1001), vpc("vpc-02", 2, 1002));
    let commit = fabric.commit(&[("n.yaml", Some(NAMESPACES)), (deep, Some(&both))]).await?;
    assert_eq!(fabric.press("sync_from_git").await?["state"], "succeeded");
    let list = fabric.user.visit(&format!("/fabrics/{}/objects/?state=undelivered", fabric.id)).await?;
    assert_eq!(list.texts("main tbody tr").len(), 4, "{}", list.visible_text());
    for (name, line) in [("vpc-01", "line 1"), ("vpc-02", "line 14")] {
        let path = format!("/fabrics/{}/objects/VPC.vpc.githedgehog.com/{}/{name}/", fabric.id, fabric.name);
        let object = fabric.user.visit(&path).await?.visible_text();
        assert!(object.contains(deep) && object.contains(line) && object.contains(&commit[..7]), "{object}");
        assert!(object.contains("Not delivered"), "{object}");
    }
    // Taken out of the repository, it is none any more.
    fabric.commit(&[(deep, Some(&vpc("vpc-02", 2, 1002)))]).await?;
    assert_eq!(fabric.press("sync_from_git").await?["state"], "succeeded");
    let list = fabric.user.visit(&format!("/fabrics/{}/objects/?name=vpc-", fabric.id)).await?;
    assert_eq!(list.texts("td.name a"), ["vpc-02"], "{}", list.visible_text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_21_counts_are_the_repositorys() -> Result<()> {
    let world = world().await;
    let mut fabric = Fabric::add().await?;
    let vpcs: Vec<(String, String)> =
        (1..=23).map(|n| (format!("vpcs/{n}/vpc.yaml"), vpc(&format!("vpc-{n:02}"), n, 1000 + u16::from(n)))).collect();
    let mut files: Vec<(&str, Option<&str>)> =
        vpcs.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    files.extend([("n.yaml", Some(NAMESPACES)), ("notes.txt", Some("apiVersion: v1")), ("x.json", Some("{}"))]);
    fabric.commit(&files).await?;
    let yaml = world.git.files(&fabric.name, "main").await?.iter().filter(|path| path.ends_with(".yaml")).count();
    assert_eq!(yaml, 24, "the oracle");
    let fetched = fabric.press("sync_from_git").await?;
    assert!(fetched["message"].as_str().is_some_and(|said| said.contains("25 objects")), "{fetched}");
    let phases = fetched["phases"].as_array().context("phases")?;
    let fetching = phases.iter().find(|phase| phase["phase"] == "fetch_source").context("it fetched")?;
    assert!(fetching["detail"].as_str().is_some_and(|said| said.ends_with("25 objects in 24 files")), "{fetching}");
    let counts = fabric.page().await?.texts("section[data-live=counts] tbody tr");
    let row = counts.iter().find(|row| row.starts_with("VPC ")).with_context(|| format!("{counts:?}"))?;
    assert!(row.split(' ').any(|cell| cell == "23"), "{row}");

    // A path into the repository counts what is below it.
    save(&mut fabric, &[("path", "vpcs/1")]).await?;
    let fetched = fabric.press("sync_from_git").await?;
    assert!(fetched["message"].as_str().is_some_and(|said| said.contains("1 objects")), "{fetched}");
    // One that leads nowhere is an error, not nothing.
    save(&mut fabric, &[("path", "of/nobody")]).await?;
    let ended = fabric.press("sync_from_git").await?;
    assert_eq!((ended["state"].as_str(), ended["code"].as_str()), (Some("failed"), Some("source_ref_not_found")));
    Ok(())
}

/// JSON in a file is as YAML: the last of two equal keys does not win in silence, nor does one of two equal objects. Both
/// places are named, for whoever reads it on a page.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_twice_is_said_with_both_places_and_nothing_of_it_is_written() -> Result<()> {
    let mut fabric = Fabric::add().await?;
    let twice = r#"{"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC", "metadata": {"name": "twice"},
 "spec": {"ipv4Namespace": "default", "vlanNamespace": "default", "subnets": {"default": {"subnet": "10.0.7.0/24",
   "vlan": 1007, "gateway": "10.0.7.1", "vlan": 1008}}}}
"#;
    let (one, two) = (vpc("vpc-01", 1, 1001), vpc("vpc-02", 2, 1002));
    let files = [("n.yaml", NAMESPACES), ("1.yaml", &one), ("2.yaml", &two), ("3.yaml", &two), ("twice.yaml", twice)];
    fabric.commit(&files.map(|(path, text)| (path, Some(text)))).await?;
    let synced = fabric.press("sync_to_kubernetes").await?;
    assert_eq!((&synced["state"], &synced["code"]), (&"partial".into(), &"source_invalid".into()), "{synced}");
    let page = fabric.page().await?.visible_text();
    for part in [
        "spec.subnets.default.vlan stands twice in one mapping: in twice.yaml:3:4 and in twice.yaml:3:41",
        "VPC vpc-02 stands twice: in 2.yaml:1:1 and in 3.yaml:1:1",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!((fabric.live("VPC", "twice").await?, fabric.live("VPC", "vpc-02").await?), (None, None));
    assert!(fabric.live("VPC", "vpc-01").await?.is_some(), "it blocks what it must, and no more");
    Ok(())
}

/// What refers to an object whose document is broken is not told that there is no such object, but where to look.
#[tokio::test(flavor = "multi_thread")]
async fn a_reference_to_what_a_broken_document_holds_leads_to_that_document() -> Result<()> {
    let mut fabric = Fabric::add().await?;
    let (one, two) = (vpc("vpc-01", 1, 1001), vpc("vpc-02", 2, 1002));
    let broken = two.replace("spec:\n  ", "spec:\n\t");
    ensure!(broken != two, "{two}");
    let peering = "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPCPeering\nmetadata: {name: vpc-01--vpc-02}\nspec: \
                   {permit: [{vpc-01: {}, vpc-02: {}}]}\n";
    let files = [("n.yaml", NAMESPACES), ("1.yaml", &one), ("2.yaml", &broken), ("p.yaml", peering)];
    fabric.commit(&files.map(|(path, text)| (path, Some(text)))).await?;
    let ended = fabric.press("sync_to_kubernetes").await?;
    assert_eq!(
        (ended["state"].as_str(), ended["code"].as_str()),
        (Some("failed"), Some("preflight_failed")),
        "{ended}"
    );
    let said = text(&ended["message"]);
    let words = "VPCPeering vpc-01--vpc-02 refers to VPC vpc-02, which the source seems to have in a document that could not \
                 be read: document 1 of 2.yaml, line ";
    let then = "Correct that document. The line is indented with a tab";
    ensure!(said.contains(words) && said.contains(then) && said.contains("(p.yaml:1:1)"), "{said}");
    for path in [format!("/fabrics/{}/", fabric.id), format!("/fabrics/{}/sync/review/", fabric.id)] {
        let page = fabric.user.visit(&path).await?.visible_text();
        ensure!(page.contains(words) && !page.contains("neither in the source"), "{path}: {page}");
    }
    assert_eq!(fabric.live("VPC", "vpc-01").await?, None, "nothing was written");

    fabric.commit(&[("2.yaml", Some(&two))]).await?;
    let synced = fabric.press("sync_to_kubernetes").await?;
    assert_eq!(synced["state"], "succeeded", "{synced}");
    ensure!(fabric.live("VPCPeering", "vpc-01--vpc-02").await?.is_some());
    Ok(())
}

/// Commits what is at `from` as a link at `path` in place of what is there.
async fn link(fabric: &Fabric, from: &str, path: &str) -> Result<()> {
    let git = &world().await.git;
    let target = git.in_repo(&fabric.name, &["rev-parse", &format!("main:{from}")]).await?;
    git.in_repo(&fabric.name, &["read-tree", "main"]).await?;
    let link = format!("120000,{},{path}", target.trim());
    git.in_repo(&fabric.name, &["update-index", "--add", "--replace", "--cacheinfo", &link]).await?;
    let tree = git.in_repo(&fabric.name, &["write-tree"]).await?;
    let who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"];
    let commit = [&who[..], &["commit-tree", "-p", "main", "-m", "Link", tree.trim()]].concat();
    let commit = git.in_repo(&fabric.name, &commit).await?;
    git.in_repo(&fabric.name, &["update-ref", "refs/heads/main", commit.trim()]).await.map(drop)
}

/// A file, or a whole folder, becomes a link: the objects there are not known to be gone, so nothing is deleted for it.
#[tokio::test(flavor = "multi_thread")]
async fn what_became_a_link_is_an_error_and_deletes_nothing() -> Result<()> {
    let (one, two) = (vpc("vpc-01", 1, 1001), vpc("vpc-02", 2, 1002));
    // What a link holds is the path that it leads to: here to nothing, to a folder of the same commit, out of it. The
    // file becomes one, or its folder.
    for (target, from, to) in [
        ("shared/2.yaml", "vpcs/2.yaml", "vpcs/2.yaml"),
        ("elsewhere", "vpcs/2.yaml", "vpcs"),
        ("../elsewhere", "vpcs/2.yaml", "vpcs"),
    ] {
        let mut fabric = Fabric::add_with(&[("prune", "on"), ("prune_limit", "100")]).await?;
        let files = [
            ("n.yaml", NAMESPACES),
            ("1.yaml", &one),
            (from, &two),
            ("elsewhere/notes.txt", "Nothing to read here."),
            ("target", target),
            ("readme-target", "n.yaml"),
        ];
        fabric.commit(&files.map(|(path, text)| (path, Some(text)))).await?;
        // A link to a file, whose name is no manifest's, is nobody's trouble.
        link(&fabric, "readme-target", "README").await?;
        assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded", "the precondition");
        link(&fabric, "target", to).await?;

        let csrf = crate::world::token(&fabric.page().await?)?;
        let path = format!("/fabrics/{}/sync/?wait=50", fabric.id);
        let headers = [("X-CSRFToken", csrf.as_str())];
        let pruned = fabric.user.script("POST", &path, &headers, Some(r#"{"prune": true}"#)).await?.json()?;
        ensure!(pruned["success"] == false, "{target}: {pruned}");
        ensure!(fabric.live("VPC", "vpc-02").await?.is_some(), "{target}: it is still there: {pruned}");
        let page = fabric.page().await?.visible_text();
        ensure!(page.contains(to) && page.contains("symbolic link"), "{target}: {page}");
        ensure!(fabric.status().await?["sync_status"] != "in_sync");
        // As a file again it is as it was.
        let files = [(to, None), ("2.yaml", Some(two.as_str()))];
        fabric.commit(&files).await?;
        assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded", "{target}");
        assert_eq!(fabric.status().await?["sync_status"], "in_sync");
    }
    Ok(())
}

/// Git's own limit passes before the one of the whole comparison, though it is the longer of the two.
#[tokio::test(flavor = "multi_thread")]
async fn a_git_server_that_never_answers_is_what_the_page_names() -> Result<()> {
    let settings = [("HEDGEROW_COMPARE_INTERVAL", "2s"), ("HEDGEROW_SOURCE_FETCH_TIMEOUT", "31s")];
    let mut apart = Apart::start(Database::Sqlite, &settings).await?;
    let fabric = apart.fabric().await?;
    fabric.syncs(&mut apart.user).await?;
    fabric.git.set(Chaos::Blackhole);
    eventually(Duration::from_secs(120), "the fetch is given up", || async {
        let status = fabric.status(&mut apart.tab()?).await?;
        ensure!(status["sync_status"] != "in_sync", "{}", status["status"]);
        Ok(())
    })
    .await?;
    let status = fabric.status(&mut apart.tab()?).await?;
    ensure!(status["status"]["code"] == "source_timeout", "{}", status["status"]);
    let said = text(&status["status"]["message"]);
    let page = apart.tab()?.visit(&format!("/fabrics/{}/", fabric.id)).await?.visible_text();
    ensure!(said.contains("does not answer") && page.contains("source_timeout"), "{said} {page}");
    fabric.heal();
    fabric.syncs(&mut apart.user).await.map(drop)
}
