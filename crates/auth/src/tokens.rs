//! Random tokens: that of a session, and that of a browser which has not logged in yet. The database holds only the
//! hash of the first, and nothing of the second.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use store::sessions::TokenHash;
use zeroize::Zeroizing;

/// Characters of 256 bits in base64.
const LENGTH: usize = 43;

fn random() -> Result<SecretString, getrandom::Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut())?;
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(*bytes)))
}

/// Whether a text can be a token: anything else need not be looked up.
fn is_token(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The token of a session, as the cookie carries it: 256 random bits in base64.
#[derive(Debug, Clone)]
pub struct SessionToken(SecretString);

impl SessionToken {
    /// A new one.
    pub fn generate() -> Result<Self, getrandom::Error> {
        random().map(Self)
    }

    /// Reads a cookie's value; `None` when it cannot be a token.
    pub fn parse(text: &str) -> Option<Self> {
        is_token(text).then(|| Self(SecretString::from(text)))
    }

    /// The text for the cookie.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// What the database holds. A plain hash is enough: nobody guesses 256 bits.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.expose_secret().as_bytes()).into())
    }
}

/// What the login form is bound to before there is a session: a cookie of its own.
#[derive(Debug, Clone)]
pub struct PreSession(SecretString);

impl PreSession {
    /// A new one.
    pub fn generate() -> Result<Self, getrandom::Error> {
        random().map(Self)
    }

    /// Reads a cookie's value; `None` when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        is_token(text).then(|| Self(SecretString::from(text)))
    }

    /// The text for the cookie.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_random_and_reads_back() {
        let (one, two) = (SessionToken::generate().unwrap(), SessionToken::generate().unwrap());
        assert_ne!(one.reveal(), two.reveal());
        assert_eq!(SessionToken::parse(one.reveal()).unwrap().hash(), one.hash());
        assert_ne!(one.hash(), two.hash());
        assert!(!format!("{one:?}").contains(one.reveal()));
    }

    #[test]
    fn what_cannot_be_a_token_is_not_looked_up() {
        for text in ["", "short", &"a".repeat(44), &"é".repeat(21), &format!("{} ", "a".repeat(42))] {
            assert!(SessionToken::parse(text).is_none(), "{text:?}");
        }
    }
}
