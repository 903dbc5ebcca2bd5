//! What these tests walk on: the stand-in for the predecessor, a real API server with two servers in it, a repository that
//! has one more, and a run of verify as the command makes it.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use testkit::{ControlPlane, GitServer, Lease, NetboxStandIn, StandInFabric, StandInOptions, StandInUser};
use url::Url;
use verify::cause::Cause;
use verify::oracle::{ClusterOracle, GitOracle, Kubeconfig};
use verify::profile::{Profile, built_in};
use verify::results::{JourneyResult, Run};
use verify::run::{Runner, Silent};
use verify::site::{Account, DriverKind, Plan, Site};
use verify::verdict::Verdict;

/// The password of everybody.
pub const PASSWORD: &str = "a password of ada's";

/// The stand-in, with Ada who may sync and Vic who may look.
pub async fn stand_in() -> Result<NetboxStandIn> {
    let users = vec![StandInUser::new("ada", PASSWORD, true), StandInUser::new("vic", PASSWORD, false)];
    NetboxStandIn::start(StandInOptions { users, ..StandInOptions::default() }).await
}

/// A fabric at this server.
pub fn fabric(server: &str, token: &str) -> StandInFabric {
    StandInFabric { server: Some(server.to_owned()), token: token.to_owned(), ..StandInFabric::default() }
}

/// A run of some journeys at an address, without oracles and with leave to change.
pub fn plan(target: &str, profile: Profile, journeys: &[&str]) -> Result<Plan> {
    let account = |name: &str| Account { username: name.to_owned(), password: PASSWORD.into() };
    Ok(Plan {
        target: Url::parse(target)?,
        account: account("ada"),
        second: None,
        reader: Some(account("vic")),
        profile,
        drivers: vec![DriverKind::Http],
        journeys: journeys.iter().map(|name| (*name).to_owned()).collect(),
        fabric: None,
        unreachable_fabric: None,
        namespace: None,
        allow_sync: true,
        cluster: None,
        git: None,
        database: None,
        direct: None,
        ca: None,
        max_requests: 2_000,
        max_time: Duration::from_secs(300),
        patience: Duration::from_secs(30),
        max_wait: Duration::from_secs(5),
        secrets: Vec::new(),
        id: "0123456789ab".to_owned(),
    })
}

/// The same at the stand-in, with its profile.
pub fn at(site: &NetboxStandIn, journeys: &[&str]) -> Result<Plan> {
    plan(&site.url(), built_in("netbox-hedgehog")?, journeys)
}

/// Walks it as the command does, also to what it cleans up.
pub async fn walk(plan: Plan) -> Run {
    let mut runner = Runner::new(Site::new(plan, None));
    let stop = runner.walk(&mut Silent).await;
    runner.clean().await;
    runner.finish(stop, false)
}

/// What one journey came to.
pub fn journey<'a>(run: &'a Run, name: &str) -> Result<&'a JourneyResult> {
    run.journeys.iter().find(|one| one.name == name).with_context(|| format!("no {name}: {}", run.sentence))
}

/// The journey failed, of this cause and no other, and its words say why.
pub fn condemned(run: &Run, name: &str, cause: Cause, words: &[&str]) -> Result<()> {
    let one = journey(run, name)?;
    let found = one.finding.as_ref().map(|finding| finding.cause);
    ensure!(
        (one.verdict, found) == (Verdict::Fail, Some(cause)),
        "{name} {:?} {found:?}: {}",
        one.verdict,
        one.sentence
    );
    for word in words {
        ensure!(one.sentence.contains(word), "{name} says nothing of {word}: {}", one.sentence);
    }
    Ok(())
}

/// The journey found nothing wrong.
pub fn right(run: &Run, name: &str, verdict: Verdict) -> Result<()> {
    let one = journey(run, name)?;
    ensure!(one.verdict == verdict && one.finding.is_none(), "{name} {:?}: {}", one.verdict, one.sentence);
    Ok(())
}

/// A real API server with the servers 1 and 2, and a repository with these and a third.
pub struct World {
    /// The API server.
    pub cluster: Lease,
    git: GitServer,
}

impl World {
    /// Starts both.
    pub async fn start() -> Result<Self> {
        let cluster = ControlPlane::pool().await?;
        cluster.replace_crds(&lab::kinds::crds()).await?;
        let git = GitServer::start().await?;
        git.create_repo("desired").await?;
        let files: Vec<(String, String)> =
            (1..=3).map(|number| (format!("{number}.yaml"), server(number).to_string())).collect();
        let files: Vec<(&str, Option<&str>)> =
            files.iter().map(|(name, text)| (name.as_str(), Some(text.as_str()))).collect();
        git.commit("desired", "main", &files, "Three servers").await?;
        for number in 1..=2 {
            cluster.client()?.create(&server(number)).await?;
        }
        Ok(Self { cluster, git })
    }

    /// A fabric of this cluster, with a token that may do everything.
    pub fn fabric(&self) -> StandInFabric {
        fabric(&self.cluster.url(), self.cluster.admin_token())
    }

    /// A run at the stand-in with both oracles.
    pub fn plan(&self, site: &NetboxStandIn, journeys: &[&str]) -> Result<Plan> {
        let kubeconfig = Kubeconfig::parse(&self.cluster.kubeconfig_admin(), "kubeconfig", Path::new("."), None)?;
        let cluster = Some(ClusterOracle::new(kubeconfig)?);
        let git = Some(GitOracle::remote(&self.git.url("desired"), "main", "")?);
        Ok(Plan { cluster, git, ..at(site, journeys)? })
    }

    /// Nothing came into the cluster, and what verify planted there is gone.
    pub async fn is_untouched(&self) -> Result<()> {
        let found: Vec<Value> =
            self.cluster.client()?.list("Server").await?.iter().map(|one| one["spec"].clone()).collect();
        ensure!(found == [server(1)["spec"].clone(), server(2)["spec"].clone()], "{found:?}");
        Ok(())
    }
}

fn server(number: u8) -> Value {
    json!({
        "apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "Server",
        "metadata": {"name": format!("server-{number}"), "namespace": "default"},
        "spec": {"description": format!("the server {number}")},
    })
}
