//! Logging in, the two limits, and the ends with their reasons.

use crate::bed::{Bed, HOUR, MINUTE, PASSWORD, both_engines};
use auth::*;
use model::Code;
use secrecy::SecretString;
use std::time::Duration;
use store::EndReason;

async fn denied(bed: &Bed, cookie: Option<&str>) -> SessionDenied {
    match bed.sessions.authenticate(cookie, true).await {
        Err(SessionError::Denied(denied)) => denied,
        other => panic!("not denied: {other:?}"),
    }
}

both_engines! {
    async fn a_login_is_a_user_and_a_token_that_the_database_does_not_hold(bed) {
        let anna = bed.user("anna").await;
        let login = bed.login("Anna", PASSWORD).await.unwrap();
        let cookie = login.token.reveal().to_owned();
        let who = bed.sessions.authenticate(Some(&cookie), false).await.unwrap();
        assert_eq!((who.user.id, who.session.id), (anna.id, login.session.id));
        assert_eq!((who.session.user_agent.as_str(), who.session.address.as_str()), ("Firefox", "192.0.2.1"));
        assert_eq!(bed.store.users().get(anna.id).await.unwrap().last_login_at, Some(bed.clock.now()));
        let stored = bed.store.sessions().get(login.session.id).await.unwrap();
        assert_ne!(stored.token_hash.to_string(), cookie);
        assert!(!format!("{stored:?} {login:?}").contains(&cookie));
    }

    async fn who_is_not_logged_in(bed) {
        for cookie in [None, Some(""), Some("garbage"), Some(SessionToken::generate().unwrap().reveal())] {
            let denied = denied(&bed, cookie).await;
            assert_eq!((denied.code, denied.reason), (Code::AuthenticationRequired, None), "{cookie:?}");
            assert!(!denied.is_unknown || cookie.is_some_and(|cookie| cookie.len() > 20), "{cookie:?}");
        }
        let anna = bed.user("anna").await;
        let login = bed.login("anna", PASSWORD).await.unwrap();
        let cookie = Some(login.token.reveal());
        assert!(bed.sessions.authenticate(cookie, false).await.is_ok(), "the control");
        bed.store.users().delete(anna.id).await.unwrap();
        let denied = denied(&bed, cookie).await;
        assert_eq!((denied.code, denied.is_unknown), (Code::AuthenticationRequired, true));
        assert!(denied.sentence().contains("its user was deleted"), "{}", denied.sentence());
    }

    async fn wrong_names_wrong_passwords_and_switched_off_users_look_the_same(bed) {
        let anna = bed.user("anna").await;
        let off = bed.user("off").await;
        bed.store.users().set_flags(off.id, false, false).await.unwrap();
        for (name, password) in [("anna", "wrong"), ("nobody", PASSWORD), ("off", PASSWORD), ("anna", ""), ("", "")] {
            let refused = bed.login(name, password).await.unwrap_err();
            assert!(matches!(refused, LoginError::Invalid), "{name}: {refused:?}");
        }
        assert_eq!(bed.store.sessions().list_of_user(anna.id).await.unwrap(), []);
    }

    async fn lesson_8_idle_and_absolute_limits_are_told_apart(bed) {
        bed.user("anna").await;
        let idle = bed.login("anna", PASSWORD).await.unwrap();
        let cookie = idle.token.reveal();
        bed.clock.advance(HOUR - Duration::from_secs(1));
        assert!(bed.sessions.authenticate(Some(cookie), false).await.is_ok(), "the control: it still lasts");
        bed.clock.advance(Duration::from_secs(1));
        let at = bed.clock.now();
        let ended = denied(&bed, Some(cookie)).await;
        assert_eq!((ended.code, ended.reason), (Code::SessionIdleExpired, Some(EndReason::Idle)));
        assert_eq!((ended.ended_at, ended.limit), (Some(at), Some(HOUR)));
        // Whoever comes a week later is told the same.
        bed.clock.advance(7 * 24 * HOUR);
        assert_eq!(denied(&bed, Some(cookie)).await, ended);

        let busy = bed.login("anna", PASSWORD).await.unwrap();
        for _ in 0..23 {
            bed.clock.advance(30 * MINUTE);
            assert!(bed.sessions.authenticate(Some(busy.token.reveal()), true).await.is_ok());
        }
        bed.clock.advance(30 * MINUTE);
        let ended = denied(&bed, Some(busy.token.reveal())).await;
        assert_eq!((ended.code, ended.ended_at), (Code::SessionAbsoluteExpired, Some(bed.clock.now())));
    }

    async fn polling_is_no_activity(bed) {
        bed.user("anna").await;
        let login = bed.login("anna", PASSWORD).await.unwrap();
        for _ in 0..59 {
            bed.clock.advance(MINUTE);
            let who = bed.sessions.authenticate(Some(login.token.reveal()), false).await.unwrap();
            assert_eq!(who.session.idle_expires_at, login.session.idle_expires_at);
        }
        bed.clock.advance(MINUTE);
        assert_eq!(denied(&bed, Some(login.token.reveal())).await.code, Code::SessionIdleExpired);
    }

    async fn activity_is_written_once_a_minute_and_what_is_said_is_what_is_stored(bed) {
        bed.user("anna").await;
        let login = bed.login("anna", PASSWORD).await.unwrap();
        let act = async || bed.sessions.authenticate(Some(login.token.reveal()), true).await.unwrap().session;
        bed.clock.advance(Duration::from_secs(59));
        assert_eq!(act().await.idle_expires_at, login.session.idle_expires_at);
        bed.clock.advance(Duration::from_secs(1));
        let extended = act().await;
        assert!(extended.idle_expires_at > login.session.idle_expires_at);
        assert_eq!(bed.store.sessions().get(login.session.id).await.unwrap(), extended);
        assert_eq!(extended.absolute_expires_at, login.session.absolute_expires_at);
    }

    async fn every_end_has_its_reason(bed) {
        let anna = bed.user("anna").await;
        let [out, revoked, changed, kept] = [
            bed.login("anna", PASSWORD).await.unwrap(),
            bed.login("anna", PASSWORD).await.unwrap(),
            bed.login("anna", PASSWORD).await.unwrap(),
            bed.login("anna", PASSWORD).await.unwrap(),
        ];
        bed.sessions.logout(&out.session).await.unwrap();
        assert!(bed.sessions.revoke(revoked.session.id, "admin").await.unwrap());
        let new = SecretString::from("another long password");
        bed.sessions.set_password(anna.id, new, Some(kept.session.id), "anna").await.unwrap();
        for (login, reason, words) in [
            (&out, EndReason::LoggedOut, "logged out"),
            (&revoked, EndReason::Revoked, "ended by admin"),
            (&changed, EndReason::PasswordChanged, "password was changed"),
        ] {
            let denied = denied(&bed, Some(login.token.reveal())).await;
            assert_eq!((denied.code, denied.reason), (Code::SessionRevoked, Some(reason)));
            assert!(denied.sentence().contains(words), "{}", denied.sentence());
        }
        assert!(bed.sessions.authenticate(Some(kept.token.reveal()), false).await.is_ok());
        assert!(matches!(bed.login("anna", PASSWORD).await, Err(LoginError::Invalid)));
        assert!(bed.login("anna", "another long password").await.is_ok());
    }

    async fn a_user_who_is_switched_off_is_out_at_once(bed) {
        let anna = bed.user("anna").await;
        let login = bed.login("anna", PASSWORD).await.unwrap();
        bed.store.users().set_flags(anna.id, false, false).await.unwrap();
        assert_eq!(denied(&bed, Some(login.token.reveal())).await.code, Code::SessionRevoked);
        bed.store.users().set_flags(anna.id, false, true).await.unwrap();
        assert_eq!(denied(&bed, Some(login.token.reveal())).await.code, Code::SessionRevoked, "and stays out");
    }

    async fn a_login_ends_the_browsers_former_session(bed) {
        bed.user("anna").await;
        let first = bed.login("anna", PASSWORD).await.unwrap();
        let password = SecretString::from(PASSWORD);
        let second = bed.sessions.login("anna", password, "192.0.2.1", "Firefox", Some(&first.token)).await.unwrap();
        assert_ne!(first.token.reveal(), second.token.reveal());
        assert_eq!(denied(&bed, Some(first.token.reveal())).await.reason, Some(EndReason::LoggedOut));
    }

    async fn a_new_token_takes_the_place_of_the_old_one_which_is_taken_for_what_is_under_way(bed) {
        bed.user("anna").await;
        let login = bed.login("anna", PASSWORD).await.unwrap();
        bed.clock.advance(20 * MINUTE);
        assert!(bed.sessions.needs_password(&login.session));
        let who = Authenticated { session: login.session.clone(), user: login.user.clone() };
        let again = async |password: &str| {
            bed.sessions.reauthenticate(&who, SecretString::from(password), "192.0.2.1").await
        };
        assert!(matches!(again("wrong").await, Err(LoginError::Invalid)));
        let token = again(PASSWORD).await.unwrap().expect("nobody was faster");
        let fresh = bed.sessions.authenticate(Some(token.reveal()), false).await.unwrap().session;
        assert_eq!((fresh.id, fresh.absolute_expires_at), (login.session.id, login.session.absolute_expires_at));
        assert!(!bed.sessions.needs_password(&fresh));
        assert!(again(PASSWORD).await.unwrap().is_none(), "the token of another moment rotates nothing");
        let old = Some(login.token.reveal());
        assert!(bed.sessions.authenticate(old, false).await.is_ok(), "another tab's request was under way");
        bed.clock.advance(Duration::from_secs(11));
        assert_eq!(denied(&bed, old).await.code, Code::AuthenticationRequired, "later the old one is nobody's");
        bed.store.sessions().rotate_soon(login.user.id).await.unwrap();
        let due = bed.sessions.authenticate(Some(token.reveal()), false).await.unwrap().session;
        assert!(due.rotation_due);
        let newest = bed.sessions.rotate(&due, false).await.unwrap().unwrap();
        let rotated = bed.sessions.authenticate(Some(newest.reveal()), false).await.unwrap().session;
        assert_eq!((rotated.rotation_due, rotated.authenticated_at), (false, fresh.authenticated_at));
    }

    async fn the_limits_of_a_users_groups_go_before_those_of_the_settings(bed) {
        let anna = bed.user("anna").await;
        for (name, idle, absolute) in [("operators", Some(600), None), ("wall", Some(7200), Some(3 * 3600))] {
            let group = bed.store.groups().create(name, "").await.unwrap();
            bed.store.groups().set_session_limits(group.id, idle, absolute).await.unwrap();
            bed.store.groups().add_member(group.id, anna.id).await.unwrap();
        }
        let login = bed.login("anna", PASSWORD).await.unwrap();
        bed.clock.advance(9 * MINUTE);
        let cookie = Some(login.token.reveal());
        let used = bed.sessions.authenticate(cookie, true).await.unwrap().session;
        assert_eq!(used.idle_expires_at, bed.clock.now() + jiff::SignedDuration::from_mins(10), "the shorter one");
        bed.clock.advance(10 * MINUTE);
        let ended = denied(&bed, cookie).await;
        assert_eq!((ended.code, ended.limit), (Code::SessionIdleExpired, Some(10 * MINUTE)));
        let length = login.session.absolute_expires_at.duration_since(login.session.created_at);
        assert_eq!(length, jiff::SignedDuration::from_hours(3));
    }

    async fn a_session_that_somebody_ended_says_who(bed) {
        bed.user("anna").await;
        for (by, words) in [("anna", "You ended this session from another one."), ("root", "was ended by root.")] {
            let login = bed.login("anna", PASSWORD).await.unwrap();
            bed.sessions.revoke(login.session.id, by).await.unwrap();
            let denied = denied(&bed, Some(login.token.reveal())).await;
            assert!(denied.sentence().ends_with(words), "{}", denied.sentence());
        }
    }

    async fn guessing_is_slowed_down_and_says_for_how_long(bed) {
        bed.user("anna").await;
        for _ in 0..10 {
            assert!(matches!(bed.login("anna", "wrong").await, Err(LoginError::Invalid)));
        }
        bed.clock.advance(MINUTE);
        match bed.login("anna", PASSWORD).await {
            Err(LoginError::Throttled { retry_after }) => assert_eq!(retry_after, 4 * MINUTE),
            other => panic!("{other:?}"),
        }
        bed.clock.advance(4 * MINUTE);
        assert!(bed.login("anna", PASSWORD).await.is_ok());
    }

    async fn a_hash_of_weaker_parameters_is_renewed_at_login(bed) {
        let anna = bed.user("anna").await;
        let weak = argon2::Argon2::new(
            argon2::Algorithm::Argon2id,
            argon2::Version::V0x13,
            argon2::Params::new(64, 1, 1, None).unwrap(),
        );
        let hash: argon2::password_hash::phc::PasswordHash =
            argon2::PasswordHasher::hash_password(&weak, PASSWORD.as_bytes()).unwrap();
        bed.store.users().set_password(anna.id, &hash.to_string()).await.unwrap();
        bed.login("anna", PASSWORD).await.unwrap();
        let renewed = bed.store.users().get(anna.id).await.unwrap().password_hash;
        assert!(!Passwords::is_outdated(&renewed), "{renewed}");
        bed.login("anna", PASSWORD).await.unwrap();
    }

    async fn rows_stay_for_thirty_days(bed) {
        let anna = bed.user("anna").await;
        bed.login("anna", PASSWORD).await.unwrap();
        bed.clock.advance(30 * 24 * HOUR);
        assert_eq!(bed.sessions.purge().await.unwrap(), 0);
        bed.clock.advance(2 * HOUR);
        assert_eq!(bed.sessions.purge().await.unwrap(), 1);
        assert_eq!(bed.store.sessions().list_of_user(anna.id).await.unwrap(), []);
    }

    async fn lesson_49_the_first_tabs_form_works_after_a_second_login(bed) {
        bed.user("anna").await;
        bed.user("bert").await;
        let csrf = Csrf::new(&MasterKey::random().unwrap());
        let first = bed.login("anna", PASSWORD).await.unwrap();
        let form = csrf.token(&first.session).unwrap();
        let password = || SecretString::from(PASSWORD);
        let second = bed.sessions.login("anna", password(), "192.0.2.1", "Firefox", Some(&first.token)).await.unwrap();
        assert_eq!(csrf.verify(&second.session, Some(&form), bed.clock.now()), Ok(()));
        let other = bed.sessions.login("bert", password(), "192.0.2.1", "Firefox", Some(&second.token)).await.unwrap();
        assert_eq!(csrf.verify(&other.session, Some(&form), bed.clock.now()), Err(CsrfError::Foreign));
    }
}
