//! How a moment is met, how a fault is made, and how it is taken away again.

use super::plan::Plan;
use super::stage::{PAGE, Stage};
use super::table::victim;
use super::words::{Fault, Moment};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::Duration;
use testkit::{Chaos, Gate, GitMode, HeldDatabase, Rule, eventually, tls};

/// How long a run may take to come to its moment.
const COMES_WITHIN: Duration = Duration::from_secs(25);
/// How long a database is away: longer than a lease holds.
const OUTAGE: Duration = Duration::from_secs(8);
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// A gate at which the run will stand at its moment, and the one before it, if there are two.
pub struct Ambush {
    moment: Moment,
    first: Gate,
    second: Gate,
}

impl Ambush {
    /// Closes the gates before the button is pressed.
    pub fn lay(stage: &Stage, moment: Moment) -> Self {
        let (first, second) = (Gate::default(), Gate::default());
        let hold = |rule: Rule| stage.door.add(rule.hold(&first));
        match moment {
            Moment::Connect => hold(Rule::on("GET", "/api/v1/namespaces/kube-system")),
            Moment::FetchSource => stage.git.hold(Some(&first)),
            Moment::List1 => hold(Rule::on("GET", "/servers?limit=").without("continue=")),
            Moment::List2 => hold(second_page()),
            Moment::DryRun => hold(Rule::on("*", "dryRun=All")),
            Moment::Apply => hold(Rule::on("POST", "/vpcs?").without("dryRun")),
            Moment::BeforeReread | Moment::Reread => hold(Rule::on("POST", "/vpcattachments?").without("dryRun")),
            // Known only when the run is there.
            Moment::Rollout => stage.hedgehog.set_controller(false),
        }
        Self { moment, first, second }
    }

    /// Waits until the run stands at its moment, and proves that it is this run: the background comparison asks for the
    /// same things, and is held, too.
    pub async fn sprung(&self, stage: &mut Stage, operation: &str) -> Result<()> {
        if self.moment == Moment::Rollout {
            in_phase(stage, operation, "rollout").await?;
            stage.door.add(Rule::on("GET", "/agents?limit=").hold(&self.first));
            self.first.arrived(COMES_WITHIN).await.context("the run looks at the switches")?;
            return in_phase(stage, operation, "rollout").await;
        }
        self.first.arrived(COMES_WITHIN).await.with_context(|| format!("the run comes to: {}", self.moment.title()))?;
        let phase = match self.moment {
            Moment::Connect => "connect",
            Moment::FetchSource => "fetch_source",
            Moment::List1 | Moment::List2 => "observe",
            Moment::DryRun | Moment::Apply => "apply",
            _ => {
                let list = format!("?limit={PAGE}");
                let rule = if self.moment == Moment::Reread { second_page() } else { Rule::on("GET", &list) };
                stage.door.add(rule.hold(&self.second));
                self.first.open();
                self.second.arrived(COMES_WITHIN).await.context("the run reads again")?;
                "verify"
            }
        };
        in_phase(stage, operation, phase).await
    }

    /// Lets everything pass that waits.
    pub fn open(&self, stage: &Stage) {
        self.first.open();
        self.second.open();
        stage.git.hold(None);
    }
}

fn second_page() -> Rule {
    Rule::on("GET", &format!("/servers?limit={PAGE}&continue="))
}

async fn in_phase(stage: &mut Stage, operation: &str, phase: &str) -> Result<()> {
    let stage = tokio::sync::Mutex::new(stage);
    eventually(COMES_WITHIN, &format!("{operation} is in the phase {phase}"), || async {
        let operation = stage.lock().await.operation(operation).await?;
        let phases = operation["phases"].as_array().context("it has phases")?;
        let running: Vec<&Value> = phases.iter().filter(|one| one["state"] == "running").collect();
        ensure!(running.iter().any(|one| one["phase"] == phase), "{} {running:?}", operation["state"]);
        Ok(())
    })
    .await
}

/// A fault that is there.
pub struct Struck {
    fault: Fault,
    moment: Moment,
    resets: u64,
    head: String,
    lock: Option<HeldDatabase>,
}

/// Makes the fault.
pub async fn strike(stage: &mut Stage, fault: Fault, moment: Moment, plan: &Plan) -> Result<Struck> {
    let door = |rule: Rule| stage.door.add(rule);
    let mut struck = Struck { fault, moment, resets: stage.way.resets(), head: String::new(), lock: None };
    match fault {
        Fault::ApiServerKilled => {
            stage.way.set(Chaos::Cut);
            stage.plane.stop_api_server();
        }
        Fault::ConnectionReset => stage.way.set(Chaos::ResetAfter(0)),
        Fault::BlackHole => stage.way.set(Chaos::Blackhole),
        Fault::Slow => door(Rule::on("*", "").delay(Duration::from_secs(2))),
        Fault::CertificateChanged => {
            let stranger = tls::Authority::new("another-ca")?;
            stage.door.set_identity(&stranger.server(&["127.0.0.1", "localhost"])?)?;
            stage.way.set(Chaos::Cut);
            stage.way.set(Chaos::Pass);
        }
        Fault::TokenRevoked => door(Rule::on("*", "").unauthorized()),
        Fault::KindForbidden => {
            let (plural, _) = victim(moment);
            let words = format!(
                "{plural} is forbidden: User \"system:serviceaccount:default:hedgerow\" cannot do this with resource \
                 \"{plural}\" in the namespace \"default\""
            );
            for part in [format!("/{plural}?"), format!("/{plural}/")] {
                door(Rule::on("*", &part).answer(403, "Forbidden", &words));
            }
        }
        Fault::Conflict => stage.client.create(&plan.vpc_object(Some(1999))).await.map(drop)?,
        Fault::Rejected => {
            let words = format!("VPC.vpc.githedgehog.com \"{}\" is invalid: spec.subnets: Invalid value", plan.vpc());
            door(Rule::on("POST", "/vpcs?").answer(422, "Invalid", &words));
        }
        Fault::WebhookDown => stage.hedgehog.webhooks().set(Chaos::Cut),
        Fault::WebhookHangs => stage.hedgehog.webhooks().set(Chaos::Blackhole),
        Fault::Throttled => door(Rule::on("*", "").throttle(1).times(3)),
        Fault::ServerErrors => {
            let words = "the server is currently unable to handle the request";
            door(Rule::on("*", "").answer(503, "ServiceUnavailable", words).times(3));
        }
        Fault::ListExpired => door(second_page().expired().times(1)),
        Fault::CrdRemoved => {
            let path = format!(
                "{DEFINITIONS}/{}",
                definition(stage, moment)?["metadata"]["name"].as_str().unwrap_or_default()
            );
            stage.client.request("DELETE", &path, None).await?.success("delete the definition")?;
            eventually(COMES_WITHIN, "the definition is gone", || async {
                let answer = stage.client.request("GET", &path, None).await?;
                ensure!(answer.status == 404, "it is still answered {}", answer.status);
                Ok::<_, anyhow::Error>(())
            })
            .await?;
        }
        Fault::GitDown => stage.git_way.set(Chaos::Cut),
        Fault::GitHangs => stage.git.set_mode(GitMode::NeverAnswer),
        Fault::GitCredentials => stage.revoke_git(),
        Fault::BranchGone => {
            struck.head = stage.in_repository(&["rev-parse", "main"]).await?;
            stage.in_repository(&["update-ref", "-d", "refs/heads/main"]).await?;
        }
        Fault::HistoryRewritten => {
            let who = ["-c", "user.name=A Colleague", "-c", "user.email=colleague@example.test"];
            let orphan = [&who[..], &["commit-tree", "main^{tree}", "-m", "Begin again"]].concat();
            let orphan = stage.in_repository(&orphan).await?;
            stage.in_repository(&["update-ref", "refs/heads/main", &orphan]).await?;
        }
        Fault::DatabaseLocked => struck.lock = Some(HeldDatabase::hold(&stage.database_file()).await?),
        Fault::DatabaseGone => stage.postgres.as_mut().context("a console on PostgreSQL")?.stop().await?,
        Fault::HedgerowKilled => stage.console.kill9(),
    }
    Ok(struck)
}

impl Struck {
    /// Some faults are over before the operation is: they are an event, or would keep it from being told.
    pub async fn passes(&mut self, stage: &mut Stage) -> Result<()> {
        match self.fault {
            Fault::ConnectionReset => {
                eventually(COMES_WITHIN, "a connection was reset", || async {
                    ensure!(stage.way.resets() > self.resets, "none yet");
                    Ok::<_, anyhow::Error>(())
                })
                .await?;
                stage.way.set(Chaos::Pass);
            }
            Fault::DatabaseLocked => {
                tokio::time::sleep(OUTAGE).await;
                self.lock = None;
            }
            Fault::DatabaseGone => {
                tokio::time::sleep(OUTAGE).await;
                stage.postgres.as_mut().context("a console on PostgreSQL")?.resume().await?;
            }
            Fault::HedgerowKilled => stage.console.resume().await?,
            _ => {}
        }
        Ok(())
    }

    /// Takes the fault away; what it destroyed (objects of a removed kind) is not brought back.
    pub async fn lift(self, stage: &mut Stage) -> Result<()> {
        stage.door.clear();
        match self.fault {
            Fault::ApiServerKilled => {
                stage.plane.start_api_server().await?;
                stage.way.set(Chaos::Pass);
            }
            Fault::BlackHole => stage.way.set(Chaos::Pass),
            Fault::CertificateChanged => {
                stage.door.set_identity(&stage.plane.serving_certificate()?)?;
                stage.way.set(Chaos::Cut);
                stage.way.set(Chaos::Pass);
            }
            Fault::WebhookDown | Fault::WebhookHangs => stage.hedgehog.webhooks().set(Chaos::Pass),
            Fault::CrdRemoved => {
                let definition = definition(stage, self.moment)?.clone();
                stage.plane.install_crds(&[definition]).await?;
            }
            Fault::GitDown => stage.git_way.set(Chaos::Pass),
            Fault::GitHangs => stage.git.set_mode(GitMode::Serve),
            Fault::GitCredentials => stage.allow_git(),
            Fault::BranchGone => {
                stage.in_repository(&["update-ref", "refs/heads/main", &self.head]).await?;
            }
            _ => {}
        }
        stage.hedgehog.set_controller(true);
        Ok(())
    }
}

fn definition(stage: &Stage, moment: Moment) -> Result<&Value> {
    let (plural, _) = victim(moment);
    let of = |one: &&Value| one["spec"]["names"]["plural"] == plural;
    stage.definitions.iter().find(of).with_context(|| format!("a definition of {plural}"))
}
