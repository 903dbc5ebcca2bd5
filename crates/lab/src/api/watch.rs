//! Watches: what happened since a version, then what happens, one JSON document a line, with bookmarks.

use super::{
    error::ApiError,
    list::json_bytes,
    registry::Resource,
    request::{Form, Query, Target},
    selector::Selector,
    store::{Event, Store},
    table,
};
use axum::{body::Body, http::Response};
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    sync::watch::Receiver,
    time::{Instant, sleep_until},
};

/// A watch ends after this long when it names no timeout of its own.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// How often a quiet watch tells the version it stands at.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

struct Watch {
    store: Arc<Store>,
    resource: Arc<Resource>,
    namespace: Option<String>,
    selector: Selector,
    form: Form,
    /// Tables name their columns once.
    headers: bool,
    version: u64,
    bookmarks: bool,
    changed: Receiver<u64>,
    pending: VecDeque<String>,
    bookmark_at: Instant,
    end_at: Instant,
    ended: bool,
}

pub(super) fn watch(
    store: &Arc<Store>,
    target: &Target,
    query: &Query,
    form: Form,
) -> Result<Response<Body>, ApiError> {
    let mut selector_fields = query.get("fieldSelector").to_owned();
    if let Some(name) = &target.name {
        selector_fields = format!("metadata.name={name}");
    }
    let timeout = query.number("timeoutSeconds")?.map_or(LONGEST, Duration::from_secs).min(LONGEST);
    let now = Instant::now();
    let mut watch = Watch {
        changed: store.subscribe(),
        store: store.clone(),
        resource: target.resource.clone(),
        namespace: target.namespace.clone(),
        selector: Selector::parse(query.get("labelSelector"), &selector_fields)?,
        form,
        headers: true,
        version: 0,
        bookmarks: query.flag("allowWatchBookmarks"),
        pending: VecDeque::new(),
        bookmark_at: now + BOOKMARK_EVERY,
        end_at: now + timeout,
        ended: false,
    };
    let initial = query.flag("sendInitialEvents");
    match query.number("resourceVersion")? {
        None | Some(0) => watch.begin(initial),
        Some(_) if initial => watch.begin(true),
        Some(version) => {
            let locked = store.lock();
            // A version from the future is of an earlier life of this lab; what happened since is not known.
            if version > locked.version() {
                return Err(ApiError::expired(&format!("too old resource version: {version} ({})", locked.version())));
            }
            locked.events_after(target.resource.id, version)?;
            watch.version = version;
        }
    }
    let lines = stream::unfold(watch, |mut watch| async move {
        let line = watch.next().await?;
        Some((Ok::<Bytes, Infallible>(Bytes::from(line)), watch))
    });
    let mut response = json_bytes(Vec::new());
    *response.body_mut() = Body::from_stream(lines);
    Ok(response)
}

impl Watch {
    /// Begins with everything that is there.
    fn begin(&mut self, mark_end: bool) {
        let locked = self.store.lock();
        self.version = locked.version();
        let mut items = locked.list(&self.resource, self.namespace.as_deref());
        drop(locked);
        items.retain(|o| self.selector.matches(o));
        for item in &items {
            let line = self.line("ADDED", item);
            self.pending.push_back(line);
        }
        if mark_end && self.bookmarks {
            let line = self.bookmark(true);
            self.pending.push_back(line);
        }
    }

    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(line) = self.pending.pop_front() {
                return Some(line);
            }
            if self.ended {
                return None;
            }
            self.changed.borrow_and_update();
            self.read();
            if !self.pending.is_empty() {
                continue;
            }
            tokio::select! {
                changed = self.changed.changed() => if changed.is_err() { return None },
                () = sleep_until(self.bookmark_at), if self.bookmarks => {
                    self.bookmark_at = Instant::now() + BOOKMARK_EVERY;
                    return Some(self.bookmark(false));
                }
                () = sleep_until(self.end_at) => return None,
            }
        }
    }

    fn read(&mut self) {
        let (events, version) = {
            let locked = self.store.lock();
            (locked.events_after(self.resource.id, self.version), locked.version())
        };
        match events {
            Ok(events) => {
                for event in events {
                    if let Some((kind, object)) = self.selected(&event) {
                        let line = self.line(kind, &object);
                        self.pending.push_back(line);
                    }
                }
                self.version = version;
            }
            Err(error) => {
                self.pending.push_back(format!("{}\n", json!({"type": "ERROR", "object": error.status()})));
                self.ended = true;
            }
        }
    }

    /// What the event is to this watch: an object that comes to match is added, one that ceases to is deleted.
    fn selected(&self, event: &Event) -> Option<(&'static str, Arc<Value>)> {
        let namespace = event.after["metadata"]["namespace"].as_str();
        if self.namespace.is_some() && namespace != self.namespace.as_deref() {
            return None;
        }
        let before = event.before.as_ref().is_some_and(|o| self.selector.matches(o));
        let after = !event.deleted && self.selector.matches(&event.after);
        let kind = match (before, after) {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            (false, false) => return None,
        };
        Some((kind, event.after.clone()))
    }

    fn line(&mut self, kind: &str, object: &Value) -> String {
        let shaped = match self.form {
            Form::Object => return format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n"),
            Form::Metadata => table::partial(object),
            Form::Table => {
                let version = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
                let shaped = table::table(&self.resource, &[object], version, self.headers);
                self.headers = false;
                shaped
            }
        };
        format!("{}\n", json!({"type": kind, "object": shaped}))
    }

    fn bookmark(&self, initial_end: bool) -> String {
        let mut metadata = json!({"resourceVersion": self.version.to_string(), "creationTimestamp": null});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match self.form {
            Form::Object => {
                json!({"kind": self.resource.kind, "apiVersion": self.resource.api_version(), "metadata": metadata})
            }
            Form::Metadata => table::partial(&json!({"metadata": metadata})),
            Form::Table => table::table(&self.resource, &[], metadata, false),
        };
        format!("{}\n", json!({"type": "BOOKMARK", "object": object}))
    }
}
