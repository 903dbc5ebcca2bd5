//! A login that the console refused to its own monitor: it is told once and of no fabric, and it is not tried again
//! before something changed that it hangs on, or a growing pause is over. Trying on would make the throttle turn away
//! others who come from the same address, which behind a proxy that is not trusted are all.

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use std::path::Path;
use store::User;
use verify::cause::Cause;
use verify::monitor::{Judged, Mark};

/// The first pause after a login that was refused; each further one is twice as long.
const FIRST: SignedDuration = SignedDuration::from_mins(5);
/// The longest pause: what nobody noticed put right is noticed then.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// A login that was refused.
pub(super) struct Refused {
    /// The run that met it.
    run: Judged,
    /// The password that was sent.
    password: SecretString,
    /// The hash that it was held against.
    hash: String,
    pause: SignedDuration,
    /// When it is tried again, if nothing changes before.
    again: Timestamp,
}

/// Whether a run came to nothing because nobody was let in, whichever fabric it was about.
pub(super) fn is_refusal(run: &Judged) -> bool {
    let of_login = [Cause::BadPassword.code(), Cause::Throttled.code()];
    run.verdict == Mark::Invalid && run.cause.as_deref().is_some_and(|cause| of_login.contains(&cause))
}

impl Refused {
    /// What a run met; `before` is the refusal before it, if it is not the first.
    pub(super) fn new(
        run: Judged,
        password: &SecretString,
        user: &User,
        before: Option<&Self>,
        now: Timestamp,
    ) -> Self {
        let is_same = |before: &&Self| !before.has_changed(password, user);
        let pause = before.filter(is_same).map_or(FIRST, |before| before.pause.saturating_mul(2).min(LONGEST));
        let again = now.checked_add(pause).unwrap_or(Timestamp::MAX);
        Self { run, password: password.clone(), hash: user.password_hash.clone(), pause, again }
    }

    /// Whether it may be tried again.
    pub(super) fn is_over(&self, password: &SecretString, user: &User, now: Timestamp) -> bool {
        now >= self.again || self.has_changed(password, user)
    }

    fn has_changed(&self, password: &SecretString, user: &User) -> bool {
        self.password.expose_secret() != password.expose_secret() || self.hash != user.password_hash
    }

    /// The same as a finding about the console as a whole.
    pub(super) fn judged(&self, run: String, username: &str, file: &Path, now: Timestamp) -> Judged {
        let sentence = match self.run.cause.as_deref() {
            Some(cause) if cause == Cause::BadPassword.code() => {
                format!("Nothing was walked: the console refuses the password of {username}.")
            }
            _ => format!("Nothing was walked: too many logins as {username} failed, and the console takes none yet."),
        };
        let what_to_do = format!(
            "Write the password of {username} into {}, which verify.password_file names, or set that one: hedgerow user \
             set-password {username}. It is tried again once either has changed, or else at {}.",
            file.display(),
            self.again.strftime("%H:%M UTC")
        );
        Judged {
            run,
            fabric: None,
            sentence,
            what_to_do: Some(what_to_do),
            started: now,
            ended: now,
            journeys: Vec::new(),
            ..self.run.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Judged {
        Judged {
            run: "0123456789ab".into(),
            target: "http://127.0.0.1:1/".into(),
            fabric: Some("east".into()),
            verdict: Mark::Invalid,
            sentence: "Nothing was judged: User name Password Log in.".into(),
            cause: Some("bad_password".into()),
            failure_point: Some(5),
            what_to_do: None,
            started: Timestamp::UNIX_EPOCH,
            ended: Timestamp::UNIX_EPOCH,
            journeys: Vec::new(),
        }
    }

    fn user(hash: &str) -> User {
        User {
            id: 2,
            username: "monitor".into(),
            password_hash: hash.into(),
            is_superuser: false,
            is_active: true,
            created_at: Timestamp::UNIX_EPOCH,
            last_login_at: None,
            external: None,
        }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn it_is_tried_again_when_something_changed_and_else_ever_more_rarely() {
        let (password, user_now) = (SecretString::from("old"), user("hash"));
        let first = Refused::new(run(), &password, &user_now, None, at(0));
        assert!(!first.is_over(&password, &user_now, at(4)) && first.is_over(&password, &user_now, at(5)));
        assert!(first.is_over(&"new".into(), &user_now, at(0)), "the file has another");
        assert!(first.is_over(&password, &user("other"), at(0)), "the account has another");
        let mut last = first;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            last = Refused::new(run(), &password, &user_now, Some(&last), at(0));
            pauses.push(last.pause.as_mins());
        }
        assert_eq!(pauses, [10, 20, 40, 60, 60, 60], "and it is tried again for ever");
        let changed = Refused::new(run(), &"new".into(), &user_now, Some(&last), at(0));
        assert_eq!(changed.pause, FIRST, "what is new has a beginning of its own");
    }

    #[test]
    fn it_is_about_no_fabric_and_says_what_to_do() {
        let refused = Refused::new(run(), &"old".into(), &user("hash"), None, at(0));
        let judged = refused.judged("other".into(), "monitor", Path::new("/run/pw"), at(1));
        assert_eq!((judged.fabric, judged.failure_point, judged.verdict), (None, Some(5), Mark::Invalid));
        assert_eq!(judged.sentence, "Nothing was walked: the console refuses the password of monitor.");
        let todo = judged.what_to_do.unwrap();
        assert!(todo.contains("/run/pw, which verify.password_file names") && todo.contains("at 00:05 UTC"), "{todo}");
        assert!(is_refusal(&run()) && !is_refusal(&Judged { cause: Some("csrf_failed".into()), ..run() }));
    }
}
