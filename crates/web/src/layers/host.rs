//! One request, one host. HTTP/2 names it in the request line and not in a header, and so may HTTP/1.1; two of them could
//! mean one thing to a proxy and another to us.

use crate::problem::Problem;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use model::Code;

/// Puts the host that was asked for into the header, where everything behind looks for it.
pub async fn one(mut request: Request, next: Next) -> Response {
    if request.headers().get_all(header::HOST).iter().count() > 1 {
        return Problem::new(Code::InvalidInput, "The request names more than one host.")
            .todo("Send one Host header.")
            .into_response();
    }
    // Of the two, the request line counts (RFC 9112, 3.2.2).
    let asked = request.uri().authority().map(|authority| HeaderValue::try_from(authority.as_str()));
    if let Some(Ok(host)) = asked {
        request.headers_mut().insert(header::HOST, host);
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use http::{HeaderMap, StatusCode};
    use tower::ServiceExt as _;

    async fn seen(address: &str, hosts: &[&str]) -> (StatusCode, String) {
        let host = |headers: HeaderMap| async move {
            headers.get(header::HOST).map(|host| host.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        let mut request = Request::builder().uri(address);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        let router = Router::new().fallback(host).layer(from_fn(one));
        let answer = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = answer.status();
        let body = axum::body::to_bytes(answer.into_body(), 1000).await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn the_host_is_the_one_that_was_asked_for() {
        assert_eq!(seen("/", &["a.example"]).await, (StatusCode::OK, "a.example".to_owned()));
        assert_eq!(seen("https://a.example/", &[]).await, (StatusCode::OK, "a.example".to_owned()), "as HTTP/2 has it");
        assert_eq!(seen("https://a.example/", &["b.example"]).await.1, "a.example");
        assert_eq!(seen("/", &[]).await, (StatusCode::OK, String::new()));
        assert_eq!(seen("/", &["a.example", "a.example"]).await.0, StatusCode::BAD_REQUEST);
    }
}
