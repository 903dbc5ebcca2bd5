//! The types that a setting can have: how each is written, read and shown. Everything is read from text, wherever it
//! came from, so that a flag, a variable and the file accept the same forms.

use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// A type that a setting can have.
pub(crate) trait Value: Sized {
    /// The type in one word or two, for the reference page.
    const TYPE: &'static str;
    /// The form that is expected, as the end of "expected ...".
    const FORM: &'static str;
    /// Whether the text may hold a secret, so that it must not be repeated in an error.
    const SECRET: bool = false;

    /// Reads the text; `Err` says what is wrong with it in a few words, or nothing.
    fn parse(text: &str) -> Result<Self, String>;
    /// The value as `hedgerow config` shows it, without secrets.
    fn show(&self) -> String;
}

impl Value for SocketAddr {
    const TYPE: &'static str = "address";
    const FORM: &'static str = "an IP address and a port, such as 127.0.0.1:8480 or [::]:443";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| String::new())
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for bool {
    const TYPE: &'static str = "boolean";
    const FORM: &'static str = "true or false";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| String::new())
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for PathBuf {
    const TYPE: &'static str = "path";
    const FORM: &'static str = "a path";
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        match text.strip_prefix("~/") {
            None => Ok(PathBuf::from(text)),
            Some(rest) => match std::env::var_os("HOME").filter(|home| !home.is_empty()) {
                Some(home) => Ok(PathBuf::from(home).join(rest)),
                None => Err("it begins with ~ and HOME is not set; name a folder with --data".to_owned()),
            },
        }
    }
    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Value for Duration {
    const TYPE: &'static str = "duration";
    const FORM: &'static str = "a duration such as 500ms, 90s, 15m, 1h or 1h30m";
    fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text;
        let mut total = Duration::ZERO;
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, after) = rest.split_at(digits);
            let number: u64 = number.parse().map_err(|_| String::new())?;
            let letters = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
            let (unit, after) = after.split_at(letters);
            let milliseconds: u64 = match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "" => return Err("the unit is missing".to_owned()),
                _ => return Err(format!("'{unit}' is not a unit")),
            };
            let part = number.checked_mul(milliseconds).ok_or_else(|| "it is too long".to_owned())?;
            total = total.checked_add(Duration::from_millis(part)).ok_or_else(|| "it is too long".to_owned())?;
            rest = after;
        }
        match total {
            Duration::ZERO => Err("it must be longer than nothing".to_owned()),
            // A hundred years: what is added to a clock must stay a time.
            total if total > Duration::from_secs(100 * 365 * 86_400) => Err("it is too long".to_owned()),
            total => Ok(total),
        }
    }
    fn show(&self) -> String {
        let mut milliseconds = self.as_millis();
        let mut text = String::new();
        for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            if milliseconds >= size {
                text.push_str(&format!("{}{unit}", milliseconds / size));
                milliseconds %= size;
            }
        }
        text
    }
}

macro_rules! number {
    ($($type:ty),+) => {$(
        impl Value for $type {
            const TYPE: &'static str = "number";
            const FORM: &'static str = "a whole number from 1";
            fn parse(text: &str) -> Result<Self, String> {
                match text.parse() {
                    Ok(0) => Err("it must be at least 1".to_owned()),
                    Ok(number) => Ok(number),
                    Err(_) => Err(String::new()),
                }
            }
            fn show(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

number!(usize, u32);

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) usize);

impl Value for Bytes {
    const TYPE: &'static str = "size";
    const FORM: &'static str = "a size such as 512KiB, 8MiB or 1GiB";
    fn parse(text: &str) -> Result<Self, String> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let number: usize = number.parse().map_err(|_| String::new())?;
        let factor: usize = match unit.trim() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            unit => return Err(format!("'{unit}' is not a unit")),
        };
        match number.checked_mul(factor) {
            Some(0) => Err("it must be more than nothing".to_owned()),
            Some(bytes) => Ok(Bytes(bytes)),
            None => Err("it is too large".to_owned()),
        }
    }
    fn show(&self) -> String {
        for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= size && self.0.is_multiple_of(size) {
                return format!("{}{unit}", self.0 / size);
            }
        }
        self.0.to_string()
    }
}

/// A setting that may be absent; absent is written as empty text.
impl<T: Value> Value for Option<T> {
    const TYPE: &'static str = T::TYPE;
    const FORM: &'static str = T::FORM;
    const SECRET: bool = T::SECRET;
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }
    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "(not set)".to_owned(), Value::show)
    }
}

impl Value for Vec<IpNet> {
    const TYPE: &'static str = "networks";
    const FORM: &'static str = "addresses or networks separated by commas, such as 10.0.0.2, 192.168.7.0/24";
    fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts
            .map(|part| {
                let address = part.parse::<IpAddr>().map(IpNet::from);
                address.or_else(|_| part.parse::<IpNet>()).map_err(|_| format!("'{part}' is neither"))
            })
            .collect()
    }
    fn show(&self) -> String {
        if self.is_empty() {
            return "(none)".to_owned();
        }
        let one = |net: &IpNet| {
            let full = net.prefix_len() == net.max_prefix_len();
            if full { net.addr().to_string() } else { net.to_string() }
        };
        self.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// The address under which users reach the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicUrl(pub(crate) Url);

impl PublicUrl {
    /// Scheme, host and port, as a browser's `Origin` header writes them.
    pub(crate) fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

impl Value for PublicUrl {
    const TYPE: &'static str = "URL";
    const FORM: &'static str = "scheme and host of the console, such as https://hedgerow.example.net";
    fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| String::new())?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(String::new());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds a user name or password".to_owned());
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("Hedgerow is served at the root of its host, so no path may follow".to_owned());
        }
        Ok(PublicUrl(url))
    }
    fn show(&self) -> String {
        self.0.as_str().trim_end_matches('/').to_owned()
    }
}

/// The address of the database; it may hold a password, so it is shown without.
#[derive(Clone)]
pub(crate) struct DatabaseUrl(secrecy::SecretString);

impl DatabaseUrl {
    /// The address, to open the database with.
    pub(crate) fn expose(&self) -> &str {
        secrecy::ExposeSecret::expose_secret(&self.0)
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.show())
    }
}

impl Value for DatabaseUrl {
    const TYPE: &'static str = "database URL";
    const FORM: &'static str = "sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE";
    const SECRET: bool = true;
    fn parse(text: &str) -> Result<Self, String> {
        let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|prefix| text.starts_with(prefix));
        let sound = known && (text.starts_with("sqlite:") || Url::parse(text).is_ok());
        if sound { Ok(DatabaseUrl(text.to_owned().into())) } else { Err(String::new()) }
    }
    fn show(&self) -> String {
        let text = self.expose();
        if text.starts_with("sqlite:") {
            return text.to_owned();
        }
        let Ok(mut url) = Url::parse(text) else { return "(set)".to_owned() };
        let had_password = url.password().is_some();
        // Parameters of the connection can hold secrets, too (password, sslkey); none is needed to recognise it.
        url.set_query(None);
        url.set_fragment(None);
        if url.set_password(None).is_err() {
            return "(set)".to_owned();
        }
        match (had_password, url.username()) {
            (true, user) => url.as_str().replacen(&format!("{user}@"), &format!("{user}:(set)@"), 1),
            (false, _) => url.into(),
        }
    }
}

/// A secret word that a program shows. Short ones could be guessed.
#[derive(Clone)]
pub(crate) struct Token(secrecy::SecretString);

impl Token {
    /// The word.
    pub(crate) fn expose(&self) -> secrecy::SecretString {
        self.0.clone()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(set)")
    }
}

impl Value for Token {
    const TYPE: &'static str = "secret";
    const FORM: &'static str = "a secret of at least 16 characters without spaces";
    const SECRET: bool = true;
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            _ if text.len() < 16 => Err("it is too short".to_owned()),
            _ if !text.bytes().all(|byte| byte.is_ascii_graphic()) => Err("a character cannot stand in it".to_owned()),
            text => Ok(Token(text.to_owned().into())),
        }
    }
    fn show(&self) -> String {
        "(set)".to_owned()
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

impl Value for LogFormat {
    const TYPE: &'static str = "choice";
    const FORM: &'static str = "text or json";
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(String::new()),
        }
    }
    fn show(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Json => "json".to_owned(),
        }
    }
}

/// Which log lines are written: a level, and levels for single rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLevel(pub(crate) String);

impl Value for LogLevel {
    const TYPE: &'static str = "level";
    const FORM: &'static str = "error, warn, info, debug or trace, also by room, such as info,engine=debug";
    fn parse(text: &str) -> Result<Self, String> {
        const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace", "off"];
        for part in text.split(',') {
            let (room, level) = part.split_once('=').unwrap_or(("hedgerow", part));
            let sound = !room.is_empty() && room.chars().all(|c| c.is_ascii_alphanumeric() || "_:-".contains(c));
            if !LEVELS.contains(&level) {
                return Err(format!("'{level}' is not a level"));
            }
            if !sound {
                return Err(format!("'{room}' is not a room"));
            }
        }
        Ok(Self(text.to_owned()))
    }
    fn show(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_shown() {
        for (text, seconds, shown) in [
            ("90s", 90, "1m30s"),
            ("15m", 900, "15m"),
            ("1h", 3600, "1h"),
            ("1h30m", 5400, "1h30m"),
            ("1d", 86400, "24h"),
        ] {
            let duration = Duration::parse(text).unwrap();
            assert_eq!(duration.as_secs(), seconds, "{text}");
            assert_eq!(duration.show(), shown, "{text}");
            assert_eq!(Duration::parse(&duration.show()), Ok(duration), "{text}");
        }
        assert_eq!(Duration::parse("250ms").unwrap(), Duration::from_millis(250));
        for text in ["", "0s", "90", "1x", "s", "-1s", "1.5h", "99999999999999999999s", "999999999999d", "90 s"] {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes, shown) in [("8MiB", 8 << 20, "8MiB"), ("1536", 1536, "1536"), ("1024B", 1024, "1KiB")] {
            let size = Bytes::parse(text).unwrap();
            assert_eq!((size.0, size.show().as_str()), (bytes, shown), "{text}");
        }
        for text in ["", "0", "8MB", "-1", "99999999999999GiB"] {
            assert!(Bytes::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn networks_accept_addresses() {
        let nets = Vec::<IpNet>::parse("10.0.0.2, 192.168.7.0/24,::1").unwrap();
        assert_eq!(nets.show(), "10.0.0.2, 192.168.7.0/24, ::1");
        assert!(Vec::<IpNet>::parse("10.0.0.2, proxy").unwrap_err().contains("proxy"));
        assert_eq!(Vec::<IpNet>::parse("").unwrap(), vec![]);
    }

    #[test]
    fn a_database_url_never_shows_its_password() {
        let url = DatabaseUrl::parse("postgres://hedgerow:s3cret@db.example/hedgerow?password=s3cret").unwrap();
        assert_eq!(url.show(), "postgres://hedgerow:(set)@db.example/hedgerow");
        assert!(!format!("{url:?}").contains("s3cret"));
        let passwordless = DatabaseUrl::parse("postgres://hedgerow@db.example/hedgerow").unwrap();
        assert_eq!(passwordless.show(), "postgres://hedgerow@db.example/hedgerow");
        assert!(DatabaseUrl::parse("mysql://x").is_err());
    }

    #[test]
    fn a_public_url_is_an_origin() {
        assert_eq!(PublicUrl::parse("https://hedgerow.example.net/").unwrap().show(), "https://hedgerow.example.net");
        for text in ["hedgerow.example.net", "ftp://x", "https://x/console", "https://a:b@x"] {
            assert!(PublicUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn log_levels_are_checked() {
        assert!(LogLevel::parse("info").is_ok());
        assert!(LogLevel::parse("warn,engine=debug,cluster::list=trace").is_ok());
        for text in ["", "verbose", "info,engine", "=debug"] {
            assert!(LogLevel::parse(text).is_err(), "{text}");
        }
    }
}
