//! An attempt in words: what was asked, and which of the ways it ended. What led somebody to the login page must look
//! like nothing else, because it is what a button that "does nothing" looks like from the other side.

use crate::icon::Icon;
use crate::parts::changes::ChangedObjects;
use crate::parts::{Badge, OperationRow, Tone};
use crate::problem::capitalised;
use crate::url;
use crate::view::View;
use model::Code;
use store::Attempt;

/// Words for what is asked by these routes; a verb has its own.
const ASKED: &[(&str, &str)] = &[
    ("account_password", "Change one's own password"),
    ("account_session_end", "End a session"),
    ("account_sessions_end", "End sessions"),
    ("client_error", "Script of a page"),
    ("fabric_add", "Add a fabric"),
    ("fabric_confirm_cluster", "Confirm the cluster"),
    ("fabric_delete", "Delete the fabric"),
    ("fabric_edit", "Change the settings"),
    ("fabric_resume", "Resume automatic syncs"),
    ("fabric_suspend", "Suspend automatic syncs"),
    ("key_rotate", "Exchange the key of the credentials"),
    ("group_add", "Add a group"),
    ("group_delete", "Delete a group"),
    ("group_edit", "Change a group"),
    ("login", "Log in"),
    ("logout", "Log out"),
    ("operation_cancel", "Cancel an operation"),
    ("token_revoke", "Revoke an API token"),
    ("tokens", "Make an API token"),
    ("permission_add", "Add a permission"),
    ("permission_delete", "Delete a permission"),
    ("permission_edit", "Change a permission"),
    ("user_add", "Add a user"),
    ("user_connect", "Connect a user with a provider"),
    ("user_delete", "Delete a user"),
    ("user_edit", "Change a user"),
    ("user_password", "Set a user's password"),
    ("user_sessions_end", "End a user's sessions"),
    ("user_token_revoke", "Revoke a user's API token"),
];

/// What was asked.
pub fn title(attempt: &Attempt) -> String {
    if let Some(verb) = attempt.verb {
        return verb.title().to_owned();
    }
    if attempt.method == "GET" {
        return "Open a page".to_owned();
    }
    if attempt.action.is_empty() { format!("{} {}", attempt.method, attempt.path) } else { deed(&attempt.action) }
}

/// What is asked by the route of this name.
pub fn deed(route: &str) -> String {
    match ASKED.iter().find(|(name, _)| *name == route) {
        Some((_, words)) => (*words).to_owned(),
        None => capitalised(&route.replace('_', " ")),
    }
}

/// How it ended.
pub fn badge(attempt: &Attempt) -> Badge {
    let refused = |word: &str| Badge::new(Tone::Bad, Icon::Stopped, word);
    match attempt.code {
        _ if attempt.redirected => Badge::new(Tone::Stale, Icon::Arrow, "Led to the login"),
        None if attempt.operation_id.is_some() => Badge::new(Tone::Off, Icon::Arrow, "Accepted"),
        None if attempt.http_status < 400 => Badge::new(Tone::Off, Icon::Tick, "Done"),
        Some(Code::SessionIdleExpired | Code::SessionAbsoluteExpired | Code::SessionRevoked) => refused("Session over"),
        Some(Code::AuthenticationRequired) if attempt.action == "login" => refused("Login refused"),
        Some(Code::AuthenticationRequired) => refused("Not logged in"),
        Some(Code::CsrfFailed) => refused("Form refused"),
        Some(Code::PermissionDenied) => refused("Not permitted"),
        Some(Code::PasswordRequired) => refused("Password asked"),
        Some(Code::Throttled) => refused("Slowed down"),
        Some(
            Code::TokenInvalid
            | Code::TokenExpired
            | Code::TokenRevoked
            | Code::TokenAddressRefused
            | Code::TokenReadOnly
            | Code::TokenNotPermittedHere,
        ) => refused("Token refused"),
        Some(Code::ClientScriptError) => Badge::new(Tone::Bad, Icon::Bang, "Script failed"),
        _ => refused("Turned away"),
    }
}

/// The fabric that it was on, with its page while there is one.
pub fn fabric(attempt: &Attempt) -> Option<(String, Option<String>)> {
    let named = (!attempt.fabric_name.is_empty()).then(|| attempt.fabric_name.clone());
    match (attempt.fabric_id, named) {
        (Some(id), named) => Some((named.unwrap_or_else(|| format!("fabric {id}")), Some(url::fabric(id)))),
        // Attempts outlive their fabric, under its name.
        (None, named) => named.map(|name| (name, None)),
    }
}

/// What else there is to say: on what, what was answered, under which request, from where.
pub fn summary(attempt: &Attempt) -> String {
    let on = match (attempt.method.as_str(), attempt.subject.as_str()) {
        ("GET", _) => format!("{} ", attempt.path),
        (_, "") => String::new(),
        (_, subject) => format!("{subject}. "),
    };
    let with = attempt.token_key.as_ref().map(|key| format!(", with the API token {key}")).unwrap_or_default();
    format!("{on}{} Request {}, from {}{with}.", attempt.message, attempt.request_id, attempt.address).trim().to_owned()
}

/// It as a row of the list.
pub fn row(view: &View, attempt: &Attempt) -> OperationRow {
    OperationRow {
        title: title(attempt),
        href: attempt.operation_id.map(url::operation),
        fabric: fabric(attempt),
        state: badge(attempt),
        actor: attempt.actor.clone(),
        is_automatic: false,
        when: view.when(attempt.at),
        took: String::new(),
        summary: summary(attempt),
        code: attempt.code.map(|code| code.as_str().to_owned()),
        changed: ChangedObjects::default(),
    }
}
