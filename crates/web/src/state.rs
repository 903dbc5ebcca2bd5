//! What every handler works with.

use crate::outside::{HeaderLogin, Openid};
use crate::probes::Probes;
use auth::{ApiTokens, Clock, Csrf, MasterKey, Sealer, Sessions, ThrottleLimits};
use engine::Engine;
use http::{HeaderMap, header};
use ipnet::IpNet;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use subtle::ConstantTimeEq;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The settings of the web server's own.
#[derive(Debug, Clone)]
pub struct WebSettings {
    /// Whether this server ends TLS itself.
    pub tls: bool,
    /// Proxies that are believed about the client's address; one of them ends TLS.
    pub trusted_proxies: Vec<IpNet>,
    /// The origin that users see, e.g. `https://hedgerow.example.net`, when it is not that of the `Host` header.
    pub public_url: Option<String>,
    /// Whether a source may be a `file://` address (the setting `source.allow_file`).
    pub allow_file: bool,
    /// What a Prometheus server without a session shows in order to read the metrics (the setting `metrics.token`).
    pub metrics_token: Option<SecretString>,
    /// The data folder, for the probe of readiness.
    pub data: Option<PathBuf>,
    /// The file of the key that seals credentials, for the same.
    pub key_file: Option<PathBuf>,
    /// The shortest interval of automatic syncs that a fabric may be given, in seconds (the setting
    /// `schedule.shortest_interval`).
    pub shortest_interval: u32,
    /// How often the console walks its own front door (the setting `verify.every`).
    pub verify_every: Option<Duration>,
    /// Who it logs in as (the setting `verify.username`): its logins are many, and stand in the activity once in a while.
    pub verify_username: Option<String>,
    /// The provider that people log in by, when one is set (the settings `openid.*`).
    pub openid: Option<Arc<Openid>>,
    /// What a trusted proxy says of who asks, when that is believed (the settings `header_auth.*`).
    pub header_login: Option<Arc<HeaderLogin>>,
}

impl Default for WebSettings {
    fn default() -> Self {
        Self {
            tls: false,
            trusted_proxies: Vec::new(),
            public_url: None,
            allow_file: false,
            metrics_token: None,
            data: None,
            key_file: None,
            shortest_interval: 60,
            verify_every: None,
            verify_username: None,
            openid: None,
            header_login: None,
        }
    }
}

impl WebSettings {
    /// Whether browsers reach this server over TLS. Without, on loopback, cookies cannot be `Secure`.
    pub fn secure(&self) -> bool {
        self.tls
            || !self.trusted_proxies.is_empty()
            || self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }

    /// Whether a request carries the token of the metrics. Hashes are compared, in constant time.
    pub fn is_metrics_token(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let sent = sent.and_then(|value| value.strip_prefix("Bearer "));
        let (Some(token), Some(sent)) = (&self.metrics_token, sent) else { return false };
        Sha256::digest(token.expose_secret()).ct_eq(&Sha256::digest(sent.trim())).into()
    }

    /// Whether somebody who logs in from outside for the first time gets an account.
    pub fn makes_users(&self) -> bool {
        self.openid.as_ref().is_some_and(|openid| openid.mapping.create_users)
            || self.header_login.as_ref().is_some_and(|proxy| proxy.mapping.create_users)
    }

    /// Whether a peer is one of the proxies.
    pub fn is_proxy(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_proxies.iter().any(|net| net.contains(&peer))
    }
}

/// What every handler works with. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The database.
    pub store: Store,
    /// Logging in and being logged in.
    pub sessions: Sessions,
    /// API tokens.
    pub tokens: ApiTokens,
    /// Proof that a form is one of ours.
    pub csrf: Csrf,
    /// The door to secrets at rest.
    pub sealer: Sealer,
    /// The verbs, and how each fabric stands.
    pub engine: Engine,
    /// The settings of the web server's own.
    pub settings: Arc<WebSettings>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Cancelled when the server is to stop: open streams end, so that it need not wait for them.
    pub closing: CancellationToken,
    /// Counts what may have changed who may see what: open streams look again then.
    pub(crate) rights: watch::Sender<u64>,
    /// What the probe of readiness found last.
    pub(crate) probes: Arc<Probes>,
}

impl AppState {
    /// The state of a console; `closing` is cancelled when its server is to stop.
    pub fn new(
        store: Store,
        sessions: Sessions,
        key: &MasterKey,
        engine: Engine,
        settings: WebSettings,
        clock: Arc<dyn Clock>,
        closing: CancellationToken,
    ) -> Self {
        let tokens = ApiTokens::new(store.clone(), clock.clone(), ThrottleLimits::default());
        Self {
            store,
            sessions,
            tokens,
            csrf: Csrf::new(key),
            sealer: Sealer::new(key),
            engine,
            settings: Arc::new(settings),
            clock,
            closing,
            rights: watch::Sender::default(),
            probes: Arc::default(),
        }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
