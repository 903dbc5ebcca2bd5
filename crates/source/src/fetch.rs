//! Fetch and check, which read a remote and change nothing there, and the one way in which all calls talk to it.
//!
//! The whole history of one branch is fetched, and no other reference: history, differences and roll-back come from
//! Git, and an unchanged branch then costs one round trip. A shallow fetch would ask the server to compute its edge
//! every time.

use crate::access::Access;
use crate::address::Address;
use crate::config::Remote;
use crate::error::{Classify, Error, Trouble, classify};
use crate::git::{Git, LOCAL};
use crate::history::{self, Commit, is_id};
use crate::lock::Lock;
use crate::process::{OnLine, Stdin};
use crate::repository::Repository;
use crate::scratch::Scratch;
use crate::tree;
use model::Code;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often the size of a running transfer is looked at.
const WATCH: Duration = Duration::from_millis(250);
/// How long tidying may take after a fetch that brought something.
const TIDY: Duration = Duration::from_secs(60);
/// How many branches a message names.
const NAMED: usize = 8;

/// One call that talks to the remote.
pub(crate) struct Talk<'a> {
    pub(crate) command: &'static str,
    pub(crate) doing: &'static str,
    pub(crate) options: &'a [&'a str],
    /// What follows the address.
    pub(crate) rest: &'a [String],
    pub(crate) progress: Option<OnLine<'a>>,
    pub(crate) stdin: Stdin,
    /// The folder whose growth is watched.
    pub(crate) watched: Option<PathBuf>,
    /// How a failure is understood.
    pub(crate) classify: Classify,
}

impl Repository {
    /// Fetches the branch and returns its commit; of a local repository, simply its newest commit. `progress` gets the
    /// lines that git and the server write meanwhile. One fetch runs per repository; another waits for it.
    pub async fn fetch(&self, deadline: Duration, progress: &(dyn Fn(&str) + Sync)) -> Result<Commit, Error> {
        let deadline = Instant::now() + deadline;
        let Some((remote, address)) = self.remote() else {
            return self.head().await?.ok_or_else(|| self.no_branch(&[]));
        };
        let lock = self.lock(deadline).await?;
        self.fetch_holding(&lock, remote, address, deadline, progress).await
    }

    /// The same, for whoever holds the lock already.
    pub(crate) async fn fetch_holding(
        &self,
        lock: &Lock,
        remote: &Remote,
        address: &Address,
        deadline: Instant,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Commit, Error> {
        let before = self.head().await?;
        let refspec = [format!("+refs/heads/{}:{}", self.config.branch, self.reference)];
        // --no-auto-gc: tidying is our own step, under a deadline of its own.
        let options = ["--progress", "--no-tags", "--no-auto-gc", "--no-write-fetch-head", "--no-recurse-submodules"];
        let talk = || -> Result<Talk<'_>, Error> {
            Ok(Talk {
                command: "fetch",
                doing: "Fetching",
                options: &options,
                rest: &refspec,
                progress: Some(progress),
                stdin: lock.held()?,
                watched: Some(self.git.repository.clone()),
                classify,
            })
        };
        if let Err((trouble, error)) = self.talk(&self.git, remote, address, talk, deadline).await {
            // What was broken off is of no use, and may be large.
            lock.tidy(&self.git.repository).map_err(|e| Error::disk("Clearing the repository", &e))?;
            // The pack may have been complete when the watch saw its size; no branch leads to it.
            if folder_bytes(&packs(&self.git.repository)) > self.size_limit {
                self.clear(lock, deadline).await?;
            }
            return Err(match trouble {
                Trouble::NoBranch => self.missing_branch(remote, address, deadline).await,
                _ => error,
            });
        }
        if folder_bytes(&packs(&self.git.repository)) > self.size_limit {
            self.give_back(before.as_ref(), lock, deadline).await?;
            return Err(Error::too_large());
        }
        let head = self.head().await?.ok_or_else(|| self.no_branch(&[]))?;
        if before.as_ref().map(|c| &c.id) != Some(&head.id) {
            tracing::info!(commit = %head.id, "fetched");
            self.collect_garbage(lock.held()?, deadline).await;
        }
        Ok(head)
    }

    /// Takes a fetch back that passed the limit before the watch saw it.
    async fn give_back(&self, before: Option<&Commit>, lock: &Lock, deadline: Instant) -> Result<(), Error> {
        let update = self.git.call("update-ref", "Taking the fetch back");
        let update = match before {
            Some(commit) => update.args([self.reference.as_str(), &commit.id]),
            None => update.args(["-d", &self.reference]),
        };
        update.run(Instant::now() + LOCAL).await?;
        self.clear(lock, deadline).await
    }

    /// Removes what no branch leads to.
    async fn clear(&self, lock: &Lock, deadline: Instant) -> Result<(), Error> {
        let gc = self.git.call("gc", "Clearing the repository").args(["--prune=now", "--quiet"]).stdin(lock.held()?);
        gc.run(deadline.max(Instant::now() + TIDY)).await.map(drop)
    }

    /// Proves that the remote can be reached with these credentials and holds the branch and the path; of a local
    /// repository, that it can be read. Changes nothing, there or here.
    pub async fn check(&self, deadline: Duration) -> Result<Commit, Error> {
        let deadline = Instant::now() + deadline;
        let Some((remote, address)) = self.remote() else {
            return self.head().await?.ok_or_else(|| self.no_branch(&[]));
        };
        let wanted = format!("refs/heads/{}", self.config.branch);
        let listed = self.branches(remote, address, std::slice::from_ref(&wanted), deadline).await?;
        let Some((id, _)) = listed.into_iter().find(|(_, name)| *name == wanted) else {
            return Err(self.missing_branch(remote, address, deadline).await);
        };
        if let Ok(known) = history::show(&self.git, &id).await {
            self.require_path(&self.git, &known).await?;
            return Ok(known);
        }
        self.peek(remote, address, deadline).await
    }

    /// The id of the branch's newest commit at the remote; `None` when the branch is not there, or there is no remote.
    /// Nothing is fetched.
    pub async fn remote_head(&self, deadline: Duration) -> Result<Option<String>, Error> {
        let Some((remote, address)) = self.remote() else { return Ok(None) };
        let wanted = format!("refs/heads/{}", self.config.branch);
        let deadline = Instant::now() + deadline;
        let listed = self.branches(remote, address, std::slice::from_ref(&wanted), deadline).await?;
        Ok(listed.into_iter().find(|(_, name)| *name == wanted).map(|(id, _)| id))
    }

    /// Reads the newest commit and its folders, without the files, into a throw-away repository.
    async fn peek(&self, remote: &Remote, address: &Address, deadline: Instant) -> Result<Commit, Error> {
        let scratch = Scratch::new(&self.git.temporary).map_err(|e| Error::disk("Checking the repository", &e))?;
        let git = Git { repository: scratch.path().join("check.git"), ..self.git.clone() };
        git.call("init", "Checking the repository").args(["--bare", "--quiet", "--template="]).run(deadline).await?;
        let refspec = [format!("+refs/heads/{}:refs/heads/check", self.config.branch)];
        let fixed = ["--no-tags", "--no-auto-gc", "--no-write-fetch-head", "--no-recurse-submodules"];
        let small: Vec<&str> = ["--depth=1", "--filter=blob:none"].into_iter().chain(fixed).collect();
        let talk = |options| Talk {
            command: "fetch",
            doing: "Checking the repository",
            options,
            rest: &refspec,
            progress: None,
            stdin: Stdin::Empty,
            watched: Some(git.repository.clone()),
            classify,
        };
        let mut result = self.talk(&git, remote, address, || Ok(talk(&small)), deadline).await;
        if let Err((Trouble::NoShallow, _)) = result {
            result = self.talk(&git, remote, address, || Ok(talk(&fixed)), deadline).await;
        }
        result.map_err(|(_, error)| error)?;
        let id = git.call("rev-parse", "Checking the repository").args(["--verify", "refs/heads/check"]);
        let commit = history::show(&git, &id.text(deadline).await?).await?;
        self.require_path(&git, &commit).await?;
        Ok(commit)
    }

    /// Fails when the configured path is no folder at this commit.
    pub(crate) async fn require_path(&self, git: &Git, commit: &Commit) -> Result<Option<String>, Error> {
        let folder = self.config.folder();
        let found = tree::object(git, &format!("{}:{folder}", commit.id)).await?;
        let missing = |what| {
            let text =
                format!("The path '{folder}' {what} at commit {} of branch {}.", commit.short(), self.config.branch);
            Error::new(Code::SourceRefNotFound, text)
        };
        match found {
            Some((tree, kind, _)) if kind == "tree" => Ok(Some(tree)),
            Some(_) => Err(missing("is not a folder")),
            // A local repository starts empty; its folder comes with the first commit.
            None if self.address.is_none() => Ok(None),
            None => Err(missing("does not exist")),
        }
    }

    /// Runs one call against the remote, and once more with `.git` appended when the server redirects.
    pub(crate) async fn talk<'a>(
        &self,
        git: &Git,
        remote: &Remote,
        address: &Address,
        talk: impl Fn() -> Result<Talk<'a>, Error>,
        deadline: Instant,
    ) -> Result<Vec<u8>, (Trouble, Error)> {
        let other = |e: Error| (Trouble::Other, e);
        let suffixed = address.with_git_suffix();
        let mut with_suffix = suffixed.is_some() && self.with_suffix.load(Ordering::Relaxed);
        loop {
            let url = suffixed.as_ref().filter(|_| with_suffix).unwrap_or(&address.url);
            let access = Access::prepare(remote, address, &self.folder, &self.git.temporary)
                .map_err(|e| other(Error::disk("Preparing the credentials", &e)))?;
            let Talk { command, doing, options, rest, progress, stdin, watched, classify } = talk().map_err(other)?;
            let arguments = options.iter().copied().chain(["--", url]).chain(rest.iter().map(String::as_str));
            let call =
                git.call(command, doing).args(arguments).stdin(stdin).remote(&access, self.place()).classify(classify);
            let guard = outgrown(watched, self.size_limit);
            match call.run_guarded(deadline, progress, guard).await {
                Err((Trouble::Redirect, _)) if suffixed.is_some() && !with_suffix => with_suffix = true,
                result => {
                    if result.is_ok() {
                        self.with_suffix.store(with_suffix, Ordering::Relaxed);
                    }
                    return result.map(|output| output.stdout);
                }
            }
        }
    }

    /// Ids and names of the remote's branches, all or those named; a name may hold `*`.
    pub(crate) async fn branches(
        &self,
        remote: &Remote,
        address: &Address,
        named: &[String],
        deadline: Instant,
    ) -> Result<Vec<(String, String)>, Error> {
        let talk = || {
            Ok(Talk {
                command: "ls-remote",
                doing: "Asking for the branches",
                options: &["--heads", "--quiet"],
                rest: named,
                progress: None,
                stdin: Stdin::Empty,
                watched: None,
                classify,
            })
        };
        let output = self.talk(&self.git, remote, address, talk, deadline).await.map_err(|(_, error)| error)?;
        let text = String::from_utf8_lossy(&output);
        let pairs = text.lines().filter_map(|line| line.split_once('\t')).filter(|(id, _)| is_id(id));
        Ok(pairs.map(|(id, name)| (id.to_owned(), name.to_owned())).collect())
    }

    /// The error for a branch that is not there, naming those that are.
    async fn missing_branch(&self, remote: &Remote, address: &Address, deadline: Instant) -> Error {
        match self.branches(remote, address, &[], deadline).await {
            Ok(found) => {
                let names = found.iter().map(|(_, name)| name.trim_start_matches("refs/heads/").to_owned());
                self.no_branch(&names.collect::<Vec<_>>())
            }
            // More branches than can be listed: the name alone has to do.
            Err(error) if error.code == Code::SourceTooLarge => self.no_branch(&["many others".into()]),
            Err(error) => error,
        }
    }

    fn no_branch(&self, others: &[String]) -> Error {
        let branch = &self.config.branch;
        let text = match others {
            [] => format!(
                "There is no branch '{branch}', nor any other: the repository is empty, or what answers at this address is \
                 no Git server."
            ),
            names => {
                let more = if names.len() > NAMED { ", …" } else { "" };
                let names = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
                format!("There is no branch '{branch}'; the repository has: {names}{more}.")
            }
        };
        Error::new(Code::SourceRefNotFound, text)
    }

    /// Packs what many fetches and commits left in pieces. Its failure harms nothing and is only logged.
    pub(crate) async fn collect_garbage(&self, lock: Stdin, deadline: Instant) {
        let deadline = deadline.min(Instant::now() + TIDY);
        let call = self.git.call("gc", "Packing the repository").args(["--auto", "--quiet"]).stdin(lock);
        if let Err(error) = call.run(deadline).await {
            tracing::warn!(%error, "packing a source's repository failed");
        }
    }
}

/// Resolves when the packs of a repository take more than `limit` bytes; never, without a folder to watch.
async fn outgrown(repository: Option<PathBuf>, limit: u64) {
    let Some(repository) = repository else { return std::future::pending().await };
    let packs = packs(&repository);
    loop {
        sleep(WATCH).await;
        if folder_bytes(&packs) > limit {
            return;
        }
    }
}

fn packs(repository: &Path) -> PathBuf {
    repository.join("objects/pack")
}

/// The bytes of a folder's files; files that vanish meanwhile count as nothing.
fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.filter_map(|e| e.ok()?.metadata().ok()).filter(|m| m.is_file()).map(|m| m.len()).sum()
}
