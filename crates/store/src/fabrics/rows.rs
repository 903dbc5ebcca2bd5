//! Rows of the table `fabrics` to values, and its checks to sentences.

use super::write::{KEY_FOR_CERTIFICATE, SECRET_FOR_SERVER, SECRET_FOR_SOURCE};
use super::{Cluster, CredentialKind, EndpointLogin, Fabric, Sealed, Source};
use crate::row::Columns;
use crate::{Error, Result};
use model::policy::Suspension;
use sqlx::any::AnyRow;
use std::str::FromStr;

impl CredentialKind {
    /// The word in the database and in forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Token => "token",
            Self::Ssh => "ssh",
        }
    }
}

impl FromStr for CredentialKind {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "none" => Ok(Self::None),
            "token" => Ok(Self::Token),
            "ssh" => Ok(Self::Ssh),
            other => Err(format!("'{other}' is not a kind of credential")),
        }
    }
}

impl Cluster {
    /// The word in the database and in forms.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kubeconfig => "kubeconfig",
            Self::Endpoint { .. } => "endpoint",
        }
    }
}

impl Source {
    /// The word in the database and in forms.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote { .. } => "remote",
        }
    }

    /// How to log in to it.
    pub const fn credential_kind(&self) -> CredentialKind {
        match self {
            Self::Local => CredentialKind::None,
            Self::Remote { credential_kind, .. } => *credential_kind,
        }
    }
}

fn required(row: &AnyRow, name: &'static str) -> Result<String> {
    row.text_or_null(name)?.ok_or(Error::Corrupt { what: name, detail: "it is missing".into() })
}

pub(super) fn sealed(row: &AnyRow, name: &'static str) -> Result<Option<Sealed>> {
    Ok(row.blob_or_null(name)?.map(Sealed))
}

pub(super) fn fabric(row: &AnyRow) -> Result<Fabric> {
    let cluster = match row.text("cluster_kind")?.as_str() {
        "none" => Cluster::None,
        "kubeconfig" => Cluster::Kubeconfig,
        "endpoint" => Cluster::Endpoint {
            server: required(row, "endpoint_server")?,
            ca_pem: row.text_or_null("endpoint_ca_pem")?,
            login: match row.text_or_null("endpoint_certificate_pem")? {
                Some(pem) => EndpointLogin::Certificate { pem },
                None => EndpointLogin::Token,
            },
        },
        other => return Err(Error::Corrupt { what: "cluster_kind", detail: format!("'{other}' is unknown") }),
    };
    let source = match row.text("source_kind")?.as_str() {
        "local" => Source::Local,
        "remote" => Source::Remote {
            url: required(row, "source_url")?,
            credential_kind: row.word("source_credential")?,
            username: row.text_or_null("source_username")?,
            known_hosts: row.text_or_null("known_hosts")?,
        },
        other => return Err(Error::Corrupt { what: "source_kind", detail: format!("'{other}' is unknown") }),
    };
    Ok(Fabric {
        id: row.int("id")?,
        name: row.text("name")?,
        description: row.text("description")?,
        cluster,
        verify_tls: row.bool("verify_tls")?,
        namespace: row.text("namespace")?,
        source,
        branch: row.text("branch")?,
        path: row.text("path")?,
        sync_enabled: row.bool("sync_enabled")?,
        deadline_seconds: row.unsigned("deadline_seconds")?,
        cluster_uid: row.text_or_null("cluster_uid")?,
        cluster_seen_uid: row.text_or_null("cluster_seen_uid")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        version: row.int("version")?,
        policy: row.json("policy")?,
        suspension: match row.time_or_null("suspended_at")? {
            Some(at) => {
                Some(Suspension { at, by: required(row, "suspended_by")?, reason: required(row, "suspended_reason")? })
            }
            None => None,
        },
    })
}

/// What a failed check of the schema means, for the person who filled in the form.
pub(crate) fn invalid_sentence(check: &str) -> String {
    let sentence = match check {
        "fabrics_name_given" => "a fabric needs a name",
        "fabrics_namespace_given" => "a fabric needs a namespace",
        "fabrics_branch_given" => "a source needs a branch",
        "fabrics_deadline_positive" => "the deadline must be longer than nothing",
        "fabrics_endpoint_has_server" => {
            "an endpoint needs the address of the API server, and only an endpoint has one"
        }
        "fabrics_ca_needs_endpoint" => "a CA goes with an endpoint; a kubeconfig carries its own",
        "fabrics_kubeconfig_given" => "a cluster by kubeconfig needs a kubeconfig, and only it has one",
        "fabrics_token_given" => {
            "an endpoint needs a token or the key of a client certificate, and only an endpoint has one"
        }
        "fabrics_certificate_needs_endpoint" => {
            "a client certificate goes with an endpoint; a kubeconfig carries its own"
        }
        "fabrics_remote_has_url" => "a remote source needs an address, and only a remote source has one",
        "fabrics_local_has_no_credential" => "a local source takes no credentials",
        "fabrics_username_needs_credential" => "a user name for the source goes with a token or a key",
        "fabrics_known_hosts_needs_ssh" => "known hosts go with an SSH key",
        "fabrics_source_token_given" => "a source by token needs a token, and only it has one",
        "fabrics_suspension_whole" => "a suspension needs an author and a reason",
        "fabrics_ssh_key_given" => "a source by SSH needs a key, and only it has one",
        SECRET_FOR_SERVER => "the address of the API server is another one; enter its token or key again",
        KEY_FOR_CERTIFICATE => "the client certificate is another one; enter its key again",
        SECRET_FOR_SOURCE => "the source is on another server; enter its credentials again",
        "users_username_given" => "a user needs a name",
        "user_groups_name_given" => "a group needs a name",
        "object_permissions_name_given" => "a permission needs a name",
        other => return format!("the values contradict each other ({other})"),
    };
    sentence.to_owned()
}
