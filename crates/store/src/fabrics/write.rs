//! Creating, changing and deleting fabrics. The scope is asked again inside the transaction, on the row as it would be:
//! a permission for `lab-*` does not create `production`, nor rename a fabric to it.

use super::rows::fabric;
use super::{Cluster, CredentialKind, EndpointLogin, Fabric, FabricSecrets, FabricSpec, Fabrics, Sealed, Source};
use crate::nouns::Noun;
use crate::recorder::Recorder;
use crate::row::to_json;
use crate::scope::Scope;
use crate::sql::{Arg, Sql, args};
use crate::statements::fabrics as st;
use crate::{Error, Result, Unique, commit};
use jiff::Timestamp;
use model::policy::Suspension;
use sqlx::AnyConnection;

/// What a new fabric is made of.
#[derive(Debug, Clone)]
pub struct NewFabric {
    /// From [`Fabrics::reserve_id`]: the seals of the secrets name it.
    pub id: i64,
    /// What the user entered.
    pub spec: FabricSpec,
    /// The secrets that the user entered, sealed for this id.
    pub secrets: FabricSecrets,
}

/// What becomes of one secret in a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SecretChange {
    /// It stays, unless cluster or source no longer take one.
    #[default]
    Keep,
    /// It is replaced.
    Set(Sealed),
}

/// What becomes of a fabric's secrets in a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretChanges {
    /// The kubeconfig.
    pub kubeconfig: SecretChange,
    /// The endpoint's token or key.
    pub endpoint: SecretChange,
    /// The source's token.
    pub source_token: SecretChange,
    /// The source's key.
    pub ssh_key: SecretChange,
}

impl SecretChange {
    /// The flag and the value that the statement takes. A secret that nothing uses any more is forgotten.
    fn args(&self, used: bool) -> [Arg; 2] {
        match self {
            SecretChange::Keep => [Arg::from(used), Arg::Blob(None)],
            SecretChange::Set(sealed) => [Arg::from(false), Arg::Blob(Some(sealed.0.clone()))],
        }
    }
}

impl SecretChanges {
    /// A stored secret is never sent to another server than the one that it was entered for: whoever may change the
    /// address, but not read the secret, would read it there.
    fn follow_their_server(&self, before: &Fabric, after: &FabricSpec) -> Result<()> {
        let moved = |old: &str, new: &str| authority(old) != authority(new);
        if let (Cluster::Endpoint { server: old, .. }, Cluster::Endpoint { server: new, .. }) =
            (&before.cluster, &after.cluster)
            && self.endpoint == SecretChange::Keep
            && moved(old, new)
        {
            return Err(Error::Invalid(SECRET_FOR_SERVER.to_owned()));
        }
        if let (Some(EndpointLogin::Certificate { pem: old }), Some(EndpointLogin::Certificate { pem: new })) =
            (before.cluster.login(), after.cluster.login())
            && self.endpoint == SecretChange::Keep
            && old != new
        {
            return Err(Error::Invalid(KEY_FOR_CERTIFICATE.to_owned()));
        }
        if let (Source::Remote { url: old, .. }, Source::Remote { url: new, credential_kind, .. }) =
            (&before.source, &after.source)
            && moved(old, new)
        {
            let kept = match credential_kind {
                CredentialKind::None => false,
                CredentialKind::Token => self.source_token == SecretChange::Keep,
                CredentialKind::Ssh => self.ssh_key == SecretChange::Keep,
            };
            if kept {
                return Err(Error::Invalid(SECRET_FOR_SOURCE.to_owned()));
            }
        }
        Ok(())
    }
}

/// The rule's name, beside those of the schema's checks.
pub(super) const SECRET_FOR_SERVER: &str = "fabrics_token_follows_server";
/// The rule's name, beside those of the schema's checks.
pub(super) const SECRET_FOR_SOURCE: &str = "fabrics_source_secret_follows_url";
/// The rule's name, beside those of the schema's checks.
pub(super) const KEY_FOR_CERTIFICATE: &str = "fabrics_key_follows_certificate";

/// Scheme, host and port of an address, also of one in scp's form (`git@host:path`), without the user.
fn authority(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (scheme, rest.split(['/', '?', '#']).next().unwrap_or(rest)),
        None => ("ssh", url.split(':').next().unwrap_or(url)),
    };
    let host = rest.rsplit('@').next().unwrap_or(rest);
    format!("{scheme}://{host}").to_ascii_lowercase()
}

impl FabricSpec {
    /// The columns that a user edits, but for the secrets, in the order of the statements.
    fn args(&self) -> Result<Vec<Arg>> {
        let (server, ca_pem) = match &self.cluster {
            Cluster::Endpoint { server, ca_pem, .. } => (Some(server.clone()), ca_pem.clone()),
            Cluster::None | Cluster::Kubeconfig => (None, None),
        };
        let certificate = match self.cluster.login() {
            Some(EndpointLogin::Certificate { pem }) => Some(pem.clone()),
            Some(EndpointLogin::Token) | None => None,
        };
        let (url, username, known_hosts) = match &self.source {
            Source::Remote { url, username, known_hosts, .. } => {
                (Some(url.clone()), username.clone(), known_hosts.clone())
            }
            Source::Local => (None, None, None),
        };
        Ok(args![
            &self.name,
            &self.description,
            self.cluster.kind(),
            server,
            ca_pem,
            self.verify_tls,
            &self.namespace,
            self.source.kind(),
            url,
            self.source.credential_kind().as_str(),
            username,
            known_hosts,
            &self.branch,
            &self.path,
            self.sync_enabled,
            self.deadline_seconds,
            certificate,
            to_json("policy", &self.policy)?
        ])
    }
}

/// A fabric in the scope, on any connection.
pub(crate) async fn get_in(conn: &mut AnyConnection, scope: &Scope, id: i64) -> Result<Fabric> {
    if scope.is_none() {
        return Err(Error::NotFound("fabric"));
    }
    let mut sql = Sql::new("read a fabric", st::SELECT);
    sql.condition(st::HAS_ID, id);
    scope.restrict(&mut sql);
    fabric(&sql.optional(conn).await?.ok_or(Error::NotFound("fabric"))?)
}

/// The row as it is now; outside of the scope it may not become.
async fn still_in(conn: &mut AnyConnection, scope: &Scope, id: i64) -> Result<Fabric> {
    get_in(conn, scope, id).await.map_err(|e| match e {
        Error::NotFound(what) => Error::OutOfScope(what),
        e => e,
    })
}

fn blob(sealed: Option<Sealed>) -> Arg {
    Arg::Blob(sealed.map(|s| s.0))
}

impl Fabrics<'_> {
    /// An id for a fabric that is about to be created. Ids are never used twice.
    pub async fn reserve_id(&self) -> Result<i64> {
        use crate::row::Columns;
        let mut tx = self.0.writer(st::RESERVE_ID.doing).await?;
        let row = st::RESERVE_ID.one(&mut tx, "id", vec![]).await?;
        commit(tx, st::RESERVE_ID.doing).await?;
        row.int("last_id")
    }

    /// Creates a fabric. `scope` is what the permission to add covers.
    pub async fn create(&self, scope: &Scope, new: NewFabric, now: Timestamp) -> Result<Fabric> {
        let mut tx = self.0.writer(st::CREATE.doing).await?;
        let mut recorder = Recorder::new(self.1);
        let mut args = args![new.id];
        args.extend(new.spec.args()?);
        let FabricSecrets { kubeconfig, endpoint, source_token, ssh_key } = new.secrets;
        args.extend([blob(kubeconfig), blob(endpoint), blob(source_token), blob(ssh_key)]);
        args.push(now.into());
        st::CREATE.run(&mut tx, args).await?;
        let created = still_in(&mut tx, scope, new.id).await?;
        recorder.made(Noun::Fabric, new.id);
        recorder.record(&mut tx).await?;
        commit(tx, st::CREATE.doing).await?;
        Ok(created)
    }

    /// Changes a fabric from the version that the caller saw. `scope` is what the permission to change covers: the row
    /// must be in it before and after.
    pub async fn update(
        &self,
        scope: &Scope,
        id: i64,
        expected_version: i64,
        spec: &FabricSpec,
        secrets: &SecretChanges,
        now: Timestamp,
    ) -> Result<Fabric> {
        let mut tx = self.0.writer(st::UPDATE.doing).await?;
        let before = get_in(&mut tx, scope, id).await?;
        secrets.follow_their_server(&before, spec)?;
        let recorder = Recorder::of(&mut tx, self.1, Noun::Fabric, id).await?;
        let mut args = args![id];
        args.extend(spec.args()?);
        let credential = spec.source.credential_kind();
        args.extend(secrets.kubeconfig.args(spec.cluster == Cluster::Kubeconfig));
        // A token is no key: with the other way to log in, the stored secret goes, and the schema asks for a new one.
        let same_login =
            before.cluster.login().map(EndpointLogin::place) == spec.cluster.login().map(EndpointLogin::place);
        args.extend(secrets.endpoint.args(spec.cluster.login().is_some() && same_login));
        args.extend(secrets.source_token.args(credential == CredentialKind::Token));
        args.extend(secrets.ssh_key.args(credential == CredentialKind::Ssh));
        args.extend(args![now, expected_version]);
        if st::UPDATE.run(&mut tx, args).await? == 0 {
            return Err(Error::Stale("fabric"));
        }
        let changed = still_in(&mut tx, scope, id).await?;
        recorder.record(&mut tx).await?;
        commit(tx, st::UPDATE.doing).await?;
        Ok(changed)
    }

    /// Switches sync on or off.
    pub async fn set_sync_enabled(&self, scope: &Scope, id: i64, enabled: bool, now: Timestamp) -> Result<Fabric> {
        let mut tx = self.0.writer(st::SET_SYNC_ENABLED.doing).await?;
        get_in(&mut tx, scope, id).await?;
        let recorder = Recorder::of(&mut tx, self.1, Noun::Fabric, id).await?;
        st::SET_SYNC_ENABLED.run(&mut tx, args![id, enabled, now]).await?;
        let changed = still_in(&mut tx, scope, id).await?;
        recorder.record(&mut tx).await?;
        commit(tx, st::SET_SYNC_ENABLED.doing).await?;
        Ok(changed)
    }

    /// Gives it the cluster that a user confirmed, by the UID of its namespace `kube-system`; forgets the unconfirmed one.
    /// [`crate::Unique::ClusterNamespace`] when another fabric manages the same namespace of it.
    pub async fn set_cluster_uid(&self, scope: &Scope, id: i64, uid: &str) -> Result<()> {
        let mut tx = self.0.writer(st::SET_CLUSTER_UID.doing).await?;
        get_in(&mut tx, scope, id).await?;
        let recorder = Recorder::of(&mut tx, self.1, Noun::Fabric, id).await?;
        st::SET_CLUSTER_UID.run(&mut tx, args![id, uid]).await?;
        recorder.record(&mut tx).await?;
        commit(tx, st::SET_CLUSTER_UID.doing).await
    }

    /// Stops the automatic syncs, or with `None` lets them go on. No version is counted: nobody's form goes stale by it.
    pub async fn set_suspension(&self, scope: &Scope, id: i64, suspension: Option<&Suspension>) -> Result<Fabric> {
        let mut tx = self.0.writer(st::SET_SUSPENSION.doing).await?;
        get_in(&mut tx, scope, id).await?;
        let recorder = Recorder::of(&mut tx, self.1, Noun::Fabric, id).await?;
        let (at, by, reason) = match suspension {
            Some(Suspension { at, by, reason }) => (Some(*at), Some(by.clone()), Some(reason.clone())),
            None => (None, None, None),
        };
        st::SET_SUSPENSION.run(&mut tx, args![id, at, by, reason]).await?;
        let changed = still_in(&mut tx, scope, id).await?;
        recorder.record(&mut tx).await?;
        commit(tx, st::SET_SUSPENSION.doing).await?;
        Ok(changed)
    }

    /// Deletes a fabric with its operations, comparisons and objects; attempts keep its name. Refused as
    /// [`Unique::OneWriter`] while something writes to its cluster.
    pub async fn delete(&self, scope: &Scope, id: i64) -> Result<()> {
        let mut tx = self.0.writer(st::DELETE.doing).await?;
        get_in(&mut tx, scope, id).await?;
        let recorder = Recorder::of(&mut tx, self.1, Noun::Fabric, id).await?;
        st::LOCK.one(&mut tx, "fabric", args![id]).await?;
        if st::IS_WRITTEN.optional(&mut tx, args![id]).await?.is_some() {
            return Err(Error::Conflict(Unique::OneWriter));
        }
        st::DELETE.run(&mut tx, args![id]).await?;
        recorder.record(&mut tx).await?;
        commit(tx, st::DELETE.doing).await
    }
}
