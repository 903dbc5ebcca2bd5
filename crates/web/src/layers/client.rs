//! From where a request comes: the peer's address, or what a trusted proxy says of it.

use crate::state::WebSettings;
use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap};
use std::net::{IpAddr, SocketAddr};

/// The peer of the connection, as the server noted it.
fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical())
}

/// Whether the peer is a trusted proxy, whose headers are believed.
pub fn through_proxy(settings: &WebSettings, extensions: &Extensions) -> bool {
    peer(extensions).is_some_and(|peer| settings.is_proxy(peer))
}

/// The client's address: the last one in `X-Forwarded-For` that is not itself a trusted proxy, if the peer is one.
pub fn address(settings: &WebSettings, extensions: &Extensions, headers: &HeaderMap) -> String {
    let Some(peer) = peer(extensions) else { return "unknown".to_owned() };
    if !settings.is_proxy(peer) {
        return peer.to_string();
    }
    let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    let mut parts = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    // The first one from the end that is no proxy, and none further: what stands before it, the client may have written,
    // also when nothing can be made of what the proxy said.
    let said = parts.find_map(|part| match forwarded(part) {
        Some(address) if settings.is_proxy(address) => None,
        other => Some(other),
    });
    said.flatten().unwrap_or(peer).to_string()
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn forwarded(part: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(part).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse().map(|with_port: SocketAddr| with_port.ip())).ok()?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &str) -> String {
        let settings = WebSettings { trusted_proxies: vec!["10.0.0.0/24".parse().unwrap()], ..Default::default() };
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4000)));
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        address(&settings, &extensions, &headers)
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(seen("192.0.2.9", "203.0.113.1"), "192.0.2.9");
        assert_eq!(seen("10.0.0.2", "203.0.113.1"), "203.0.113.1");
        assert_eq!(seen("::ffff:10.0.0.2", "203.0.113.1"), "203.0.113.1");
        // What the client itself wrote stands before what the proxies added.
        assert_eq!(seen("10.0.0.2", "198.51.100.7, 203.0.113.1, 10.0.0.3"), "203.0.113.1");
        assert_eq!(seen("10.0.0.2", "nonsense"), "10.0.0.2");
        for (written, address) in [
            ("203.0.113.1:4711", "203.0.113.1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("::ffff:203.0.113.1", "203.0.113.1"),
            ("unknown", "10.0.0.2"),
            ("", "10.0.0.2"),
        ] {
            assert_eq!(seen("10.0.0.2", &format!("198.51.100.7, {written}")), address, "{written}");
        }
    }
}
