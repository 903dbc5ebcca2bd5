//! `har.json`: the exchanges in HTTP Archive 1.2, for the tools that open it. What they hold was redacted when it was
//! written down.
//!
//! What was not recorded is said as the format wants it: -1, or "unknown". Bodies are in `results.json`; here is the
//! beginning of each, and whole what came in a step that matters.

use super::matter::Matters;
use super::words::{beginning, size};
use crate::exchange::{Exchange, Place};
use crate::redact::HIDDEN;
use crate::results::{Path, Run, Step};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::{Map, Value, json};

/// So much of a body is here, of a step that does not matter.
const BODY: usize = 2 * 1024;

/// The file.
pub fn file(run: &Run) -> Value {
    let matters = Matters::of(run);
    let mut entries: Vec<(Timestamp, Value)> = Vec::new();
    for step in &run.steps {
        let most = if matters.has(step) { usize::MAX } else { BODY };
        entries.extend(step.exchanges.iter().map(|exchange| (exchange.started, entry(step, exchange, most))));
    }
    // The format wants them by time; the sort keeps the order of those of one moment.
    entries.sort_by_key(|(started, _)| *started);
    let pages: Vec<Value> = run.steps.iter().map(page).collect();
    let entries: Vec<Value> = entries.into_iter().map(|(_, entry)| entry).collect();
    json!({ "log": {
        "version": "1.2",
        "creator": { "name": "hedgerow verify", "version": env!("CARGO_PKG_VERSION"), "comment": format!("run {}", run.id) },
        "pages": pages,
        "entries": entries,
        "comment": "of each exchange only the whole time was measured; it stands at wait",
    }})
}

fn page_id(step: &Step) -> String {
    format!("step_{}", step.number)
}

fn page(step: &Step) -> Value {
    json!({
        "startedDateTime": step.started.to_string(),
        "id": page_id(step),
        "title": format!("{}: {}", step.who, step.what),
        "pageTimings": { "onContentLoad": -1, "onLoad": -1 },
    })
}

fn entry(step: &Step, exchange: &Exchange, most: usize) -> Value {
    let mut entry = json!({
        "pageref": page_id(step),
        "startedDateTime": exchange.started.to_string(),
        "time": exchange.ms,
        "request": request(exchange),
        "response": response(exchange, most),
        "cache": {},
        "timings": {
            "blocked": -1, "dns": -1, "connect": -1, "ssl": -1,
            "send": 0, "wait": exchange.ms, "receive": 0,
        },
        "_resourceType": exchange.kind,
        "_journey": step.journey,
        "_step": step.number,
        "_path": match step.path { Path::User => "user", Path::Direct => "direct", Path::Oracle => "oracle" },
    });
    if let Some(error) = &exchange.error {
        entry["_error"] = json!(error);
    }
    if exchange.from_cache {
        entry["_fromCache"] = json!(true);
    }
    if let Some(there) = &exchange.as_in {
        entry["comment"] = json!(format!("answered as before, {}", place(there)));
    }
    entry
}

fn place(there: &Place) -> String {
    format!("at request {} of step {}", there.request, there.step)
}

fn request(exchange: &Exchange) -> Value {
    let parsed = url::Url::parse(&exchange.url);
    let query: Vec<Value> = parsed.map_or_else(|_| Vec::new(), |url| pairs(url.query_pairs()));
    let cookies = all(&exchange.request_headers, "cookie")
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, _)| json!({ "name": name, "value": HIDDEN }));
    let mut request = json!({
        "method": exchange.method,
        "url": exchange.url,
        "httpVersion": "unknown",
        "cookies": cookies.collect::<Vec<_>>(),
        "headers": headers(&exchange.request_headers),
        "queryString": query,
        "headersSize": -1,
        // The body that is kept is redacted, so its length is not the one that was sent.
        "bodySize": if exchange.request_body.is_some() { -1 } else { 0 },
    });
    if let Some(body) = &exchange.request_body {
        request["postData"] = post_data(exchange, body);
    }
    request
}

/// The format wants either the fields or the text.
fn post_data(exchange: &Exchange, body: &str) -> Value {
    let kind = one(&exchange.request_headers, "content-type").unwrap_or_default();
    if kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return json!({ "mimeType": kind, "params": pairs(url::form_urlencoded::parse(body.as_bytes())) });
    }
    json!({ "mimeType": kind, "text": body })
}

fn response(exchange: &Exchange, most: usize) -> Value {
    let status = http::StatusCode::from_u16(exchange.status).ok();
    let cookies = all(&exchange.response_headers, "set-cookie").filter_map(set_cookie);
    let mut content = json!({
        "size": exchange.response_bytes,
        "mimeType": one(&exchange.response_headers, "content-type").unwrap_or("x-unknown"),
    });
    if let Some(body) = &exchange.response_body {
        let (text, left) = beginning(body, most);
        content["text"] = json!(text);
        if left > 0 {
            content["comment"] = json!(format!("{} more in results.json", size(left as u64)));
        }
    }
    if let Some(there) = &exchange.body_as_in {
        content["comment"] = json!(format!("the same as {}", place(there)));
    }
    let mut response = json!({
        "status": exchange.status,
        "statusText": status.and_then(|status| status.canonical_reason()).unwrap_or_default(),
        "httpVersion": "unknown",
        "cookies": cookies.collect::<Vec<_>>(),
        "headers": headers(&exchange.response_headers),
        "content": content,
        "redirectURL": one(&exchange.response_headers, "location").unwrap_or_default(),
        "headersSize": -1,
        "bodySize": -1,
    });
    if let Some(error) = &exchange.error {
        response["_error"] = json!(error);
    }
    response
}

/// Name and attributes of a cookie that was set; its value is hidden.
fn set_cookie(header: &str) -> Option<Value> {
    let mut parts = header.split(';');
    let (name, _) = parts.next()?.split_once('=')?;
    let mut cookie = Map::new();
    cookie.insert("name".to_owned(), json!(name.trim()));
    cookie.insert("value".to_owned(), json!(HIDDEN));
    let (mut http_only, mut secure) = (false, false);
    for part in parts {
        let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim();
        match attribute.trim().to_ascii_lowercase().as_str() {
            "httponly" => http_only = true,
            "secure" => secure = true,
            "path" => drop(cookie.insert("path".to_owned(), json!(value))),
            "domain" => drop(cookie.insert("domain".to_owned(), json!(value))),
            "samesite" => drop(cookie.insert("sameSite".to_owned(), json!(value))),
            "expires" => {
                if let Ok(at) = rfc2822::parse(value) {
                    cookie.insert("expires".to_owned(), json!(at.timestamp().to_string()));
                }
            }
            _ => {}
        }
    }
    cookie.insert("httpOnly".to_owned(), json!(http_only));
    cookie.insert("secure".to_owned(), json!(secure));
    Some(Value::Object(cookie))
}

fn headers(headers: &[(String, String)]) -> Vec<Value> {
    headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

fn pairs(found: url::form_urlencoded::Parse<'_>) -> Vec<Value> {
    found.map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

fn all<'a>(headers: &'a [(String, String)], wanted: &'static str) -> impl Iterator<Item = &'a str> {
    headers.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.as_str())
}

fn one<'a>(headers: &'a [(String, String)], wanted: &'static str) -> Option<&'a str> {
    all(headers, wanted).next()
}
