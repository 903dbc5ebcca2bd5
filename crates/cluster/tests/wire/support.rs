//! A TLS server that answers what a test tells it to, or nothing, or half of it.

use bytes::Bytes;
use cluster::{Access, Cluster, Credentials, KindInfo, Limits};
use futures::future::BoxFuture;
use futures::stream;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub type Answer = Response<BoxBody<Bytes, io::Error>>;
type Handler = Arc<dyn Fn(Request<Incoming>) -> BoxFuture<'static, Answer> + Send + Sync>;

/// The certificate that a server shows.
pub struct Shown {
    pub names: Vec<&'static str>,
    /// First day of this year is its last.
    pub until: i32,
    /// Whether the server asks clients for a certificate of the same authority.
    pub wants_client: bool,
    /// Whether the server shows a self-signed CA certificate as its own.
    pub as_authority: bool,
    /// Whether the server speaks HTTP/1.1 only, as many proxies do.
    pub old_http: bool,
}

impl Default for Shown {
    fn default() -> Self {
        Self { names: vec!["127.0.0.1"], until: 2100, wants_client: false, as_authority: false, old_http: false }
    }
}

/// A running server; it ends with the test's runtime.
pub struct Server {
    pub port: u16,
    pub ca: String,
    pub requests: Arc<AtomicUsize>,
    pub connections: Arc<AtomicUsize>,
}

impl Server {
    pub async fn start<F, R>(handler: F) -> Server
    where
        F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
        R: Future<Output = Answer> + Send + 'static,
    {
        Self::showing(Shown::default(), handler).await
    }

    pub async fn showing<F, R>(shown: Shown, handler: F) -> Server
    where
        F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
        R: Future<Output = Answer> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |request| Box::pin(handler(request)));
        let (ca, tls) = certificates(&shown);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Server { port, ca, requests: Arc::default(), connections: Arc::default() };
        let (requests, connections) = (server.requests.clone(), server.connections.clone());
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, handler) = (acceptor.clone(), handler.clone());
                let (requests, connections) = (requests.clone(), connections.clone());
                tokio::spawn(async move {
                    let Ok(tls) = acceptor.accept(tcp).await else { return };
                    connections.fetch_add(1, Ordering::SeqCst);
                    let service = hyper::service::service_fn(move |request| {
                        requests.fetch_add(1, Ordering::SeqCst);
                        let answer = handler(request);
                        async move { Ok::<_, io::Error>(answer.await) }
                    });
                    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    // The connection's own failures are what the tests are about.
                    let _ = server.serve_connection(TokioIo::new(tls), service).await;
                });
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub fn cluster(&self) -> Cluster {
        self.cluster_with(limits())
    }

    pub fn cluster_with(&self, limits: Limits) -> Cluster {
        connect(&self.url(), &self.ca, limits)
    }
}

/// Short enough for tests, long enough for a busy machine.
pub fn limits() -> Limits {
    Limits { connect: Duration::from_secs(5), request: Duration::from_secs(5), concurrency: 8, page: 2 }
}

pub fn connect(url: &str, ca: &str, limits: Limits) -> Cluster {
    Cluster::connect(&access(url, ca, true), limits).unwrap()
}

pub fn access(url: &str, ca: &str, verify: bool) -> Access {
    let (server, token) = (url.to_owned(), "s3cr3t-token".to_owned().into());
    Access::new(&Credentials::Endpoint { server, token, ca_pem: Some(ca.to_owned()) }, verify).unwrap()
}

fn certificates(shown: &Shown) -> (String, rustls::ServerConfig) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = shown.names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(shown.until, 1, 1);
    let (certificate, ca_pem) = if shown.as_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = params.self_signed(&key).unwrap();
        let pem = own.pem();
        (own, pem)
    } else {
        (params.signed_by(&key, &issuer).unwrap(), ca_pem)
    };
    let chain = vec![certificate.der().clone()];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        rustls::ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = if shown.wants_client {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        builder.with_client_cert_verifier(verifier.unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = if shown.old_http { Vec::new() } else { vec![b"h2".to_vec(), b"http/1.1".to_vec()] };
    (ca_pem, config)
}

pub fn text(status: u16, content_type: &str, body: impl Into<Bytes>) -> Answer {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed();
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .header("content-type", content_type)
        .body(body)
        .unwrap()
}

pub fn json(status: u16, value: &Value) -> Answer {
    text(status, "application/json", value.to_string())
}

/// A refusal as kube-apiserver writes it.
pub fn status(code: u16, reason: &str, message: &str) -> Answer {
    json(
        code,
        &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason, "code": code}),
    )
}

/// Half an answer, and then what `after` does: nothing for ever, or a broken connection.
pub fn half(body: &'static str, after: Option<io::Error>) -> Answer {
    let first = stream::once(async move { Ok(Frame::data(Bytes::from_static(body.as_bytes()))) });
    let rest: std::pin::Pin<Box<dyn futures::Stream<Item = Result<Frame<Bytes>, io::Error>> + Send + Sync>> =
        match after {
            Some(error) => Box::pin(stream::once(async move { Err(error) })),
            None => Box::pin(stream::pending()),
        };
    let body = BodyExt::boxed(StreamBody::new(futures::StreamExt::chain(first, rest)));
    Response::builder().header("content-type", "application/json").body(body).unwrap()
}

pub fn vpc_kind() -> KindInfo {
    KindInfo::bare("vpc.githedgehog.com", "v1beta1", "VPC", "vpcs", true)
}

pub fn vpc(name: &str) -> Value {
    json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC", "metadata": {"name": name, "namespace": "default"}, "spec": {}})
}

/// One page of a list of VPCs; items without apiVersion and kind, as the server may send them.
pub fn page(names: &[&str], position: &str, remaining: Option<u64>) -> Answer {
    let items: Vec<Value> = names.iter().map(|n| json!({"metadata": {"name": n}})).collect();
    let mut metadata = json!({"resourceVersion": "42", "continue": position});
    if let Some(count) = remaining {
        metadata["remainingItemCount"] = count.into();
    }
    json(
        200,
        &json!({"kind": "VPCList", "apiVersion": "vpc.githedgehog.com/v1beta1", "metadata": metadata, "items": items}),
    )
}

pub fn position(request: &Request<Incoming>) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').find_map(|p| p.strip_prefix("continue=")).map(str::to_owned)
}
