//! Fabrics: one Hedgehog control cluster each, with its credentials, its source and its policy.
//!
//! What cannot be meant cannot be stored: cluster and source are enums here and checks in the schema. Secrets are
//! sealed by the room `auth` before they come here, stand in columns of their own and are read by [`Fabrics::secrets`]
//! alone. All times of a fabric's status are derived from its operations and comparisons; none is stored here.

mod rows;
mod write;

use crate::scope::Scope;
use crate::sql::{Sql, args, like};
use crate::statements::fabrics as st;
use crate::{Author, Direction, Listed, Page, Result, Store, commit};
use jiff::Timestamp;
use model::policy::{Policy, Suspension};
pub(crate) use rows::invalid_sentence;
use rows::{fabric, sealed};
use std::fmt;
pub(crate) use write::get_in;
pub use write::{NewFabric, SecretChange, SecretChanges};

/// How a fabric's cluster is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cluster {
    /// Not configured yet.
    None,
    /// By a kubeconfig, which is a secret.
    Kubeconfig,
    /// By an address and one secret.
    Endpoint {
        /// Address of the API server.
        server: String,
        /// Certificates of the authority that signed its certificate; the system's when absent.
        ca_pem: Option<String>,
        /// What is shown to the API server.
        login: EndpointLogin,
    },
}

/// How an endpoint is logged in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointLogin {
    /// With a bearer token, which is a secret.
    Token,
    /// With a client certificate, whose key is a secret.
    Certificate {
        /// The certificate, and what leads to its authority, in PEM.
        pem: String,
    },
}

/// Where a fabric's desired state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In a repository that Hedgerow keeps.
    Local,
    /// In a remote repository.
    Remote {
        /// Address of the repository.
        url: String,
        /// How to log in to it.
        credential_kind: CredentialKind,
        /// The name that goes with the token or key; the server's habit when absent.
        username: Option<String>,
        /// The SSH host keys that are accepted.
        known_hosts: Option<String>,
    },
}

/// How to log in to a remote repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// Not at all.
    None,
    /// With a token over HTTPS.
    Token,
    /// With an SSH key.
    Ssh,
}

/// A fabric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fabric {
    /// Id.
    pub id: i64,
    /// Name, unique.
    pub name: String,
    /// What it is.
    pub description: String,
    /// How its cluster is reached.
    pub cluster: Cluster,
    /// Whether the API server's certificate is verified.
    pub verify_tls: bool,
    /// The namespace of its objects.
    pub namespace: String,
    /// Where its desired state is kept.
    pub source: Source,
    /// Branch of the source.
    pub branch: String,
    /// Folder of the manifests in the source; empty for all of it.
    pub path: String,
    /// Whether anything may be written to the cluster.
    pub sync_enabled: bool,
    /// How long an operation may take.
    pub deadline_seconds: u32,
    /// The cluster that it is: UID of the namespace `kube-system`.
    pub cluster_uid: Option<String>,
    /// Another cluster that answered and is not confirmed; nothing is written until it is. Where the fabric has none yet, the
    /// one that it cannot have, because another fabric manages its namespace there.
    pub cluster_seen_uid: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When a user last changed it.
    pub updated_at: Timestamp,
    /// Counts the changes; a change names the version that it was made from.
    pub version: i64,
    /// What it does by itself.
    pub policy: Policy,
    /// Who stopped its automatic syncs, if somebody did.
    pub suspension: Option<Suspension>,
}

/// The part of a fabric that a user edits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FabricSpec {
    /// Name, unique.
    pub name: String,
    /// What it is.
    pub description: String,
    /// How its cluster is reached.
    pub cluster: Cluster,
    /// Whether the API server's certificate is verified.
    pub verify_tls: bool,
    /// The namespace of its objects.
    pub namespace: String,
    /// Where its desired state is kept.
    pub source: Source,
    /// Branch of the source.
    pub branch: String,
    /// Folder of the manifests in the source; empty for all of it.
    pub path: String,
    /// Whether anything may be written to the cluster.
    pub sync_enabled: bool,
    /// How long an operation may take.
    pub deadline_seconds: u32,
    /// What it does by itself.
    pub policy: Policy,
}

impl Default for FabricSpec {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            cluster: Cluster::None,
            verify_tls: true,
            namespace: "default".into(),
            source: Source::Local,
            branch: "main".into(),
            path: String::new(),
            sync_enabled: true,
            deadline_seconds: 900,
            policy: Policy::default(),
        }
    }
}

impl Cluster {
    /// What is shown to the API server of an endpoint.
    pub fn login(&self) -> Option<&EndpointLogin> {
        match self {
            Self::Endpoint { login, .. } => Some(login),
            Self::None | Self::Kubeconfig => None,
        }
    }
}

impl EndpointLogin {
    /// The place for which the secret of such a login is sealed.
    pub const fn place(&self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Certificate { .. } => "client_key",
        }
    }
}

impl Fabric {
    /// The part that a user edits.
    pub fn spec(&self) -> FabricSpec {
        FabricSpec {
            name: self.name.clone(),
            description: self.description.clone(),
            cluster: self.cluster.clone(),
            verify_tls: self.verify_tls,
            namespace: self.namespace.clone(),
            source: self.source.clone(),
            branch: self.branch.clone(),
            path: self.path.clone(),
            sync_enabled: self.sync_enabled,
            deadline_seconds: self.deadline_seconds,
            policy: self.policy.clone(),
        }
    }

    /// Whether another cluster answers than the one that it is.
    pub fn has_other_cluster(&self) -> bool {
        self.cluster_uid.is_some() && self.cluster_seen_uid.is_some()
    }

    /// Whether there is a cluster to speak to.
    pub fn is_configured(&self) -> bool {
        self.cluster != Cluster::None
    }
}

/// A sealed secret: bytes that only the room `auth` can open.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// A fabric's secrets, sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FabricSecrets {
    /// The kubeconfig, for [`Cluster::Kubeconfig`].
    pub kubeconfig: Option<Sealed>,
    /// The one secret of [`Cluster::Endpoint`]: its token, or the key of its client certificate. The two are sealed for
    /// different places, so that a key is never opened as a token.
    pub endpoint: Option<Sealed>,
    /// The source's token, for [`CredentialKind::Token`].
    pub source_token: Option<Sealed>,
    /// The source's key, for [`CredentialKind::Ssh`].
    pub ssh_key: Option<Sealed>,
}

/// One of the secrets of a fabric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// The kubeconfig.
    Kubeconfig,
    /// The token or the key of an endpoint.
    Endpoint,
    /// The source's token.
    SourceToken,
    /// The source's SSH key.
    SshKey,
}

impl SecretKind {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Kubeconfig, Self::Endpoint, Self::SourceToken, Self::SshKey];

    /// The place that a fabric's secret of this kind is sealed for.
    pub fn place(self, fabric: &Fabric) -> &'static str {
        match self {
            Self::Kubeconfig => "kubeconfig",
            Self::Endpoint => fabric.cluster.login().map_or("token", EndpointLogin::place),
            Self::SourceToken => "source_token",
            Self::SshKey => "ssh_key",
        }
    }
}

impl FabricSecrets {
    /// The secret of a kind, if there is one.
    pub fn of(&self, kind: SecretKind) -> Option<&Sealed> {
        match kind {
            SecretKind::Kubeconfig => self.kubeconfig.as_ref(),
            SecretKind::Endpoint => self.endpoint.as_ref(),
            SecretKind::SourceToken => self.source_token.as_ref(),
            SecretKind::SshKey => self.ssh_key.as_ref(),
        }
    }
}

/// The name of the table, as seals name it.
pub const TABLE: &str = "fabrics";

/// What hangs on a fabric and goes with it, but for the attempts, which keep its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependents {
    /// Operations.
    pub operations: u64,
    /// Comparisons.
    pub comparisons: u64,
    /// Objects.
    pub objects: u64,
    /// Attempts.
    pub attempts: u64,
}

/// By what a list of fabrics is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FabricSort {
    /// Name, without regard to case.
    #[default]
    Name,
    /// When it was created.
    Created,
    /// When it was last changed.
    Updated,
}

/// Which fabrics, in which order.
#[derive(Debug, Clone, Default)]
pub struct FabricFilter {
    /// Name or description contains this, without regard to case.
    pub search: Option<String>,
    /// It manages this namespace of the cluster with this uid, which stands first; there is one at most.
    pub manages: Option<(String, String)>,
    /// Order.
    pub sort: FabricSort,
    /// Direction.
    pub direction: Direction,
}

/// The functions on fabrics; from [`Store::fabrics`].
#[derive(Debug, Clone, Copy)]
pub struct Fabrics<'a>(&'a Store, Option<&'a Author>);

impl<'a> Fabrics<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store, None)
    }

    /// The same for somebody: what it writes is recorded under its name.
    pub fn by(self, author: &'a Author) -> Self {
        Self(self.0, Some(author))
    }

    /// The fabrics in the scope, a page of them.
    pub async fn list(&self, scope: &Scope, filter: &FabricFilter, page: Page) -> Result<Listed<Fabric>> {
        if scope.is_none() {
            return Ok(Listed { rows: Vec::new(), total: 0 });
        }
        let conditions = |sql: &mut Sql| {
            scope.restrict(sql);
            if let Some(search) = filter.search.as_deref().filter(|s| !s.is_empty()) {
                sql.condition(st::NAME_OR_DESCRIPTION_LIKE, like("%", search, "%"));
            }
            if let Some((uid, namespace)) = &filter.manages {
                sql.condition(st::OF_CLUSTER, uid);
                sql.condition(st::OF_NAMESPACE, namespace);
            }
        };
        let mut count = Sql::new(st::LIST, st::COUNT);
        conditions(&mut count);
        let mut select = Sql::new(st::LIST, st::SELECT);
        conditions(&mut select);
        select.push(match filter.sort {
            FabricSort::Name => st::ORDER_BY_NAME,
            FabricSort::Created => st::ORDER_BY_CREATED,
            FabricSort::Updated => st::ORDER_BY_UPDATED,
        });
        select.push(filter.direction.sql()).push(st::THEN_BY_ID).push(filter.direction.sql()).page(page);

        let mut conn = self.0.reader(st::LIST).await?;
        let total = count.count(&mut conn).await?;
        let rows = select.all(&mut conn).await?.iter().map(fabric).collect::<Result<_>>()?;
        Ok(Listed { rows, total: total.unsigned_abs() })
    }

    /// A fabric in the scope; one outside of it is not found.
    pub async fn get(&self, scope: &Scope, id: i64) -> Result<Fabric> {
        let mut conn = self.0.reader(st::LIST).await?;
        write::get_in(&mut conn, scope, id).await
    }

    /// Puts a newly sealed secret in the place of `old`; `false` when that is not there any more.
    pub async fn reseal(&self, id: i64, kind: SecretKind, old: &Sealed, new: &Sealed) -> Result<bool> {
        let statement = match kind {
            SecretKind::Kubeconfig => st::RESEAL_KUBECONFIG,
            SecretKind::Endpoint => st::RESEAL_ENDPOINT,
            SecretKind::SourceToken => st::RESEAL_SOURCE_TOKEN,
            SecretKind::SshKey => st::RESEAL_SSH_KEY,
        };
        let mut tx = self.0.writer(statement.doing).await?;
        let rows = statement.run(&mut tx, args![id, Some(old.0.clone()), Some(new.0.clone())]).await?;
        commit(tx, statement.doing).await?;
        Ok(rows > 0)
    }

    /// The sealed secrets. The caller has asked for the fabric itself before, under a scope.
    pub async fn secrets(&self, id: i64) -> Result<FabricSecrets> {
        let mut conn = self.0.reader(st::SECRETS.doing).await?;
        let row = st::SECRETS.one(&mut conn, "fabric", args![id]).await?;
        Ok(FabricSecrets {
            kubeconfig: sealed(&row, "kubeconfig")?,
            endpoint: sealed(&row, "token")?,
            source_token: sealed(&row, "source_token")?,
            ssh_key: sealed(&row, "ssh_key")?,
        })
    }

    /// How much hangs on a fabric, for the page that asks whether to delete it.
    pub async fn dependents(&self, id: i64) -> Result<Dependents> {
        use crate::row::Columns;
        let mut conn = self.0.reader(st::DEPENDENTS.doing).await?;
        let row = st::DEPENDENTS.one(&mut conn, "fabric", args![id]).await?;
        Ok(Dependents {
            operations: row.unsigned("operations")?,
            comparisons: row.unsigned("comparisons")?,
            objects: row.unsigned("objects")?,
            attempts: row.unsigned("attempts")?,
        })
    }

    /// Remembers the cluster unless one is remembered already, and gives the one that is: of two first connections at
    /// once, one decides.
    pub async fn adopt_cluster_uid(&self, id: i64, uid: &str) -> Result<String> {
        let mut tx = self.0.writer(st::ADOPT_CLUSTER_UID.doing).await?;
        st::ADOPT_CLUSTER_UID.run(&mut tx, args![id, uid]).await?;
        let fabric = write::get_in(&mut tx, &Scope::System, id).await?;
        commit(tx, st::ADOPT_CLUSTER_UID.doing).await?;
        Ok(fabric.cluster_uid.unwrap_or_default())
    }

    /// Notes that another cluster answered, or, of a fabric that has none yet, one of which another fabric manages the
    /// namespace; with `None` that the right one does again.
    pub async fn set_seen_uid(&self, id: i64, uid: Option<&str>) -> Result<()> {
        self.change(st::SET_SEEN_UID, args![id, uid]).await
    }

    async fn change(&self, statement: &'static crate::sql::Statement, args: Vec<crate::sql::Arg>) -> Result<()> {
        let mut tx = self.0.writer(statement.doing).await?;
        if statement.run(&mut tx, args).await? == 0 {
            return Err(crate::Error::NotFound("fabric"));
        }
        commit(tx, statement.doing).await
    }
}
