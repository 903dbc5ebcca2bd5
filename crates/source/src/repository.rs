//! The repository of one fabric: where it lies, how it is opened, and what can be asked of it without a network.
//!
//! Layout of the folder: `repository.git` (bare), `home` (empty; what git takes for the user's home), `scratch`
//! (temporary files), `known_hosts` (SSH host keys seen), `lock`.
//!
//! A remote's branch is kept under a name made of its address and its branch, so that a fabric whose source changes
//! can never show the old source's commit as the new one's.

use crate::address::Address;
use crate::config::{Config, Remote};
use crate::error::{Error, Place};
use crate::git::{Git, LOCAL};
use crate::glance::{Glance, REMOTES};
use crate::history::{self, Commit, FORMAT, is_id};
use crate::lock::Lock;
use crate::process::Stdin;
use crate::read::Cache;
use crate::scratch;
use crate::tree;
use model::Code;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// Where a commit waits until its branch is moved.
pub(crate) const PENDING: &str = "refs/hedgerow/pending/";
/// Where local commits are kept that a branch no longer leads to.
const KEPT: &str = "refs/hedgerow/kept/";
/// How much one fabric's repository may take on disk, unless set otherwise.
const SIZE_LIMIT: u64 = 2 << 30;

/// The repository that holds one fabric's desired state.
pub struct Repository {
    pub(crate) folder: PathBuf,
    pub(crate) git: Git,
    pub(crate) config: Config,
    pub(crate) address: Option<Address>,
    /// The reference that holds the branch's commit.
    pub(crate) reference: String,
    pub(crate) size_limit: u64,
    /// Whether the server wants `.git` behind the address, learnt from its redirect.
    pub(crate) with_suffix: AtomicBool,
    pub(crate) cache: Mutex<Cache>,
    /// What its files say without git.
    glance: Glance,
    /// The branch's commit when it was last looked at.
    known_head: Mutex<Option<Commit>>,
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository").field("folder", &self.folder).field("config", &self.config).finish_non_exhaustive()
    }
}

impl Repository {
    /// Opens the repository in `dir`, creating both when they are absent. Nobody is asked over a network. A new
    /// local repository gets an empty first commit; one whose fabric had a remote before goes on from what was fetched
    /// last, and a new local branch starts where the former one is.
    pub async fn open(dir: &Path, config: Config) -> Result<Self, Error> {
        config.validate()?;
        let address = config.address()?;
        let folder = std::path::absolute(dir).map_err(|e| Error::disk("Opening the repository", &e))?;
        let git = Git {
            repository: folder.join("repository.git"),
            home: folder.join("home"),
            temporary: folder.join("scratch"),
        };
        let glance = Glance::of(&folder, &config)?;
        let repository = Self {
            folder,
            git,
            config,
            address,
            reference: glance.reference().to_owned(),
            size_limit: SIZE_LIMIT,
            with_suffix: AtomicBool::new(false),
            cache: Mutex::default(),
            glance,
            known_head: Mutex::default(),
        };
        repository.prepare().await?;
        Ok(repository)
    }

    /// Sets how many bytes the repository may take on disk; 2 GiB unless set. A fetch that passes it is ended.
    #[must_use]
    pub fn with_size_limit(mut self, bytes: u64) -> Self {
        self.size_limit = bytes;
        self
    }

    /// What this repository was opened with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    async fn prepare(&self) -> Result<(), Error> {
        self.make_folders().map_err(|e| Error::disk("Creating the repository's folder", &e))?;
        self.git.require().await?;
        scratch::sweep(&self.git.temporary).map_err(|e| Error::disk("Clearing temporary files", &e))?;
        if self.address.is_some() && self.is_made() {
            // A fetch with the former settings may be running, and may hang; what is stale can stay until it ends.
            return match self.lock(Instant::now()).await {
                Ok(_lock) => self.prune().await,
                Err(e) if e.code == Code::SourceTimeout => Ok(()),
                Err(e) => Err(e),
            };
        }
        let lock = self.lock(Instant::now() + LOCAL).await?;
        if !self.is_made() {
            let init = self.git.call("init", "Creating the repository");
            init.args(["--bare", "--quiet", "--template="]).run(Instant::now() + LOCAL).await?;
        }
        if self.address.is_none() {
            self.begin(&lock).await?;
        }
        self.prune().await
    }

    /// Whether the repository was made; `git init` writes these last, and may be run again on a half-made one.
    fn is_made(&self) -> bool {
        ["HEAD", "config", "objects", "refs"].iter().all(|part| self.git.repository.join(part).exists())
    }

    fn make_folders(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&self.folder)?;
        builder.create(&self.git.home)?;
        builder.create(&self.git.temporary)
    }

    /// Makes the local branch ready. Whatever the fabric's desired state was before, it stays the same: after a remote,
    /// the branch goes on from the commit that was fetched last (an older local branch is kept under another name), and
    /// a new branch starts where the former one is. Only a repository that holds nothing gets an empty first commit.
    async fn begin(&self, lock: &Lock) -> Result<(), Error> {
        let deadline = Instant::now() + LOCAL;
        let head = self.head().await?;
        let mut fetched = self.references(REMOTES).await?;
        fetched.truncate(1); // the newest; there are more only when settings changed during a fetch
        let former = self.git.call("for-each-ref", "Reading the branch");
        let former = former.args(["--format=%(HEAD) %(objectname)", "refs/heads"]).text(deadline).await?;
        let former = former.lines().find_map(|line| line.strip_prefix("* "));
        match (&head, fetched.as_slice(), former) {
            (Some(head), [(id, _)], _) if head.id != *id => {
                let keep = self.git.call("update-ref", "Keeping the former branch");
                keep.args([format!("{KEPT}{}", head.id).as_str(), &head.id]).run(deadline).await?;
                self.move_branch(id, Some(&head.id)).await?;
            }
            (None, [(id, _)], _) => self.move_branch(id, None).await?,
            (None, _, Some(id)) => self.move_branch(id, None).await?,
            (None, _, None) => self.write_first(lock).await?,
            (Some(_), _, _) => {}
        }
        let head = self.git.call("symbolic-ref", "Naming the branch");
        head.args(["HEAD", &self.reference]).run(deadline).await.map(drop)
    }

    /// Removes references of earlier addresses and of commits that were never finished.
    async fn prune(&self) -> Result<(), Error> {
        let mut stale = self.references(PENDING).await?;
        stale.extend(self.references(REMOTES).await?.into_iter().filter(|(_, name)| *name != self.reference));
        for (id, name) in stale {
            self.delete_reference(&name, &id).await?;
        }
        Ok(())
    }

    /// Ids and names of the references below a prefix, the newest commit first.
    async fn references(&self, prefix: &str) -> Result<Vec<(String, String)>, Error> {
        let call = self.git.call("for-each-ref", "Listing references");
        let text = call
            .args(["--sort=-committerdate", "--format=%(objectname) %(refname)", prefix])
            .text(Instant::now() + LOCAL)
            .await?;
        Ok(text.lines().filter_map(|l| l.split_once(' ')).map(|(id, n)| (id.to_owned(), n.to_owned())).collect())
    }

    /// Deletes a reference, if it still has this value.
    pub(crate) async fn delete_reference(&self, name: &str, id: &str) -> Result<(), Error> {
        let call = self.git.call("update-ref", "Removing a reference");
        call.args(["--no-deref", "-d", name, id]).run(Instant::now() + LOCAL).await.map(drop)
    }

    /// The right to write; what a killed writer left is gone when this returns.
    pub(crate) async fn lock(&self, deadline: Instant) -> Result<Lock, Error> {
        let lock = Lock::acquire(&self.folder.join("lock"), deadline).await?;
        lock.tidy(&self.git.repository).map_err(|e| Error::disk("Clearing the repository", &e))?;
        Ok(lock)
    }

    /// The remote with its checked address.
    pub(crate) fn remote(&self) -> Option<(&Remote, &Address)> {
        self.config.remote.as_ref().zip(self.address.as_ref())
    }

    /// Whom messages name.
    pub(crate) fn place(&self) -> Place {
        match &self.address {
            Some(address) => Place::Remote { host: address.host.clone() },
            None => Place::Local,
        }
    }

    /// The commit that the branch had when it was last fetched or committed to; no network. `None` before the first
    /// fetch. While the branch stays where it is, this reads one small file and starts no git.
    pub async fn head(&self) -> Result<Option<Commit>, Error> {
        if let Some(known) = self.glance.head().and_then(|id| self.known(&id)) {
            return Ok(Some(known));
        }
        let call = self.git.call("for-each-ref", "Reading the branch");
        let format = "--format=%(objectname)%00%(committerdate:unix)%00%(authorname)%00%(subject)";
        let output = call.args([format, &self.reference]).run(Instant::now() + LOCAL).await?;
        let text = String::from_utf8_lossy(&output.stdout);
        let head = text.lines().find_map(|line| Commit::from_fields(&line.split('\0').collect::<Vec<_>>()));
        self.known_head.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&head);
        Ok(head)
    }

    /// What is remembered of a commit: of the one that was the branch's when it was last looked at.
    pub fn known(&self, id: &str) -> Option<Commit> {
        let known = self.known_head.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone().filter(|known| known.id == id)
    }

    /// What the repository's files say by themselves.
    pub fn glance(&self) -> &Glance {
        &self.glance
    }

    /// The newest commits of the branch that touch the path, newest first; no network.
    pub async fn log(&self, limit: usize) -> Result<Vec<Commit>, Error> {
        if self.head().await?.is_none() {
            return Ok(Vec::new());
        }
        let count = format!("--max-count={}", limit.min(10_000));
        let call = self.git.call("log", "Reading the history").args(["-z", &count, FORMAT, &self.reference, "--"]);
        let folder = self.config.folder();
        let call = if folder.is_empty() { call } else { call.args([&*folder]) };
        let output = call.limit(64 << 20).run(Instant::now() + LOCAL).await?;
        Ok(Commit::parse_all(&output.stdout))
    }

    /// A file's bytes at a commit; `file` is relative to the repository's root, as in a manifest's location. `None`
    /// when there is no such file. Bounded by `limit` bytes.
    pub async fn blob(&self, commit: &str, file: &str, limit: usize) -> Result<Option<Vec<u8>>, Error> {
        let commit = history::show(&self.git, commit).await?;
        let Some((id, kind, size)) = tree::object(&self.git, &format!("{}:{file}", commit.id)).await? else {
            return Ok(None);
        };
        if kind != "blob" {
            return Ok(None);
        }
        if size > limit {
            return Err(Error::new(Code::SourceTooLarge, format!("The file has {size} bytes; {limit} are allowed.")));
        }
        Ok(tree::blobs(&self.git, &[(&id, size)]).await?.pop())
    }

    /// The paths of all files at a commit, from the repository's root; no network. Names that are not UTF-8 are shown with
    /// replacement characters: they are for telling what is there, not for opening.
    pub async fn files(&self, commit: &str) -> Result<Vec<String>, Error> {
        let commit = history::show(&self.git, commit).await?;
        let Some((root, ..)) = tree::object(&self.git, &format!("{}:", commit.id)).await? else {
            return Err(Error::new(Code::Internal, "The files of the commit cannot be listed."));
        };
        let entries = tree::list(&self.git, &root).await?;
        Ok(entries.iter().map(|entry| String::from_utf8_lossy(&entry.path).into_owned()).collect())
    }

    /// Moves the local branch from `old` (nothing, if `None`) to `new`, or fails because somebody else moved it.
    pub(crate) async fn move_branch(&self, new: &str, old: Option<&str>) -> Result<(), Error> {
        debug_assert!(is_id(new));
        // An empty value as the old one means: the branch must not exist yet.
        let mut line = b"update ".to_vec();
        for part in [&self.reference, new, old.unwrap_or("0000000000000000000000000000000000000000")] {
            line.extend_from_slice(part.as_bytes());
            line.push(0);
        }
        let call = self.git.call("update-ref", "Moving the branch").args(["--create-reflog", "-z", "--stdin"]);
        match call.stdin(Stdin::Bytes(line)).run(Instant::now() + LOCAL).await {
            Ok(_) => Ok(()),
            Err(e) if e.detail.as_deref().is_some_and(|d| d.contains("cannot lock ref")) => Err(Error {
                detail: e.detail,
                ..Error::new(Code::ChangedSinceComparison, "Somebody else committed meanwhile; nothing was written.")
            }),
            Err(e) => Err(e),
        }
    }
}
