//! Sessions: limits, ends with their reasons, and how long the rows stay.

use crate::bed::{both_engines, t, user};
use store::sessions::TokenHash;
use store::{EndReason, KeptForm, NewSession, Sealed, Session, Store};

async fn begin(store: &Store, user_id: i64, byte: u8) -> Session {
    let new = NewSession {
        token_hash: TokenHash([byte; 32]),
        user_id,
        idle_expires_at: t(100),
        absolute_expires_at: t(1000),
        user_agent: "Firefox".into(),
        address: "192.0.2.7".into(),
        idle_limit: None,
        method: store::Method::Password,
    };
    store.sessions().create(new, t(0)).await.unwrap()
}

both_engines! {
    async fn a_session_round_trips(bed) {
        let anna = user(&bed, "anna").await;
        let session = begin(&bed, anna.id, 0xa5).await;
        assert_eq!((session.created_at, session.last_active_at, session.idle_expires_at), (t(0), t(0), t(100)));
        assert_eq!(bed.sessions().find_by_hash(&TokenHash([0xa5; 32]), t(0)).await.unwrap(), Some(session.clone()));
        assert_eq!(bed.sessions().find_by_hash(&TokenHash([0xa6; 32]), t(0)).await.unwrap(), None);
        assert_eq!(bed.sessions().get(session.id).await.unwrap(), session);
        assert_eq!(bed.sessions().list_of_user(anna.id).await.unwrap(), [session]);
    }

    async fn touching_extends_up_to_the_absolute_limit_and_never_back(bed) {
        let anna = user(&bed, "anna").await;
        let session = begin(&bed, anna.id, 1).await;
        assert!(bed.sessions().touch(session.id, t(50), t(150)).await.unwrap());
        assert_eq!(bed.sessions().get(session.id).await.unwrap().idle_expires_at, t(150));
        // A slow request that began earlier arrives later.
        assert!(!bed.sessions().touch(session.id, t(40), t(140)).await.unwrap());
        assert!(bed.sessions().touch(session.id, t(149), t(5000)).await.unwrap());
        assert_eq!(bed.sessions().get(session.id).await.unwrap().idle_expires_at, t(1000));
        assert!(!bed.sessions().touch(session.id, t(1000), t(2000)).await.unwrap(), "it has expired");
    }

    async fn the_first_reason_of_an_end_stays(bed) {
        let anna = user(&bed, "anna").await;
        let session = begin(&bed, anna.id, 1).await;
        assert!(bed.sessions().end(session.id, t(10), EndReason::Revoked, Some("admin")).await.unwrap());
        assert!(!bed.sessions().end(session.id, t(11), EndReason::LoggedOut, None).await.unwrap());
        let ended = bed.sessions().find_by_hash(&session.token_hash, t(0)).await.unwrap().unwrap();
        assert_eq!(ended.end_reason, Some(EndReason::Revoked));
        assert_eq!((ended.ended_at, ended.ended_by.as_deref()), (Some(t(10)), Some("admin")));
        assert!(!bed.sessions().touch(session.id, t(12), t(112)).await.unwrap());
    }

    async fn all_sessions_of_a_user_end_but_one(bed) {
        let (anna, bert) = (user(&bed, "anna").await, user(&bed, "bert").await);
        let mine: Vec<_> = [begin(&bed, anna.id, 1).await, begin(&bed, anna.id, 2).await].into();
        let others = begin(&bed, bert.id, 3).await;
        let keep = Some(mine[0].id);
        let reason = EndReason::PasswordChanged;
        assert_eq!(bed.sessions().end_all_of_user(anna.id, keep, t(5), reason, Some("anna")).await.unwrap(), 1);
        assert_eq!(bed.sessions().get(mine[0].id).await.unwrap().ended_at, None);
        assert_eq!(bed.sessions().get(mine[1].id).await.unwrap().end_reason, Some(reason));
        assert_eq!(bed.sessions().get(others.id).await.unwrap().ended_at, None);
        assert_eq!(bed.sessions().end_all_of_user(anna.id, None, t(6), reason, None).await.unwrap(), 1);
    }

    async fn only_what_ended_long_ago_is_purged(bed) {
        let anna = user(&bed, "anna").await;
        let lasting = begin(&bed, anna.id, 1).await;
        bed.sessions().touch(lasting.id, t(90), t(190)).await.unwrap();
        let ended_early = begin(&bed, anna.id, 2).await;
        bed.sessions().end(ended_early.id, t(10), EndReason::LoggedOut, None).await.unwrap();
        let expired = begin(&bed, anna.id, 3).await;
        assert_eq!(bed.sessions().purge(t(10)).await.unwrap(), 0);
        assert_eq!(bed.sessions().purge(t(101)).await.unwrap(), 2);
        assert!(bed.sessions().get(expired.id).await.is_err());
        assert!(bed.sessions().get(lasting.id).await.is_ok());
    }

    async fn sessions_go_with_their_user(bed) {
        let anna = user(&bed, "anna").await;
        let session = begin(&bed, anna.id, 1).await;
        bed.users().delete(anna.id).await.unwrap();
        assert_eq!(bed.sessions().find_by_hash(&session.token_hash, t(0)).await.unwrap(), None);
    }

    async fn a_kept_form_is_its_users_and_of_each_the_newest_few_stay(bed) {
        let (anna, bert) = (user(&bed, "anna").await, user(&bed, "bert").await);
        let keep = async |user_id: i64, byte: u8, at: i64| {
            let form = KeptForm {
                user_id,
                created_at: t(at),
                path: "/fabrics/1/edit/".into(),
                fields: Sealed(vec![byte]),
            };
            bed.kept_forms().keep(&TokenHash([byte; 32]), &form, t(at - 100)).await.unwrap();
            form
        };
        let first = keep(anna.id, 1, 1).await;
        let token = TokenHash([1; 32]);
        assert_eq!(bed.kept_forms().get(&token, anna.id, t(0)).await.unwrap(), Some(first));
        assert_eq!(bed.kept_forms().get(&token, bert.id, t(0)).await.unwrap(), None, "nobody else gets it");
        assert_eq!(bed.kept_forms().get(&token, anna.id, t(2)).await.unwrap(), None, "it is too old");
        for byte in 2..=6 {
            keep(anna.id, byte, i64::from(byte)).await;
        }
        assert_eq!(bed.kept_forms().get(&token, anna.id, t(0)).await.unwrap(), None, "five are kept");
        let second = TokenHash([2; 32]);
        assert!(bed.kept_forms().get(&second, anna.id, t(0)).await.unwrap().is_some());
        keep(bert.id, 7, 150).await;
        assert_eq!(bed.kept_forms().get(&second, anna.id, t(0)).await.unwrap(), None, "nobody came back for it");
        bed.kept_forms().forget(&TokenHash([7; 32]), bert.id).await.unwrap();
        assert_eq!(bed.kept_forms().get(&TokenHash([7; 32]), bert.id, t(0)).await.unwrap(), None);
    }
}
