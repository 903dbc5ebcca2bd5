//! The signature of a manifest: Ed25519, by a key that openssl made, in a file that openssl can check. The private key is
//! read for one run and kept nowhere.
//!
//! A third party needs nothing of ours to check a folder. The pair of keys, once:
//!
//! ```text
//! openssl genpkey -algorithm ed25519 -out private.pem
//! openssl pkey -in private.pem -pubout -out public.pem
//! ```
//!
//! The signature, and the sums that it vouches for:
//!
//! ```text
//! base64 -d manifest.sig > manifest.sig.raw
//! openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in manifest.json -sigfile manifest.sig.raw
//! jq -r '.files[] | .sha256 + "  " + .path' manifest.json | sha256sum --check --strict
//! ```

use super::pem;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use secrecy::{ExposeSecret, SecretString};
use std::path::{Path, PathBuf};

/// What stands before the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why a key cannot be used. None of them holds a part of the key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read.
    #[error("Cannot read the key {path}: {source}.")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no section in it.
    #[error("The key is not in PEM: there is no line \"-----BEGIN {0}-----\". Give the file that openssl wrote.")]
    NoPem(&'static str),
    /// It needs a pass phrase.
    #[error(
        "The private key is encrypted, and verify asks for no pass phrase. Give a key without one: \
         openssl pkey -in KEY -out PLAIN, and keep that file to yourself."
    )]
    Encrypted,
    /// It is something else.
    #[error("The key's file holds \"{found}\", and \"{wanted}\" is needed. {}", how_to_get(.wanted))]
    OtherSection {
        /// The label that was found.
        found: String,
        /// The label that is needed.
        wanted: &'static str,
    },
    /// It is for something else.
    #[error(
        "The key is for {0}, and Ed25519 is needed. Make one with: openssl genpkey -algorithm ed25519 -out private.pem"
    )]
    OtherAlgorithm(&'static str),
    /// It cannot be read to its end.
    #[error("The key is damaged: {0}.")]
    Damaged(&'static str),
}

fn how_to_get(wanted: &str) -> &'static str {
    match wanted {
        "PUBLIC KEY" => "Take it from the private key: openssl pkey -in private.pem -pubout -out public.pem",
        _ => "Make one with: openssl genpkey -algorithm ed25519 -out private.pem",
    }
}

/// A private key.
pub struct SigningKey(Ed25519KeyPair);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// From a file as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    /// When it cannot be read, is encrypted, or is not such a key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Self::from_pem(&read(path)?.into())
    }

    /// From PKCS#8 in PEM, with or without the public key in it.
    ///
    /// # Errors
    /// When it is encrypted, or is not such a key.
    pub fn from_pem(pem: &SecretString) -> Result<Self, KeyError> {
        let der = pem::section(pem.expose_secret(), "PRIVATE KEY")?;
        pem::is_ed25519(der.expose_secret())?;
        // openssl leaves the public key out, which the strict reading refuses.
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.expose_secret()).map(Self).map_err(|_| {
            KeyError::Damaged("it is not PKCS#8 of an Ed25519 key, or its two halves do not belong together")
        })
    }

    /// Its public half, to be handed to whoever checks.
    pub fn public_key(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    /// The signature of these bytes, as it stands in `manifest.sig`: base64 of its 64 bytes, and the end of the line.
    pub fn sign(&self, bytes: &[u8]) -> String {
        format!("{}\n", STANDARD.encode(self.0.sign(bytes)))
    }
}

/// A public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// From a file as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    /// When it cannot be read, or is not such a key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Self::from_pem(&read(path)?)
    }

    /// From SubjectPublicKeyInfo in PEM.
    ///
    /// # Errors
    /// When it is not such a key.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let der = pem::section(pem, "PUBLIC KEY")?;
        pem::is_ed25519(der.expose_secret())?;
        let key = der.expose_secret().strip_prefix(SPKI.as_slice());
        let key = key.and_then(|key| key.try_into().ok());
        key.map(Self).ok_or(KeyError::Damaged("it does not hold the 32 bytes of an Ed25519 key"))
    }

    /// The same in PEM, as openssl writes it.
    pub fn to_pem(&self) -> String {
        let der = [SPKI.as_slice(), &self.0].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    /// Whether this is a signature of these bytes by the private half.
    pub fn has_signed(&self, bytes: &[u8], signature: &str) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.0);
        STANDARD.decode(signature.trim()).is_ok_and(|signature| key.verify(bytes, &signature).is_ok())
    }
}

fn read(path: &Path) -> Result<String, KeyError> {
    std::fs::read_to_string(path).map_err(|source| KeyError::Read { path: path.to_owned(), source })
}
