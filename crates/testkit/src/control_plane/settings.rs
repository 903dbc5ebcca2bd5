//! Where the programs of the control plane are, and how they are started.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Folder, Process, eventually};
use crate::machine::{built, workspace};
use crate::tls::Authority;

/// The three programs that the folder must hold.
const PROGRAMS: [&str; 3] = ["etcd", "kube-apiserver", "kubectl"];

/// The folder with the programs: `KUBEBUILDER_ASSETS`, the convention of controller tests, is looked at first, then
/// `HEDGEROW_TEST_CONTROL_PLANE`, then the cache that `cargo xtask setup` fills.
pub(super) fn programs() -> Result<PathBuf> {
    for name in ["KUBEBUILDER_ASSETS", "HEDGEROW_TEST_CONTROL_PLANE"] {
        if let Some(folder) = std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from) {
            if let Some(missing) = PROGRAMS.iter().find(|wanted| !folder.join(wanted).is_file()) {
                bail!("{name} names {}, which holds no {missing}", folder.display());
            }
            return Ok(folder);
        }
    }
    let folder = cache()?;
    if PROGRAMS.iter().all(|wanted| folder.join(wanted).is_file()) {
        return Ok(folder);
    }
    bail!("the control plane is not built: {} is missing; `cargo xtask setup --for tests` builds it", folder.display())
}

/// Named by the hash of `go.sum`, so that another version of Kubernetes is another folder.
fn cache() -> Result<PathBuf> {
    built("control-plane", &workspace().join("tests/control-plane"), &["go.sum"])
}

/// Certificates, keys and the administrator's token.
pub(super) fn write_files(folder: &Folder, authority: &Authority, admin_token: &str) -> Result<()> {
    let serving = authority.server(&["127.0.0.1", "localhost", "kubernetes.default.svc"])?;
    let accounts = rcgen::KeyPair::generate().context("make the service account key")?;
    folder.write("ca.crt", authority.certificate())?;
    folder.write("server.crt", &serving.certificate)?;
    folder.write("server.key", &serving.key)?;
    folder.write("accounts.key", accounts.serialize_pem())?;
    folder.write("accounts.pub", accounts.public_key_pem())?;
    folder.write("tokens.csv", format!("{admin_token},hedgerow-test-admin,admin,\"system:masters\"\n"))?;
    Ok(())
}

/// etcd over unix sockets in the fixture's folder: no ports to fight over.
pub(super) async fn start_etcd(program: &Path, folder: &Folder) -> Result<Process> {
    let socket = folder.join("etcd.sock");
    // The advertised addresses are for other members, of which there are none; etcd insists on host and port.
    let nobody = "http://127.0.0.1:1";
    let mut command = Command::new(program);
    command.args(["--unsafe-no-fsync", "--log-level=warn"]);
    command.arg(format!("--data-dir={}", folder.join("etcd").display()));
    command.arg(format!("--listen-client-urls=unix://{}", socket.display()));
    command.arg(format!("--listen-peer-urls=unix://{}", folder.join("peer.sock").display()));
    command.args([format!("--advertise-client-urls={nobody}"), format!("--initial-advertise-peer-urls={nobody}")]);
    command.arg(format!("--initial-cluster=default={nobody}"));
    let mut process = Process::start("etcd", &command, folder.path(), "TERM")?;
    eventually(Duration::from_secs(60), "etcd listens", || {
        let state = process.still_runs();
        let listens = socket.exists();
        async move {
            state?;
            if listens { Ok(()) } else { bail!("no socket yet") }
        }
    })
    .await?;
    Ok(process)
}

pub(super) fn start_api_server(program: &Path, folder: &Folder, port: u16) -> Result<Process> {
    let file = |name: &str| folder.join(name).display().to_string();
    let mut command = Command::new(program);
    command.args([
        format!("--etcd-servers=unix://{}", file("etcd.sock")),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", file("certificates")),
        format!("--tls-cert-file={}", file("server.crt")),
        format!("--tls-private-key-file={}", file("server.key")),
        format!("--client-ca-file={}", file("ca.crt")),
        format!("--token-auth-file={}", file("tokens.csv")),
        format!("--service-account-key-file={}", file("accounts.pub")),
        format!("--service-account-signing-key-file={}", file("accounts.key")),
    ]);
    command.args([
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=RBAC",
        // No controller makes the service accounts that this plugin waits for.
        "--disable-admission-plugins=ServiceAccount",
        "--profiling=false",
    ]);
    // A proxy of the machine's is for the outside; webhooks of the tests' own are on 127.0.0.1.
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    Process::start("kube-apiserver", &command, folder.path(), "KILL")
}
