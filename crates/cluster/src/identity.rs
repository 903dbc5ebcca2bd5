//! Which cluster this is, who we are to it, and what it runs.

use crate::call::Call;
use crate::{Cluster, Error, ErrorKind};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// What a cluster is told apart by: the uid of its namespace `kube-system`, which nothing but a new cluster changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The uid.
    pub uid: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uid)
    }
}

/// What the server runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerVersion {
    /// e.g. `v1.36.3+k3s1`.
    pub git_version: String,
    /// e.g. `linux/amd64`.
    pub platform: String,
    /// Time of that one call; the first one on a connection includes its making.
    pub latency: Duration,
    /// `HTTP/2.0` or `HTTP/1.1`.
    pub http: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VersionAnswer {
    git_version: String,
    #[serde(default)]
    platform: String,
}

impl Cluster {
    /// Which cluster this is.
    pub async fn identity(&self) -> Result<Identity, Error> {
        let call = Call::get("read the namespace kube-system", "/api/v1/namespaces/kube-system");
        let namespace: Value = self.fetch(&call).await.map_err(Error::without_api)?;
        match namespace.pointer("/metadata/uid").and_then(Value::as_str) {
            Some(uid) if !uid.is_empty() => Ok(Identity { uid: uid.to_owned() }),
            _ => Err(Error::new(ErrorKind::Protocol, call.operation, "The namespace kube-system has no uid.")),
        }
    }

    /// What the server runs, and how fast it answers.
    pub async fn version(&self) -> Result<ServerVersion, Error> {
        let call = Call::get("ask for the version", "/version");
        let answer = self.call(&call).await.map_err(Error::without_api)?;
        let (latency, http) = (answer.took, format!("{:?}", answer.version));
        let said: VersionAnswer = answer.decode(&call.operation).await?;
        Ok(ServerVersion { git_version: said.git_version, platform: said.platform, latency, http })
    }

    /// The name that the server knows us by. `None` when it is too old to tell (before Kubernetes 1.28).
    pub async fn user(&self) -> Result<Option<String>, Error> {
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let target = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
        let call = Call::send("ask who we are", Method::POST, target, &body, false);
        match self.fetch::<Value>(&call).await {
            Ok(review) => Ok(review.pointer("/status/userInfo/username").and_then(Value::as_str).map(str::to_owned)),
            Err(e) if e.kind == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}
