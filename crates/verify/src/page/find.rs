//! Finding a thing on a page as a person finds it: by what it is and what it says. A hint, a CSS selector, is one way
//! among several and never the only one, so that a renamed id is no defect of the target and a moved button is found.

use super::{parse, text_of};
use crate::obstacle::Taken;
use schemars::JsonSchema;
use scraper::{ElementRef, Html};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a thing is, in the words of ARIA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A button, of whatever element.
    Button,
    /// A link.
    Link,
    /// A field that a person types into or chooses from, found by its label.
    Field,
    /// Anything; found by its hints only.
    Any,
}

/// How to find a thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Locator {
    /// What it is.
    #[serde(default = "any")]
    pub role: Role,
    /// What it says: its text, label or accessible name, one of these. Letters' case and white space do not matter; the
    /// name may go on after the words ("Sync to Kubernetes: east").
    #[serde(default)]
    pub names: Vec<String>,
    /// CSS selectors that may find it as well, the best first. With names, a hint counts only where no name is found.
    #[serde(default)]
    pub hints: Vec<String>,
}

fn any() -> Role {
    Role::Any
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Button => "button",
            Role::Link => "link",
            Role::Field => "field",
            Role::Any => "element",
        };
        let names: Vec<String> = self.names.iter().map(|name| format!("“{name}”")).collect();
        write!(f, "{role} {}", names.join(" or "))?;
        if !self.hints.is_empty() {
            write!(f, " ({})", self.hints.join(", "))?;
        }
        Ok(())
    }
}

/// A thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// A CSS selector that finds this element and no other, as long as the page is as it is.
    pub path: String,
    /// The name of its element.
    pub element: String,
    /// Its accessible name, as far as the page's text says it.
    pub name: String,
    /// Whether a person can use it.
    pub disabled: bool,
    /// The hint that found it, when its words did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_hint: Option<String>,
    /// The script that stands in its `onclick`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onclick: Option<String>,
    /// Where it leads to: its `href`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub href: Option<String>,
    /// The field's name in its form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

pub(super) fn every(document: &Html, locator: &Locator) -> Taken<Vec<Found>> {
    let candidates = parse(match locator.role {
        Role::Button => "button, input[type=submit], input[type=button], input[type=image], [role=button], a.btn",
        Role::Link => "a[href], [role=link]",
        Role::Field => "input:not([type=hidden]), select, textarea",
        Role::Any => "*",
    })?;
    let wanted: Vec<String> = locator.names.iter().map(|name| plain(name)).collect();
    let fits = |element: &ElementRef<'_>| {
        let names = [name_of(document, *element), text_of(element)].map(|name| plain(&name));
        wanted.iter().any(|wanted| names.iter().any(|name| says(name, wanted)))
    };
    if locator.role != Role::Any && !wanted.is_empty() {
        let mut found: Vec<ElementRef<'_>> =
            document.select(&candidates).filter(|one| !is_hidden(*one) && fits(one)).collect();
        // Of several, who says exactly the words comes before who goes on after them.
        found.sort_by_key(|one| !wanted.contains(&plain(&text_of(one))));
        if !found.is_empty() {
            return Ok(found.into_iter().map(|one| describe(document, one, None)).collect());
        }
    }
    for hint in &locator.hints {
        let selector = parse(hint)?;
        let seen = document.select(&selector).filter(|one| locator.role == Role::Any || !is_hidden(*one));
        let found: Vec<Found> = seen.map(|one| describe(document, one, Some(hint.clone()))).collect();
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// Whether a name is the words that are looked for, or begins with them.
fn says(name: &str, wanted: &str) -> bool {
    name.strip_prefix(wanted).is_some_and(|rest| rest.chars().next().is_none_or(|next| !next.is_alphanumeric()))
}

fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Whether the page itself says that nobody sees it: what style sheets hide is for a browser to know.
pub(super) fn is_hidden(element: ElementRef<'_>) -> bool {
    let one = |element: ElementRef<'_>| {
        let value = element.value();
        value.attr("hidden").is_some()
            || value.attr("aria-hidden") == Some("true")
            || matches!(value.name(), "template" | "noscript")
            || value.name() == "dialog" && value.attr("open").is_none()
    };
    one(element) || element.ancestors().filter_map(ElementRef::wrap).any(one)
}

/// The accessible name, as far as it can be told without a browser: `aria-label`, `aria-labelledby`, a label, the text,
/// the value of a button, the title, the placeholder.
fn name_of(document: &Html, element: ElementRef<'_>) -> String {
    let attribute = |name: &str| element.value().attr(name).map(str::trim).filter(|text| !text.is_empty());
    if let Some(label) = attribute("aria-label") {
        return label.to_owned();
    }
    let by_id = |id: &str| {
        let everything = parse("[id]").ok()?;
        document.select(&everything).find(|one| one.value().attr("id") == Some(id)).map(|one| text_of(&one))
    };
    if let Some(ids) = attribute("aria-labelledby") {
        return ids.split_whitespace().filter_map(by_id).collect::<Vec<_>>().join(" ");
    }
    if matches!(element.value().name(), "input" | "select" | "textarea") {
        if ["submit", "button", "reset"].contains(&element.value().attr("type").unwrap_or_default()) {
            return attribute("value").unwrap_or("Submit").to_owned();
        }
        let labels = parse("label").ok();
        let labelled = labels.and_then(|labels| {
            let id = attribute("id");
            document.select(&labels).find(|label| {
                id.is_some() && label.value().attr("for") == id
                    || element.ancestors().any(|ancestor| ancestor.id() == label.id())
            })
        });
        if let Some(label) = labelled {
            return text_of(&label);
        }
        return attribute("title").or(attribute("placeholder")).unwrap_or_default().to_owned();
    }
    let text = text_of(&element);
    if text.is_empty() { attribute("title").unwrap_or_default().to_owned() } else { text }
}

fn describe(document: &Html, element: ElementRef<'_>, by_hint: Option<String>) -> Found {
    let attribute = |name: &str| element.value().attr(name).map(str::to_owned);
    let in_disabled = element
        .ancestors()
        .filter_map(ElementRef::wrap)
        .any(|one| one.value().name() == "fieldset" && one.value().attr("disabled").is_some());
    Found {
        path: path_of(element),
        element: element.value().name().to_owned(),
        name: name_of(document, element),
        disabled: attribute("disabled").is_some()
            || attribute("aria-disabled").as_deref() == Some("true")
            || in_disabled,
        by_hint,
        onclick: attribute("onclick"),
        href: attribute("href"),
        field: attribute("name"),
    }
}

/// From the root to the element, each by its place among its brothers.
fn path_of(element: ElementRef<'_>) -> String {
    let mut steps = Vec::new();
    let mut here = Some(element);
    while let Some(element) = here {
        let place = 1 + element.prev_siblings().filter(|one| ElementRef::wrap(*one).is_some()).count();
        let name = element.value().name();
        let parent = element.parent().and_then(ElementRef::wrap);
        steps.push(if parent.is_none() { name.to_owned() } else { format!("{name}:nth-child({place})") });
        here = parent;
    }
    steps.reverse();
    steps.join(" > ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<!doctype html><title>x</title><body>
        <dialog><button>Log in</button></dialog>
        <form><label for=u>User name</label><input id=u name=username>
        <label>Password <input type=password name=password></label>
        <button aria-label="Sync to Kubernetes: east">Sync to Kubernetes</button>
        <button>Sync</button> <input type=submit value="Log in" disabled> <a href="/x">Sync</a>
        <button id=gone hidden>Test</button><button id="sync-now-btn"><b></b></button></form>"#;

    fn locate(role: Role, names: &[&str], hints: &[&str]) -> Vec<Found> {
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        let locator = Locator { role, names: owned(names), hints: owned(hints) };
        every(&Html::parse_document(PAGE), &locator).unwrap()
    }

    #[test]
    fn things_are_found_by_what_they_are_and_say() {
        let sync = locate(Role::Button, &["sync to  kubernetes"], &[]);
        assert_eq!((sync.len(), sync[0].name.as_str()), (1, "Sync to Kubernetes: east"));
        assert_eq!(locate(Role::Button, &["Sync"], &[])[0].name, "Sync", "who says just that comes first");
        assert_eq!(locate(Role::Field, &["User name"], &[])[0].field.as_deref(), Some("username"));
        assert_eq!(locate(Role::Field, &["Password"], &[])[0].field.as_deref(), Some("password"));
        let login = locate(Role::Button, &["Log in"], &[]);
        assert!(login.len() == 1 && login[0].disabled, "a closed dialog is not seen: {login:?}");
        assert!(locate(Role::Button, &["Test"], &[]).is_empty(), "what is hidden is not seen");
        assert!(locate(Role::Button, &["Syn"], &[]).is_empty(), "a part of a word is not the word");
        let hinted = locate(Role::Button, &["Synchronise"], &["#none", "#sync-now-btn"]);
        assert_eq!(hinted[0].by_hint.as_deref(), Some("#sync-now-btn"));
    }

    #[test]
    fn a_path_finds_its_element_again() {
        let document = Html::parse_document(PAGE);
        for found in locate(Role::Button, &["Sync", "Log in", "Sync to Kubernetes"], &[]) {
            let selector = parse(&found.path).unwrap();
            let again: Vec<_> = document.select(&selector).map(|one| name_of(&document, one)).collect();
            assert_eq!(again, [found.name]);
        }
    }
}
