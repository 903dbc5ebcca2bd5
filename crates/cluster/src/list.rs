//! Lists, page by page: every object of a kind in a namespace, as of one moment, or an error. A page that did not come can
//! be asked for again without those before it.

use crate::call::Call;
use crate::kinds::KindInfo;
use crate::received::{Received, nameless, receive_all};
use crate::{Cluster, Error, ErrorKind, address, allow};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

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

/// Every object of a kind, as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedAsReceived {
    /// The objects; of kinds that carry secrets only the allowed fields.
    pub objects: Vec<Received>,
    /// The moment of the list, from which a watch can go on.
    pub resource_version: String,
}

/// What was read of a list so far. Handed in again after a failure, the list goes on with the page that did not come, as of
/// the same moment; when the server has forgotten that moment, it begins anew.
#[derive(Debug)]
pub struct SoFar<T> {
    objects: Vec<T>,
    at: Position,
}

impl<T> Default for SoFar<T> {
    fn default() -> Self {
        Self { objects: Vec::new(), at: Position::default() }
    }
}

/// Where a list stands.
#[derive(Debug, Default)]
struct Position {
    /// What the server wants to hear for the next page; empty for the first.
    r#continue: String,
    /// Objects in a page; 0 until it is decided.
    page: u32,
    /// How often it has begun anew.
    restarts: u32,
}

/// One page, its items decoded as far as the caller wants them.
#[derive(Deserialize)]
struct Page<T> {
    #[serde(default)]
    kind: String,
    #[serde(default, rename = "apiVersion")]
    api_version: String,
    #[serde(default)]
    metadata: PageMeta,
    items: Option<Vec<T>>,
}

/// Where the pages go, one after the other; a list that starts again starts with none.
trait Gathering<T> {
    fn begin(&mut self);
    /// Takes a page, and says how many objects there are by now.
    async fn take(&mut self, items: Vec<T>) -> Result<usize, Error>;
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PageMeta {
    r#continue: String,
    resource_version: String,
    remaining_item_count: Option<u64>,
}

/// What a list tells while it goes on: the objects read so far and, where the server tells, how many there are.
type Progress<'a> = &'a (dyn Fn(usize, Option<u64>) + Sync);

impl Cluster {
    /// Lists a kind in a namespace (`""`: in all). `progress` gets the objects read so far and, where the server tells,
    /// how many there are; it falls back to 0 when the list has to start again.
    pub async fn list(&self, kind: &KindInfo, namespace: &str, progress: Progress<'_>) -> Result<Listed, Error> {
        self.list_on(kind, namespace, &mut SoFar::default(), progress).await
    }

    /// The same, going on from what was read before a failure.
    pub async fn list_on(
        &self,
        kind: &KindInfo,
        namespace: &str,
        so_far: &mut SoFar<Value>,
        progress: Progress<'_>,
    ) -> Result<Listed, Error> {
        let SoFar { objects, at } = so_far;
        let mut parsed = Parsed { kind, api_version: kind.gvk.api_version(), objects };
        let resource_version = self.gather::<Value>(kind, namespace, at, &mut parsed, progress).await?;
        Ok(Listed { objects: std::mem::take(objects), resource_version })
    }

    /// Lists without looking into the objects further than their identity: for whoever keeps many of them.
    pub async fn list_as_received(
        &self,
        kind: &KindInfo,
        namespace: &str,
        progress: Progress<'_>,
    ) -> Result<ListedAsReceived, Error> {
        self.list_as_received_on(kind, namespace, &mut SoFar::default(), progress).await
    }

    /// The same, going on from what was read before a failure.
    pub async fn list_as_received_on(
        &self,
        kind: &KindInfo,
        namespace: &str,
        so_far: &mut SoFar<Received>,
        progress: Progress<'_>,
    ) -> Result<ListedAsReceived, Error> {
        let SoFar { objects, at } = so_far;
        let mut kept = Kept { kind, objects };
        let resource_version = self.gather::<Box<RawValue>>(kind, namespace, at, &mut kept, progress).await?;
        Ok(ListedAsReceived { objects: std::mem::take(objects), resource_version })
    }

    async fn gather<T: DeserializeOwned + Send + 'static>(
        &self,
        kind: &KindInfo,
        namespace: &str,
        at: &mut Position,
        to: &mut impl Gathering<T>,
        progress: Progress<'_>,
    ) -> Result<String, Error> {
        if at.page == 0 {
            at.page = self.inner.limits.page.max(1);
            if kind.carries_secrets() {
                at.page = at.page.min(HEAVY_PAGE);
            }
        }
        loop {
            match self.gather_on(kind, namespace, at, to, progress).await {
                Err(e) if e.kind == ErrorKind::Gone => {
                    at.r#continue.clear();
                    if at.restarts >= MOST_RESTARTS {
                        return Err(e);
                    }
                    at.restarts += 1;
                    // A list that outlives its snapshot is too slow for its page size; fewer, larger pages are faster.
                    at.page = at.page.saturating_mul(4);
                    let (restarts, page) = (at.restarts, at.page);
                    tracing::warn!(operation = %e.operation, server = %self.inner.server, restarts, page, "the list's position expired, starting again");
                }
                other => return other,
            }
        }
    }

    async fn gather_on<T: DeserializeOwned + Send + 'static>(
        &self,
        kind: &KindInfo,
        namespace: &str,
        at: &mut Position,
        to: &mut impl Gathering<T>,
        progress: Progress<'_>,
    ) -> Result<String, Error> {
        let operation = format!("list {}", address::spoken_collection(kind, namespace));
        let path = address::collection(kind, namespace);
        if at.r#continue.is_empty() {
            to.begin();
            progress(0, None);
        }
        loop {
            let mut target = format!("{path}?limit={}", at.page);
            if !at.r#continue.is_empty() {
                target = format!("{target}&continue={}", address::escape(&at.r#continue));
            }
            let read: Page<T> = match self.fetch(&Call::get(&operation, target)).await {
                Err(e) if e.kind == ErrorKind::TooLarge && at.page > 1 => {
                    at.page = (at.page / 4).max(1);
                    let page = at.page;
                    tracing::warn!(operation, server = %self.inner.server, page, "a page was too large, asking for smaller ones");
                    continue;
                }
                other => other?,
            };
            let strange = |what: String| Err(Error::new(ErrorKind::Protocol, &operation, what));
            let (Some(items), true) = (read.items, read.kind.ends_with("List")) else {
                return strange("The answer is not a list of Kubernetes objects.".to_owned());
            };
            // A proxy that answers one address with what it kept of another must not empty a kind.
            if read.kind != format!("{}List", kind.gvk.kind) || read.api_version != kind.gvk.api_version() {
                return strange(format!(
                    "The answer is a list of something else ({} of {}); a proxy before the API server may mix answers up.",
                    read.kind, read.api_version
                ));
            }
            let there = to.take(items).await?;
            progress(there, read.metadata.remaining_item_count.map(|rest| (there as u64).saturating_add(rest)));
            let next = read.metadata.r#continue;
            if next.is_empty() {
                return Ok(read.metadata.resource_version);
            }
            if next == at.r#continue {
                return strange(format!("After {there} objects the list does not go on: the same page comes again."));
            }
            at.r#continue = next;
        }
    }
}

/// Gathers objects as values.
struct Parsed<'a> {
    kind: &'a KindInfo,
    api_version: String,
    objects: &'a mut Vec<Value>,
}

impl Gathering<Value> for Parsed<'_> {
    fn begin(&mut self) {
        self.objects.clear();
    }

    async fn take(&mut self, items: Vec<Value>) -> Result<usize, Error> {
        self.objects.reserve(items.len());
        for mut item in items {
            if item.pointer("/metadata/name").and_then(Value::as_str).is_none_or(str::is_empty) {
                return Err(nameless(self.kind));
            }
            name_kind(&mut item, &self.api_version, &self.kind.gvk.kind);
            self.objects.push(allow::keep_allowed(self.kind, item));
        }
        Ok(self.objects.len())
    }
}

/// Gathers objects as they were received.
struct Kept<'a> {
    kind: &'a KindInfo,
    objects: &'a mut Vec<Received>,
}

impl Gathering<Box<RawValue>> for Kept<'_> {
    fn begin(&mut self) {
        self.objects.clear();
    }

    async fn take(&mut self, items: Vec<Box<RawValue>>) -> Result<usize, Error> {
        self.objects.extend(receive_all(self.kind, items).await?);
        Ok(self.objects.len())
    }
}

/// Items of a list may leave out what the list itself says.
pub(crate) fn name_kind(item: &mut Value, api_version: &str, kind: &str) {
    if let Value::Object(map) = item {
        map.entry("apiVersion").or_insert_with(|| api_version.into());
        map.entry("kind").or_insert_with(|| kind.into());
    }
}
