//! Addresses of remote repositories: an allow-list, because git knows transports that run commands (`ext::`) and
//! would take a name that starts with a dash for an option.

use std::net::IpAddr;
use url::{Host, Url};

/// How git gets to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// HTTP over TLS.
    Https,
    /// Plain HTTP, to this machine only.
    Http,
    /// SSH.
    Ssh,
    /// A folder of this machine.
    File,
}

impl Transport {
    /// The word in git's settings `protocol.<word>.allow`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::File => "file",
        }
    }
}

/// An address that was found to be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// How it is reached.
    pub(crate) transport: Transport,
    /// What git is given: the parsed form, so that git reads the same address that was checked.
    pub(crate) url: String,
    /// The name for messages: the host, or "the folder" for `file://`.
    pub(crate) host: String,
}

impl Address {
    /// Parses what an operator typed. The error says what to write instead, and repeats nothing of the address,
    /// because a token may stand in it.
    pub(crate) fn parse(text: &str, allow_file: bool) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("The address is empty.".into());
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) || text.contains('\\') {
            return Err("The address holds a space, a backslash or a control character.".into());
        }
        if text.starts_with('-') {
            return Err("The address cannot start with a dash.".into());
        }
        if text.split('/').next().is_some_and(|start| start.contains("::")) && !text.starts_with('[') {
            return Err("Remote helpers are not allowed; write an https:// or ssh:// address.".into());
        }
        match text.split_once("://") {
            Some((scheme, _)) => Self::with_scheme(&scheme.to_ascii_lowercase(), text, allow_file),
            None => scp(text),
        }
    }

    fn with_scheme(scheme: &str, text: &str, allow_file: bool) -> Result<Self, String> {
        let transport = match scheme {
            "https" => Transport::Https,
            "http" => Transport::Http,
            "ssh" => Transport::Ssh,
            "file" if allow_file => Transport::File,
            "file" => {
                return Err("file:// addresses are off; an administrator allows them by source.allow_file.".into());
            }
            "git" => return Err("git:// proves nothing about the server; write an https:// or ssh:// address.".into()),
            _ => return Err("Only https:// and ssh:// addresses are allowed.".into()),
        };
        let url = Url::parse(text).map_err(|e| format!("The address cannot be read: {e}."))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err("The address holds a '?' or '#'; write the repository's address alone.".into());
        }
        if url.password().is_some() || (transport != Transport::Ssh && !url.username().is_empty()) {
            return Err("The address holds credentials; write them into the credential fields instead.".into());
        }
        if url.path().trim_matches('/').is_empty() {
            return Err("The address names a server but no repository.".into());
        }
        let host = match url.host() {
            Some(host) => host,
            None if transport == Transport::File => {
                return Ok(Self { transport, url: url.into(), host: "the folder".into() });
            }
            None => return Err("The address names no host.".into()),
        };
        match transport {
            Transport::File => return Err("A file:// address names no host: write file:///path.".into()),
            Transport::Http if !is_loopback(&host) => {
                return Err("http:// sends credentials and manifests in clear; write https://.".into());
            }
            Transport::Ssh => {
                let name = host.to_string();
                check_host(name.trim_start_matches('[').trim_end_matches(']'))?;
                check_user(url.username())?;
            }
            _ => {}
        }
        let shown = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        Ok(Self { transport, url: url.into(), host: shown })
    }

    /// The same repository with `.git` appended, for servers that redirect to it; redirects are not followed, because
    /// a token could follow them to another host.
    pub(crate) fn with_git_suffix(&self) -> Option<String> {
        let bare = self.url.trim_end_matches('/');
        let web = matches!(self.transport, Transport::Https | Transport::Http);
        (web && !bare.ends_with(".git")).then(|| format!("{bare}.git"))
    }
}

/// `[user@]host:path`, as `git clone` accepts it.
fn scp(text: &str) -> Result<Address, String> {
    let Some((left, path)) = text.split_once(':') else {
        return Err("Write the whole address, e.g. https://git.example.com/network/fabric.git.".into());
    };
    let (user, host) = left.split_once('@').unwrap_or(("", left));
    if user.contains(':') || path.contains('@') && path.split('/').next().is_some_and(|p| p.contains('@')) {
        return Err("The address holds credentials; write them into the credential fields instead.".into());
    }
    check_user(user)?;
    check_host(host)?;
    if path.is_empty() || path.starts_with(['-', ':']) || path.trim_matches('/').is_empty() {
        return Err("The address names a server but no repository.".into());
    }
    Ok(Address { transport: Transport::Ssh, url: text.to_owned(), host: host.to_owned() })
}

fn check_host(host: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
    if host.is_empty() || host.starts_with('-') || !host.chars().all(plain) {
        return Err("The host's name is not valid.".into());
    }
    Ok(())
}

fn check_user(user: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_+".contains(c);
    if user.starts_with('-') || !user.chars().all(plain) {
        return Err("The user's name in the address is not valid.".into());
    }
    Ok(())
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(ip) => IpAddr::V4(*ip).is_loopback(),
        Host::Ipv6(ip) => IpAddr::V6(*ip).is_loopback(),
    }
}
