//! An HTTPS server in this process, for what stands in front of the API server or is called by it.

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::machine::servers;
use crate::tls::Identity;

/// A server on a port of its own on 127.0.0.1, HTTP/1.1 and HTTP/2. Dropped, it closes everything.
pub(crate) struct TlsServer {
    port: u16,
    task: JoinHandle<()>,
}

impl TlsServer {
    pub(crate) async fn start(identity: &Identity, router: Router) -> Result<Self> {
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?;
        let mut tls = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let listener = servers().spawn(TcpListener::bind("127.0.0.1:0")).await?.context("bind a port")?;
        let port = listener.local_addr().context("read the port")?.port();
        let task = servers().spawn(accept(listener, TlsAcceptor::from(Arc::new(tls)), router));
        Ok(Self { port, task })
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, router: Router) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((connection, _)) = accepted else { continue };
                let (tls, router) = (tls.clone(), router.clone());
                connections.spawn(async move {
                    // A client that does not trust us hangs up, which is not our failure.
                    let Ok(connection) = tls.accept(connection).await else { return };
                    let service = TowerToHyperService::new(router);
                    let builder = auto::Builder::new(TokioExecutor::new());
                    if let Err(error) = builder.serve_connection(TokioIo::new(connection), service).await {
                        tracing::debug!("a TLS connection ended: {error}");
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
