//! The form of a new API token: what was typed, what is wrong with it, and what it asks for.

use crate::extract::Fields;
use crate::parts::field::{Field, FieldKind};
use crate::problem::Problem;
use auth::TokenWishes;
use http::StatusCode;
use ipnet::IpNet;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use model::Code;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Characters of a description: what fits in a row of the list.
const LONGEST_DESCRIPTION: usize = 200;
/// Networks of one token.
const MOST_ADDRESSES: usize = 50;

/// How long a token lasts: the word of the form, its words for people, and the days.
const LENGTHS: &[(&str, &str)] = &[
    ("7", "7 days"),
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "A year"),
    ("date", "Until a last day"),
    ("never", "For ever"),
];
/// What is chosen before anybody chooses.
const LENGTH: &str = "90";

/// What somebody typed.
pub struct Draft {
    description: String,
    expires: String,
    expires_on: String,
    addresses: String,
    read_only: bool,
    errors: BTreeMap<&'static str, String>,
}

impl Default for Draft {
    fn default() -> Self {
        let (description, expires_on, addresses) = Default::default();
        Self {
            description,
            expires: LENGTH.to_owned(),
            expires_on,
            addresses,
            read_only: false,
            errors: BTreeMap::new(),
        }
    }
}

/// The form's fields.
pub struct Form {
    pub description: Field,
    pub expires: Field,
    pub expires_on: Field,
    pub addresses: Field,
    pub read_only: Field,
}

impl Draft {
    /// Reads the form. What a script leaves out is as the form has it at first.
    pub fn read(fields: &Fields) -> Result<Self, Problem> {
        let (expires, expires_on) = (fields.text("expires"), fields.text("expires_on"));
        let otherwise = if expires_on.is_empty() { LENGTH } else { "date" };
        Ok(Self {
            description: fields.text("description").split_whitespace().collect::<Vec<_>>().join(" "),
            expires: if expires.is_empty() { otherwise } else { expires }.to_owned(),
            expires_on: expires_on.to_owned(),
            // A list of a script's is one of several fields.
            addresses: fields.every("allowed_addresses").collect::<Vec<_>>().join("\n"),
            read_only: fields.ticked("read_only")?,
            errors: BTreeMap::new(),
        })
    }

    /// What it asks for, or nothing when something is wrong with it.
    pub fn wishes(&mut self, now: Timestamp) -> Option<TokenWishes> {
        let length = self.description.chars().count();
        if length == 0 {
            self.errors.insert("description", "Say in a few words what the token is for.".to_owned());
        } else if length > LONGEST_DESCRIPTION || self.description.chars().any(char::is_control) {
            let message = format!("A description has at most {LONGEST_DESCRIPTION} characters, all of them printable.");
            self.errors.insert("description", message);
        }
        let expires_at = self.end(now);
        let allowed_addresses = self.networks();
        let (Some(expires_at), Some(allowed_addresses), true) = (expires_at, allowed_addresses, self.errors.is_empty())
        else {
            return None;
        };
        let (description, read_only) = (self.description.clone(), self.read_only);
        Some(TokenWishes { description, expires_at, allowed_addresses, read_only })
    }

    /// When it ends: never is `Some(None)`.
    fn end(&mut self, now: Timestamp) -> Option<Option<Timestamp>> {
        let known = LENGTHS.iter().any(|(word, _)| *word == self.expires);
        match (self.expires.as_str(), self.expires.parse::<i64>()) {
            ("never", _) => Some(None),
            ("date", _) => {
                let day = self.expires_on.parse::<Date>().ok();
                // To the end of that day, wherever somebody reads it.
                let end = day.and_then(|day| day.tomorrow().ok()?.in_tz("UTC").ok()).map(|end| end.timestamp());
                let message = match end {
                    Some(end) if end > now => return Some(Some(end)),
                    Some(_) => "This day is over. Choose a later one.",
                    None => "Write the day as year, month and day: 2027-01-31.",
                };
                self.errors.insert("expires_on", message.to_owned());
                None
            }
            (_, Ok(days)) if known => now.checked_add(SignedDuration::from_hours(days * 24)).ok().map(Some),
            _ => {
                self.errors.insert("expires", "Choose how long the token is to last.".to_owned());
                None
            }
        }
    }

    fn networks(&mut self) -> Option<Vec<IpNet>> {
        let words = self.addresses.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
        let mut networks = Vec::new();
        for word in words {
            let network = word.parse::<IpNet>().or_else(|_| word.parse::<IpAddr>().map(|a| a.to_canonical().into()));
            let Ok(network) = network else {
                let shown: String = word.chars().take(60).collect();
                let message =
                    format!("“{shown}” is neither an address nor a network, as 192.0.2.7 and 192.0.2.0/24 are.");
                self.errors.insert("allowed_addresses", message);
                return None;
            };
            networks.push(network.trunc());
        }
        if networks.len() > MOST_ADDRESSES {
            let message = format!("A token has at most {MOST_ADDRESSES} addresses and networks.");
            self.errors.insert("allowed_addresses", message);
            return None;
        }
        Some(networks)
    }

    /// What is wrong with it, field by field.
    pub fn errors(&self) -> Vec<(&'static str, String)> {
        self.errors.iter().map(|(name, message)| (*name, message.clone())).collect()
    }

    /// The same for a script.
    pub fn problem(&self) -> Problem {
        let message = match self.errors.values().next() {
            Some(first) if self.errors.len() == 1 => format!("No token was made. {first}"),
            _ => format!("No token was made: {} fields cannot be taken as they are.", self.errors.len()),
        };
        let mut problem = Problem::new(Code::InvalidInput, message).status(StatusCode::UNPROCESSABLE_ENTITY);
        problem.fields = self.errors.iter().map(|(name, why)| ((*name).to_owned(), why.clone())).collect();
        problem
    }

    /// The form with what was typed.
    pub fn form(&self) -> Form {
        let field = |kind, name: &'static str, label: &'static str, value: &str| {
            let mut field = Field::new(kind, name, label, value);
            field.error = self.errors.get(name).cloned();
            field
        };
        let mut addresses = field(FieldKind::Area, "allowed_addresses", "Only from these addresses", &self.addresses)
            .placeholder("192.0.2.7\n2001:db8::/32")
            .help("One address or network a line. Empty: from anywhere.");
        addresses.rows = 3;
        Form {
            description: field(FieldKind::Text, "description", "What it is for", &self.description)
                .placeholder("pipeline of the lab")
                .required(),
            expires: field(FieldKind::Select, "expires", "How long it lasts", &self.expires).options(LENGTHS),
            expires_on: field(FieldKind::Text, "expires_on", "Last day (UTC)", &self.expires_on)
                .placeholder("2027-01-31")
                .help("Counts only with the choice Until a last day."),
            addresses,
            read_only: field(FieldKind::Check, "read_only", "Reading only", if self.read_only { "on" } else { "" })
                .help("It can look at what you may see, and change nothing."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-02-03T14:02:00Z".parse().unwrap()
    }

    fn read(form: &str) -> Result<TokenWishes, Vec<&'static str>> {
        let mut draft = Draft::read(&Fields::of_form(form.as_bytes())).unwrap();
        draft.wishes(now()).ok_or_else(|| draft.errors.keys().copied().collect())
    }

    #[test]
    fn how_long_it_lasts() {
        let end = |form: &str| read(&format!("description=x&{form}")).map(|wishes| wishes.expires_at);
        let at = |text: &str| Ok(Some(text.parse::<Timestamp>().unwrap()));
        assert_eq!(end(""), at("2026-05-04T14:02:00Z"), "90 days when nothing is said");
        assert_eq!(end("expires=30"), at("2026-03-05T14:02:00Z"));
        assert_eq!(end("expires=never"), Ok(None));
        assert_eq!(end("expires=date&expires_on=2026-02-03"), at("2026-02-04T00:00:00Z"), "to the end of the day");
        assert_eq!(end("expires_on=2026-12-31"), at("2027-01-01T00:00:00Z"), "a script names only the day");
        assert_eq!(end("expires=30&expires_on=2026-12-31"), at("2026-03-05T14:02:00Z"), "the choice counts");
        for bad in ["expires=date", "expires=date&expires_on=2026-02-02", "expires=date&expires_on=31.12.2026"] {
            assert_eq!(end(bad), Err(vec!["expires_on"]), "{bad}");
        }
        for bad in ["expires=31", "expires=0", "expires=-1", "expires=always"] {
            assert_eq!(end(bad), Err(vec!["expires"]), "{bad}");
        }
    }

    #[test]
    fn addresses_become_networks_and_nothing_is_guessed() {
        let networks = |text: &str| {
            let form = ::url::form_urlencoded::Serializer::new("description=x".to_owned())
                .append_pair("allowed_addresses", text)
                .finish();
            read(&form).map(|wishes| wishes.allowed_addresses.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(networks(" \n"), Ok(vec![]));
        let read = networks("192.0.2.7, 10.1.2.3/16\r\n2001:db8::/32\n::ffff:192.0.2.9");
        assert_eq!(read.unwrap(), ["192.0.2.7/32", "10.1.0.0/16", "2001:db8::/32", "192.0.2.9/32"]);
        for bad in ["10.0.0.0/33", "host.example.net", "10.0.0.1-10.0.0.9", "10.0.0.*"] {
            assert_eq!(networks(bad), Err(vec!["allowed_addresses"]), "{bad}");
        }
    }

    #[test]
    fn every_token_says_what_it_is_for() {
        assert_eq!(read("description=+&read_only=on").unwrap_err(), ["description"]);
        assert_eq!(read(&format!("description={}", "x".repeat(201))).unwrap_err(), ["description"]);
        let wishes = read("description=+for%0Athe++lab&read_only=on").unwrap();
        assert_eq!((wishes.description.as_str(), wishes.read_only), ("for the lab", true));
    }
}
