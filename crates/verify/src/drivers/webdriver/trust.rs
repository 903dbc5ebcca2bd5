//! A certificate authority for one target. Firefox is told of it once it runs. Chromium reads no such file: the target's
//! certificate is checked here, with the authority, and Chromium is then told to accept this one public key.

use super::options::{BrowserKind, BrowserOptions};
use super::wire::Wire;
use crate::exchange::Log;
use crate::obstacle::{Obstacle, Taken};
use base64::Engine;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::time::Duration;
use url::Url;

/// How long the target may take to show its certificate.
const PATIENCE: Duration = Duration::from_secs(30);

/// The hashes of the public keys that the browser accepts beside those of the authorities that it knows.
pub(super) async fn hashes(options: &BrowserOptions, base: &Url, log: &Log) -> Taken<Vec<String>> {
    let Some(pem) = options.ca.as_deref().filter(|_| base.scheme() == "https") else { return Ok(Vec::new()) };
    if options.kind == BrowserKind::Firefox {
        return Ok(Vec::new());
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let wrong = |why: String| Obstacle::input(format!("the CA: {why}"));
    let authority = reqwest::Certificate::from_pem(pem.as_bytes()).map_err(|error| wrong(error.to_string()))?;
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).tls_info(true);
    let http = http.redirect(reqwest::redirect::Policy::none()).tls_certs_only([authority]).build();
    let http = http.map_err(|error| wrong(error.to_string()))?;
    log.spend()?;
    let asked = format!("HEAD {base}");
    let answer = http.head(base.clone()).send().await;
    let no_answer = |why: String| Obstacle::NoAnswer { asked: asked.clone(), why, timed_out: false };
    let answer = answer.map_err(|error| no_answer(deepest(&error)))?;
    let shown = answer.extensions().get::<reqwest::tls::TlsInfo>().and_then(|info| info.peer_certificate());
    let shown = shown.ok_or_else(|| no_answer("it shows no certificate".to_owned()))?;
    let certificate = rustls::pki_types::CertificateDer::from(shown.to_vec());
    let certificate = rustls::server::ParsedCertificate::try_from(&certificate);
    let certificate = certificate.map_err(|error| no_answer(format!("its certificate cannot be read: {error}")))?;
    let key = certificate.subject_public_key_info();
    Ok(vec![base64::engine::general_purpose::STANDARD.encode(Sha256::digest(key.as_ref()))])
}

/// Tells a running Firefox of the authority. Only its own, privileged scripts can.
pub(super) async fn tell_firefox(wire: &Wire, pem: &str) -> Taken<()> {
    let lines = pem.lines().map(str::trim).skip_while(|line| !line.starts_with("-----BEGIN CERTIFICATE"));
    let body: String = lines.skip(1).take_while(|line| !line.starts_with("-----END")).collect();
    let script = r#"Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB)
        .addCertFromBase64(arguments[0], "C,,");"#;
    wire.post("/moz/context", &json!({"context": "chrome"})).await?;
    let told = wire.run(script, json!([body])).await;
    wire.post("/moz/context", &json!({"context": "content"})).await?;
    told.map(drop).map_err(|refusal| Obstacle::input(format!("the CA: Firefox refuses it: {refusal}")))
}

/// The deepest reason of an error.
fn deepest(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), deepest)
}
