//! A cookie jar by a browser's rules, as far as one site needs them. What a browser would silently drop is an error
//! here, because a login whose cookie is dropped is a defect to be found.

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
}

#[derive(Clone, Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
}

impl Jar {
    pub(super) fn all(&self) -> &[Cookie] {
        &self.cookies
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cookies.is_empty()
    }

    pub(super) fn set(&mut self, name: &str, value: Option<&str>) {
        self.cookies.retain(|cookie| cookie.name != name);
        if let Some(value) = value {
            let (name, value) = (name.to_owned(), value.to_owned());
            self.cookies.push(Cookie { name, value, attributes: vec!["Path=/".to_owned()] });
        }
    }

    pub(super) fn put(&mut self, cookie: Cookie) {
        self.cookies.retain(|one| one.name != cookie.name);
        self.cookies.push(cookie);
    }

    /// Takes a `Set-Cookie` header in.
    pub(super) fn take(&mut self, from: &Url, header: &str) -> Result<(), String> {
        let mut parts = header.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap_or_default().split_once('=').unwrap_or_default();
        ensure!(!name.is_empty(), "it has no name: {header}");
        let attributes = parts.map(str::to_owned).collect();
        let cookie = Cookie { name: name.to_owned(), value: value.to_owned(), attributes };
        let secure = cookie.attribute("secure").is_some();
        ensure!(!secure || is_trustworthy(from), "it is Secure, and came over plain HTTP: {name}");
        if let Some(domain) = cookie.attribute("domain").filter(|domain| !domain.is_empty()) {
            let domain = domain.trim_start_matches('.').to_ascii_lowercase();
            let host = from.host_str().unwrap_or_default();
            let below = from.domain().is_some() && host.ends_with(&format!(".{domain}"));
            ensure!(host == domain || below, "{name} is for {domain}, and came from {host}");
        }
        if name.starts_with("__Host-") {
            let bound = secure && cookie.attribute("path") == Some("/") && cookie.attribute("domain").is_none();
            ensure!(bound, "{name} needs Secure, Path=/ and no Domain: {header}");
        }
        if name.starts_with("__Secure-") {
            ensure!(secure, "{name} needs Secure: {header}");
        }
        if cookie.attribute("samesite").is_some_and(|site| site.eq_ignore_ascii_case("none")) {
            ensure!(secure, "SameSite=None needs Secure: {header}");
        }
        let age = cookie.attribute("max-age").and_then(|age| age.parse::<i64>().ok());
        let epoch = cookie.attribute("expires").is_some_and(|date| date.contains("1970"));
        let over = age.map_or(epoch, |age| age <= 0);
        self.cookies.retain(|one| one.name != cookie.name);
        if !over {
            self.cookies.push(cookie);
        }
        Ok(())
    }

    /// The `Cookie` header for an address.
    pub(super) fn header(&self, to: &Url) -> Option<String> {
        let fits = |cookie: &&Cookie| {
            let path = cookie.attribute("path").filter(|path| path.starts_with('/')).unwrap_or("/");
            let inside = to.path() == path
                || to.path().strip_prefix(path).is_some_and(|rest| path.ends_with('/') || rest.starts_with('/'));
            inside && (cookie.attribute("secure").is_none() || is_trustworthy(to))
        };
        let pairs: Vec<String> =
            self.cookies.iter().filter(fits).map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
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
        let outside = Url::parse("http://example.test/a/b").unwrap();
        assert_eq!(jar.header(&outside).unwrap(), "deep=two", "a Secure cookie went over plain HTTP");
        jar.take(&here, "__Host-session=; Path=/; Secure; Max-Age=0").unwrap();
        assert_eq!(jar.header(&here).unwrap(), "deep=two");
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
        assert!(jar.is_empty());
    }
}
