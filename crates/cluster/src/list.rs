//! Lists, page by page: every object of a kind in a namespace, as of one moment, or an error.

use crate::call::Call;
use crate::kinds::KindInfo;
use crate::{Cluster, Error, ErrorKind, address, allow};
use serde::Deserialize;
use serde_json::Value;

/// How often a list starts again when its position expired (410).
const MOST_RESTARTS: u32 = 3;
/// Agents are some hundred times larger than other objects.
const HEAVY_PAGE: u32 = 50;

/// Every object of a kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The objects, each with apiVersion and kind; of kinds that carry secrets only the allowed fields.
    pub objects: Vec<Value>,
    /// The moment of the list, from which a watch can go on.
    pub resource_version: String,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    metadata: PageMeta,
    items: Option<Vec<Value>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PageMeta {
    r#continue: String,
    resource_version: String,
    remaining_item_count: Option<u64>,
}

impl Cluster {
    /// Lists a kind in a namespace (`""`: in all). `progress` gets the objects read so far and, where the server tells,
    /// how many there are; it falls back to 0 when the list has to start again.
    pub async fn list(
        &self,
        kind: &KindInfo,
        namespace: &str,
        progress: &(dyn Fn(usize, Option<u64>) + Sync),
    ) -> Result<Listed, Error> {
        let mut page = self.inner.limits.page.max(1);
        if kind.carries_secrets() {
            page = page.min(HEAVY_PAGE);
        }
        let mut restarts = 0;
        loop {
            match self.list_once(kind, namespace, &mut page, progress).await {
                Err(e) if e.kind == ErrorKind::Gone && restarts < MOST_RESTARTS => {
                    restarts += 1;
                    // A list that outlives its snapshot is too slow for its page size; fewer, larger pages are faster.
                    page = page.saturating_mul(4);
                    tracing::warn!(operation = %e.operation, server = %self.inner.server, restarts, page, "the list's position expired, starting again");
                }
                other => return other,
            }
        }
    }

    async fn list_once(
        &self,
        kind: &KindInfo,
        namespace: &str,
        page: &mut u32,
        progress: &(dyn Fn(usize, Option<u64>) + Sync),
    ) -> Result<Listed, Error> {
        let whose = if kind.namespaced && !namespace.is_empty() { format!(" in {namespace}") } else { String::new() };
        let operation = format!("list {}{whose}", kind.gvk.kind);
        let path = address::collection(kind, namespace);
        let (api_version, kind_name) = (kind.gvk.api_version(), kind.gvk.kind.as_str());
        let mut objects = Vec::new();
        let mut position = String::new();
        progress(0, None);
        loop {
            let mut target = format!("{path}?limit={page}");
            if !position.is_empty() {
                target = format!("{target}&continue={}", address::escape(&position));
            }
            let read: Page = match self.fetch(&Call::get(&operation, target)).await {
                Err(e) if e.kind == ErrorKind::TooLarge && *page > 1 => {
                    *page = (*page / 4).max(1);
                    tracing::warn!(operation, server = %self.inner.server, page, "a page was too large, asking for smaller ones");
                    continue;
                }
                other => other?,
            };
            let (Some(items), true) = (read.items, read.kind.ends_with("List")) else {
                return Err(Error::new(
                    ErrorKind::Protocol,
                    operation,
                    "The answer is not a list of Kubernetes objects.",
                ));
            };
            objects.reserve(items.len());
            for mut item in items {
                name_kind(&mut item, &api_version, kind_name);
                objects.push(allow::keep_allowed(kind, item));
            }
            progress(objects.len(), read.metadata.remaining_item_count.map(|rest| objects.len() as u64 + rest));
            if read.metadata.r#continue.is_empty() {
                return Ok(Listed { objects, resource_version: read.metadata.resource_version });
            }
            position = read.metadata.r#continue;
        }
    }
}

/// Items of a list may leave out what the list itself says.
fn name_kind(item: &mut Value, api_version: &str, kind: &str) {
    if let Value::Object(map) = item {
        map.entry("apiVersion").or_insert_with(|| api_version.into());
        map.entry("kind").or_insert_with(|| kind.into());
    }
}
