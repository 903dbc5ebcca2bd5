//! What is tried: a write that the server only pretends to make, a planted drift, and what this user may do.

use super::read::{named, summary};
use super::{ClusterOracle, Kind};
use crate::oracle::holds::{self, Difference};
use crate::oracle::{OracleError, Read, Reading};
use reqwest::Method;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

/// Who the cluster says has written, when the oracle did.
pub const FIELD_MANAGER: &str = "hedgerow-verify";

/// Whether this user may do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Allowed {
    /// The server's verdict.
    pub allowed: bool,
    /// Its reason, where it gives one.
    pub reason: String,
}

impl ClusterOracle {
    /// What the server would store for this object, webhooks included, and stores not: a server-side apply with
    /// `dryRun=All`, which needs the right to patch. Identity and status of the object given are left out.
    pub async fn dry_run_apply(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        object: &Value,
    ) -> Result<Read<Value>, OracleError> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let asked = format!("pretend to apply {}", named(kind, namespace, name));
        let query = [("dryRun", "All"), ("fieldManager", FIELD_MANAGER), ("force", "true")];
        let url = self.object_url(&asked, kind, namespace, name, &query)?;
        let mut body = json!({"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {"name": name}});
        if let Some(namespace) = namespace.filter(|_| kind.namespaced) {
            body["metadata"]["namespace"] = json!(namespace);
        }
        for key in ["labels", "annotations"] {
            if let Some(given) = object["metadata"].get(key).filter(|given| given.is_object()) {
                body["metadata"][key] = given.clone();
            }
        }
        if let Some(spec) = object.get("spec").filter(|spec| !spec.is_null()) {
            body["spec"] = spec.clone();
        }
        self.write(asked, kind, url, "application/apply-patch+yaml", &body).await
    }

    /// Where a live object does not hold a desired one. What webhooks rewrite on the way (they sort lists, complete names)
    /// is none: where the two differ as they are written, the server is asked what it would store.
    pub async fn differences(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        desired: &Value,
        live: &Value,
    ) -> Result<Read<Vec<Difference>>, OracleError> {
        let name = desired["metadata"]["name"].as_str().unwrap_or_default();
        let asked = format!("compare {} with what is desired", named(kind, namespace, name));
        let mut value = holds::differences(&desired["spec"], &live["spec"]);
        let pretended = !value.is_empty();
        if pretended {
            let stored = self.dry_run_apply(kind, namespace, desired).await?.value;
            value = holds::differences(&stored["spec"], &live["spec"]);
        }
        let found = json!({
            "resourceVersion": live["metadata"]["resourceVersion"], "differences": value, "by_dry_run": pretended,
        });
        Ok(Read { value, reading: Reading::now(self.from(), asked, found) })
    }

    /// Really changes an object by a JSON merge patch. To plant a drift; the caller has the user's word for it.
    pub async fn merge_patch(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
    ) -> Result<Read<Value>, OracleError> {
        let asked = format!("change {}", named(kind, namespace, name));
        let url = self.object_url(&asked, kind, namespace, name, &[("fieldManager", FIELD_MANAGER)])?;
        self.write(asked, kind, url, "application/merge-patch+json", patch).await
    }

    async fn write(
        &self,
        asked: String,
        kind: &Kind,
        url: url::Url,
        content_type: &'static str,
        body: &Value,
    ) -> Result<Read<Value>, OracleError> {
        let value = self.send(&asked, Method::PATCH, url, Some((content_type, body))).await?.body;
        let reading = Reading::now(self.from(), asked, summary(kind, &value));
        Ok(Read { value, reading })
    }

    /// Whether this user may do that, by the server's own word.
    pub async fn can_i(
        &self,
        verb: &str,
        group: &str,
        resource: &str,
        namespace: Option<&str>,
    ) -> Result<Read<Allowed>, OracleError> {
        let place = namespace.map_or_else(|| "all namespaces".to_owned(), |name| format!("namespace {name}"));
        let dot = if group.is_empty() { "" } else { "." };
        let asked = format!("say whether this user may {verb} {resource}{dot}{group} in {place}");
        let url = self.url(&["apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"], &[]);
        let mut attributes = json!({"verb": verb, "group": group, "resource": resource});
        if let Some(namespace) = namespace {
            attributes["namespace"] = json!(namespace);
        }
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        });
        let answer = self.send(&asked, Method::POST, url, Some(("application/json", &review))).await?.body;
        let allowed = answer["status"]["allowed"].as_bool();
        let allowed = allowed.ok_or_else(|| self.unreadable(&asked, "it holds no status.allowed"))?;
        let reason = answer["status"]["reason"].as_str().unwrap_or_default().to_owned();
        let value = Allowed { allowed, reason };
        let reading = Reading::now(self.from(), asked, json!(value));
        Ok(Read { value, reading })
    }
}
