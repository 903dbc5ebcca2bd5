//! Objects as they were received: their identity read, the rest kept as the JSON that came. Ten thousand objects take a
//! tenth of the memory that way, and nobody parses what did not change.

use crate::call::DECODE_INLINE;
use crate::kinds::KindInfo;
use crate::list::name_kind;
use crate::{Error, ErrorKind, allow};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An object as it was received. Of kinds that carry secrets only the allowed fields are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The version that this is of it.
    pub resource_version: String,
    /// The object as JSON text, with apiVersion and kind.
    pub json: Box<str>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    metadata: Metadata<'a>,
    #[serde(rename = "apiVersion", default)]
    api_version: Option<&'a RawValue>,
    #[serde(default)]
    kind: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    resource_version: Cow<'a, str>,
}

/// Reads the identity of an object. `None` for what has no name: it is no object.
pub(crate) fn receive(kind: &KindInfo, raw: Box<RawValue>) -> Option<Received> {
    let head: Head<'_> = serde_json::from_str(raw.get()).ok()?;
    let Metadata { name, namespace, resource_version } = head.metadata;
    let (name, namespace) = (name.into_owned(), namespace.into_owned());
    let resource_version = resource_version.into_owned();
    if name.is_empty() {
        return None;
    }
    let is_named = head.api_version.is_some() && head.kind.is_some();
    let json = if kind.carries_secrets() || !is_named {
        let mut object: Value = serde_json::from_str(raw.get()).ok()?;
        name_kind(&mut object, &kind.gvk.api_version(), &kind.gvk.kind);
        allow::keep_allowed(kind, object).to_string().into_boxed_str()
    } else {
        raw.into()
    };
    Some(Received { namespace, name, resource_version, json })
}

/// The same for a page of objects; a large one on a blocking thread, so that other fabrics' calls are not held up.
///
/// # Errors
/// When something in it is no object: passed over, it would count as an object that is not there.
pub(crate) async fn receive_all(kind: &KindInfo, items: Vec<Box<RawValue>>) -> Result<Vec<Received>, Error> {
    let of = |kind: &KindInfo, items: Vec<Box<RawValue>>| {
        items.into_iter().map(|raw| receive(kind, raw).ok_or_else(|| nameless(kind))).collect()
    };
    if items.iter().map(|raw| raw.get().len()).sum::<usize>() <= DECODE_INLINE {
        return of(kind, items);
    }
    // Without its schema, which is the largest part of what is known of a kind.
    let kind = KindInfo::bare(&kind.gvk.group, &kind.gvk.version, &kind.gvk.kind, &kind.plural, kind.namespaced);
    let operation = format!("read a page of {}", kind.gvk.kind);
    tokio::task::spawn_blocking(move || of(&kind, items))
        .await
        .map_err(|e| Error::new(ErrorKind::Protocol, operation, format!("Decoding the answer failed: {e}.")))?
}

/// Of a list that holds something which is no object.
pub(crate) fn nameless(kind: &KindInfo) -> Error {
    let operation = format!("list {}", kind.gvk.kind);
    Error::new(ErrorKind::Protocol, operation, "The list holds something that is no object with a name.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn text_stays_as_it_came_and_identity_is_read_out_of_it() {
        let kind = KindInfo::bare("vpc.githedgehog.com", "v1beta1", "VPC", "vpcs", true);
        let text = r#"{"apiVersion":"vpc.githedgehog.com/v1beta1","kind":"VPC","metadata":{"name":"a\u002d1","namespace":"n","resourceVersion":"7","uid":"u"},"spec":{"z":1,"a":[1.50]}}"#;
        let got = receive(&kind, raw(text)).unwrap();
        assert_eq!((got.name.as_str(), got.namespace.as_str(), got.resource_version.as_str()), ("a-1", "n", "7"));
        assert_eq!(&*got.json, text, "not a byte is another");
        let bare = receive(&kind, raw(r#"{"metadata":{"name":"a"}}"#)).unwrap();
        let value: Value = serde_json::from_str(&bare.json).unwrap();
        assert_eq!((&value["kind"], &value["apiVersion"]), (&"VPC".into(), &"vpc.githedgehog.com/v1beta1".into()));
        assert_eq!(receive(&kind, raw(r#"{"metadata":{}}"#)), None);
        assert_eq!(receive(&kind, raw("3")), None);
    }

    #[test]
    fn of_an_agent_only_the_allowed_fields_are_kept() {
        let kind = KindInfo::bare("agent.githedgehog.com", "v1beta1", "Agent", "agents", true);
        let text = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"leaf-1"},"spec":{"role":"spine","users":[{"password":"secret"}]}}"#;
        let got = receive(&kind, raw(text)).unwrap();
        assert!(!got.json.contains("secret") && got.json.contains("spine"), "{}", got.json);
    }
}
