//! Logging in and out.

use crate::frame::Bare;
use crate::icon::Icon;
use crate::parts::Notice;
use crate::url;
use askama::Template;

/// What the login page shows.
#[derive(Template)]
#[template(path = "login.html")]
pub struct Page {
    pub frame: Bare,
    pub csrf: String,
    pub next: String,
    pub leads_to: String,
    pub username: String,
    pub notices: Vec<Notice>,
}
