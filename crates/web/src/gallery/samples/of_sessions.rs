//! One's own sessions and password, and what comes back when one of them is in the way.

use super::*;

fn row(id: i64, browser: &str, address: &str, minutes: i64) -> SessionRow {
    SessionRow {
        way: "with the password",
        id,
        is_this: false,
        is_open: true,
        browser: browser.into(),
        agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into(),
        address: address.into(),
        began: ago(60 * minutes + 900),
        used: ago(60 * minutes),
        ends: ago(-60 * (60 - minutes)),
        reason: String::new(),
    }
}

pub fn account_sessions() -> account_sessions::Page {
    let ended = |row: SessionRow, reason: &str| SessionRow { is_open: false, reason: reason.into(), ..row };
    account_sessions::Page {
        frame: frame("Your sessions", "account_sessions", Nav::Account),
        open: vec![
            SessionRow { is_this: true, ..row(41, "Firefox on Linux", "192.0.2.17", 0) },
            row(38, "Chrome on Windows", "2001:db8:4711:8::1f", 37),
        ],
        others: 1,
        ended: vec![
            ended(row(35, "Safari on macOS", "192.0.2.99", 300), "ended by root"),
            ended(row(31, "curl", "192.0.2.17", 900), "not used"),
        ],
    }
}

pub fn account_password() -> account_password::Page {
    use field::{Field, FieldKind::*};
    let mut new = Field::new(Secret, "new_password", "New password", "").required().help("At least 10 characters.");
    new.error =
        Some("The password is among those that are guessed first; choose another, such as several words.".into());
    account_password::Page {
        frame: frame("Your password", "account_password", Nav::Account),
        notice: Some(Notice::new(
            Tone::Good,
            "Your password was changed.",
            "",
            "Every other session of yours has ended.",
        )),
        has_password: true,
        current: Field::new(Password, "current_password", "Your password until now", "").required(),
        new,
        again: Field::new(Secret, "new_password_again", "The new one again", "").required(),
    }
}

pub fn kept() -> kept::Page {
    kept::Page {
        frame: frame("Not sent yet", "kept", Nav::Account),
        what: "Change the settings, fabric lab-1".into(),
        sent: ago(95),
        why: "after your session had ended",
        said: vec![
            ("name".into(), "lab-1".into()),
            ("source url".into(), "https://git.example.net/fabrics/lab-1.git".into()),
            ("branch".into(), "main".into()),
        ],
        again: error::Again {
            action: url::fabric_edit(FABRIC),
            csrf: "sample-token".into(),
            kept: vec![("name".into(), "lab-1".into()), ("branch".into(), "main".into())],
            secret: vec!["source_token".into()],
            password: false,
            label: "Send again".into(),
        },
        back: url::fabric_edit(FABRIC),
    }
}

pub fn password_again() -> error::Page {
    error::Page {
        title: "Your password, once more".into(),
        message: "You entered your password some time ago, and this change needs it again. Nothing was done.".into(),
        todo: "Enter your own password once more and send the form again; nothing of it is lost.".into(),
        status: 403,
        code: "password_required".into(),
        again: Some(error::Again { password: true, secret: vec![], ..kept().again }),
        ..error()
    }
}

pub fn logged_out() -> login::LoggedOut {
    login::LoggedOut {
        frame: bare("Logged out here", "logged_out"),
        still: login::Still::Provider("Example ID".into()),
    }
}
