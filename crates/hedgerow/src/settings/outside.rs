//! Logins from outside (`openid.*`, `header_auth.*`): the types of their settings, and what one of them says about another.

use super::value::Value;
use super::{Layers, Problems, Settings};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

impl Value for String {
    const TYPE: &'static str = "text";
    const FORM: &'static str = "a text that is not empty";
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "" => Err("it is empty".to_owned()),
            text if text.chars().any(char::is_control) => Err("a character cannot stand in it".to_owned()),
            text => Ok(text.to_owned()),
        }
    }
    fn show(&self) -> String {
        self.clone()
    }
}

/// The issuer of a provider, as it is written: its text is compared letter by letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issuer(pub(crate) String);

impl Value for Issuer {
    const TYPE: &'static str = "URL";
    const FORM: &'static str = "the address of a provider, such as https://id.example.net/realms/net";
    fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| String::new())?;
        let is_loopback = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => return Err(String::new()),
        };
        match url.scheme() {
            "https" => {}
            "http" if is_loopback => {}
            "http" => return Err("who listens on the way could log in as anybody; it must be https".to_owned()),
            _ => return Err(String::new()),
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err("it holds more than scheme, host and path".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
    fn show(&self) -> String {
        self.0.clone()
    }
}

/// A secret that somebody else chose, so that nothing is said of its form.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) SecretString);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(set)")
    }
}

impl Value for Secret {
    const TYPE: &'static str = "secret";
    const FORM: &'static str = "a secret in one line";
    const SECRET: bool = true;
    fn parse(text: &str) -> Result<Self, String> {
        if text.chars().any(char::is_control) {
            return Err("a character cannot stand in it".to_owned());
        }
        Ok(Self(SecretString::from(text)))
    }
    fn show(&self) -> String {
        "(set)".to_owned()
    }
}

/// Words separated by spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words(pub(crate) Vec<String>);

impl Value for Words {
    const TYPE: &'static str = "words";
    const FORM: &'static str = "words separated by spaces, such as openid profile email";
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.split_whitespace().map(str::to_owned).collect()))
    }
    fn show(&self) -> String {
        self.0.join(" ")
    }
}

/// Groups there and groups here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapped(pub(crate) Vec<(String, String)>);

impl Value for Mapped {
    const TYPE: &'static str = "mapping";
    const FORM: &'static str = "pairs separated by commas, such as noc=operators, net-admins=planners";
    fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let pair = |part: &str| match part.split_once('=') {
            // A group there may be written as a path or a distinguished name; ours stands after the last sign.
            Some(_) => match part.rsplit_once('=').map(|(there, here)| (there.trim(), here.trim())) {
                Some((there, here)) if !there.is_empty() && !here.is_empty() => Ok((there.to_owned(), here.to_owned())),
                _ => Err(format!("'{part}' lacks a group")),
            },
            None => Err(format!("'{part}' has no '='")),
        };
        parts.map(pair).collect::<Result<_, _>>().map(Self)
    }
    fn show(&self) -> String {
        if self.0.is_empty() {
            return "(none)".to_owned();
        }
        self.0.iter().map(|(there, here)| format!("{there}={here}")).collect::<Vec<_>>().join(", ")
    }
}

/// The name of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header(pub(crate) axum::http::HeaderName);

/// Headers that mean something else already.
const TAKEN: &[&str] = &[
    "accept",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "referer",
    "transfer-encoding",
    "user-agent",
    "x-csrftoken",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

impl Value for Header {
    const TYPE: &'static str = "header";
    const FORM: &'static str = "the name of a header, such as Remote-User";
    fn parse(text: &str) -> Result<Self, String> {
        let name: axum::http::HeaderName = text.parse().map_err(|_| String::new())?;
        if TAKEN.contains(&name.as_str()) {
            return Err("that header means something else already".to_owned());
        }
        Ok(Self(name))
    }
    fn show(&self) -> String {
        self.0.to_string()
    }
}

impl Settings {
    /// A half of a login from outside ends the start.
    pub(super) fn check_outside(&self, layers: &Layers, problems: &mut Problems) {
        let is_set = |key: &&str| !layers.is_default(key);
        let belongs_to = ["openid.client_id", "openid.client_secret", "openid.client_secret_file", "openid.groups"];
        let more = ["openid.superuser_group", "openid.ca_file", "openid.name", "openid.scopes"];
        if self.openid_issuer.is_none() {
            if let Some(key) = belongs_to.iter().chain(&more).find(|key| is_set(key)) {
                let text = format!("'{key}' is set and 'openid.issuer' is not; set the issuer, or none of 'openid.*'");
                problems.add(layers.place(key), text);
            }
        } else {
            if self.openid_client_id.is_none() {
                let text = "'openid.issuer' is set and 'openid.client_id' is not; set both or neither".to_owned();
                problems.add(layers.place("openid.issuer"), text);
            }
            match (&self.openid_client_secret, &self.openid_client_secret_file) {
                (None, None) => {
                    let text = "'openid.issuer' is set and no secret is; set 'openid.client_secret_file' or \
                                'openid.client_secret'";
                    problems.add(layers.place("openid.issuer"), text.to_owned());
                }
                (Some(_), Some(_)) => {
                    let text = "'openid.client_secret' and 'openid.client_secret_file' are both set; set one of them";
                    problems.add(layers.place("openid.client_secret_file"), text.to_owned());
                }
                _ => {}
            }
        }
        let Some(user) = &self.header_auth_user else {
            for key in ["header_auth.groups", "header_auth.mapping"] {
                if is_set(&key) {
                    let text = format!("'{key}' is set and 'header_auth.user' is not; set the header of the user, too");
                    problems.add(layers.place(key), text);
                }
            }
            return;
        };
        if self.trusted_proxies.is_empty() {
            let text = "'header_auth.user' is set and 'trusted_proxies' names nobody whose header would be believed; \
                        name the proxy's address";
            problems.add(layers.place("header_auth.user"), text.to_owned());
        }
        if self.header_auth_groups.as_ref() == Some(user) {
            let text = "'header_auth.groups' is the header of 'header_auth.user'; they must differ".to_owned();
            problems.add(layers.place("header_auth.groups"), text);
        }
        if !self.header_auth_mapping.0.is_empty() && self.header_auth_groups.is_none() {
            let text = "'header_auth.mapping' is set and 'header_auth.groups' is not; set both or neither".to_owned();
            problems.add(layers.place("header_auth.mapping"), text);
        }
    }

    /// The secret of this console at the provider.
    pub(crate) fn openid_secret(&self) -> anyhow::Result<SecretString> {
        use anyhow::{Context as _, ensure};
        if let Some(secret) = &self.openid_client_secret {
            return Ok(secret.0.clone());
        }
        let file = self.openid_client_secret_file.as_ref().context("no secret for the provider is set")?;
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}, which openid.client_secret_file names", file.display()))?;
        let secret = SecretString::from(text.trim());
        ensure!(
            !secret.expose_secret().is_empty(),
            "{} is empty; openid.client_secret_file names a file with the secret",
            file.display()
        );
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(settings: &[(&'static str, &str)]) -> String {
        let mut layers = Layers::default();
        for (key, value) in settings {
            layers = layers.with_flag("--set", key, (*value).to_owned());
        }
        Settings::load(&layers).map(|_| String::new()).unwrap_or_else(|problems| problems.to_string())
    }

    #[test]
    fn an_issuer_is_https_or_on_loopback_and_stays_as_it_is_written() {
        for good in
            ["https://id.example.net", "https://id.example.net/realms/a/", "http://127.0.0.1:4000", "http://[::1]:1"]
        {
            assert_eq!(Issuer::parse(good).map(|issuer| issuer.0), Ok(good.to_owned()));
        }
        for bad in [
            "http://id.example.net",
            "id.example.net",
            "ftp://127.0.0.1",
            "https://a:b@id.example.net",
            "https://i.example/?a",
        ] {
            assert!(Issuer::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mapping_is_pairs() {
        let pairs = Mapped::parse("noc=operators, cn=net,=x").map_err(drop);
        assert!(pairs.is_err());
        let pairs = Mapped::parse("noc = operators, /a/b=planners").unwrap();
        assert_eq!(pairs.0, [("noc".into(), "operators".into()), ("/a/b".into(), "planners".into())]);
        assert_eq!(pairs.show(), "noc=operators, /a/b=planners");
        assert!(Mapped::parse("noc").unwrap_err().contains("'noc' has no"));
    }

    #[test]
    fn halves_are_named_with_what_to_do() {
        let issuer = ("openid.issuer", "https://id.example.net");
        assert!(said(&[issuer]).contains("'openid.client_id' is not"), "{}", said(&[issuer]));
        let no_secret = said(&[issuer, ("openid.client_id", "hedgerow")]);
        assert!(no_secret.contains("set 'openid.client_secret_file' or"), "{no_secret}");
        let whole = [issuer, ("openid.client_id", "hedgerow"), ("openid.client_secret", "x")];
        assert_eq!(said(&whole), "");
        assert!(said(&[("openid.client_secret", "hidden")]).contains("'openid.issuer' is not"));
        assert!(!said(&[("openid.client_secret", "hidden")]).contains("hidden"));
        let both = said(&[issuer, whole[1], whole[2], ("openid.client_secret_file", "/x")]);
        assert!(both.contains("are both set"), "{both}");
        assert!(said(&[("header_auth.user", "Remote-User")]).contains("name the proxy's address"));
        assert!(said(&[("header_auth.groups", "Remote-Groups")]).contains("'header_auth.user' is not"));
        assert!(said(&[("header_auth.user", "Cookie")]).contains("means something else already"));
        let whole = [("header_auth.user", "Remote-User"), ("trusted_proxies", "127.0.0.1")];
        assert_eq!(said(&whole), "");
    }
}
