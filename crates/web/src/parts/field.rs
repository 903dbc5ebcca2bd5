//! One field of a form: label above, help below, the error at the field. A secret is never written back into the page.

use super::markup;
use crate::icon::Icon;
use askama::Template;
use std::fmt::Write as _;

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// One line.
    Text,
    /// Several lines.
    Area,
    /// One line that is never shown again.
    Secret,
    /// The password that the user logs in with.
    Password,
    /// Several lines that are never shown again.
    SecretArea,
    /// Yes or no.
    Check,
    /// One of several.
    Select,
}

/// One field of a form.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/field.html")]
pub struct Field {
    /// Its name in the form.
    pub name: &'static str,
    /// Its label.
    pub label: &'static str,
    /// What it is.
    pub kind: FieldKind,
    /// Its value; always empty for secrets.
    pub value: String,
    /// What an empty field shows.
    pub placeholder: String,
    /// What it means.
    pub help: String,
    /// What is wrong with it.
    pub error: Option<String>,
    /// Lines of an area.
    pub rows: u8,
    /// A secret is stored.
    pub stored: bool,
    /// It must be filled.
    pub required: bool,
    /// Value and words of each choice.
    pub options: &'static [(&'static str, &'static str)],
}

markup!(Field);

/// Attributes that tie a field to its help and its error.
struct Describe(String);

impl std::fmt::Display for Describe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Describe {}

impl Field {
    /// A field with a value.
    pub fn new(kind: FieldKind, name: &'static str, label: &'static str, value: impl Into<String>) -> Self {
        let secret = matches!(kind, FieldKind::Secret | FieldKind::Password | FieldKind::SecretArea);
        Self {
            name,
            label,
            kind,
            value: if secret { String::new() } else { value.into() },
            placeholder: String::new(),
            help: String::new(),
            error: None,
            rows: 6,
            stored: false,
            required: false,
            options: &[],
        }
    }

    /// With a help text.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// With what an empty field shows.
    pub fn placeholder(mut self, placeholder: impl Into<String>) -> Self {
        self.placeholder = placeholder.into();
        self
    }

    /// With its choices.
    pub fn options(mut self, options: &'static [(&'static str, &'static str)]) -> Self {
        self.options = options;
        self
    }

    /// That must be filled.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    fn describe(&self) -> Describe {
        let mut ids = Vec::new();
        if self.error.is_some() {
            ids.push(format!("error-{}", self.name));
        }
        if !self.help.is_empty() {
            ids.push(format!("help-{}", self.name));
        }
        let mut attributes = String::new();
        if !ids.is_empty() {
            let _ = write!(attributes, r#" aria-describedby="{}""#, ids.join(" "));
        }
        if self.error.is_some() {
            attributes.push_str(r#" aria-invalid="true""#);
        }
        Describe(attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_reaches_the_page() {
        for kind in [FieldKind::Secret, FieldKind::SecretArea] {
            let mut field = Field::new(kind, "token", "Token", "s3cret");
            field.stored = true;
            let html = field.to_string();
            assert!(!html.contains("s3cret"), "{html}");
            assert!(html.contains("Stored"), "{html}");
        }
    }

    #[test]
    fn a_value_is_escaped_and_tied_to_its_error() {
        let mut field = Field::new(FieldKind::Text, "name", "Name", "\"><script>").help("Any name.");
        field.error = Some("Too long.".into());
        let html = field.to_string();
        assert!(!html.contains("<script>"), "{html}");
        assert!(html.contains(r#"aria-describedby="error-name help-name" aria-invalid="true""#), "{html}");
    }
}
