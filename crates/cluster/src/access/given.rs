//! Trust in the certificates that somebody gave: servers whose certificate they issued, and the server that shows one of
//! them itself. The latter is what `openssl req -x509` makes, and what curl and kubectl take.

use super::certificate::validity;
use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// See the room.
#[derive(Debug)]
pub(super) struct Given {
    certificates: Vec<CertificateDer<'static>>,
    issued: Arc<WebPkiServerVerifier>,
}

impl Given {
    pub(super) fn new(
        certificates: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Unreadable> {
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone())?;
        }
        let issued = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        Ok(Self { certificates, issued })
    }
}

/// A certificate that cannot be read.
pub(super) struct Unreadable;

impl From<Error> for Unreadable {
    fn from(_: Error) -> Self {
        Self
    }
}

impl From<VerifierBuilderError> for Unreadable {
    fn from(_: VerifierBuilderError) -> Self {
        Self
    }
}

impl ServerCertVerifier for Given {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.certificates.iter().any(|given| given == end) {
            return self.issued.verify_server_cert(end, between, name, ocsp, now);
        }
        // It is trusted itself, so there is no issuer to ask; its days and its names count as ever.
        verify_server_name(&ParsedCertificate::try_from(end)?, name)?;
        let (from, to) = validity(end).ok_or(CertificateError::BadEncoding)?;
        let at = i64::try_from(now.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        let at = at.ok_or(CertificateError::BadEncoding)?;
        let time = |at: Timestamp| {
            UnixTime::since_unix_epoch(std::time::Duration::from_secs(at.as_second().try_into().unwrap_or(0)))
        };
        if at > to {
            return Err(CertificateError::ExpiredContext { time: now, not_after: time(to) }.into());
        }
        if at < from {
            return Err(CertificateError::NotValidYetContext { time: now, not_before: time(from) }.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.issued.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.issued.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.issued.supported_verify_schemes()
    }
}
