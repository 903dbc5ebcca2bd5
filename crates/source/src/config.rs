//! What an operator configures about a source, and what is refused before git ever sees it.

use crate::address::{Address, Transport};
use base64::Engine as _;
use secrecy::{ExposeSecret, SecretString};
use std::borrow::Cow;

/// How Hedgerow proves to a Git server who it is.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Nothing is sent; for public repositories.
    #[default]
    None,
    /// An access token or a password, sent as HTTP basic authentication. For `https://`.
    Token {
        /// The user name. Most servers accept any beside a token; without one, `x-access-token` is sent.
        username: Option<String>,
        /// The token or password.
        token: SecretString,
    },
    /// A private key. For `ssh://` and `git@host:path`.
    SshKey {
        /// The key in OpenSSH's or PEM form, without a passphrase.
        private_key: SecretString,
        /// The server's host keys, one `known_hosts` line each. Without them the key that the server shows first is
        /// remembered in the repository's folder, and another one is refused from then on.
        known_hosts: Option<String>,
    },
}

/// A repository on another machine.
#[derive(Debug, Clone)]
pub struct Remote {
    /// `https://…`, `ssh://…` or `git@host:path`; never with credentials inside.
    pub url: String,
    /// What is sent to get in.
    pub credentials: Credentials,
}

/// Where a fabric's desired state is kept.
#[derive(Debug, Clone)]
pub struct Config {
    /// The remote repository; `None` means that Hedgerow keeps a local one.
    pub remote: Option<Remote>,
    /// The branch that holds the desired state.
    pub branch: String,
    /// The folder that holds the manifests, relative to the repository's root; empty for the root itself.
    pub path: String,
    /// Whether `file://` addresses are allowed (the setting `source.allow_file`).
    pub allow_file: bool,
}

/// A setting of the source cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct ConfigError {
    /// Which setting: `url`, `branch`, `path`, `username`, `token`, `private_key`, `known_hosts` or `credentials`.
    pub field: &'static str,
    /// What is wrong with it and what to write instead. Never repeats a secret.
    pub message: String,
}

impl ConfigError {
    fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

/// Longer than any sane branch or path, shorter than a file system's limit.
const NAME_BYTES: usize = 1_000;

impl Config {
    /// Says whether the settings make sense and are allowed; asks nobody.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.address()?;
        check_branch(&self.branch).map_err(|m| ConfigError::new("branch", m))?;
        check_path(&self.path).map_err(|m| ConfigError::new("path", m))
    }

    /// The checked address of the remote, if there is one.
    pub(crate) fn address(&self) -> Result<Option<Address>, ConfigError> {
        let Some(remote) = &self.remote else { return Ok(None) };
        let address = Address::parse(&remote.url, self.allow_file).map_err(|m| ConfigError::new("url", m))?;
        check_credentials(&remote.credentials, address.transport)?;
        Ok(Some(address))
    }

    /// The path without a leading `./` and trailing slashes: how git writes it.
    pub(crate) fn folder(&self) -> Cow<'_, str> {
        folder(&self.path)
    }
}

fn folder(path: &str) -> Cow<'_, str> {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    Cow::Owned(parts.join("/"))
}

fn check_credentials(credentials: &Credentials, transport: Transport) -> Result<(), ConfigError> {
    let web = matches!(transport, Transport::Https | Transport::Http);
    match credentials {
        Credentials::None => Ok(()),
        Credentials::Token { .. } if !web => {
            Err(ConfigError::new("credentials", "A token is for https addresses; this address needs an SSH key."))
        }
        Credentials::SshKey { .. } if transport != Transport::Ssh => {
            Err(ConfigError::new("credentials", "An SSH key is for ssh addresses; this address needs a token."))
        }
        Credentials::Token { username, token } => {
            if let Some(name) = username
                && (name.contains(':') || name.chars().any(char::is_control))
            {
                return Err(ConfigError::new("username", "The user name holds a colon or a control character."));
            }
            let token = token.expose_secret();
            if token.is_empty() {
                return Err(ConfigError::new("token", "The token is empty."));
            }
            if token.chars().any(|c| c.is_control() || c.is_whitespace()) {
                return Err(ConfigError::new("token", "The token holds a space or a line break; paste it again."));
            }
            Ok(())
        }
        Credentials::SshKey { private_key, known_hosts } => {
            check_private_key(private_key.expose_secret()).map_err(|m| ConfigError::new("private_key", m))?;
            check_known_hosts(known_hosts.as_deref()).map_err(|m| ConfigError::new("known_hosts", m))
        }
    }
}

fn check_private_key(key: &str) -> Result<(), String> {
    let mut lines = key.trim().lines().map(str::trim);
    let first = lines.next().unwrap_or_default();
    if first.starts_with("ssh-") || first.starts_with("ecdsa-") {
        return Err("This is a public key; paste the private key that belongs to it.".into());
    }
    let is_end = |l: &str| l.starts_with("-----END ") && l.ends_with("PRIVATE KEY-----");
    let whole = first.starts_with("-----BEGIN ") && first.ends_with("PRIVATE KEY-----") && lines.clone().any(is_end);
    if !whole {
        return Err("The private key is incomplete: it runs from a BEGIN line to an END line, both included.".into());
    }
    let body: String = lines.take_while(|l| !is_end(l)).collect();
    let sealed = first.contains("ENCRYPTED") || body.contains("ENCRYPTED") || openssh_cipher(&body).is_some();
    if sealed {
        return Err("The private key has a passphrase; make a key without one for Hedgerow (ssh-keygen -N '').".into());
    }
    Ok(())
}

/// The cipher that an OpenSSH key is sealed with: `openssh-key-v1\0`, then a length, then the name.
fn openssh_cipher(body: &str) -> Option<String> {
    let start = body.get(..64)?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(start).ok()?;
    let rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?) as usize;
    let name = String::from_utf8_lossy(rest.get(4..4 + length)?).into_owned();
    (name != "none").then_some(name)
}

fn check_known_hosts(known_hosts: Option<&str>) -> Result<(), String> {
    let Some(text) = known_hosts else { return Ok(()) };
    let mut keys = 0;
    for (n, line) in text.lines().enumerate().map(|(n, l)| (n + 1, l.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields = line.split_whitespace().count();
        if fields < 3 || line.chars().any(|c| c.is_control() && c != '\t') {
            return Err(format!("Line {n} is no known_hosts line: it holds a host, a key type and a key."));
        }
        keys += 1;
    }
    if keys == 0 {
        Err("The known hosts hold no key; leave the field empty or paste the lines.".into())
    } else {
        Ok(())
    }
}

/// The rules of `git check-ref-format --branch`, so that a bad name is refused before git is started.
fn check_branch(branch: &str) -> Result<(), String> {
    if branch.is_empty() {
        return Err("The branch is empty; write its name, e.g. main.".into());
    }
    if let Some(short) = branch.strip_prefix("refs/heads/") {
        return Err(format!("Write the branch's short name: {short}."));
    }
    if branch.len() > NAME_BYTES {
        return Err("The branch's name is too long.".into());
    }
    let bad_char = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    let bad_part = |p: &str| p.is_empty() || p.starts_with('.') || p.ends_with(".lock");
    if let Some(c) = branch.chars().find(|c| bad_char(*c)) {
        return Err(format!("A branch's name cannot hold {c:?}."));
    }
    if branch.starts_with('-')
        || branch.ends_with('.')
        || branch.contains("..")
        || branch.contains("@{")
        || branch == "@"
        || branch == "HEAD"
        || branch.split('/').any(bad_part)
    {
        return Err(format!("'{branch}' is not a valid branch name."));
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), String> {
    if path.starts_with('/') {
        return Err("The path is relative to the repository's root: write it without the leading slash.".into());
    }
    if path.contains('\\') {
        return Err("Write the path with slashes, not backslashes.".into());
    }
    if path.len() > NAME_BYTES || path.chars().any(char::is_control) {
        return Err("The path is too long or holds a control character.".into());
    }
    if path.split('/').any(|p| p == "..") {
        return Err("The path cannot leave the repository: write it without '..'.".into());
    }
    if folder(path).split('/').any(|p| p.eq_ignore_ascii_case(".git")) {
        return Err("The path cannot lead into '.git'.".into());
    }
    Ok(())
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
