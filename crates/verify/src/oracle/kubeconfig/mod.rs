//! A kubeconfig as kubectl reads it: one context's server, trust and credentials. Relative paths start at the file's
//! folder. What this room cannot do (start a program for credentials, impersonate) is an error that says so.

mod raw;
#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use std::fs;
use std::path::{Path, PathBuf};
use url::{Host, Url};

/// Why a kubeconfig cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The kubeconfig {file}{} cannot be used: {why}. {todo}.", of_context(context.as_deref()))]
pub struct KubeconfigError {
    /// The file, as it was named.
    pub file: String,
    /// The context, once one is chosen.
    pub context: Option<String>,
    /// What is wrong.
    pub why: String,
    /// What to do.
    pub todo: String,
}

fn of_context(context: Option<&str>) -> String {
    context.map(|name| format!(" (context {name})")).unwrap_or_default()
}

/// Whom to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trust {
    /// These certificates, as PEM.
    Given(Vec<u8>),
    /// Those that the machine trusts.
    System,
    /// Anybody: `insecure-skip-tls-verify`.
    Anybody,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(super) enum Login {
    /// Nobody, or whom the client certificate names.
    None,
    /// A bearer token.
    Token(SecretString),
    /// A bearer token in a file, which somebody else keeps fresh.
    TokenFile(PathBuf),
    /// Basic authentication.
    Basic(String, SecretString),
}

/// One context of a kubeconfig.
#[derive(Debug, Clone)]
pub struct Kubeconfig {
    /// The file it was read from.
    pub file: String,
    /// The context's name.
    pub context: String,
    /// The namespace that the context names.
    pub namespace: Option<String>,
    /// The API server.
    pub server: Url,
    pub(super) trust: Trust,
    pub(super) server_name: Option<String>,
    pub(super) proxy: Option<SecretString>,
    pub(super) login: Login,
    /// Certificate and key, as PEM.
    pub(super) identity: Option<(Vec<u8>, SecretString)>,
}

impl Kubeconfig {
    /// Reads a file: its current context, or the one of this name.
    pub fn read(path: &Path, context: Option<&str>) -> Result<Self, KubeconfigError> {
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map(SecretString::from).map_err(|error| KubeconfigError {
            file: file.clone(),
            context: None,
            why: format!("it cannot be read: {error}"),
            todo: "Name a file that this user may read".to_owned(),
        })?;
        Self::parse(text.expose_secret(), &file, path.parent().unwrap_or(Path::new(".")), context)
    }

    /// Reads text that stands for a file of this name in this folder.
    pub fn parse(text: &str, file: &str, folder: &Path, context: Option<&str>) -> Result<Self, KubeconfigError> {
        let mut place = Place { file, folder, context: None };
        let options = serde_saphyr::options! { with_snippet: false };
        // The parser's words may quote the text, and with it a secret: only where it stopped is said.
        let raw: raw::File = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let line = error.location().map(|at| format!(" from line {} on", at.line())).unwrap_or_default();
            place.error(format!("it is no kubeconfig in YAML{line}"), "Write it with `kubectl config view --raw`")
        })?;
        let wanted = context.map(str::to_owned).or(raw.current_context).filter(|name| !name.is_empty());
        let contexts = raw.contexts.unwrap_or_default();
        let names: Vec<&str> = contexts.iter().map(|one| one.name.as_str()).collect();
        let there = format!("Name one of its contexts: {}", names.join(", "));
        let wanted = wanted.ok_or_else(|| place.error("it has no current-context", &there))?;
        let chosen = contexts.iter().find(|one| one.name == wanted).map(|one| &one.context);
        let chosen = chosen.ok_or_else(|| place.error(format!("it has no context {wanted}"), &there))?;
        place.context = Some(&wanted);
        let cluster = raw.clusters.unwrap_or_default().into_iter().find(|one| one.name == chosen.cluster);
        let missing = |what: &str, name: &str| {
            place
                .error(format!("it has no {what} {name}, which the context names"), "Add it, or choose another context")
        };
        let cluster = cluster.ok_or_else(|| missing("cluster", &chosen.cluster))?.cluster;
        let user = match chosen.user.as_deref().filter(|name| !name.is_empty()) {
            None => raw::User::default(),
            Some(name) => {
                let found = raw.users.unwrap_or_default().into_iter().find(|one| one.name == name);
                found.ok_or_else(|| missing("user", name))?.user.unwrap_or_default()
            }
        };
        place.assemble(&wanted, chosen.namespace.clone(), cluster, user)
    }

    /// What stands in it, or in a file that it names, that no answer and no record may show, by what it is.
    pub fn secrets(&self) -> Vec<(&'static str, SecretString)> {
        let mut all = Vec::new();
        match &self.login {
            Login::None => {}
            Login::Token(token) => all.push(("the bearer token of the oracle's kubeconfig", token.clone())),
            Login::TokenFile(path) => {
                // One that cannot be read is an error when it is used.
                let token = fs::read_to_string(path).map(|text| SecretString::from(text.trim())).ok();
                all.extend(token.map(|token| ("the bearer token of the oracle's kubeconfig", token)));
            }
            Login::Basic(_, password) => all.push(("the password of the oracle's kubeconfig", password.clone())),
        }
        if let Some((_, key)) = &self.identity {
            let what = "the client key of the oracle's kubeconfig";
            // Each line, because pages break lines in their own way; head and foot are the same in every key.
            let lines =
                key.expose_secret().lines().map(str::trim).filter(|line| line.len() > 20 && !line.contains('-'));
            all.extend(lines.map(|line| (what, SecretString::from(line))));
            all.push((what, key.clone()));
        }
        let proxy = self.proxy.as_ref().and_then(|url| Url::parse(url.expose_secret()).ok());
        let password = proxy.and_then(|url| url.password().map(SecretString::from));
        all.extend(password.map(|password| ("the password of the oracle's proxy", password)));
        all
    }

    /// Whether the server is on this machine; a proxy of the environment is not for it.
    pub(super) fn is_local(&self) -> bool {
        match self.server.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// An error of this context.
    pub(super) fn error(&self, why: impl Into<String>, todo: &str) -> KubeconfigError {
        let (file, context) = (self.file.clone(), Some(self.context.clone()));
        KubeconfigError { file, context, why: why.into(), todo: todo.to_owned() }
    }
}

/// What is being read, for errors and relative paths.
struct Place<'a> {
    file: &'a str,
    folder: &'a Path,
    context: Option<&'a str>,
}

impl Place<'_> {
    fn error(&self, why: impl Into<String>, todo: &str) -> KubeconfigError {
        let context = self.context.map(str::to_owned);
        KubeconfigError { file: self.file.to_owned(), context, why: why.into(), todo: todo.to_owned() }
    }

    fn assemble(
        &self,
        context: &str,
        namespace: Option<String>,
        cluster: raw::Cluster,
        user: raw::User,
    ) -> Result<Kubeconfig, KubeconfigError> {
        if let Some((what, todo)) = user.unsupported() {
            return Err(self.error(format!("its user has {what}, which is not supported"), todo));
        }
        let server = self.server(&cluster.server)?;
        let authority =
            self.content("certificate-authority", cluster.certificate_authority, cluster.certificate_authority_data)?;
        let trust = match (cluster.insecure_skip_tls_verify, authority) {
            (true, Some(_)) => {
                let why = "it has both insecure-skip-tls-verify and a certificate authority";
                return Err(self.error(why, "Keep one of them, as kubectl asks for, too"));
            }
            (true, None) => Trust::Anybody,
            (false, Some(pem)) => Trust::Given(pem),
            (false, None) => Trust::System,
        };
        let proxy = cluster.proxy_url.map(|secret| secret.0).filter(|url| !url.expose_secret().is_empty());
        let server_name = cluster.tls_server_name.filter(|name| !name.is_empty());
        if proxy.is_some() && server_name.is_some() {
            let why = "its cluster has both proxy-url and tls-server-name, which is not supported together";
            return Err(self.error(why, "Name the server by its tls-server-name"));
        }
        let certificate = self.content("client-certificate", user.client_certificate, user.client_certificate_data)?;
        let key_data = user.client_key_data.map(|secret| secret.0.expose_secret().to_owned());
        let identity = match (certificate, self.content("client-key", user.client_key, key_data)?) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                let key =
                    String::from_utf8(key).map_err(|_| self.error("its client key is no PEM", "Enter it anew"))?;
                Some((certificate, SecretString::from(key)))
            }
            (Some(_), None) => return Err(self.error("its user has a client certificate and no key", "Add the key")),
            (None, Some(_)) => return Err(self.error("its user has a client key and no certificate", "Add it")),
        };
        let token = user.token.map(|secret| secret.0).filter(|token| !token.expose_secret().trim().is_empty());
        let basic = user.username.filter(|name| !name.is_empty());
        // As kubectl: a file before a token, a token before a password.
        let login = match (user.token_file.filter(|name| !name.is_empty()), token, basic) {
            (Some(file), ..) => Login::TokenFile(self.folder.join(file)),
            (_, Some(token), _) => Login::Token(token),
            (.., Some(name)) => {
                Login::Basic(name, user.password.map_or_else(|| SecretString::from(String::new()), |secret| secret.0))
            }
            _ => Login::None,
        };
        let (file, context) = (self.file.to_owned(), context.to_owned());
        let namespace = namespace.filter(|name| !name.is_empty());
        let read = Kubeconfig { file, context, namespace, server, trust, server_name, proxy, login, identity };
        if read.server.scheme() == "http" && !matches!(read.login, Login::None) && !read.is_local() {
            let why = "its server is plain HTTP: the credentials would cross the network in clear";
            return Err(read.error(why, "Use https"));
        }
        Ok(read)
    }

    fn server(&self, text: &str) -> Result<Url, KubeconfigError> {
        // A server without a scheme is HTTP to kubectl, on which no API server has listened for years.
        let url = Url::parse(text).ok().filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
        let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
        url.ok_or_else(|| {
            self.error("its server is no address of the form https://host:port", "Correct clusters[].cluster.server")
        })
    }

    /// What stands in the file (which wins, as with kubectl), or in the file that it names.
    fn content(
        &self,
        what: &str,
        path: Option<String>,
        data: Option<String>,
    ) -> Result<Option<Vec<u8>>, KubeconfigError> {
        if let Some(data) = data.filter(|data| !data.trim().is_empty()) {
            let text: String = data.split_whitespace().collect();
            return STANDARD.decode(text).map(Some).map_err(|_| {
                self.error(format!("its {what}-data is no base64"), "Write it with `kubectl config view --raw`")
            });
        }
        let Some(path) = path.filter(|path| !path.is_empty()) else { return Ok(None) };
        let path = self.folder.join(path);
        fs::read(&path).map(Some).map_err(|error| {
            let why = format!("its {what} {} cannot be read: {error}", path.display());
            self.error(why, "Name a file that this user may read")
        })
    }
}
