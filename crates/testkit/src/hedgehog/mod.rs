//! What runs beside the Kubernetes API in a Hedgehog control cluster, played: the fabric controller with its admission
//! webhooks, and the agents of switches and gateways.
//!
//! Played, because the real ones are not to be had in a test. The webhooks have the lab's rules, which are held against
//! what Hedgehog's own were recorded to answer, and are real webhooks: the real API server calls them over TLS. The
//! Agents are the tests' own work, not the lab's. As in the real controller, what is known of the objects comes from
//! watches, so it may be some milliseconds old.

mod controller;
mod informer;
mod play;
mod webhook;

use std::sync::Arc;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use lab::admission::{self, SharedObjects};

use crate::chaos::ChaosProxy;
use crate::control_plane::{ControlPlane, KubeClient};
use crate::tls_server::TlsServer;
use informer::Informer;
use play::{Play, SharedOrders};
use webhook::Rejections;

pub use controller::AGENT_SECRET;
pub use play::AgentMode;

/// Where webhooks are registered.
const REGISTRATIONS: &str = "/apis/admissionregistration.k8s.io/v1";

/// Controller, webhooks and agents of one control plane. Dropped, they are silent, and writes fail until
/// [`Hedgehog::leave`] or [`ControlPlane::reset`] has taken the registration of the webhooks away.
pub struct Hedgehog {
    client: KubeClient,
    proxy: ChaosProxy,
    rejections: Rejections,
    orders: SharedOrders,
    _play: Play,
    _informer: Informer,
    _server: TlsServer,
}

impl Hedgehog {
    /// Moves in: creates the built-in switch profiles, as the controller does at its start, registers the webhooks, and
    /// lets controller and agents work. The definitions must be installed. When this returns, the webhooks know what is
    /// there and are asked.
    pub async fn start(control_plane: &ControlPlane) -> Result<Self> {
        let client = control_plane.client()?;
        let profiles = lab::profiles::built_in().iter();
        try_join_all(profiles.map(|profile| client.put(profile))).await.context("create the switch profiles")?;
        let objects = SharedObjects::default();
        let informer = Informer::start(control_plane.client()?, objects.clone()).await?;
        let rejections = Rejections::default();
        let rules = admission::webhook_router(Arc::new(objects.clone()));
        let router = webhook::router(rules, rejections.clone());
        let server = TlsServer::start(&control_plane.serving_certificate()?, router).await?;
        let proxy = ChaosProxy::start(&server.address()).await?;
        let url = format!("https://{}", proxy.address());
        for registration in admission::webhook_configurations(&url, control_plane.ca_certificate()) {
            client.put(&registration).await.context("register the webhooks")?;
        }
        let orders = SharedOrders::default();
        let play = Play::start(control_plane.client()?, objects, orders.clone());
        let started = Self { client, proxy, rejections, orders, _play: play, _informer: informer, _server: server };
        started.asked().await?;
        Ok(started)
    }

    /// The way from the API server to the webhooks: cut it, and every write of Hedgehog's kinds fails, as it does when
    /// the fabric controller is down; make it a black hole, and they time out.
    pub fn webhooks(&self) -> &ChaosProxy {
        &self.proxy
    }

    /// Refuses every object of this name from now on, in these words.
    pub fn reject(&self, name: &str, words: &str) {
        webhook::lock(&self.rejections).insert(name.to_owned(), words.to_owned());
    }

    /// Ends what [`Self::reject`] began.
    pub fn accept(&self, name: &str) {
        webhook::lock(&self.rejections).remove(name);
    }

    /// Whether the controller writes what changed into the Agents. While it does not, their generations stand still;
    /// its webhooks are [`Self::webhooks`].
    pub fn set_controller(&self, works: bool) {
        play::lock(&self.orders).controller_down = !works;
    }

    /// What the agent of a switch, or of a gateway, does from now on.
    pub fn set_agent(&self, name: &str, mode: AgentMode) {
        play::lock(&self.orders).agents.insert(name.to_owned(), mode);
    }

    /// Moves out: takes the registration away.
    pub async fn leave(self) -> Result<()> {
        for kind in ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"] {
            let answer = self.client.request("DELETE", &format!("{REGISTRATIONS}/{kind}"), None).await?;
            answer.success("take the registration of the webhooks away")?;
        }
        Ok(())
    }

    /// The API server learns of a registration by a watch of its own: ask until the answer is the webhook's.
    async fn asked(&self) -> Result<()> {
        const PROBE: &str = "webhook-probe";
        let words = "the probe of the webhooks";
        self.reject(PROBE, words);
        let probe = serde_json::json!({
            "apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "Server",
            "metadata": {"name": PROBE, "namespace": "default"}, "spec": {},
        });
        let path = "/apis/wiring.githedgehog.com/v1beta1/namespaces/default/servers?dryRun=All";
        let asked = crate::eventually(std::time::Duration::from_secs(30), "the webhooks are asked", || async {
            let answer = self.client.request("POST", path, Some(&probe)).await?;
            let said = answer.body["message"].as_str().unwrap_or_default().to_owned();
            anyhow::ensure!(said.contains(words), "a dry run was answered {} {said}", answer.status);
            Ok(())
        });
        asked.await?;
        self.accept(PROBE);
        Ok(())
    }
}
