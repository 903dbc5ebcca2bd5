//! The page of an error, for navigations; scripts get the same as problem+json.

use crate::frame::Bare;
use crate::icon::Icon;
use crate::url;
use askama::Template;

/// What the page shows.
#[derive(Template)]
#[template(path = "error.html")]
pub struct Page {
    pub frame: Bare,
    pub title: String,
    pub message: String,
    pub todo: String,
    pub status: u16,
    pub code: String,
    pub request_id: String,
    pub links: Vec<(String, String)>,
    pub again: Option<Again>,
}

/// The form whose token was stale, to be sent with one press; its contents are kept, its secrets are not.
pub struct Again {
    pub action: String,
    pub csrf: String,
    pub kept: Vec<(String, String)>,
    pub secret: Vec<String>,
    pub label: String,
}
