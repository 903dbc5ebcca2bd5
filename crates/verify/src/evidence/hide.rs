//! The second lock: what every header says of itself to be a secret is hidden once more before a folder is written. The
//! first is `redact`, where an exchange is written down; this one holds if a driver forgets to go through it.

use crate::redact::HIDDEN;
use crate::results::Run;

/// Hides cookies' values and what authorizes, in all exchanges. What is hidden already stays as it is.
pub fn secrets_of_headers(run: &mut Run) {
    for exchange in run.steps.iter_mut().flat_map(|step| &mut step.exchanges) {
        for (name, value) in exchange.request_headers.iter_mut().chain(&mut exchange.response_headers) {
            if let Some(hidden) = hidden(name, value) {
                *value = hidden;
            }
        }
    }
}

/// Names and attributes of cookies stay: they are what a cookie is judged by.
fn hidden(name: &str, value: &str) -> Option<String> {
    let hide = |pair: &str| pair.split_once('=').map_or(HIDDEN.to_owned(), |(name, _)| format!("{name}={HIDDEN}"));
    match name.to_ascii_lowercase().as_str() {
        "cookie" => Some(value.split("; ").map(hide).collect::<Vec<_>>().join("; ")),
        "set-cookie" => {
            let pair = value.split(';').next().unwrap_or_default();
            Some(format!("{}{}", hide(pair), &value[pair.len()..]))
        }
        "authorization" | "proxy-authorization" => Some(HIDDEN.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hiding_twice_is_hiding_once() {
        for (name, value, expected) in [
            ("Cookie", "a=b; c", "a=[redacted]; [redacted]"),
            ("set-cookie", "s=x=y; Path=/; Secure", "s=[redacted]; Path=/; Secure"),
            ("Authorization", "Bearer x", "[redacted]"),
        ] {
            let once = hidden(name, value).unwrap();
            assert_eq!((once.as_str(), hidden(name, &once).unwrap().as_str()), (expected, expected));
        }
        assert_eq!(hidden("accept", "*/*"), None);
    }
}
