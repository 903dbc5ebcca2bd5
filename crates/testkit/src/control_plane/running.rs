//! A kubectl that goes on, such as a watch.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use super::settings;
use crate::process::Folder;

/// A running kubectl, read line by line. Dropped, it is ended.
pub struct RunningKubectl {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
    _folder: Folder,
}

impl RunningKubectl {
    /// Starts the real kubectl with a kubeconfig.
    pub fn start(kubeconfig: &str, args: &[&str]) -> Result<Self> {
        let folder = Folder::new("kubectl")?;
        let file = folder.write("kubeconfig", kubeconfig)?;
        let mut command = tokio::process::Command::from(Command::new(settings::programs()?.join("kubectl")));
        command.arg("--kubeconfig").arg(file).args(args).env("HOME", folder.path()).env_remove("KUBECONFIG");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().context("start kubectl")?;
        let lines = BufReader::new(child.stdout.take().context("no pipe from kubectl")?).lines();
        Ok(Self { lines, _child: child, _folder: folder })
    }

    /// The next line that it prints; that none comes in half a minute is an error.
    pub async fn line(&mut self) -> Result<String> {
        let next = tokio::time::timeout(Duration::from_secs(30), self.lines.next_line());
        next.await.context("kubectl prints nothing more")?.context("read from kubectl")?.context("kubectl has ended")
    }
}
