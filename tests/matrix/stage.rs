//! A stage on which cells are played one after the other: a control cluster in full, its repository, and a console with
//! one fabric that is in sync. Between console and API server stand a proxy that breaks connections and a door that
//! holds and fails requests; a proxy stands before the Git server, too.

use super::plan::Plan;
use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::fabrics::SecretChanges;
use store::{FabricSpec, Scope, Store};
use testkit::{
    Access, ApiFront, ChaosProxy, Console, ConsoleOptions, ControlPlane, GitServer, Hedgehog, HttpUser, KubeClient,
    Lease, Postgres, eventually,
};

/// Objects in one page of a list: the five servers take two.
pub const PAGE: usize = 4;
/// The limit on a whole operation.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// How long a lease holds without a heartbeat.
pub const LEASE: Duration = Duration::from_secs(5);
/// What a healthy console may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(45);

const REPOSITORY: &str = "fabric";
const GIT_USER: &str = "hedgerow";
const GIT_TOKEN: &str = "git-token-1";

/// Which database the console works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// The file in its data folder.
    Sqlite,
    /// A PostgreSQL server of the stage's own.
    Postgres,
}

/// The stage. Fields are dropped from the top: the console first, the cluster last.
pub struct Stage {
    /// The console.
    pub console: Console,
    /// Who presses the buttons.
    pub user: HttpUser,
    /// The Git server.
    pub git: GitServer,
    /// The way from the console to it.
    pub git_way: ChaosProxy,
    /// The way from the console to the door.
    pub way: ChaosProxy,
    /// The door before the API server.
    pub door: ApiFront,
    /// Webhooks, controller and agents.
    pub hedgehog: Hedgehog,
    /// A client of the test's own, which goes neither by the way nor through the door.
    pub client: KubeClient,
    /// The console's database, when it is a server.
    pub postgres: Option<Postgres>,
    /// The API server.
    pub plane: Lease,
    /// The definitions of the kinds.
    pub definitions: Vec<Value>,
    fabric: i64,
    number: u16,
}

impl Stage {
    /// Sets the stage: when this returns, the fabric is in sync.
    pub async fn start(database: Database) -> Result<Self> {
        let definitions = lab::kinds::crds();
        let plane = ControlPlane::pool().await?;
        plane.replace_crds(&definitions).await?;
        let hedgehog = Hedgehog::start(&plane).await?;
        shorten_webhooks(&plane.client()?).await?;
        let door = ApiFront::start(&plane).await?;
        let way = ChaosProxy::start(&door.address()).await?;
        let client = plane.client()?;

        let git = GitServer::start().await?;
        let git_way = ChaosProxy::start(&git.address()).await?;
        git.add_user(GIT_USER, GIT_TOKEN);
        git.require_auth(true);
        git.create_repo(REPOSITORY).await?;

        let mut env: Vec<(String, String)> = [
            // Of its own accord it compares rarely, so that what a page says comes from what the cell did.
            ("HEDGEROW_COMPARE_INTERVAL", "170s"),
            ("HEDGEROW_ROLLOUT_WAIT", "4s"),
            ("HEDGEROW_CLUSTER_TIMEOUT", "4s"),
            ("HEDGEROW_CLUSTER_CONNECT_TIMEOUT", "2s"),
            ("HEDGEROW_SOURCE_FETCH_TIMEOUT", "5s"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        env.push(("HEDGEROW_OPERATION_LEASE".to_owned(), format!("{}s", LEASE.as_secs())));
        env.push(("HEDGEROW_CLUSTER_PAGE_SIZE".to_owned(), PAGE.to_string()));
        let mut postgres = None;
        if database == Database::Postgres {
            let server = Postgres::start().await?;
            env.push(("HEDGEROW_DATABASE_URL".to_owned(), server.database().await?));
            postgres = Some(server);
        }
        let url = env.iter().find(|(name, _)| name == "HEDGEROW_DATABASE_URL").map(|(_, url)| url.clone());
        let console = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
        let mut user = console.visitor()?;
        user.login(console.username()?, console.password()?).await?;

        let account = plane.token_user("hedgerow", &Access::writer()).await?;
        let kubeconfig = plane.kubeconfig(&format!("https://{}", way.address()), &account.token);
        let source = git.url(REPOSITORY).replace(&git.address(), &git_way.address());
        let fields = [
            ("name", "site"),
            ("cluster_kind", "kubeconfig"),
            ("kubeconfig", &kubeconfig),
            ("source_url", &source),
            ("branch", "main"),
            ("credential_kind", "token"),
            ("source_username", GIT_USER),
            ("source_token", GIT_TOKEN),
        ];
        let form = user.visit("/fabrics/add/").await?;
        let answer = user.submit(&form, "form.form", &fields).await?;
        ensure!(answer.status == 303, "the form was not taken: {} {}", answer.status, answer.visible_text());
        let page = user.arrive(answer).await?;
        let fabric = page.attribute("#sync-now-btn", "data-fabric-id")?.context("the button names its fabric")?;
        let fabric: i64 = fabric.parse()?;
        let file = console.data_dir().join("hedgerow.db").display().to_string();
        shorten_deadline(url.as_deref().unwrap_or(&file), fabric).await?;

        let mut stage = Self {
            console,
            user,
            git,
            git_way,
            way,
            door,
            hedgehog,
            client,
            postgres,
            plane,
            definitions,
            fabric,
            number: 0,
        };
        let plan = stage.commit(Plan::new(0)).await?;
        let operation = stage.press_and_wait("sync_to_kubernetes").await?;
        ensure!(operation["state"] == "succeeded", "the first sync ended {}", told(&operation));
        stage.until_in_sync().await?;
        ensure!(stage.differences(&plan).await?.is_empty(), "the first sync did not write everything");
        Ok(stage)
    }

    /// The SQLite file.
    pub fn database_file(&self) -> PathBuf {
        self.console.data_dir().join("hedgerow.db")
    }

    /// Brings the stage to where a cell begins: the cluster lacks what Git holds newly, the console knows it, and all
    /// else is equal.
    pub async fn prepare(&mut self) -> Result<Plan> {
        let old = Plan::new(self.number);
        self.number += 1;
        let plan = Plan::new(self.number);
        // What the last cell brought goes, so that the lists stay as long as they are.
        for (kind, name) in [("VPCAttachment", old.attachment()), ("VPC", old.vpc())] {
            eventually(PATIENCE, &format!("{kind} {name} is deleted"), || async {
                match self.client.get(kind, &name).await? {
                    Some(_) => self.client.delete(kind, &name).await,
                    None => Ok(()),
                }
            })
            .await?;
        }
        let plan = self.commit(plan).await?;
        let operation = self.press_and_wait("sync_from_git").await?;
        ensure!(operation["state"] == "succeeded", "before the cell, Sync from Git ended {}", told(&operation));
        let status = self.status().await?;
        let counts = &status["status"]["counts"];
        ensure!(
            status["sync_status"] == "out_of_sync"
                && counts["undelivered"].as_u64().unwrap_or(0) + counts["missing"].as_u64().unwrap_or(0) == 3,
            "before the cell, three objects differ: {}",
            status["status"]
        );
        Ok(plan)
    }

    async fn commit(&self, plan: Plan) -> Result<Plan> {
        let files = plan.files()?;
        let files: Vec<(&str, Option<&str>)> = files.iter().map(|(path, text)| (*path, Some(text.as_str()))).collect();
        self.git.commit(REPOSITORY, "main", &files, &format!("Change {}", plan.number())).await?;
        Ok(plan)
    }

    /// Runs git in the fabric's repository on the server.
    pub async fn in_repository(&self, args: &[&str]) -> Result<String> {
        Ok(self.git.in_repo(REPOSITORY, args).await?.trim().to_owned())
    }

    /// Takes the fabric's right to read the repository away.
    pub fn revoke_git(&self) {
        self.git.revoke(GIT_USER);
    }

    /// Gives it back.
    pub fn allow_git(&self) {
        self.git.add_user(GIT_USER, GIT_TOKEN);
    }

    /// Presses a button of the fabric's page; the address of the operation.
    pub async fn press(&mut self, verb: &str) -> Result<String> {
        let page = self.user.visit(&format!("/fabrics/{}/", self.fabric)).await?;
        let answer = self.user.submit(&page, &format!("form[data-verb={verb}]"), &[]).await?;
        answer.location().with_context(|| format!("pressing {verb} leads to the operation: {}", answer.status))
    }

    /// Asks for a dry run of a sync as the page's script does.
    pub async fn press_dry_run(&mut self) -> Result<String> {
        let page = self.user.visit(&format!("/fabrics/{}/", self.fabric)).await?;
        let token = page.attribute("meta[name=csrf-token]", "content")?.context("the page has a token")?;
        let path = page.form("form[data-verb=sync_to_kubernetes]")?.action;
        let headers = [("X-CSRFToken", token.as_str())];
        let answer = self.user.script("POST", &path, &headers, Some(r#"{"dry_run": true}"#)).await?;
        ensure!(answer.status == 202, "a dry run was answered {} {}", answer.status, answer.body);
        let answer = answer.json()?;
        answer["operation"]["url"].as_str().map(str::to_owned).context("the operation's address")
    }

    async fn press_and_wait(&mut self, verb: &str) -> Result<Value> {
        let operation = self.press(verb).await?;
        self.ended(&operation).await
    }

    /// Presses *Sync to Kubernetes* and waits for its end.
    pub async fn sync(&mut self) -> Result<Value> {
        self.press_and_wait("sync_to_kubernetes").await
    }

    /// An operation as it stands now.
    pub async fn operation(&mut self, address: &str) -> Result<Value> {
        let answer = self.user.script("GET", address, &[], None).await?;
        ensure!(answer.status == 200, "{address} was answered {}", answer.status);
        Ok(answer.json()?)
    }

    /// An operation at its end. A console that does not answer for a while, because its database is gone or it was
    /// killed itself, is asked again.
    pub async fn ended(&mut self, address: &str) -> Result<Value> {
        let within = DEADLINE + PATIENCE;
        let user = tokio::sync::Mutex::new(&mut self.user);
        eventually(within, &format!("{address} ends"), || async {
            let answer = user.lock().await.script("GET", address, &[], None).await?;
            ensure!(answer.status == 200, "it was answered {}", answer.status);
            let operation = answer.json()?;
            ensure!(operation["final"] == true, "it is {} {}", operation["state"], operation["phases"]);
            Ok::<_, anyhow::Error>(operation)
        })
        .await
    }

    /// The JSON of the fabric, as a script gets it.
    pub async fn status(&mut self) -> Result<Value> {
        let path = format!("/fabrics/{}/", self.fabric);
        let answer = self.user.script("GET", &path, &[], None).await?;
        ensure!(answer.status == 200, "the fabric was answered {}: {}", answer.status, answer.body);
        Ok(answer.json()?)
    }

    /// Waits until the fabric is in sync.
    pub async fn until_in_sync(&mut self) -> Result<()> {
        let path = format!("/fabrics/{}/", self.fabric);
        let user = tokio::sync::Mutex::new(&mut self.user);
        eventually(PATIENCE, "the fabric is in sync", || async {
            let status = user.lock().await.script("GET", &path, &[], None).await?.json()?;
            ensure!(status["sync_status"] == "in_sync", "{}", status["status"]);
            Ok::<_, anyhow::Error>(())
        })
        .await
    }

    /// The resource version of every object of Hedgehog's, by kind and name; not of Agents, which report all the time.
    pub async fn versions(&self) -> Result<BTreeMap<(String, String), String>> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut versions = BTreeMap::new();
        for definition in &self.definitions {
            let (plural, group) = (text(&definition["spec"]["names"]["plural"]), text(&definition["spec"]["group"]));
            if plural.ends_with("agents") {
                continue;
            }
            for object in self.client.list(&format!("{plural}.{group}")).await? {
                let metadata = &object["metadata"];
                versions.insert((text(&object["kind"]), text(&metadata["name"])), text(&metadata["resourceVersion"]));
            }
        }
        Ok(versions)
    }

    /// The objects of a plan that the cluster does not hold as Git does, by kind.
    pub async fn differences(&self, plan: &Plan) -> Result<BTreeSet<&'static str>> {
        let mut differ = BTreeSet::new();
        for (kind, name) in plan.objects() {
            let live = self.client.get(kind, &name).await?;
            if !live.is_some_and(|live| plan.is_equal(kind, &live)) {
                differ.insert(kind);
            }
        }
        Ok(differ)
    }

    /// When the console last wrote an object of the plan, as the API server notes it: to the second, rounded down. `None`
    /// when it wrote none.
    pub async fn last_write(&self, plan: &Plan) -> Result<Option<Timestamp>> {
        let mut last = None;
        for (kind, name) in plan.objects() {
            let live = self.client.get(kind, &name).await?.unwrap_or_default();
            for entry in live["metadata"]["managedFields"].as_array().into_iter().flatten() {
                if entry["manager"] == model::prune::FIELD_MANAGER && entry["subresource"].is_null() {
                    last = last.max(Some(entry["time"].as_str().context("a time")?.parse()?));
                }
            }
        }
        Ok(last)
    }

    /// Looks at the fabric's state again and again until it is told to stop.
    pub fn watch(&self) -> Result<Watcher> {
        let mut other = HttpUser::new(self.console.url())?;
        for cookie in self.user.cookies() {
            other.set_cookie(&cookie.name, Some(&cookie.value));
        }
        let path = format!("/fabrics/{}/", self.fabric);
        let (over, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (until, notes) = (over.clone(), seen.clone());
        let task = tokio::spawn(async move {
            while !until.load(Ordering::Relaxed) {
                // No answer, or a failure, says nothing green.
                if let Ok(answer) = other.script("GET", &path, &[], None).await
                    && answer.status == 200
                    && let Ok(status) = answer.json()
                {
                    let state = status["sync_status"].as_str().unwrap_or_default().to_owned();
                    let evidence = status["status"]["evidence_at"].as_str().and_then(|at| at.parse().ok());
                    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
                    if notes.last() != Some(&(state.clone(), evidence)) {
                        notes.push((state, evidence));
                    }
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        Ok(Watcher { over, seen, task })
    }
}

/// The fabric's state, and the time of the evidence for it, as somebody saw them.
pub type Look = (String, Option<Timestamp>);

/// Somebody who looks at the fabric's state.
pub struct Watcher {
    over: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<Look>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Watcher {
    /// What was seen, in its order.
    pub async fn stop(self) -> Result<Vec<Look>> {
        self.over.store(true, Ordering::Relaxed);
        self.task.await.context("look at the fabric")?;
        Ok(self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// A webhook's limit is shorter than that of a call, as it is with Hedgehog's 10 s and the console's 30 s: so the API server
/// says itself that it got no answer.
async fn shorten_webhooks(client: &KubeClient) -> Result<()> {
    for kind in ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"] {
        let path = format!("/apis/admissionregistration.k8s.io/v1/{kind}");
        let list = client.request("GET", &path, None).await?.success("list the webhooks")?;
        for registration in list["items"].as_array().into_iter().flatten() {
            let mut registration = registration.clone();
            for webhook in registration["webhooks"].as_array_mut().into_iter().flatten() {
                webhook["timeoutSeconds"] = json!(1);
            }
            let name = registration["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let answer = client.request("PUT", &format!("{path}/{name}"), Some(&registration)).await?;
            answer.success("shorten the webhooks' limit")?;
        }
    }
    Ok(())
}

/// The form takes minutes; a cell has half of one.
async fn shorten_deadline(database: &str, fabric: i64) -> Result<()> {
    let store = Store::open_unmigrated(database).await?;
    let before = store.fabrics().get(&Scope::System, fabric).await?;
    let deadline_seconds = u32::try_from(DEADLINE.as_secs())?;
    let spec = FabricSpec { deadline_seconds, ..before.spec() };
    let keep = SecretChanges::default();
    store.fabrics().update(&Scope::System, fabric, before.version, &spec, &keep, Timestamp::now()).await?;
    store.close().await;
    Ok(())
}

/// An operation in one line.
pub fn told(operation: &Value) -> String {
    format!("{} {} {}", operation["state"], operation["code"], operation["message"])
}
