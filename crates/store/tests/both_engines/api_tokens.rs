//! API tokens: what is kept of them, how they end, and that nothing of a use goes back in time.

use crate::bed::{both_engines, t, user};
use store::sessions::TokenHash;
use store::{ApiToken, NewApiToken, Store};

pub async fn token(store: &Store, user_id: i64, key: &str) -> ApiToken {
    let new = NewApiToken {
        user_id,
        key: key.into(),
        secret_hash: TokenHash([0xa5; 32]),
        description: "for the pipeline".into(),
        expires_at: Some(t(1000)),
        allowed_addresses: vec!["192.0.2.0/24".into(), "2001:db8::/32".into()],
        read_only: true,
    };
    store.api_tokens().create(new, t(0)).await.unwrap()
}

both_engines! {
    async fn a_token_round_trips(bed) {
        let (anna, bert) = (user(&bed, "anna").await, user(&bed, "bert").await);
        let first = token(&bed, anna.id, "aaaaaaaaaaaa").await;
        let second = token(&bed, anna.id, "bbbbbbbbbbbb").await;
        token(&bed, bert.id, "cccccccccccc").await;
        assert_eq!((first.created_at, first.expires_at, first.last_used_at), (t(0), Some(t(1000)), None));
        assert_eq!(first.allowed_addresses, ["192.0.2.0/24", "2001:db8::/32"]);
        assert!(first.read_only && first.revoked_at.is_none());
        let found = bed.api_tokens().find_by_key("aaaaaaaaaaaa").await.unwrap();
        assert_eq!(found, Some(first.clone()));
        assert_eq!(bed.api_tokens().find_by_key("AAAAAAAAAAAA").await.unwrap(), None, "upper and lower case differ");
        assert_eq!(bed.api_tokens().get(first.id).await.unwrap(), first);
        assert_eq!(bed.api_tokens().of_user(anna.id).await.unwrap(), [second, first.clone()]);
        assert!(!format!("{first:?}").contains("a5a5"), "not even the hash is in Debug");
    }

    async fn a_key_is_of_one_token(bed) {
        let anna = user(&bed, "anna").await;
        let first = token(&bed, anna.id, "aaaaaaaaaaaa").await;
        let new = NewApiToken {
            user_id: anna.id, key: first.key.clone(), secret_hash: TokenHash([1; 32]), description: String::new(),
            expires_at: None, allowed_addresses: vec![], read_only: false,
        };
        assert!(bed.api_tokens().create(new, t(1)).await.is_err());
        assert_eq!(bed.api_tokens().of_user(anna.id).await.unwrap(), [first]);
    }

    async fn a_use_is_noted_and_never_goes_back(bed) {
        let anna = user(&bed, "anna").await;
        let id = token(&bed, anna.id, "aaaaaaaaaaaa").await.id;
        bed.api_tokens().used(id, t(50), "192.0.2.7").await.unwrap();
        // A slow request that began earlier arrives later.
        bed.api_tokens().used(id, t(40), "192.0.2.8").await.unwrap();
        let used = bed.api_tokens().get(id).await.unwrap();
        assert_eq!((used.last_used_at, used.last_used_address.as_deref()), (Some(t(50)), Some("192.0.2.7")));
        bed.api_tokens().used(id, t(60), "192.0.2.8").await.unwrap();
        assert_eq!(bed.api_tokens().get(id).await.unwrap().last_used_address.as_deref(), Some("192.0.2.8"));
    }

    async fn who_revoked_it_first_stays(bed) {
        let anna = user(&bed, "anna").await;
        let made = token(&bed, anna.id, "aaaaaaaaaaaa").await;
        assert!(made.lasts_at(t(999)) && !made.lasts_at(t(1000)));
        assert!(bed.api_tokens().revoke(made.id, "root", t(10)).await.unwrap());
        assert!(!bed.api_tokens().revoke(made.id, "anna", t(11)).await.unwrap());
        let revoked = bed.api_tokens().find_by_key(&made.key).await.unwrap().unwrap();
        assert_eq!((revoked.revoked_at, revoked.revoked_by.as_deref()), (Some(t(10)), Some("root")));
        assert!(!revoked.lasts_at(t(12)));
        assert!(!bed.api_tokens().revoke(4711, "anna", t(11)).await.unwrap());
    }

    async fn only_what_ended_long_ago_is_purged_and_tokens_go_with_their_user(bed) {
        let anna = user(&bed, "anna").await;
        let revoked = token(&bed, anna.id, "aaaaaaaaaaaa").await;
        let lasting = token(&bed, anna.id, "bbbbbbbbbbbb").await;
        bed.api_tokens().revoke(revoked.id, "anna", t(10)).await.unwrap();
        assert_eq!(bed.api_tokens().purge(t(10)).await.unwrap(), 0);
        assert_eq!(bed.api_tokens().purge(t(11)).await.unwrap(), 1);
        assert_eq!(bed.api_tokens().of_user(anna.id).await.unwrap(), std::slice::from_ref(&lasting));
        bed.users().delete(anna.id).await.unwrap();
        assert_eq!(bed.api_tokens().find_by_key(&lasting.key).await.unwrap(), None);
    }
}
