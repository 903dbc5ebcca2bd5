//! What RFC 9111 makes of an answer. The crate `http-cache-semantics` decides; it sees few headers, each put into a form that
//! it reads rightly.

use http_cache_semantics::{CacheOptions, CachePolicy};
use reqwest::header::{self, HeaderMap, HeaderValue};
use std::time::{Duration, SystemTime};
use url::Url;

/// The rules of one person's own cache, in which nothing is kept for others.
pub(super) const OWN: CacheOptions = CacheOptions {
    shared: false,
    cache_heuristic: 0.1,
    immutable_min_time_to_live: Duration::from_secs(24 * 60 * 60),
    ignore_cargo_cult: false,
};
/// The rules of a proxy that many people ask.
pub(super) const SHARED: CacheOptions = CacheOptions { shared: true, ..OWN };

/// RFC 9111, 1.2.2: what is longer is taken for this. It also keeps the crate's sums from overflowing.
const LONGEST: u64 = 1 << 31;

/// An address without its fragment, which is not sent.
pub(super) fn key(url: &Url) -> String {
    url[..url::Position::AfterQuery].to_owned()
}

/// Whether no other request gets this answer.
pub(super) fn varies_by_all(headers: &HeaderMap) -> bool {
    headers.get_all(header::VARY).iter().any(|value| lower(value).split(',').any(|name| name.trim() == "*"))
}

/// A request, as the crate sees it.
pub(super) fn request(url: &Url, headers: &HeaderMap) -> Option<http::Request<()>> {
    let mut request = http::Request::get(key(url)).body(()).ok()?;
    *request.headers_mut() = headers.clone();
    for (name, value) in request.headers_mut().iter_mut() {
        if name == header::CACHE_CONTROL || name == header::PRAGMA {
            *value = HeaderValue::from_str(&lower(value)).ok()?;
        }
    }
    Some(request)
}

/// What the crate makes of an answer.
pub(super) fn policy(
    url: &Url,
    asked: &HeaderMap,
    status: u16,
    headers: &HeaderMap,
    now: SystemTime,
    mut options: CacheOptions,
) -> Option<CachePolicy> {
    let mut response = http::Response::builder().status(status).body(()).ok()?;
    let directives: Vec<_> = headers.get_all(header::CACHE_CONTROL).iter().map(lower).collect();
    let directives: Vec<_> = directives.iter().flat_map(|line| line.split(',')).map(directive).collect();
    let has = |name: &str| directives.iter().any(|directive| directive == name);
    if has("must-revalidate") || (options.shared && has("proxy-revalidate")) {
        // Browsers do not guess then.
        (options.cache_heuristic, options.immutable_min_time_to_live) = (0.0, Duration::ZERO);
    }
    // The crate takes this one for "never"; it forbids no more than to show what is no longer good.
    let directives: Vec<_> = directives.into_iter().filter(|directive| directive != "proxy-revalidate").collect();
    let seen = response.headers_mut();
    if headers.contains_key(header::CACHE_CONTROL) {
        seen.insert(header::CACHE_CONTROL, HeaderValue::from_str(&directives.join(", ")).ok()?);
    }
    if let Some(value) = headers.get(header::PRAGMA) {
        seen.insert(header::PRAGMA, HeaderValue::from_str(&lower(value)).ok()?);
    }
    if let Some(value) = headers.get(header::AGE)
        && seconds(&lower(value)).is_some_and(|age| age < LONGEST)
    {
        seen.insert(header::AGE, value.clone());
    }
    for name in [header::DATE, header::LAST_MODIFIED, header::EXPIRES] {
        // No date is longer; what the crate reads dates with once went down into nested comments without end.
        match headers.get(&name) {
            Some(value) if value.len() <= 40 => seen.insert(name, value.clone()),
            // What cannot be read has expired.
            Some(_) if name == header::EXPIRES => seen.insert(name, HeaderValue::from_static("0")),
            _ => None,
        };
    }
    for value in headers.get_all(header::VARY) {
        seen.append(header::VARY, HeaderValue::from_str(&lower(value)).ok()?);
    }
    Some(CachePolicy::new_options(&request(url, asked)?, &response, now, options))
}

/// A value in lower case, readable throughout: the crate passes over a line that holds one strange letter.
pub(super) fn lower(value: &HeaderValue) -> String {
    let readable = |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(byte.to_ascii_lowercase()) } else { '?' };
    value.as_bytes().iter().map(|byte| if *byte == b'\t' { ' ' } else { readable(byte) }).collect()
}

/// One directive, without spaces, its time no longer than the longest: the crate reads more than it can hold as none.
fn directive(text: &str) -> String {
    let (name, value) = text.split_once('=').map_or((text.trim(), None), |(name, value)| (name.trim(), Some(value)));
    let time = value.filter(|_| matches!(name, "max-age" | "s-maxage")).map(|value| value.trim().trim_matches('"'));
    match (time.and_then(seconds), value) {
        (Some(seconds), _) => format!("{name}={}", seconds.min(LONGEST)),
        (None, Some(value)) => format!("{name}={}", value.trim()),
        (None, None) => name.to_owned(),
    }
}

/// A number of seconds, of digits only.
fn seconds(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}
