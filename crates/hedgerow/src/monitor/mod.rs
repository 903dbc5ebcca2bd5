//! The console's own monitor (`verify.every`): it walks its own front door as a user does, one fabric after the other,
//! with an account that may only look. What a run finds is a row of `verify_runs`, a page (`web/src/pages/verify.rs`), a
//! metric, and after several in a row a webhook. How a run is made and judged is the crate `verify`.
//!
//! Of several processes on one database, one begins each run (`claim`). Nothing is walked with an account that may do
//! more than look: that is a finding of its own, so that it is seen where everything else is.

mod account;
mod refused;
mod round;

use crate::settings::{Secret, Settings};
use anyhow::{Context as _, ensure};
use auth::{Clock, Sessions};
use round::Round;
use secrecy::{ExposeSecret as _, SecretString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;
use verify::monitor::Webhook;
use verify::site::{Account, DriverKind, Plan};

/// How many requests a run may send: some sixty are enough.
const REQUESTS: u64 = 1_000;
/// How long a run may take at most.
const LONGEST: Duration = Duration::from_secs(120);
/// How long the end of the console waits for the run that is under way to clean up.
const ENDING: Duration = Duration::from_secs(15);

/// A monitor that is ready to begin.
pub(crate) struct Monitor {
    plan: Plan,
    /// Where the password stands: a new one is taken from there without a restart.
    password_file: PathBuf,
    interval: Duration,
    webhook: Option<Webhook>,
    alert_after: u32,
    keep: u32,
}

/// A monitor at work.
pub(crate) struct Running {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Monitor {
    /// The monitor of these settings, if they ask for one; `own` is where the console listens. What is wrong with its
    /// files is said at the start.
    pub(crate) fn of(settings: &Settings, own: &str) -> anyhow::Result<Option<Self>> {
        let (Some(interval), Some(username)) = (settings.verify_every, settings.verify_username.clone()) else {
            return Ok(None);
        };
        let password_file = settings.verify_password_file.clone().context("no password for the monitor is set")?;
        let given = settings.verify_url.as_ref().or(settings.public_url.as_ref());
        let target = given.map_or_else(|| own.to_owned(), |url| format!("{}/", url.origin()));
        let target = Url::parse(&target).with_context(|| format!("{target}, which is to be walked, is no address"))?;
        let ca = settings.verify_ca_file.as_ref().map(|file| {
            std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}, which verify.ca_file names", file.display()))
        });
        let webhook = settings.verify_webhook.as_ref().map(|Secret(address)| Webhook::new(address));
        Ok(Some(Self {
            plan: Plan {
                target,
                account: Account { username, password: password(&password_file)? },
                second: None,
                reader: None,
                profile: verify::profile::load("hedgerow").context("cannot read the built-in profile")?,
                drivers: vec![DriverKind::Http],
                journeys: settings.verify_journeys.0.clone(),
                fabric: None,
                unreachable_fabric: None,
                namespace: None,
                allow_sync: false,
                cluster: None,
                git: None,
                database: None,
                direct: None,
                ca: ca.transpose()?,
                max_requests: REQUESTS,
                max_time: LONGEST.min(interval.max(Duration::from_secs(30))),
                patience: LONGEST,
                max_wait: Duration::ZERO,
                secrets: Vec::new(),
                id: String::new(),
            },
            password_file,
            interval,
            webhook: webhook.transpose().context("verify.webhook cannot be used")?,
            alert_after: settings.verify_alert_after,
            // The row of those that failed is counted in what is kept.
            keep: settings.verify_keep,
        }))
    }

    /// Begins to walk. It ends with [`Running::end`], not with the console's own stop: what is under way still needs the
    /// console in order to log out.
    pub(crate) fn start(self, store: Store, sessions: Sessions, clock: Arc<dyn Clock>) -> Running {
        let stop = CancellationToken::new();
        let round = Round::new(self, store, sessions, clock, stop.clone());
        Running { task: tokio::spawn(round.go_on()), stop }
    }
}

impl Running {
    /// Ends it: the run under way is broken off and cleaned up.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        if tokio::time::timeout(ENDING, self.task).await.is_err() {
            tracing::warn!("the monitor's last run was not cleaned up in time");
        }
    }
}

/// When the console is told to end, its monitor ends before its pages do: what it is about to log out of still answers
/// then. `ends` is what the pages wait for.
pub(crate) async fn end_first(monitor: Option<Running>, stop: CancellationToken, ends: CancellationToken) {
    stop.cancelled().await;
    if let Some(monitor) = monitor {
        monitor.end().await;
    }
    ends.cancel();
}

/// What stands in the file that `verify.password_file` names.
fn password(file: &Path) -> anyhow::Result<SecretString> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read {}, which verify.password_file names", file.display()))?;
    let password = SecretString::from(text.trim_end_matches(['\r', '\n']));
    ensure!(
        !password.expose_secret().is_empty() && !password.expose_secret().contains('\n'),
        "{} holds no password: one line is expected in what verify.password_file names",
        file.display()
    );
    Ok(password)
}

#[cfg(test)]
mod tests {
    use verify::monitor::Mark;

    #[test]
    fn the_pages_have_the_same_words_as_the_monitor() {
        for mark in Mark::OF_RUNS.into_iter().chain(Mark::OF_JOURNEYS) {
            assert_eq!(web::verdict_word(mark.code()), mark.word());
        }
    }
}
