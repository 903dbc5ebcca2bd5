//! The git program behind a typed call. Every call has a cleared environment, no settings but ours, no prompts, no
//! hooks, no transport that was not asked for, a deadline and a bound on its output.

use crate::access::Access;
use crate::error::{Classify, Error, Place, Trouble, classify};
use crate::process::{self, Failure, OnLine, Output, Stdin};
use model::Code;
use secrecy::{ExposeSecret, SecretString};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// Deadline of calls that touch the local repository only.
pub(crate) const LOCAL: Duration = Duration::from_secs(120);
/// Bound on the output of calls that answer with a few lines.
pub(crate) const SMALL: usize = 1 << 20;
/// The oldest git that takes settings by environment.
const OLDEST: (u32, u32) = (2, 31);

/// What passes from Hedgerow's own environment: where programs are, and how this site reaches the outside.
const PASSED: &[&str] = &[
    "PATH",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
];

/// Settings of every call; they win over the repository's own file. The `fetch.fsck` lines let old histories in whose
/// flaws are cosmetic; everything else that fsck knows still refuses a transfer.
const SETTINGS: &[(&str, &str)] = &[
    ("protocol.allow", "never"),
    ("core.hooksPath", "/dev/null"),
    ("core.symlinks", "false"),
    ("core.fsmonitor", "false"),
    ("core.askPass", ""),
    ("core.attributesFile", "/dev/null"),
    ("core.quotePath", "false"),
    ("core.bigFileThreshold", "16m"),
    ("core.fsync", "all"),
    ("core.logAllRefUpdates", "true"),
    ("credential.helper", ""),
    ("transfer.fsckObjects", "true"),
    ("fetch.fsck.zeroPaddedFilemode", "ignore"),
    ("fetch.fsck.missingSpaceBeforeDate", "ignore"),
    ("fetch.fsck.missingNameBeforeEmail", "ignore"),
    ("fetch.fsck.badTimezone", "ignore"),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.unpackLimit", "1"),
    ("submodule.recurse", "false"),
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "30"),
    ("gc.autoDetach", "false"),
    ("gc.packRefs", "false"),
    ("gc.pruneExpire", "30.days.ago"),
    ("maintenance.auto", "false"),
    ("i18n.logOutputEncoding", "UTF-8"),
    ("log.showSignature", "false"),
    ("log.mailmap", "false"),
];

/// One repository, as git sees it.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    /// The bare repository.
    pub(crate) repository: PathBuf,
    /// An empty folder that git takes for the user's home.
    pub(crate) home: PathBuf,
    /// Where temporary files go.
    pub(crate) temporary: PathBuf,
}

impl Git {
    /// A call of one git command, e.g. `fetch`. `doing` completes "… failed" and "… took too long" in messages.
    pub(crate) fn call(&self, command: &'static str, doing: &'static str) -> Call<'_> {
        Call {
            git: self,
            doing,
            arguments: vec![command.into()],
            settings: Vec::new(),
            environment: Vec::new(),
            secrets: Vec::new(),
            stdin: Stdin::Empty,
            limit: SMALL,
            place: Place::Local,
            classify,
        }
    }

    /// Refuses a machine without a usable git, once per process, in words an administrator can act on.
    pub(crate) async fn require(&self) -> Result<(), Error> {
        static FOUND: OnceCell<()> = OnceCell::const_new();
        FOUND.get_or_try_init(|| self.version()).await.copied()
    }

    async fn version(&self) -> Result<(), Error> {
        let output = self.call("version", "Asking git for its version").text(Instant::now() + LOCAL).await?;
        let number = output.split_whitespace().nth(2).unwrap_or_default();
        let mut parts = number.split('.').map_while(|p| p.parse::<u32>().ok());
        match (parts.next(), parts.next()) {
            (Some(major), Some(minor)) if (major, minor) >= OLDEST => Ok(()),
            _ => Err(Error::new(
                Code::Internal,
                format!("Git {}.{} or newer is needed; found '{number}'. Install a newer git.", OLDEST.0, OLDEST.1),
            )),
        }
    }
}

/// Where git is. A name that has to be looked for in a `PATH` of the child's own makes the standard library copy the whole
/// process to do that; a server that knows large fabrics would stand still for milliseconds at each call.
fn program() -> PathBuf {
    let is_program = |file: &PathBuf| file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("git")).find(is_program);
    // What is not there is said by whoever tries to start it.
    found.and_then(|file| std::path::absolute(file).ok()).unwrap_or_else(|| "git".into())
}

/// Whether a usable git is installed now. It runs in `folder`, which must exist.
///
/// # Errors
/// When there is none, or an old one, in words an administrator can act on.
pub async fn require_git(folder: &Path) -> Result<(), Error> {
    let own = || folder.to_owned();
    Git { repository: own(), home: own(), temporary: own() }.version().await
}

/// One call that is being put together.
pub(crate) struct Call<'a> {
    git: &'a Git,
    doing: &'static str,
    arguments: Vec<OsString>,
    settings: Vec<(String, String)>,
    environment: Vec<(&'static str, String)>,
    secrets: Vec<SecretString>,
    stdin: Stdin,
    limit: usize,
    place: Place,
    classify: Classify,
}

impl Call<'_> {
    /// Adds arguments. Text from outside stands behind `--` or inside a checked form; never first.
    pub(crate) fn args<S: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// What the command reads.
    pub(crate) fn stdin(mut self, stdin: Stdin) -> Self {
        self.stdin = stdin;
        self
    }

    /// How much the command may write, in bytes.
    pub(crate) fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// The way to a remote, and what to call it in messages.
    pub(crate) fn remote(mut self, access: &Access, place: Place) -> Self {
        self.settings.extend(access.settings.iter().cloned());
        self.environment.extend(access.environment.iter().cloned());
        self.secrets.extend(access.secrets.iter().cloned());
        self.place = place;
        self
    }

    /// How a failure is understood; by the rules of [`classify`] unless said otherwise.
    pub(crate) fn classify(mut self, classify: Classify) -> Self {
        self.classify = classify;
        self
    }

    /// The command as it will be started: nothing of Hedgerow's environment but [`PASSED`].
    fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.args(&self.arguments).current_dir(&self.git.home).env_clear();
        for name in PASSED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("LC_ALL", "C")
            .env("HOME", &self.git.home)
            .env("TMPDIR", &self.git.temporary)
            .env("GIT_DIR", &self.git.repository)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_LITERAL_PATHSPECS", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_PROTOCOL_FROM_USER", "0")
            .env("GIT_AUTHOR_NAME", "Hedgerow")
            .env("GIT_AUTHOR_EMAIL", "hedgerow@localhost")
            .env("GIT_COMMITTER_NAME", "Hedgerow")
            .env("GIT_COMMITTER_EMAIL", "hedgerow@localhost");
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        let own = [("safe.directory".to_owned(), self.git.repository.to_string_lossy().into_owned())];
        let fixed = SETTINGS.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let mut count = 0;
        for (key, value) in fixed.chain(own).chain(self.settings.iter().cloned()) {
            command.env(format!("GIT_CONFIG_KEY_{count}"), key).env(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        command.env("GIT_CONFIG_COUNT", count.to_string());
        command
    }

    /// Runs it; a non-zero exit is an error, classified by what git said.
    pub(crate) async fn run(self, deadline: Instant) -> Result<Output, Error> {
        self.run_guarded(deadline, None, std::future::pending()).await.map_err(|(_, error)| error)
    }

    /// Runs it and gives its output as text.
    pub(crate) async fn text(self, deadline: Instant) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(&self.run(deadline).await?.stdout).trim_end().to_owned())
    }

    /// Runs it with progress lines and a guard that can end it.
    pub(crate) async fn run_guarded(
        mut self,
        deadline: Instant,
        on_line: Option<OnLine<'_>>,
        guard: impl Future<Output = ()>,
    ) -> Result<Output, (Trouble, Error)> {
        let command = self.command();
        let stdin = std::mem::replace(&mut self.stdin, Stdin::Empty);
        let clean;
        let on_line: Option<OnLine<'_>> = match on_line {
            Some(inner) => {
                clean = |line: &str| inner(&self.redact(line));
                Some(&clean)
            }
            None => None,
        };
        let result = process::run(command, stdin, self.limit, deadline, on_line, guard).await;
        let doing = self.doing;
        let error = |code, text: String| (Trouble::Other, Error::new(code, text));
        match result {
            Ok(output) if output.status.success() => Ok(output),
            Ok(output) => {
                let said = self.redact(&output.stderr);
                let answered = self.redact(&String::from_utf8_lossy(&output.stdout));
                tracing::debug!(doing, status = ?output.status.code(), said, "git failed");
                Err((self.classify)(doing, &self.place, &said, &answered))
            }
            Err(Failure::Start(e)) => Err(error(
                Code::Internal,
                format!("The git program could not be started ({}). Install git on the server.", e.kind()),
            )),
            Err(Failure::Io(e)) => Err(error(Code::Internal, format!("{doing} failed: {}.", e.kind()))),
            Err(Failure::Deadline) => {
                Err(error(Code::SourceTimeout, format!("{doing} took too long{}; it was ended.", self.place.of())))
            }
            Err(Failure::TooMuch) => {
                Err(error(Code::SourceTooLarge, format!("{doing} gave more than the allowed {} bytes.", self.limit)))
            }
            Err(Failure::Guard) => Err((Trouble::TooLarge, Error::too_large())),
        }
    }

    /// Git's words without secrets and without this server's paths.
    fn redact(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in &self.secrets {
            clean = clean.replace(secret.expose_secret(), "[redacted]");
        }
        for path in [&self.git.repository, &self.git.home, &self.git.temporary] {
            clean = clean.replace(&*path.to_string_lossy(), "[repository]");
        }
        parent(&self.git.repository, &clean)
    }
}

fn parent(repository: &Path, text: &str) -> String {
    match repository.parent().map(Path::to_string_lossy) {
        Some(folder) if folder.len() > 1 => text.replace(&*folder, "[repository]"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Credentials, Remote};

    fn git() -> Git {
        Git {
            repository: "/data/7/repository.git".into(),
            home: "/data/7/home".into(),
            temporary: "/data/7/tmp".into(),
        }
    }

    #[test]
    fn secrets_are_in_the_environment_and_nowhere_else() {
        let address = crate::address::Address::parse("https://git.example.com/a.git", false).unwrap();
        let credentials = Credentials::Token { username: None, token: "s3cret-token".into() };
        let remote = Remote { url: address.url.clone(), credentials };
        let access = Access::prepare(&remote, &address, Path::new("/nowhere"), Path::new("/nowhere")).unwrap();
        let git = git();
        let call = git.call("fetch", "Fetching").args(["--", address.url.as_str()]).remote(&access, Place::Local);
        let command = call.command();
        let arguments: Vec<_> = command.as_std().get_args().map(|a| a.to_string_lossy().into_owned()).collect();
        assert_eq!(arguments, ["fetch", "--", "https://git.example.com/a.git"]);
        let environment: Vec<String> =
            command.as_std().get_envs().map(|(_, v)| v.unwrap_or_default().to_string_lossy().into_owned()).collect();
        assert!(environment.iter().any(|v| v.starts_with("Authorization: Basic ")));
        assert_eq!(call.redact("fatal: s3cret-token in /data/7/home/x"), "fatal: [redacted] in [repository]/x");
    }

    #[test]
    fn nothing_of_the_environment_leaks_in() {
        let command = git().call("version", "x").command();
        let names: Vec<_> = command.as_std().get_envs().map(|(k, _)| k.to_string_lossy().into_owned()).collect();
        let known = |n: &String| {
            n.starts_with("GIT_") || PASSED.contains(&n.as_str()) || n == "HOME" || n == "TMPDIR" || n == "LC_ALL"
        };
        assert!(names.iter().all(known), "{names:?}");
    }
}
