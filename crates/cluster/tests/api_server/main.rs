//! The client against a real kube-apiserver, and the conformance suite that everything which claims to be a Kubernetes
//! API must pass.
#![cfg(test)]

mod conformance;
mod kinds;
mod releases;
mod rights;
#[expect(dead_code, reason = "shared with the tests of the wire; this binary needs only the server")]
#[path = "../wire/support.rs"]
mod support;
mod watch;
mod webhooks;

use cluster::{Access, Cluster, Credentials, Limits};
use std::time::Duration;
use testkit::{ChaosProxy, ControlPlane};

/// A client as the binary makes it, but with small pages.
fn connect(kubeconfig: &str) -> Cluster {
    let access = Access::new(&Credentials::Kubeconfig(kubeconfig.to_owned().into()), true).unwrap();
    Cluster::connect(&access, Limits { page: 2, ..Limits::default() }).unwrap()
}

/// A client of an administrator's behind a proxy, that notices a dead connection soon.
fn connect_through(plane: &ControlPlane, proxy: &ChaosProxy) -> Cluster {
    let kubeconfig = plane.kubeconfig(&format!("https://{}", proxy.address()), plane.admin_token());
    let access = Access::new(&Credentials::Kubeconfig(kubeconfig.into()), true).unwrap();
    Cluster::connect(&access, Limits { request: Duration::from_secs(3), ..Limits::default() }).unwrap()
}
