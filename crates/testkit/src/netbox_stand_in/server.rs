//! The port, and the workers behind it. As in the predecessor a request has a worker from its first line to its answer,
//! and keeps it when the person who asked has gone: when all of them wait for an API server, the whole site waits.

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::routes;
use super::site::Site;
use crate::machine::servers;

/// A server on a port of its own on 127.0.0.1. Dropped, it closes everything.
pub(super) struct Server {
    port: u16,
    over: CancellationToken,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Workers {
    site: Arc<Site>,
    free: Arc<Semaphore>,
    over: CancellationToken,
}

impl Server {
    pub(super) async fn start(site: Arc<Site>, workers: usize) -> Result<Self> {
        let listener = servers().spawn(TcpListener::bind("127.0.0.1:0")).await?.context("bind a port")?;
        let port = listener.local_addr().context("read the port")?.port();
        let over = CancellationToken::new();
        let workers = Workers { site, free: Arc::new(Semaphore::new(workers)), over: over.clone() };
        let router = Router::new().fallback(move |request| workers.clone().serve(request));
        let task = servers().spawn(accept(listener, router));
        Ok(Self { port, over, task })
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.cancel();
        self.task.abort();
    }
}

impl Workers {
    async fn serve(self, request: Request) -> Response {
        // A task of its own, which does not end when the connection does.
        let work = servers().spawn(async move {
            let work = async {
                let _worker = self.free.acquire().await;
                routes::answer(&self.site, request).await
            };
            self.over.run_until_cancelled(work).await
        });
        match work.await {
            Ok(Some(response)) => response,
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "the stand-in ends, or a worker of it failed").into_response(),
        }
    }
}

async fn accept(listener: TcpListener, router: Router) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((connection, _)) = accepted else { continue };
                let service = TowerToHyperService::new(router.clone());
                connections.spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new()).http1_only();
                    if let Err(error) = builder.serve_connection(TokioIo::new(connection), service).await {
                        tracing::debug!("a connection to the stand-in ended: {error}");
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
