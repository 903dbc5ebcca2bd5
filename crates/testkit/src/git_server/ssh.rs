//! The SSH side: a real `sshd`, started for each connection with the connection as its input and output, as inetd does.
//! So the port is ours to choose, and there is no daemon to clean up after.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, ensure};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};

use super::{GitMode, Shared};
use crate::machine::{is_root, program, servers};
use crate::process::{Folder, run};

pub(super) struct Listener {
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) private_key: String,
    pub(super) known_hosts: String,
    task: JoinHandle<()>,
}

impl Listener {
    pub(super) async fn start(shared: Arc<Shared>) -> Result<Self> {
        let folder = &shared.folder;
        let sshd = program("sshd", &[])?;
        if is_root() {
            // Debian's start script makes it; sshd does not start without.
            std::fs::create_dir_all("/run/sshd").context("make /run/sshd")?;
        }
        let host_key = key(folder, "host_key").await?;
        let user_key = key(folder, "user_key").await?;
        let user = run("id", Command::new("id").arg("-un")).await?.trim().to_owned();
        write_settings(folder, &shared.git, &user_key)?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0");
        let listener = listener.await.context("bind a port")?.into_std().context("hand the port over")?;
        let port = listener.local_addr().context("read the port")?.port();
        let host = std::fs::read_to_string(host_key.with_extension("pub")).context("read the host key")?;
        let host = host.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let known_hosts = format!("[127.0.0.1]:{port} {}\n", host.trim());
        let private_key = std::fs::read_to_string(&user_key).context("read the user's key")?;
        let settings = folder.join("sshd_config");
        let task = servers().spawn(async move {
            if let Err(error) = accept(listener, shared, &sshd, &settings).await {
                tracing::error!("the SSH side of the Git server ended: {error:#}");
            }
        });
        Ok(Self { port, user, private_key, known_hosts, task })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn key(folder: &Folder, name: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    let mut command = Command::new(program("ssh-keygen", &[])?);
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&path);
    run("ssh-keygen", &mut command).await?;
    Ok(path)
}

/// The key may do one thing: run Git's two server programs on a repository of ours.
fn write_settings(folder: &Folder, git: &Path, user_key: &Path) -> Result<()> {
    let public = std::fs::read_to_string(user_key.with_extension("pub")).context("read the user's public key")?;
    let repositories = folder.join("repositories");
    let gate = folder.write(
        "gate.sh",
        format!(
            r#"#!/bin/sh
# git asks for: git-upload-pack '/name.git' or git-receive-pack '/name.git'
set -- $SSH_ORIGINAL_COMMAND
service=$1 repository=$(printf '%s' "$2" | tr -d "'/")
case "$service" in git-upload-pack|git-receive-pack) ;; *) echo "not allowed: $service" >&2; exit 1 ;; esac
exec '{}' "${{service#git-}}" '{}'/"$repository"
"#,
            git.display(),
            repositories.display()
        ),
    )?;
    folder.write("authorized_keys", format!("restrict,command=\"sh {}\" {public}", gate.display()))?;
    folder.write("sshd_config", format!(
        "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin prohibit-password\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPubkeyAuthentication yes\nLogLevel VERBOSE\n\
         AcceptEnv GIT_PROTOCOL\n",
        folder.join("host_key").display(),
        folder.join("authorized_keys").display(),
    ))?;
    Ok(())
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>, sshd: &Path, settings: &Path) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener).context("take the port over")?;
    let mut connections = JoinSet::new();
    let mut silent = Vec::new();
    loop {
        let (connection, _) = listener.accept().await.context("accept")?;
        shared.requests.fetch_add(1, Ordering::Relaxed);
        let mode = shared.switches().mode;
        match mode {
            GitMode::Serve => {
                let (shared, sshd, settings) = (shared.clone(), sshd.to_path_buf(), settings.to_path_buf());
                connections.spawn(async move {
                    if let Err(error) = serve(connection, &shared, &sshd, &settings).await {
                        tracing::debug!("sshd: {error:#}");
                    }
                });
            }
            GitMode::NeverAnswer => silent.push(connection),
            GitMode::Fail(_) => drop(connection),
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(connection: TcpStream, shared: &Shared, sshd: &Path, settings: &Path) -> Result<()> {
    let connection = connection.into_std().context("hand the connection over")?;
    connection.set_nonblocking(false).context("hand the connection over")?;
    let output = connection.try_clone().context("hand the connection over")?;
    let mut command = tokio::process::Command::new(sshd);
    // Not -e: it would log into the connection.
    command.arg("-i").arg("-f").arg(settings).arg("-E").arg(shared.folder.join("sshd.log"));
    command.stdin(Stdio::from(OwnedFd::from(connection))).stdout(Stdio::from(OwnedFd::from(output)));
    command.stderr(Stdio::null()).kill_on_drop(true);
    let status = command.spawn().context("start sshd")?.wait().await.context("wait for sshd")?;
    ensure!(status.success(), "it ended with {status}");
    Ok(())
}
