//! The listener of its own for Prometheus (`metrics.listen`): one address, one page, no login. It is bound before
//! anything is made, like the console's own port, so that what is wrong with it is said at once.

use crate::settings::Settings;
use anyhow::Context as _;
use axum::Router;
use axum::routing::get;
use engine::Engine;
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
        let Some(listen) = settings.metrics_listen else { return Ok(None) };
        let failed = || format!("cannot listen on {listen} for the metrics; choose another with metrics.listen");
        let listener = TcpListener::bind(listen).with_context(failed)?;
        listener.set_nonblocking(true).with_context(failed)?;
        let address = listener.local_addr().with_context(failed)?;
        Ok(Some(Self { listener, address }))
    }

    /// Answers until `stop`.
    pub(crate) async fn serve(self, engine: Engine, stop: CancellationToken) -> anyhow::Result<()> {
        let page = move || {
            let engine = engine.clone();
            async move { ([(axum::http::header::CONTENT_TYPE, metrics::MEDIA_TYPE)], engine.metrics().await) }
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
