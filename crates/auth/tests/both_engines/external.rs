//! Users that somebody else names: whose account it is, what becomes of groups, and what counts once.

use crate::bed::{Bed, both_engines};
use auth::*;
use std::time::Duration;
use store::sessions::TokenHash;
use store::{External, Method, Unique};

fn person(subject: &str, name: &str, groups: &[&str]) -> Named {
    Named {
        external: Some(External { issuer: "https://id.example.net".into(), subject: subject.into() }),
        username: name.into(),
        groups: Some(groups.iter().map(|group| (*group).to_owned()).collect()),
    }
}

fn mapping() -> Mapping {
    let groups = [("noc", "operators"), ("night", "operators"), ("plan", "planners")];
    Mapping {
        groups: groups.iter().map(|(there, here)| ((*there).to_owned(), (*here).to_owned())).collect(),
        superuser_group: Some("roots".into()),
        create_users: true,
    }
}

async fn log_in(bed: &Bed, named: &Named, mapping: &Mapping) -> Result<LoggedIn, NamedError> {
    let from = Origin { method: Method::Openid, address: "192.0.2.1", user_agent: "Firefox", previous: None };
    bed.sessions.login_named(named, mapping, from).await
}

async fn groups_of(bed: &Bed, user: &store::User) -> Vec<String> {
    bed.store.groups().of_user(user.id).await.unwrap().into_iter().map(|group| group.name).collect()
}

both_engines! {
    async fn a_person_is_a_number_and_never_a_name(bed) {
        bed.user("anna").await;
        let taken = log_in(&bed, &person("7", "Anna", &[]), &mapping()).await.unwrap_err();
        assert!(matches!(taken, NamedError::NameTaken(ref name) if name == "anna"), "{taken}");
        let made = log_in(&bed, &person("8", "bert", &[]), &mapping()).await.unwrap();
        assert_eq!((made.session.method, made.user.has_password()), (Method::Openid, false));
        // The person was renamed there: it is the same user here.
        let again = log_in(&bed, &person("8", "anna", &[]), &mapping()).await.unwrap();
        assert_eq!((again.user.id, again.user.username.as_str()), (made.user.id, "bert"));
        // An account without a password is nobody's by one.
        for password in ["", "x", crate::bed::PASSWORD] {
            assert!(matches!(bed.login("bert", password).await, Err(LoginError::Invalid)), "{password}");
        }
        // Connected by an administrator, and only with one.
        let anna = bed.store.users().by_name("anna").await.unwrap().unwrap();
        let seven = person("7", "anna", &[]).external.unwrap();
        bed.store.users().link(anna.id, Some(&seven)).await.unwrap();
        assert_eq!(log_in(&bed, &person("7", "anna", &[]), &mapping()).await.unwrap().user.id, anna.id);
        let twice = bed.store.users().link(made.user.id, Some(&seven)).await.unwrap_err();
        assert!(matches!(twice, store::Error::Conflict(Unique::External)), "{twice}");

        let closed = Mapping { create_users: false, ..mapping() };
        assert!(matches!(log_in(&bed, &person("9", "cleo", &[]), &closed).await, Err(NamedError::Unknown(_))));
        assert!(matches!(log_in(&bed, &person("9", "a b", &[]), &mapping()).await, Err(NamedError::BadName)));
        bed.store.users().set_flags(anna.id, false, false).await.unwrap();
        assert!(matches!(log_in(&bed, &person("7", "anna", &[]), &mapping()).await, Err(NamedError::Inactive(_))));
    }

    async fn mapped_memberships_are_what_was_said_and_others_stay(bed) {
        for name in ["operators", "own"] {
            bed.store.groups().create(name, "").await.unwrap();
        }
        let anna = log_in(&bed, &person("7", "anna", &["night", "plan"]), &mapping()).await.unwrap().user;
        assert_eq!(groups_of(&bed, &anna).await, ["operators"], "a group that does not exist here is not made");
        let own = bed.store.groups().by_name("own").await.unwrap().unwrap();
        bed.store.groups().add_member(own.id, anna.id).await.unwrap();
        log_in(&bed, &person("7", "anna", &["noc"]), &mapping()).await.unwrap();
        assert_eq!(groups_of(&bed, &anna).await, ["operators", "own"], "two groups there are one here");
        log_in(&bed, &person("7", "anna", &[]), &mapping()).await.unwrap();
        assert_eq!(groups_of(&bed, &anna).await, ["own"]);
        // Who says nothing of groups changes nothing.
        log_in(&bed, &person("7", "anna", &["noc"]), &mapping()).await.unwrap();
        let silent = Named { groups: None, ..person("7", "anna", &[]) };
        let before = log_in(&bed, &silent, &mapping()).await.unwrap();
        assert_eq!(groups_of(&bed, &anna).await, ["operators", "own"]);
        // What changes, changes the tokens of the other sessions.
        log_in(&bed, &person("7", "anna", &["roots"]), &mapping()).await.unwrap();
        assert!(bed.store.sessions().get(before.session.id).await.unwrap().rotation_due);
    }

    async fn the_last_who_may_do_everything_stays(bed) {
        let anna = log_in(&bed, &person("7", "anna", &["roots"]), &mapping()).await.unwrap().user;
        assert!(anna.is_superuser);
        assert!(log_in(&bed, &person("7", "anna", &[]), &mapping()).await.unwrap().user.is_superuser);
        log_in(&bed, &person("8", "bert", &["roots"]), &mapping()).await.unwrap();
        assert!(!log_in(&bed, &person("7", "anna", &[]), &mapping()).await.unwrap().user.is_superuser);
        let unmapped = Mapping { superuser_group: None, ..mapping() };
        assert!(log_in(&bed, &person("8", "bert", &[]), &unmapped).await.unwrap().user.is_superuser);
    }

    async fn a_state_counts_once_until_it_is_forgotten(bed) {
        let (sessions, now, state) = (bed.store.sessions(), bed.clock.now(), TokenHash([7; 32]));
        assert!(sessions.use_state(&state, now, now).await.unwrap());
        assert!(!sessions.use_state(&state, now, now).await.unwrap());
        assert!(sessions.use_state(&TokenHash([8; 32]), now, now).await.unwrap());
        bed.clock.advance(Duration::from_secs(1));
        assert!(sessions.use_state(&state, bed.clock.now(), bed.clock.now()).await.unwrap());
    }

    async fn an_id_token_goes_with_its_session(bed) {
        let login = log_in(&bed, &person("7", "anna", &[]), &mapping()).await.unwrap();
        let (sessions, id) = (bed.store.sessions(), login.session.id);
        sessions.keep_id_token(id, &store::Sealed(vec![1, 2])).await.unwrap();
        assert_eq!(sessions.id_token(id).await.unwrap().map(|sealed| sealed.0), Some(vec![1, 2]));
        bed.sessions.logout(&login.session).await.unwrap();
        assert_eq!(sessions.id_token(id).await.unwrap().map(|sealed| sealed.0), None);
    }
}
