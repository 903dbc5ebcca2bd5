//! What git is given of the user's environment and what is set beside it, and what an address gives away.

use super::{GitOracle, Login};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use std::ffi::OsString;
use url::{Host, Url};

/// What git gets of the user's environment: their settings, keys and proxies, nothing that asks or traces.
const PASSED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "GIT_CONFIG_GLOBAL",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "KRB5CCNAME",
];

/// Answers git from the environment, so that the password is in no argument and no file.
const HELPER: &str = "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \
                      \"$HEDGEROW_VERIFY_USER\" \"$HEDGEROW_VERIFY_PASSWORD\"; }; f";

/// The whole environment that git gets.
pub(super) fn environment(oracle: &GitOracle) -> Vec<(OsString, OsString)> {
    let mut all: Vec<(OsString, OsString)> =
        PASSED.iter().filter_map(|name| Some(((*name).into(), std::env::var_os(name)?))).collect();
    let mut set = |name: &str, value: &str| {
        all.retain(|(known, _)| known != name);
        all.push((name.into(), value.into()));
    };
    for (name, value) in [
        ("LC_ALL", "C"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_ALLOW_PROTOCOL", "https:http:ssh:file"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("GIT_LITERAL_PATHSPECS", "1"),
        ("GIT_NO_REPLACE_OBJECTS", "1"),
    ] {
        set(name, value);
    }
    if let Some(command) = &oracle.ssh_command {
        set("GIT_SSH_COMMAND", command);
    } else if std::env::var_os("GIT_SSH_COMMAND").is_none() {
        // ssh asks on the terminal, whatever git was told.
        set("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
    }
    let mut settings = vec![
        ("core.hooksPath".to_owned(), "/dev/null"),
        ("core.askPass".to_owned(), ""),
        ("gc.auto".to_owned(), "0"),
        ("advice.detachedHead".to_owned(), "false"),
    ];
    if let Some(login) = &oracle.login {
        let origin = Url::parse(&oracle.url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        settings.push((format!("credential.{origin}.username"), login.user.expose_secret()));
        if let Some(password) = &login.password {
            set("HEDGEROW_VERIFY_USER", login.user.expose_secret());
            set("HEDGEROW_VERIFY_PASSWORD", password.expose_secret());
            // Neither the user's own helpers, nor this one for a server to which it is redirected.
            settings.push(("credential.helper".to_owned(), ""));
            settings.push((format!("credential.{origin}.helper"), ""));
            settings.push((format!("credential.{origin}.helper"), HELPER));
        }
    }
    set("GIT_CONFIG_COUNT", &settings.len().to_string());
    for (n, (key, value)) in settings.iter().enumerate() {
        set(&format!("GIT_CONFIG_KEY_{n}"), key);
        set(&format!("GIT_CONFIG_VALUE_{n}"), value);
    }
    all
}

/// Takes user and password out of an address: as they stand there, everybody on this machine could read them.
pub(super) fn take_login(url: &mut Url) -> Option<Login> {
    let decoded = |text: &str| SecretString::from(percent_decode_str(text).decode_utf8_lossy().into_owned());
    let login = Login { user: decoded(url.username()), password: url.password().map(decoded) };
    if url.username().is_empty() && login.password.is_none() {
        return None;
    }
    // It fails for addresses without a host, which have neither.
    let _ = (url.set_username(""), url.set_password(None));
    Some(login)
}

/// Git's words without the login.
pub(super) fn redacted(oracle: &GitOracle, mut said: String) -> String {
    // A token may stand where others have a user; a short user is none, and stands in many words.
    let user = |login: &Login| Some(login.user.clone()).filter(|user| user.expose_secret().len() > 15);
    let secrets = oracle.login.iter().flat_map(|login| [user(login), login.password.clone()]).flatten();
    for secret in secrets.filter(|secret| !secret.expose_secret().is_empty()) {
        said = said.replace(secret.expose_secret(), "[redacted]");
    }
    said
}

/// An address without its credentials, even one that is none.
pub(super) fn shown(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((before, host)) if before.contains("://") => {
            format!("{}://{host}", before.split("://").next().unwrap_or_default())
        }
        _ => address.to_owned(),
    }
}

/// `git@host:path`, as ssh's `scp` writes it.
pub(super) fn is_scp(address: &str) -> bool {
    !address.starts_with('-')
        && !address.contains("::")
        && address.split_once(':').is_some_and(|(host, path)| {
            host.contains('@')
                && !host.starts_with('@')
                && !host.contains('/')
                && !path.is_empty()
                && !path.starts_with("//")
        })
}

/// Whether the server is on this machine.
pub(super) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
