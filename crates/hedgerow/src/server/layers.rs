//! What the server itself does to requests and answers, whatever the pages are.

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use tokio_util::sync::CancellationToken;

/// Answered to everybody: what watches the server need not be a proxy.
const PROBES: &[&str] = &["/healthz", "/readyz"];

/// An open page holds a stream of events for as long as it is open; without this, it would hold the end until the grace
/// is over.
pub(super) fn end_streams(router: Router, stop: CancellationToken) -> Router {
    router.layer(map_response(move |response: Response| {
        let stop = stop.clone();
        async move {
            let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
            if !kind.is_some_and(|kind| kind.starts_with(b"text/event-stream")) {
                return response;
            }
            let (head, body) = response.into_parts();
            let stream = body.into_data_stream().take_until(stop.cancelled_owned());
            Response::from_parts(head, Body::from_stream(stream))
        }
    }))
}

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
    use crate::server::Server;
    use crate::settings::{Layers, Settings};
    use std::time::Duration;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn an_open_stream_of_events_does_not_hold_the_end() {
        use axum::response::sse::{Event, Sse};
        let endless = || async {
            let first = futures::stream::once(async { Ok::<_, std::convert::Infallible>(Event::default().data("x")) });
            Sse::new(first.chain(futures::stream::pending()))
        };
        let router = Router::new().route("/", axum::routing::get(endless));
        let server = {
            let layers = Layers::default().with_flag("--listen", "listen", "127.0.0.1:0".to_owned());
            Server::bind(&Settings::load(&layers).unwrap()).unwrap()
        };
        let (url, stop) = (server.url(), CancellationToken::new());
        let serving = tokio::spawn(server.serve(router, stop.clone(), Duration::from_secs(60)));
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut page = reqwest::get(&url).await.unwrap();
        assert!(page.chunk().await.unwrap().is_some());
        stop.cancel();
        assert!(page.chunk().await.unwrap().is_none(), "the stream ends as a stream, not as an error");
        drop(page);
        tokio::time::timeout(Duration::from_secs(20), serving).await.expect("it ends").unwrap().unwrap();
    }

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
