//! Headers of what is kept: which may be, what a 304 changes in them, and which ask whether something has changed.

use super::Known;
use super::rules::lower;
use reqwest::header::{self, HeaderMap};

/// Who sets one of these looks after their meaning: a browser then neither answers from its cache nor keeps the answer.
const OF_CALLER: [&str; 6] =
    ["if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range", "range"];
/// What is said about a connection, not about the answer (RFC 9111, 3.1), as the header `Connection` would name it.
const OF_CONNECTION: &str =
    "connection,keep-alive,proxy-authenticate,proxy-connection,te,trailer,transfer-encoding,upgrade";
/// What describes the stored body, which a 304 does not bring anew (RFC 9111, 3.2).
const OF_BODY: [&str; 6] =
    ["content-encoding", "content-length", "content-location", "content-md5", "content-range", "content-type"];

/// Whether who asks has a condition, or a range, of its own.
pub(super) fn is_of_caller(headers: &HeaderMap) -> bool {
    OF_CALLER.iter().any(|name| headers.contains_key(*name))
}

/// The request that asks whether what is stored has changed, if something is stored to ask with.
pub(super) fn conditional(asked: &HeaderMap, stored: &HeaderMap) -> Known {
    let mut headers = asked.clone();
    for (validator, condition) in
        [(header::ETAG, header::IF_NONE_MATCH), (header::LAST_MODIFIED, header::IF_MODIFIED_SINCE)]
    {
        if let Some(value) = stored.get(validator).filter(|value| !value.is_empty()) {
            headers.insert(condition, value.clone());
        }
    }
    if is_of_caller(&headers) { Known::Ask(headers) } else { Known::Nothing }
}

/// The headers of an answer, as far as they may be kept.
pub(super) fn without_connection(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    let named = headers.get_all(header::CONNECTION).iter().map(lower);
    for names in named.chain([OF_CONNECTION.to_owned()]) {
        names.split(',').for_each(|name| drop(kept.remove(name.trim())));
    }
    kept
}

/// The stored headers with those of a 304 over them (RFC 9111, 3.2 and 4.3.4). The stored `ETag` stays, as in browsers:
/// it is the body's, and what the 304 says may be that of another encoding.
pub(super) fn laid_over(stored: &HeaderMap, said: &HeaderMap) -> HeaderMap {
    let (mut headers, said) = (stored.clone(), without_connection(said));
    // It is the age of the answer that was confirmed just now.
    headers.remove(header::AGE);
    for name in said.keys() {
        if OF_BODY.contains(&name.as_str()) || (name == header::ETAG && stored.contains_key(name)) {
            continue;
        }
        headers.remove(name);
        for value in said.get_all(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}
