//! The way to the provider and back: authorization code flow with PKCE (S256), state and nonce.

use crate::discovery::{Discovery, Metadata, discover};
use crate::identity::{self, Identity};
use crate::transport::{self, Failed, whole};
use crate::{Error, Settings};
use chrono::{DateTime, Utc};
use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{
    CoreAuthPrompt, CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
    CoreIdToken, CoreIdTokenVerifier, CoreJwsSigningAlgorithm, CoreRequestTokenError,
};
use openidconnect::{
    AccessToken, AdditionalClaims, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    SignatureVerificationError, SubjectIdentifier, TokenResponse, UserInfoClaims,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;
use url::Url;

/// How long a logout waits to see whether the provider is there.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// How far the provider's clock and ours may be apart.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// Signatures that are believed: of keys that only the provider has. Not `none`, and not those that our own secret makes.
const SIGNATURES: &[CoreJwsSigningAlgorithm] = &[
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// What a person goes to the provider for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// To log in; whoever is logged in there comes back at once.
    LogIn,
    /// To prove once more who it is; the provider asks in any case.
    ProveAgain,
}

/// What is remembered while a browser is away.
#[derive(Clone, Serialize, Deserialize)]
pub struct Pending {
    /// The word that comes back in the address.
    pub state: String,
    nonce: String,
    verifier: String,
    redirect: String,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pending(..)")
    }
}

/// The way there, and what is remembered meanwhile.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser is led.
    pub url: Url,
    /// What is remembered.
    pub pending: Pending,
}

/// Claims beside those that the standard names.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Others {
    #[serde(flatten)]
    all: Map<String, Value>,
}
impl AdditionalClaims for Others {}

/// One provider.
#[derive(Debug)]
pub struct Provider {
    settings: Settings,
    http: reqwest::Client,
    discovery: Discovery,
}

impl Provider {
    /// A provider with these settings; it is not asked anything yet.
    ///
    /// # Errors
    /// When the file of certificate authorities cannot be used.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        Ok(Self { http: transport::client(&settings)?, settings, discovery: Discovery::default() })
    }

    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Begins a login: `redirect` is our address that the browser comes back to.
    pub async fn begin(&self, redirect: &Url, why: Why) -> Result<Begun, Error> {
        let metadata = self.discovery.metadata(&self.http, &self.settings).await?;
        let client = CoreClient::from_provider_metadata(
            (*metadata).clone(),
            ClientId::new(self.settings.client_id.clone()),
            None,
        )
        .set_redirect_uri(RedirectUrl::from_url(redirect.clone()));
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new_random_len(32),
                || Nonce::new_random_len(32),
            )
            .set_pkce_challenge(challenge);
        for scope in self.settings.scopes.iter().filter(|scope| *scope != "openid") {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        if why == Why::ProveAgain {
            request = request.add_prompt(CoreAuthPrompt::Login).set_max_age(Duration::ZERO);
        }
        let (url, state, nonce) = request.url();
        let pending = Pending {
            state: state.secret().clone(),
            nonce: nonce.secret().clone(),
            verifier: verifier.secret().clone(),
            redirect: redirect.to_string(),
        };
        Ok(Begun { url, pending })
    }

    /// Turns the code that a browser brought into who it is. That the state is the remembered one is for the caller to
    /// compare before.
    pub async fn finish(&self, pending: &Pending, code: SecretString, now: Timestamp) -> Result<Identity, Error> {
        let metadata = self.discovery.metadata(&self.http, &self.settings).await?;
        let (id_token, access_token) = self.exchange(&metadata, pending, code).await?;
        let authenticated_at = match self.check(&metadata, &id_token, pending, now) {
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_),
            )) => {
                // The provider may have new keys.
                let metadata = self.discovery.anew(&self.http, &self.settings).await?;
                self.check(&metadata, &id_token, pending, now)
            }
            checked => checked,
        };
        let (subject, authenticated_at) = authenticated_at.map_err(|error| not_acceptable(&error))?;
        let text = id_token.to_string();
        let mut claims = identity::claims_of(&text)?;
        if !claims.contains_key(&self.settings.groups_claim) || !claims.contains_key(&self.settings.username_claim) {
            // What the token says goes before what is asked for afterwards.
            for (name, value) in self.more(&metadata, access_token, &subject).await? {
                claims.entry(name).or_insert(value);
            }
        }
        let username = identity::username(&claims, &self.settings).ok_or_else(|| {
            Error::refused(format!(
                "The provider says nothing that can be a user's name: the claim '{}' is missing, empty or not confirmed.",
                self.settings.username_claim
            ))
        })?;
        Ok(Identity {
            issuer: self.settings.issuer.clone(),
            subject: subject.to_string(),
            username,
            groups: identity::groups(&claims, &self.settings),
            authenticated_at,
            id_token: SecretString::from(text),
        })
    }

    /// Where a logout leads to, when the provider takes part in it and answers. Only an address of the issuer's own origin: pages let
    /// their forms lead nowhere else.
    pub async fn logout(&self, id_token: Option<&SecretString>, back: &Url) -> Result<Option<Url>, Error> {
        let metadata = self.discovery.metadata(&self.http, &self.settings).await?;
        let Some(door) = metadata.additional_metadata().end_session_endpoint.as_ref() else { return Ok(None) };
        let mut url = door.url().clone();
        if url.origin().ascii_serialization() != self.origin() {
            tracing::warn!(issuer = self.settings.issuer, "the provider's logout is at another origin and is left out");
            return Ok(None);
        }
        // A browser that is led to nobody shows an error in place of the logout that has happened.
        let answer = tokio::time::timeout(ANSWERS_WITHIN, discover(&self.http, &self.settings)).await;
        answer.map_err(|_| Error::unavailable("The provider of the login does not answer."))??;
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("client_id", &self.settings.client_id);
            query.append_pair("post_logout_redirect_uri", back.as_str());
            if let Some(token) = id_token {
                query.append_pair("id_token_hint", token.expose_secret());
            }
        }
        Ok(Some(url))
    }

    /// The origin of the issuer.
    pub fn origin(&self) -> String {
        Url::parse(&self.settings.issuer).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
    }

    async fn exchange(
        &self,
        metadata: &Metadata,
        pending: &Pending,
        code: SecretString,
    ) -> Result<(CoreIdToken, AccessToken), Error> {
        let redirect = RedirectUrl::new(pending.redirect.clone())
            .map_err(|_| Error::refused("The address to come back to cannot be read."))?;
        let client = CoreClient::from_provider_metadata(
            metadata.clone(),
            ClientId::new(self.settings.client_id.clone()),
            Some(ClientSecret::new(self.settings.client_secret.expose_secret().to_owned())),
        )
        .set_redirect_uri(redirect)
        .set_auth_type(auth_type(metadata));
        let ask = |request| transport::send(self.http.clone(), request);
        let answer = client
            .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
            .map_err(|_| Error::unavailable("The provider names no door for its tokens."))?
            .set_pkce_verifier(PkceCodeVerifier::new(pending.verifier.clone()))
            .request_async(&ask)
            .await
            .map_err(not_exchanged)?;
        let id_token = answer
            .id_token()
            .ok_or_else(|| Error::unavailable("The provider sent no ID token, which OpenID Connect demands."))?;
        Ok((id_token.clone(), answer.access_token().clone()))
    }

    /// Signature, issuer, audience, nonce and times; gives the subject and when it proved itself.
    fn check(
        &self,
        metadata: &Metadata,
        id_token: &CoreIdToken,
        pending: &Pending,
        now: Timestamp,
    ) -> Result<(SubjectIdentifier, Option<Timestamp>), ClaimsVerificationError> {
        let earliest = utc(now - SKEW);
        let latest = utc(now + SKEW);
        let verifier = CoreIdTokenVerifier::new_confidential_client(
            ClientId::new(self.settings.client_id.clone()),
            ClientSecret::new(self.settings.client_secret.expose_secret().to_owned()),
            metadata.issuer().clone(),
            metadata.jwks().clone(),
        )
        .set_allowed_algs(SIGNATURES.iter().cloned())
        .set_time_fn(move || earliest)
        .set_issue_time_verifier_fn(move |issued| {
            if issued > latest { Err("it was issued in the future".to_owned()) } else { Ok(()) }
        });
        let claims = id_token.claims(&verifier, &Nonce::new(pending.nonce.clone()))?;
        let authenticated_at = claims.auth_time().and_then(|at| Timestamp::from_second(at.timestamp()).ok());
        Ok((claims.subject().clone(), authenticated_at))
    }

    /// What the provider says of the person beyond the ID token.
    async fn more(
        &self,
        metadata: &Metadata,
        access_token: AccessToken,
        subject: &SubjectIdentifier,
    ) -> Result<Map<String, Value>, Error> {
        let client =
            CoreClient::from_provider_metadata(metadata.clone(), ClientId::new(self.settings.client_id.clone()), None);
        // A provider without this door has said everything.
        let Ok(request) = client.user_info(access_token, Some(subject.clone())) else { return Ok(Map::new()) };
        let ask = |request| transport::send(self.http.clone(), request);
        let claims: UserInfoClaims<Others, CoreGenderClaim> = request.request_async(&ask).await.map_err(|error| {
            tracing::warn!(issuer = self.settings.issuer, error = whole(&error), "userinfo could not be read");
            Error::unavailable("The provider did not say who you are beyond your number there.")
        })?;
        match serde_json::to_value(&claims) {
            Ok(Value::Object(claims)) => Ok(claims),
            _ => Ok(Map::new()),
        }
    }
}

/// The way that the provider takes our secret; in the header unless it says that it does not.
fn auth_type(metadata: &Metadata) -> AuthType {
    match metadata.token_endpoint_auth_methods_supported() {
        Some(ways) if !ways.contains(&CoreClientAuthMethod::ClientSecretBasic) => AuthType::RequestBody,
        _ => AuthType::BasicAuth,
    }
}

fn utc(time: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp(time.as_second(), 0).unwrap_or_default()
}

/// Why a code was not taken.
fn not_exchanged(error: CoreRequestTokenError<Failed>) -> Error {
    match error {
        RequestTokenError::ServerResponse(said) => match said.error() {
            CoreErrorResponseType::InvalidGrant => Error::refused(
                "The provider does not take the code of this login: it was used before, or too much time has passed.",
            ),
            CoreErrorResponseType::InvalidClient | CoreErrorResponseType::UnauthorizedClient => {
                tracing::error!(error = said.error().as_ref(), "the OpenID provider refused our own credentials");
                Error::misconfigured(
                    "The provider does not accept Hedgerow itself: openid.client_id or openid.client_secret is wrong.",
                )
            }
            other => {
                tracing::warn!(error = other.as_ref(), "the OpenID provider refused a code");
                Error::refused("The provider does not take the code of this login.")
            }
        },
        RequestTokenError::Request(error) => {
            tracing::warn!(error = whole(&error), "the OpenID provider gave no answer to a code");
            Error::unavailable("The provider of the login does not answer.")
        }
        // What it sent may hold tokens, so only that it cannot be read is said.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            tracing::warn!("the OpenID provider answered a code with something that cannot be read");
            Error::unavailable("The provider answers with something that is no answer to a login.")
        }
    }
}

/// Why an ID token is not believed.
fn not_acceptable(error: &ClaimsVerificationError) -> Error {
    tracing::warn!(error = whole(error), "an ID token was refused");
    Error::refused(match error {
        ClaimsVerificationError::Expired(_) => {
            "What the provider sent is no longer valid, or not yet: its clock and Hedgerow's are apart."
        }
        ClaimsVerificationError::InvalidNonce(_) => "What the provider sent belongs to another login than this one.",
        ClaimsVerificationError::InvalidAudience(_) => "What the provider sent is meant for another program.",
        ClaimsVerificationError::InvalidIssuer(_) => "What the provider sent comes from somebody else.",
        ClaimsVerificationError::SignatureVerification(_) | ClaimsVerificationError::Unsupported(_) => {
            "What the provider sent is not signed with a key of the provider."
        }
        ClaimsVerificationError::Other(_) => {
            "What the provider sent cannot be believed: a time or a claim in it makes no sense."
        }
        _ => "What the provider sent cannot be believed.",
    })
}
