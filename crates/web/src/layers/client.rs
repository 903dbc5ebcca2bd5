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
    let forwarded: Vec<IpAddr> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|part| part.trim().parse::<IpAddr>().ok())
        .collect();
    forwarded.iter().rev().find(|address| !settings.is_proxy(**address)).unwrap_or(&peer).to_string()
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
    }
}
