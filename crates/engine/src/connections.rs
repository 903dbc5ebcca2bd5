//! How a fabric's cluster and source are reached: credentials unsealed, clients built once per version of the settings.

use crate::retrying::Retrying;
use crate::{Error, Shared};
use cluster::{Access, Cluster, Forms, Kinds};
use model::Code;
use secrecy::{ExposeSecret, SecretString};
use source::{Glance, Repository};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::{CredentialKind, EndpointLogin, Fabric, Sealed, Source};

/// How long discovered kinds are believed where nobody waits for the answer.
const KINDS_FOR: Duration = Duration::from_secs(300);
/// The same where something speaks against them, and they are not known for long.
const DOUBTED_FOR: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Cached {
    version: i64,
    cluster: Option<Cluster>,
    kinds: Option<Discovered>,
    repository: Option<Arc<Repository>>,
}

/// The kinds that a cluster serves, as far as it was asked.
#[derive(Clone)]
struct Discovered {
    kinds: Arc<Kinds>,
    /// What of them need not be read again.
    forms: Forms,
    /// Since when they are these.
    since: Instant,
    /// When that was last asked.
    asked_at: Instant,
}

/// How much what is known of the kinds is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belief {
    /// Not at all: somebody waits for what is true now.
    Nothing,
    /// For some minutes.
    Usual,
    /// Less: something speaks against it. The longer it was asked and found the same, the more it is believed again.
    Doubted,
}

/// Clients of all fabrics, by fabric id.
#[derive(Default)]
pub(crate) struct Connections {
    cached: Mutex<HashMap<i64, Cached>>,
}

impl Discovered {
    fn believed_for(&self, belief: Belief) -> Duration {
        match belief {
            Belief::Nothing => Duration::ZERO,
            Belief::Usual if !self.kinds.may_be_incomplete() => KINDS_FOR,
            // What could not be asked the last time may answer by now.
            Belief::Usual | Belief::Doubted => self.asked_at.duration_since(self.since).clamp(DOUBTED_FOR, KINDS_FOR),
        }
    }
}

impl Connections {
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Cached>> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a fabric's clients, because its settings changed.
    pub fn forget(&self, fabric_id: i64) {
        self.lock().remove(&fabric_id);
    }

    /// Forgets which kinds a fabric's cluster serves, because it is not where it was.
    pub fn forget_kinds(&self, fabric_id: i64) {
        if let Some(cached) = self.lock().get_mut(&fabric_id) {
            cached.kinds = None;
        }
    }

    /// How long a fabric's cluster still wants to be left alone.
    pub fn pause_of(&self, fabric_id: i64) -> Option<Duration> {
        self.lock().get(&fabric_id)?.cluster.as_ref()?.pause_left()
    }

    fn with<T>(&self, fabric: &Fabric, f: impl FnOnce(&mut Cached) -> T) -> T {
        let mut cached = self.lock();
        let entry = cached.entry(fabric.id).or_default();
        if entry.version != fabric.version {
            *entry = Cached { version: fabric.version, ..Cached::default() };
        }
        f(entry)
    }
}

impl Shared {
    /// The fabric's cluster, without a word over the network yet.
    pub(crate) async fn cluster(&self, fabric: &Fabric) -> Result<Cluster, Error> {
        if let Some(cluster) = self.connections.with(fabric, |c| c.cluster.clone()) {
            return Ok(cluster);
        }
        let secrets = self.store.fabrics().secrets(fabric.id).await?;
        let credentials = match &fabric.cluster {
            store::Cluster::None => {
                return Err(Error::new(Code::NotConfigured, "The fabric has no cluster yet: enter one in Settings."));
            }
            store::Cluster::Kubeconfig => {
                cluster::Credentials::Kubeconfig(self.unseal(fabric.id, "kubeconfig", secrets.kubeconfig.as_ref())?)
            }
            store::Cluster::Endpoint { server, ca_pem, login } => {
                let secret = self.unseal(fabric.id, login.place(), secrets.endpoint.as_ref())?;
                let (server, ca_pem) = (server.clone(), ca_pem.clone());
                match login {
                    EndpointLogin::Token => cluster::Credentials::Endpoint { server, token: secret, ca_pem },
                    EndpointLogin::Certificate { pem } => {
                        cluster::Credentials::Certificate { server, certificate: pem.clone(), key: secret, ca_pem }
                    }
                }
            }
        };
        let access = Access::new(&credentials, fabric.verify_tls)
            .map_err(|e| Error::new(Code::ClusterConfigInvalid, format!("{}: {}", e.field, e.message)))?;
        let cluster = Cluster::connect(&access, self.settings.cluster)?;
        self.connections.with(fabric, |c| c.cluster = Some(cluster.clone()));
        Ok(cluster)
    }

    /// The kinds that the fabric's cluster serves; asked anew when what is known is older than it is believed.
    pub(crate) async fn kinds(
        &self,
        fabric: &Fabric,
        cluster: &Cluster,
        belief: Belief,
        retrying: Retrying<'_>,
    ) -> Result<Arc<Kinds>, Error> {
        let known = self.connections.with(fabric, |c| c.kinds.clone());
        if let Some(known) = &known
            && known.asked_at.elapsed() < known.believed_for(belief)
        {
            return Ok(known.kinds.clone());
        }
        let (kinds, forms) = match &known {
            Some(known) => (known.kinds.clone(), &known.forms),
            None => (Arc::default(), &Forms::default()),
        };
        let (found, forms) =
            retrying.call("ask which kinds it serves", || cluster.discover_again(&kinds, forms)).await?;
        let asked_at = Instant::now();
        // What was found again keeps its identity: what was worked out with it (schemas checked, the index of the watches)
        // holds on. Two may have asked at once, so what is known by now counts, and not what was known at the beginning.
        let kinds = self.connections.with(fabric, |c| {
            let (kinds, since) = match &c.kinds {
                Some(known) if *known.kinds == found => (known.kinds.clone(), known.since),
                _ => (Arc::new(found), asked_at),
            };
            c.kinds = Some(Discovered { kinds: kinds.clone(), forms, since, asked_at });
            kinds
        });
        Ok(kinds)
    }

    /// The fabric's repository in the data folder.
    pub(crate) async fn repository(&self, fabric: &Fabric) -> Result<Arc<Repository>, Error> {
        if let Some(repository) = self.open_repository(fabric) {
            return Ok(repository);
        }
        let config = self.source_config(fabric).await?;
        let repository = Arc::new(Repository::open(&self.source_dir(fabric.id), config).await?);
        self.connections.with(fabric, |c| c.repository = Some(repository.clone()));
        Ok(repository)
    }

    /// The fabric's repository, if this process has opened it.
    pub(crate) fn open_repository(&self, fabric: &Fabric) -> Option<Arc<Repository>> {
        self.connections.with(fabric, |c| c.repository.clone())
    }

    /// What the files of the fabric's repository say, whether it is open or not.
    pub(crate) fn glance(&self, fabric: &Fabric) -> Option<Glance> {
        let remote = match &fabric.source {
            Source::Local => None,
            Source::Remote { url, .. } => {
                Some(source::Remote { url: url.clone(), credentials: source::Credentials::None })
            }
        };
        Glance::of(&self.source_dir(fabric.id), &self.config_with(fabric, remote)).ok()
    }

    /// Where a fabric's repository lives.
    pub(crate) fn source_dir(&self, fabric_id: i64) -> PathBuf {
        crate::settings::source_dir(&self.settings.data_dir, fabric_id)
    }

    async fn source_config(&self, fabric: &Fabric) -> Result<source::Config, Error> {
        let remote = match &fabric.source {
            Source::Local => None,
            Source::Remote { url, credential_kind, username, known_hosts } => {
                let secrets = self.store.fabrics().secrets(fabric.id).await?;
                let credentials = match credential_kind {
                    CredentialKind::None => source::Credentials::None,
                    CredentialKind::Token => source::Credentials::Token {
                        username: username.clone(),
                        token: self.unseal(fabric.id, "source_token", secrets.source_token.as_ref())?,
                    },
                    CredentialKind::Ssh => source::Credentials::SshKey {
                        private_key: self.unseal(fabric.id, "ssh_key", secrets.ssh_key.as_ref())?,
                        known_hosts: known_hosts.clone(),
                    },
                };
                Some(source::Remote { url: url.clone(), credentials })
            }
        };
        Ok(self.config_with(fabric, remote))
    }

    fn config_with(&self, fabric: &Fabric, remote: Option<source::Remote>) -> source::Config {
        let (branch, path) = (fabric.branch.clone(), fabric.path.clone());
        source::Config { remote, branch, path, allow_file: self.settings.allow_file }
    }

    fn unseal(&self, fabric_id: i64, place: &'static str, sealed: Option<&Sealed>) -> Result<SecretString, Error> {
        let (code, what) = match place {
            "kubeconfig" => (Code::ClusterConfigInvalid, "kubeconfig of the cluster"),
            "client_key" => (Code::ClusterConfigInvalid, "key of the client certificate"),
            "source_token" => (Code::SourceConfigInvalid, "token of the source"),
            "ssh_key" => (Code::SourceConfigInvalid, "SSH key of the source"),
            _ => (Code::ClusterConfigInvalid, "token of the cluster"),
        };
        let sealed =
            sealed.ok_or_else(|| Error::new(code, format!("The {what} is not stored: enter it in Settings.")))?;
        let opened = (self.unseal)(fabric_id, place, sealed)
            .map_err(|e| Error::new(code, format!("The {what} cannot be opened: {e}.")))?;
        debug_assert!(!opened.expose_secret().is_empty());
        Ok(opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cluster::{Problem, ProblemKind};

    /// Found so many seconds before it was last asked.
    fn discovered(kinds: Kinds, stood: u64) -> Discovered {
        let since = Instant::now();
        Discovered {
            kinds: Arc::new(kinds),
            forms: Forms::default(),
            since,
            asked_at: since + Duration::from_secs(stood),
        }
    }

    #[test]
    fn what_is_doubted_is_asked_for_ever_more_rarely_and_what_somebody_waits_for_at_once() {
        let doubted = |stood| discovered(Kinds::default(), stood).believed_for(Belief::Doubted).as_secs();
        assert_eq!([0, 10, 40, 299, 4000].map(doubted), [10, 10, 40, 299, 300]);
        let whole = discovered(Kinds::default(), 0);
        assert_eq!(
            (whole.believed_for(Belief::Usual), whole.believed_for(Belief::Nothing)),
            (KINDS_FOR, Duration::ZERO)
        );
        let problem = Problem {
            kind: ProblemKind::GroupFailed,
            subject: "vpc.githedgehog.com/v1beta1".into(),
            message: "It does not answer.".into(),
            hides_kinds: true,
        };
        let part = discovered(Kinds { kinds: Vec::new(), problems: vec![problem] }, 0);
        assert_eq!(part.believed_for(Belief::Usual), DOUBTED_FOR, "a group that did not answer may do so by now");
    }
}
