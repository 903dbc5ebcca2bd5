//! Certificates: PEM in, a TLS configuration out, and from when to when a certificate is valid.

use super::ConfigError;
use super::given::Given;
use jiff::Timestamp;
use jiff::civil::DateTime;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::{Arc, OnceLock};

/// Where a client certificate was entered: the fields at which its faults are shown, and what its parts are called there.
pub(super) struct Entered {
    certificate_field: &'static str,
    certificate: &'static str,
    key_field: &'static str,
    key: &'static str,
    mismatch: &'static str,
    renew: &'static str,
}

/// In a kubeconfig.
pub(super) const KUBECONFIG: Entered = Entered {
    certificate_field: "kubeconfig",
    certificate: "client-certificate-data",
    key_field: "kubeconfig",
    key: "client-key-data",
    mismatch: "is not the key of client-certificate-data",
    renew: "get a new kubeconfig from the cluster",
};

/// In fields of their own.
pub(super) const FORM: Entered = Entered {
    certificate_field: "client_certificate",
    certificate: "The client certificate",
    key_field: "client_key",
    key: "The client key",
    mismatch: "does not belong to the client certificate; enter the two that were made together",
    renew: "have a new one signed, and enter it with its key",
};

impl Entered {
    fn of_certificate(&self, why: &str) -> ConfigError {
        ConfigError::new(self.certificate_field, format!("{} {why}.", self.certificate))
    }

    fn of_key(&self, why: &str) -> ConfigError {
        ConfigError::new(self.key_field, format!("{} {why}.", self.key))
    }
}

/// A client certificate with its key.
pub(super) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// When the certificate ends.
    pub(super) expires: Timestamp,
    entered: &'static Entered,
}

impl Identity {
    pub(super) fn from_pem(certificate: &[u8], key: &[u8], entered: &'static Entered) -> Result<Self, ConfigError> {
        let (chain, expires) = chain(certificate, entered)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
            entered.of_key("holds no private key in PEM that can be read (PKCS#8, PKCS#1 or SEC1, not encrypted)")
        })?;
        Ok(Self { chain, key, expires, entered })
    }

    /// Refuses a certificate that has ended.
    pub(super) fn is_valid_at(&self, now: Timestamp) -> Result<(), ConfigError> {
        is_valid_at(self.expires, now, self.entered)
    }
}

/// Checks a certificate without its key; gives when it ends.
pub(super) fn check(certificate: &[u8], now: Timestamp, entered: &'static Entered) -> Result<Timestamp, ConfigError> {
    let (_, expires) = chain(certificate, entered)?;
    is_valid_at(expires, now, entered).map(|()| expires)
}

fn chain(
    certificate: &[u8],
    entered: &'static Entered,
) -> Result<(Vec<CertificateDer<'static>>, Timestamp), ConfigError> {
    let chain = certificates(certificate).map_err(|why| entered.of_certificate(why))?;
    let expires = chain.first().and_then(|leaf| validity(leaf)).map(|(_, to)| to);
    let expires = expires.ok_or_else(|| entered.of_certificate("holds a certificate that cannot be read"))?;
    Ok((chain, expires))
}

fn is_valid_at(expires: Timestamp, now: Timestamp, entered: &'static Entered) -> Result<(), ConfigError> {
    if expires > now {
        return Ok(());
    }
    let at = expires.strftime("%Y-%m-%d %H:%M UTC");
    let message = format!("The client certificate expired on {at}; {}.", entered.renew);
    Err(ConfigError::new(entered.certificate_field, message))
}

/// The TLS side of a client. Without a CA the system's certificates are trusted.
pub(super) fn client_config(
    ca: Option<(Vec<u8>, &'static str)>,
    identity: Option<Identity>,
    verify: bool,
    field: &'static str,
) -> Result<ClientConfig, ConfigError> {
    // The provider is named, not taken from the process: this room works whether or not somebody installed one.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| ConfigError::new(field, format!("TLS is not available: {e}.")))?;
    let builder = if verify {
        match ca {
            Some((pem, from)) => {
                let verifier = given(&pem, from, provider)?;
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
            None => builder.with_root_certificates(system_roots(field)?),
        }
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
    };
    let mut config = match identity {
        Some(Identity { chain, key, entered, .. }) => {
            builder.with_client_auth_cert(chain, key).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => entered.of_key(entered.mismatch),
                other => entered.of_certificate(&format!("cannot be used: {other}")),
            })?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn given(pem: &[u8], field: &'static str, provider: Arc<CryptoProvider>) -> Result<Given, ConfigError> {
    let what = if field == "ca_pem" { "The CA" } else { "certificate-authority-data" };
    let certificates = certificates(pem).map_err(|why| ConfigError::new(field, format!("{what} {why}.")))?;
    Given::new(certificates, provider)
        .map_err(|_| ConfigError::new(field, format!("{what} holds a certificate that cannot be read.")))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(list) if !list.is_empty() => Ok(list),
        Ok(_) => Err("holds no certificate in PEM (-----BEGIN CERTIFICATE-----)"),
        Err(_) => Err("is damaged PEM"),
    }
}

/// The system's certificates, read once.
fn system_roots(field: &'static str) -> Result<RootCertStore, ConfigError> {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        store
    });
    if roots.is_empty() {
        let message = "No CA certificate is given, and this system trusts none; give the cluster's CA certificate.";
        return Err(ConfigError::new(field, message));
    }
    Ok(roots.clone())
}

/// Takes any certificate; the handshake's signature must still be made with its key.
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
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// From when to when a certificate is valid (RFC 5280): Certificate { tbs { [0] version, serial, algorithm, issuer,
/// validity { from, to } .. } .. }. Six fields of DER do not justify an X.509 library.
pub(super) fn validity(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    const SEQUENCE: u8 = 0x30;
    let expect = |input, tag| der(input).filter(|(found, ..)| *found == tag);
    let (_, certificate, _) = expect(certificate, SEQUENCE)?;
    let (_, tbs, _) = expect(certificate, SEQUENCE)?;
    let (tag, _, after) = der(tbs)?;
    let mut rest = if tag == 0xa0 { after } else { tbs };
    for _ in ["serial", "algorithm", "issuer"] {
        rest = der(rest)?.2;
    }
    let (_, validity, _) = expect(rest, SEQUENCE)?;
    let (tag, from, rest) = der(validity)?;
    let from = time(tag, from)?;
    let (tag, to, _) = der(rest)?;
    Some((from, time(tag, to)?))
}

fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let full = match tag {
        // UTCTime: two digits of the year, 1950 to 2049.
        0x17 if text.get(..2)?.parse::<u8>().ok()? >= 50 => format!("19{text}"),
        0x17 => format!("20{text}"),
        0x18 => text.to_owned(),
        _ => return None,
    };
    let at = DateTime::strptime("%Y%m%d%H%M%S", full).ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

/// One DER element: tag, content, and what follows it.
fn der(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let length = if first < 0x80 {
        usize::from(first)
    } else {
        let count = usize::from(first & 0x7f);
        if !(1..=4).contains(&count) {
            return None;
        }
        let (bytes, after) = rest.split_at_checked(count)?;
        rest = after;
        bytes.iter().fold(0usize, |n, b| (n << 8) | usize::from(*b))
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}
