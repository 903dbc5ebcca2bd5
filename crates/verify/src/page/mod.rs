//! An answer, read as HTML or JSON.

mod find;
mod form;
mod parsed;

use reqwest::header::HeaderMap;
use scraper::{ElementRef, Selector};
use url::Url;

use crate::obstacle::{Obstacle, Taken};

pub use find::{Found, Locator, Role};
pub use form::Form;
pub(crate) use parsed::document;

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// The address that was asked for.
    pub url: Url,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

impl Page {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    }

    /// Why a control cannot be used, as far as the page says so beside it: its description, or its title.
    pub fn why_not(&self, control: &Found) -> Option<String> {
        let of = |name: &str| self.attribute(&control.path, name).ok().flatten();
        let described = of("aria-describedby").unwrap_or_default();
        let texts = described.split_whitespace().filter_map(|id| self.text(&format!("[id='{id}']")));
        let text = texts.collect::<Vec<_>>().join(" ");
        Some(text).filter(|text| !text.is_empty()).or_else(|| of("title")).filter(|text| !text.trim().is_empty())
    }

    /// What time it was at the server, to the second.
    pub fn date(&self) -> Option<jiff::Timestamp> {
        Some(jiff::fmt::rfc2822::parse(&self.header("date")?).ok()?.timestamp())
    }

    /// Where a redirect leads to; `None` when the answer is none.
    pub fn location(&self) -> Option<String> {
        (300..400).contains(&self.status).then(|| self.header("location")).flatten()
    }

    /// The body as JSON.
    pub fn json(&self) -> Taken<serde_json::Value> {
        serde_json::from_str(&self.body).map_err(|_| {
            Obstacle::Unreadable(format!(
                "{} answers {} with what is no JSON: {}",
                self.url,
                self.status,
                self.excerpt()
            ))
        })
    }

    /// The text of the first element that a CSS selector finds.
    pub fn text(&self, selector: &str) -> Option<String> {
        self.texts(selector).into_iter().next()
    }

    /// The texts of all elements that a CSS selector finds, white space made single.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        self.find_all(selector, |element| text_of(&element)).unwrap_or_default()
    }

    /// Whether a CSS selector finds anything.
    pub fn has(&self, selector: &str) -> bool {
        self.find_all(selector, |_| ()).is_ok_and(|found| !found.is_empty())
    }

    /// An attribute of the first element that a CSS selector finds; that it finds none is an error.
    pub fn attribute(&self, selector: &str, name: &str) -> Taken<Option<String>> {
        let found = self.find_all(selector, |element| element.value().attr(name).map(str::to_owned))?;
        found.into_iter().next().ok_or_else(|| Obstacle::missing(self.nothing_at(selector)))
    }

    /// An attribute of all elements that a CSS selector finds.
    pub fn attributes(&self, selector: &str, name: &str) -> Vec<String> {
        let found = self.find_all(selector, |element| element.value().attr(name).map(str::to_owned));
        found.unwrap_or_default().into_iter().flatten().collect()
    }

    /// The rows that a CSS selector finds and that have this attribute: the attribute, and the text of the first element that
    /// another selector finds in the row.
    pub fn rows(&self, row: &str, name: &str, cell: &str) -> Vec<(String, String)> {
        let Ok(cell) = parse(cell) else { return Vec::new() };
        let read = |row: ElementRef<'_>| {
            let name = row.value().attr(name)?.to_owned();
            Some((name, row.select(&cell).next().map(|cell| text_of(&cell)).unwrap_or_default()))
        };
        self.find_all(row, read).unwrap_or_default().into_iter().flatten().collect()
    }

    /// All text that a person reads: no scripts, styles or templates.
    pub fn visible_text(&self) -> String {
        let document = parsed::document(&self.body);
        let mut text = String::new();
        collect(document.root_element(), &mut text);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// A form, found by a CSS selector of itself or of a button in it.
    pub fn form(&self, selector: &str) -> Taken<Form> {
        let parsed = parse(selector)?;
        let document = parsed::document(&self.body);
        let element = document.select(&parsed).next().ok_or_else(|| Obstacle::missing(self.nothing_at(selector)))?;
        Form::read(&document, element, &self.url)
    }

    /// What stands in the `title` of the page.
    pub fn title(&self) -> String {
        self.text("title").unwrap_or_default()
    }

    /// Whether the answer says that it is a page.
    pub fn is_html(&self) -> bool {
        self.header("content-type").is_none_or(|media| media.trim_start().starts_with("text/html"))
    }

    /// Finds a control as a person does, by its role and its words; see [`Locator`].
    pub fn find(&self, locator: &Locator) -> Taken<Found> {
        let found = self.find_every(locator)?;
        found.into_iter().next().ok_or_else(|| Obstacle::missing(self.nothing_at(&locator.to_string())))
    }

    /// All controls that a locator finds, in the page's order.
    pub fn find_every(&self, locator: &Locator) -> Taken<Vec<Found>> {
        find::every(&parsed::document(&self.body), locator)
    }

    /// The form of a control that was found, or that is a form itself.
    pub fn form_of(&self, found: &Found) -> Taken<Form> {
        self.form(&found.path)
    }

    fn find_all<T>(&self, selector: &str, read: impl Fn(ElementRef<'_>) -> T) -> Taken<Vec<T>> {
        let parsed = parse(selector)?;
        Ok(parsed::document(&self.body).select(&parsed).map(read).collect())
    }

    fn nothing_at(&self, selector: &str) -> String {
        format!("the page {} ({}) has no {selector}; it begins: {}", self.url, self.status, self.excerpt())
    }

    fn excerpt(&self) -> String {
        let text = if self.body.trim_start().starts_with('<') { self.visible_text() } else { self.body.clone() };
        text.chars().take(300).collect()
    }
}

fn parse(selector: &str) -> Taken<Selector> {
    Selector::parse(selector).map_err(|error| Obstacle::input(format!("{selector} is no CSS selector: {error}")))
}

fn text_of(element: &ElementRef<'_>) -> String {
    let mut text = String::new();
    collect(*element, &mut text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn collect(element: ElementRef<'_>, text: &mut String) {
    let value = element.value();
    let closed = value.name() == "dialog" && value.attr("open").is_none();
    if matches!(value.name(), "script" | "style" | "template" | "noscript") || closed || value.attr("hidden").is_some()
    {
        return;
    }
    for child in element.children() {
        if let Some(words) = child.value().as_text() {
            text.push_str(words);
        } else if let Some(element) = ElementRef::wrap(child) {
            // Words of neighbouring cells are not one word.
            text.push(' ');
            collect(element, text);
            text.push(' ');
        }
    }
}
