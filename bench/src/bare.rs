//! The bare loops: what reading or creating these objects costs without anything around it. Requests over one HTTP/2
//! connection; LIST pages are decoded, answers to creates are only read.

use anyhow::{Context, Result, ensure};
use futures::stream::{self, TryStreamExt};
use model::Gvk;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::ControlPlane;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Objects in one page of a list.
const PAGE: usize = 500;

/// A plain client of the API server.
#[derive(Clone)]
pub struct Bare {
    http: reqwest::Client,
    server: String,
    token: String,
    /// Collections in namespace `default`, by kind.
    collections: Arc<HashMap<String, String>>,
    /// Of these, the ones that a comparison reads.
    compared: Arc<Vec<String>>,
}

impl Bare {
    /// A client with its own connection. `crds` are the definitions that are installed.
    pub fn new(plane: &ControlPlane, crds: &[Value]) -> Result<Self> {
        let authority = reqwest::Certificate::from_pem(plane.ca_certificate().as_bytes())?;
        let http = reqwest::Client::builder()
            .tls_certs_only([authority])
            .timeout(Duration::from_secs(60))
            .no_proxy()
            .build()
            .context("make an HTTP client")?;
        let (mut collections, mut compared) = (HashMap::new(), Vec::new());
        for crd in crds {
            let text = |pointer: &str| crd.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let (group, kind, version) = (text("/spec/group"), text("/spec/names/kind"), text("/spec/versions/0/name"));
            let path = format!("/apis/{group}/{version}/namespaces/default/{}", text("/spec/names/plural"));
            // The engine reads what users author, and the agents that report.
            if model::kind::is_user_authored(&Gvk::new(group, version, kind))
                || matches!(kind, "Agent" | "GatewayAgent")
            {
                compared.push(path.clone());
            }
            collections.insert(kind.to_owned(), path);
        }
        Ok(Self {
            http,
            server: plane.url(),
            token: plane.admin_token().to_owned(),
            collections: Arc::new(collections),
            compared: Arc::new(compared),
        })
    }

    /// Creates objects, so many at once, and gives the time that it took. The bodies are made before.
    pub async fn create(&self, objects: &[Value], at_once: usize) -> Result<Duration> {
        let requests = objects.iter().map(|object| {
            let kind = object["kind"].as_str().unwrap_or_default();
            let path = self.collections.get(kind).with_context(|| format!("no kind {kind}"))?;
            anyhow::Ok((format!("{}{path}", self.server), object.to_string()))
        });
        let requests: Vec<(String, String)> = requests.collect::<Result<_>>()?;
        let start = Instant::now();
        stream::iter(requests.into_iter().map(|(url, body)| self.create_one(url, body)).map(Ok::<_, anyhow::Error>))
            .try_for_each_concurrent(at_once, |created| created)
            .await?;
        Ok(start.elapsed())
    }

    async fn create_one(&self, url: String, body: String) -> Result<()> {
        let request = self.http.post(&url).bearer_auth(&self.token).header("content-type", "application/json");
        let response = request.body(body).send().await?;
        let status = response.status();
        let answer = response.bytes().await?;
        ensure!(status.as_u16() == 201, "create at {url}: {status} {}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    /// Changes one object by a merge patch, and gives the answer.
    pub async fn patch(&self, object: &Value, patch: &Value) -> Result<Value> {
        let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default();
        let path = self.collections.get(text("/kind")).with_context(|| format!("no kind {}", text("/kind")))?;
        let url = format!("{}{path}/{}", self.server, text("/metadata/name"));
        let request = self.http.patch(&url).bearer_auth(&self.token).body(patch.to_string());
        let response = request.header("content-type", "application/merge-patch+json").send().await?;
        Ok(serde_json::from_slice(&response.error_for_status()?.bytes().await?)?)
    }

    /// Lists every kind that a comparison reads, page by page and decoded, so many calls at once; gives the time that
    /// it took and the objects.
    pub async fn list(&self, at_once: usize) -> Result<(Duration, Vec<Value>)> {
        let gate = Arc::new(Semaphore::new(at_once));
        let start = Instant::now();
        let mut kinds = JoinSet::new();
        for path in self.compared.iter() {
            kinds.spawn(list_kind(self.clone(), format!("{}{path}?limit={PAGE}", self.server), gate.clone()));
        }
        let mut objects = Vec::new();
        while let Some(kind) = kinds.join_next().await {
            objects.extend(kind??);
        }
        Ok((start.elapsed(), objects))
    }
}

async fn list_kind(bare: Bare, url: String, gate: Arc<Semaphore>) -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    let mut position = String::new();
    loop {
        // The server makes positions of letters that a URL bears.
        let request = bare.http.get(format!("{url}&continue={position}")).bearer_auth(&bare.token);
        let slot = gate.acquire().await?;
        let body = request.send().await?.error_for_status()?.bytes().await?;
        drop(slot);
        let mut page: Value = serde_json::from_slice(&body)?;
        if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
            objects.extend(items);
        }
        match page.pointer("/metadata/continue").and_then(Value::as_str) {
            Some(next) if !next.is_empty() => next.clone_into(&mut position),
            _ => return Ok(objects),
        }
    }
}
