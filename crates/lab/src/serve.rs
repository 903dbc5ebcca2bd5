//! HTTPS: a router behind TLS, over HTTP/1.1 and HTTP/2, on connections that can be cut.

use axum::{Router, extract::Request};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// A client that does not finish its handshake in this time is let go.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The connection that a request came on; stands in the request's extensions.
#[derive(Debug, Clone, Default)]
pub struct Connection(Arc<Notify>);

impl Connection {
    /// Cuts it, with everything that is under way on it.
    pub fn cut(&self) {
        self.0.notify_one();
    }
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Serves a router. Whenever `cuts` changes, all connections that are open are cut.
    pub fn start(
        listener: TcpListener,
        tls: Arc<rustls::ServerConfig>,
        router: Router,
        cuts: watch::Receiver<u64>,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, TlsAcceptor::from(tls), router, cuts, stopped));
        Self { task, stop }
    }

    /// Stops listening, cuts all connections, and waits until the port is free.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Err(error) = (&mut self.task).await
            && error.is_panic()
        {
            tracing::error!("the server panicked: {error}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    router: Router,
    cuts: watch::Receiver<u64>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, tls.clone(), router.clone(), cuts.clone()));
                }
                Err(error) => {
                    // Out of file descriptors, or the like: later it may work again.
                    tracing::warn!("accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            _ = stopped.changed() => break,
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, router: Router, mut cuts: watch::Receiver<u64>) {
    cuts.borrow_and_update();
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("switch off Nagle's algorithm: {error}");
    }
    let stream = match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return log_io(&error),
        Err(_) => return tracing::debug!("a client did not finish its TLS handshake"),
    };
    let connection = Connection::default();
    let handle = connection.clone();
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(handle.clone());
        router.clone().oneshot(request)
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(Some(250));
    let serve = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        served = serve => if let Err(error) = served {
            tracing::debug!("a connection ended: {error}");
        },
        () = connection.0.notified() => {}
        // Without anybody who could cut, nothing is cut.
        Ok(()) = cuts.changed() => {}
    }
}

fn log_io(error: &io::Error) {
    tracing::debug!("a TLS handshake failed: {error}");
}
