//! Which console is asked, and with what: the address, the token, the certificate authority. The token comes from a file
//! or the environment, and never from an argument, which every user of the machine can read.

use super::{Client, Failure};
use crate::cli::Remote;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use url::{Host, Url};

/// The variable that holds the token.
const TOKEN: &str = "HEDGEROW_TOKEN";
/// How long reaching the console may take.
const CONNECT: Duration = Duration::from_secs(10);

impl Client {
    /// A client as the command line says it, which gives up after `otherwise` unless that says how long.
    pub(crate) fn new(remote: &Remote, otherwise: Duration) -> Result<Self, Failure> {
        let server = address(&remote.server, remote.allow_http)?;
        let token = token(remote.token_file.as_deref())?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
            .map_err(|_| bad("The API token is not one word of plain characters.".to_owned()))?;
        bearer.set_sensitive(true);
        // Whoever has installed one before has installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            // A redirect is never what was asked for, and the token goes to this address only.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("hedgerow/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]));
        if let Some(file) = &remote.ca {
            http = http.tls_backend_preconfigured(trusting(file)?);
        } else if server.scheme() == "http" {
            http = http.tls_certs_only([]);
        }
        if is_loopback(&server) {
            // A proxy of the environment is for the network, and must not see what stays on this machine.
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| bad(format!("HTTP cannot be set up: {error}.")))?;
        let limit = remote.timeout.unwrap_or(otherwise);
        Ok(Self { http, server, end: Instant::now() + limit, limit, began: OnceLock::new() })
    }
}

/// A command line that cannot work.
fn bad(message: String) -> Failure {
    Failure::new("invalid_input", message)
}

/// The console's address: http or https and a host. Plain HTTP would carry the token in clear.
fn address(text: &str, allow_http: bool) -> Result<Url, Failure> {
    let example = "Give it as https://hedgerow.example.net.";
    let url = Url::parse(text).ok().filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
    let Some(url) = url else {
        return Err(bad(format!("--server {text} is no address of a console.")).todo(example));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad(
            "--server holds a user's name or a password, and every user of this machine can read it.".to_owned()
        )
        .todo(example));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(bad(format!("--server {text} is an address of a page, and not of the console.")).todo(example));
    }
    if url.scheme() == "http" && !is_loopback(&url) && !allow_http {
        let message = format!("--server {text} is plain HTTP: the token would cross the network in clear.");
        return Err(bad(message).todo("Use https, or say --allow-http if the network between is yours alone."));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The token, of the file if one is named.
fn token(file: Option<&Path>) -> Result<SecretString, Failure> {
    let text = match file {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| bad(format!("The token cannot be read from {}: {error}.", file.display())))?,
        None => std::env::var(TOKEN).unwrap_or_default(),
    };
    let token = SecretString::from(text.trim());
    if token.expose_secret().is_empty() {
        let place = file.map_or_else(|| TOKEN.to_owned(), |file| file.display().to_string());
        return Err(bad(format!("There is no API token in {place}."))
            .todo("Make one on your page API tokens, and put it into HEDGEROW_TOKEN or a file for --token-file."));
    }
    if !token.expose_secret().starts_with(auth::TOKEN_PREFIX) {
        return Err(bad("This is no API token: one begins with nbt_.".to_owned()));
    }
    Ok(token)
}

/// Trust in the certificates of a file.
fn trusting(file: &Path) -> Result<rustls::ClientConfig, Failure> {
    let shown = file.display();
    let pem = std::fs::read(file).map_err(|error| bad(format!("--ca {shown} cannot be read: {error}.")))?;
    cluster::access::trusting(pem).map_err(|error| bad(format!("--ca {shown}: {}", error.message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_crosses_no_network_in_clear() {
        for good in [
            "https://h.example",
            "https://h.example:8443/",
            "http://127.0.0.1:8480",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert!(address(good, false).is_ok(), "{good}");
        }
        for bad in ["http://h.example", "http://10.0.0.1:8480/", "http://localhost.example"] {
            assert!(address(bad, false).unwrap_err().message.contains("in clear"), "{bad}");
            assert!(address(bad, true).is_ok(), "{bad}: by word");
        }
        for bad in [
            "h.example",
            "ftp://h.example",
            "https://u:p@h.example",
            "https://h.example/fabrics/7/",
            "https://h.example/?a",
        ] {
            let failure = address(bad, true).unwrap_err();
            assert!(failure.code == "invalid_input" && failure.todo.contains("https://hedgerow"), "{bad}");
        }
        let failure = address("https://u:secret@h.example", false).unwrap_err();
        assert!(!failure.to_string().contains("secret"), "{failure}");
    }
}
