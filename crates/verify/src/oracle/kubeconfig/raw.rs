//! The file as it is written: what this room reads of it, and the names of what it does not support.

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A secret that is read from a file, and shown nowhere.
pub(super) struct Secret(pub(super) SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

/// The whole file.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct File {
    pub(super) current_context: Option<String>,
    #[serde(default)]
    pub(super) contexts: Option<Vec<NamedContext>>,
    #[serde(default)]
    pub(super) clusters: Option<Vec<NamedCluster>>,
    #[serde(default)]
    pub(super) users: Option<Vec<NamedUser>>,
}

#[derive(Deserialize)]
pub(super) struct NamedContext {
    pub(super) name: String,
    pub(super) context: Context,
}

#[derive(Deserialize)]
pub(super) struct Context {
    pub(super) cluster: String,
    pub(super) user: Option<String>,
    pub(super) namespace: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct NamedCluster {
    pub(super) name: String,
    pub(super) cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Cluster {
    pub(super) server: String,
    pub(super) certificate_authority: Option<String>,
    pub(super) certificate_authority_data: Option<String>,
    #[serde(default)]
    pub(super) insecure_skip_tls_verify: bool,
    pub(super) tls_server_name: Option<String>,
    /// It may hold a password.
    pub(super) proxy_url: Option<Secret>,
}

#[derive(Deserialize)]
pub(super) struct NamedUser {
    pub(super) name: String,
    #[serde(default)]
    pub(super) user: Option<User>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub(super) struct User {
    pub(super) token: Option<Secret>,
    #[serde(rename = "tokenFile")]
    pub(super) token_file: Option<String>,
    pub(super) client_certificate: Option<String>,
    pub(super) client_certificate_data: Option<String>,
    pub(super) client_key: Option<String>,
    pub(super) client_key_data: Option<Secret>,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    exec: Option<Value>,
    auth_provider: Option<Value>,
    #[serde(rename = "as")]
    impersonate: Option<Value>,
    as_uid: Option<Value>,
    as_groups: Option<Value>,
    as_user_extra: Option<Value>,
}

impl User {
    /// What this user needs and cannot be had here, and what to do instead.
    pub(super) fn unsupported(&self) -> Option<(&'static str, &'static str)> {
        const TOKEN: &str = "Make a kubeconfig whose user has a token, such as that of `kubectl create token`";
        const DIRECT: &str = "Make a kubeconfig whose user has the rights itself";
        let found = |value: &Option<Value>| value.is_some();
        [
            (found(&self.exec), "exec", TOKEN),
            (found(&self.auth_provider), "auth-provider", TOKEN),
            (found(&self.impersonate), "as", DIRECT),
            (found(&self.as_uid), "as-uid", DIRECT),
            (found(&self.as_groups), "as-groups", DIRECT),
            (found(&self.as_user_extra), "as-user-extra", DIRECT),
        ]
        .into_iter()
        .find_map(|(there, name, todo)| there.then_some((name, todo)))
    }
}
