//! The program `git` behind a typed call: a clone in a temporary folder, with a deadline over all that is done with it.

use super::environment::{environment, redacted};
use super::{GitError, GitOracle};
use crate::command::Group;
use jiff::Timestamp;
use std::process::Stdio;
use std::time::Instant;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// More than the manifests of the largest fabric; a repository whose files are longer holds something else.
const MOST_BYTES: u64 = 64 << 20;
/// How much of git's complaints is read: enough to know why.
const MOST_WORDS: u64 = 64 << 10;

/// A clone. Dropped, it is gone.
pub(super) struct Git<'a> {
    oracle: &'a GitOracle,
    folder: TempDir,
    until: Instant,
}

impl<'a> Git<'a> {
    /// Clones the branch's newest commit; all of it, where the server cannot give less.
    pub(super) async fn clone(oracle: &'a GitOracle) -> Result<Self, GitError> {
        let failed =
            |error| GitError::Failed { address: oracle.url.clone(), said: format!("no temporary folder: {error}") };
        let folder = tempfile::Builder::new().prefix("hedgerow-verify-").tempdir().map_err(failed)?;
        let git = Self { oracle, folder, until: Instant::now() + oracle.within };
        match git.clone_with(&["--depth=1"]).await {
            Err(GitError::Failed { said, .. }) if said.contains("shallow") => git.clone_with(&[]).await?,
            other => other?,
        }
        Ok(git)
    }

    async fn clone_with(&self, depth: &[&str]) -> Result<(), GitError> {
        let branch = format!("--branch={}", self.oracle.branch);
        let mut arguments = vec!["clone", "--quiet", "--bare", "--no-tags", "--single-branch", "--template="];
        arguments.extend(depth);
        arguments.extend([branch.as_str(), "--", &self.oracle.url, "clone"]);
        self.run(&arguments, None).await.map(drop)
    }

    /// The repository, without credentials.
    pub(super) fn address(&self) -> &str {
        &self.oracle.url
    }

    /// The newest commit's id, and when its author wrote it.
    pub(super) async fn newest(&self) -> Result<(String, Timestamp), GitError> {
        let branch = format!("refs/heads/{}", self.oracle.branch);
        // `clone --branch` takes a tag as well.
        let there = self.text(&["for-each-ref", "--format=%(refname)", &branch]).await?;
        if !there.lines().any(|line| line == branch) {
            return Err(GitError::BranchMissing {
                address: self.oracle.url.clone(),
                branch: self.oracle.branch.clone(),
            });
        }
        let line = self.text(&["log", "-1", "--no-show-signature", "--format=%H %aI", &branch, "--"]).await?;
        let (commit, time) = line.trim().split_once(' ').unwrap_or_default();
        let time = time.parse().map_err(|_| self.failed("git says no author's time that can be read"))?;
        Ok((commit.to_owned(), time))
    }

    /// Every YAML file under the folder, by its path from the root.
    pub(super) async fn files(&self) -> Result<Vec<(String, Vec<u8>)>, GitError> {
        let folder = &self.oracle.folder;
        let branch = format!("refs/heads/{}", self.oracle.branch);
        let tree = if folder.is_empty() { branch.clone() } else { format!("{branch}:{folder}") };
        let list = match self.run(&["ls-tree", "-r", "-z", "--full-tree", &tree], None).await {
            Err(GitError::Failed { .. } | GitError::NotFound { .. }) if !folder.is_empty() => {
                let (address, branch, folder) = (self.oracle.url.clone(), self.oracle.branch.clone(), folder.clone());
                return Err(GitError::FolderMissing { address, branch, folder, commit: self.newest().await?.0 });
            }
            other => other?,
        };
        let list = String::from_utf8_lossy(&list);
        let mut found = Vec::new();
        for line in list.split_terminator('\0') {
            let Some((what, path)) = line.split_once('\t') else { continue };
            let what: Vec<&str> = what.split(' ').collect();
            // Neither links nor the commits of other repositories.
            let &["100644" | "100755", "blob", id] = what.as_slice() else { continue };
            if path.ends_with(".yaml") || path.ends_with(".yml") {
                let path = if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") };
                found.push((path, id.to_owned()));
            }
        }
        let ids: String = found.iter().map(|(_, id)| format!("{id}\n")).collect();
        let all = self.run(&["cat-file", "--batch"], Some(ids.as_bytes())).await?;
        let mut rest = all.as_slice();
        let mut files = Vec::new();
        for (path, _) in found {
            let (content, after) = next_blob(rest).ok_or_else(|| self.failed(&format!("git does not give {path}")))?;
            files.push((path, content.to_vec()));
            rest = after;
        }
        Ok(files)
    }

    fn failed(&self, said: &str) -> GitError {
        GitError::Failed { address: self.oracle.url.clone(), said: said.to_owned() }
    }

    async fn text(&self, arguments: &[&str]) -> Result<String, GitError> {
        self.run(arguments, None).await.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn run(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Vec<u8>, GitError> {
        let oracle = self.oracle;
        let mut command = Command::new(&oracle.program);
        command.args(arguments).current_dir(self.folder.path()).env_clear().envs(environment(oracle));
        if arguments.first() != Some(&"clone") {
            command.env("GIT_DIR", self.folder.path().join("clone"));
        }
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // git starts others, which must end with it.
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                GitError::Missing { program: oracle.program.clone(), address: oracle.url.clone() }
            }
            _ => self.failed(&format!("{} cannot be started: {error}", oracle.program)),
        })?;
        let mut group = Group::of(child.id());
        let (mut stdin, mut stdout, mut stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (mut out, mut said) = (Vec::new(), Vec::new());
        let all = async {
            let write = async {
                if let (Some(mut pipe), Some(input)) = (stdin.take(), input) {
                    // Whoever does not listen says why when it ends.
                    let _ = pipe.write_all(input).await;
                }
                Ok::<_, std::io::Error>(())
            };
            let read = async {
                if let Some(pipe) = &mut stdout {
                    pipe.take(MOST_BYTES + 1).read_to_end(&mut out).await?;
                }
                if out.len() as u64 > MOST_BYTES {
                    return Err(std::io::Error::other(format!("it is larger than {} MiB", MOST_BYTES >> 20)));
                }
                Ok(())
            };
            let listen = async {
                if let Some(pipe) = &mut stderr {
                    pipe.take(MOST_WORDS).read_to_end(&mut said).await?;
                    // Whoever is not read stands still.
                    tokio::io::copy(pipe, &mut tokio::io::sink()).await?;
                }
                Ok(())
            };
            tokio::try_join!(write, read, listen)?;
            child.wait().await
        };
        let ended = tokio::time::timeout_at(self.until.into(), all).await;
        // Whatever ends this before git has ended ends git, and what it started.
        let Ok(ended) = ended else {
            return Err(GitError::NoAnswer { address: oracle.url.clone(), within: oracle.within });
        };
        let status = ended.map_err(|error| self.failed(&format!("git's answer cannot be read: {error}")))?;
        group.is_over();
        if status.success() {
            return Ok(out);
        }
        let said = redacted(oracle, String::from_utf8_lossy(&said).into_owned());
        Err(GitError::of_words(&oracle.url, &oracle.branch, &said))
    }
}

/// `<id> blob <size>\n<content>\n`, and what follows.
fn next_blob(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let size: usize = head.split(' ').nth(2)?.parse().ok()?;
    let content = bytes.get(end + 1..end + 1 + size)?;
    Some((content, bytes.get(end + 2 + size..)?))
}
