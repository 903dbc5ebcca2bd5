//! What a run is about, and what was given to it: the target, its users, its fabric, the oracles, and what is allowed.

use crate::drivers::Driver;
use crate::drivers::http::HttpDriver;
use crate::drivers::webdriver::{BrowserDriver, BrowserKind, BrowserOptions};
use crate::effect::Planted;
use crate::exchange::{Budget, Log};
use crate::http::{HttpUser, Proxies};
use crate::obstacle::Taken;
use crate::oracle::{ClusterOracle, DatabaseOracle, GitOracle};
use crate::profile::Profile;
use crate::recorder::Recorder;
use crate::redact::Redactor;
use crate::results::{Discrepancy, Version};
use crate::sessions::Sessions;
use crate::visitor::{Window, Windows};
use secrecy::{ExposeSecret, SecretString};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use url::Url;

/// Who walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DriverKind {
    /// A client that does what a browser does, without scripts.
    Http,
    /// Chromium or Chrome, through chromedriver.
    Chromium,
    /// Firefox, through geckodriver.
    Firefox,
}

impl DriverKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
        }
    }

    /// Whether pages run their scripts.
    pub fn runs_scripts(self) -> bool {
        self != Self::Http
    }
}

/// Somebody who can log in.
#[derive(Debug, Clone)]
pub struct Account {
    /// The name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

/// What a run is asked to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The target.
    pub target: Url,
    /// Who uses it.
    pub account: Account,
    /// A second user with the same rights; without one, the first logs in a second time.
    pub second: Option<Account>,
    /// A user who may look at the fabric and sync nothing.
    pub reader: Option<Account>,
    /// What is where.
    pub profile: Profile,
    /// With which drivers, in this order.
    pub drivers: Vec<DriverKind>,
    /// Which journeys; empty for all.
    pub journeys: Vec<String>,
    /// The fabric, by name or number.
    pub fabric: Option<String>,
    /// A fabric whose cluster cannot be reached.
    pub unreachable_fabric: Option<String>,
    /// The fabric's namespace, where no page says it.
    pub namespace: Option<String>,
    /// Whether anything may be changed.
    pub allow_sync: bool,
    /// The cluster, read beside the target.
    pub cluster: Option<ClusterOracle>,
    /// The repository, read beside the target.
    pub git: Option<GitOracle>,
    /// The target's own database, read beside it.
    pub database: Option<DatabaseOracle>,
    /// A command that does on the direct path what the button does.
    pub direct: Option<String>,
    /// The certificates that the target is trusted by, in PEM, or that it shows itself; the system's without.
    pub ca: Option<String>,
    /// How many requests may be sent.
    pub max_requests: u64,
    /// How long the run may take.
    pub max_time: Duration,
    /// How long an operation may take; an answer is waited for as long, and at most for a minute.
    pub patience: Duration,
    /// How long the end of a session may be waited for.
    pub max_wait: Duration,
    /// Further secrets that no answer may show, by what they are.
    pub secrets: Vec<(String, SecretString)>,
    /// A random name of the run.
    pub id: String,
}

/// A fabric of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FabricRef {
    /// Its number.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The address of its page, as the list links to it.
    pub address: String,
}

/// A run's surroundings: what every journey uses.
pub struct Site {
    /// What it is asked to do.
    pub plan: Plan,
    /// The profile.
    pub profile: Arc<Profile>,
    /// What writes it down.
    pub recorder: Recorder,
    /// What hides secrets.
    pub redactor: Redactor,
    /// How many requests were sent.
    pub budget: Budget,
    /// The fabric, once it was found.
    pub fabric: Option<FabricRef>,
    /// Its namespace in the cluster.
    pub namespace: Option<String>,
    /// The newest commit of the oracle's repository, once it was read.
    pub git_head: Option<String>,
    /// Windows that were used.
    pub windows: Windows,
    /// What was planted in the cluster, to be taken back whatever happens.
    planted: Mutex<Vec<Planted>>,
    discrepancy: Mutex<Option<Discrepancy>>,
    versions: Mutex<Vec<Version>>,
    /// Where the target led by itself, from plain HTTP to HTTPS.
    settled: OnceLock<Url>,
    /// The sessions that were begun, to be ended whatever happens.
    pub(crate) sessions: Sessions,
}

/// The pauses between the tries to take back what was planted.
const TRIES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(0),
];

impl Site {
    /// The surroundings of a plan.
    pub fn new(plan: Plan, folder: Option<std::path::PathBuf>) -> Self {
        let redactor = redactor(&plan);
        Self {
            profile: Arc::new(plan.profile.clone()),
            recorder: Recorder::new(folder, redactor.clone()),
            budget: Budget::new(plan.max_requests),
            namespace: plan.namespace.clone(),
            git_head: None,
            plan,
            redactor,
            fabric: None,
            windows: Windows::default(),
            planted: Mutex::default(),
            discrepancy: Mutex::default(),
            versions: Mutex::default(),
            settled: OnceLock::new(),
            sessions: Sessions::default(),
        }
    }

    /// The address of the target: the one that was given, or the one with TLS to which that led on the same host.
    pub fn target(&self) -> &Url {
        self.settled.get().unwrap_or(&self.plan.target)
    }

    /// Looks where the login page is: the address that everything is asked at from now on, where it is another than was
    /// given. Only the same host with TLS is; another host is another site.
    pub(crate) fn settle(&self, login: &Url) -> Option<&Url> {
        let given = &self.plan.target;
        let upgraded = given.scheme() == "http" && login.scheme() == "https" && given.host() == login.host();
        let base = upgraded.then(|| login.join("/").ok()).flatten()?;
        Some(self.settled.get_or_init(|| base))
    }

    /// Remembers where the two paths part.
    pub(crate) fn discrepancy(&self, found: Discrepancy) {
        *self.discrepancy.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }

    /// Where the two paths part, if both were walked.
    pub(crate) fn take_discrepancy(&self) -> Option<Discrepancy> {
        self.discrepancy.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Remembers the version of something that takes part; nothing is said twice.
    pub(crate) fn note_version(&self, of: &str, version: &str) {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let version = version.trim();
        if !version.is_empty() && !versions.iter().any(|one| one.of == of && one.version == version) {
            versions.push(Version { of: of.to_owned(), version: version.to_owned() });
        }
    }

    /// The versions of what took part, as it said itself.
    pub(crate) fn take_versions(&self) -> Vec<Version> {
        std::mem::take(&mut *self.versions.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers what is about to be planted.
    pub(crate) fn planted(&self, planted: Planted) {
        self.planted.lock().unwrap_or_else(PoisonError::into_inner).push(planted);
    }

    /// Takes back what was planted and is still there, ends the sessions that are still open, and writes down how that
    /// went.
    pub async fn clean(&self) {
        self.windows.close();
        for pause in TRIES {
            if self.take_back().await {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        for planted in self.left() {
            self.recorder.cleaned(&planted.place(), Err(planted.remedy()));
        }
        self.end_sessions(true).await;
    }

    /// Ends the sessions that are still open; `last` where nobody tries again.
    pub(crate) async fn end_sessions(&self, last: bool) {
        self.sessions.end(&self.profile, &self.recorder, last, || self.somebody().ok()).await;
    }

    /// Takes back what was planted and is still there; whether nothing is left.
    pub(crate) async fn take_back(&self) -> bool {
        let Some(cluster) = &self.plan.cluster else { return true };
        for planted in self.left() {
            // What cannot be taken back now is tried again.
            if planted.take_back(cluster).await.is_ok() {
                self.recorder.cleaned(&planted.place(), Ok(()));
                self.planted.lock().unwrap_or_else(PoisonError::into_inner).retain(|one| *one != planted);
            }
        }
        self.left().is_empty()
    }

    fn left(&self) -> Vec<Planted> {
        self.planted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was planted and could not be taken back, each with how to put it right.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        self.left().iter().map(|planted| format!("{}: {}", planted.place(), planted.remedy())).collect()
    }

    /// Somebody without a browser, who has never been there.
    fn somebody(&self) -> Taken<HttpUser> {
        let base = self.target().as_str();
        let user = match &self.plan.ca {
            Some(ca) => HttpUser::trusting(base, ca)?,
            None => HttpUser::new(base)?,
        };
        Ok(user.called(&self.agent()).waiting(self.plan.patience))
    }

    /// What a run calls itself beside the browser's own name.
    fn agent(&self) -> String {
        format!("HedgerowVerify/{} (run {})", env!("CARGO_PKG_VERSION"), self.plan.id)
    }

    /// A window of nobody yet: a new one, or one that was used and is renewed.
    pub async fn window(&self, kind: DriverKind, scripts: bool) -> Taken<Window> {
        if let Some(mut window) = self.windows.take(kind.name(), scripts)
            && window.driver.renew().await.is_ok()
        {
            return Ok(window);
        }
        Ok(Window { driver: self.start(kind, scripts).await?, scripts })
    }

    async fn start(&self, kind: DriverKind, scripts: bool) -> Taken<Box<dyn Driver>> {
        let log = Log::new(self.redactor.clone(), self.budget.clone());
        match kind {
            DriverKind::Http => Ok(Box::new(HttpDriver::new(self.somebody()?, log, self.profile.clone()))),
            DriverKind::Chromium | DriverKind::Firefox => {
                let browser = if kind == DriverKind::Chromium { BrowserKind::Chromium } else { BrowserKind::Firefox };
                let mut options = BrowserOptions::new(browser);
                options.scripts = scripts;
                options.ca.clone_from(&self.plan.ca);
                options.proxy = Proxies::of_environment().for_browser(self.target())?;
                options.user_agent_suffix = Some(self.agent());
                let driver = BrowserDriver::start(&options, self.target().as_str(), log).await?;
                self.note_version(kind.name(), &driver.version());
                Ok(Box::new(driver))
            }
        }
    }
}

/// What hides the secrets that a run was given.
pub fn redactor(plan: &Plan) -> Redactor {
    let redactor = Redactor::default();
    redactor.tell_profile(&plan.profile);
    redactor.tell_password("the password of the login", &plan.account.password);
    for account in plan.second.iter().chain(&plan.reader) {
        redactor.tell_password(&format!("the password of {}", account.username), &account.password);
    }
    if let Some(password) = plan.database.as_ref().and_then(DatabaseOracle::password) {
        redactor.tell("the password of the database", password);
    }
    let cluster = plan.cluster.iter().flat_map(|cluster| cluster.kubeconfig().secrets());
    for (what, secret) in cluster.chain(plan.git.iter().flat_map(GitOracle::secrets)) {
        redactor.tell(what, &secret);
    }
    for (what, secret) in &plan.secrets {
        redactor.tell(what, secret);
    }
    redactor
}

/// The address of a target, as somebody wrote it; why it is none.
pub fn target(written: &str) -> Result<Url, String> {
    let url = Url::parse(written).ok().filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| format!("{written} is no address; give it as https://hedgerow.example.net"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user's name or a password, and every user of this machine can read it".to_owned());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        let (host, path) = (url.origin().ascii_serialization(), url.path().trim_end_matches('/'));
        // The profile's addresses are patterns as well, for links, rows and scripts: nothing can be put before those.
        return Err(format!(
            "{written} is more than a host, and the profile's addresses begin at the host's root: another application \
             may be there. Give {host}; where the product lives below {path}/, write a profile whose addresses begin with \
             it (docs/concepts/verify-profiles.md), and name it with --profile"
        ));
    }
    Ok(url)
}

impl Account {
    /// The password, for the one place that types it.
    pub fn password(&self) -> &str {
        self.password.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_host() {
        assert_eq!(target("https://h.example:8443").unwrap().as_str(), "https://h.example:8443/");
        for (written, word) in [
            ("h.example", "is no address"),
            ("ftp://h.example", "is no address"),
            ("https://bob:hunter2@h.example/", "holds a user's name or a password"),
            ("https://h.example/netbox/", "Give https://h.example; where the product lives below /netbox/"),
            ("https://h.example/?next=/", "Give https://h.example;"),
        ] {
            let why = target(written).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
    }
}
