//! Adopting that is ended in the middle of its push, by a cancel or by `kill -9`: the remote has the commit or has it not,
//! the operation claims neither, and the next adoption makes it right.

use crate::apart::{Apart, Database, SOON, end_of};
use crate::kube_adopt::{adopt, ask, key, outcomes};
use crate::site::text;
use crate::world::{Fabric, add_fabric, press, vpc, world};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::{Gate, GitServer, HttpUser, PushHeld, eventually};

/// Short, because it is waited for.
const LEASE: (&str, &str) = ("HEDGEROW_OPERATION_LEASE", "6s");

/// A fabric with one VPC that only the cluster has, a Git server of its own, and an adoption whose push is held there.
struct Held {
    id: i64,
    name: String,
    git: GitServer,
    location: String,
    _gate: Gate,
}

impl Held {
    async fn start(apart: &mut Apart, held: PushHeld) -> Result<Self> {
        let (name, own) = Fabric::place().await?;
        let git = GitServer::start().await?;
        git.create_repo(&name).await?;
        git.commit(&name, "main", &[("README.md", Some("Manifests."))], "Begin").await?;
        let mut fields: Vec<(&str, &str)> = own.iter().map(|(field, value)| (*field, value.as_str())).collect();
        let url = git.url(&name);
        for field in
            [("source_url", url.as_str()), ("credential_kind", "none"), ("source_username", ""), ("source_token", "")]
        {
            fields.retain(|(known, _)| *known != field.0);
            fields.push(field);
        }
        let mut object: Value = serde_saphyr::from_str(&vpc("vpc-01", 1, 1001))?;
        object["metadata"]["namespace"] = name.as_str().into();
        world().await.plane.client()?.create(&object).await?;
        let id = add_fabric(&mut apart.user, &fields).await?;
        let read = press(&mut apart.user, id, "sync_from_fabric").await?;
        ensure!(read["state"] == "succeeded", "the precondition: {read}");
        let gate = Gate::default();
        git.hold_push(Some((held, &gate)));
        let answer = ask(&mut apart.user, id, &[key(&name, "vpc-01")]).await?;
        let location = text(&answer.json()?["operation"]["url"]);
        gate.arrived(SOON).await.context("the push comes to its server")?;
        // What it has in hand is stored a few times a second.
        eventually(SOON, "the operation says that it is committing", || async {
            let now = apart.tab()?.script("GET", &location, &[], None).await?.json()?;
            ensure!(now["phases"].to_string().contains("Committing"), "{now}");
            Ok(())
        })
        .await?;
        Ok(Self { id, name, git, location, _gate: gate })
    }

    async fn commits(&self) -> Result<usize> {
        Ok(self.git.in_repo(&self.name, &["log", "--format=%s", "main"]).await?.lines().count())
    }

    /// The remote has as many commits as it had when the push was ended, the operation ended as `state`, and its object
    /// says that nobody knows; then the next adoption makes it right.
    async fn ended(&self, user: &mut HttpUser, state: &str, arrived: bool) -> Result<()> {
        self.git.hold_push(None);
        let ended = end_of(user, &self.location).await?;
        ensure!(ended["state"] == state && ended["code"] == state, "{ended}");
        let outcome = outcomes(user, &ended).await?.remove("VPC/vpc-01").context("the VPC has an outcome")?;
        let said = text(&outcome["message"]);
        ensure!(outcome["outcome"] != "adopted" && outcome["verified"] == false, "{outcome}");
        ensure!(said.contains("may have"), "it claims neither: {outcome}");
        let page = user.visit(&self.location).await?.visible_text();
        ensure!(page.contains("may have"), "{page}");
        ensure!(self.commits().await? == if arrived { 2 } else { 1 }, "the control: {arrived}");

        let again = adopt(user, self.id, &[key(&self.name, "vpc-01")]).await?;
        ensure!(again["state"] == "succeeded", "{again}");
        let outcome = outcomes(user, &again).await?.remove("VPC/vpc-01").context("the VPC has an outcome")?;
        ensure!(outcome["outcome"] == if arrived { "unchanged" } else { "adopted" }, "{outcome}");
        ensure!(outcome["verified"] == true, "{outcome}");
        ensure!(self.commits().await? == 2, "one commit, whoever made it");
        ensure!(self.git.files(&self.name, "main").await? == ["README.md", "vpcs/vpc-01.yaml"]);
        let path = format!("/fabrics/{}/", self.id);
        let status = user.script("GET", &path, &[], None).await?.json()?;
        ensure!(status["sync_status"] == "in_sync", "{status}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_in_the_middle_of_a_push_leaves_nothing_half_done() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    for (held, arrived) in [(PushHeld::Unseen, false), (PushHeld::Unanswered, true)] {
        let one = Held::start(&mut apart, held).await?;
        let page = apart.user.visit(&one.location).await?;
        let asked = apart.user.submit(&page, "form[data-verb=cancel]", &[]).await?;
        ensure!(asked.status == 303, "{}", asked.visible_text());
        one.ended(&mut apart.user, "cancelled", arrived).await.with_context(|| format!("{held:?}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_13_a_kill_in_the_middle_of_a_push_leaves_nothing_half_done() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[LEASE]).await?;
    let both = [
        (Held::start(&mut apart, PushHeld::Unseen).await?, false),
        (Held::start(&mut apart, PushHeld::Unanswered).await?, true),
    ];
    apart.console.kill9();
    apart.console.resume().await?;
    for (one, arrived) in &both {
        one.ended(&mut apart.user, "interrupted", *arrived).await.with_context(|| format!("arrived: {arrived}"))?;
    }
    Ok(())
}
