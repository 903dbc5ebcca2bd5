//! Asking a provider: no redirects, a time for everything, and an end to what is read.

use crate::{Error, Settings};
use openidconnect::{HttpRequest, HttpResponse};
use std::time::Duration;

/// For a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// For a whole answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Bytes of an answer. A key set of twenty keys has thirty thousand.
const LARGEST: usize = 1 << 20;

/// Why a provider could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("{0}")]
    Asking(String),
    #[error("the answer is larger than a mebibyte")]
    TooLarge,
    #[error("the answer cannot be used")]
    Answer(#[from] http::Error),
}

/// Says what lies underneath, which is where the reason is: a refused connection, an unknown certificate.
pub(crate) fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut under = error.source();
    while let Some(next) = under {
        let said = next.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        under = next.source();
    }
    text
}

impl From<reqwest::Error> for Failed {
    fn from(error: reqwest::Error) -> Self {
        // The address may hold nothing secret today; it stays out all the same.
        Self::Asking(whole(&error.without_url()))
    }
}

pub(crate) fn client(settings: &Settings) -> Result<reqwest::Client, Error> {
    // The process may have one already, which is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(ANSWER)
        .user_agent("hedgerow");
    if let Some(file) = &settings.ca_file {
        let unusable = |why: String| {
            Error::unavailable(format!("the file {} of openid.ca_file cannot be used: {why}", file.display()))
        };
        let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
        let authorities = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))?;
        if authorities.is_empty() {
            return Err(unusable("there is no certificate in it".to_owned()));
        }
        builder = builder.tls_certs_merge(authorities);
    }
    builder.build().map_err(|error| Error::unavailable(format!("no HTTP client can be made: {}", whole(&error))))
}

/// One request of the library's.
pub(crate) async fn send(client: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, Failed> {
    let (parts, body) = request.into_parts();
    let mut answer =
        client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body).send().await?;
    let mut read = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if read.len() + chunk.len() > LARGEST {
            return Err(Failed::TooLarge);
        }
        read.extend_from_slice(&chunk);
    }
    let mut response = http::Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        response = response.header(name, value);
    }
    Ok(response.body(read)?)
}
