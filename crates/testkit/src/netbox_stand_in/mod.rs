//! A stand-in for the predecessor: NetBox 4.3.3 with the plugin that Hedgerow replaces.
//!
//! It is **no NetBox**, and holds no line of NetBox's or of the plugin's. It is written by us, from what was observed when
//! the predecessor was run beside a real API server, and it behaves as that did, **defects included**: what is wrong here
//! is wrong on purpose. It exists to prove that `hedgerow verify` sees those defects. Where the observations are silent, it
//! does what is simplest, and nothing may be concluded from that about the predecessor.
//!
//! Its clusters are real: a sync asks the API server that the fabric names, and what comes back decides.
//!
//! ```text
//! site      what it keeps: people, sessions, fabrics
//! server    a port, and a few workers; a request that never ends keeps its worker
//! request   a request, read once; answers
//! routes    which address is what, and who is refused before that
//! csrf      Django's check, with its masked tokens and its page of 1,004 bytes
//! login     login, logout and their cookies
//! pages     home, list and fabric; their script stands in press.js and is put into the page
//! sync      the sync request
//! cluster   what a sync asks a cluster, and how it misreads the answer
//! rest      the REST API, which shows the cluster's token
//! ```

mod cluster;
mod csrf;
mod login;
mod pages;
mod request;
mod rest;
mod routes;
mod server;
mod site;
mod sync;

use std::sync::Arc;

use anyhow::Result;
use jiff::Timestamp;

use server::Server;
use site::Site;

/// How a stand-in is started.
pub struct StandInOptions {
    /// Who can log in.
    pub users: Vec<StandInUser>,
    /// How many requests are worked on at a time; as many that never end stop the whole site.
    pub workers: usize,
}

impl Default for StandInOptions {
    fn default() -> Self {
        Self { users: Vec::new(), workers: 6 }
    }
}

/// A person.
#[derive(Clone)]
pub struct StandInUser {
    /// The name to log in with.
    pub name: String,
    /// The password.
    pub password: String,
    /// Whether this person may sync; everybody may look.
    pub may_sync: bool,
    /// A token for the REST API, which may only look.
    pub token: Option<String>,
}

impl StandInUser {
    /// A person without a token.
    pub fn new(name: &str, password: &str, may_sync: bool) -> Self {
        Self { name: name.to_owned(), password: password.to_owned(), may_sync, token: None }
    }
}

/// The status that is stored of a fabric. It decides nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StandInStatus {
    /// Nobody pressed the button yet.
    #[default]
    NeverSynced,
    /// What a sync stores that had nothing to complain of.
    InSync,
    /// As old versions left it.
    OutOfSync,
    /// As a sync leaves it that was killed.
    Syncing,
    /// As old versions left it.
    Error,
}

impl StandInStatus {
    /// As the REST API and the database have it.
    pub fn raw(self) -> &'static str {
        match self {
            Self::NeverSynced => "never_synced",
            Self::InSync => "in_sync",
            Self::OutOfSync => "out_of_sync",
            Self::Syncing => "syncing",
            Self::Error => "error",
        }
    }

    /// As pages have it.
    pub fn words(self) -> &'static str {
        match self {
            Self::NeverSynced => "Never Synced",
            Self::InSync => "In Sync",
            Self::OutOfSync => "Out of Sync",
            Self::Syncing => "Syncing",
            Self::Error => "Sync Error",
        }
    }
}

/// A fabric as it is stored.
#[derive(Clone)]
pub struct StandInFabric {
    /// Its name.
    pub name: String,
    /// The address of its cluster's API server, if one was entered.
    pub server: Option<String>,
    /// The token that is shown to that server.
    pub token: String,
    /// The authority that signed that server's certificate. Without one certificates are not looked at; with one, even the
    /// right one, every certificate is refused.
    pub ca: Option<String>,
    /// The stored status.
    pub status: StandInStatus,
    /// The stored state of the connection, such as `disconnected`.
    pub connection_status: String,
    /// A stored error, which never goes away.
    pub error: Option<String>,
    /// When a sync last thought that it had done something.
    pub last_sync: Option<Timestamp>,
}

impl Default for StandInFabric {
    fn default() -> Self {
        Self {
            name: "fabric".to_owned(),
            server: None,
            token: String::new(),
            ca: None,
            status: StandInStatus::default(),
            connection_status: "unknown".to_owned(),
            error: None,
            last_sync: None,
        }
    }
}

/// The running stand-in, on a port of its own. Dropped, it is gone with all its connections.
pub struct NetboxStandIn {
    site: Arc<Site>,
    server: Server,
}

impl NetboxStandIn {
    /// Starts one, without fabrics.
    pub async fn start(options: StandInOptions) -> Result<Self> {
        // Its requests to clusters are HTTPS.
        crate::tls::install_provider();
        let workers = options.workers;
        let site = Arc::new(Site::new(options.users));
        let server = Server::start(site.clone(), workers).await?;
        Ok(Self { site, server })
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Stores a fabric, and says under which number.
    pub fn add_fabric(&self, fabric: StandInFabric) -> u64 {
        self.site.add(fabric)
    }

    /// How many syncs of this fabric were begun.
    pub fn syncs(&self, id: u64) -> u64 {
        self.site.syncs(id)
    }

    /// The status that is stored of this fabric, if there is one of this number.
    pub fn stored_status(&self, id: u64) -> Option<StandInStatus> {
        self.site.fabric(id).map(|fabric| fabric.status)
    }

    /// When a sync of this fabric last thought that it had done something.
    pub fn last_sync(&self, id: u64) -> Option<Timestamp> {
        self.site.fabric(id).and_then(|fabric| fabric.last_sync)
    }

    /// Ends every session, as when their fourteen days are over: the browsers still send their cookies.
    pub fn end_sessions(&self) {
        self.site.end_sessions();
    }
}
