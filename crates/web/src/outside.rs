//! Logins from outside, as they are set: by an OpenID Connect provider, and by a proxy that names the user. Each is off
//! until it is set.

use auth::Mapping;
use http::HeaderName;
use openid::Provider;

/// The provider that people log in by.
#[derive(Debug)]
pub struct Openid {
    /// The provider.
    pub provider: Provider,
    /// Its name, as the button says it.
    pub name: String,
    /// What becomes of what it says.
    pub mapping: Mapping,
}

/// What a trusted proxy says of who asks.
#[derive(Debug)]
pub struct HeaderLogin {
    /// The header that names the user.
    pub user: HeaderName,
    /// The header that lists the groups.
    pub groups: Option<HeaderName>,
    /// What becomes of what it says.
    pub mapping: Mapping,
}
