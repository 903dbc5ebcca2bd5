//! What a browser keeps of the answers that it gets, by their caching headers: what is still good is taken from here, and
//! what may have changed is asked for with the condition that it has.

use crate::page::Page;
use http::response::Parts;
use http_cache_semantics::{AfterResponse, BeforeRequest, CacheOptions, CachePolicy};
use reqwest::Method;
use reqwest::header::HeaderMap;
use std::collections::HashMap;
use std::time::{Duration, SystemTime};
use url::Url;

/// The rules of one person's own cache, in which nothing is kept for others.
const OWN: CacheOptions = CacheOptions {
    shared: false,
    cache_heuristic: 0.1,
    immutable_min_time_to_live: Duration::from_secs(24 * 60 * 60),
    ignore_cargo_cult: false,
};

/// The answers that are kept, by their addresses.
#[derive(Clone, Default)]
pub(super) struct Cache {
    kept: HashMap<String, (CachePolicy, String)>,
}

/// What is known of a request before it is sent.
pub(super) enum Known {
    /// Nothing.
    Nothing,
    /// The answer, which is still good.
    Answer(Box<Page>),
    /// One that may have changed: the headers to ask with.
    Ask(HeaderMap),
}

impl Cache {
    /// What is kept of an address.
    pub(super) fn look(&self, url: &Url, headers: &HeaderMap) -> Known {
        let Some((policy, body)) = self.kept.get(url.as_str()) else { return Known::Nothing };
        let Some(request) = request(url, headers) else { return Known::Nothing };
        match policy.before_request(&request, SystemTime::now()) {
            BeforeRequest::Fresh(parts) => Known::Answer(Box::new(page(url, parts, body.clone()))),
            BeforeRequest::Stale { request, matches: true } => Known::Ask(request.headers),
            BeforeRequest::Stale { .. } => Known::Nothing,
        }
    }

    /// Takes an answer in. For one that says that nothing has changed, the page that was kept.
    pub(super) fn take(&mut self, method: &Method, asked: &HeaderMap, answer: &Page) -> Option<Page> {
        // What was written to is not what it was.
        if *method != Method::GET {
            self.kept.remove(answer.url.as_str());
            return None;
        }
        let (request, response) = (request(&answer.url, asked)?, response(answer)?);
        let now = SystemTime::now();
        if answer.status == 304
            && let Some((policy, body)) = self.kept.remove(answer.url.as_str())
        {
            let (policy, parts) = match policy.after_response(&request, &response, now) {
                AfterResponse::NotModified(policy, parts) => (policy, parts),
                AfterResponse::Modified(..) => return None,
            };
            self.kept.insert(answer.url.to_string(), (policy, body.clone()));
            return Some(page(&answer.url, parts, body));
        }
        let policy = CachePolicy::new_options(&request, &response, now, OWN);
        if policy.is_storable() {
            self.kept.insert(answer.url.to_string(), (policy, answer.body.clone()));
        } else {
            self.kept.remove(answer.url.as_str());
        }
        None
    }
}

/// For how long a browser may show a page again without asking for it.
pub(crate) fn kept_for(page: &Page) -> Duration {
    let told = request(&page.url, &HeaderMap::new()).zip(response(page));
    let Some((request, response)) = told else { return Duration::ZERO };
    let now = SystemTime::now();
    let policy = CachePolicy::new_options(&request, &response, now, OWN);
    if policy.is_storable() { policy.time_to_live(now) } else { Duration::ZERO }
}

fn request(url: &Url, headers: &HeaderMap) -> Option<http::Request<()>> {
    let mut request = http::Request::get(url.as_str()).body(()).ok()?;
    *request.headers_mut() = headers.clone();
    Some(request)
}

fn response(page: &Page) -> Option<http::Response<()>> {
    let mut response = http::Response::builder().status(page.status).body(()).ok()?;
    *response.headers_mut() = page.headers.clone();
    Some(response)
}

fn page(url: &Url, parts: Parts, body: String) -> Page {
    Page { status: parts.status.as_u16(), url: url.clone(), headers: parts.headers, body }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn answer(status: u16, body: &str, headers: &[(&'static str, &'static str)]) -> Page {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        Page { status, url: Url::parse("https://h.example/a").unwrap(), headers, body: body.to_owned() }
    }

    #[test]
    fn what_is_good_is_kept_and_what_may_have_changed_is_asked_for() {
        let (none, get) = (HeaderMap::new(), Method::GET);
        let url = answer(200, "", &[]).url;
        let mut cache = Cache::default();
        cache.take(&get, &none, &answer(200, "never", &[("cache-control", "no-store")]));
        assert!(matches!(cache.look(&url, &none), Known::Nothing));
        cache.take(&get, &none, &answer(200, "one", &[("cache-control", "max-age=60")]));
        assert!(matches!(cache.look(&url, &none), Known::Answer(page) if page.body == "one" && page.status == 200));
        cache.take(&Method::POST, &none, &answer(303, "", &[]));
        assert!(matches!(cache.look(&url, &none), Known::Nothing), "it was written to");
        cache.take(&get, &none, &answer(200, "two", &[("cache-control", "no-cache"), ("etag", "\"v2\"")]));
        let Known::Ask(headers) = cache.look(&url, &none) else { panic!("it may have changed") };
        assert_eq!(headers["if-none-match"], "\"v2\"");
        let same = cache.take(&get, &headers, &answer(304, "", &[("etag", "\"v2\"")]));
        assert_eq!(same.map(|page| (page.status, page.body)), Some((200, "two".to_owned())));
        assert!(cache.take(&get, &headers, &answer(200, "three", &[("etag", "\"v3\"")])).is_none());
        let other: HeaderMap = [("accept", "text/html")]
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .into_iter()
            .collect();
        cache.take(&get, &other, &answer(200, "page", &[("cache-control", "max-age=60"), ("vary", "accept")]));
        assert!(matches!(cache.look(&url, &other), Known::Answer(_)));
        assert!(!matches!(cache.look(&url, &none), Known::Answer(_)), "what varies is another answer");
    }

    #[test]
    fn how_long_a_page_is_shown_again() {
        let kept = |headers: &[(&'static str, &'static str)]| kept_for(&answer(200, "", headers)).as_secs();
        for headers in [&[][..], &[("cache-control", "no-store")], &[("cache-control", "private, no-cache")]] {
            assert_eq!(kept(headers), 0, "{headers:?}");
        }
        assert!(kept(&[("cache-control", "public, max-age=600")]) > 590);
        assert!(kept(&[("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT")]) > 3600, "without a word it is guessed");
    }
}
