//! The proxies of the environment, as curl takes them: `https_proxy`, `http_proxy` (in small letters only, because a web
//! server's CGI sets the other), `all_proxy` and `no_proxy`. What is on this machine is never asked through a proxy.

use crate::obstacle::{Obstacle, Taken};
use std::net::IpAddr;
use url::{Host, Url};

/// The proxies for each sort of address, and for whom there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    none: Vec<String>,
}

/// A proxy as a browser is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserProxy {
    /// `proxy.example.net:3128`
    pub address: String,
    /// For whom it is not.
    pub none: Vec<String>,
}

impl Proxies {
    /// Those of the environment.
    pub(crate) fn of_environment() -> Self {
        Self::named(|name| std::env::var(name).ok())
    }

    fn named(variable: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&str]| names.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
        let proxy = |names: &[&str]| {
            let value = first(names)?;
            let value = if value.contains("://") { value } else { format!("http://{value}") };
            Url::parse(&value).ok().filter(Url::has_host)
        };
        let none = first(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
        let none = none.split([',', ' ']).map(|one| one.trim().trim_start_matches('.').to_ascii_lowercase());
        Self {
            http: proxy(&["http_proxy", "all_proxy", "ALL_PROXY"]),
            https: proxy(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            none: none.filter(|one| !one.is_empty()).collect(),
        }
    }

    /// Whether there is none for anybody.
    pub(crate) fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }

    /// The proxy for an address.
    pub(crate) fn of(&self, url: &Url) -> Option<Url> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        proxy.clone().filter(|_| !is_loopback(url) && !self.none.iter().any(|none| is_meant(none, url)))
    }

    /// The same for a browser, as far as browsers can be told.
    pub(crate) fn for_browser(&self, target: &Url) -> Taken<Option<BrowserProxy>> {
        let Some(proxy) = self.of(target) else { return Ok(None) };
        let place = format!("{}://{}", proxy.scheme(), proxy.host_str().unwrap_or_default());
        if proxy.scheme() != "http" {
            return Err(Obstacle::input(format!(
                "a browser cannot be told of the environment's proxy {place}: only one at http:// is supported; the \
                 driver http takes one at https://, too"
            )));
        }
        if !proxy.username().is_empty() || proxy.password().is_some() {
            return Err(Obstacle::input(format!(
                "a browser cannot be told the user and password of the environment's proxy {place}; use the driver \
                 http, or a proxy that asks for none"
            )));
        }
        let port = proxy.port_or_known_default().unwrap_or(80);
        let address = format!("{}:{port}", proxy.host_str().unwrap_or_default());
        Ok(Some(BrowserProxy { address, none: self.none.clone() }))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => true,
    }
}

/// Whether an entry of `no_proxy` means this address: `*`, a name with all below it, an address, a network.
fn is_meant(none: &str, url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if none == "*" || none == host {
        return true;
    }
    let Ok(address) = host.parse::<IpAddr>() else {
        return host.strip_suffix(none).is_some_and(|rest| rest.ends_with('.'));
    };
    let Some((network, bits)) = none.split_once('/') else { return false };
    match (network.parse::<IpAddr>(), address, bits.parse::<u32>()) {
        (Ok(IpAddr::V4(network)), IpAddr::V4(address), Ok(bits)) if bits <= 32 => {
            let same = network.to_bits() ^ address.to_bits();
            same.leading_zeros() >= bits
        }
        (Ok(IpAddr::V6(network)), IpAddr::V6(address), Ok(bits)) if bits <= 128 => {
            let same = network.to_bits() ^ address.to_bits();
            same.leading_zeros() >= bits
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn of(pairs: &[(&str, &str)]) -> Proxies {
        Proxies::named(|name| pairs.iter().find(|(one, _)| *one == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn proxies_are_taken_as_curl_takes_them() {
        let all = of(&[
            ("HTTPS_PROXY", "proxy.example.net:3128"),
            ("HTTP_PROXY", "http://not-this.example.net"),
            ("NO_PROXY", "inside.example.net, .corp.example,10.1.0.0/16"),
        ]);
        let proxy = |url: &str| all.of(&Url::parse(url).unwrap()).map(String::from);
        assert_eq!(proxy("https://h.example/").as_deref(), Some("http://proxy.example.net:3128/"));
        for direct in [
            "http://h.example/",
            "https://inside.example.net/",
            "https://x.inside.example.net/",
            "https://x.corp.example/",
            "https://10.1.2.3/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://localhost/",
        ] {
            assert_eq!(proxy(direct), None, "{direct}");
        }
        assert!(proxy("https://outinside.example.net/").is_some() && proxy("https://10.2.0.1/").is_some());
        assert!(of(&[("all_proxy", "http://p:1"), ("no_proxy", "*")]).of(&Url::parse("https://h/").unwrap()).is_none());
        assert!(of(&[]).is_empty());
    }

    #[test]
    fn a_browser_is_told_or_it_is_said_why_not() {
        let target = Url::parse("https://h.example/").unwrap();
        let told = of(&[("https_proxy", "http://p.example:3128"), ("no_proxy", "a,b")]).for_browser(&target).unwrap();
        let none = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(told, Some(BrowserProxy { address: "p.example:3128".into(), none }));
        for (proxy, word) in
            [("socks5://p.example:1", "only one at http://"), ("http://bob:hunter2@p.example", "user and password")]
        {
            let said = of(&[("https_proxy", proxy)]).for_browser(&target).unwrap_err().to_string();
            assert!(said.contains(word) && !said.contains("hunter2"), "{said}");
        }
    }

    #[tokio::test]
    async fn a_target_is_asked_through_the_proxy() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxies = of(&[("http_proxy", &listener.local_addr().unwrap().to_string())]);
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = vec![0; 1_000];
            let read = stream.read(&mut bytes).await.unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            String::from_utf8_lossy(&bytes[..read]).into_owned()
        });
        let http = crate::http::client(None, proxies).unwrap().build().unwrap();
        assert_eq!(http.get("http://console.example.test/login/").send().await.unwrap().status(), 204);
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("GET http://console.example.test/login/ HTTP/1.1"), "{asked}");
    }
}
