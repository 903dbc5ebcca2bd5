//! A real remote Git repository: `git http-backend` behind HTTP, and `sshd` with `git-upload-pack` behind SSH, over the
//! same repositories. Commits are made on the server's side, as a colleague's push would.

mod commit;
mod http;
mod ssh;

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use tokio::sync::OnceCell;

use crate::gate::Gate;
use crate::machine::{program, servers};
use crate::process::{Folder, run};

/// What the server does with a request; switched while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GitMode {
    /// Serves.
    #[default]
    Serve,
    /// Accepts the connection and the request, and never answers.
    NeverAnswer,
    /// Answers every request with this HTTP status; over SSH it hangs up.
    Fail(u16),
}

/// Where a push is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushHeld {
    /// Before the server has looked at it.
    Unseen,
    /// When the server has taken it, and has not said so.
    Unanswered,
}

#[derive(Default)]
struct Switches {
    mode: GitMode,
    read_needs_login: bool,
    users: HashMap<String, String>,
    /// Users who may read and not push.
    readers: HashSet<String>,
    refuse_push: Option<String>,
    /// Commits of a colleague, one before each of the next pushes: repository, and what fast-import reads.
    races: VecDeque<(String, String)>,
    gate: Option<Gate>,
    push_gate: Option<(PushHeld, Gate)>,
}

struct Shared {
    git: PathBuf,
    folder: Folder,
    switches: Mutex<Switches>,
    requests: AtomicU64,
}

impl Shared {
    fn path(&self, repo: &str) -> PathBuf {
        self.folder.join("repositories").join(format!("{repo}.git"))
    }

    /// Git in a repository of the server's, importing a commit.
    async fn import(&self, repo: &str, script: &str) -> Result<()> {
        let mut command = Command::new(&self.git);
        set_environment(&mut command, &self.folder);
        command.current_dir(self.path(repo)).args(["fast-import", "--quiet", "--date-format=now"]);
        commit::feed(command, script).await
    }

    /// What a colleague commits before the push that begins with this request.
    fn next_race(&self, path: &str) -> Option<(String, String)> {
        let mut switches = self.switches();
        let place = switches.races.iter().position(|(repo, _)| path.starts_with(&format!("/{repo}.git/")))?;
        switches.races.remove(place)
    }

    fn switches(&self) -> MutexGuard<'_, Switches> {
        self.switches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A Git server on 127.0.0.1. Reading is open until [`GitServer::require_auth`]; pushing needs a user once there is one.
pub struct GitServer {
    shared: Arc<Shared>,
    http: http::Listener,
    ssh: OnceCell<ssh::Listener>,
}

impl GitServer {
    /// Starts the HTTP side; the SSH side starts with [`GitServer::start_ssh`].
    pub async fn start() -> Result<Self> {
        let folder = Folder::new("git")?;
        std::fs::create_dir(folder.join("repositories")).context("make a folder")?;
        let git = program("git", &[])?;
        let (switches, requests) = (Mutex::default(), AtomicU64::new(0));
        let shared = Arc::new(Shared { git, folder, switches, requests });
        let for_http = shared.clone();
        let http = servers().spawn(http::Listener::start(for_http)).await.context("start the Git server")??;
        Ok(Self { shared, http, ssh: OnceCell::new() })
    }

    /// Creates an empty bare repository whose head is `main`.
    pub async fn create_repo(&self, name: &str) -> Result<()> {
        ensure!(!name.is_empty() && !name.contains(['/', '.']), "{name} is no plain name for a repository");
        let path = self.path(name);
        let mut init = self.git();
        init.args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(&path);
        run(&format!("create repository {name}"), &mut init).await?;
        for (key, value) in [("http.receivepack", "true"), ("gc.auto", "0"), ("receive.autogc", "false")] {
            self.in_repo(name, &["config", key, value]).await?;
        }
        Ok(())
    }

    /// The address of a repository over HTTP, without credentials.
    pub fn url(&self, repo: &str) -> String {
        format!("http://127.0.0.1:{}/{repo}.git", self.http.port)
    }

    /// Host and port of the HTTP side, as a proxy in front of it needs them.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.http.port)
    }

    /// Commits to a branch, which is created when there is none: `Some` writes a file, `None` removes it. Returns the
    /// commit's id.
    pub async fn commit(
        &self,
        repo: &str,
        branch: &str,
        files: &[(&str, Option<&str>)],
        message: &str,
    ) -> Result<String> {
        let parent = self.head(repo, branch).await?;
        let script = commit::script(branch, parent.as_deref(), files, message);
        self.shared.import(repo, &script).await?;
        self.head(repo, branch).await?.with_context(|| format!("{repo} has no branch {branch} after the commit"))
    }

    /// The commit that a branch points to.
    pub async fn head(&self, repo: &str, branch: &str) -> Result<Option<String>> {
        let name = format!("refs/heads/{branch}");
        let found = self.in_repo(repo, &["for-each-ref", "--format=%(objectname)", &name]).await?;
        Ok(Some(found.trim().to_owned()).filter(|id| !id.is_empty()))
    }

    /// The text of a file at a commit or branch; `None` when there is none.
    pub async fn read(&self, repo: &str, revision: &str, path: &str) -> Result<Option<String>> {
        let there = self.in_repo(repo, &["ls-tree", "--name-only", "--full-tree", revision, "--", path]).await?;
        if there.is_empty() {
            return Ok(None);
        }
        self.in_repo(repo, &["cat-file", "blob", &format!("{revision}:{path}")]).await.map(Some)
    }

    /// The paths of all files at a commit or branch.
    pub async fn files(&self, repo: &str, revision: &str) -> Result<Vec<String>> {
        let list = self.in_repo(repo, &["ls-tree", "-r", "-z", "--name-only", "--full-tree", revision]).await?;
        Ok(list.split_terminator('\0').map(str::to_owned).collect())
    }

    /// Runs git in a repository of the server's and returns what it printed.
    pub async fn in_repo(&self, repo: &str, args: &[&str]) -> Result<String> {
        let mut command = self.git();
        command.current_dir(self.path(repo)).args(args);
        run(&format!("git {args:?} in {repo}"), &mut command).await
    }

    /// Adds a user for HTTP basic authentication; a token is a user's password, as with the big Git hosts.
    pub fn add_user(&self, name: &str, password: &str) {
        self.shared.switches().users.insert(name.to_owned(), password.to_owned());
    }

    /// Adds a user who may read, and whose pushes are answered 403.
    pub fn add_reader(&self, name: &str, password: &str) {
        self.add_user(name, password);
        self.shared.switches().readers.insert(name.to_owned());
    }

    /// Lets a colleague commit one file to a branch just before each of the next `times` pushes is looked at (over HTTP):
    /// what whoever pushes has read is then no longer the newest.
    pub fn race(&self, repo: &str, branch: &str, file: &str, times: usize) {
        for n in 0..times {
            let script = commit::script(
                branch,
                Some(&format!("refs/heads/{branch}^0")),
                &[(file, Some(&format!("{n} of {times}\n")))],
                "Race",
            );
            self.shared.switches().races.push_back((repo.to_owned(), script));
        }
    }

    /// Refuses pushes to one branch of a repository with this reason, as the big hosts do for a protected branch; `None`
    /// accepts them again.
    pub fn protect(&self, repo: &str, branch: &str, reason: Option<&str>) -> Result<()> {
        commit::set_hook(&self.path(repo), Some(branch), reason)
    }

    /// Takes a user away: what it knows is answered 401 from now on.
    pub fn revoke(&self, name: &str) {
        self.shared.switches().users.remove(name);
    }

    /// Whether reading needs a user.
    pub fn require_auth(&self, required: bool) {
        self.shared.switches().read_needs_login = required;
    }

    /// Refuses pushes in the way of a protected branch, with this reason; `None` accepts them again.
    pub fn refuse_push(&self, reason: Option<&str>) -> Result<()> {
        self.shared.switches().refuse_push = reason.map(str::to_owned);
        for entry in std::fs::read_dir(self.shared.folder.join("repositories"))? {
            commit::set_hook(&entry?.path(), None, reason)?;
        }
        Ok(())
    }

    /// Serves, hangs or fails from now on.
    pub fn set_mode(&self, mode: GitMode) {
        self.shared.switches().mode = mode;
    }

    /// Holds every HTTP request in front of this gate from now on, before it is served as the server then serves; `None`
    /// takes the gate away.
    pub fn hold(&self, gate: Option<&Gate>) {
        self.shared.switches().gate = gate.cloned();
    }

    /// Holds each push over HTTP there, at this gate, from now on; `None` takes the gate away. What its client gives up
    /// meanwhile goes no further.
    pub fn hold_push(&self, held: Option<(PushHeld, &Gate)>) {
        self.shared.switches().push_gate = held.map(|(held, gate)| (held, gate.clone()));
    }

    /// How many HTTP requests and SSH connections came in.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Starts the SSH side. Reading and writing over it need [`GitServer::private_key`].
    pub async fn start_ssh(&self) -> Result<()> {
        self.ssh.get_or_try_init(|| ssh::Listener::start(self.shared.clone())).await.map(drop)
    }

    /// The address of a repository over SSH.
    pub fn ssh_url(&self, repo: &str) -> Result<String> {
        let ssh = self.ssh()?;
        Ok(format!("ssh://{}@127.0.0.1:{}/{repo}.git", ssh.user, ssh.port))
    }

    /// The key that may log in over SSH, as an OpenSSH private key.
    pub fn private_key(&self) -> Result<String> {
        Ok(self.ssh()?.private_key.clone())
    }

    /// The server's line for a `known_hosts` file.
    pub fn known_hosts(&self) -> Result<String> {
        Ok(self.ssh()?.known_hosts.clone())
    }

    /// Takes the right to log in over SSH away.
    pub fn revoke_ssh_key(&self) -> Result<()> {
        self.shared.folder.write("authorized_keys", "").map(drop)
    }

    fn ssh(&self) -> Result<&ssh::Listener> {
        self.ssh.get().context("call start_ssh first")
    }

    fn path(&self, repo: &str) -> PathBuf {
        self.shared.path(repo)
    }

    fn git(&self) -> Command {
        let mut command = Command::new(&self.shared.git);
        set_environment(&mut command, &self.shared.folder);
        command
    }
}

/// Nothing of the user's own settings, and an identity.
fn set_environment(command: &mut Command, home: &Folder) {
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home.path());
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C.UTF-8");
}
