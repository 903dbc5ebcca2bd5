//! A cookie jar by a browser's rules (RFC 6265), as far as one person needs them. What a browser would silently drop is an
//! error here, because a login whose cookie is dropped is a defect to be found. An error holds names and attributes of
//! cookies, never a value.

use url::Url;

/// Stops with the reason, unless something holds.
macro_rules! ensure {
    ($holds:expr, $($why:tt)*) => {
        if !$holds {
            return Err(format!($($why)*));
        }
    };
}

/// A cookie as the server set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The host that it is for: the one that set it, or the `Domain` that it named. By it the jar knows where it may go.
    pub host: String,
    /// What stood behind the value: `HttpOnly`, `SameSite=Lax` and so on, as written.
    pub attributes: Vec<String>,
}

impl Cookie {
    /// An attribute's value, the empty text when it has none: `attribute("samesite")`.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find_map(|one| {
            let (found, value) = one.split_once('=').unwrap_or((one, ""));
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn path(&self) -> &str {
        self.attribute("path").filter(|path| path.starts_with('/')).unwrap_or("/")
    }

    /// Whether hosts below its own get it, too.
    fn goes_below(&self) -> bool {
        self.attribute("domain").is_some_and(|domain| !domain.trim_matches('.').is_empty())
    }

    /// Whether it is sent to this host.
    fn is_for(&self, to: &Url) -> bool {
        let host = host(to);
        host == self.host || self.goes_below() && is_below(to, &self.host)
    }

    /// Whether it takes the place of another: the same name, host and path.
    fn replaces(&self, other: &Self) -> bool {
        self.name == other.name
            && self.host == other.host
            && self.goes_below() == other.goes_below()
            && self.path() == other.path()
    }
}

#[derive(Clone, Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
}

impl Jar {
    pub(super) fn all(&self) -> &[Cookie] {
        &self.cookies
    }

    /// The cookies that this site gets, whatever their path.
    pub(super) fn of(&self, site: &Url) -> Vec<Cookie> {
        self.cookies.iter().filter(|cookie| cookie.is_for(site)).cloned().collect()
    }

    pub(super) fn set(&mut self, site: &Url, name: &str, value: Option<&str>) {
        self.cookies.retain(|cookie| cookie.name != name);
        if let Some(value) = value {
            let (name, value) = (name.to_owned(), value.to_owned());
            self.cookies.push(Cookie { name, value, host: host(site), attributes: vec!["Path=/".to_owned()] });
        }
    }

    pub(super) fn put(&mut self, cookie: Cookie) {
        self.cookies.retain(|one| !cookie.replaces(one));
        self.cookies.push(cookie);
    }

    /// Takes a `Set-Cookie` header in.
    pub(super) fn take(&mut self, from: &Url, header: &str) -> Result<(), String> {
        let mut parts = header.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap_or_default().split_once('=').unwrap_or_default();
        ensure!(!name.is_empty(), "it has no name");
        let attributes = parts.map(str::to_owned).collect();
        let mut cookie = Cookie { name: name.to_owned(), value: value.to_owned(), host: host(from), attributes };
        let secure = cookie.attribute("secure").is_some();
        ensure!(!secure || is_trustworthy(from), "it is Secure, and came over plain HTTP: {name}");
        if cookie.goes_below() {
            let domain = cookie.attribute("domain").unwrap_or_default().trim_start_matches('.').to_ascii_lowercase();
            let host = &cookie.host;
            ensure!(*host == domain || is_below(from, &domain), "{name} is for {domain}, and came from {host}");
            // A cookie for `com` would be everybody's.
            ensure!(*host == domain || domain.contains('.'), "{name} is for all of {domain}");
            cookie.host = domain;
        }
        let written = cookie.attributes.join("; ");
        if name.starts_with("__Host-") {
            let bound = secure && cookie.attribute("path") == Some("/") && cookie.attribute("domain").is_none();
            ensure!(bound, "{name} needs Secure, Path=/ and no Domain: {written}");
        }
        if name.starts_with("__Secure-") {
            ensure!(secure, "{name} needs Secure: {written}");
        }
        if cookie.attribute("samesite").is_some_and(|site| site.eq_ignore_ascii_case("none")) {
            ensure!(secure, "{name} has SameSite=None, which needs Secure: {written}");
        }
        let age = cookie.attribute("max-age").and_then(|age| age.parse::<i64>().ok());
        let epoch = cookie.attribute("expires").is_some_and(|date| date.contains("1970"));
        let over = age.map_or(epoch, |age| age <= 0);
        self.cookies.retain(|one| !cookie.replaces(one));
        if !over {
            self.cookies.push(cookie);
        }
        Ok(())
    }

    /// The `Cookie` header for an address.
    pub(super) fn header(&self, to: &Url) -> Option<String> {
        let fits = |cookie: &&Cookie| {
            let path = cookie.path();
            let inside = to.path() == path
                || to.path().strip_prefix(path).is_some_and(|rest| path.ends_with('/') || rest.starts_with('/'));
            inside && cookie.is_for(to) && (cookie.attribute("secure").is_none() || is_trustworthy(to))
        };
        let pairs: Vec<String> =
            self.cookies.iter().filter(fits).map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_ascii_lowercase()
}

/// Whether an address is of a host below this domain. Nothing is below a number.
fn is_below(url: &Url, domain: &str) -> bool {
    url.domain().is_some() && host(url).strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// Browsers trust the loopback as they trust HTTPS.
fn is_trustworthy(url: &Url) -> bool {
    url.scheme() == "https"
        || match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_sends_and_forgets() {
        let here = Url::parse("http://127.0.0.1:9/a/b").unwrap();
        let mut jar = Jar::default();
        jar.take(&here, "__Host-session=one; Path=/; Secure; HttpOnly; SameSite=Lax").unwrap();
        jar.take(&here, "deep=two; Path=/a/").unwrap();
        jar.take(&here, "other=three; Path=/x").unwrap();
        assert_eq!(jar.header(&here).unwrap(), "__Host-session=one; deep=two");
        assert_eq!(jar.all()[0].attribute("samesite"), Some("Lax"));
        jar.take(&here, "__Host-session=; Path=/; Secure; Max-Age=0").unwrap();
        assert_eq!(jar.header(&here).unwrap(), "deep=two");
    }

    #[test]
    fn nobody_else_gets_a_cookie_and_nobody_elses_takes_its_place() {
        let url = |text: &str| Url::parse(text).unwrap();
        let (ours, other) = (url("https://console.example.test/a/"), url("https://cdn.example.net/a/"));
        let (below, beside) = (url("https://x.console.example.test/"), url("https://wiki.example.test/"));
        let mut jar = Jar::default();
        jar.take(&ours, "session=ours; Path=/; Secure; HttpOnly").unwrap();
        jar.take(&ours, "wide=w; Domain=.Example.test; Secure").unwrap();
        jar.take(&other, "session=theirs; Path=/").unwrap();
        assert_eq!(jar.header(&ours).unwrap(), "session=ours; wide=w");
        assert_eq!(jar.header(&other).unwrap(), "session=theirs");
        assert_eq!(jar.header(&below).unwrap(), "wide=w", "without Domain it is for its own host only");
        assert_eq!(jar.header(&beside).unwrap(), "wide=w");
        assert_eq!(jar.header(&url("http://console.example.test/")), None, "Secure is for HTTPS");
        assert_eq!(jar.of(&ours).len(), 2);
        // Another port is the same host, as browsers have it.
        assert_eq!(jar.header(&url("https://console.example.test:8443/")).unwrap(), "session=ours; wide=w");
        let local = url("http://127.0.0.1:9/");
        jar.take(&local, "n=1").unwrap();
        assert_eq!(jar.header(&url("http://127.0.0.2:9/")), None);
        assert!(jar.take(&ours, "everybody=x; Domain=test").is_err());
    }

    #[test]
    fn an_error_holds_no_value() {
        let ours = Url::parse("https://example.test/").unwrap();
        for header in [
            "__Host-session=s3cr3t; Secure; Path=/x",
            "=s3cr3t",
            "s3cr3t",
            "__Secure-a=s3cr3t; Path=/",
            "a=s3cr3t; SameSite=None",
            "a=s3cr3t; Domain=elsewhere.test",
        ] {
            let why = Jar::default().take(&ours, header).unwrap_err();
            assert!(!why.contains("s3cr3t"), "{why}");
        }
    }

    #[test]
    fn refuses_what_a_browser_refuses() {
        let outside = Url::parse("http://example.test/").unwrap();
        let mut jar = Jar::default();
        assert!(jar.take(&outside, "a=b; Secure").is_err());
        let here = Url::parse("https://example.test/").unwrap();
        assert!(jar.take(&here, "__Host-a=b; Path=/").is_err());
        assert!(jar.take(&here, "__Host-a=b; Path=/; Secure; Domain=example.test").is_err());
        assert!(jar.take(&here, "a=b; SameSite=None").is_err());
        assert!(jar.take(&here, "a=b; Domain=elsewhere.test").is_err());
        assert!(jar.take(&here, "a=b; Domain=ample.test").is_err(), "not a part of its name");
        let below = Url::parse("https://a.example.test/").unwrap();
        assert!(jar.clone().take(&below, "a=b; Domain=.example.test").is_ok());
        assert!(jar.all().is_empty());
    }
}
