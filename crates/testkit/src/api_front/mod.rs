//! A real API server behind a door that misbehaves on order: answers 401 from the third list on, throttles, hangs on
//! one path, breaks off in the middle of an answer. What it does not touch is the server's own answer, unchanged.
//!
//! Where [`crate::ChaosProxy`] fails connections, this fails requests. Its certificate is signed by the control plane's
//! authority, so a kubeconfig for it differs in the address only. Client certificates end here: use tokens.

mod rule;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};

pub use rule::Rule;
use rule::{Deed, status_object};

use crate::control_plane::ControlPlane;
use crate::tls::Identity;
use crate::tls_server::TlsServer;

/// A request that came in, and how it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiCall {
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The answer's status; 0 while there is none, which is for ever when it was made to hang.
    pub status: u16,
}

struct Shared {
    upstream: String,
    http: reqwest::Client,
    rules: Mutex<Vec<Rule>>,
    calls: Mutex<Vec<ApiCall>>,
    acted: AtomicU64,
}

impl Shared {
    fn calls(&self) -> MutexGuard<'_, Vec<ApiCall>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The door. Dropped, it closes.
pub struct ApiFront {
    shared: Arc<Shared>,
    server: TlsServer,
}

impl ApiFront {
    /// Opens a door in front of a control plane; without rules it passes everything on.
    pub async fn start(control_plane: &ControlPlane) -> Result<Self> {
        let identity = control_plane.serving_certificate()?;
        let authority = reqwest::Certificate::from_pem(control_plane.ca_certificate().as_bytes())?;
        let http = reqwest::Client::builder()
            .tls_certs_only([authority])
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .context("make an HTTP client")?;
        let upstream = control_plane.url();
        let (rules, calls, acted) = (Mutex::default(), Mutex::default(), AtomicU64::new(0));
        let shared = Arc::new(Shared { upstream, http, rules, calls, acted });
        let router = axum::Router::new().fallback(serve).with_state(shared.clone());
        let server = TlsServer::start(&identity, router).await?;
        Ok(Self { shared, server })
    }

    /// The address, for a kubeconfig: `control_plane.kubeconfig(&front.url(), token)`.
    pub fn url(&self) -> String {
        format!("https://{}", self.server.address())
    }

    /// Host and port, as a proxy in front of it needs them.
    pub fn address(&self) -> String {
        self.server.address()
    }

    /// Shows this certificate to whoever connects from now on; connections that stand stay as they are.
    pub fn set_identity(&self, identity: &Identity) -> Result<()> {
        self.server.set_identity(identity)
    }

    /// How many requests a rule acted on so far; to be held is not counted.
    pub fn acted(&self) -> u64 {
        self.shared.acted.load(Ordering::Relaxed)
    }

    /// Adds a rule; of several that fit a request, the first added acts.
    pub fn add(&self, rule: Rule) {
        self.shared.rules().push(rule);
    }

    /// Forgets every rule: everything is passed on again.
    pub fn clear(&self) {
        self.shared.rules().clear();
    }

    /// The requests so far, in the order of their coming.
    pub fn calls(&self) -> Vec<ApiCall> {
        self.shared.calls().clone()
    }

    /// The requests since the last call of this function.
    pub fn take_calls(&self) -> Vec<ApiCall> {
        std::mem::take(&mut *self.shared.calls())
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().to_string());
    let path =
        path.strip_prefix("https://").and_then(|rest| rest.find('/').map(|at| rest[at..].to_owned())).unwrap_or(path);
    let number = {
        let mut calls = shared.calls();
        calls.push(ApiCall { method: method.clone(), path: path.clone(), status: 0 });
        calls.len() - 1
    };
    let deed = loop {
        let deed = shared.rules().iter_mut().find_map(|rule| rule.act(&method, &path));
        match deed {
            Some(Deed::Hold(gate)) => gate.pass(format!("{method} {path}")).await,
            deed => break deed,
        }
    };
    if deed.is_some() {
        shared.acted.fetch_add(1, Ordering::Relaxed);
    }
    let response = match deed {
        None | Some(Deed::Hold(_)) => forward(&shared, request, &path, None).await,
        Some(Deed::Hang) => std::future::pending().await,
        Some(Deed::Delay(time)) => {
            tokio::time::sleep(time).await;
            forward(&shared, request, &path, None).await
        }
        Some(Deed::Until(mut open)) => {
            // Whoever held it back is gone when nobody can say so any more.
            let _ = open.wait_for(|open| *open).await;
            forward(&shared, request, &path, None).await
        }
        Some(Deed::BreakOff(bytes)) => forward(&shared, request, &path, Some(bytes)).await,
        Some(Deed::Answer(status, headers, body)) => (status, headers, body).into_response(),
    };
    // The list may have been taken meanwhile.
    if let Some(call) = shared.calls().get_mut(number).filter(|call| call.path == path) {
        call.status = response.status().as_u16();
    }
    response
}

/// Asks the real server and passes its answer on as it comes, whole or only the first bytes of it.
async fn forward(shared: &Shared, request: Request, path: &str, first: Option<usize>) -> Response {
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    for own in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        headers.remove(own);
    }
    let ask = async {
        let body = axum::body::to_bytes(body, 64 << 20).await?;
        let request = shared.http.request(parts.method, format!("{}{path}", shared.upstream)).headers(headers);
        anyhow::Ok(request.body(body).send().await?)
    };
    let answer = match ask.await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!("the API front: {error:#}");
            let body = status_object(502, "BadGateway", "the server behind this door broke the request off");
            return (StatusCode::BAD_GATEWAY, HeaderMap::new(), body).into_response();
        }
    };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    for own in [header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(own);
    }
    let body = match first {
        None => Body::from_stream(answer.bytes_stream()),
        Some(count) => {
            headers.remove(header::CONTENT_LENGTH);
            let whole = answer.bytes().await.unwrap_or_default();
            let part = whole.slice(..count.min(whole.len()));
            let cut = std::io::Error::other("broken off, as the test ordered");
            Body::from_stream(stream::iter([Ok(part)]).chain(stream::iter([Err(cut)])))
        }
    };
    (status, headers, body).into_response()
}
