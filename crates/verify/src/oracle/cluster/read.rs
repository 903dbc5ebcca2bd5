//! What is read: the server's version and clock, the cluster's identity, lists and single objects.

use super::{ClusterOracle, Kind};
use crate::oracle::{OracleError, Read, Reading};
use jiff::{SignedDuration, Timestamp};
use reqwest::header::DATE;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// How many objects are asked for at once.
const PAGE: &str = "250";
/// How many names a reading of a list shows.
const NAMES: usize = 50;

/// What the server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Version {
    /// `v1.36.3+k3s1`
    pub git_version: String,
    /// The server's clock, to the second, when it answered.
    pub server_time: Option<Timestamp>,
    /// This machine's clock, when the answer was there.
    pub local_time: Timestamp,
}

impl Version {
    /// How far the server's clock is ahead of this machine's; within two seconds it says nothing.
    pub fn clock_ahead(&self) -> Option<SignedDuration> {
        self.server_time.map(|server| server.duration_since(self.local_time))
    }
}

impl ClusterOracle {
    /// The server's version, and its clock.
    pub async fn version(&self) -> Result<Read<Version>, OracleError> {
        let asked = "say its version";
        let answer = self.get_json(asked, self.url(&["version"], &[])).await?;
        let git_version = answer.body["gitVersion"].as_str().map(str::to_owned);
        let git_version = git_version.ok_or_else(|| self.unreadable(asked, "it holds no gitVersion"))?;
        let date = answer.headers.get(DATE).and_then(|date| date.to_str().ok());
        let server_time = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|at| at.timestamp());
        let value = Version { git_version, server_time, local_time: Timestamp::now() };
        let reading = Reading::now(self.from(), asked, json!(value));
        Ok(Read { value, reading })
    }

    /// What a cluster is recognised by: the UID of namespace `kube-system`. `None` if this user may not read it.
    pub async fn identity(&self) -> Result<Read<Option<String>>, OracleError> {
        let asked = "get namespace kube-system";
        let answer = self.get_json(asked, self.url(&["api", "v1", "namespaces", "kube-system"], &[])).await;
        let (value, found) = match answer {
            Ok(answer) => {
                let uid = answer.body["metadata"]["uid"].as_str().map(str::to_owned);
                let uid = uid.ok_or_else(|| self.unreadable(asked, "it holds no metadata.uid"))?;
                let found = json!({"uid": &uid});
                (Some(uid), found)
            }
            Err(error @ OracleError::Forbidden { .. }) => {
                (None, json!({"error": error.class(), "says": error.to_string()}))
            }
            Err(error) => return Err(error),
        };
        Ok(Read { value, reading: Reading::now(self.from(), asked, found) })
    }

    /// All objects of a kind in a namespace, or in all of them.
    pub async fn list(&self, kind: &Kind, namespace: Option<&str>) -> Result<Read<Vec<Value>>, OracleError> {
        let place =
            namespace.filter(|_| kind.namespaced).map_or_else(String::new, |name| format!(" in namespace {name}"));
        let asked = format!("list {}{place}", kind.full_name());
        let path = kind.path(namespace);
        let (mut items, mut next) = (Vec::new(), String::new());
        let mut again = true;
        let resource_version = loop {
            let mut query = vec![("limit", PAGE)];
            if !next.is_empty() {
                query.push(("continue", &next));
            }
            let mut list = match self.get_json(&asked, self.url(&path, &query)).await {
                Ok(answer) => answer.body,
                // The server forgot the list while it was read: from the start, once.
                Err(OracleError::Refused { status: 410, .. }) if !next.is_empty() && again => {
                    (items, next, again) = (Vec::new(), String::new(), false);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let Some(page) = list["items"].as_array_mut().map(std::mem::take) else {
                return Err(self.unreadable(&asked, "it holds no items"));
            };
            for mut item in page {
                // The items of built-in kinds come without these two.
                if item["kind"].is_null() {
                    item["kind"] = json!(kind.kind);
                    item["apiVersion"] = json!(kind.api_version());
                }
                items.push(item);
            }
            match list["metadata"]["continue"].as_str() {
                Some(more) if !more.is_empty() => more.clone_into(&mut next),
                _ => break list["metadata"]["resourceVersion"].clone(),
            }
        };
        let names: Vec<&Value> = items.iter().map(|item| &item["metadata"]["name"]).take(NAMES).collect();
        let found = json!({"count": items.len(), "names": names, "resourceVersion": resource_version});
        let reading = Reading::now(self.from(), asked, found);
        Ok(Read { value: items, reading })
    }

    /// One object; that there is none is [`OracleError::NotFound`].
    pub async fn get(&self, kind: &Kind, namespace: Option<&str>, name: &str) -> Result<Read<Value>, OracleError> {
        let asked = format!("get {}", named(kind, namespace, name));
        let url = self.object_url(&asked, kind, namespace, name, &[])?;
        let value = self.get_json(&asked, url).await?.body;
        let reading = Reading::now(self.from(), asked, summary(kind, &value));
        Ok(Read { value, reading })
    }

    /// The address of one object.
    pub(super) fn object_url(
        &self,
        asked: &str,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        query: &[(&str, &str)],
    ) -> Result<url::Url, OracleError> {
        let mut path = kind.path(namespace);
        path.push(name);
        // `..` and nothing would make it the address of the whole list.
        let good = |part: &&&str| !matches!(**part, "" | "." | "..") && !part.contains(['/', '%']);
        if path.iter().filter(good).count() == path.len() {
            return Ok(self.url(&path, query));
        }
        let message = format!("{name:?} is no name of an object");
        Err(OracleError::NotFound { address: self.address().to_owned(), asked: asked.to_owned(), message })
    }
}

/// An object in words: `vpcs.vpc.githedgehog.com default/vpc-1`.
pub(super) fn named(kind: &Kind, namespace: Option<&str>, name: &str) -> String {
    match namespace.filter(|_| kind.namespaced) {
        Some(namespace) => format!("{} {namespace}/{name}", kind.full_name()),
        None => format!("{} {name}", kind.full_name()),
    }
}

/// What a reading shows of an object: its versions, and its spec where that may be shown.
pub(super) fn summary(kind: &Kind, object: &Value) -> Value {
    let mut found = Map::new();
    for key in ["uid", "resourceVersion", "generation"] {
        found.insert(key.to_owned(), object["metadata"][key].clone());
    }
    if !kind.is_withheld() {
        found.insert("spec".to_owned(), object["spec"].clone());
    }
    Value::Object(found)
}
