//! The console of one process, put together: data folder, database, key, engine, pages. `serve` starts one as it is,
//! `demo` puts fabrics into it first.

use crate::backup;
use crate::data_dir::{self, Lock};
use crate::database;
use crate::metrics_listener::MetricsListener;
use crate::monitor::{self, Monitor};
use crate::settings::{Settings, Token};
use anyhow::Context as _;
use auth::{Clock, Limits, MasterKey, Passwords, Place, Sealer, Sessions, SystemClock, ThrottleLimits};
use axum::Router;
use engine::Engine;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::{NewUser, Sealed, Store, Unique};
use tokio_util::sync::CancellationToken;
use web::{AppState, WebSettings};

/// Name of the first administrator.
const FIRST: &str = "admin";

/// Name of the key's file in the data folder.
pub(crate) const KEY_FILE: &str = "secret.key";

/// How often what nobody needs any more is removed.
const HOUSEKEEPING: Duration = Duration::from_secs(3600);

/// Data folder, database and key, open; nothing runs yet.
pub(crate) struct Opened {
    /// The data folder.
    pub(crate) folder: PathBuf,
    /// The database.
    pub(crate) store: Store,
    /// The door to secrets at rest.
    pub(crate) sealer: Sealer,
    key: MasterKey,
    lock: Lock,
    metrics: Option<MetricsListener>,
}

impl Opened {
    /// Takes the data folder for this process, opens the database and brings it up to date.
    pub(crate) async fn new(settings: &Settings) -> anyhow::Result<Self> {
        let metrics = MetricsListener::bind(settings)?;
        let folder = data_dir::open(&settings.data)?;
        let lock = data_dir::lock(&folder)?;
        let store = database::open_in(settings, &folder).await?;
        backup::settle_moved(&store).await?;
        let key =
            MasterKey::open(&store, &key_file(settings, &folder)).await.context("cannot use the key of the secrets")?;
        let sealer = Sealer::new(&key);
        Ok(Self { folder, store, sealer, key, lock, metrics })
    }

    /// Makes the first administrator when there is no user, and gives the password, which is kept nowhere.
    pub(crate) async fn first_administrator(&self) -> anyhow::Result<Option<FirstAdministrator>> {
        if self.store.users().count().await.context("cannot count the users")? > 0 {
            return Ok(None);
        }
        let password = auth::first_password().context("cannot make the first password")?;
        let hash = Passwords::default().hash(password.clone()).await.context("cannot hash the first password")?;
        let new = NewUser { username: FIRST.to_owned(), password_hash: hash, is_superuser: true, is_active: true };
        let now = SystemClock.now();
        let author = auth::Actor::System("first start").author("", now);
        match self.store.users().by(&author).create(new, now).await {
            Ok(user) => Ok(Some(FirstAdministrator { username: user.username, password })),
            // Another server, on the same PostgreSQL, was first; it prints the password.
            Err(store::Error::Conflict(Unique::Username)) => Ok(None),
            Err(error) => Err(error).context("cannot create the first administrator"),
        }
    }
}

/// The first administrator, whose password is printed once.
pub(crate) struct FirstAdministrator {
    /// Name.
    pub(crate) username: String,
    /// Password.
    pub(crate) password: SecretString,
}

/// A console whose background work runs.
pub(crate) struct Console {
    state: AppState,
    housekeeping: tokio::task::JoinHandle<()>,
    _lock: Lock,
}

impl Console {
    /// Starts the engine and makes the pages; `tls` says whether this process ends TLS itself. `stop` ends the streams of
    /// the pages that are open, and takes the probe of readiness back.
    pub(crate) async fn start(
        opened: Opened,
        settings: &Settings,
        tls: bool,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let Opened { folder, store, sealer, key, lock, metrics } = opened;
        let unseal = move |fabric: i64, column: &'static str, sealed: &Sealed| {
            sealer.open(Place::fabric(column, fabric), sealed).map_err(|error| error.to_string())
        };
        let engine = Engine::start(
            store.clone(),
            Arc::new(unseal),
            engine_settings(settings, &folder),
            Arc::new(|| SystemClock.now()),
        )
        .await
        .context("cannot start the engine")?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let limits = Limits {
            idle: settings.session_idle,
            absolute: settings.session_absolute,
            warn_before: settings.session_warn_before,
            reauthenticate: settings.session_reauthenticate,
        };
        let sessions = Sessions::new(store.clone(), clock.clone(), limits, ThrottleLimits::default());
        if let Some(metrics) = metrics {
            let answering = metrics.serve(engine.clone(), stop.clone());
            tokio::spawn(async move {
                if let Err(error) = answering.await {
                    tracing::error!(error = format!("{error:#}"), "the metrics are not answered any more");
                }
            });
        }
        let housekeeping = tokio::spawn(keep_house(store.clone(), sessions.clone(), settings.activity_keep));
        let web = web_settings(settings, &folder, tls)?;
        let state = AppState::new(store, sessions, &key, engine, web, clock, stop);
        Ok(Self { state, housekeeping, _lock: lock })
    }

    /// The pages.
    pub(crate) fn router(&self) -> Router {
        web::router(self.state.clone())
    }

    /// The engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.state.engine
    }

    /// Begins to walk the console's own front door.
    pub(crate) fn watched_by(&self, monitor: Monitor) -> monitor::Running {
        let state = &self.state;
        monitor.start(state.store.clone(), state.sessions.clone(), state.clock.clone())
    }

    /// Ends the background work, then the database.
    pub(crate) async fn close(self) {
        self.housekeeping.abort();
        self.state.engine.stop().await;
        self.state.store.clone().close().await;
        tracing::info!("ended");
    }
}

/// Removes sessions and API tokens that ended, and attempts and changes that were made long ago. A failure is only noted:
/// the next hour tries again.
async fn keep_house(store: Store, sessions: Sessions, keep: Duration) {
    let keep = SignedDuration::try_from(keep).unwrap_or(SignedDuration::MAX);
    if let Err(error) = sessions.passwords().warm_up().await {
        tracing::warn!(%error, "the hash for unknown users could not be made");
    }
    loop {
        match sessions.purge().await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "old sessions were removed"),
            Err(error) => tracing::warn!(%error, "old sessions could not be removed"),
        }
        let long_ago = SystemClock.now().checked_sub(keep).unwrap_or(Timestamp::MIN);
        match store.api_tokens().purge(long_ago).await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "old API tokens were removed"),
            Err(error) => tracing::warn!(%error, "old API tokens could not be removed"),
        }
        match store.attempts().purge(long_ago).await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "old attempts were removed"),
            Err(error) => tracing::warn!(%error, "old attempts could not be removed"),
        }
        match store.changes().purge(SystemClock.now().checked_sub(keep).unwrap_or(Timestamp::MIN)).await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "old changes were removed"),
            Err(error) => tracing::warn!(%error, "old changes could not be removed"),
        }
        tokio::time::sleep(HOUSEKEEPING).await;
    }
}

fn engine_settings(settings: &Settings, folder: &Path) -> engine::Settings {
    engine::Settings {
        compare_interval: settings.compare_interval,
        parallel_comparisons: settings.schedule_parallel_comparisons,
        parallel_syncs: settings.schedule_parallel_syncs,
        freshness: settings.compare_freshness,
        watch: settings.compare_watch,
        lease: settings.operation_lease,
        parallel: settings.operation_parallel,
        retries: settings.operation_retries,
        rollout_wait: settings.rollout_wait,
        fetch_timeout: settings.source_fetch_timeout,
        allow_file: settings.source_allow_file,
        verify_every: settings.verify_every,
        cluster: cluster::Limits {
            connect: settings.cluster_connect_timeout,
            request: settings.cluster_timeout,
            concurrency: settings.cluster_parallel,
            page: settings.cluster_page_size,
        },
        source: model::manifest::Limits {
            file_bytes: settings.source_file_size.0,
            files: settings.source_files,
            objects: settings.source_objects,
            depth: settings.source_depth,
        },
        ..engine::Settings::new(folder.to_owned())
    }
}

/// Where the key of the secrets is.
pub(crate) fn key_file(settings: &Settings, folder: &Path) -> PathBuf {
    settings.secret_key_file.clone().unwrap_or_else(|| folder.join(KEY_FILE))
}

/// The provider that people log in by, when one is set.
fn openid(settings: &Settings) -> anyhow::Result<Option<Arc<web::Openid>>> {
    let Some((issuer, client_id)) = settings.openid_issuer.clone().zip(settings.openid_client_id.clone()) else {
        return Ok(None);
    };
    let provider = openid::Provider::new(openid::Settings {
        issuer: issuer.0,
        client_id,
        client_secret: settings.openid_secret()?,
        scopes: settings.openid_scopes.0.clone(),
        username_claim: settings.openid_username_claim.clone(),
        groups_claim: settings.openid_groups_claim.clone(),
        ca_file: settings.openid_ca_file.clone(),
    })
    .context("cannot set up the login by OpenID Connect")?;
    let mapping = auth::Mapping {
        groups: settings.openid_groups.0.clone(),
        superuser_group: settings.openid_superuser_group.clone(),
        create_users: settings.openid_create_users,
    };
    Ok(Some(Arc::new(web::Openid { provider, name: settings.openid_name.clone(), mapping })))
}

/// What a trusted proxy says of who asks, when that is believed.
fn header_login(settings: &Settings) -> Option<Arc<web::HeaderLogin>> {
    let user = settings.header_auth_user.as_ref()?.0.clone();
    let mapping = auth::Mapping {
        groups: settings.header_auth_mapping.0.clone(),
        superuser_group: None,
        create_users: settings.header_auth_create_users,
    };
    let groups = settings.header_auth_groups.as_ref().map(|header| header.0.clone());
    Some(Arc::new(web::HeaderLogin { user, groups, mapping }))
}

fn web_settings(settings: &Settings, folder: &Path, tls: bool) -> anyhow::Result<WebSettings> {
    Ok(WebSettings {
        tls,
        trusted_proxies: settings.trusted_proxies.clone(),
        public_url: settings.public_url.as_ref().map(|url| url.origin()),
        allow_file: settings.source_allow_file,
        metrics_token: settings.metrics_token.as_ref().map(Token::expose),
        data: Some(folder.to_owned()),
        key_file: Some(key_file(settings, folder)),
        shortest_interval: u32::try_from(settings.schedule_shortest_interval.as_secs()).unwrap_or(u32::MAX),
        verify_every: settings.verify_every,
        verify_username: settings.verify_every.and(settings.verify_username.clone()),
        openid: openid(settings)?,
        header_login: header_login(settings),
    })
}
