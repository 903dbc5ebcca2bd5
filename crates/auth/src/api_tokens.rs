//! API tokens: `nbt_<key>.<secret>`, as NetBox's clients send them. The key finds the row, the secret proves who asks.
//!
//! A token is let in while it was not revoked, has not come to its end, comes from where it may, and its user may log
//! in. Whoever has not the right secret learns none of that: an unknown key and a wrong secret are one answer. Nobody
//! guesses 256 bits, so what is throttled is the answers to wrong tokens, for the log's sake: many users stand behind one
//! address, and a good token is let in from it whatever others try.

use crate::clock::{Clock, between};
use crate::throttle::{Throttle, ThrottleLimits};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;
use jiff::Timestamp;
use model::Code;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::sessions::TokenHash;
use store::{ApiToken, NewApiToken, Store, User};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What every token begins with, as in NetBox.
pub const PREFIX: &str = "nbt_";
/// Characters of a key.
const KEY: usize = 12;
/// Characters of a secret: 256 bits in base64.
const SECRET: usize = 43;
/// The characters of a key: 32, none of which is taken for another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// How often a use is written.
const USE_EVERY: Duration = Duration::from_secs(60);
/// Tokens of which it is remembered that they were let in. Beyond that all are forgotten, and looked up again.
const REMEMBERED: usize = 10_000;
/// Tokens of one user that are good at the same time.
pub const TOKENS_OF_A_USER: usize = 50;

/// A token as a client sends it.
#[derive(Debug, Clone)]
pub struct PresentedToken {
    key: String,
    secret: SecretString,
}

impl PresentedToken {
    /// Reads `nbt_<key>.<secret>`; `None` when it cannot be a token.
    pub fn parse(text: &str) -> Option<Self> {
        let (key, secret) = text.strip_prefix(PREFIX)?.split_once('.')?;
        let of_secret = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let sound = key.len() == KEY
            && key.bytes().all(|b| b.is_ascii_alphanumeric())
            && secret.len() == SECRET
            && secret.bytes().all(of_secret);
        sound.then(|| Self { key: key.to_owned(), secret: SecretString::from(secret) })
    }

    /// Its public part.
    pub fn key(&self) -> &str {
        &self.key
    }

    fn hash(&self) -> TokenHash {
        hash(self.secret.expose_secret())
    }
}

/// What the database holds of a secret. A plain hash is enough: nobody guesses 256 bits.
fn hash(secret: &str) -> TokenHash {
    TokenHash(Sha256::digest(secret.as_bytes()).into())
}

/// A token that was just made. Its text is shown once and kept nowhere.
#[derive(Debug)]
pub struct MadeToken {
    /// What is kept of it.
    pub token: ApiToken,
    /// The whole of it, for its owner.
    pub text: SecretString,
}

/// What a new token is to be.
#[derive(Debug, Clone, Default)]
pub struct TokenWishes {
    /// What it is for.
    pub description: String,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// The networks that it is let in from; from anywhere when there is none.
    pub allowed_addresses: Vec<IpNet>,
    /// Whether it only reads.
    pub read_only: bool,
}

/// Whom a token let in.
#[derive(Debug, Clone)]
pub struct TokenUser {
    /// The token.
    pub token: ApiToken,
    /// Whose it is.
    pub user: User,
}

/// Why a token is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenDenied {
    /// It is none, nobody knows its key, or its secret is wrong: from outside all the same.
    Invalid,
    /// It has come to its end.
    Expired(Timestamp),
    /// Somebody revoked it.
    Revoked(Timestamp),
    /// It is not let in from this address.
    Address(String),
    /// Its user may not log in.
    UserOff,
    /// It only reads, and this would change something.
    ReadOnly,
}

impl TokenDenied {
    /// The stable code.
    pub const fn code(&self) -> Code {
        match self {
            Self::Invalid => Code::TokenInvalid,
            Self::Expired(_) => Code::TokenExpired,
            Self::Revoked(_) | Self::UserOff => Code::TokenRevoked,
            Self::Address(_) => Code::TokenAddressRefused,
            Self::ReadOnly => Code::TokenReadOnly,
        }
    }

    /// One sentence for whoever sent it.
    pub fn sentence(&self) -> String {
        let day = |at: &Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
        match self {
            Self::Invalid => "The API token is not known.".to_owned(),
            Self::Expired(at) => format!("The API token expired on {}.", day(at)),
            Self::Revoked(at) => format!("The API token was revoked on {}.", day(at)),
            Self::Address(address) => format!("The API token may not be used from {address}."),
            Self::UserOff => "The user of this API token is switched off.".to_owned(),
            Self::ReadOnly => "The API token only reads, and this request asks for something to be done.".to_owned(),
        }
    }
}

/// A token that is not let in.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is refused. Which token it was is known only where the secret was right.
    #[error("{}", .why.sentence())]
    Denied {
        /// Why.
        why: TokenDenied,
        /// Which one it was.
        token: Option<Box<ApiToken>>,
    },
    /// Too many tokens from this address were none.
    #[error("too many wrong API tokens; try again in {} seconds", retry_after.as_secs().max(1))]
    Throttled {
        /// When the next try is let in.
        retry_after: Duration,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
pub enum MakeTokenError {
    /// The user has as many as one may have.
    #[error("{TOKENS_OF_A_USER} API tokens are good at the same time at most")]
    TooMany,
    /// The form was sent before, and this token was made then.
    #[error("the token {} was made by this form before", .0.key)]
    Before(Box<ApiToken>),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random(#[from] getrandom::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// API tokens: making them, and letting them in. Cheap to clone; all clones share the throttle.
#[derive(Debug, Clone)]
pub struct ApiTokens {
    store: Store,
    clock: Arc<dyn Clock>,
    throttle: Arc<Throttle>,
    /// By the hash of the secret: the tokens that were let in, and when their use was last written.
    known: Arc<Mutex<HashMap<[u8; 32], Timestamp>>>,
}

impl ApiTokens {
    /// With the limits of a login for wrong tokens.
    pub fn new(store: Store, clock: Arc<dyn Clock>, limits: ThrottleLimits) -> Self {
        Self { store, clock, throttle: Arc::new(Throttle::new(limits)), known: Arc::default() }
    }

    /// Makes a token. Whether its user may have one is for the caller to ask. A form names itself, so that it makes one
    /// token however often it is sent: its key follows from the user and that name.
    pub async fn make(
        &self,
        user_id: i64,
        wishes: TokenWishes,
        form: Option<&str>,
    ) -> Result<MadeToken, MakeTokenError> {
        let now = self.clock.now();
        let theirs = self.store.api_tokens().of_user(user_id).await?;
        if theirs.iter().filter(|token| token.lasts_at(now)).count() >= TOKENS_OF_A_USER {
            return Err(MakeTokenError::TooMany);
        }
        let mut bytes = Zeroizing::new([0; KEY + 32]);
        getrandom::fill(bytes.as_mut())?;
        if let Some(form) = form {
            let named = Sha256::digest(format!("{user_id} {form}"));
            bytes[..KEY].copy_from_slice(&named[..KEY]);
        }
        let (of_key, of_secret) = bytes.split_at(KEY);
        let key: String = of_key.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect();
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(of_secret));
        let new = NewApiToken {
            user_id,
            key: key.clone(),
            secret_hash: hash(&secret),
            description: wishes.description,
            expires_at: wishes.expires_at,
            allowed_addresses: wishes.allowed_addresses.iter().map(ToString::to_string).collect(),
            read_only: wishes.read_only,
        };
        let token = match self.store.api_tokens().create(new, now).await {
            Err(store::Error::Conflict(taken)) => {
                let before = self.store.api_tokens().find_by_key(&key).await?;
                let before = before.ok_or(MakeTokenError::Store(store::Error::Conflict(taken)))?;
                return Err(MakeTokenError::Before(Box::new(before)));
            }
            made => made?,
        };
        tracing::info!(user_id, token.key, "an API token was made");
        Ok(MadeToken { token, text: SecretString::from(format!("{PREFIX}{key}.{}", *secret)) })
    }

    /// Whom a token lets in, sent from this address; `None` is a text that cannot be one. `writes` is whether the request
    /// changes something.
    pub async fn authenticate(
        &self,
        presented: Option<&PresentedToken>,
        address: &str,
        writes: bool,
    ) -> Result<TokenUser, TokenError> {
        let now = self.clock.now();
        let sent = presented.map(PresentedToken::hash);
        let found = match presented {
            Some(presented) => self.store.api_tokens().find_by_key(&presented.key).await?,
            None => None,
        };
        let fits = |token: &ApiToken| sent.is_some_and(|sent| bool::from(token.secret_hash.0.ct_eq(&sent.0)));
        let Some(token) = found.filter(fits) else {
            if let Some(retry_after) = self.throttle.wait_of_address(address, now) {
                return Err(TokenError::Throttled { retry_after });
            }
            self.throttle.failed_from_address(address, now);
            tracing::info!(address, "an API token was refused");
            return Err(TokenError::Denied { why: TokenDenied::Invalid, token: None });
        };
        let user = match self.judge(&token, now).await {
            Ok(user) => user,
            Err(error) => {
                self.known().remove(&token.secret_hash.0);
                return Err(error);
            }
        };
        let denied = |why| Err(TokenError::Denied { why, token: Some(Box::new(token.clone())) });
        if !is_allowed(&token.allowed_addresses, address) {
            return denied(TokenDenied::Address(address.to_owned()));
        }
        if writes && token.read_only {
            return denied(TokenDenied::ReadOnly);
        }
        self.note_use(&token, now, address);
        Ok(TokenUser { token, user })
    }

    /// Whom a token that was let in still lets in: for what goes on after its request.
    ///
    /// # Errors
    /// What ended it, or the database's failure.
    pub async fn still_lasts(&self, token_id: i64) -> Result<TokenUser, TokenError> {
        let token = match self.store.api_tokens().get(token_id).await {
            Err(store::Error::NotFound(_)) => {
                return Err(TokenError::Denied { why: TokenDenied::Invalid, token: None });
            }
            other => other?,
        };
        let user = self.judge(&token, self.clock.now()).await?;
        Ok(TokenUser { token, user })
    }

    /// What has become of a token and its user since it was made.
    async fn judge(&self, token: &ApiToken, now: Timestamp) -> Result<User, TokenError> {
        let denied = |why| Err(TokenError::Denied { why, token: Some(Box::new(token.clone())) });
        if let Some(at) = token.revoked_at {
            return denied(TokenDenied::Revoked(at));
        }
        if let Some(at) = token.expires_at.filter(|at| *at <= now) {
            return denied(TokenDenied::Expired(at));
        }
        let user = self.store.users().get(token.user_id).await?;
        if !user.is_active {
            return denied(TokenDenied::UserOff);
        }
        Ok(user)
    }

    /// Writes a use down, once a minute, beside the request: that neither waits for it nor fails with it.
    fn note_use(&self, token: &ApiToken, now: Timestamp, address: &str) {
        {
            let mut known = self.known();
            if known.len() >= REMEMBERED {
                known.clear();
            }
            let written = known.get(&token.secret_hash.0).copied().max(token.last_used_at);
            let is_due = written.is_none_or(|written| between(written, now) >= USE_EVERY);
            known.insert(token.secret_hash.0, if is_due { now } else { written.unwrap_or(now) });
            if !is_due {
                return;
            }
        }
        let (store, id, key) = (self.store.clone(), token.id, token.key.clone());
        let address = address.to_owned();
        tokio::spawn(store::in_background(async move {
            if let Err(error) = store.api_tokens().used(id, now, &address).await {
                tracing::warn!(key, %error, "the use of an API token was not noted");
            }
        }));
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Timestamp>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an address is in one of the networks. One that cannot be read is in none.
fn is_allowed(networks: &[String], address: &str) -> bool {
    let address = address.parse().map(|address: IpAddr| address.to_canonical());
    let holds = |network: &String| match (network.parse::<IpNet>(), &address) {
        (Ok(network), Ok(address)) => network.contains(address),
        _ => false,
    };
    networks.is_empty() || networks.iter().any(holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_token_is_not_looked_up() {
        let secret = "s".repeat(SECRET);
        assert_eq!(PresentedToken::parse(&format!("nbt_abcdefghijkm.{secret}")).unwrap().key(), "abcdefghijkm");
        for bad in [
            String::new(),
            "nbt_".to_owned(),
            format!("abcdefghijkm.{secret}"),
            format!("nbt_abcdefghijk.{secret}"),
            format!("nbt_abcdefghijkm{secret}"),
            format!("nbt_abcdefghijkm.{secret}s"),
            format!("nbt_abcdefghij'm.{secret}"),
            format!("nbt_abcdefghijkm.{}é", "s".repeat(SECRET - 2)),
            format!("NBT_abcdefghijkm.{secret}"),
        ] {
            assert!(PresentedToken::parse(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_in_no_debug() {
        let secret = "s".repeat(SECRET);
        let presented = PresentedToken::parse(&format!("nbt_abcdefghijkm.{secret}")).unwrap();
        assert!(!format!("{presented:?}").contains(&secret));
    }

    #[test]
    fn addresses_are_held_against_networks() {
        let networks = ["10.1.0.0/16".to_owned(), "2001:db8::/32".to_owned()];
        for inside in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"] {
            assert!(is_allowed(&networks, inside), "{inside}");
        }
        for outside in ["10.2.0.1", "2001:db9::1", "unknown", ""] {
            assert!(!is_allowed(&networks, outside), "{outside}");
        }
        assert!(is_allowed(&[], "unknown"), "without networks from anywhere");
        assert!(!is_allowed(&["nonsense".to_owned()], "10.1.2.3"), "what cannot be read lets nobody in");
    }
}
