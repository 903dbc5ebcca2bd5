//! An HTTPS server in this process, for what stands in front of the API server or is called by it.

use std::sync::{Arc, PoisonError, RwLock};

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

/// What is shown to the next who connects.
type Shown = Arc<RwLock<Arc<rustls::ServerConfig>>>;

/// A server on a port of its own on 127.0.0.1, HTTP/1.1 and HTTP/2. Dropped, it closes everything.
pub(crate) struct TlsServer {
    port: u16,
    tls: Shown,
    task: JoinHandle<()>,
}

impl TlsServer {
    pub(crate) async fn start(identity: &Identity, router: Router) -> Result<Self> {
        let tls: Shown = Arc::new(RwLock::new(Arc::new(config(identity)?)));
        let listener = servers().spawn(TcpListener::bind("127.0.0.1:0")).await?.context("bind a port")?;
        let port = listener.local_addr().context("read the port")?.port();
        let task = servers().spawn(accept(listener, tls.clone(), router));
        Ok(Self { port, tls, task })
    }

    /// Shows another certificate from the next connection on.
    pub(crate) fn set_identity(&self, identity: &Identity) -> Result<()> {
        *self.tls.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config(identity)?);
        Ok(())
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

fn config(identity: &Identity) -> Result<rustls::ServerConfig> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?;
    let mut tls = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

async fn accept(listener: TcpListener, tls: Shown, router: Router) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((connection, _)) = accepted else { continue };
                let shown = tls.read().unwrap_or_else(PoisonError::into_inner).clone();
                let (tls, router) = (TlsAcceptor::from(shown), router.clone());
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
