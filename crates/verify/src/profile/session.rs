//! What pages say of their session, tokens against forged requests, and how requests are turned away.

use super::{Css, Place};
use crate::page::Locator;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a page says of its session.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionPlaces {
    /// When it ends if it is not used.
    pub idle_deadline: Place,
    /// When it ends in any case.
    pub absolute_deadline: Place,
    /// How long before its end the page warns, in seconds.
    pub warn_seconds: Place,
    /// The warning, when it is shown.
    pub warning: Css,
    /// The button that keeps the session.
    pub stay: Locator,
    /// What says that it has ended.
    pub ended: Css,
    /// The dialog to log in again, when it is open.
    pub again: Css,
    /// Its field for the name.
    pub again_username: Css,
    /// Its field for the password.
    pub again_password: Css,
    /// Its button.
    pub again_button: Css,
    /// The button that offers the action again after the login.
    pub again_action: Css,
    /// The list of a user's sessions.
    pub list: String,
    /// The button there, in the row of a session, that ends it. The row must name the browser as it calls itself, in its text
    /// or a title: by that a run knows its own sessions, and ends no other.
    pub end_one: Locator,
    /// The words in the row of the session that looks at the list.
    pub this_one: String,
    /// Where a script asks whether there is a session.
    pub address: String,
    /// The codes of an end: idle, absolute, ended by somebody.
    pub codes: EndCodes,
}

/// The codes of a session's end.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndCodes {
    /// Not used for too long.
    pub idle: String,
    /// Too old.
    pub absolute: String,
    /// Ended by somebody.
    pub revoked: String,
}

/// Tokens against forged requests.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CsrfPlaces {
    /// The field of a form.
    pub field: String,
    /// The header of a script's request.
    pub header: String,
    /// Where a page holds the token for its scripts.
    pub page: Place,
}

/// How requests are turned away.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refusals {
    /// The pointer to the code in the JSON of a refusal.
    pub code: String,
    /// The pointer to the words.
    pub message: Vec<String>,
    /// Codes by class: `csrf`, `permission`, `no_session`; and for why an operation failed, `connection` where the target
    /// did not let it reach the cluster, `cluster` where the cluster refused.
    #[serde(default)]
    pub codes: IndexMap<String, Vec<String>>,
    /// Words of a page that refuses, by class.
    pub words: IndexMap<String, Vec<String>>,
    /// Whether the target offers a button only to those who may press it. Where it does not, a button that is offered and
    /// refused is a nuisance, and no failure.
    #[serde(default)]
    pub hides_buttons: bool,
}
