//! A small REST client of the tests' own: JSON in, JSON out, nothing shared with the code under test.
//!
//! Objects are named as a person would: a kind (`VPC`), a plural (`vpcs`), or, where that is not unique, with the group
//! behind it (`vpcs.vpc.githedgehog.com`). A name may carry its namespace (`fab/main`); without it, it is `default`.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tokio::io::AsyncBufReadExt;

/// What the API server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body as JSON; a body that is no JSON is a string.
    pub body: Value,
}

impl Answer {
    /// The body of a success; any other status is an error with the server's reason.
    pub fn success(self, what: &str) -> Result<Value> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let reason = self.body["message"].as_str().map_or_else(|| self.body.to_string(), str::to_owned);
        bail!("{what}: {} {reason}", self.status)
    }
}

/// What a watch tells.
#[derive(Debug, Clone)]
pub enum Change {
    /// An object that is there, is new, or has changed.
    Put(Value),
    /// Everything that was there at the start has been told.
    Synced,
    /// An object that is gone, as it was last.
    Gone(Value),
}

impl Change {
    fn read(line: &str) -> Result<Self> {
        let mut event: Value = serde_json::from_str(line).context("read an event of the watch")?;
        let object = event["object"].take();
        match event["type"].as_str() {
            Some("ADDED" | "MODIFIED") => Ok(Self::Put(object)),
            Some("DELETED") => Ok(Self::Gone(object)),
            other => bail!("the watch says {other:?}: {object}"),
        }
    }
}

/// One kind that the server has.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) plural: String,
    kind: String,
    namespaced: bool,
}

impl Resource {
    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        let base = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        match namespace {
            Some(namespace) if self.namespaced => format!("{base}/namespaces/{namespace}/{}", self.plural),
            _ => format!("{base}/{}", self.plural),
        }
    }
}

/// A client with one user's rights.
pub struct KubeClient {
    http: reqwest::Client,
    server: String,
    token: Option<String>,
    resources: Mutex<Vec<Resource>>,
}

impl KubeClient {
    /// A client for any server that speaks the Kubernetes API.
    pub fn new(server: &str, ca_certificate: &str, token: Option<&str>) -> Result<Self> {
        crate::tls::install_provider();
        let authority = reqwest::Certificate::from_pem(ca_certificate.as_bytes()).context("read the CA certificate")?;
        let http = reqwest::Client::builder()
            .tls_certs_only([authority])
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .no_proxy()
            .build()
            .context("make an HTTP client")?;
        let server = server.trim_end_matches('/').to_owned();
        Ok(Self { http, server, token: token.map(str::to_owned), resources: Mutex::default() })
    }

    /// Sends any request; the content type of a body is `application/json`.
    pub async fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        self.send(method, path, body, "application/json").await
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>, content_type: &str) -> Result<Answer> {
        let method: reqwest::Method = method.parse().with_context(|| format!("{method} is no HTTP method"))?;
        let what = format!("{method} {path}");
        let mut request = self.http.request(method, format!("{}{path}", self.server));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", content_type).body(body.to_string());
        }
        let response = request.send().await.with_context(|| what.clone())?;
        let status = response.status().as_u16();
        let body = response.bytes().await.with_context(|| what)?;
        let body = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
        Ok(Answer { status, body })
    }

    /// Whether the server has a kind.
    pub async fn has(&self, kind: &str) -> Result<bool> {
        self.look_up(kind).await.map(|found| found.is_some())
    }

    /// One object, or `None` when the server says that there is none.
    pub async fn get(&self, kind: &str, name: &str) -> Result<Option<Value>> {
        let path = self.object_path(kind, name).await?;
        let answer = self.request("GET", &path, None).await?;
        if answer.status == 404 { Ok(None) } else { answer.success(&format!("get {kind} {name}")).map(Some) }
    }

    /// All objects of a kind, in every namespace.
    pub async fn list(&self, kind: &str) -> Result<Vec<Value>> {
        let path = self.resource(kind).await?.path(None);
        let mut items = Vec::new();
        let mut page = String::new();
        loop {
            let answer = self.request("GET", &format!("{path}?limit=500{page}"), None).await?;
            let mut list = answer.success(&format!("list {kind}"))?;
            let kind = list["kind"].as_str().and_then(|kind| kind.strip_suffix("List")).map(str::to_owned);
            let version = list["apiVersion"].clone();
            for mut item in list["items"].as_array_mut().map(std::mem::take).unwrap_or_default() {
                // The items of built-in kinds come without these two.
                if item["kind"].is_null() {
                    item["kind"] = json!(kind);
                    item["apiVersion"] = version.clone();
                }
                items.push(item);
            }
            match list["metadata"]["continue"].as_str() {
                Some(next) if !next.is_empty() => page = format!("&continue={next}"),
                _ => return Ok(items),
            }
        }
    }

    /// Creates an object and returns it as it was stored.
    pub async fn create(&self, object: &Value) -> Result<Value> {
        let (resource, namespace, name) = self.place_of(object).await?;
        let answer = self.request("POST", &resource.path(Some(&namespace)), Some(object)).await?;
        answer.success(&format!("create {} {name}", resource.kind))
    }

    /// Replaces an object; without a `resourceVersion` of its own, whatever is there.
    pub async fn replace(&self, object: &Value) -> Result<Value> {
        let (resource, namespace, name) = self.place_of(object).await?;
        let path = format!("{}/{name}", resource.path(Some(&namespace)));
        let mut object = object.clone();
        if object["metadata"]["resourceVersion"].is_null() {
            let live = self.request("GET", &path, None).await?.success(&format!("get {} {name}", resource.kind))?;
            object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        }
        let answer = self.request("PUT", &path, Some(&object)).await?;
        answer.success(&format!("replace {} {name}", resource.kind))
    }

    /// Creates the object, or replaces the one of its name.
    pub async fn put(&self, object: &Value) -> Result<Value> {
        let (resource, namespace, name) = self.place_of(object).await?;
        let path = format!("{}/{name}", resource.path(Some(&namespace)));
        let exists = self.request("GET", &path, None).await?.status != 404;
        if exists { self.replace(object).await } else { self.create(object).await }
    }

    /// Merges a JSON merge patch into an object.
    pub async fn patch(&self, kind: &str, name: &str, patch: &Value) -> Result<Value> {
        let path = self.object_path(kind, name).await?;
        let answer = self.send("PATCH", &path, Some(patch), "application/merge-patch+json").await?;
        answer.success(&format!("patch {kind} {name}"))
    }

    /// Merges a JSON merge patch into an object's status.
    pub async fn patch_status(&self, kind: &str, name: &str, status: &Value) -> Result<Value> {
        let path = format!("{}/status", self.object_path(kind, name).await?);
        let patch = json!({"status": status});
        let answer = self.send("PATCH", &path, Some(&patch), "application/merge-patch+json").await?;
        answer.success(&format!("patch the status of {kind} {name}"))
    }

    /// Deletes an object; that there is none is an error.
    pub async fn delete(&self, kind: &str, name: &str) -> Result<()> {
        let path = self.object_path(kind, name).await?;
        self.request("DELETE", &path, None).await?.success(&format!("delete {kind} {name}")).map(drop)
    }

    /// All objects of a kind, and then every change of them: first a [`Change::Put`] for each that is there, then
    /// [`Change::Synced`], then what happens. It ends with an error when the server ends the watch.
    pub async fn watch(&self, kind: &str) -> Result<impl Stream<Item = Result<Change>> + use<>> {
        let path = self.resource(kind).await?.path(None);
        let list = self.request("GET", &path, None).await?.success(&format!("list {kind}"))?;
        let mut first: Vec<Result<Change>> = Vec::new();
        for item in list["items"].as_array().into_iter().flatten() {
            first.push(Ok(Change::Put(item.clone())));
        }
        first.push(Ok(Change::Synced));
        let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        let url = format!("{}{path}?watch=1&resourceVersion={version}", self.server);
        // Open for as long as it is wanted, unlike every other request.
        let mut request = self.http.get(url).timeout(Duration::from_secs(24 * 3600));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.with_context(|| format!("watch {kind}"))?.error_for_status()?;
        let bytes = response.bytes_stream().map_err(std::io::Error::other);
        let lines = tokio_util::io::StreamReader::new(bytes).lines();
        let changes = stream::try_unfold(lines, |mut lines| async move {
            let line = lines.next_line().await.context("read the watch")?.context("the server ended the watch")?;
            anyhow::Ok(Some((Change::read(&line)?, lines)))
        });
        Ok(stream::iter(first).chain(changes))
    }

    async fn object_path(&self, kind: &str, name: &str) -> Result<String> {
        let resource = self.resource(kind).await?;
        let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
        Ok(format!("{}/{name}", resource.path(Some(namespace))))
    }

    async fn place_of(&self, object: &Value) -> Result<(Resource, String, String)> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let kind = text(&object["kind"]).context("an object without kind")?;
        let api_version = text(&object["apiVersion"]).context("an object without apiVersion")?;
        let name = text(&object["metadata"]["name"]).context("an object without metadata.name")?;
        let namespace = text(&object["metadata"]["namespace"]).unwrap_or_else(|| "default".to_owned());
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let resource = self.resource(&if group.is_empty() { kind } else { format!("{kind}.{group}") }).await?;
        Ok((resource, namespace, name))
    }

    pub(super) async fn resource(&self, kind: &str) -> Result<Resource> {
        self.look_up(kind).await?.with_context(|| format!("the server has no kind {kind}"))
    }

    /// Looks a kind up among what the server offers; asks the server again when it is not known yet.
    async fn look_up(&self, kind: &str) -> Result<Option<Resource>> {
        if let Some(found) = self.known(kind)? {
            return Ok(Some(found));
        }
        let offered = self.discover().await?;
        *self.resources.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = offered;
        self.known(kind)
    }

    fn known(&self, wanted: &str) -> Result<Option<Resource>> {
        let (word, group) = wanted.split_once('.').map_or((wanted, None), |(word, group)| (word, Some(group)));
        let resources = self.resources.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let found: Vec<&Resource> = resources
            .iter()
            .filter(|one| one.kind == word || one.plural == word)
            .filter(|one| group.is_none_or(|group| one.group == group))
            .collect();
        // `events` is in two groups, and so are others of Kubernetes' own; of Hedgehog's and the core, one must do.
        ensure!(
            found.len() < 2 || group.is_some() || found[0].group.is_empty(),
            "{wanted} is more than one kind: {found:?}"
        );
        Ok(found.first().map(|&one| one.clone()))
    }

    /// Every kind that the server offers, in the preferred version of its group.
    pub(super) async fn discover(&self) -> Result<Vec<Resource>> {
        let groups = self.request("GET", "/apis", None).await?.success("discover the groups")?;
        let mut places = vec![(String::new(), "v1".to_owned())];
        for group in groups["groups"].as_array().into_iter().flatten() {
            let version = group["preferredVersion"]["version"].as_str().unwrap_or_default();
            places.push((group["name"].as_str().unwrap_or_default().to_owned(), version.to_owned()));
        }
        let mut resources = Vec::new();
        for (group, version) in places {
            let path = if group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{group}/{version}") };
            let list = self.request("GET", &path, None).await?.success(&format!("discover {group}"))?;
            for one in list["resources"].as_array().into_iter().flatten() {
                let plural = one["name"].as_str().unwrap_or_default().to_owned();
                if !plural.contains('/') {
                    let kind = one["kind"].as_str().unwrap_or_default().to_owned();
                    let namespaced = one["namespaced"].as_bool().unwrap_or_default();
                    resources.push(Resource {
                        group: group.clone(),
                        version: version.clone(),
                        plural,
                        kind,
                        namespaced,
                    });
                }
            }
        }
        Ok(resources)
    }
}
