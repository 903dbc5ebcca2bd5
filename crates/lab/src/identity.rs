//! Who a lab is: its certificate authority, its token, and the identity of its cluster. Kept by the caller, it lets a
//! lab come back as the same one.

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr, sync::Arc};

/// An identity that can be kept as JSON. It holds secrets: the key of the authority and the token.
#[derive(Clone, Serialize, Deserialize)]
pub struct Identity {
    ca_pem: String,
    ca_key_pem: String,
    token: String,
    /// UID of the namespace kube-system, by which clients know a cluster again.
    cluster_uid: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("cluster_uid", &self.cluster_uid).finish_non_exhaustive()
    }
}

/// What can go wrong with keys and certificates.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The system gave no random bytes.
    #[error("draw a random token: {0}")]
    Random(#[from] getrandom::Error),
    /// A key or a certificate could not be made, or could not be read back.
    #[error("make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS did not take them.
    #[error("set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The certificate of a kept identity is no PEM.
    #[error("read the certificate of the identity: {0}")]
    Pem(String),
}

fn authority() -> CertificateParams {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "Hedgerow lab");
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params
}

impl Identity {
    /// A new identity, with this token or a random one.
    pub fn generate(token: Option<String>) -> Result<Self, IdentityError> {
        let token = match token {
            Some(token) => token,
            None => {
                let mut bytes = [0; 32];
                getrandom::fill(&mut bytes)?;
                bytes.iter().map(|b| format!("{b:02x}")).collect()
            }
        };
        let key = KeyPair::generate()?;
        let ca_pem = authority().self_signed(&key)?.pem();
        Ok(Self { ca_pem, ca_key_pem: key.serialize_pem(), token, cluster_uid: uuid::Uuid::new_v4().to_string() })
    }

    /// The bearer token of the one user.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Certificate of the authority, PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// UID of the namespace kube-system.
    pub fn cluster_uid(&self) -> &str {
        &self.cluster_uid
    }

    /// TLS for a server at this address, with a certificate of this authority.
    pub fn server_config(&self, address: IpAddr) -> Result<Arc<rustls::ServerConfig>, IdentityError> {
        let issuer = Issuer::new(authority(), KeyPair::from_pem(&self.ca_key_pem)?);
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        if !address.is_unspecified() && !names.contains(&address.to_string()) {
            names.push(address.to_string());
        }
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&key, &issuer)?;
        let ca =
            CertificateDer::from_pem_slice(self.ca_pem.as_bytes()).map_err(|e| IdentityError::Pem(e.to_string()))?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone(), ca], key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_as_json_and_keeps_its_secrets_out_of_debug() {
        let identity = Identity::generate(None).unwrap();
        let back: Identity = serde_json::from_str(&serde_json::to_string(&identity).unwrap()).unwrap();
        assert_eq!((back.token(), back.ca_pem()), (identity.token(), identity.ca_pem()));
        back.server_config([127, 0, 0, 1].into()).unwrap();
        let debug = format!("{identity:?}");
        assert!(!debug.contains(identity.token()) && !debug.contains("PRIVATE"), "{debug}");
    }
}
