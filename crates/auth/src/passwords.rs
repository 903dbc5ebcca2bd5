//! Passwords: argon2id with OWASP's parameters, two at a time, off the async threads. A login with an unknown name
//! takes as long as one with a wrong password.

mod strength;

pub use strength::check_password;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use std::sync::{Arc, OnceLock};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Each takes 19 MiB and a core for some 40 ms.
const AT_ONCE: usize = 2;

/// How many characters a password has: shorter is guessed, longer is an attack on the server. The one place that says
/// so; who asks for a password asks here.
pub const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 10..=1024;

/// Why a password was not hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too short or too long.
    #[error("a password has {} to {} characters", PASSWORD_LENGTH.start(), PASSWORD_LENGTH.end())]
    Length,
    /// It holds what cannot be typed.
    #[error("the password holds a control character; choose one that can be typed")]
    Control,
    /// It is little more than the user's name.
    #[error("the password is little more than the user's name; choose another")]
    Name,
    /// It is one that is tried first.
    #[error("the password is among those that are guessed first; choose another, such as several words")]
    Common,
    /// A defect, or no memory.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
}

/// Hashes and compares passwords.
#[derive(Debug, Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// The hash that a password is compared with when there is no user; made at first use.
    nobody: Arc<OnceLock<String>>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), nobody: Arc::default() }
    }
}

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|e| PasswordError::Hash(e.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &str) -> Result<String, PasswordError> {
    let hash: PasswordHash =
        argon2()?.hash_password(password.as_bytes()).map_err(|e| PasswordError::Hash(e.to_string()))?;
    Ok(hash.to_string())
}

fn verify_now(password: &str, hash: &str) -> Result<bool, PasswordError> {
    let parsed = PasswordHash::new(hash).map_err(|e| PasswordError::Hash(e.to_string()))?;
    match argon2()?.verify_password(password.as_bytes(), &parsed) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(e) => Err(PasswordError::Hash(e.to_string())),
    }
}

impl Passwords {
    /// Hashes a new password, in PHC format.
    pub async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        if !PASSWORD_LENGTH.contains(&password.expose_secret().chars().count()) {
            return Err(PasswordError::Length);
        }
        self.in_turn(move |_| hash_now(password.expose_secret())).await
    }

    /// Compares a password with a stored hash. Without one, because there is no such user, it compares with one that
    /// nothing equals, and takes as long.
    pub async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<bool, PasswordError> {
        if password.expose_secret().len() > 4 * PASSWORD_LENGTH.end() {
            return Ok(false);
        }
        self.in_turn(move |nobody| match stored {
            Some(hash) => verify_now(password.expose_secret(), &hash),
            None => {
                let hash = match nobody.get() {
                    Some(hash) => hash.clone(),
                    None => {
                        let hash = hash_now(&random_text(32)?)?;
                        nobody.get_or_init(|| hash).clone()
                    }
                };
                verify_now(password.expose_secret(), &hash).map(|_| false)
            }
        })
        .await
    }

    /// Makes the hash for unknown names ahead of time, so that the first unknown name is not slower than the second.
    pub async fn warm_up(&self) -> Result<(), PasswordError> {
        self.verify(SecretString::from(""), None).await.map(|_| ())
    }

    /// Whether a stored hash was made with other parameters than today's.
    pub fn is_outdated(hash: &str) -> bool {
        let Ok(parsed) = PasswordHash::new(hash) else { return true };
        match Params::try_from(&parsed) {
            Ok(params) => {
                parsed.algorithm.as_str() != Algorithm::Argon2id.as_str()
                    || params.m_cost() < MEMORY_KIB
                    || params.t_cost() < PASSES
            }
            Err(_) => true,
        }
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&OnceLock<String>) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        // The semaphore is never closed.
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|e| PasswordError::Hash(e.to_string()))?;
        let nobody = Arc::clone(&self.nobody);
        let done = tokio::task::spawn_blocking(move || {
            // The turn is given back when the work is done, also when the caller has gone away meanwhile.
            let _turn = turn;
            work(&nobody)
        });
        done.await.map_err(|e| PasswordError::Hash(e.to_string()))?
    }
}

/// Without what looks alike in print.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789-";

fn random_text(length: usize) -> Result<Zeroizing<String>, PasswordError> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    getrandom::fill(&mut bytes).map_err(|e| PasswordError::Hash(e.to_string()))?;
    // 256 is a multiple of 32: no letter is more likely than another.
    Ok(Zeroizing::new(bytes.iter().map(|b| char::from(ALPHABET[usize::from(b % 32)])).collect()))
}

/// The first administrator's password: 24 letters, 120 bits, printed once.
pub fn first_password() -> Result<SecretString, PasswordError> {
    loop {
        let text = random_text(24)?;
        // A hyphen at an end is lost when it is copied.
        if !text.starts_with('-') && !text.ends_with('-') {
            return Ok(SecretString::from(text.as_str()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_fits_its_hash() {
        let passwords = Passwords::default();
        let hash = passwords.hash(SecretString::from("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(!Passwords::is_outdated(&hash));
        assert!(passwords.verify(SecretString::from("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(SecretString::from("wrong horse"), Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_has_no_password() {
        let passwords = Passwords::default();
        passwords.warm_up().await.unwrap();
        assert!(!passwords.verify(SecretString::from(""), None).await.unwrap());
        assert!(!passwords.verify(SecretString::from("correct horse"), None).await.unwrap());
        assert!(passwords.verify(SecretString::from("x"), Some("not a hash".into())).await.is_err());
    }

    #[tokio::test]
    async fn lengths_are_limited() {
        let passwords = Passwords::default();
        for bad in ["123456789".to_owned(), "x".repeat(1025)] {
            assert!(matches!(passwords.hash(SecretString::from(bad)).await, Err(PasswordError::Length)));
        }
        // Characters count, not bytes.
        for good in ["ž".repeat(10), "1234567890".to_owned()] {
            passwords.hash(SecretString::from(good)).await.unwrap();
        }
    }

    #[test]
    fn weaker_parameters_are_outdated() {
        assert!(Passwords::is_outdated("$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHRzb21l$aGFzaGhhc2hoYXNoaGFzaA"));
        assert!(Passwords::is_outdated("$2y$10$abc"));
    }

    #[test]
    fn first_passwords_are_random_and_printable() {
        let (one, two) = (first_password().unwrap(), first_password().unwrap());
        assert_eq!(one.expose_secret().len(), 24);
        assert_ne!(one.expose_secret(), two.expose_secret());
    }
}
