//! What the self-test lies on: a lab, a repository, a console with two fabrics and three users, and the proxy before it.
//! All of it is this program, started anew in a temporary folder. Everything is put in as a user puts it in: by the
//! form, with a press of the button.

mod automatic;

use super::child::{Piece, Program, Repository};
use super::inside::Inside;
use super::proxy::Proxy;
use super::{Ingredients, SelfTestError};
use crate::http::HttpUser;
use crate::oracle::{ClusterOracle, DatabaseOracle, GitOracle};
use crate::profile::{FabricPage, Profile};
use crate::site::{Account, DriverKind, Plan, Site};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The fabric that everything is about.
pub(super) const FABRIC: &str = "west";
/// The fabric whose cluster nobody reaches.
pub(super) const UNREACHABLE: &str = "north";
/// The user who may look, and do nothing.
pub(super) const READER: &str = "reader";
/// The second administrator.
pub(super) const SECOND: &str = "second";
/// Nothing listens on port 1.
const NOBODY: &str = "https://127.0.0.1:1";
/// The limits of sessions at the console for journeys about them.
const SHORT: [(&str, &str); 3] = [("session.idle", "4s"), ("session.absolute", "10s"), ("session.warn_before", "1s")];
/// The same for a browser, which takes its time.
const SHORT_IN_A_BROWSER: [(&str, &str); 3] =
    [("session.idle", "8s"), ("session.absolute", "20s"), ("session.warn_before", "3s")];
/// A console that looks at the fabric every second, so that a slot of two seconds is not over before.
const BY_ITSELF: [(&str, &str); 2] = [("compare.interval", "1s"), ("schedule.shortest_interval", "2s")];

/// An object whose description is changed by commits.
struct Described {
    file: &'static str,
    /// The lines before the description.
    before: &'static str,
    /// The line of the description, as it is at first.
    first: &'static str,
}

/// What no switch runs.
const SERVER: Described =
    Described { file: "wiring/servers.yaml", before: "  name: server-06\nspec:\n", first: "  description: backup\n" };
/// What a switch runs.
const SWITCH: Described = Described { file: "wiring/switches.yaml", before: "  name: spine-01\nspec:\n", first: "" };

/// How long an operation of the self-test's own may take.
const SETTLES: Duration = Duration::from_secs(60);

/// What sort of console it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BedKind {
    /// A console as it is by default, with a lab.
    Whole,
    /// The same with sessions that end after seconds.
    ShortSessions,
    /// The same with a fabric that can be had to sync by itself every few seconds.
    ByItself,
}

/// One console with all that belongs to it.
pub(super) struct Bed {
    kind: BedKind,
    console: Option<Piece>,
    lab: Option<Piece>,
    /// The proxy.
    pub(super) proxy: Proxy,
    /// The cluster, read beside the console.
    pub(super) cluster: ClusterOracle,
    git: GitOracle,
    database: DatabaseOracle,
    /// The repository.
    pub(super) repository: Repository,
    url: String,
    admin: Account,
    reader: Account,
    second: Account,
    /// The last sync of the self-test's own.
    synced: Mutex<String>,
    commits: AtomicU32,
    commits_to_a_switch: AtomicU32,
    /// The number of the fabric.
    pub(super) fabric: String,
    /// The number of the fabric that nobody reaches.
    pub(super) unreachable: String,
    // The last, so that it goes when everything that writes into it has gone.
    _folder: TempDir,
}

impl Bed {
    /// Starts everything.
    pub(super) async fn start(ingredients: &Ingredients, kind: BedKind) -> Result<Self, SelfTestError> {
        let private = Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix("hedgerow-self-test-").permissions(private).tempdir();
        let folder = folder.map_err(|error| SelfTestError::Folder(error.to_string()))?;
        let program = Program { path: ingredients.program.clone(), folder: folder.path().to_owned() };
        let lab = program.start("lab", &["lab", "--empty", "--json"]).await?;
        let repository = Repository::make(folder.path(), &ingredients.files).await?;
        let data = folder.path().join("data").display().to_string();
        let mut words = vec!["serve", "--json", "--listen", "127.0.0.1:0", "--data", &data];
        let in_a_browser = ingredients.driver.runs_scripts() || ingredients.browser.is_some();
        // Where switches do not follow, nobody waits long for them.
        let mut settings = vec![("source.allow_file", "true"), ("log.level", "warn"), ("rollout.wait", "4s")];
        settings.extend(match (kind, in_a_browser) {
            (BedKind::Whole, _) => &[][..],
            (BedKind::ByItself, _) => &BY_ITSELF,
            (BedKind::ShortSessions, false) => &SHORT,
            (BedKind::ShortSessions, true) => &SHORT_IN_A_BROWSER,
        });
        let settings: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        words.extend(settings.iter().flat_map(|setting| ["--set", setting.as_str()]));
        let console = program.start("console", &words).await?;
        let admin = Account { username: console.said("username"), password: console.said("password").into() };
        let (reader, second) = (account(READER), account(SECOND));
        for (user, more) in [(&reader, &[][..]), (&second, &["--superuser"][..])] {
            let create = ["user", "create", &user.username, "--password-stdin", "--data", &data];
            program.run(&[&create[..], more].concat(), Some(&user.password)).await?;
        }
        program.run(&["user", "grant", READER, "--action", "view", "--data", &data], None).await?;

        let url = console.said("url");
        let inside = Inside::new(&url, vec![admin.clone(), reader.clone(), second.clone()]);
        let proxy = Proxy::start(&url, inside).await.map_err(|error| SelfTestError::Proxy(error.to_string()))?;
        let kubeconfig = PathBuf::from(lab.said("kubeconfig"));
        let cluster = ClusterOracle::open(&kubeconfig, None);
        let cluster = cluster.map_err(|error| SelfTestError::Bed(error.to_string()))?;
        let git = GitOracle::local(&repository.bare, "main", "");
        let git = git.map_err(|error| SelfTestError::Git(error.to_string()))?;
        let database = DatabaseOracle::open(&format!("sqlite:{data}/hedgerow.db"));
        let database = database.map_err(|error| SelfTestError::Bed(error.to_string()))?;
        let mut bed = Self {
            kind,
            console: Some(console),
            lab: Some(lab),
            proxy,
            cluster,
            git,
            database,
            repository,
            url,
            admin,
            reader,
            second,
            synced: Mutex::default(),
            commits: AtomicU32::new(0),
            commits_to_a_switch: AtomicU32::new(0),
            fabric: String::new(),
            unreachable: String::new(),
            _folder: folder,
        };
        bed.fill(&kubeconfig).await?;
        Ok(bed)
    }

    /// Adds the fabrics by the form, and syncs the one that has a cluster.
    async fn fill(&mut self, kubeconfig: &Path) -> Result<(), SelfTestError> {
        let mut user = self.user().await?;
        let nobody: &[(&str, &str)] = &[("cluster_kind", "endpoint"), ("server", NOBODY), ("token", "nobody-has-it")];
        let text = std::fs::read_to_string(kubeconfig)
            .map_err(|error| SelfTestError::Bed(format!("{} cannot be read: {error}", kubeconfig.display())))?;
        let source = format!("file://{}", self.repository.bare.display());
        let fields = [("cluster_kind", "kubeconfig"), ("kubeconfig", &text), ("source_url", &source)];
        self.fabric = add(&mut user, FABRIC, &fields).await?;
        self.unreachable = add(&mut user, UNREACHABLE, nobody).await?;
        self.settle().await
    }

    async fn user(&self) -> Result<HttpUser, SelfTestError> {
        let mut user = HttpUser::new(&self.url).map_err(unwell)?;
        user.login(&self.admin.username, self.admin.password()).await.map_err(unwell)?;
        Ok(user)
    }

    /// Takes everything back to where it was: no rules, no faults in the lab, cluster and Git alike.
    pub(super) async fn settle(&self) -> Result<(), SelfTestError> {
        self.proxy.set(Vec::new());
        self.lab_faults(&json!({})).await?;
        let path = format!("/fabrics/{}/", self.fabric);
        let until = Instant::now() + SETTLES;
        while Instant::now() < until {
            let mut user = self.user().await?;
            // What went on must have ended, or a press would get that back.
            let page = user.visit(&path).await.map_err(unwell)?;
            self.press(&mut user, &page, "sync_from_fabric").await?;
            let status = user.script("GET", &path, &[], None).await.map_err(unwell)?.json().map_err(unwell)?;
            if status["sync_status"] == "in_sync" {
                return Ok(());
            }
            let page = user.visit(&path).await.map_err(unwell)?;
            let synced = self.press(&mut user, &page, "sync_to_kubernetes").await?;
            *self.synced.lock().unwrap_or_else(PoisonError::into_inner) = synced;
        }
        Err(SelfTestError::Bed(format!("{FABRIC} does not come back to where it was")))
    }

    /// Has the console read the cluster now.
    pub(super) async fn compare(&self) -> Result<(), SelfTestError> {
        let mut user = self.user().await?;
        let page = user.visit(&format!("/fabrics/{}/", self.fabric)).await.map_err(unwell)?;
        self.press(&mut user, &page, "sync_from_git").await?;
        let page = user.visit(&format!("/fabrics/{}/", self.fabric)).await.map_err(unwell)?;
        self.press(&mut user, &page, "sync_from_fabric").await.map(drop)
    }

    /// Commits a change that the cluster does not hold: the description of a server.
    pub(super) async fn commit(&self) -> Result<(), SelfTestError> {
        self.change(&SERVER, &self.commits).await
    }

    /// The same of a switch, which gets it from the fabric controller.
    pub(super) async fn commit_to_a_switch(&self) -> Result<(), SelfTestError> {
        self.change(&SWITCH, &self.commits_to_a_switch).await
    }

    async fn change(&self, what: &Described, commits: &AtomicU32) -> Result<(), SelfTestError> {
        let number = commits.fetch_add(1, Ordering::Relaxed) + 1;
        let described = |number| format!("{}  description: changed {number}\n", what.before);
        let old = if number == 1 { format!("{}{}", what.before, what.first) } else { described(number - 1) };
        self.repository.replace(what.file, &old, &described(number)).await
    }

    /// The page of a sync that succeeded some time ago.
    pub(super) fn earlier(&self) -> String {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Presses a button, and waits until what it began is over.
    async fn press(&self, user: &mut HttpUser, page: &crate::page::Page, verb: &str) -> Result<String, SelfTestError> {
        let answer = user.submit(page, &format!("form[data-verb={verb}]"), &[]).await.map_err(unwell)?;
        let location = answer.location().ok_or_else(|| SelfTestError::Bed(format!("{verb} leads nowhere")))?;
        let until = Instant::now() + SETTLES;
        while Instant::now() < until {
            let answer = user.script("GET", &location, &[], None).await.map_err(unwell)?;
            if answer.status == 401 {
                // Where sessions are short, an operation may outlive one.
                *user = self.user().await?;
                continue;
            }
            let operation = answer.json().map_err(unwell)?;
            if operation["final"] == true {
                return Ok(location);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(SelfTestError::Bed(format!("{location} does not end")))
    }

    /// Switches faults of the lab on; an empty object switches all off.
    pub(super) async fn lab_faults(&self, plan: &Value) -> Result<(), SelfTestError> {
        let url = self.cluster.url(&["lab", "faults"], &[]);
        let body = Some(("application/json", plan));
        let sent = self.cluster.send("switch faults of the lab", http::Method::PUT, url, body).await;
        sent.map(drop).map_err(|error| SelfTestError::Bed(error.to_string()))
    }

    /// A run over these journeys.
    pub(super) fn plan(&self, profile: &Profile, driver: DriverKind, journeys: Vec<String>, times: Times) -> Plan {
        let target = self.proxy.url();
        Plan {
            target,
            account: self.admin.clone(),
            second: Some(self.second.clone()),
            reader: Some(self.reader.clone()),
            // The bed's console watches its cluster: a contradiction that lasts is found sooner.
            profile: Profile { fabric: FabricPage { lag: 10, ..profile.fabric.clone() }, ..profile.clone() },
            drivers: vec![driver],
            journeys,
            fabric: Some(FABRIC.to_owned()),
            unreachable_fabric: (self.kind == BedKind::Whole).then(|| UNREACHABLE.to_owned()),
            namespace: None,
            allow_sync: true,
            cluster: Some(self.cluster.clone()),
            git: Some(self.git.clone()),
            database: Some(self.database.clone()),
            direct: None,
            ca: None,
            max_requests: 20_000,
            max_time: times.run,
            patience: times.patience,
            max_wait: times.wait,
            secrets: Vec::new(),
            id: uuid::Uuid::new_v4().simple().to_string()[..12].to_owned(),
        }
    }

    /// Whether this driver can be used here at all; why not, in a sentence.
    pub(super) async fn opens(&self, profile: &Profile, driver: DriverKind) -> Result<(), String> {
        if !driver.runs_scripts() {
            return Ok(());
        }
        let times = Times { run: SETTLES, patience: SETTLES, wait: SETTLES };
        let site = Site::new(self.plan(profile, driver, Vec::new(), times), None);
        site.window(driver, true).await.map(drop).map_err(|obstacle| obstacle.to_string())
    }

    /// The administrator's password: what an answer must never show.
    pub(super) fn password(&self) -> &str {
        self.admin.password()
    }

    /// The administrator's name.
    pub(super) fn admin(&self) -> &str {
        &self.admin.username
    }

    /// Ends everything, in its order.
    pub(super) async fn stop(mut self) {
        for piece in [self.console.take(), self.lab.take()].into_iter().flatten() {
            piece.stop().await;
        }
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// The whole run.
    pub(super) run: Duration,
    /// One operation.
    pub(super) patience: Duration,
    /// The end of a session, and what the fabric does by itself.
    pub(super) wait: Duration,
}

fn account(name: &str) -> Account {
    Account { username: name.to_owned(), password: SecretString::from(uuid::Uuid::new_v4().simple().to_string()) }
}

fn unwell(obstacle: crate::obstacle::Obstacle) -> SelfTestError {
    SelfTestError::Bed(obstacle.to_string())
}

/// Adds a fabric by the form, and gives its number.
async fn add(user: &mut HttpUser, name: &str, fields: &[(&str, &str)]) -> Result<String, SelfTestError> {
    let form = user.visit("/fabrics/add/").await.map_err(unwell)?;
    let all = [&[("name", name)], fields].concat();
    let answer = user.submit(&form, "form.form", &all).await.map_err(unwell)?;
    if answer.location().is_none() {
        return Err(SelfTestError::Bed(format!("the fabric {name} was not taken: {}", answer.visible_text())));
    }
    let page = user.arrive(answer).await.map_err(unwell)?;
    let number = page.attribute("#sync-now-btn", "data-fabric-id").map_err(unwell)?;
    number.ok_or_else(|| SelfTestError::Bed(format!("the page of {name} has no button that names it")))
}
