//! What the provider says of itself: its doors and its keys. Asked for when it is first needed, kept, and asked for again
//! when it is old or when a token is signed with a key that is not known. A provider that does not answer for a while is
//! used by what it said last.

use crate::transport::{self, whole};
use crate::{Error, Settings};
use openidconnect::{DiscoveryError, IssuerUrl, ProviderMetadataWithLogout};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// After this long it is asked for again.
const FRESH: Duration = Duration::from_secs(600);
/// For this long it is used when the provider does not answer.
const USABLE: Duration = Duration::from_secs(24 * 3600);
/// No more often than this because of keys that are not known: whoever sends such tokens does not make us ask.
const SELDOM: Duration = Duration::from_secs(5);

/// For this long a failure is everybody's: those who wait their turn do not each wait for a provider that is down.
const FAILED: Duration = Duration::from_secs(1);

/// What a provider says of itself, keys included.
pub(crate) type Metadata = ProviderMetadataWithLogout;

/// What was learned last, and when; and how asking failed last, if it did.
#[derive(Debug, Default)]
struct Known {
    good: Option<(Instant, Arc<Metadata>)>,
    failed: Option<(Instant, Error)>,
}

/// What was learned, and when.
#[derive(Debug, Default)]
pub(crate) struct Discovery {
    known: Mutex<Known>,
}

impl Discovery {
    /// What the provider says of itself. Of several who ask at once, one asks the provider.
    pub(crate) async fn metadata(&self, http: &reqwest::Client, settings: &Settings) -> Result<Arc<Metadata>, Error> {
        self.no_older_than(FRESH, http, settings).await
    }

    /// The same, asked for anew because a key is not among the known ones.
    pub(crate) async fn anew(&self, http: &reqwest::Client, settings: &Settings) -> Result<Arc<Metadata>, Error> {
        self.no_older_than(SELDOM, http, settings).await
    }

    async fn no_older_than(
        &self,
        age: Duration,
        http: &reqwest::Client,
        settings: &Settings,
    ) -> Result<Arc<Metadata>, Error> {
        let mut known = self.known.lock().await;
        if let Some((at, metadata)) = known.good.as_ref()
            && at.elapsed() < age
        {
            return Ok(Arc::clone(metadata));
        }
        let recent = known.failed.as_ref().filter(|(at, _)| at.elapsed() < FAILED).map(|(_, error)| error.clone());
        let error = match recent {
            Some(error) => error,
            None => match discover(http, settings).await {
                Ok(metadata) => {
                    let metadata = Arc::new(metadata);
                    *known = Known { good: Some((Instant::now(), Arc::clone(&metadata))), failed: None };
                    return Ok(metadata);
                }
                Err(error) => {
                    known.failed = Some((Instant::now(), error.clone()));
                    error
                }
            },
        };
        match known.good.as_ref() {
            Some((at, metadata)) if at.elapsed() < USABLE => {
                tracing::warn!(%error, "the OpenID provider is used by what it said of itself before");
                Ok(Arc::clone(metadata))
            }
            _ => Err(error),
        }
    }
}

/// Asks a provider what it says of itself.
pub(crate) async fn discover(http: &reqwest::Client, settings: &Settings) -> Result<Metadata, Error> {
    let issuer = IssuerUrl::new(settings.issuer.clone())
        .map_err(|_| Error::misconfigured("The issuer of the OpenID provider is no address."))?;
    let ask = |request| transport::send(http.clone(), request);
    Metadata::discover_async(issuer, &ask).await.map_err(|error| {
        tracing::warn!(issuer = settings.issuer, error = whole(&error), "the OpenID provider could not be discovered");
        match error {
            DiscoveryError::Request(_) => Error::unavailable("The provider of the login does not answer."),
            DiscoveryError::Validation(_) => Error::misconfigured(
                "The provider of the login calls itself by another name than the setting openid.issuer does.",
            ),
            DiscoveryError::Response(status, ..) => {
                Error::unavailable(format!("The provider of the login answers with {}.", status.as_u16()))
            }
            _ => Error::unavailable("The provider of the login answers with something that is no OpenID document."),
        }
    })
}
