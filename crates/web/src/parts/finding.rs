//! A finding on desired state as a line: how bad it is, about what, where in the source.

use super::{Badge, markup};
use crate::url;
use askama::Template;
use model::manifest::Finding;

/// One finding.
#[derive(Debug, Template)]
#[template(
    source = r#"<li>{{ severity.as_mark() }}<span>{% if let Some(object) = object %}<a href="{{ object.1 }}">{{ object.0 }}</a>{{ self.rest(object.0) }}{% else %}{{ message }}{% endif %} {{ crate::parts::code_word(rule) }}{% if !place.is_empty() %} <span class="diff-path quiet">{{ place }}</span>{% endif %}</span></li>"#,
    ext = "html"
)]
pub struct FindingLine {
    /// How bad it is.
    pub severity: Badge,
    /// What is wrong and what to do.
    pub message: String,
    /// The rule's word.
    pub rule: String,
    /// The object's name and page.
    pub object: Option<(String, String)>,
    /// The field.
    pub path: Option<String>,
    /// Where it stands in the source; empty for what is found in the cluster only.
    pub place: String,
}

markup!(FindingLine);

impl FindingLine {
    /// What follows the object's name. Many messages begin with it, and it is not said twice.
    fn rest(&self, title: &str) -> String {
        match self.message.strip_prefix(title) {
            Some(rest) if rest.starts_with([' ', ',', ':']) => rest.to_owned(),
            _ => format!(": {}", self.message),
        }
    }

    /// A finding of this fabric.
    pub fn of(fabric_id: i64, finding: &Finding) -> Self {
        let object = |key: &model::ObjectKey| (format!("{} {}", key.kind, key.name), url::object(fabric_id, key));
        Self {
            severity: finding.severity.into(),
            message: finding.message.clone(),
            rule: finding.rule.clone(),
            object: finding.object.as_ref().map(object),
            path: finding.path.clone(),
            place: finding.location.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }
}
