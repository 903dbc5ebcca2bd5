//! Certificates that are given for one target: authorities, or the target's own. Firefox is told of authorities once it
//! runs. Chromium reads no such file: the target's certificate is checked here, with what was given, and Chromium is then
//! told to accept this one public key; and so is Firefox, where the target shows a given certificate itself.

use super::options::{BrowserKind, BrowserOptions};
use super::wire::Wire;
use crate::exchange::Log;
use crate::http::{Proxies, client};
use crate::obstacle::{Obstacle, Taken};
use crate::trust::certificates;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::LOCATION;
use rustls::pki_types::CertificateDer;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::time::Duration;
use url::Url;

/// How long the target may take to show its certificate.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the target showed, and where: checked with what was given.
pub(super) struct Shown {
    host: String,
    port: u16,
    certificate: CertificateDer<'static>,
}

impl Shown {
    /// Asks the target, if certificates were given for it. One that is asked without TLS may lead to itself with it.
    pub(super) async fn at(options: &BrowserOptions, base: &Url, log: &Log) -> Taken<Option<Self>> {
        let Some(pem) = options.ca.as_deref() else { return Ok(None) };
        let wrong = |error: reqwest::Error| Obstacle::input(format!("the CA: {}", deepest(&error)));
        let http = client(Some(pem), Proxies::of_environment())?.timeout(PATIENCE).tls_info(true).build();
        let http = http.map_err(wrong)?;
        let mut url = base.clone();
        for _ in 0..2 {
            log.spend()?;
            let asked = format!("HEAD {url}");
            let no_answer = |why: String| Obstacle::NoAnswer { asked: asked.clone(), why, timed_out: false };
            let answer = http.head(url.clone()).send().await.map_err(|error| no_answer(deepest(&error)))?;
            if url.scheme() == "https" {
                let shown = answer.extensions().get::<reqwest::tls::TlsInfo>().and_then(|info| info.peer_certificate());
                let shown = shown.ok_or_else(|| no_answer("it shows no certificate".to_owned()))?;
                let certificate = CertificateDer::from(shown.to_vec());
                let host = url.host_str().unwrap_or_default().to_owned();
                return Ok(Some(Self { host, port: url.port_or_known_default().unwrap_or(443), certificate }));
            }
            let next = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()).and_then(|to| url.join(to).ok());
            match next.filter(|next| next.scheme() == "https" && next.host() == url.host()) {
                Some(next) => url = next,
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The hash of its public key, for a Chromium that accepts it beside those of the authorities that it knows.
    pub(super) fn hash(&self) -> Taken<String> {
        let certificate = rustls::server::ParsedCertificate::try_from(&self.certificate);
        let certificate = certificate
            .map_err(|error| Obstacle::Unreadable(format!("the target's certificate cannot be read: {error}")))?;
        Ok(STANDARD.encode(Sha256::digest(certificate.subject_public_key_info().as_ref())))
    }
}

/// The hashes of the public keys that the browser accepts beside those of the authorities that it knows.
pub(super) fn hashes(options: &BrowserOptions, shown: Option<&Shown>) -> Taken<Vec<String>> {
    match shown {
        Some(shown) if options.kind == BrowserKind::Chromium => Ok(vec![shown.hash()?]),
        _ => Ok(Vec::new()),
    }
}

/// Tells a running Firefox of the certificates. Only its own, privileged scripts can.
pub(super) async fn tell_firefox(wire: &Wire, pem: &str, shown: Option<&Shown>) -> Taken<()> {
    let script = r#"const [authorities, own] = arguments;
        const known = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
        for (const one of authorities) known.addCertFromBase64(one, "C,,");
        if (own) Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService)
            .rememberValidityOverride(own.host, own.port, {}, known.constructX509FromBase64(own.certificate), true);"#;
    let given = certificates(pem.as_bytes()).unwrap_or_default();
    let text: Vec<String> = given.iter().map(|one| STANDARD.encode(one)).collect();
    // An authority's certificate serves nobody, by the book; this one was given, and checked for its name and days.
    let own = shown.filter(|shown| given.contains(&shown.certificate));
    let own =
        own.map(|own| json!({"host": own.host, "port": own.port, "certificate": STANDARD.encode(&own.certificate)}));
    wire.post("/moz/context", &json!({"context": "chrome"})).await?;
    let told = wire.run(script, json!([text, own])).await;
    wire.post("/moz/context", &json!({"context": "content"})).await?;
    told.map(drop).map_err(|refusal| Obstacle::input(format!("the CA: Firefox refuses it: {refusal}")))
}

/// The deepest reason of an error.
fn deepest(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), deepest)
}
