//! A small REST client of the oracle's own, for one context of a kubeconfig. Every answer comes with the reading that
//! proves it; every failure with a class and a sentence. It does not retry: whoever waits for something asks again.

pub(crate) mod kinds;
mod probe;
mod read;

pub use kinds::Kind;
pub use probe::{Allowed, FIELD_MANAGER};
pub use read::Version;

use super::kubeconfig::{Kubeconfig, KubeconfigError, Login};
use super::{OracleError, tls};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Proxy, dns, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use url::{Host, Url};

/// How long one request may take, its answer included.
const WITHIN: Duration = Duration::from_secs(10);
/// More than a page of the largest objects; a server that sends more is none.
const MOST_BYTES: usize = 256 << 20;

/// The oracle of one cluster.
#[derive(Debug, Clone)]
pub struct ClusterOracle {
    http: Client,
    kubeconfig: Kubeconfig,
    /// Where requests go: the server, by its `tls-server-name` if it has one.
    base: Url,
    within: Duration,
}

/// A body, and the headers it came with.
pub(crate) struct Answer {
    pub(crate) body: Value,
    pub(crate) headers: HeaderMap,
}

impl ClusterOracle {
    /// For a kubeconfig file: its current context, or the one of this name.
    pub fn open(kubeconfig: &Path, context: Option<&str>) -> Result<Self, OracleError> {
        Self::new(Kubeconfig::read(kubeconfig, context)?)
    }

    /// For a kubeconfig that was read before.
    pub fn new(kubeconfig: Kubeconfig) -> Result<Self, OracleError> {
        let mut http = Client::builder()
            .tls_backend_preconfigured(tls::client_config(&kubeconfig)?)
            // A redirect is never what was asked for, and the credentials go to this address only.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("hedgerow-verify/", env!("CARGO_PKG_VERSION")));
        let mut base = kubeconfig.server.clone();
        if let Some(proxy) = &kubeconfig.proxy {
            http = http.no_proxy().proxy(proxy_of(&kubeconfig, proxy)?);
        } else if kubeconfig.is_local() {
            http = http.no_proxy();
        }
        if let Some(name) = &kubeconfig.server_name {
            // The name is what the server is asked for and what its certificate must be for; the address stays.
            let named = Host::parse(name).is_ok_and(|host| matches!(host, Host::Domain(_)));
            if !named || base.set_host(Some(name)).is_err() {
                let why = format!("its tls-server-name {name} is no host name");
                return Err(kubeconfig.error(why, "Correct it").into());
            }
            let host = kubeconfig.server.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
            let port = kubeconfig.server.port_or_known_default().unwrap_or(443);
            http = http.no_proxy().dns_resolver(There { host, port });
        }
        let http =
            http.build().map_err(|error| kubeconfig.error(format!("HTTP cannot be set up: {error}"), "Report this"));
        Ok(Self { http: http?, kubeconfig, base, within: WITHIN })
    }

    /// Waits this long for each answer, instead of ten seconds.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = limit;
        self
    }

    /// The server's address, as the kubeconfig has it.
    pub fn address(&self) -> &str {
        self.kubeconfig.server.as_str().trim_end_matches('/')
    }

    /// What was read of the kubeconfig.
    pub fn kubeconfig(&self) -> &Kubeconfig {
        &self.kubeconfig
    }

    /// Who answers, in a reading.
    pub(crate) fn from(&self) -> String {
        format!("cluster {}", self.address())
    }

    /// An address below the server's, each part escaped.
    pub(crate) fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Asks with GET; `asked` completes "asked to".
    pub(crate) async fn get_json(&self, asked: &str, url: Url) -> Result<Answer, OracleError> {
        self.send(asked, Method::GET, url, None).await
    }

    /// Sends a request, with a body of this content type, and reads the JSON of a success.
    pub(crate) async fn send(
        &self,
        asked: &str,
        method: Method,
        url: Url,
        body: Option<(&'static str, &Value)>,
    ) -> Result<Answer, OracleError> {
        let fault =
            |error: reqwest::Error| OracleError::of_transport(self.address(), asked, self.within, &error.without_url());
        let mut request = self.http.request(method, url).timeout(self.within);
        if let Some(authorization) = self.authorization().await? {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some((content_type, body)) = body {
            request = request.header(CONTENT_TYPE, content_type).body(body.to_string());
        }
        let mut response = request.send().await.map_err(fault)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(fault)? {
            if bytes.len() + piece.len() > MOST_BYTES {
                return Err(self.unreadable(asked, format!("it is larger than {} MiB", MOST_BYTES >> 20)));
            }
            bytes.extend_from_slice(&piece);
        }
        let body = serde_json::from_slice::<Value>(&bytes);
        if !status.is_success() {
            let words = body.ok().and_then(|body| body["message"].as_str().map(str::to_owned));
            let words = words.unwrap_or_else(|| in_short(&String::from_utf8_lossy(&bytes)));
            return Err(OracleError::of_status(self.address(), asked, status.as_u16(), words));
        }
        let body = body.map_err(|_| self.unreadable(asked, "it is no JSON"))?;
        Ok(Answer { body, headers })
    }

    /// An answer that makes no sense.
    pub(crate) fn unreadable(&self, asked: &str, why: impl Into<String>) -> OracleError {
        OracleError::Unreadable { address: self.address().to_owned(), asked: asked.to_owned(), why: why.into() }
    }

    async fn authorization(&self) -> Result<Option<HeaderValue>, KubeconfigError> {
        let bearer = |token: &SecretString| reqwest_header(&format!("Bearer {}", token.expose_secret().trim()));
        let header = match &self.kubeconfig.login {
            Login::None => return Ok(None),
            Login::Token(token) => bearer(token),
            Login::TokenFile(path) => {
                let text = tokio::fs::read_to_string(path).await.map_err(|error| {
                    let why = format!("its tokenFile {} cannot be read: {error}", path.display());
                    self.kubeconfig.error(why, "Name a file that this user may read")
                })?;
                bearer(&SecretString::from(text))
            }
            Login::Basic(name, password) => {
                use base64::Engine;
                let plain = SecretString::from(format!("{name}:{}", password.expose_secret()));
                let text = base64::engine::general_purpose::STANDARD.encode(plain.expose_secret());
                reqwest_header(&format!("Basic {text}"))
            }
        };
        let header = header
            .ok_or_else(|| self.kubeconfig.error("its token is not one word of plain characters", "Enter it anew"));
        header.map(Some)
    }
}

/// A header that is shown in no log.
fn reqwest_header(text: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::try_from(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

fn proxy_of(kubeconfig: &Kubeconfig, url: &SecretString) -> Result<Proxy, KubeconfigError> {
    let parsed = Url::parse(url.expose_secret()).ok();
    let known = parsed.filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
    let proxy = known.and_then(|url| Proxy::all(url).ok());
    proxy.ok_or_else(|| {
        kubeconfig
            .error("its proxy-url is no address of an HTTP proxy, and others are not supported", "Use http://host:port")
    })
}

/// The beginning of what is no answer of the API, on one line.
fn in_short(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(200).collect();
    if line.is_empty() { "no words".to_owned() } else { line }
}

/// Finds the server at its address, whatever it is called.
struct There {
    host: String,
    port: u16,
}

impl dns::Resolve for There {
    fn resolve(&self, _: dns::Name) -> dns::Resolving {
        let (host, port) = (self.host.clone(), self.port);
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((host.as_str(), port)).await?.collect();
            Ok(Box::new(found.into_iter()) as dns::Addrs)
        })
    }
}
