//! A live object as a person would have written it: what *adopt* commits to the source.
//!
//! `adopt/minimal.rs` takes away what Hedgehog's webhooks added, and stops where taking away would change the meaning;
//! `adopt/place.rs` chooses the file. The engine commits the text, the page shows the same text before.
//!
//! Three things hold for every manifest, and tests hold them against what Hedgehog's own controller stored: compared with
//! the object that it was made from it is equal; read back from its text it is the same; applied again it is stored as the
//! object was.

mod minimal;
mod place;
#[cfg(test)]
mod tests;

pub use place::{Place, Places};

use crate::kind::{self, Author};
use crate::normalise::{is_system_annotation, is_system_label};
use crate::object::Gvk;
use serde_json::{Map, Value};

/// Why an object of a cluster does not become a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAdoptable {
    /// It has no apiVersion, kind or name.
    #[error("It is no Kubernetes object with apiVersion, kind and name.")]
    NoIdentity,
    /// People do not write objects of this kind.
    #[error("Objects of the kind {kind} are written by {by}, not by people; they do not belong into Git.")]
    NotAuthored {
        /// The kind.
        kind: String,
        /// Who writes it.
        by: &'static str,
    },
    /// Another object made it and keeps it as it wants.
    #[error("It belongs to {owner}, which writes it; adopt that one instead.")]
    Owned {
        /// Kind and name of the owner.
        owner: String,
    },
    /// Somebody has deleted it, and it waits for its finalizers.
    #[error("It is being deleted.")]
    BeingDeleted,
}

/// Annotations in which tools that deliver objects keep their own books: copied into Git they would claim the object for
/// that tool.
const BOOKS: [&str; 5] = [
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/installation-id",
    "meta.helm.sh/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
];

/// The manifest of a live object: identity, labels and annotations of people, and of the rest what is not said by its
/// absence already. Keys stand in a fixed order.
///
/// # Errors
/// When objects of its kind are not written by people (among them are all kinds that carry secrets), or it is not free to
/// be taken over.
pub fn manifest(live: &Value) -> Result<Value, NotAdoptable> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let gvk = Gvk::parse(&text(live, "apiVersion"), &text(live, "kind"));
    let metadata = live.get("metadata").and_then(Value::as_object).ok_or(NotAdoptable::NoIdentity)?;
    if gvk.version.is_empty() || gvk.kind.is_empty() || text(&live["metadata"], "name").is_empty() {
        return Err(NotAdoptable::NoIdentity);
    }
    check_kind(&gvk.group, &gvk.kind)?;
    if metadata.get("deletionTimestamp").is_some_and(|at| !at.is_null()) {
        return Err(NotAdoptable::BeingDeleted);
    }
    if let Some(owner) = metadata.get("ownerReferences").and_then(Value::as_array).and_then(|owners| owners.first()) {
        return Err(NotAdoptable::Owned { owner: format!("{} {}", text(owner, "kind"), text(owner, "name")) });
    }
    let mut object = Map::new();
    for key in ["apiVersion", "kind"] {
        object.insert(key.to_owned(), live[key].clone());
    }
    object.insert("metadata".to_owned(), own_metadata(metadata, &gvk.kind));
    for (key, value) in live.as_object().into_iter().flatten() {
        if key != "status" && !object.contains_key(key.as_str()) {
            object.insert(key.clone(), value.clone());
        }
    }
    Ok(in_order(minimal::of(Value::Object(object))))
}

/// Whether objects of a kind are written by people at all.
///
/// # Errors
/// [`NotAdoptable::NotAuthored`], with who writes them.
pub fn check_kind(group: &str, kind: &str) -> Result<(), NotAdoptable> {
    let by = match kind::find(group, kind).map(|known| known.author) {
        Some(Author::User) => return Ok(()),
        None if Gvk::new(group, "", kind).is_hedgehog() => return Ok(()),
        Some(Author::Controller) => "the fabric's controller",
        Some(Author::BuiltIn) => "Hedgehog itself",
        Some(Author::Installer) => "the installer",
        None => "others than Hedgehog",
    };
    Err(NotAdoptable::NotAuthored { kind: kind.to_owned(), by })
}

/// Name, namespace, and the labels and annotations that people wrote. Finalizers are left: in the cluster they stay, and
/// Git has no say in them.
fn own_metadata(live: &Map<String, Value>, kind: &str) -> Value {
    let mut metadata = Map::new();
    for key in ["name", "namespace"] {
        if let Some(value) = live.get(key).filter(|value| value.as_str().is_some_and(|text| !text.is_empty())) {
            metadata.insert(key.to_owned(), value.clone());
        }
    }
    for field in ["labels", "annotations"] {
        let is_noise = |key: &str| match field {
            "labels" => is_system_label(key),
            _ => is_system_annotation(kind, key) || BOOKS.iter().any(|book| key.starts_with(book)),
        };
        let written = live.get(field).and_then(Value::as_object).into_iter().flatten();
        let kept: Map<String, Value> =
            written.filter(|(key, _)| !is_noise(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
        if !kept.is_empty() {
            metadata.insert(field.to_owned(), Value::Object(kept));
        }
    }
    Value::Object(metadata)
}

/// The keys of every map in the order of a hand-written manifest: what identifies first, the rest by name.
fn in_order(value: Value) -> Value {
    const FIRST: [&str; 7] = ["apiVersion", "kind", "metadata", "spec", "name", "namespace", "labels"];
    match value {
        Value::Object(map) => {
            let mut fields: Vec<(String, Value)> = map.into_iter().collect();
            let place = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
            fields.sort_by(|(a, _), (b, _)| (place(a), a).cmp(&(place(b), b)));
            Value::Object(fields.into_iter().map(|(key, value)| (key, in_order(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(in_order).collect()),
        scalar => scalar,
    }
}

/// The text of a manifest, as it stands in its file.
pub fn text(manifest: &Value) -> String {
    // Long texts stay on one line: a folded one shows where it was folded in every later difference.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(manifest, options).expect("plain JSON can be written as YAML")
}
