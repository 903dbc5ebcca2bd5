//! What a profile says that cannot be meant: it can be read, and a run would find out too late, or never. Each is said with
//! its line, its key and what to write instead.

use super::{Pattern, Profile};
use crate::journeys;
use crate::page::{Locator, Role};
use scraper::Selector;
use toml::de::{DeTable, DeValue};

/// What is wrong with a profile, of which this is the text: a sentence each, in the order of the lines.
pub(super) fn problems(profile: &Profile, text: &str) -> Vec<String> {
    let mut found = Found::default();
    found.recognise(profile);
    found.addresses(profile);
    found.groups(profile);
    found.controls(profile);
    found.codes(profile);
    found.without(profile);
    // What was read as a profile can be read as a table.
    let document = DeTable::parse(text).ok().map(|table| DeValue::Table(table.into_inner()));
    let line = |key: &[String]| document.as_ref().map_or(1, |document| line_of(document, text, key));
    let mut said: Vec<(usize, String)> =
        found.0.into_iter().map(|(key, what)| (line(&key), format!("{}: {what}", written(&key)))).collect();
    said.sort_by_key(|(line, _)| *line);
    said.into_iter().map(|(line, what)| format!("line {line}: {what}")).collect()
}

/// The keys that are wrong, from the outermost table inwards, and what is wrong.
#[derive(Default)]
struct Found(Vec<(Vec<String>, String)>);

impl Found {
    fn say(&mut self, key: &[&str], what: impl Into<String>) {
        self.0.push((key.iter().map(|&part| part.to_owned()).collect(), what.into()));
    }

    fn recognise(&mut self, profile: &Profile) {
        let recognise = &profile.recognise;
        if recognise.titles.is_empty() && recognise.elements.is_empty() {
            self.say(
                &["recognise"],
                "neither titles nor elements, so that no target fits; name one that its login page has",
            );
        }
        for (at, title) in recognise.titles.iter().enumerate() {
            if title.is_match("") {
                let what =
                    format!("{} fits every page, also one without a title; write what no other product has", **title);
                self.say(&["recognise", "titles", &at.to_string()], what);
            }
        }
    }

    /// Addresses stand on the target: what a browser takes for another host is none.
    fn addresses(&mut self, profile: &Profile) {
        let mut one = |key: &[&str], address: &str| {
            let is_path = address.strip_prefix('/').is_some_and(|rest| !rest.starts_with(['/', '\\']));
            if !is_path {
                self.say(key, format!("“{address}” is no address on the target; begin it with one /, as /login/"));
            }
        };
        one(&["login", "address"], &profile.login.address);
        one(&["fabrics", "address"], &profile.fabrics.address);
        if let Some(api) = &profile.fabric.last_success {
            one(&["fabric", "last_success", "address"], &api.address);
        }
        if let Some(api) = &profile.fabric.next_automatic {
            one(&["fabric", "next_automatic", "address"], &api.address);
        }
        for (at, api) in profile.status.api.iter().enumerate() {
            one(&["status", "api", &at.to_string(), "address"], &api.address);
        }
        if let Some(metric) = &profile.status.metric {
            one(&["status", "metric", "address"], &metric.address);
        }
        if let Some(operation) = &profile.operation {
            one(&["operation", "list"], &operation.list);
        }
        if let Some(session) = &profile.session {
            one(&["session", "list"], &session.list);
            one(&["session", "address"], &session.address);
        }
        for (at, address) in profile.crawl.start.iter().enumerate() {
            one(&["crawl", "start", &at.to_string()], address);
        }
        if let Some(kinds) = &profile.crawl.kinds {
            one(&["crawl", "kinds", "list"], &kinds.list);
            one(&["crawl", "kinds", "address"], &kinds.address);
        }
        if let Some(activity) = &profile.activity {
            one(&["activity", "address"], &activity.address);
        }
        if let Some(drift) = &profile.drift {
            one(&["drift", "object"], &drift.object);
            one(&["drift", "list"], &drift.list);
        }
    }

    /// Patterns of which a group is read.
    fn groups(&mut self, profile: &Profile) {
        let mut one = |key: &[&str], pattern: &Pattern, of: &str| {
            if pattern.captures_len() < 2 {
                let what = format!("{} has no group; put the part that is {of} in parentheses", **pattern);
                self.say(key, what);
            }
        };
        one(&["fabric", "address"], &profile.fabric.address, "the fabric's number");
        if let Some(below) = &profile.fabric.below {
            one(&["fabric", "below"], below, "the fabric's number");
        }
        for (at, call) in profile.calls.iter().enumerate() {
            let at = at.to_string();
            one(&["calls", &at, "onclick"], &call.onclick, "the argument");
            one(&["calls", &at, "address"], &call.address, "the address");
            if let Some(method) = &call.method {
                one(&["calls", &at, "method"], method, "the method");
            }
        }
        if let Some(read) = &profile.answers.read {
            one(&["answers", "read"], read, "how many objects were read");
        }
        if let Some(operation) = &profile.operation {
            one(&["operation", "address"], &operation.address, "the operation's number");
        }
        if let Some(kinds) = &profile.crawl.kinds {
            one(&["crawl", "kinds", "object"], &kinds.object, "the kind");
        }
        if let Some(drift) = profile.drift.as_ref().filter(|drift| drift.link.captures_len() < 3) {
            let what = "two groups are needed; put the parts that are kind and name in parentheses";
            self.say(&["drift", "link"], format!("{what}: {}", *drift.link));
        }
    }

    fn controls(&mut self, profile: &Profile) {
        let login = &profile.login;
        self.control(&["login", "username"], &login.username);
        self.control(&["login", "password"], &login.password);
        self.control(&["login", "button"], &login.button);
        self.control(&["login", "logout"], &login.logout);
        for (name, action) in &profile.actions {
            self.control(&["actions", name, "button"], &action.button);
        }
        if let Some(operation) = &profile.operation {
            self.control(&["operation", "cancel"], &operation.cancel);
        }
        if let Some(session) = &profile.session {
            self.control(&["session", "stay"], &session.stay);
            self.control(&["session", "end_one"], &session.end_one);
        }
    }

    fn control(&mut self, key: &[&str], control: &Locator) {
        let named = control.names.iter().filter(|name| !name.trim().is_empty()).count();
        if named == 0 && control.hints.is_empty() {
            self.say(key, "neither names nor hints, so that it is never found; give one of them");
        } else if named < control.names.len() {
            self.say(key, "an empty name, which fits what has none; leave it out");
        } else if control.role == Role::Any && control.hints.is_empty() {
            self.say(
                key,
                "names are looked for among things of one role; give its role, button, link or field, or hints",
            );
        }
        for hint in control.hints.iter().filter(|hint| Selector::parse(hint).is_err()) {
            self.say(key, format!("{hint} is no CSS selector; correct it among the hints"));
        }
    }

    fn codes(&mut self, profile: &Profile) {
        let status = &profile.status;
        let known = listed(status.words.keys().map(String::as_str));
        for (name, codes) in [("good", &status.good), ("failed", &status.failed), ("busy", &status.busy)] {
            for code in codes.iter().filter(|code| !status.words.contains_key(*code)) {
                let what = format!("{code} is no key of status.words; give it words there, or take one of {known}");
                self.say(&["status", name], what);
            }
        }
    }

    fn without(&mut self, profile: &Profile) {
        for (name, why) in &profile.without {
            if !journeys::ALL.iter().any(|journey| journey.name == name) {
                let known = listed(journeys::ALL.iter().map(|journey| journey.name));
                self.say(&["without", name], format!("there is no journey of this name; there are {known}"));
            } else if why.trim().is_empty() {
                self.say(&["without", name], "the reason is empty; say in a sentence why the product does not have it");
            }
        }
    }
}

fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// A key as people write it: `calls[1].onclick`.
fn written(key: &[String]) -> String {
    let mut text = String::new();
    for part in key {
        if part.bytes().all(|one| one.is_ascii_digit()) {
            text.push_str(&format!("[{part}]"));
            continue;
        }
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(part);
    }
    text
}

/// The line of a key; of the table that lacks it where it was left out.
fn line_of(document: &DeValue<'_>, text: &str, key: &[String]) -> usize {
    let (mut value, mut place) = (document, 0);
    for part in key {
        let next = match value {
            DeValue::Table(table) => {
                let found = table.iter().find(|(name, _)| name.get_ref() == part);
                found.map(|(name, value)| (name.span().start, value.get_ref()))
            }
            DeValue::Array(all) => {
                let found = part.parse().ok().and_then(|at: usize| all.get(at));
                found.map(|value| (value.span().start, value.get_ref()))
            }
            _ => None,
        };
        let Some(next) = next else { break };
        (place, value) = next;
    }
    text.bytes().take(place).filter(|one| *one == b'\n').count() + 1
}

#[cfg(test)]
mod tests;
