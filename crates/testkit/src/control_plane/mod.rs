//! A real kube-apiserver with a real etcd: what a cluster test talks to.
//!
//! There is no controller manager: namespaces are not cleaned up, no Hedgehog controller runs. Hedgehog's objects live
//! in namespace `default`, so two tests cannot share one control plane at the same time: take one from
//! [`ControlPlane::pool`], which hands it out to one test at a time and empties it in between.

mod access;
mod client;
mod crds;
mod pool;
mod reset;
mod running;
mod settings;
mod snapshot;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

pub use access::{Access, TokenUser};
pub use client::{Answer, Change, KubeClient};
pub use crds::read_crds;
pub use pool::Lease;
pub use running::RunningKubectl;
pub use snapshot::Snapshot;

use crate::machine::{free_port, secret};
use crate::process::{Folder, Process};
use crate::tls::{Authority, Identity};
use crate::{eventually, kubeconfig};

/// From start to ready it takes some four seconds on an idle machine; tests run on busy ones.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// A running API server. Dropped, it is gone with all its data.
pub struct ControlPlane {
    port: u16,
    admin_token: String,
    authority: Authority,
    kubectl: PathBuf,
    api_server_program: PathBuf,
    // Dropped in this order: the API server before the database under it, the folder last.
    api_server: Option<Process>,
    etcd: Option<Process>,
    folder: Folder,
}

impl ControlPlane {
    /// Starts a control plane of the caller's own. Two of them are what a small machine bears; tests that do not mind
    /// who used it before take one from [`ControlPlane::pool`] instead.
    pub async fn start() -> Result<Self> {
        crate::tls::install_provider();
        let programs = settings::programs()?;
        let folder = Folder::new("control-plane")?;
        let authority = Authority::new("hedgerow-test-ca")?;
        let admin_token = secret();
        settings::write_files(&folder, &authority, &admin_token)?;
        let etcd = settings::start_etcd(&programs.join("etcd"), &folder).await?;
        let mut started = Self {
            port: 0,
            admin_token,
            authority,
            kubectl: programs.join("kubectl"),
            api_server_program: programs.join("kube-apiserver"),
            api_server: None,
            etcd: Some(etcd),
            folder,
        };
        let mut attempt = 0;
        loop {
            attempt += 1;
            started.port = free_port()?;
            match started.start_api_server().await {
                Ok(()) => break,
                // Somebody was faster: take another port.
                Err(error) if attempt < 4 && format!("{error:#}").contains("address already in use") => {}
                Err(error) => return Err(error),
            }
        }
        let kubeconfig = started.kubeconfig_admin();
        started.folder.write("admin.kubeconfig", kubeconfig)?;
        started.ready_to_use().await?;
        Ok(started)
    }

    /// The address of the API server; it stays the same over [`Self::stop_api_server`] and [`Self::start_api_server`].
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Host and port, as a proxy in front of it needs them.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The certificate of the authority that signed the server's, as PEM text.
    pub fn ca_certificate(&self) -> &str {
        self.authority.certificate()
    }

    /// The token of the administrator (group `system:masters`).
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// A kubeconfig of the administrator.
    pub fn kubeconfig_admin(&self) -> String {
        self.kubeconfig(&self.url(), &self.admin_token)
    }

    /// A kubeconfig with any bearer token for any address, such as that of a proxy in front of this API server.
    pub fn kubeconfig(&self, server: &str, token: &str) -> String {
        kubeconfig::with_token(server, self.ca_certificate(), token)
    }

    /// A serving certificate for 127.0.0.1 that clients of this API server trust: for what stands in front of it, or
    /// is called by it.
    pub fn serving_certificate(&self) -> Result<Identity> {
        self.authority.server(&["127.0.0.1", "localhost"])
    }

    /// A client certificate that this API server accepts.
    pub fn client_certificate(&self, user: &str, groups: &[&str]) -> Result<Identity> {
        self.authority.client(user, groups)
    }

    /// A kubeconfig that logs in by client certificate.
    pub fn kubeconfig_with_certificate(&self, identity: &Identity) -> String {
        kubeconfig::with_certificate(&self.url(), self.ca_certificate(), identity)
    }

    /// A client of the test's own with the administrator's rights.
    pub fn client(&self) -> Result<KubeClient> {
        self.client_as(&self.admin_token)
    }

    /// A client of the test's own with the rights that a token gives.
    pub fn client_as(&self, token: &str) -> Result<KubeClient> {
        KubeClient::new(&self.url(), self.ca_certificate(), Some(token))
    }

    /// The UID of namespace `kube-system`: what a cluster is recognised by.
    pub async fn cluster_uid(&self) -> Result<String> {
        let namespace = self.client()?.get("Namespace", "kube-system").await?.context("no namespace kube-system")?;
        Ok(namespace["metadata"]["uid"].as_str().context("a namespace without uid")?.to_owned())
    }

    /// Runs kubectl as the administrator; fails when kubectl does, with what it said.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        let output = self.kubectl_output(args, None).await?;
        ensure!(
            output.status.success(),
            "kubectl {args:?} failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs kubectl as the administrator, with `input` on its standard input, and says how it ended.
    pub async fn kubectl_output(&self, args: &[&str], input: Option<&str>) -> Result<Output> {
        run_kubectl(&self.kubectl, &self.folder.join("admin.kubeconfig"), &self.folder, args, input).await
    }

    /// Kills the API server at once; the data stays.
    pub fn stop_api_server(&mut self) {
        if let Some(mut process) = self.api_server.take() {
            process.kill();
        }
    }

    /// Starts the API server again on the same port with the same data, and waits until it is ready.
    pub async fn start_api_server(&mut self) -> Result<()> {
        if self.api_server.is_some() {
            return Ok(());
        }
        let mut process = settings::start_api_server(&self.api_server_program, &self.folder, self.port)?;
        let client = self.client()?;
        let mut dead = None;
        let ready = eventually(READY_WITHIN, "kube-apiserver is ready", || {
            dead = process.still_runs().err();
            let (client, ended) = (&client, dead.is_some());
            async move {
                // Do not wait for what has died: the loop ends, and the reason is given below.
                if ended {
                    return Ok(());
                }
                let answer = client.request("GET", "/readyz", None).await?;
                ensure!(answer.status == 200, "/readyz answered {}: {}", answer.status, answer.body);
                Ok::<_, anyhow::Error>(())
            }
        });
        let ready = ready.await;
        if let Some(error) = dead {
            return Err(error);
        }
        ready.with_context(|| process.last_words())?;
        self.api_server = Some(process);
        Ok(())
    }

    /// What the API server wrote to its log.
    pub fn log(&self) -> String {
        self.api_server.as_ref().map(Process::log).unwrap_or_default()
    }

    /// `/readyz` comes before the namespaces that every cluster has.
    async fn ready_to_use(&self) -> Result<()> {
        let client = self.client()?;
        eventually(READY_WITHIN, "the namespaces default and kube-system exist", || async {
            for name in ["default", "kube-system"] {
                if client.get("Namespace", name).await?.is_none() {
                    bail!("there is no namespace {name}");
                }
            }
            Ok(())
        })
        .await
    }
}

/// Runs the real kubectl with a kubeconfig, for any server: this one, or another that claims to be a Kubernetes API.
pub async fn kubectl(kubeconfig: &str, args: &[&str], input: Option<&str>) -> Result<Output> {
    let folder = Folder::new("kubectl")?;
    let file = folder.write("kubeconfig", kubeconfig)?;
    run_kubectl(&settings::programs()?.join("kubectl"), &file, &folder, args, input).await
}

async fn run_kubectl(
    program: &PathBuf,
    kubeconfig: &PathBuf,
    folder: &Folder,
    args: &[&str],
    input: Option<&str>,
) -> Result<Output> {
    use tokio::io::AsyncWriteExt;
    let mut command = tokio::process::Command::from(Command::new(program));
    // A home of its own: kubectl keeps what it discovered in a cache under HOME, by host and port.
    command.arg("--kubeconfig").arg(kubeconfig).args(args).env("HOME", folder.path()).env_remove("KUBECONFIG");
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("start kubectl")?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        pipe.write_all(input.as_bytes()).await.context("write to kubectl")?;
    }
    let done = tokio::time::timeout(Duration::from_secs(120), child.wait_with_output());
    done.await.with_context(|| format!("kubectl {args:?} did not end in 2 minutes"))?.context("wait for kubectl")
}
