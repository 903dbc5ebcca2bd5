//! TLS from two files in PEM. They are read once, at the start; every error names its file.

use anyhow::{Context as _, anyhow, bail};
use axum_server::tls_rustls::RustlsConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;

/// The certificate chain and its key, ready to serve HTTP/2 and HTTP/1.1 with.
pub(super) fn config(cert: &Path, key: &Path) -> anyhow::Result<RustlsConfig> {
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_file_iter(cert).and_then(|certificates| certificates.collect());
    let chain = chain.map_err(|error| unreadable("certificate chain", cert, error))?;
    if chain.is_empty() {
        bail!("the certificate chain {} holds no certificate in PEM", cert.display());
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable("private key", key, error))?;
    let versions = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("TLS cannot be set up")?;
    let mut config = versions.with_no_client_auth().with_single_cert(chain, secret).with_context(|| {
        format!("the certificate {} and the key {} cannot be used together", cert.display(), key.display())
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(config)))
}

fn unreadable(what: &str, path: &Path, error: rustls::pki_types::pem::Error) -> anyhow::Error {
    anyhow!("cannot read the {what} {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tls_file_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
        let say = || format!("{:#}", config(&cert, &key).unwrap_err());
        assert!(say().contains("chain.pem"), "{}", say());
        std::fs::write(&cert, "nothing").unwrap();
        assert!(say().contains("chain.pem holds no certificate"), "{}", say());
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&cert, made.cert.pem()).unwrap();
        assert!(say().contains("cannot read the private key") && say().contains("key.pem"), "{}", say());
        let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&key, other.signing_key.serialize_pem()).unwrap();
        assert!(say().contains("cannot be used together"), "{}", say());
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        config(&cert, &key).unwrap();
    }
}
