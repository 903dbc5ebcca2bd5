//! What the server itself does to requests and answers, whatever the pages are.

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Answered to everybody: what watches the server need not be a proxy.
const PROBES: &[&str] = &["/healthz", "/readyz"];

/// Beyond loopback, plain HTTP is for the proxies that were named: whoever comes past them would send a password in
/// clear.
pub(super) fn only_proxies(router: Router, proxies: Vec<IpNet>) -> Router {
    router.layer(from_fn(move |request: Request, next: Next| {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
        let is_probe = PROBES.contains(&request.uri().path());
        let admitted = is_probe || peer.is_some_and(|peer| is_admitted(peer, &proxies));
        async move {
            if admitted {
                return next.run(request).await;
            }
            tracing::warn!(?peer, "plain HTTP from an address that is none of trusted_proxies was refused");
            let text =
                "This console is reached through its proxy, over HTTPS. Plain HTTP from this address is refused.\n";
            (StatusCode::FORBIDDEN, text).into_response()
        }
    }))
}

fn is_admitted(peer: IpAddr, proxies: &[IpNet]) -> bool {
    peer.is_loopback() || proxies.iter().any(|net| net.contains(&peer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn past_the_proxy_only_probes_are_answered() {
        let pages = Router::new().fallback(|| async { "a page" });
        let router = only_proxies(pages, vec!["10.0.0.0/24".parse().unwrap()]);
        for (peer, path, expected) in [
            ("10.0.0.7", "/login/", 200),
            ("::ffff:10.0.0.7", "/login/", 200),
            ("127.0.0.1", "/login/", 200),
            ("192.0.2.1", "/login/", 403),
            ("192.0.2.1", "/healthz", 200),
        ] {
            let peer = SocketAddr::new(peer.parse().unwrap(), 4000);
            let mut request = Request::new(Body::empty());
            *request.uri_mut() = path.parse().unwrap();
            request.extensions_mut().insert(ConnectInfo(peer));
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status().as_u16(), expected, "{peer} {path}");
        }
        let answer = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "an unknown peer is a stranger");
    }
}
