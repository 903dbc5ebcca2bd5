//! The page of an error, for navigations; scripts get the same as problem+json.

use crate::frame::Bare;
use crate::guard::password;
use crate::icon::Icon;
use crate::problem;
use crate::url;
use askama::Template;
use model::Code;

/// Fields that are never written back into a page.
pub const SECRET_FIELDS: &[&str] = &[
    "password",
    "password_again",
    "current_password",
    "new_password",
    "new_password_again",
    "kubeconfig",
    "token",
    "client_key",
    "source_token",
    "ssh_key",
];

impl Again {
    /// The form of a request that was refused for `code` alone: its token was stale, its session over, or the password is
    /// asked for.
    pub fn of(action: &str, again: &problem::Again, code: Code) -> Self {
        let secret = |name: &str| SECRET_FIELDS.contains(&name);
        let kept = again.fields.iter().filter(|(name, _)| name != "csrfmiddlewaretoken" && !secret(name));
        let lost = again.fields.iter().filter(|(name, value)| secret(name) && !value.is_empty());
        Self {
            action: action.to_owned(),
            csrf: again.csrf.clone(),
            kept: kept.cloned().collect(),
            secret: lost.map(|(name, _)| name.clone()).filter(|name| name != password::FIELD).collect(),
            password: code == Code::PasswordRequired || again.fields.iter().any(|(name, _)| name == password::FIELD),
            label: label(action),
        }
    }
}

/// What the button says.
fn label(action: &str) -> String {
    let word = action.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    match word {
        "sync" => "Sync to Kubernetes",
        "sync-from-git" => "Sync from Git",
        "sync-from-fabric" => "Sync from Fabric",
        "test-connection" => "Test Connection",
        "cancel" => "Cancel the operation",
        "logout" => "Log out",
        _ => "Send again",
    }
    .to_owned()
}

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
    /// Whether the user's own password is asked for.
    pub password: bool,
    pub label: String,
}
