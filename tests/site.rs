//! A site of one journey's own: a control cluster in full, with Hedgehog's webhooks, controller and agents played beside
//! a real kube-apiserver, a Git server, and a console with one fabric, added by the form. Hedgehog's objects live in
//! namespace `default` and its webhooks are for the whole cluster, so two such journeys cannot share one.

use crate::world;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use testkit::{
    Access, AgentMode, ApiFront, Console, ConsoleOptions, ControlPlane, GitServer, Hedgehog, HttpUser, KubeClient,
    Lease, Page, eventually,
};

/// How long switches may take on a busy machine.
pub const ROLLOUT: Duration = Duration::from_secs(60);

const REPOSITORY: &str = "fabric";

/// A cluster, its repository and its console. Fields are dropped from the top: the console first, the cluster last.
pub struct Site {
    /// The console.
    pub console: Console,
    /// Who uses the console.
    pub user: HttpUser,
    /// The fabric's number in the console.
    pub id: i64,
    /// The Git server.
    pub git: GitServer,
    /// The door between console and API server, which notes every request.
    pub door: ApiFront,
    /// Webhooks, controller and agents.
    pub hedgehog: Hedgehog,
    /// A client of the test's own, which does not go through the door.
    pub client: KubeClient,
    /// The API server.
    pub plane: Lease,
    kinds: Vec<String>,
}

impl Site {
    /// A site with the project's own kinds.
    pub async fn start() -> Result<Self> {
        Self::start_with(&lab::kinds::crds(), &[]).await
    }

    /// A site with these definitions of kinds, and settings of the console by their environment variables.
    pub async fn start_with(definitions: &[Value], settings: &[(&str, &str)]) -> Result<Self> {
        let plane = ControlPlane::pool().await?;
        plane.replace_crds(definitions).await?;
        let hedgehog = Hedgehog::start(&plane).await?;
        let door = ApiFront::start(&plane).await?;
        let client = plane.client()?;
        let names = definitions.iter().filter_map(|one| one["metadata"]["name"].as_str());
        let kinds = names.map(str::to_owned).collect();

        let git = GitServer::start().await?;
        git.add_user("hedgerow", "git-token-1");
        git.require_auth(true);
        git.create_repo(REPOSITORY).await?;
        git.commit(REPOSITORY, "main", &[("README.md", Some("Manifests."))], "Begin").await?;

        // Of its own accord it compares rarely and watches nothing, so that what a page says comes from what the journey
        // did.
        let mut env: BTreeMap<&str, &str> = [
            ("HEDGEROW_COMPARE_INTERVAL", "170s"),
            ("HEDGEROW_COMPARE_WATCH", "false"),
            ("HEDGEROW_ROLLOUT_WAIT", "30s"),
        ]
        .into();
        env.extend(settings.iter().copied());
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let console = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
        let mut user = console.visitor()?;
        user.login(console.username()?, console.password()?).await?;

        // With the rights of a fabric's account, and no more.
        let account = plane.token_user("hedgerow", &Access::writer()).await?;
        let kubeconfig = plane.kubeconfig(&door.url(), &account.token);
        let fields = [
            ("name", "site"),
            ("cluster_kind", "kubeconfig"),
            ("kubeconfig", &kubeconfig),
            ("source_url", &git.url(REPOSITORY)),
            ("branch", "main"),
            ("credential_kind", "token"),
            ("source_username", "hedgerow"),
            ("source_token", "git-token-1"),
        ];
        let form = user.visit("/fabrics/add/").await?;
        let answer = user.submit(&form, "form.form", &fields).await?;
        ensure!(answer.status == 303, "the form was not taken: {} {}", answer.status, answer.visible_text());
        let page = user.arrive(answer).await?;
        let id = page.attribute("#sync-now-btn", "data-fabric-id")?.context("the button names its fabric")?.parse()?;
        Ok(Self { console, user, id, git, door, hedgehog, client, plane, kinds })
    }

    /// Commits files: a path and its text, or `None` to remove it.
    pub async fn commit(&self, files: &[(&str, Option<&str>)]) -> Result<String> {
        self.git.commit(REPOSITORY, "main", files, "Change").await
    }

    /// Commits one file.
    pub async fn write(&self, path: &str, text: &str) -> Result<String> {
        self.commit(&[(path, Some(text))]).await
    }

    /// Commits what every switch gets: one more range of its IPv4 namespaces.
    pub async fn write_for_every_switch(&self) -> Result<String> {
        let files = fabric_files();
        let (path, before) =
            files.iter().find(|(path, _)| *path == "namespaces.yaml").context("the namespaces' file")?;
        let more = before.context("its text")?.replace("  - 10.0.0.0/16\n", "  - 10.0.0.0/16\n  - 10.1.0.0/16\n");
        self.write(path, &more).await
    }

    /// From now on leaf-01 is silent, and was last heard of ten minutes ago, and leaf-02 applies nothing.
    pub async fn lose_two_leaves(&self) -> Result<()> {
        self.hedgehog.set_agent("leaf-01", AgentMode::Offline);
        self.hedgehog.set_agent("leaf-02", AgentMode::Stuck);
        eventually(Duration::from_secs(20), "leaf-01 was last heard of ten minutes ago", || async {
            let agent = self.there("Agent", "leaf-01").await?;
            let heard = text(&agent["status"]["lastHeartbeat"]);
            let age = jiff::Timestamp::now().duration_since(heard.parse()?);
            ensure!(age.as_mins() >= 9, "{heard}");
            Ok(())
        })
        .await
    }

    /// The fabric's page.
    pub async fn page(&mut self) -> Result<Page> {
        Ok(self.user.visit(&format!("/fabrics/{}/", self.id)).await?)
    }

    /// The page of an object, by `Kind.group` and name.
    pub async fn object_page(&mut self, kind: &str, name: &str) -> Result<Page> {
        Ok(self.user.visit(&format!("/fabrics/{}/objects/{kind}/default/{name}/", self.id)).await?)
    }

    /// The JSON of the fabric, as a script gets it.
    pub async fn status(&mut self) -> Result<Value> {
        let path = format!("/fabrics/{}/", self.id);
        Ok(self.user.script("GET", &path, &[("Accept", "application/json")], None).await?.json()?)
    }

    /// Presses a button of the fabric's page, and waits until the operation has ended.
    pub async fn press(&mut self, verb: &str) -> Result<Value> {
        world::press(&mut self.user, self.id, verb).await
    }

    /// Sync to Kubernetes by its button, with every object's outcome by `Kind/name`.
    pub async fn sync(&mut self) -> Result<(Value, BTreeMap<String, Value>)> {
        let operation = self.press("sync_to_kubernetes").await?;
        self.outcomes_of(operation).await
    }

    /// The same with more said than the button says. Token and comparison are the page's own, as it is now.
    pub async fn sync_with(&mut self, options: Value) -> Result<(Value, BTreeMap<String, Value>)> {
        let page = self.page().await?;
        self.sync_from(&page, options).await
    }

    /// The same from a page that was opened before.
    pub async fn sync_from(&mut self, page: &Page, options: Value) -> Result<(Value, BTreeMap<String, Value>)> {
        let location = self.begin_from(page, options).await?;
        let operation = world::ended(&mut self.user, &location).await?;
        self.outcomes_of(operation).await
    }

    /// Asks for it from a page, and gives the address of the operation at once.
    pub async fn begin_from(&mut self, page: &Page, options: Value) -> Result<String> {
        let form = "form[data-verb=sync_to_kubernetes]";
        let comparison = page.attribute(&format!("{form} input[name=comparison]"), "value")?;
        let mut body = options;
        body["comparison"] = comparison.context("the form says which comparison the page shows")?.into();
        let csrf = world::token(page)?;
        let path = format!("/fabrics/{}/sync/", self.id);
        let answer = self.user.script("POST", &path, &[("X-CSRFToken", &csrf)], Some(&body.to_string())).await?;
        let answer = answer.json()?;
        answer["operation"]["url"].as_str().map(str::to_owned).with_context(|| format!("no operation: {answer}"))
    }

    /// The fabric's policy lets a sync delete, up to this share of a hundred without a confirmation: by the form of its
    /// settings, which says nothing else than before.
    pub async fn allow_prune(&mut self, limit_percent: u8) -> Result<()> {
        let path = format!("/fabrics/{}/edit/", self.id);
        let form = self.user.visit(&path).await?;
        let limit = limit_percent.to_string();
        let answer = self.user.submit(&form, "form.form", &[("prune", "on"), ("prune_limit", &limit)]).await?;
        ensure!(answer.status == 303, "the settings were not taken: {} {}", answer.status, answer.visible_text());
        let form = self.user.visit(&path).await?;
        ensure!(form.attribute("#id_prune[checked]", "name")?.is_some(), "the policy does not allow deletions");
        Ok(())
    }

    /// An operation of the fabric may take so long: shorter than its form allows, because the journey waits for it.
    pub async fn limit(&self, deadline: Duration) -> Result<()> {
        let seconds = u32::try_from(deadline.as_secs())?;
        self.change(|spec| spec.deadline_seconds = seconds).await
    }

    async fn change(&self, change: impl FnOnce(&mut store::FabricSpec)) -> Result<()> {
        let store = world::database(&self.console).await?;
        let fabric = store.fabrics().get(&store::Scope::System, self.id).await?;
        let mut spec = fabric.spec();
        change(&mut spec);
        let secrets = store::fabrics::SecretChanges::default();
        let now = jiff::Timestamp::now();
        store.fabrics().update(&store::Scope::System, self.id, fabric.version, &spec, &secrets, now).await?;
        store.close().await;
        Ok(())
    }

    /// An operation with every object's outcome by `Kind/name`.
    pub async fn outcomes_of(&mut self, operation: Value) -> Result<(Value, BTreeMap<String, Value>)> {
        let mut outcomes = BTreeMap::new();
        let (mut page, mut number) = (operation.clone(), Some(1));
        loop {
            for outcome in page["outcomes"]["results"].as_array().into_iter().flatten() {
                outcomes.insert(
                    format!("{}/{}", text(&outcome["key"]["kind"]), text(&outcome["key"]["name"])),
                    outcome.clone(),
                );
            }
            number = page["outcomes"]["next_page"].as_i64().filter(|next| Some(*next) > number);
            let Some(next) = number else { return Ok((operation, outcomes)) };
            let path = format!("{}?page={next}", text(&operation["url"]));
            page = self.user.script("GET", &path, &[], None).await?.json()?;
        }
    }

    /// Sync to Kubernetes, which must succeed.
    pub async fn synced(&mut self) -> Result<Value> {
        let (operation, outcomes) = self.sync().await?;
        ensure!(operation["state"] == "succeeded", "{} {outcomes:?}", operation["message"]);
        Ok(operation)
    }

    /// The page of an operation.
    pub async fn operation_page(&mut self, operation: &Value) -> Result<Page> {
        Ok(self.user.visit(operation["url"].as_str().context("the operation's address")?).await?)
    }

    /// One object, read by a client of the test's own.
    pub async fn live(&self, kind: &str, name: &str) -> Result<Option<Value>> {
        self.client.get(kind, name).await
    }

    /// One object that must be there.
    pub async fn there(&self, kind: &str, name: &str) -> Result<Value> {
        self.live(kind, name).await?.with_context(|| format!("{kind} {name} is in the cluster"))
    }

    /// The resource version of every object of Hedgehog's, by kind and name; not of Agents, which report all the time.
    pub async fn versions(&self) -> Result<BTreeMap<String, String>> {
        let mut versions = BTreeMap::new();
        for kind in self.kinds.iter().filter(|kind| !kind.contains("agents.")) {
            for object in self.client.list(kind).await? {
                let metadata = &object["metadata"];
                versions.insert(format!("{kind}/{}", text(&metadata["name"])), text(&metadata["resourceVersion"]));
            }
        }
        Ok(versions)
    }

    /// The writes of the console to Hedgehog's kinds since this was last asked; dry runs only on request.
    pub fn writes(&self, with_dry_runs: bool) -> Vec<String> {
        let mut calls = self.door.take_calls();
        calls.retain(|call| {
            call.method != "GET"
                && call.path.contains("githedgehog.com")
                && (with_dry_runs || !call.path.contains("dryRun"))
        });
        calls.into_iter().map(|call| format!("{} {}", call.method, call.path)).collect()
    }

    /// Waits until the fabric's JSON says what is wanted; the background comparison must bring it.
    pub async fn until(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        let path = format!("/fabrics/{}/", self.id);
        let user = tokio::sync::Mutex::new(&mut self.user);
        eventually(ROLLOUT, what, || async {
            let status = user.lock().await.script("GET", &path, &[], None).await?.json()?;
            ensure!(holds(&status), "{} {} {}", status["status"], status["stages"], states(&status)?);
            Ok::<_, anyhow::Error>(status)
        })
        .await
    }
}

/// The switches and gateways of a fabric's JSON with their states.
fn states(status: &Value) -> Result<String> {
    Ok(format!("{:?}", switches(status)?))
}

/// The switches and gateways of a fabric's JSON with their states.
pub fn switches(status: &Value) -> Result<BTreeMap<String, String>> {
    let switches = status["switches"].as_array().context("the JSON lists the switches")?;
    Ok(switches.iter().map(|switch| (text(&switch["name"]), text(&switch["state"]))).collect())
}

/// The stage *applied* of a fabric's JSON.
pub fn applied(status: &Value) -> &Value {
    &status["stages"][3]
}

/// Whether every switch and gateway runs everything.
pub fn all_applied(status: &Value) -> bool {
    let done = applied(status)["state"] == "done" && applied(status)["done"].as_u64() > Some(0);
    done && switches(status).is_ok_and(|all| !all.is_empty() && all.values().all(|state| state == "applied"))
}

/// That the check before writing ended an operation.
pub fn stopped_by_preflight(operation: &Value) {
    let ended = (text(&operation["state"]), text(&operation["code"]));
    assert_eq!(ended, ("failed".to_owned(), "preflight_failed".to_owned()), "{operation}");
}

/// A JSON text, or nothing.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// An object without what the server adds to its metadata.
pub fn plain(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for key in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"] {
            metadata.shift_remove(key);
        }
    }
    object
}

/// Objects as a file of manifests.
pub fn yaml<'a>(objects: impl IntoIterator<Item = &'a Value>) -> Result<String> {
    let texts: Vec<String> = objects.into_iter().map(serde_saphyr::to_string).collect::<Result<_, _>>()?;
    Ok(texts.join("---\n"))
}

/// A small fabric of our own, wired and hydrated: a spine, a pair of leaves and a third one, two servers, a gateway, two
/// VPCs with an attachment each, and a peering of the two over the gateway.
pub const FABRIC: &[(&str, &str)] = &[
    ("namespaces.yaml", include_str!("fabric/namespaces.yaml")),
    ("wiring/switches.yaml", include_str!("fabric/switches.yaml")),
    ("wiring/servers.yaml", include_str!("fabric/servers.yaml")),
    ("wiring/connections.yaml", include_str!("fabric/connections.yaml")),
    ("wiring/gateways.yaml", include_str!("fabric/gateways.yaml")),
    ("vpcs.yaml", include_str!("fabric/vpcs.yaml")),
];

/// The same as objects, in an order in which they can be created.
pub fn fabric_objects() -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    for (_, text) in FABRIC {
        objects.extend(serde_saphyr::from_multiple::<Value>(text)?);
    }
    for object in &mut objects {
        object["metadata"]["namespace"] = "default".into();
    }
    Ok(objects)
}

/// The same with the addresses and AS numbers taken away, as a person writes wiring before the installer fills it in.
pub fn unhydrated(objects: &[Value]) -> Vec<Value> {
    let mut objects = objects.to_vec();
    for object in &mut objects {
        let kind = text(&object["kind"]);
        let Some(spec) = object["spec"].as_object_mut() else { continue };
        match kind.as_str() {
            "Switch" => ["asn", "ip", "protocolIP", "vtepIP"].iter().for_each(|key| _ = spec.shift_remove(*key)),
            "Connection" => {
                for variant in ["fabric", "gateway"] {
                    let links = spec.get_mut(variant).and_then(|variant| variant["links"].as_array_mut());
                    for end in links.into_iter().flatten().filter_map(Value::as_object_mut).flat_map(|l| l.values_mut())
                    {
                        end.as_object_mut().map(|end| end.shift_remove("ip"));
                    }
                }
            }
            "Gateway" => {
                spec.retain(|key, _| key == "groups" || key == "interfaces");
                spec["interfaces"]["enp2s1np0"] = serde_json::json!({});
            }
            _ => {}
        }
    }
    objects
}

/// The fabric's files as a commit takes them.
pub fn fabric_files() -> Vec<(&'static str, Option<&'static str>)> {
    FABRIC.iter().map(|(path, text)| (*path, Some(*text))).collect()
}

/// The folder of the shared data; `None`, and said so, where it is not to be had.
#[expect(clippy::print_stdout, reason = "who runs the tests is told what did not run")]
pub fn shared_folder() -> Option<PathBuf> {
    let found = testkit::shared_folder().filter(|folder| folder.join("hedgehog/recorded").is_dir());
    if found.is_none() {
        println!("skipped: ../shared is not here");
    }
    found
}

/// A recording of what Hedgehog's real controller did, one JSON document a line; `None` where it is not to be had.
pub fn recorded(file: &str) -> Option<Vec<Value>> {
    let path = shared_folder()?.join("hedgehog/recorded").join(file);
    let text = std::fs::read_to_string(path).expect("the recording is readable");
    Some(text.lines().map(|line| serde_json::from_str(line).expect("one JSON document a line")).collect())
}

/// Hedgehog's own definitions, from the shared data.
pub fn hedgehogs_definitions() -> Result<Vec<Value>> {
    let shared = testkit::shared_folder().context("../shared is here")?;
    let mut definitions = testkit::read_crds(&shared.join("hedgehog/crds"))?;
    definitions.extend(testkit::read_crds(&shared.join("hedgehog/crds/fabricator"))?);
    Ok(definitions)
}
