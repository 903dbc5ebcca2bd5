//! Adding a fabric and changing its settings. Every field round-trips; secrets are write-only.

use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::parts::field::Field;
use crate::parts::{Head, Tabs};
use crate::url;
use askama::Template;

/// What the page shows.
#[derive(Template)]
#[template(path = "fabric_form.html")]
pub struct Page {
    pub frame: Frame,
    pub head: Option<Head>,
    pub tabs: Option<Tabs>,
    pub action: String,
    pub form: Fields,
    pub errors: Vec<(String, String)>,
    pub submit: String,
    pub cancel: String,
    pub delete: Option<String>,
    pub service_account: String,
    pub token_command: String,
}

/// The fields of the form.
pub struct Fields {
    pub name: Field,
    pub description: Field,
    pub enabled: Field,
    pub kubeconfig: Field,
    pub endpoint: Field,
    pub token: Field,
    pub ca: Field,
    pub client_certificate: Field,
    pub client_key: Field,
    pub tls_verify: Field,
    pub namespace: Field,
    pub source_url: Field,
    pub source_branch: Field,
    pub source_path: Field,
    pub source_username: Field,
    pub source_secret: Field,
    pub source_known_hosts: Field,
}
