//! Single objects: read, create, replace, delete.
//!
//! Writes are compare-and-swap throughout: create never overwrites, replace and delete name the very object (uid) in the
//! very state (resourceVersion) that was looked at. All of them ask for strict decoding, so that a misspelt field is
//! refused instead of dropped. kube's typed parameters know neither that nor a uid on PUT, hence requests by hand.

use crate::call::{Answer, Call};
use crate::kinds::KindInfo;
use crate::{Cluster, Error, ErrorKind, address, allow};
use http::{HeaderMap, Method};
use model::prune::FIELD_MANAGER as MANAGER;
use serde_json::{Value, json};

/// A write is answered with `metadata` alone: what was stored is proved by reading it, and its body would cost the API
/// server a tenth of the write. Whoever does not know that form (a proxy, an aggregated server) sends the object.
const IDENTITY_ONLY: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// What the server stored, or would store in a dry run.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Of a dry run the object, after webhooks and defaults; of a write its `metadata`, and nothing else is promised.
    pub object: Value,
    /// What the server warned of.
    pub warnings: Vec<String>,
}

impl Cluster {
    /// Reads one object; `None` when there is none of that name. A kind that is not served is an error.
    pub async fn get(&self, kind: &KindInfo, namespace: &str, name: &str) -> Result<Option<Value>, Error> {
        let operation = format!("read {}", address::spoken(kind, namespace, name));
        check_name(&operation, name)?;
        let call = Call::get(operation, address::object(kind, namespace, name));
        match self.fetch::<Value>(&call).await {
            Ok(object) => Ok(Some(allow::keep_allowed(kind, object))),
            // A Status with the object's name in it means that only the object is missing.
            Err(e) if e.kind == ErrorKind::NotFound && e.message.contains(&format!("\"{name}\" not found")) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Creates an object. One that exists already is a conflict, not a merge.
    pub async fn create(&self, kind: &KindInfo, object: &Value, dry_run: bool) -> Result<Written, Error> {
        let (namespace, name) = names(object);
        let operation = operation("create", kind, namespace, name, dry_run);
        check_object(&operation, kind, object)?;
        let target = format!("{}?{}", address::collection(kind, namespace), self.write_query(dry_run));
        self.written(kind, Call::send(operation, Method::POST, target, object, !dry_run)).await
    }

    /// Replaces an object that carries the resourceVersion and the uid that were compared.
    pub async fn replace(&self, kind: &KindInfo, object: &Value, dry_run: bool) -> Result<Written, Error> {
        let (namespace, name) = names(object);
        let operation = operation("replace", kind, namespace, name, dry_run);
        check_object(&operation, kind, object)?;
        for field in ["resourceVersion", "uid"] {
            let value = object.pointer(&format!("/metadata/{field}")).and_then(Value::as_str).unwrap_or_default();
            if value.is_empty() {
                let message =
                    format!("The object carries no metadata.{field}; only an object that was read can be replaced.");
                return Err(Error::new(ErrorKind::Rejected, operation, message));
            }
        }
        let target = format!("{}?{}", address::object(kind, namespace, name), self.write_query(dry_run));
        self.written(kind, Call::send(operation, Method::PUT, target, object, !dry_run)).await
    }

    /// Deletes the object of that name if it still is the one, and in the state, that was looked at.
    pub async fn delete(
        &self,
        kind: &KindInfo,
        namespace: &str,
        name: &str,
        uid: &str,
        resource_version: &str,
        dry_run: bool,
    ) -> Result<(), Error> {
        let operation = operation("delete", kind, namespace, name, dry_run);
        check_name(&operation, name)?;
        if uid.is_empty() || resource_version.is_empty() {
            let message =
                "Without uid and resourceVersion another object might be deleted than the one that was looked at.";
            return Err(Error::new(ErrorKind::Rejected, operation, message));
        }
        // With a body, the server reads dryRun there and ignores the query.
        let mut options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
        });
        if dry_run {
            options["dryRun"] = json!(["All"]);
        }
        let target = format!("{}?timeout={}s", address::object(kind, namespace, name), self.server_timeout());
        self.call(&Call::send(operation, Method::DELETE, target, &options, !dry_run)).await?;
        Ok(())
    }

    async fn written(&self, kind: &KindInfo, call: Call) -> Result<Written, Error> {
        let call = if call.writes { call.accepting(IDENTITY_ONLY) } else { call };
        let answer: Answer = self.call(&call).await?;
        let warnings = warnings(&answer.headers);
        let object = answer.decode::<Value>(&call.operation).await?;
        Ok(Written { object: allow::keep_allowed(kind, object), warnings })
    }

    fn write_query(&self, dry_run: bool) -> String {
        let dry = if dry_run { "&dryRun=All" } else { "" };
        format!("fieldManager={MANAGER}&fieldValidation=Strict&timeout={}s{dry}", self.server_timeout())
    }

    /// The server gives a write up before we do, so that a late write rarely has an unknown outcome.
    fn server_timeout(&self) -> u64 {
        let limit = self.inner.limits.request.as_secs();
        limit.saturating_sub(2).max(1)
    }
}

fn operation(verb: &str, kind: &KindInfo, namespace: &str, name: &str, dry_run: bool) -> String {
    let dry = if dry_run { " (dry run)" } else { "" };
    format!("{verb} {}{dry}", address::spoken(kind, namespace, name))
}

fn names(object: &Value) -> (&str, &str) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    (text("namespace"), text("name"))
}

fn check_object(operation: &str, kind: &KindInfo, object: &Value) -> Result<(), Error> {
    let (namespace, name) = names(object);
    check_name(operation, name)?;
    let wrong = |message: String| Err(Error::new(ErrorKind::Rejected, operation, message));
    if kind.namespaced && !address::is_segment(namespace) {
        return wrong("The object names no namespace.".to_owned());
    }
    if object["kind"].as_str() != Some(kind.gvk.kind.as_str()) || group_of(object) != kind.gvk.group {
        return wrong(format!("The object is none of kind {}.", kind.gvk));
    }
    Ok(())
}

fn group_of(object: &Value) -> &str {
    object["apiVersion"].as_str().and_then(|v| v.split_once('/')).map_or("", |(group, _)| group)
}

fn check_name(operation: &str, name: &str) -> Result<(), Error> {
    if address::is_segment(name) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Rejected, operation, "The object has no usable name."))
}

/// The texts of `Warning` headers (RFC 9111: code, agent, quoted text).
fn warnings(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(http::header::WARNING).iter();
    values.filter_map(|v| std::str::from_utf8(v.as_bytes()).ok()).flat_map(quoted_texts).collect()
}

/// Every quoted string in a header, unescaped. One header may carry several warnings.
fn quoted_texts(header: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut open: Option<String> = None;
    let mut characters = header.chars();
    while let Some(c) = characters.next() {
        match (&mut open, c) {
            (None, '"') => open = Some(String::new()),
            (None, _) => {}
            (Some(_), '"') => texts.extend(open.take()),
            (Some(text), '\\') => text.extend(characters.next()),
            (Some(text), other) => text.push(other),
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_unquoted() {
        let header = r#"299 - "unknown field \"spec.foo\"", 299 - "second, with comma""#;
        assert_eq!(quoted_texts(header), [r#"unknown field "spec.foo""#, "second, with comma"]);
        assert!(quoted_texts("299 -").is_empty());
    }

    #[test]
    fn an_object_must_be_of_its_kind_and_have_its_names() {
        let kind = KindInfo::bare("vpc.githedgehog.com", "v1beta1", "VPC", "vpcs", true);
        let good = json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC", "metadata": {"name": "a", "namespace": "default"}});
        check_object("create", &kind, &good).unwrap();
        for (pointer, value) in
            [("/kind", "Switch"), ("/apiVersion", "v1"), ("/metadata/name", ".."), ("/metadata/namespace", "")]
        {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).unwrap() = value.into();
            assert_eq!(check_object("create", &kind, &bad).unwrap_err().kind, ErrorKind::Rejected, "{pointer}");
        }
    }
}
