//! A fabric's settings from the form to the database and the disk: every field comes back, what cannot be meant is
//! refused at its field, and what is deleted is gone.

use crate::world::{Fabric, NAMESPACES, database, vpc, world};
use anyhow::{Context, Result};
use std::path::PathBuf;
use store::operations::OperationFilter;
use store::{Error, FabricSecrets, Page, Scope};
use testkit::{Access, Form};

/// What the database holds of a fabric's secrets.
async fn secrets(id: i64) -> Result<FabricSecrets> {
    let store = database(&world().await.console).await?;
    let secrets = store.fabrics().secrets(id).await;
    store.close().await;
    Ok(secrets?)
}

/// What is typed, the field where a word must stand then, and a part of the word.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

#[tokio::test(flavor = "multi_thread")]
async fn lesson_12_what_cannot_be_meant_is_refused_at_its_field_and_not_stored() -> Result<()> {
    let (name, own) = Fabric::place().await?;
    let mut user = world().await.admin().await?;
    let remote = world().await.git.url(&name);
    let cases: Vec<Case> = vec![
        (&[("name", "")], "name", "needs a name"),
        (&[("namespace", "")], "namespace", "namespace"),
        (&[("namespace", "Not_One")], "namespace", "lower-case"),
        (&[("deadline_minutes", "0")], "deadline_minutes", "from 1 to 1440"),
        (&[("kubeconfig", "")], "kubeconfig", "Paste the kubeconfig"),
        (&[("kubeconfig", "not: one")], "kubeconfig", ""),
        (&[("cluster_kind", "endpoint"), ("server", "https://127.0.0.1:6443")], "token", "Enter the token"),
        (&[("cluster_kind", "endpoint"), ("token", "t")], "server", ""),
        (&[("cluster_kind", "endpoint"), ("token", "t"), ("server", "http://10.0.0.1:6443")], "server", "in clear"),
        (
            &[("cluster_kind", "endpoint"), ("token", "t"), ("server", "https://127.0.0.1:1"), ("ca_pem", "nonsense")],
            "ca_pem",
            "",
        ),
        (&[("source_url", "")], "credential_kind", "nothing to log in to"),
        (&[("source_url", "file:///etc")], "source_url", ""),
        (&[("source_url", "https://me:secret@git.example.net/x.git")], "source_url", ""),
        (&[("source_token", "")], "source_token", "Enter the token"),
        (&[("credential_kind", "ssh")], "ssh_key", "private key"),
        (&[("branch", "")], "branch", "branch"),
        (&[("branch", "a..b")], "branch", "not a valid branch"),
        (&[("path", "/")], "path", "without the leading slash"),
        (&[("path", "../other")], "path", "without '..'"),
    ];
    let form = user.visit("/fabrics/add/").await?;
    for (wrong, field, words) in cases {
        let mut all: Vec<(&str, &str)> = own.iter().map(|(field, value)| (*field, value.as_str())).collect();
        for (field, value) in wrong {
            all.retain(|(known, _)| known != field);
            all.push((field, value));
        }
        let answer = user.submit(&form, "form.form", &all).await?;
        assert_eq!(answer.status, 422, "{wrong:?}: {}", answer.visible_text());
        let said = answer.text(&format!("#error-{field}")).with_context(|| format!("{wrong:?}: a word at {field}"))?;
        assert!(said.contains(words) && said.len() > 10, "{wrong:?}: {said}");
        let described = answer.attribute(&format!("#id_{field}"), "aria-describedby")?.unwrap_or_default();
        assert!(described.contains(&format!("error-{field}")), "{wrong:?}: the field says where its word stands");
        assert!(!said.contains("secret"), "{wrong:?}: {said}");
        // What was typed is there again, and nothing that is secret.
        let again = answer.form("form.form")?;
        for (kept, value) in all.iter().filter(|(name, _)| ["name", "branch", "namespace", "path"].contains(name)) {
            assert_eq!(again.value(kept).as_deref(), Some(*value), "{wrong:?}: {kept}");
        }
        assert!(!answer.body.contains("git-token-1"), "{wrong:?}");
    }
    let listed = user.visit(&format!("/?q={name}")).await?;
    assert!(!listed.texts("main table").concat().contains(&name), "nothing was stored");

    // The control: as it was meant, it is stored; and what belongs to another choice is not stored with it.
    let mut all: Vec<(&str, &str)> = own.iter().map(|(field, value)| (*field, value.as_str())).collect();
    all.extend([("token", "of a choice that was not made"), ("known_hosts", "git.example.net ssh-ed25519 AAAA")]);
    let answer = user.submit(&form, "form.form", &all).await?;
    assert_eq!(answer.status, 303, "{}", answer.visible_text());
    let place = answer.location().context("the fabric's page")?;
    let id: i64 = place.trim_matches('/').rsplit('/').next().context("a number")?.parse()?;
    let stored = secrets(id).await?;
    assert!(stored.kubeconfig.is_some() && stored.source_token.is_some());
    assert!(stored.endpoint.is_none() && stored.ssh_key.is_none(), "credentials that nothing uses are not kept");
    let edit = user.visit(&format!("{place}edit/")).await?.form("form.form")?;
    assert_eq!(edit.value("known_hosts").as_deref(), Some(""));
    assert_eq!(edit.value("source_url"), Some(remote));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_12_without_a_cluster_nothing_is_shown_as_synced() -> Result<()> {
    let mut fabric = Fabric::add().await?;
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("1.yaml", Some(&vpc("vpc-01", 1, 1001)))]).await?;
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    assert_eq!(fabric.status().await?["sync_status"], "in_sync", "the precondition");

    let edit = fabric.user.visit(&format!("/fabrics/{}/edit/", fabric.id)).await?;
    let saved = fabric.user.submit(&edit, "form.form", &[("cluster_kind", "none")]).await?;
    assert_eq!(saved.status, 303, "{}", saved.visible_text());
    let status = fabric.status().await?;
    for word in ["sync_status", "calculated_sync_status"] {
        assert_eq!(status[word], "not_configured", "{status}");
    }
    let page = fabric.page().await?;
    let head = page.text(".head-title").unwrap_or_default();
    assert!(head.contains("Not configured") && !head.contains("In sync"), "{head}");
    let dashboard = fabric.user.visit(&format!("/?q={}", fabric.name)).await?.texts("main tbody tr").concat();
    assert!(dashboard.contains("Not configured") && !dashboard.contains("In sync"), "{dashboard}");
    assert!(page.attribute("#sync-now-btn", "disabled")?.is_some(), "there is nothing to sync to");
    let answer = fabric.ask("sync/?wait=10", &[]).await?;
    assert_eq!((answer.status, answer.json()?["code"].as_str()), (422, Some("not_configured")));
    assert!(secrets(fabric.id).await?.kubeconfig.is_none(), "no credentials without a cluster");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_12_two_fabrics_do_not_share_a_namespace_of_one_cluster() -> Result<()> {
    let mut first = Fabric::add().await?;
    assert_eq!(first.press("test_connection").await?["state"], "succeeded");
    let mut second = Fabric::add_with(&[("namespace", &first.name)]).await?;
    second.commit(&[("n.yaml", Some(NAMESPACES))]).await?;
    for verb in ["test_connection", "sync_to_kubernetes"] {
        let ended = second.press(verb).await?;
        let said = (ended["state"].as_str(), ended["code"].as_str());
        assert_eq!(said, (Some("failed"), Some("cluster_config_invalid")), "{ended}");
        assert!(ended["message"].as_str().is_some_and(|words| words.contains("Another fabric")), "{ended}");
    }
    assert!(first.live("VLANNamespace", "default").await?.is_none(), "nothing was written");
    Ok(())
}

/// The folders of a fabric's sources on the disk.
async fn folders(id: i64) -> Result<Vec<PathBuf>> {
    let sources = world().await.console.data_dir().join("sources");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&sources).context("the folder of sources")? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.split(|c: char| !c.is_ascii_digit()).any(|number| number == id.to_string()) {
            found.push(path);
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_23_a_deleted_fabric_is_gone_from_the_disk_and_from_the_database() -> Result<()> {
    let mut fabric = Fabric::add().await?;
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("1.yaml", Some(&vpc("vpc-01", 1, 1001)))]).await?;
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    assert_eq!(fabric.press("sync_from_fabric").await?["state"], "succeeded");
    let id = fabric.id;
    let before = secrets(id).await?;
    assert!(before.kubeconfig.is_some() && before.source_token.is_some(), "the precondition");
    assert_eq!(folders(id).await?.len(), 1, "the precondition: its repository is on the disk");

    // The page lists what hangs on it, as much as there is.
    let page = fabric.user.visit(&format!("/fabrics/{id}/delete/")).await?;
    assert!(page.visible_text().contains("Operations 2, with the outcome"), "{}", page.visible_text());
    let name = fabric.name.clone();
    let answer = fabric.user.submit(&page, "form.form", &[("confirm", &name)]).await?;
    assert_eq!(answer.location().as_deref(), Some("/fabrics/"), "{}", answer.visible_text());

    assert_eq!(folders(id).await?, Vec::<PathBuf>::new(), "its repository is gone from the disk");
    let store = database(&world().await.console).await?;
    assert!(matches!(store.fabrics().get(&Scope::System, id).await, Err(Error::NotFound(_))));
    assert!(store.fabrics().secrets(id).await.is_err(), "its sealed secrets are gone");
    let filter = OperationFilter { fabric_id: Some(id), ..OperationFilter::default() };
    assert_eq!(store.operations().list(&Scope::System, &filter, Page::all()).await?.total, 0);
    assert!(store.comparisons().latest(id).await?.is_none());
    assert!(store.objects().counts(id).await?.is_empty());
    assert!(store.agents().list(id).await?.is_empty());
    store.close().await;
    for path in ["", "edit/", "objects/", "operations/"] {
        assert_eq!(fabric.user.get(&format!("/fabrics/{id}/{path}")).await?.status, 404, "{path}");
    }
    let activity = fabric.user.visit("/activity/?show=attempts").await?.texts("main tbody tr");
    let kept = activity.iter().filter(|row| row.contains(&format!("{name} (deleted)"))).count();
    assert_eq!(
        kept, 3,
        "what was tried stays in the activity, and the deletion, under the fabric's name: {activity:#?}"
    );
    assert!(fabric.live("VPC", "vpc-01").await?.is_some(), "the cluster is not touched");
    assert!(world().await.git.head(&name, "main").await?.is_some(), "neither is the remote");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_23_a_fabrics_own_repository_goes_with_it_and_only_that() -> Result<()> {
    let local = [("source_url", ""), ("credential_kind", "none"), ("source_username", ""), ("source_token", "")];
    let (mut gone, mut stays) = (Fabric::add_with(&local).await?, Fabric::add_with(&local).await?);
    for fabric in [&mut gone, &mut stays] {
        assert_eq!(fabric.press("sync_from_git").await?["state"], "succeeded");
        assert_eq!(folders(fabric.id).await?.len(), 1);
    }
    let page = gone.user.visit(&format!("/fabrics/{}/delete/", gone.id)).await?;
    assert!(page.visible_text().contains("the desired state is in no other place"), "{}", page.visible_text());
    let name = gone.name.clone();
    assert_eq!(gone.user.submit(&page, "form.form", &[("confirm", &name)]).await?.status, 303);
    assert_eq!(folders(gone.id).await?.len(), 0);
    assert_eq!(folders(stays.id).await?.len(), 1);
    assert_eq!(stays.press("sync_from_git").await?["state"], "succeeded", "another fabric is not touched");
    Ok(())
}

/// What a form holds, without what changes with each reading.
fn kept(form: &Form) -> Vec<(String, String)> {
    let passing = ["csrfmiddlewaretoken", "version"];
    form.fields().into_iter().filter(|(name, _)| !passing.contains(&name.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_24_every_field_of_the_other_ways_round_trips_and_secrets_are_kept() -> Result<()> {
    let world = world().await;
    let plane = &world.plane;
    let account = plane.token_user("lesson-24", &Access::writer()).await?;
    world.git.start_ssh().await?;
    let (name, _) = Fabric::place().await?;
    let files = [("fabric/a/n.yaml", Some(NAMESPACES)), ("elsewhere/x.yaml", Some("kind: [\n"))];
    world.git.commit(&name, "release/1", &files, "Begin").await?;
    let (url, key, hosts) = (world.git.ssh_url(&name)?, world.git.private_key()?, world.git.known_hosts()?);
    let (server, ca) = (plane.url(), plane.ca_certificate());
    let shown = [
        ("name", name.as_str()),
        ("description", "Zwei Spines & <vier> \"Leaves\" — im Keller"),
        ("deadline_minutes", "7"),
        ("cluster_kind", "endpoint"),
        ("server", &server),
        ("ca_pem", ca),
        ("namespace", &name),
        ("source_url", &url),
        ("branch", "release/1"),
        ("path", "fabric/a"),
        ("credential_kind", "ssh"),
        ("known_hosts", &hosts),
    ];
    let hidden = [("token", account.token.as_str()), ("ssh_key", &key)];
    let off = [("sync_enabled", "off"), ("verify_tls", "off")];
    let mut user = world.admin().await?;
    let form = user.visit("/fabrics/add/").await?;
    let answer = user.submit(&form, "form.form", &[&shown[..], &hidden, &off].concat()).await?;
    assert_eq!(answer.status, 303, "{}", answer.visible_text());
    let place = answer.location().context("the fabric's page")?;
    let id: i64 = place.trim_matches('/').rsplit('/').next().context("a number")?.parse()?;
    let mut fabric = Fabric { id, name: name.clone(), user };

    let path = format!("{place}edit/");
    let before = fabric.user.visit(&path).await?;
    let form = before.form("form.form")?;
    let lines = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
    for (field, value) in shown {
        assert_eq!(form.value(field).map(|value| lines(&value)), Some(lines(value)), "{field}");
    }
    for (field, _) in off {
        assert_eq!(form.value(field), None, "{field} is off");
    }
    for field in ["kubeconfig", "token", "source_token", "ssh_key"] {
        assert_eq!(form.value(field).as_deref(), Some(""), "{field} is never shown");
    }
    let inner = key.lines().nth(1).context("a key of several lines")?;
    let page = fabric.page().await?;
    for (what, body) in [("the form", &before.body), ("the page", &page.body)] {
        assert!(!body.contains(&account.token) && !body.contains(inner), "{what} shows a secret");
    }
    assert!(page.visible_text().contains("TLS not verified"), "what is not verified is said");
    assert!(before.attribute("#id_token", "placeholder")?.unwrap_or_default().contains("Stored"));

    // Saved unchanged, nothing changed: not in the form, not in the database; and the stored secrets work.
    let sealed = secrets(id).await?;
    let saved = fabric.user.submit(&before, "form.form", &[]).await?;
    assert_eq!(saved.status, 303, "{}", saved.visible_text());
    assert_eq!(kept(&fabric.user.visit(&path).await?.form("form.form")?), kept(&form));
    assert_eq!(secrets(id).await?, sealed, "the sealed secrets are the same");
    for verb in ["test_connection", "sync_from_git"] {
        let ended = fabric.press(verb).await?;
        assert_eq!(ended["state"], "succeeded", "{ended}");
    }
    let objects = fabric.user.visit(&format!("{place}objects/")).await?.visible_text();
    assert!(objects.contains("VLANNamespace") && objects.contains("IPv4Namespace"), "read over SSH, at its path");

    // One field changed is one field changed.
    let edit = fabric.user.visit(&path).await?;
    let saved =
        fabric.user.submit(&edit, "form.form", &[("description", "Other words"), ("sync_enabled", "on")]).await?;
    assert_eq!(saved.status, 303, "{}", saved.visible_text());
    let after = fabric.user.visit(&path).await?.form("form.form")?;
    let changed: Vec<String> =
        kept(&after).into_iter().filter(|one| !kept(&form).contains(one)).map(|(name, _)| name).collect();
    assert_eq!(changed, ["description", "sync_enabled"]);
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    assert!(fabric.live("VLANNamespace", "default").await?.is_some());

    // The control: a secret that is entered does replace the stored one.
    let edit = fabric.user.visit(&path).await?;
    assert_eq!(fabric.user.submit(&edit, "form.form", &[("token", "of-nobody")]).await?.status, 303);
    assert_eq!(fabric.press("test_connection").await?["code"], "kubernetes_unauthorized");
    assert_eq!(secrets(id).await?.ssh_key, sealed.ssh_key, "the other one stays");
    // And who saved from a page of before does not undo it unseen.
    let stale = fabric.user.submit(&edit, "form.form", &[("description", "of yesterday")]).await?;
    assert_eq!(stale.status, 422, "{}", stale.visible_text());
    Ok(())
}
