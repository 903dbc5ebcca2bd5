//! Cookies, the headers of proxies, and what a browser says of where a request comes from.

use super::{check, text};
use crate::layers::{client, cookies, origin};
use crate::state::WebSettings;
use auth::SessionToken;
use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;

/// A header's value, where the text can be one.
fn value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).ok()
}

#[test]
fn a_cookie_is_read_as_it_was_set_whatever_stands_beside_it() {
    const WORDS: &[&str] = &[
        "hedgerow_session",
        "HEDGEROW_SESSION",
        "__Host-",
        "=",
        ";",
        "; ",
        "hedgerow_theme=dark",
        "\"",
        ",",
        "hedgerow_login=x",
    ];
    let own = SessionToken::generate().unwrap();
    check!(|bytes: &[u8]| {
        let noise = text(bytes, WORDS);
        for settings in [WebSettings::default(), WebSettings { tls: true, ..WebSettings::default() }] {
            let set = cookies::set_session(&settings, own.reveal()).unwrap();
            let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
            let name = pair.split('=').next().unwrap().to_owned();
            let Some(alone) = value(&noise) else { return };
            let mut headers = HeaderMap::new();
            headers.append(header::COOKIE, alone);
            if let Some(found) = cookies::session(&settings, &headers) {
                let sent = format!("{name}={found}");
                assert!(noise.split(';').any(|one| one.trim() == sent), "{found} was sent under another name: {noise}");
                assert!(!found.contains(';'));
                if let Some(token) = SessionToken::parse(found) {
                    let again = cookies::set_session(&settings, token.reveal()).unwrap();
                    assert!(again.to_str().unwrap().starts_with(&format!("{name}={found};")));
                }
            } else {
                headers.append(header::COOKIE, value(&pair).unwrap());
                assert_eq!(cookies::session(&settings, &headers), Some(own.reveal()), "beside {noise}");
            }
            cookies::theme(&settings, &headers);
        }
    });
}

/// What proxies write of who asked them, and who that was.
const WRITTEN: &[(&str, &str)] = &[
    ("203.0.113.1", "203.0.113.1"),
    (" 203.0.113.1 ", "203.0.113.1"),
    ("203.0.113.1:4711", "203.0.113.1"),
    ("[2001:db8::1]", "2001:db8::1"),
    ("[2001:db8::1]:443", "2001:db8::1"),
    ("::ffff:203.0.113.1", "203.0.113.1"),
    // Of these the proxy itself is all that is known.
    ("unknown", "10.0.0.2"),
    ("_hidden", "10.0.0.2"),
    ("", "10.0.0.2"),
];

#[test]
fn the_client_is_never_who_it_says_itself() {
    const WORDS: &[&str] =
        &["198.51.100.7", "10.0.0.3", ",", ", ", "::1", "[2001:db8::7]", ":80", "unknown", "\"", "for=", "203.0.113.9"];
    let settings = WebSettings { trusted_proxies: vec!["10.0.0.0/24".parse().unwrap()], ..WebSettings::default() };
    // What is only read is whole, whatever breaks.
    let settings = AssertUnwindSafe(settings);
    let seen = |peer: &str, lines: &[&str]| {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4000)));
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", value(line)?);
        }
        Some(client::address(&settings, &extensions, &headers))
    };
    check!(|bytes: &[u8]| {
        let own_words = text(bytes, WORDS);
        let Some(from_stranger) = seen("192.0.2.9", &[&own_words]) else { return };
        assert_eq!(from_stranger, "192.0.2.9", "a stranger was believed: {own_words}");
        for (written, address) in WRITTEN {
            let in_one = seen("10.0.0.2", &[&format!("{own_words},{written}")]).unwrap();
            let in_two = seen("10.0.0.2", &[&own_words, written]).unwrap();
            let through_two = seen("10.0.0.2", &[&format!("{own_words},{written}, 10.0.0.3")]).unwrap();
            assert_eq!([in_one, in_two, through_two], [*address; 3], "after {own_words} stood {written}");
        }
        let alone = seen("10.0.0.2", &[&own_words]).unwrap();
        assert!(alone.parse::<IpAddr>().is_ok(), "{alone} is no address");
    });
}

#[test]
fn a_page_of_another_site_is_never_of_here() {
    const WORDS: &[&str] = &[
        "https://",
        "http://",
        "hedgerow.example",
        "evil.example",
        "null",
        ":443",
        "@",
        ".",
        "/",
        "same-origin",
        "cross-site",
        "none",
    ];
    const HOST: &str = "hedgerow.example";
    check!(|bytes: &[u8]| {
        let mut parts = bytes.split(|byte| *byte == b'|').map(|part| text(part, WORDS));
        let mut said = HeaderMap::new();
        said.insert(header::HOST, HeaderValue::from_static(HOST));
        let mut origin = None;
        for name in ["origin", "sec-fetch-site"] {
            let Some(part) = parts.next().filter(|part| !part.is_empty()) else { continue };
            let Some(value) = value(&part) else { return };
            if name == "origin" {
                origin = Some(part);
            }
            said.insert(HeaderName::from_static(name), value);
        }
        let settings = WebSettings { tls: true, ..WebSettings::default() };
        let here = origin::of(&settings, &said, false) == origin::From::Here;
        if let Some(origin) = origin.as_ref().filter(|_| here) {
            let parsed = url::Url::parse(origin).unwrap();
            assert_eq!((parsed.scheme(), parsed.host_str()), ("https", Some(HOST)), "{origin} was taken for ours");
        }
        // Who is no proxy cannot name another host.
        let mut forwarded = said.clone();
        let Some(host) = value(&parts.next().unwrap_or_default()) else { return };
        forwarded.insert("x-forwarded-host", host);
        assert_eq!(origin::of(&settings, &forwarded, false), origin::of(&settings, &said, false));
        // Also not the very one that the page is of.
        if let Some(host) = origin.as_deref().and_then(|origin| value(origin.strip_prefix("https://")?)) {
            forwarded.insert("x-forwarded-host", host);
            assert_eq!(origin::of(&settings, &forwarded, false), origin::of(&settings, &said, false));
        }
    });
}
