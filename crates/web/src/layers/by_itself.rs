//! A page without script loads itself again every few seconds, and its address says so: that is no use of the session.
//! Nothing behind this layer sees the mark; the request says instead what those of scripts say.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Uri};

/// The mark, as a part of a query.
const MARK: &str = "background=1";

/// The address of a page for when it loads itself again.
pub fn marked(here: &str) -> String {
    let joint = if here.contains('?') { '&' } else { '?' };
    format!("{here}{joint}{MARK}")
}

/// Takes the mark out of the address.
pub async fn tell(mut request: Request, next: Next) -> Response {
    if let Some(plain) = unmarked(request.uri()) {
        *request.uri_mut() = plain;
        if !is_of_a_person(request.headers()) {
            request.headers_mut().insert("x-hedgerow-background", HeaderValue::from_static("1"));
        }
    }
    next.run(request).await
}

/// Browsers say of what a person set off, such as loading the page again by hand, that it was one.
fn is_of_a_person(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-user").is_some_and(|user| user == "?1")
}

fn unmarked(uri: &Uri) -> Option<Uri> {
    let query = uri.query()?;
    let rest: Vec<&str> = query.split('&').filter(|part| *part != MARK).collect();
    if rest.len() == query.split('&').count() {
        return None;
    }
    let path = uri.path();
    let text = if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_comes_off_and_nothing_else_does() {
        for here in ["/", "/fabrics/?state=error&page=2", "/fabrics/?background=10", "https://h.example/fabrics/?a=b"] {
            let marked: Uri = marked(here).parse().unwrap();
            assert_eq!(unmarked(&marked).unwrap().to_string(), here);
            assert_eq!(unmarked(&here.parse().unwrap()), None, "{here}");
        }
        assert_eq!(unmarked(&"/?background=1&a=b&background=1".parse().unwrap()).unwrap(), "/?a=b");
    }
}
