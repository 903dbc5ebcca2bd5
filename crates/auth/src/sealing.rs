//! Secrets at rest: XChaCha20-Poly1305, bound to the place where they are stored. A sealed token that is copied to
//! another column or another fabric does not open there.
//!
//! Format: one byte version (1), four bytes that name the key, 24 bytes nonce, then ciphertext and tag. The name of
//! the key tells a wrong key from a damaged value, and leaves room for a change of keys.

use crate::keys::MasterKey;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;
use store::Sealed;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const KEY_NAME: usize = 4;
const NONCE: usize = 24;
const HEAD: usize = 1 + KEY_NAME + NONCE;

/// Where a secret is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Table.
    pub table: &'static str,
    /// Column.
    pub column: &'static str,
    /// Id of the row.
    pub row: i64,
}

impl Place {
    /// A secret of a fabric: `kubeconfig`, `token`, `client_key`, `source_token` or `ssh_key`.
    pub fn fabric(column: &'static str, id: i64) -> Self {
        Self { table: store::fabrics::TABLE, column, row: id }
    }

    fn associated_data(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(40);
        for word in [self.table, self.column] {
            out.extend_from_slice(word.as_bytes());
            out.push(0);
        }
        out.extend_from_slice(&self.row.to_be_bytes());
        out
    }
}

/// Why a secret was not sealed or opened. Nothing of its content is in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The value was written by a release that seals otherwise.
    #[error("the stored secret has a format that this release does not know")]
    Format,
    /// Sealed with another key.
    #[error("the stored secret was sealed with another key; restore that key, or enter the secret again")]
    OtherKey,
    /// Changed, or moved from where it was stored.
    #[error("the stored secret was damaged or moved; enter it again")]
    Damaged,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
}

/// The keys of one moment, the present one first.
#[derive(Clone)]
struct Ring(Vec<([u8; KEY_NAME], XChaCha20Poly1305)>);

impl Ring {
    fn of(key: &MasterKey) -> Self {
        let names = key.derive_all("seal: name of the key");
        let keys = key.derive_all("seal");
        let one = |(name, key): (&Zeroizing<[u8; 32]>, &Zeroizing<[u8; 32]>)| {
            let mut key_name = [0; KEY_NAME];
            key_name.copy_from_slice(&name[..KEY_NAME]);
            (key_name, XChaCha20Poly1305::new(&Key::from(**key)))
        };
        Self(names.iter().zip(&keys).map(one).collect())
    }

    fn find(&self, name: &[u8]) -> Option<&XChaCha20Poly1305> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, cipher)| cipher)
    }
}

/// Seals and opens secrets. While keys are exchanged, also by another process, it seals with the new one and opens with
/// either: it looks at the key's file again when that has changed.
#[derive(Clone)]
pub struct Sealer {
    ring: Arc<RwLock<(Ring, Option<SystemTime>)>>,
    file: Option<PathBuf>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(..)")
    }
}

impl Sealer {
    /// With what is derived from the installation's key.
    pub fn new(key: &MasterKey) -> Self {
        let file = key.file().map(Path::to_owned);
        let changed = file.as_deref().and_then(changed_at);
        Self { ring: Arc::new(RwLock::new((Ring::of(key), changed))), file }
    }

    /// The keys as they are now.
    fn ring(&self) -> Ring {
        let known = self.ring.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(file) = &self.file else { return known.0 };
        let changed = changed_at(file);
        if changed == known.1 {
            return known.0;
        }
        match MasterKey::read(file) {
            Ok(Some(key)) => {
                let ring = Ring::of(&key);
                *self.ring.write().unwrap_or_else(PoisonError::into_inner) = (ring.clone(), changed);
                tracing::info!("the key of the secrets was read again");
                ring
            }
            // What is known opens what was sealed with it; the probe of readiness says that the file is gone.
            Ok(None) | Err(_) => known.0,
        }
    }

    /// Seals a secret for its place.
    pub fn seal(&self, place: Place, secret: &SecretString) -> Result<Sealed, SealError> {
        let ring = self.ring();
        let (key_name, cipher) = ring.0.first().ok_or(SealError::OtherKey)?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| SealError::Random)?;
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: &place.associated_data() };
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Format)?;
        let mut out = Vec::with_capacity(HEAD + sealed.len());
        out.push(VERSION);
        out.extend_from_slice(key_name);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(Sealed(out))
    }

    /// Opens a secret in its place.
    pub fn open(&self, place: Place, sealed: &Sealed) -> Result<SecretString, SealError> {
        let bytes = sealed.0.as_slice();
        if bytes.len() < HEAD || bytes[0] != VERSION {
            return Err(SealError::Format);
        }
        let ring = self.ring();
        let cipher = ring.find(&bytes[1..=KEY_NAME]).ok_or(SealError::OtherKey)?;
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(&bytes[1 + KEY_NAME..HEAD]);
        let payload = Payload { msg: &bytes[HEAD..], aad: &place.associated_data() };
        let opened = cipher.decrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Damaged)?;
        let opened = Zeroizing::new(opened);
        std::str::from_utf8(&opened).map(SecretString::from).map_err(|_| SealError::Damaged)
    }

    /// A secret sealed with the present key, when it is sealed with one before.
    ///
    /// # Errors
    /// It cannot be opened with any of the keys.
    pub fn reseal(&self, place: Place, sealed: &Sealed) -> Result<Option<Sealed>, SealError> {
        let ring = self.ring();
        let is_present = ring.0.first().is_some_and(|(name, _)| sealed.0.get(1..=KEY_NAME) == Some(name.as_slice()));
        if is_present {
            return Ok(None);
        }
        let secret = self.open(place, sealed)?;
        self.seal(place, &secret).map(Some)
    }
}

fn changed_at(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Place = Place { table: "fabrics", column: "token", row: 7 };

    fn sealer() -> Sealer {
        Sealer::new(&MasterKey::random().unwrap())
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let sealer = sealer();
        let sealed = sealer.seal(TOKEN, &SecretString::from("hunter2")).unwrap();
        assert_eq!(sealer.open(TOKEN, &sealed).unwrap().expose_secret(), "hunter2");
        for elsewhere in
            [Place { row: 8, ..TOKEN }, Place { column: "source_token", ..TOKEN }, Place { table: "users", ..TOKEN }]
        {
            assert_eq!(sealer.open(elsewhere, &sealed).unwrap_err(), SealError::Damaged);
        }
    }

    #[test]
    fn no_byte_can_be_changed() {
        let sealer = sealer();
        let sealed = sealer.seal(TOKEN, &SecretString::from("hunter2")).unwrap();
        for i in 0..sealed.0.len() {
            let mut changed = sealed.clone();
            changed.0[i] ^= 1;
            assert!(sealer.open(TOKEN, &changed).is_err(), "byte {i}");
        }
        assert_eq!(sealer.open(TOKEN, &Sealed(vec![])).unwrap_err(), SealError::Format);
    }

    #[test]
    fn another_key_is_told_from_damage() {
        let sealed = sealer().seal(TOKEN, &SecretString::from("hunter2")).unwrap();
        assert_eq!(sealer().open(TOKEN, &sealed).unwrap_err(), SealError::OtherKey);
    }

    #[test]
    fn nothing_shows_the_secret() {
        let sealer = sealer();
        let (one, two) = (
            sealer.seal(TOKEN, &SecretString::from("hunter2")).unwrap(),
            sealer.seal(TOKEN, &SecretString::from("hunter2")).unwrap(),
        );
        assert_ne!(one, two, "the same secret twice looks different");
        assert!(!one.0.windows(7).any(|w| w == b"hunter2"));
        assert!(!format!("{one:?} {sealer:?}").contains("hunter2"));
    }
}
