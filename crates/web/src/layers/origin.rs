//! Whether a request that changes something comes from a page of this site, as far as the browser says: fetch metadata
//! first, then `Origin`. Programs that are no browsers send neither; for them the token alone decides.

use crate::state::WebSettings;
use http::{HeaderMap, header};

/// What the browser says of where the request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// A page of this site, or the address bar.
    Here,
    /// Another site.
    Elsewhere,
    /// The client does not say.
    Unsaid,
}

/// Reads the headers. `through_proxy`: a trusted proxy passed the request on and may say which host was asked for.
pub fn of(settings: &WebSettings, headers: &HeaderMap, through_proxy: bool) -> From {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let forwarded = text("x-forwarded-host").filter(|_| through_proxy);
    let hosts = [text(header::HOST.as_str()), forwarded];
    let by_origin = text("origin").map(|origin| hosts.iter().any(|host| is_ours(settings, origin, *host)));
    match (text("sec-fetch-site"), by_origin) {
        (Some("same-origin" | "none"), None | Some(true)) | (None, Some(true)) => From::Here,
        (None, None) => From::Unsaid,
        _ => From::Elsewhere,
    }
}

/// The origin under which this site is reached: as it is set, or as the request says it.
pub fn own(settings: &WebSettings, headers: &HeaderMap, through_proxy: bool) -> Option<String> {
    if let Some(public) = &settings.public_url {
        return Some(public.clone());
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text("x-forwarded-host").filter(|_| through_proxy).or_else(|| text(header::HOST.as_str()))?;
    Some(format!("{}://{host}", if settings.secure() { "https" } else { "http" }))
}

fn is_ours(settings: &WebSettings, origin: &str, host: Option<&str>) -> bool {
    // Where one address is said to be the console's, no other name that leads here is: not one that somebody made for it.
    if let Some(public) = &settings.public_url {
        return origin.eq_ignore_ascii_case(public.trim_end_matches('/'));
    }
    // A page over plain HTTP is not the same site as ours over TLS: whoever sits between could have written it.
    let scheme = if settings.secure() { "https://" } else { "http://" };
    match (origin.strip_prefix(scheme), host) {
        (Some(authority), Some(host)) => !authority.is_empty() && authority.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(settings: &WebSettings, pairs: &[(&'static str, &'static str)]) -> From {
        let headers: HeaderMap = pairs.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
        of(settings, &headers, !settings.trusted_proxies.is_empty())
    }

    #[test]
    fn where_a_request_comes_from() {
        let plain = WebSettings::default();
        let host = ("host", "127.0.0.1:8480");
        let cases: &[(&[(&'static str, &'static str)], From); 12] = &[
            (&[host, ("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8480")], From::Here),
            (&[host, ("sec-fetch-site", "same-origin")], From::Here),
            (&[host, ("sec-fetch-site", "none")], From::Here),
            (&[host, ("origin", "http://127.0.0.1:8480")], From::Here),
            (&[host], From::Unsaid),
            (&[host, ("sec-fetch-site", "cross-site")], From::Elsewhere),
            (&[host, ("sec-fetch-site", "same-site")], From::Elsewhere),
            (&[host, ("origin", "http://evil.example")], From::Elsewhere),
            (&[host, ("origin", "http://127.0.0.1:9999")], From::Elsewhere),
            (&[host, ("origin", "null")], From::Elsewhere),
            (&[host, ("sec-fetch-site", "same-origin"), ("origin", "http://evil.example")], From::Elsewhere),
            (&[host, ("sec-fetch-site", "cross-site"), ("origin", "http://127.0.0.1:8480")], From::Elsewhere),
        ];
        for (pairs, expected) in cases {
            assert_eq!(seen(&plain, pairs), *expected, "{pairs:?}");
        }
    }

    #[test]
    fn over_tls_the_scheme_counts_and_a_public_url_is_ours() {
        let tls = WebSettings { tls: true, ..Default::default() };
        let host = ("host", "hedgerow.example.net");
        assert_eq!(seen(&tls, &[host, ("origin", "https://hedgerow.example.net")]), From::Here);
        assert_eq!(seen(&tls, &[host, ("origin", "http://hedgerow.example.net")]), From::Elsewhere);
        let net = "10.0.0.0/8".parse().unwrap();
        let proxied = WebSettings { trusted_proxies: vec![net], ..Default::default() };
        let inner = [("host", "10.0.0.5:8480"), ("origin", "https://a.example"), ("x-forwarded-host", "a.example")];
        assert_eq!(seen(&proxied, &inner), From::Here);
        assert_eq!(seen(&tls, &inner), From::Elsewhere);
        let public = Some("https://console.example.net/".to_owned());
        let behind = WebSettings { public_url: public, ..Default::default() };
        assert_eq!(seen(&behind, &[("host", "10.0.0.5:8480"), ("origin", "https://console.example.net")]), From::Here);
        let made_up = [("host", "evil.example"), ("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")];
        assert_eq!(seen(&behind, &made_up), From::Elsewhere, "a name that somebody pointed here");
    }
}
