//! What kube-apiserver 1.36 and Hedgehog's webhooks really answer, and what is made of it.

use super::*;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

fn status(code: u16, reason: &str, message: &str, details: Value) -> Error {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "details": details, "code": code,
    });
    refusal("create VPC default/v", StatusCode::from_u16(code).unwrap(), &HeaderMap::new(), body.to_string().as_bytes())
}

#[test]
fn every_refusal_of_a_kubernetes_api_has_its_kind_and_code() {
    let rbac = r#"vpcs.vpc.githedgehog.com is forbidden: User "system:serviceaccount:default:x" cannot list resource "vpcs" in API group "vpc.githedgehog.com" in the namespace "default""#;
    let denied = r#"admission webhook "vvpc.kb.io" denied the request: failed to validate vpc: vlan 1001 is already used by other VPC"#;
    let dead = r#"Internal error occurred: failed calling webhook "mvpc.kb.io": failed to call webhook: Post "https://fabric-ctrl.fab.svc:443/x": dial tcp 10.0.0.7:443: connect: connection refused"#;
    let uid = r#"Operation cannot be fulfilled on vpcs.vpc.githedgehog.com "v": Precondition failed: UID in precondition: a, UID in object meta: b"#;
    let deleted = r#"Operation cannot be fulfilled on VPC.vpc.githedgehog.com "v": the UID in the precondition (a) does not match the UID in record (b). The object might have been deleted and then recreated"#;
    let changed = r#"Operation cannot be fulfilled on vpcs.vpc.githedgehog.com "v": the object has been modified; please apply your changes to the latest version and try again"#;
    let quota = r#"vpcs "v" is forbidden: exceeded quota: few, requested: count/vpcs=1, used: 1, limited: 1"#;
    let table: &[(u16, &str, &str, ErrorKind, Code)] = &[
        (401, "Unauthorized", "Unauthorized", ErrorKind::Unauthorized, Code::KubernetesUnauthorized),
        (403, "Forbidden", rbac, ErrorKind::Forbidden, Code::KubernetesForbidden),
        (403, "Forbidden", denied, ErrorKind::Rejected, Code::KubernetesRejected),
        // A webhook chooses its own status.
        (400, "BadRequest", denied, ErrorKind::Rejected, Code::KubernetesRejected),
        (500, "InternalError", denied, ErrorKind::Rejected, Code::KubernetesRejected),
        (403, "Forbidden", quota, ErrorKind::Rejected, Code::KubernetesRejected),
        (500, "InternalError", dead, ErrorKind::WebhookDown, Code::KubernetesWebhookDown),
        (
            504,
            "Timeout",
            &dead.replace("connection refused", "context deadline exceeded"),
            ErrorKind::WebhookDown,
            Code::KubernetesWebhookDown,
        ),
        (
            409,
            "AlreadyExists",
            r#"vpcs.vpc.githedgehog.com "v" already exists"#,
            ErrorKind::Conflict(Conflict::AlreadyExists),
            Code::KubernetesConflict,
        ),
        (409, "Conflict", changed, ErrorKind::Conflict(Conflict::Changed), Code::KubernetesConflict),
        (409, "Conflict", uid, ErrorKind::Conflict(Conflict::Recreated), Code::KubernetesConflict),
        (409, "Conflict", deleted, ErrorKind::Conflict(Conflict::Recreated), Code::KubernetesConflict),
        (404, "NotFound", r#"vpcs.vpc.githedgehog.com "v" not found"#, ErrorKind::NotFound, Code::KubernetesRejected),
        (410, "Expired", "The provided continue parameter is too old", ErrorKind::Gone, Code::KubernetesUnavailable),
        (422, "Invalid", r#"VPC.vpc.githedgehog.com "v" is invalid"#, ErrorKind::Rejected, Code::KubernetesRejected),
        (413, "RequestEntityTooLarge", "limit is 3145728", ErrorKind::Rejected, Code::KubernetesRejected),
        (
            429,
            "TooManyRequests",
            "too many requests, please try again later",
            ErrorKind::TooMany,
            Code::KubernetesUnavailable,
        ),
        (500, "InternalError", "etcdserver: request timed out", ErrorKind::Server, Code::KubernetesUnavailable),
        (500, "ServerTimeout", "The operation could not be completed", ErrorKind::Timeout, Code::KubernetesTimeout),
        (
            503,
            "ServiceUnavailable",
            "the server is currently unable to handle the request",
            ErrorKind::Server,
            Code::KubernetesUnavailable,
        ),
        (
            504,
            "Timeout",
            "Timeout: request did not complete within requested timeout",
            ErrorKind::Timeout,
            Code::KubernetesTimeout,
        ),
    ];
    for (code, reason, message, kind, expected) in table {
        let error = status(*code, reason, message, json!({}));
        assert_eq!((error.kind, error.code(), error.status), (*kind, *expected, Some(*code)), "{message}");
        assert!(error.message.contains(message), "the server's words stay in it: {}", error.message);
        assert_eq!(error.to_string(), format!("create VPC default/v: {}", error.message));
    }
    assert_eq!(status(403, "Forbidden", denied, json!({})).webhook.as_deref(), Some("vvpc.kb.io"));
    assert_eq!(status(500, "InternalError", dead, json!({})).webhook.as_deref(), Some("mvpc.kb.io"));
}

#[test]
fn refused_fields_are_listed() {
    let details = json!({"name": "v", "causes": [
        {"reason": "FieldValueInvalid", "message": "Invalid value: \"x\": must be of type integer", "field": "spec.vlan"},
        {"reason": "FieldValueRequired", "field": "spec.subnet"},
    ]});
    let error = status(422, "Invalid", "is invalid", details);
    let expected = [
        ("spec.vlan".to_owned(), "Invalid value: \"x\": must be of type integer".to_owned()),
        ("spec.subnet".to_owned(), "FieldValueRequired".to_owned()),
    ];
    assert_eq!(error.causes, expected);

    let strict = r#"VPC in version "v1beta1" cannot be handled as a VPC: strict decoding error: unknown field "spec.subnetz", duplicate field "spec.mode""#;
    let error = status(400, "BadRequest", strict, json!({}));
    let expected = [("spec.subnetz", "unknown field"), ("spec.mode", "duplicate field")];
    assert_eq!(error.causes, expected.map(|(f, m)| (f.to_owned(), m.to_owned())));
}

#[test]
fn a_wait_is_read_from_the_header_or_from_the_status() {
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
    let error =
        refusal("list VPC", StatusCode::TOO_MANY_REQUESTS, &headers, b"Too many requests, please try again later.");
    assert_eq!((error.kind, error.retry_after), (ErrorKind::TooMany, Some(Duration::from_secs(7))));
    let error = status(503, "ServiceUnavailable", "starting", json!({"retryAfterSeconds": 3}));
    assert_eq!(error.retry_after, Some(Duration::from_secs(3)));
    headers.insert(RETRY_AFTER, HeaderValue::from_static("99999999"));
    let error = refusal("list VPC", StatusCode::TOO_MANY_REQUESTS, &headers, b"");
    assert_eq!(error.retry_after, Some(Duration::from_secs(3600)), "nobody may stop us for months");
    // The other form is a date; it is told from the date of the answer, wherever our own clock stands.
    headers.insert(http::header::DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:30 GMT"));
    for (date, seconds) in [("Sun, 06 Nov 1994 08:49:37 GMT", 7), ("Sun, 06 Nov 1994 08:00:00 GMT", 0)] {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(date));
        let error = refusal("list VPC", StatusCode::TOO_MANY_REQUESTS, &headers, b"");
        assert_eq!(error.retry_after, Some(Duration::from_secs(seconds)), "{date}");
    }
    headers.insert(RETRY_AFTER, HeaderValue::from_static("soon"));
    assert_eq!(refusal("list VPC", StatusCode::TOO_MANY_REQUESTS, &headers, b"").retry_after, None);
}

#[test]
fn strangers_are_recognised_and_their_pages_not_quoted() {
    let mut html = HeaderMap::new();
    html.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let page = b"<!DOCTYPE html><html><head><TITLE>Sign\n in</TITLE></head><body>token=abc</body></html>";
    for (code, kind) in [
        (400, ErrorKind::Protocol),
        (403, ErrorKind::Protocol),
        (404, ErrorKind::Protocol),
        (401, ErrorKind::Unauthorized),
        (502, ErrorKind::Server),
        (504, ErrorKind::Timeout),
    ] {
        let error = refusal("list VPC", StatusCode::from_u16(code).unwrap(), &html, page);
        assert_eq!(error.kind, kind, "{code}");
        assert!(error.message.contains("Sign in") && !error.message.contains("abc"), "{}", error.message);
    }
    let error = expect_json("list VPC", StatusCode::OK, &html, page).unwrap();
    assert_eq!((error.kind, error.code()), (ErrorKind::Protocol, Code::ConnectionFailed));
    assert!(error.message.contains("\"Sign in\""), "{}", error.message);
    assert!(expect_json("list VPC", StatusCode::OK, &html, b" {}").is_none());

    let mut moved = HeaderMap::new();
    moved.insert(LOCATION, HeaderValue::from_static("https://sso.example.com/login?state=secret"));
    let error = refusal("list VPC", StatusCode::FOUND, &moved, b"");
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(error.message.contains("sso.example.com") && !error.message.contains("secret"), "{}", error.message);

    let mut plain = HeaderMap::new();
    plain.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let error = refusal("list VPC", StatusCode::NOT_FOUND, &plain, b"404 page not found\n");
    assert_eq!(error.kind, ErrorKind::NotFound);
    let error =
        refusal("list VPC", StatusCode::BAD_REQUEST, &plain, b"Client sent an HTTP request to an HTTPS server.\n");
    assert!(error.message.contains("expects https"), "{}", error.message);
}

#[test]
fn endless_messages_are_shortened() {
    let error = status(422, "Invalid", &"\u{e9}".repeat(100_000), json!({}));
    assert!(error.message.len() < 10_000 && error.message.ends_with("[shortened]"));
}

/// Hedgehog's own webhooks, as they were recorded: none of their refusals is taken for a missing right.
#[test]
fn recorded_verdicts_are_refusals_by_their_webhook() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/hedgehog/recorded/verdicts.jsonl");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: ../shared is not here");
        return;
    };
    let mut seen = 0;
    for line in text.lines() {
        let verdict: Value = serde_json::from_str(line).unwrap();
        let Some(says) = verdict["says"].as_str().and_then(|s| s.strip_prefix("Error from server (Forbidden): "))
        else {
            continue;
        };
        let error = status(403, "Forbidden", says, json!({}));
        assert_eq!(error.kind, ErrorKind::Rejected, "{says}");
        let webhook = error.webhook.as_deref().unwrap_or_default();
        assert!(webhook.starts_with('v') && webhook.ends_with(".kb.io"), "{says}");
        seen += 1;
    }
    assert!(seen > 30, "{seen}");
}
