//! The pieces as processes of their own: this very program, started anew. Dropped, a piece is killed; whatever it wrote
//! lies in the self-test's folder and goes with that.

use super::SelfTestError;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long a piece may take until it says that it is ready.
const READY: Duration = Duration::from_secs(60);
/// How long a piece may take to end by itself.
const END: Duration = Duration::from_secs(8);

/// What is started, and where it may write.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// The program.
    pub(super) path: PathBuf,
    /// The folder that is its home and its place for temporary files.
    pub(super) folder: PathBuf,
}

/// A running piece.
pub(super) struct Piece {
    child: Child,
    /// What it said when it was ready.
    pub(super) ready: Value,
}

impl Program {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(words).kill_on_drop(true).stdin(Stdio::null()).current_dir(&self.folder);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_ascii_uppercase();
            // Nothing of the user's own settings, and no proxy but ours.
            if ["HEDGEROW_", "XDG_", "GIT_"].iter().any(|begin| text.starts_with(begin))
                || text.ends_with("_PROXY")
                || text == "KUBECONFIG"
            {
                command.env_remove(name);
            }
        }
        command.env("HOME", &self.folder).env("TMPDIR", &self.folder);
        // Ctrl-C is for the self-test, which ends its pieces itself.
        command.process_group(0);
        command
    }

    /// Starts a piece that prints one line of JSON when it is ready.
    pub(super) async fn start(&self, name: &str, words: &[&str]) -> Result<Piece, SelfTestError> {
        let failed =
            |why: String| SelfTestError::Piece { name: words.first().copied().unwrap_or(name).to_owned(), why };
        let log = self.folder.join(format!("{name}.log"));
        let file = std::fs::File::create(&log).map_err(|error| failed(error.to_string()))?;
        let mut command = self.command(words);
        command.stdout(Stdio::piped()).stderr(file);
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let mut lines = child.stdout.take().map(|out| BufReader::new(out).lines());
        let first = async {
            while let Some(line) = lines.as_mut()?.next_line().await.ok()? {
                if let Ok(ready) = serde_json::from_str::<Value>(&line) {
                    return Some(ready);
                }
            }
            None
        };
        let Ok(Some(ready)) = timeout(READY, first).await else {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(failed(format!("it did not say that it is ready: {}", said.trim())));
        };
        // What it says later must not fill the pipe.
        tokio::spawn(async move { while let Some(Ok(Some(_))) = next(&mut lines).await {} });
        Ok(Piece { child, ready })
    }

    /// Runs it once, to its end.
    pub(super) async fn run(&self, words: &[&str], input: Option<&SecretString>) -> Result<(), SelfTestError> {
        let failed = |why: String| SelfTestError::Piece { name: words.join(" "), why };
        let mut command = self.command(words);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
            let written = pipe.write_all(format!("{}\n", input.expose_secret()).as_bytes()).await;
            written.map_err(|error| failed(error.to_string()))?;
        }
        let ended = timeout(READY, child.wait_with_output()).await;
        let ended = ended.map_err(|_| failed("it does not end".into()))?.map_err(|error| failed(error.to_string()))?;
        if ended.status.success() {
            return Ok(());
        }
        Err(failed(String::from_utf8_lossy(&ended.stderr).trim().to_owned()))
    }
}

async fn next<R: tokio::io::AsyncBufRead + Unpin>(
    lines: &mut Option<tokio::io::Lines<R>>,
) -> Option<std::io::Result<Option<String>>> {
    Some(lines.as_mut()?.next_line().await)
}

impl Piece {
    /// A word of what it said when it was ready.
    pub(super) fn said(&self, name: &str) -> String {
        self.ready[name].as_str().unwrap_or_default().to_owned()
    }

    /// Ends it as SIGTERM does; kills it, when it does not listen.
    pub(super) async fn stop(mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            // It may have ended by itself.
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        if timeout(END, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// A repository with these files, bare, as others would keep it on a server.
pub(super) struct Repository {
    /// Where it is.
    pub(super) bare: PathBuf,
    work: PathBuf,
}

impl Repository {
    /// Makes it: one branch `main`, one commit.
    pub(super) async fn make(folder: &Path, files: &[(String, String)]) -> Result<Self, SelfTestError> {
        let made = Self { bare: folder.join("repository.git"), work: folder.join("work") };
        git(folder, &["init", "--quiet", "--bare", "--initial-branch=main", "repository.git"]).await?;
        git(folder, &["init", "--quiet", "--initial-branch=main", "work"]).await?;
        for (path, text) in files {
            made.write(path, text)?;
        }
        made.commit("Describe the fabric").await?;
        Ok(made)
    }

    fn write(&self, path: &str, text: &str) -> Result<(), SelfTestError> {
        let file = self.work.join(path);
        let written = file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&file, text));
        written.map_err(|error| SelfTestError::Git(format!("{} cannot be written: {error}", file.display())))
    }

    async fn commit(&self, message: &str) -> Result<(), SelfTestError> {
        git(&self.work, &["add", "--all"]).await?;
        let author = ["-c", "user.name=Robin Network", "-c", "user.email=robin@example.net"];
        git(&self.work, &[&author[..], &["commit", "--quiet", "--no-gpg-sign", "-m", message]].concat()).await?;
        let bare = self.bare.display().to_string();
        git(&self.work, &["push", "--quiet", &bare, "HEAD:refs/heads/main"]).await
    }

    /// Replaces words in a file, and commits.
    pub(super) async fn replace(&self, path: &str, old: &str, new: &str) -> Result<(), SelfTestError> {
        let file = self.work.join(path);
        let text = std::fs::read_to_string(&file)
            .map_err(|error| SelfTestError::Git(format!("{} cannot be read: {error}", file.display())))?;
        if !text.contains(old) {
            return Err(SelfTestError::Git(format!("{} does not say {old:?}", file.display())));
        }
        self.write(path, &text.replacen(old, new, 1))?;
        self.commit("Change a description").await
    }
}

async fn git(folder: &Path, words: &[&str]) -> Result<(), SelfTestError> {
    let mut command = Command::new("git");
    command.args(words).current_dir(folder).kill_on_drop(true).stdin(Stdio::null());
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_TERMINAL_PROMPT", "0");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(name);
    }
    let what = format!("git {}", words.join(" "));
    let ended = timeout(READY, command.output()).await;
    let ended = ended.map_err(|_| SelfTestError::Git(format!("{what} does not end")))?;
    let ended = ended.map_err(|error| SelfTestError::Git(format!("{what} cannot be started: {error}")))?;
    if ended.status.success() {
        return Ok(());
    }
    Err(SelfTestError::Git(format!("{what}: {}", String::from_utf8_lossy(&ended.stderr).trim())))
}
