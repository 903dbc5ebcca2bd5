//! A session as a row: which browser, from where, since when, and how it ended.

use crate::view::View;
use crate::when::When;
use store::{EndReason, Method, Session};

/// A session as a row.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Id.
    pub id: i64,
    /// Whether it is the one that looks.
    pub is_this: bool,
    /// Whether it is still good for anything.
    pub is_open: bool,
    /// The browser and its system, in words.
    pub browser: String,
    /// What the browser says of itself.
    pub agent: String,
    /// By what somebody logged in.
    pub way: &'static str,
    /// From which address it logged in.
    pub address: String,
    /// When it began.
    pub began: When,
    /// When it was used last, to the minute.
    pub used: When,
    /// When it ends or ended.
    pub ends: When,
    /// Why it ended; empty while it is open.
    pub reason: String,
}

impl SessionRow {
    /// The row of a session.
    pub fn of(view: &View, session: &Session, is_this: bool) -> Self {
        let over = session.idle_expires_at.min(session.absolute_expires_at);
        let ended = session.ended_at.or((over <= view.now).then_some(over));
        let reason = session.end_reason.unwrap_or(match session.idle_expires_at < session.absolute_expires_at {
            true => EndReason::Idle,
            false => EndReason::Absolute,
        });
        Self {
            id: session.id,
            is_this,
            is_open: ended.is_none(),
            browser: browser(&session.user_agent),
            agent: session.user_agent.clone(),
            way: match session.method {
                Method::Password => "with the password",
                Method::Openid => "by the provider of logins",
                Method::Header => "by a trusted proxy",
            },
            address: session.address.clone(),
            began: view.when(session.created_at),
            used: view.when(session.last_active_at),
            ends: view.when(ended.unwrap_or(over)),
            reason: ended.map_or_else(String::new, |_| words(reason, session.ended_by.as_deref())),
        }
    }
}

fn words(reason: EndReason, by: Option<&str>) -> String {
    let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
    match reason {
        EndReason::Idle => "not used".to_owned(),
        EndReason::Absolute => "longest time reached".to_owned(),
        EndReason::LoggedOut => "logged out".to_owned(),
        EndReason::Revoked => format!("ended{by}"),
        EndReason::PasswordChanged => format!("password changed{by}"),
    }
}

/// The browser in two words, as far as its own words tell. The order counts: each claims to be those before it.
fn browser(agent: &str) -> String {
    let find =
        |names: &[(&str, &'static str)]| names.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name);
    let program = find(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chromium/", "Chromium"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
        ("python-requests/", "Python"),
    ]);
    let system = find(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(program), None) => program.to_owned(),
        _ if agent.is_empty() => "A program that does not say its name".to_owned(),
        _ => agent.split_whitespace().next().unwrap_or_default().chars().take(40).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::browser;

    #[test]
    fn browsers_are_told_apart_by_their_own_words() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        assert_eq!(browser(chrome), "Chrome on Linux");
        assert_eq!(browser(&format!("{chrome} Edg/140.0")), "Edge on Linux");
        assert_eq!(
            browser("Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"),
            "Firefox on Windows"
        );
        assert_eq!(browser("curl/8.5.0"), "curl");
        assert_eq!(browser("hedgerow/0.1 (linux)"), "hedgerow/0.1");
        assert_eq!(browser(""), "A program that does not say its name");
    }
}
