//! One OpenID Connect provider: where its doors are, the way there and back, and what it says of who came.
//!
//! [`Provider::begin`] gives the address that a browser is led to, and what has to be remembered until it is back;
//! [`Provider::finish`] turns the code that it brings into an [`Identity`], or says why not. The authorization code flow
//! with PKCE and a nonce, and nothing else. What is remembered, in whose browser, and who may log in as whom is decided in
//! the rooms `web` and `auth`; nothing here knows users, cookies or the database. This is the only room that knows
//! `openidconnect`, and the only one that asks a provider.

mod discovery;
mod error;
mod identity;
mod provider;
mod transport;

pub use error::Error;
pub use identity::Identity;
pub use provider::{Begun, Pending, Provider, Why};

use secrecy::SecretString;
use std::path::PathBuf;

/// What is set of a provider.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its issuer, exactly as its own discovery document writes it.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// Our secret there.
    pub client_secret: SecretString,
    /// What is asked for; `openid` is among it in any case.
    pub scopes: Vec<String>,
    /// The claim that names a new user.
    pub username_claim: String,
    /// The claim that lists the groups.
    pub groups_claim: String,
    /// A file of certificate authorities in PEM that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}
