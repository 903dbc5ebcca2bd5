//! The way to the server: names, TCP, TLS, HTTP/2, under one kube client.
//!
//! kube's own stack speaks HTTP/1.1 only, and its connect limit leaves out the TLS handshake. This one offers HTTP/2 by
//! ALPN, lets the connect limit cover everything up to the first request, pings idle connections so that a dead one is
//! noticed, and types its failures so that they can be told apart without reading texts.

use crate::Limits;
use crate::access::Access;
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ConfigExt};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{BoxError, Service, ServiceBuilder};

/// How often an HTTP/2 connection is pinged, and how long the answer may take: both together are less than the limit of
/// a call, so that a call on a dead connection ends by noticing that, and the next one makes a new connection.
const PING_EVERY: Duration = Duration::from_secs(15);
const PING_ANSWER: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(90);

/// The server's name could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("{host}: {why}")]
pub(crate) struct DnsFailure {
    pub(crate) host: String,
    pub(crate) why: io::Error,
}

/// Name, TCP and TLS together took longer than the connect limit.
#[derive(Debug, thiserror::Error)]
#[error("not connected within {0:?}")]
pub(crate) struct ConnectDeadline(pub(crate) Duration);

/// Builds the client; the reason as a sentence when it cannot be built.
pub(crate) fn client(access: &Access, limits: Limits) -> Result<kube::Client, String> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err("The client must be built inside a tokio runtime.".to_owned());
    }
    let mut config = kube::Config::new(access.uri().clone());
    config.auth_info = access.auth_info().clone();

    let mut http = HttpConnector::new_with_resolver(Resolver(GaiResolver::new()));
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_keepalive(Some(PING_EVERY));
    let ping_every = PING_EVERY.min(limits.request / 2);
    let ping_answer = PING_ANSWER.min(limits.request / 3);
    let https = hyper_rustls::HttpsConnector::new(http, access.tls(), false, access.server_name_resolver());

    let hyper = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .http2_keep_alive_interval(ping_every)
        .http2_keep_alive_timeout(ping_answer)
        .http2_keep_alive_while_idle(true)
        .build::<_, Body>(Deadline { inner: https, limit: limits.connect });

    let auth = config.auth_layer().map_err(|e| format!("The credentials cannot be sent: {e}."))?;
    let headers = config.extra_headers_layer().map_err(|e| format!("The impersonation cannot be sent: {e}."))?;
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(auth)
        .layer(headers)
        .map_err(BoxError::from)
        .service(hyper);
    Ok(kube::Client::new(service, "default"))
}

/// The system's resolver, with a typed error.
#[derive(Clone)]
struct Resolver(GaiResolver);

impl Service<Name> for Resolver {
    type Response = <GaiResolver as Service<Name>>::Response;
    type Error = DnsFailure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DnsFailure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DnsFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let host = name.as_str().to_owned();
        let looking = self.0.call(name);
        Box::pin(async move { looking.await.map_err(|why| DnsFailure { host, why }) })
    }
}

/// Lets a connector fail with [`ConnectDeadline`] when its limit passes.
#[derive(Clone)]
struct Deadline<C> {
    inner: C,
    limit: Duration,
}

impl<C> Service<Uri> for Deadline<C>
where
    C: Service<Uri>,
    C::Future: Send + 'static,
    C::Response: Send + 'static,
    C::Error: Into<BoxError>,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let limit = self.limit;
        let connecting = self.inner.call(uri);
        Box::pin(async move {
            match tokio::time::timeout(limit, connecting).await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => Err(Box::new(ConnectDeadline(limit)) as BoxError),
            }
        })
    }
}
