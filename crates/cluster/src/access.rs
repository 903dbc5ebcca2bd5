//! Credentials, checked before anything is sent: what cannot work is refused here, with the reason and the way out.
//!
//! Everything must be in the text itself. A kubeconfig that names files would read them from the server that Hedgerow
//! runs on, and one that names programs (exec plugins) would run them there; both are refused.

mod certificate;
mod given;
mod kubeconfig;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper_rustls::{DefaultServerNameResolver, FixedServerNameResolver, ResolveServerName};
use jiff::Timestamp;
use kube::config::AuthInfo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// How to reach a cluster, as a user enters it.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The text of a kubeconfig; its current-context is used.
    Kubeconfig(SecretString),
    /// An address with a bearer token.
    Endpoint {
        /// `https://host:port`, with a path where a proxy needs one.
        server: String,
        /// A ServiceAccount's token.
        token: SecretString,
        /// The CA certificates in PEM; the system's are used without.
        ca_pem: Option<String>,
    },
    /// An address with a client certificate.
    Certificate {
        /// `https://host:port`, with a path where a proxy needs one.
        server: String,
        /// The certificate, and what leads to its authority, in PEM.
        certificate: String,
        /// Its private key in PEM.
        key: SecretString,
        /// The CA certificates in PEM; the system's are used without.
        ca_pem: Option<String>,
    },
}

/// The TLS side of a client that trusts these certificates in PEM and nothing else: what they issued, and the server that
/// shows one of them itself.
///
/// # Errors
/// The field `ca_pem`, when they cannot be read.
pub fn trusting(ca_pem: Vec<u8>) -> Result<ClientConfig, ConfigError> {
    certificate::client_config(Some((ca_pem, "ca_pem")), None, true, "ca_pem")
}

/// Credentials that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// The field of the form: `kubeconfig`, `server`, `token`, `client_certificate`, `client_key` or `ca_pem`.
    pub field: &'static str,
    /// What is wrong and what to do; never a secret.
    pub message: String,
}

impl ConfigError {
    fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

/// Credentials that have been checked, ready to connect with. Its Debug shows no secret.
#[derive(Clone)]
pub struct Access {
    server: String,
    uri: http::Uri,
    auth: AuthInfo,
    tls: Arc<ClientConfig>,
    tls_name: Option<ServerName<'static>>,
    verify_tls: bool,
    credentials_expire: Option<Timestamp>,
}

/// What both forms of credentials come down to.
struct Parts {
    field: &'static str,
    server: String,
    auth: AuthInfo,
    /// PEM of the CA, and the field that it came from.
    ca: Option<(Vec<u8>, &'static str)>,
    identity: Option<certificate::Identity>,
    tls_name: Option<String>,
}

impl Parts {
    fn endpoint(server: &str, ca_pem: Option<&str>, auth: AuthInfo, identity: Option<certificate::Identity>) -> Self {
        let ca = ca_pem.filter(|pem| !pem.trim().is_empty());
        Self {
            field: "server",
            server: server.to_owned(),
            auth,
            ca: ca.map(|pem| (pem.as_bytes().to_vec(), "ca_pem")),
            identity,
            tls_name: None,
        }
    }
}

/// Checks a client certificate whose key is not at hand: that it can be read and has not expired. Gives when it does.
pub fn check_client_certificate(pem: &str, now: Timestamp) -> Result<Timestamp, ConfigError> {
    certificate::check(pem.as_bytes(), now, &certificate::FORM)
}

impl Access {
    /// Checks credentials. With `verify_tls` false the server's certificate is not verified at all; the caller shows
    /// that wherever the fabric is shown.
    pub fn new(credentials: &Credentials, verify_tls: bool) -> Result<Access, ConfigError> {
        Self::new_at(credentials, verify_tls, Timestamp::now())
    }

    /// [`Access::new`] at a given time, which a client certificate is compared with.
    pub fn new_at(credentials: &Credentials, verify_tls: bool, now: Timestamp) -> Result<Access, ConfigError> {
        let parts = match credentials {
            Credentials::Kubeconfig(text) => kubeconfig::parts(text.expose_secret(), verify_tls)?,
            Credentials::Endpoint { server, token, ca_pem } => {
                let token = clean_token(token).map_err(|message| ConfigError::new("token", message))?;
                let auth = AuthInfo { token: Some(token), ..AuthInfo::default() };
                Parts::endpoint(server, ca_pem.as_deref(), auth, None)
            }
            Credentials::Certificate { server, certificate, key, ca_pem } => {
                let key = key.expose_secret().as_bytes();
                let identity = certificate::Identity::from_pem(certificate.as_bytes(), key, &certificate::FORM)?;
                Parts::endpoint(server, ca_pem.as_deref(), AuthInfo::default(), Some(identity))
            }
        };
        let (server, uri) = address(&parts.server).map_err(|message| ConfigError::new(parts.field, message))?;
        let expires = parts.identity.as_ref().map(|i| i.expires);
        if let Some(identity) = &parts.identity {
            identity.is_valid_at(now)?;
        }
        let token_expires = parts.auth.token.as_ref().and_then(|t| expiry(t.expose_secret()));
        let credentials_expire = expires.into_iter().chain(token_expires).min();
        let tls_name = parts
            .tls_name
            .map(|name| {
                ServerName::try_from(name.clone())
                    .map_err(|_| ConfigError::new(parts.field, format!("tls-server-name '{name}' is no host name.")))
            })
            .transpose()?;
        let tls = certificate::client_config(parts.ca, parts.identity, verify_tls, parts.field)?;
        Ok(Self { server, uri, auth: parts.auth, tls: Arc::new(tls), tls_name, verify_tls, credentials_expire })
    }

    /// The address of the API server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Whether the server's certificate is verified.
    pub fn verifies_tls(&self) -> bool {
        self.verify_tls
    }

    /// When the credentials end by themselves, as far as they say so: a client certificate does, and a token of
    /// `kubectl create token`, which lasts an hour unless told otherwise.
    pub fn credentials_expire(&self) -> Option<Timestamp> {
        self.credentials_expire
    }

    pub(crate) fn uri(&self) -> &http::Uri {
        &self.uri
    }

    pub(crate) fn auth_info(&self) -> &AuthInfo {
        &self.auth
    }

    pub(crate) fn tls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.tls)
    }

    pub(crate) fn server_name_resolver(&self) -> Arc<dyn ResolveServerName + Send + Sync> {
        match &self.tls_name {
            Some(name) => Arc::new(FixedServerNameResolver::new(name.clone())),
            None => Arc::new(DefaultServerNameResolver::default()),
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("server", &self.server)
            .field("verify_tls", &self.verify_tls)
            .field("token", &self.auth.token.is_some())
            .field("credentials_expire", &self.credentials_expire)
            .finish_non_exhaustive()
    }
}

/// Checks the address and writes it in one form: scheme, host, port, path without a slash at the end.
fn address(text: &str) -> Result<(String, http::Uri), String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("The address of the API server is missing; write it as https://host:6443.".to_owned());
    }
    if !text.contains("://") {
        return Err(format!("'{text}' is no address; write it as https://host:6443."));
    }
    let url =
        url::Url::parse(text).map_err(|e| format!("'{text}' is no address ({e}); write it as https://host:6443."))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("The address holds a user or a password; enter credentials in their own field.".to_owned());
    }
    let host = url.host().ok_or("The address names no host; write it as https://host:6443.")?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&host) => {}
        "http" => {
            return Err(
                "http:// would send the credentials in clear; use https:// (http is for this machine only).".to_owned()
            );
        }
        other => return Err(format!("{other}:// is not spoken by a Kubernetes API; write it as https://host:6443.")),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("The address has a '?' or '#' part; write only host, port and path.".to_owned());
    }
    let server = url.as_str().trim_end_matches('/').to_owned();
    let uri = server.parse().map_err(|e| format!("'{server}' is no address ({e})."))?;
    Ok((server, uri))
}

fn is_loopback(host: &url::Host<&str>) -> bool {
    match host {
        url::Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        url::Host::Ipv4(ip) => IpAddr::V4(*ip).is_loopback(),
        url::Host::Ipv6(ip) => IpAddr::V6(*ip).is_loopback(),
    }
}

/// Tokens are pasted with line ends around them; anything else that no header can carry is refused.
fn clean_token(token: &SecretString) -> Result<SecretString, String> {
    let text = token.expose_secret().trim();
    if text.is_empty() {
        return Err("The token is empty; paste the token of a ServiceAccount.".to_owned());
    }
    if text.chars().any(|c| !c.is_ascii_graphic()) {
        return Err(
            "The token contains spaces, line breaks or other characters that no token has; paste it again as one line."
                .to_owned(),
        );
    }
    Ok(SecretString::from(text.to_owned()))
}

/// The `exp` of a JSON Web Token. Only the API server can verify it; here it serves as a warning.
fn expiry(token: &str) -> Option<Timestamp> {
    let payload = token.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    Timestamp::from_second(claims.get("exp")?.as_i64()?).ok()
}

#[cfg(test)]
mod tests;
