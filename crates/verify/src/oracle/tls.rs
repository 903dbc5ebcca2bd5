//! The TLS side of a client for a kubeconfig: its trust (see [`crate::trust`]), its client certificate, and
//! `insecure-skip-tls-verify`, which is for clusters only.

use super::kubeconfig::{Kubeconfig, KubeconfigError, Trust};
use crate::trust::{Given, certificates, system};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use secrecy::ExposeSecret;
use std::sync::Arc;

const ANEW: &str = "Write the kubeconfig anew with `kubectl config view --raw --flatten`";

/// The TLS side of a client for this kubeconfig.
pub(super) fn client_config(of: &Kubeconfig) -> Result<ClientConfig, KubeconfigError> {
    // Whoever has installed one before has installed the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| of.error(format!("TLS is not available: {error}"), "Report this"))?;
    let verifier: Arc<dyn ServerCertVerifier> = match &of.trust {
        Trust::Given(pem) => {
            let given = certificates(pem).ok_or_else(|| {
                of.error("its certificate authority holds no certificate in PEM that can be read", ANEW)
            })?;
            Arc::new(
                Given::new(given, provider)
                    .map_err(|_| of.error("its certificate authority holds a certificate that cannot be read", ANEW))?,
            )
        }
        Trust::System => system().map_err(|_| {
            let why = "it names no certificate authority, and this machine trusts none";
            of.error(why, "Add certificate-authority-data to its cluster")
        })?,
        Trust::Anybody => Arc::new(Unverified(provider)),
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match &of.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate)
                .ok_or_else(|| of.error("its client certificate is no PEM that can be read", ANEW))?;
            let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes())
                .map_err(|_| of.error("its client key is no private key in PEM that can be read, unencrypted", ANEW))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| of.error(format!("its client certificate cannot be used: {error}"), ANEW))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// `insecure-skip-tls-verify`: anybody, as long as the handshake is made with the key of what is shown.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
