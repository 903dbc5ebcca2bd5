//! What a browser keeps of the answers that it gets, by their caching headers: what is still good is taken from here, and
//! what may have changed is asked for with the condition that it has.
//!
//! `rules` is what may be kept and for how long, `headers` what a page from here is given with: the crate that decides would
//! drop repeated ones and write a `Date` of its own.

mod headers;
mod rules;

use crate::page::Page;
use headers::{conditional, is_of_caller, laid_over, without_connection};
use http_cache_semantics::{BeforeRequest, CachePolicy};
use indexmap::IndexMap;
use reqwest::Method;
use reqwest::header::HeaderMap;
use rules::{OWN, SHARED, key, policy, request, varies_by_all};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use url::Url;

/// More than one journey opens.
const MOST_ANSWERS: usize = 500;
const MOST_BYTES: usize = 64 << 20;
/// More than any server sends; 304s may add to them without end.
const MOST_FIELDS: usize = 1000;
/// The answers that are kept, by their addresses, the oldest first. A clone shares them.
#[derive(Clone, Default)]
pub(super) struct Cache {
    kept: IndexMap<String, Arc<Kept>>,
    /// How long their bodies are together.
    bytes: usize,
}

struct Kept {
    policy: CachePolicy,
    status: u16,
    headers: HeaderMap,
    body: Arc<str>,
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
        if is_of_caller(headers) {
            return Known::Nothing;
        }
        let Some(kept) = self.kept.get(&key(url)) else { return Known::Nothing };
        let Some(request) = request(url, headers) else { return Known::Nothing };
        match kept.policy.before_request(&request, SystemTime::now()) {
            BeforeRequest::Fresh(_) => Known::Answer(Box::new(kept.page(url))),
            BeforeRequest::Stale { matches: true, .. } => conditional(headers, &kept.headers),
            BeforeRequest::Stale { .. } => Known::Nothing,
        }
    }

    /// Takes an answer in. For one that says that nothing has changed, the page that was kept. `asked` is without what
    /// [`Known::Ask`] added, `is_conditional` says whether it added something.
    pub(super) fn take(
        &mut self,
        method: &Method,
        asked: &HeaderMap,
        is_conditional: bool,
        answer: &Page,
    ) -> Option<Page> {
        let key = key(&answer.url);
        // What was written to is not what it was.
        if !method.is_safe() && answer.status < 400 {
            self.forget(&key);
        }
        if *method != Method::GET || is_of_caller(asked) {
            return None;
        }
        if answer.status != 304 {
            let headers = without_connection(&answer.headers);
            if let Some(kept) = Kept::new(&answer.url, asked, answer.status, headers, || answer.body.as_str().into()) {
                self.keep(key, kept);
            } else {
                self.forget(&key);
            }
            return None;
        }
        let stored = self.kept.get(&key).filter(|_| is_conditional)?.clone();
        let headers = laid_over(&stored.headers, &answer.headers);
        let page = Page { headers: headers.clone(), ..stored.page(&answer.url) };
        // It may forbid what was allowed before.
        match Kept::new(&answer.url, asked, stored.status, headers, || stored.body.clone()) {
            Some(kept) => self.keep(key, kept),
            None => self.forget(&key),
        }
        Some(page)
    }

    fn keep(&mut self, key: String, kept: Kept) {
        self.forget(&key);
        self.bytes += kept.body.len();
        self.kept.insert(key, Arc::new(kept));
        while self.kept.len() > MOST_ANSWERS || self.bytes > MOST_BYTES {
            let Some((_, oldest)) = self.kept.shift_remove_index(0) else { break };
            self.bytes -= oldest.body.len();
        }
    }

    fn forget(&mut self, key: &str) {
        if let Some(gone) = self.kept.shift_remove(key) {
            self.bytes -= gone.body.len();
        }
    }
}

impl Kept {
    /// An answer, if it may be kept and can be used again: it is good for some time, or has something to ask with.
    fn new(
        url: &Url,
        asked: &HeaderMap,
        status: u16,
        headers: HeaderMap,
        body: impl FnOnce() -> Arc<str>,
    ) -> Option<Self> {
        let now = SystemTime::now();
        let policy = policy(url, asked, status, &headers, now, OWN).filter(CachePolicy::is_storable)?;
        let is_of_use = !policy.is_stale(now) || !matches!(conditional(asked, &headers), Known::Nothing);
        let is_kept = is_of_use && !varies_by_all(&headers) && headers.len() <= MOST_FIELDS;
        is_kept.then(|| Self { policy, status, headers, body: body() })
    }

    fn page(&self, url: &Url) -> Page {
        Page { status: self.status, url: url.clone(), headers: self.headers.clone(), body: self.body.to_string() }
    }
}

/// For how long a browser, or a proxy that others ask too, may show a page again without asking for it.
pub(crate) fn kept_for(page: &Page) -> Duration {
    let now = SystemTime::now();
    let kept = |options| {
        let policy = policy(&page.url, &HeaderMap::new(), page.status, &page.headers, now, options)?;
        (policy.is_storable() && !varies_by_all(&page.headers)).then(|| policy.time_to_live(now))
    };
    kept(OWN).max(kept(SHARED)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    type Headers = &'static [(&'static str, &'static str)];

    const GET: Method = Method::GET;
    const POST: Method = Method::POST;

    fn map(headers: Headers) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    fn answer_of(address: &str, status: u16, body: &str, headers: Headers) -> Page {
        Page { status, url: Url::parse(address).unwrap(), headers: map(headers), body: body.to_owned() }
    }

    fn answer(status: u16, body: &str, headers: Headers) -> Page {
        answer_of("https://h.example/a", status, body, headers)
    }

    fn with(headers: Headers) -> Cache {
        let mut cache = Cache::default();
        cache.take(&GET, &HeaderMap::new(), false, &answer(200, "one", headers));
        cache
    }

    fn look(cache: &Cache) -> Known {
        cache.look(&answer(200, "", &[]).url, &HeaderMap::new())
    }

    fn seconds(headers: Headers) -> u64 {
        kept_for(&answer(200, "", headers)).as_secs()
    }

    fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
        headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_is_good_is_kept_and_what_may_have_changed_is_asked_for() {
        let none = HeaderMap::new();
        let mut cache = with(&[("cache-control", "no-store")]);
        assert!(matches!(look(&cache), Known::Nothing));
        cache.take(&GET, &none, false, &answer(200, "one", &[("cache-control", "max-age=60")]));
        assert!(matches!(look(&cache), Known::Answer(page) if page.body == "one" && page.status == 200));
        cache.take(&POST, &none, false, &answer(303, "", &[]));
        assert!(matches!(look(&cache), Known::Nothing), "it was written to");
        cache.take(&GET, &none, false, &answer(200, "two", &[("cache-control", "no-cache"), ("etag", "\"v2\"")]));
        let Known::Ask(headers) = look(&cache) else { panic!("it may have changed") };
        assert_eq!(headers["if-none-match"], "\"v2\"");
        let same = cache.take(&GET, &none, true, &answer(304, "", &[("etag", "\"v2\"")]));
        assert_eq!(same.map(|page| (page.status, page.body)), Some((200, "two".to_owned())));
        assert!(cache.take(&GET, &none, true, &answer(200, "three", &[("etag", "\"v3\"")])).is_none());
        let (other, url) = (map(&[("accept", "text/html")]), answer(200, "", &[]).url);
        let varied = answer(200, "page", &[("cache-control", "max-age=60"), ("vary", "accept")]);
        cache.take(&GET, &other, false, &varied);
        assert!(matches!(cache.look(&url, &other), Known::Answer(_)));
        assert!(!matches!(cache.look(&url, &none), Known::Answer(_)), "what varies is another answer");
    }

    #[test]
    fn how_long_a_page_is_shown_again() {
        for headers in [&[][..], &[("cache-control", "no-store")], &[("cache-control", "private, no-cache")]] {
            assert_eq!(seconds(headers), 0, "{headers:?}");
        }
        assert!(seconds(&[("cache-control", "public, max-age=600")]) > 590);
        assert!(seconds(&[("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT")]) > 3600, "without a word it is guessed");
    }

    #[test]
    fn any_304_to_the_own_condition_leaves_the_body() {
        const MODIFIED: &str = "Mon, 01 Jan 2024 00:00:00 GMT";
        let stored: [Headers; 2] = [
            &[("cache-control", "no-cache"), ("etag", "\"abc\"")],
            &[("cache-control", "no-cache"), ("etag", "\"abc\""), ("last-modified", MODIFIED)],
        ];
        let said: [Headers; 4] =
            [&[], &[("etag", "W/\"abc\"")], &[("etag", "\"abc-gzip\"")], &[("cache-control", "no-store")]];
        for stored in stored {
            for said in said {
                let mut cache = with(stored);
                let same = cache.take(&GET, &HeaderMap::new(), true, &answer(304, "", said));
                let same = same.map(|page| (page.status, page.body, page.headers["etag"].clone()));
                let expected = (200, "one".to_owned(), HeaderValue::from_static("\"abc\""));
                assert_eq!(same, Some(expected), "{stored:?} and {said:?}");
                let may_be_kept = !said.contains(&("cache-control", "no-store"));
                assert_eq!(matches!(look(&cache), Known::Ask(_)), may_be_kept, "{said:?}");
            }
        }
    }

    #[test]
    fn a_condition_of_the_caller_is_the_callers_matter() {
        let mut cache = with(&[("cache-control", "max-age=60"), ("etag", "\"v1\"")]);
        let own = map(&[("if-none-match", "\"v1\"")]);
        assert!(matches!(cache.look(&answer(200, "", &[]).url, &own), Known::Nothing));
        assert!(cache.take(&GET, &own, false, &answer(304, "", &[("etag", "\"v1\"")])).is_none());
        assert!(matches!(look(&cache), Known::Answer(_)), "nothing was said of what is kept");
    }

    #[test]
    fn directives_are_read_without_case() {
        assert!(seconds(&[("cache-control", "Private, Max-Age=600")]) > 590);
        let refused: [Headers; 5] = [
            &[("cache-control", "No-Store"), ("expires", "Fri, 31 Dec 9999 23:59:59 GMT")],
            &[("cache-control", "No-Cache"), ("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT")],
            &[("pragma", "No-Cache"), ("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT")],
            &[("cache-control", "Must-Revalidate"), ("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT")],
            &[("cache-control", "must-revalidate"), ("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT")],
        ];
        for headers in refused {
            assert_eq!(seconds(headers), 0, "{headers:?}");
        }
        let mut headers = map(&[("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT")]);
        headers.insert("cache-control", HeaderValue::from_bytes(b"no-store, note=\"\xe9\"").unwrap());
        assert!(kept_for(&Page { headers, ..answer(200, "", &[]) }).is_zero(), "beside a word that is no text");
        assert!(matches!(look(&with(&[("cache-control", "No-Store, Max-Age=600")])), Known::Nothing));
        assert!(matches!(look(&with(&[("cache-control", "Private, Max-Age=600")])), Known::Answer(_)));
    }

    #[test]
    fn numbers_and_dates_beyond_reason_break_nothing() {
        let later = SystemTime::now() + Duration::from_secs(2);
        for age in ["18446744073709551615", "2147483648", "-1", "many", ""] {
            let mut page = answer(200, "", &[("cache-control", "max-age=600"), ("etag", "\"v\"")]);
            page.headers.insert("age", HeaderValue::from_static(age));
            let mut cache = Cache::default();
            cache.take(&GET, &HeaderMap::new(), false, &page);
            assert!(cache.kept[0].policy.time_to_live(later).as_secs() > 590, "Age: {age}");
            assert!(matches!(look(&cache), Known::Answer(_)), "Age: {age}");
            assert!(kept_for(&page).as_secs() > 590, "Age: {age}");
        }
        assert!(seconds(&[("cache-control", "max-age=600"), ("age", "500")]) <= 100);
        for policy in ["max-age=18446744073709551615", "max-age=99999999999999999999999", "max-age=\"4294967296\""] {
            let mut page = answer(200, "", &[]);
            page.headers.insert("cache-control", HeaderValue::from_static(policy));
            assert_eq!(kept_for(&page).as_secs(), 1 << 31, "{policy}");
        }
        let nested = "(".repeat(60_000);
        let nested = format!("{nested}Mon, 01 Jan 2024 00:00:00 GMT");
        let dates =
            ["Fri, 31 Dec 9999 23:59:59 -2359", "Sun, 01 Jan 0000 00:00:00 GMT", "Sat, 01 Jan 1900 00:00:00 +2359"];
        for date in dates.into_iter().chain([nested.as_str(), "0", ""]) {
            for name in ["date", "expires", "last-modified"] {
                let mut page = answer(200, "one", &[("etag", "\"v\"")]);
                page.headers.insert(name, HeaderValue::from_str(date).unwrap());
                kept_for(&page);
                let mut cache = Cache::default();
                cache.take(&GET, &HeaderMap::new(), false, &page);
                assert!(!matches!(look(&cache), Known::Nothing), "{name}");
                cache.take(&GET, &HeaderMap::new(), true, &Page { status: 304, ..page });
                assert!(!matches!(look(&cache), Known::Nothing), "{name}");
            }
        }
    }

    #[test]
    fn only_what_can_be_used_again_is_kept_and_not_without_end() {
        let none = HeaderMap::new();
        for headers in [&[][..], &[("cache-control", "no-cache")], &[("vary", "*"), ("etag", "\"v\"")]] {
            assert_eq!(with(headers).kept.len(), 0, "{headers:?}");
        }
        let mut cache = Cache::default();
        let address = |number: usize| format!("https://h.example/{number}");
        for number in 0..600 {
            cache.take(&GET, &none, false, &answer_of(&address(number), 200, "", &[("etag", "\"v\"")]));
        }
        let is_kept = |cache: &Cache, number| {
            !matches!(cache.look(&Url::parse(&address(number)).unwrap(), &none), Known::Nothing)
        };
        assert_eq!(cache.kept.len(), 500);
        assert!(!is_kept(&cache, 99) && is_kept(&cache, 100) && is_kept(&cache, 599), "the oldest went");
        let large = "x".repeat(15 << 20);
        let mut cache = Cache::default();
        for number in 0..6 {
            cache.take(&GET, &none, false, &answer_of(&address(number), 200, &large, &[("etag", "\"v\"")]));
        }
        assert_eq!(cache.kept.len(), 4, "of 15 MiB");
        assert!(!is_kept(&cache, 1) && is_kept(&cache, 2));
        for _ in 0..9 {
            cache.take(&GET, &none, true, &answer_of(&address(2), 304, "", &[]));
        }
        cache.take(&GET, &none, false, &answer_of(&address(7), 200, "", &[("etag", "\"v\"")]));
        assert_eq!(cache.kept.len(), 5, "what is confirmed is counted once");
        cache.take(&GET, &none, false, &answer_of(&address(6), 200, &large, &[("etag", "\"v\"")]));
        assert!(is_kept(&cache, 2) && !is_kept(&cache, 3), "what is confirmed is young");
    }

    #[test]
    fn a_clone_and_a_confirmed_answer_share_the_body() {
        let mut cache = with(&[("cache-control", "no-cache"), ("etag", "\"v\"")]);
        let clone = cache.clone();
        cache.take(&GET, &HeaderMap::new(), true, &answer(304, "", &[]));
        assert!(Arc::ptr_eq(&cache.kept[0].body, &clone.kept[0].body));
    }

    #[test]
    fn headers_stay_as_they_came() {
        let mut cache = with(&[
            ("cache-control", "max-age=600"),
            ("date", "Mon, 01 Jan 2024 00:00:00 GMT"),
            ("etag", "\"v\""),
            ("content-security-policy", "default-src 'self'"),
            ("content-security-policy", "img-src 'none'"),
            ("vary", "accept"),
            ("vary", "cookie"),
            ("x-old", "old"),
            ("age", "5"),
            ("content-length", "3"),
            ("content-type", "text/html"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
        ]);
        let Known::Answer(page) = look(&cache) else { panic!("it is good") };
        assert_eq!(values(&page.headers, "date"), ["Mon, 01 Jan 2024 00:00:00 GMT"]);
        assert_eq!(values(&page.headers, "content-security-policy"), ["default-src 'self'", "img-src 'none'"]);
        assert_eq!(values(&page.headers, "vary"), ["accept", "cookie"]);
        assert!(!page.headers.contains_key("connection") && !page.headers.contains_key("x-hop"));
        let said = answer(
            304,
            "",
            &[
                ("date", "Tue, 02 Jan 2024 00:00:00 GMT"),
                ("x-old", "new"),
                ("x-new", "a"),
                ("x-new", "b"),
                ("cache-control", "no-cache"),
                ("content-length", "0"),
                ("content-type", "text/plain"),
                ("content-encoding", "gzip"),
            ],
        );
        let merged = cache.take(&GET, &HeaderMap::new(), true, &said).unwrap().headers;
        let expected: [(&str, &[&str]); 8] = [
            ("date", &["Tue, 02 Jan 2024 00:00:00 GMT"]),
            ("content-security-policy", &["default-src 'self'", "img-src 'none'"]),
            ("vary", &["accept", "cookie"]),
            ("x-old", &["new"]),
            ("x-new", &["a", "b"]),
            ("cache-control", &["no-cache"]),
            ("content-length", &["3"]),
            ("content-type", &["text/html"]),
        ];
        for (name, expected) in expected {
            assert_eq!(values(&merged, name), expected, "{name}");
        }
        assert!(!merged.contains_key("content-encoding") && !merged.contains_key("age"));
        assert!(matches!(look(&cache), Known::Ask(_)), "the 304 says how it is kept");
    }

    #[test]
    fn a_fragment_is_no_part_of_the_address() {
        let (none, kept) = (HeaderMap::new(), &[("cache-control", "max-age=60")]);
        let (plain, part) = ("https://h.example/fabrics/1/", "https://h.example/fabrics/1/#evidence");
        let mut cache = Cache::default();
        cache.take(&GET, &none, false, &answer_of(plain, 200, "one", kept));
        let part = Url::parse(part).unwrap();
        let Known::Answer(page) = cache.look(&part, &none) else { panic!("it is the same page") };
        assert_eq!(page.url, part);
        cache.take(&POST, &none, false, &answer_of(part.as_str(), 303, "", &[]));
        assert!(matches!(cache.look(&Url::parse(plain).unwrap(), &none), Known::Nothing));
    }

    #[test]
    fn a_write_that_failed_leaves_what_is_kept() {
        let kept = &[("cache-control", "max-age=60")];
        for (method, status, stays) in [
            (POST, 409, true),
            (POST, 500, true),
            (Method::DELETE, 404, true),
            (Method::HEAD, 200, true),
            (Method::PUT, 204, false),
            (POST, 303, false),
        ] {
            let mut cache = with(kept);
            cache.take(&method, &HeaderMap::new(), false, &answer(status, "", &[]));
            assert_eq!(matches!(look(&cache), Known::Answer(_)), stays, "{method} {status}");
        }
    }

    #[test]
    fn a_cache_that_is_shared_is_judged_too() {
        assert!(seconds(&[("cache-control", "public, s-maxage=600, max-age=0")]) > 590);
        assert!(seconds(&[("cache-control", "S-MaxAge=600, max-age=0"), ("set-cookie", "a=b")]) > 590);
        assert!(seconds(&[("cache-control", "s-maxage=600, max-age=0, proxy-revalidate")]) > 590);
        assert!(seconds(&[("cache-control", "private, max-age=60")]) > 50, "the longer of the two");
        assert_eq!(seconds(&[("cache-control", "private, s-maxage=600, max-age=0")]), 0);
        assert_eq!(seconds(&[("cache-control", "max-age=600"), ("vary", "accept"), ("vary", "*")]), 0);
    }
}
