//! Reading a request: what its path names, what its query and headers ask for.

use super::{
    error::ApiError,
    registry::{Registry, Resource},
    write::{FieldValidation, WriteOptions},
};
use axum::http::{HeaderMap, Method, header};
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// Parameters of a query, decoded.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(query: Option<&str>) -> Self {
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = query.unwrap_or_default().split('&').filter(|p| !p.is_empty());
        Self(pairs.map(|p| p.split_once('=').unwrap_or((p, ""))).map(|(k, v)| (decode(k), decode(v))).collect())
    }

    /// A parameter; empty when absent.
    pub fn get(&self, key: &str) -> &str {
        self.0.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v)
    }

    pub fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), "true" | "1") || (self.get(key).is_empty() && self.0.iter().any(|(k, _)| k == key))
    }

    pub fn number(&self, key: &str) -> Result<Option<u64>, ApiError> {
        match self.get(key) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| ApiError::bad_request(format!("{key} '{text}' is no number"))),
        }
    }
}

/// In which form an answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Object,
    Table,
    Metadata,
}

/// The first form of the Accept header that is spoken here.
pub(super) fn form(headers: &HeaderMap) -> Result<Form, ApiError> {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or("*/*");
    for item in accept.split(',') {
        let mut parts = item.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let (mut shape, mut version) = ("", "v1");
        for parameter in parts {
            match parameter.split_once('=') {
                Some(("as", value)) => shape = value,
                Some(("v", value)) => version = value,
                _ => {}
            }
        }
        if !matches!(media, "application/json" | "*/*" | "application/*" | "") || version != "v1" {
            continue;
        }
        match shape {
            "" => return Ok(Form::Object),
            "Table" => return Ok(Form::Table),
            "PartialObjectMetadata" | "PartialObjectMetadataList" => return Ok(Form::Metadata),
            _ => {}
        }
    }
    Err(ApiError::not_acceptable(accept))
}

/// What a path under `/api` or `/apis` names.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub resource: Arc<Resource>,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub status: bool,
}

impl Target {
    /// The namespace of objects, which requests for all namespaces do not have.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// The verb as RBAC names it.
    pub fn verb(&self, method: &Method, query: &Query) -> Result<&'static str, ApiError> {
        Ok(match (method, self.name.is_some()) {
            (&Method::GET | &Method::HEAD, true) => "get",
            (&Method::GET | &Method::HEAD, false) if query.flag("watch") => "watch",
            (&Method::GET | &Method::HEAD, false) => "list",
            (&Method::POST, false) => "create",
            (&Method::PUT, true) => "update",
            (&Method::PATCH, true) => "patch",
            (&Method::DELETE, true) => "delete",
            (&Method::DELETE, false) => "deletecollection",
            _ => return Err(ApiError::method_not_allowed()),
        })
    }
}

/// Finds what `/apis/group/version/...` names; `rest` is the path behind the version.
pub(super) fn target(registry: &Registry, group: &str, version: &str, rest: &[&str]) -> Result<Target, ApiError> {
    let decode = |s: &str| percent_decode_str(s).decode_utf8_lossy().into_owned();
    // `/namespaces/x` is a namespace, `/namespaces/x/plural` is something in it.
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() && rest != ["status"] => {
            (Some(decode(namespace)), rest)
        }
        _ => (None, rest),
    };
    let (plural, name, subresource) = match rest {
        [plural] => (plural, None, None),
        [plural, name] => (plural, Some(decode(name)), None),
        [plural, name, subresource] => (plural, Some(decode(name)), Some(*subresource)),
        _ => return Err(ApiError::no_such_path()),
    };
    let resource = registry.find(group, version, plural).ok_or_else(ApiError::no_such_path)?;
    if resource.namespaced != namespace.is_some() && !(resource.namespaced && name.is_none()) {
        return Err(ApiError::no_such_path());
    }
    let status = match subresource {
        None => false,
        Some("status") if resource.status => true,
        Some(_) => return Err(ApiError::no_such_path()),
    };
    Ok(Target { resource: resource.clone(), namespace, name, status })
}

/// How a write is meant, from its query and headers.
pub(super) fn write_options(
    method: &Method,
    target: &Target,
    query: &Query,
    headers: &HeaderMap,
) -> Result<WriteOptions, ApiError> {
    let options = match *method {
        Method::POST => "CreateOptions",
        Method::PUT => "UpdateOptions",
        _ => "PatchOptions",
    };
    let dry_run = match query.get("dryRun") {
        "" => false,
        "All" => true,
        other => return Err(ApiError::invalid_dry_run(options, other)),
    };
    let field_validation = match query.get("fieldValidation") {
        "" | "Warn" => FieldValidation::Warn,
        "Strict" => FieldValidation::Strict,
        "Ignore" => FieldValidation::Ignore,
        other => {
            let message =
                format!("Unsupported value: \"{other}\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"");
            return Err(ApiError::invalid_option(options, "fieldValidation", "FieldValueNotSupported", &message));
        }
    };
    let manager = match query.get("fieldManager") {
        "" => {
            let agent = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
            agent.split(['/', ' ']).next().filter(|a| !a.is_empty()).unwrap_or("unknown").to_owned()
        }
        manager => manager.to_owned(),
    };
    Ok(WriteOptions {
        manager,
        dry_run,
        field_validation,
        subresource: target.status.then_some("status"),
        patch: method == Method::PATCH,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let registry = Registry::new(&crate::kinds::crds());
        let find = |path: &str| {
            let parts: Vec<&str> = path.split('/').collect();
            target(&registry, "vpc.githedgehog.com", "v1beta1", &parts)
        };
        let one = find("namespaces/default/vpcs/a%2Db/status").unwrap();
        assert_eq!(
            (one.resource.kind.as_str(), one.namespace(), one.name(), one.status),
            ("VPC", "default", "a-b", true)
        );
        assert!(find("vpcs").unwrap().namespace.is_none());
        for bad in ["vpcs/a", "namespaces/default/vpcs/a/scale", "namespaces/default/nope", "x/y/z/a"] {
            assert_eq!(find(bad).unwrap_err().code, 404, "{bad}");
        }
        let namespace = target(&registry, "", "v1", &["namespaces", "default"]).unwrap();
        assert_eq!((namespace.resource.kind.as_str(), namespace.name()), ("Namespace", "default"));
    }

    #[test]
    fn accept_headers() {
        let form_of = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            form(&headers).map_err(|e| e.code)
        };
        assert_eq!(form_of("application/json"), Ok(Form::Object));
        assert_eq!(
            form_of(
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1,application/json"
            ),
            Ok(Form::Table)
        );
        assert_eq!(form_of("application/vnd.kubernetes.protobuf, application/json"), Ok(Form::Object));
        assert_eq!(form_of("application/vnd.kubernetes.protobuf"), Err(406));
    }

    #[test]
    fn queries() {
        let query = Query::parse(Some("labelSelector=a%3Db%2Cc&watch=1&limit=x&allowWatchBookmarks"));
        assert_eq!(query.get("labelSelector"), "a=b,c");
        assert!(query.flag("watch") && query.flag("allowWatchBookmarks") && !query.flag("force"));
        assert_eq!(query.number("limit").unwrap_err().code, 400);
    }
}
