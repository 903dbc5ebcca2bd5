//! The installation's one secret key: in a file of the data folder that only its owner may read, or handed in by the
//! environment. What seals and what signs is derived from it, each for its own purpose.
//!
//! Whether the key is the right one is known before the first secret is opened: a value that only the right key can
//! make is stored in the database. While a key is exchanged the file holds two: the new one first, then the one that
//! some secrets are still sealed with. A process that meets a secret of a key that it does not know reads the file again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use store::Store;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Key in the table of facts.
const CHECK: &str = "secret_key_check";

/// 256 random bits; nothing is encrypted or signed with them directly. With them the keys before, as long as something
/// may still be sealed with one.
#[derive(Clone)]
pub struct MasterKey {
    bytes: Zeroizing<[u8; 32]>,
    former: Vec<Zeroizing<[u8; 32]>>,
    file: Option<PathBuf>,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is not a key.
    #[error("the secret key must be 32 bytes, written as 64 hexadecimal digits or in base64")]
    Malformed,
    /// Others may read the file.
    #[error("{} can be read by other users of this machine; run: chmod 600 {}", .0.display(), .0.display())]
    Exposed(PathBuf),
    /// The database holds secrets that were sealed with a key that is gone.
    #[error(
        "{} is missing, but the database holds secrets that were sealed with it; restore it from the backup that belongs \
         to this database", .0.display()
    )]
    Missing(PathBuf),
    /// The key is another one than the database was used with.
    #[error("the secret key does not belong to this database; restore the key that it was used with")]
    Wrong,
    /// The file could not be read or written.
    #[error("the secret key file {} could not be {doing}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Read or created.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random(#[from] getrandom::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl MasterKey {
    /// The key of a data folder. It is created at the first start; where the database shows that there was one, its
    /// absence is an error. In every case it is checked against the database.
    pub async fn open(store: &Store, path: &Path) -> Result<Self, KeyError> {
        let key = match Self::read(path)? {
            Some(key) => key,
            None => {
                let was_used = store.meta().get(CHECK).await?.is_some();
                // Another process may be at its first start: it creates the file before it stores the check.
                match Self::read(path)? {
                    Some(key) => key,
                    None if was_used => return Err(KeyError::Missing(path.to_owned())),
                    None => Self::create(path)?,
                }
            }
        };
        key.check(store).await?;
        Ok(key)
    }

    /// The key as a setting hands it in, checked against the database.
    pub async fn from_setting(store: &Store, text: &SecretString) -> Result<Self, KeyError> {
        let key = Self::parse(text.expose_secret())?;
        key.check(store).await?;
        Ok(key)
    }

    /// A new key that is kept nowhere: for tests.
    pub fn random() -> Result<Self, KeyError> {
        Ok(Self { bytes: random_bytes()?, former: Vec::new(), file: None })
    }

    /// A key for one purpose.
    pub(crate) fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        derive(&self.bytes, purpose)
    }

    /// The keys for one purpose, the present one first.
    pub(crate) fn derive_all(&self, purpose: &str) -> Vec<Zeroizing<[u8; 32]>> {
        std::iter::once(&self.bytes).chain(&self.former).map(|bytes| derive(bytes, purpose)).collect()
    }

    /// The file that it was read from.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Whether a key before this one may still be needed: an exchange has begun and not ended.
    pub fn is_in_exchange(&self) -> bool {
        !self.former.is_empty()
    }

    /// Begins the exchange of the key in this file, or goes on with one: the file holds a new key first, and after it the
    /// one before. From then on everything is sealed with the new one, and opened with either.
    pub async fn begin_exchange(store: &Store, path: &Path) -> Result<Self, KeyError> {
        let mut key = Self::read(path)?.ok_or_else(|| KeyError::Missing(path.to_owned()))?;
        key.check(store).await?;
        if !key.is_in_exchange() {
            key.former = vec![std::mem::replace(&mut key.bytes, random_bytes()?)];
            key.replace(path)?;
        }
        Ok(key)
    }

    /// Ends the exchange: nothing is sealed with the keys before any more. They go into a file beside, for the backups
    /// that were made with them; gives its path.
    pub async fn end_exchange(mut self, store: &Store, path: &Path, kept: &Path) -> Result<(), KeyError> {
        let former = std::mem::take(&mut self.former);
        let Some((first, rest)) = former.split_first() else { return Ok(()) };
        let old = Self { bytes: first.clone(), former: rest.to_vec(), file: None };
        old.replace(kept)?;
        store.meta().set(CHECK, &self.check_value()).await?;
        self.replace(path)
    }

    /// Compares the value that only this key makes with the one in the database, and stores it the first time.
    async fn check(&self, store: &Store) -> Result<(), KeyError> {
        let stored = store.meta().get_or_set(CHECK, &self.check_value()).await?;
        let fits =
            |key: Zeroizing<[u8; 32]>| bool::from(stored.as_bytes().ct_eq(URL_SAFE_NO_PAD.encode(*key).as_bytes()));
        if self.derive_all("key check").into_iter().any(fits) { Ok(()) } else { Err(KeyError::Wrong) }
    }

    fn check_value(&self) -> String {
        URL_SAFE_NO_PAD.encode(*self.derive("key check"))
    }

    /// One key a line, the present one first.
    fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys = text.split_whitespace().map(parse_one);
        let bytes = keys.next().ok_or(KeyError::Malformed)??;
        Ok(Self { bytes, former: keys.collect::<Result<_, _>>()?, file: None })
    }

    /// The key in a file, or nothing when there is no such file.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), doing: "read", source };
        let mut file = match std::fs::File::open(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed)?,
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
                return Err(KeyError::Exposed(path.to_owned()));
            }
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(failed)?;
        Ok(Some(Self { file: Some(path.to_owned()), ..Self::parse(&text)? }))
    }

    /// The lines of its file.
    fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        for bytes in std::iter::once(&self.bytes).chain(&self.former) {
            for byte in bytes.iter() {
                text.push_str(&format!("{byte:02x}"));
            }
            text.push('\n');
        }
        text
    }

    /// Written under another name beside it, which only its owner may read.
    fn draft(&self, path: &Path) -> Result<PathBuf, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), doing: "written", source };
        let mut nonce = [0; 8];
        getrandom::fill(&mut nonce)?;
        let draft = path.with_extension(format!("draft-{:016x}", u64::from_ne_bytes(nonce)));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&draft).and_then(|mut file| {
            file.write_all(self.text().as_bytes())?;
            file.sync_all()
        });
        match written {
            Ok(()) => Ok(draft),
            Err(error) => {
                let _ = std::fs::remove_file(&draft);
                Err(failed(error))
            }
        }
    }

    /// Puts it into this file, in the place of what is there: whoever reads finds the one or the other, whole.
    fn replace(&self, path: &Path) -> Result<(), KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), doing: "written", source };
        let draft = self.draft(path)?;
        std::fs::rename(&draft, path).map_err(failed)?;
        keep_names(path).map_err(failed)
    }

    /// Written under another name and linked into place: the file is never seen half-written, and of two processes
    /// that start at once one creates it and both read that.
    fn create(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), doing: "created", source };
        let key = Self { file: Some(path.to_owned()), ..Self::random()? };
        let draft = key.draft(path)?;
        let linked = std::fs::hard_link(&draft, path);
        // The link is the key; the draft is only its other name, and it may not exist.
        let _ = std::fs::remove_file(&draft);
        match linked {
            Ok(()) => {
                keep_names(path).map_err(failed)?;
                Ok(key)
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                Self::read(path)?.ok_or_else(|| KeyError::Missing(path.to_owned()))
            }
            Err(e) => Err(failed(e)),
        }
    }
}

/// The names in a file's folder must survive a power cut, or the secrets sealed from now on do not.
fn keep_names(path: &Path) -> std::io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn random_bytes() -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut())?;
    Ok(bytes)
}

fn derive(bytes: &[u8; 32], purpose: &str) -> Zeroizing<[u8; 32]> {
    let mut mac = hmac(bytes);
    mac.update(b"hedgerow/");
    mac.update(purpose.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn parse_one(text: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut bytes = Zeroizing::new([0; 32]);
    if text.len() == 64 && text.is_ascii() {
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| KeyError::Malformed)?;
        }
        return Ok(bytes);
    }
    let url_safe = Zeroizing::new(text.trim_end_matches('=').replace('+', "-").replace('/', "_"));
    let decoded = Zeroizing::new(URL_SAFE_NO_PAD.decode(url_safe.as_bytes()).map_err(|_| KeyError::Malformed)?);
    if decoded.len() != 32 {
        return Err(KeyError::Malformed);
    }
    bytes.copy_from_slice(&decoded);
    Ok(bytes)
}

/// HMAC-SHA-256 with a key of 32 bytes.
pub(crate) fn hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC takes keys of any length.
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_both_spellings() {
        let hex = MasterKey::parse(&"ab".repeat(32)).unwrap();
        let base64 = MasterKey::parse("q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=\n").unwrap();
        assert_eq!(*hex.bytes, *base64.bytes);
        assert!(matches!(MasterKey::parse("secret"), Err(KeyError::Malformed)));
        assert!(matches!(MasterKey::parse(&"zz".repeat(32)), Err(KeyError::Malformed)));
    }

    #[test]
    fn purposes_have_keys_of_their_own() {
        let key = MasterKey::random().unwrap();
        assert_ne!(*key.derive("seal"), *key.derive("csrf"));
        assert_eq!(*key.derive("seal"), *key.derive("seal"));
        assert!(!format!("{key:?}").contains(char::is_numeric));
    }
}
