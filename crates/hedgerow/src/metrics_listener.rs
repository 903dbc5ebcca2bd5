//! The listener of its own for Prometheus (`metrics.listen`, `verify --metrics`): one address, one page, no login. It is
//! bound before anything is made, like the console's own port, so that what is wrong with it is said at once.

use crate::settings::Settings;
use anyhow::Context as _;
use axum::Router;
use axum::routing::get;
use engine::Engine;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use tokio_util::sync::CancellationToken;

/// A port that is taken, but does not answer yet.
pub(crate) struct MetricsListener {
    listener: TcpListener,
    address: SocketAddr,
}

impl MetricsListener {
    /// Takes the port of the settings, if they name one.
    pub(crate) fn bind(settings: &Settings) -> anyhow::Result<Option<Self>> {
        settings.metrics_listen.map(|listen| Self::at(listen, "metrics.listen")).transpose()
    }

    /// Takes this port, which `chosen_by` named.
    pub(crate) fn at(listen: SocketAddr, chosen_by: &str) -> anyhow::Result<Self> {
        let failed = || format!("cannot listen on {listen} for the metrics; choose another with {chosen_by}");
        let listener = TcpListener::bind(listen).with_context(failed)?;
        listener.set_nonblocking(true).with_context(failed)?;
        let address = listener.local_addr().with_context(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers with what the console knows, until `stop`.
    pub(crate) async fn serve(self, engine: Engine, stop: CancellationToken) -> anyhow::Result<()> {
        let text = move || {
            let engine = engine.clone();
            async move { engine.metrics().await }
        };
        self.answer(text, stop).await
    }

    /// Answers with this text until `stop`.
    pub(crate) async fn answer<F>(
        self,
        text: impl Fn() -> F + Clone + Send + Sync + 'static,
        stop: CancellationToken,
    ) -> anyhow::Result<()>
    where
        F: Future<Output = String> + Send + 'static,
    {
        let page = move || {
            let text = text();
            async move { ([(axum::http::header::CONTENT_TYPE, metrics::MEDIA_TYPE)], text.await) }
        };
        let router = Router::new().route("/metrics", get(page));
        let listener = tokio::net::TcpListener::from_std(self.listener).context("cannot serve the metrics")?;
        tracing::info!(address = %self.address, "metrics are at /metrics");
        axum::serve(listener, router)
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
            .context("the listener of the metrics ended")
    }
}
