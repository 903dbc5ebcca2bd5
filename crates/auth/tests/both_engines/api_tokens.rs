//! API tokens: whom they let in, what each refusal tells, and what guessing does.

use crate::bed::{Bed, HOUR, MINUTE, both_engines};
use auth::*;
use jiff::Timestamp;
use model::Code;
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;
use store::{ApiToken, User};

const HERE: &str = "192.0.2.1";

fn tokens(bed: &Bed) -> ApiTokens {
    ApiTokens::new(bed.store.clone(), Arc::new(bed.clock.clone()), ThrottleLimits::default())
}

async fn make(tokens: &ApiTokens, user: &User, wishes: TokenWishes) -> (ApiToken, String) {
    let made = tokens.make(user.id, wishes, None).await.unwrap();
    (made.token, made.text.expose_secret().to_owned())
}

async fn ask(tokens: &ApiTokens, text: &str, address: &str, writes: bool) -> Result<TokenUser, TokenError> {
    tokens.authenticate(PresentedToken::parse(text).as_ref(), address, writes).await
}

async fn denied(tokens: &ApiTokens, text: &str) -> (TokenDenied, Option<String>) {
    match ask(tokens, text, HERE, true).await {
        Err(TokenError::Denied { why, token }) => (why, token.map(|token| token.key)),
        other => panic!("{other:?}"),
    }
}

fn after(bed: &Bed, by: Duration) -> Timestamp {
    bed.clock.now() + jiff::SignedDuration::try_from(by).unwrap()
}

/// Waits for the use that is written beside the request.
async fn used(bed: &Bed, id: i64, at: Option<Timestamp>) -> ApiToken {
    testkit::eventually(Duration::from_secs(10), "the use is noted", || async {
        let token = bed.store.api_tokens().get(id).await.unwrap();
        if token.last_used_at == at { Ok(token) } else { Err(format!("{:?}", token.last_used_at)) }
    })
    .await
    .unwrap()
}

both_engines! {
    async fn a_token_lets_its_user_in_and_only_its_hash_is_stored(bed) {
        let (anna, tokens) = (bed.user("anna").await, tokens(&bed));
        let (token, text) = make(&tokens, &anna, TokenWishes::default()).await;
        assert!(text.starts_with(&format!("nbt_{}.", token.key)) && text.len() == 4 + 12 + 1 + 43, "{text}");
        let who = ask(&tokens, &text, HERE, true).await.unwrap();
        assert_eq!((who.user.id, who.token.id), (anna.id, token.id));
        let secret = text.split_once('.').unwrap().1;
        let stored = bed.store.api_tokens().get(token.id).await.unwrap();
        assert_ne!(stored.secret_hash.to_string(), secret);
        assert!(!format!("{stored:?} {who:?} {tokens:?}").contains(secret));
        let (_, other) = make(&tokens, &anna, TokenWishes::default()).await;
        assert_ne!(text, other);
    }

    async fn an_unknown_key_and_a_wrong_secret_are_one_answer(bed) {
        let (anna, tokens) = (bed.user("anna").await, tokens(&bed));
        let (token, text) = make(&tokens, &anna, TokenWishes::default()).await;
        let wrong = "x".repeat(43);
        for bad in [format!("nbt_{}.{wrong}", token.key), format!("nbt_zzzzzzzzzzzz.{wrong}"), "garbage".to_owned()] {
            assert_eq!(denied(&tokens, &bad).await, (TokenDenied::Invalid, None), "{bad}");
        }
        // One that is almost the right one, from the first character of the secret to the last.
        for at in [17, 30, text.len() - 1] {
            let other = if &text[at..=at] == "A" { "B" } else { "A" };
            let near = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert_eq!(denied(&tokens, &near).await, (TokenDenied::Invalid, None), "character {at}");
        }
        bed.store.api_tokens().revoke(token.id, "anna", bed.clock.now()).await.unwrap();
        let wrong = format!("nbt_{}.{wrong}", token.key);
        assert_eq!(denied(&tokens, &wrong).await.0, TokenDenied::Invalid, "nor is it told that it was revoked");
        assert!(matches!(denied(&tokens, &text).await.0, TokenDenied::Revoked(_)), "the control");
    }

    async fn every_end_has_its_reason(bed) {
        let (anna, bert, tokens) = (bed.user("anna").await, bed.user("bert").await, tokens(&bed));
        let end = after(&bed, HOUR);
        let (short, short_text) = make(&tokens, &anna, TokenWishes { expires_at: Some(end), ..Default::default() }).await;
        let (revoked, revoked_text) = make(&tokens, &anna, TokenWishes::default()).await;
        let (_, of_bert) = make(&tokens, &bert, TokenWishes::default()).await;
        for text in [&short_text, &revoked_text, &of_bert] {
            assert!(ask(&tokens, text, HERE, true).await.is_ok(), "the control");
        }
        assert!(tokens.still_lasts(short.id).await.is_ok());
        bed.clock.advance(HOUR - Duration::from_secs(1));
        assert!(ask(&tokens, &short_text, HERE, true).await.is_ok());
        bed.clock.advance(Duration::from_secs(1));
        assert_eq!(denied(&tokens, &short_text).await, (TokenDenied::Expired(end), Some(short.key)));
        assert!(matches!(tokens.still_lasts(short.id).await, Err(TokenError::Denied { why: TokenDenied::Expired(_), .. })));

        bed.store.api_tokens().revoke(revoked.id, "root", bed.clock.now()).await.unwrap();
        let (why, key) = denied(&tokens, &revoked_text).await;
        assert_eq!((why.code(), key), (Code::TokenRevoked, Some(revoked.key)));
        assert!(tokens.still_lasts(revoked.id).await.is_err() && tokens.still_lasts(4711).await.is_err());

        bed.store.users().set_flags(bert.id, false, false).await.unwrap();
        assert_eq!(denied(&tokens, &of_bert).await.0, TokenDenied::UserOff);
    }

    async fn a_token_is_only_let_in_from_its_networks_and_only_reads_if_it_is_for_that(bed) {
        let (anna, tokens) = (bed.user("anna").await, tokens(&bed));
        let wishes = TokenWishes {
            allowed_addresses: vec!["10.1.0.0/16".parse().unwrap()], read_only: true, ..Default::default()
        };
        let (_, text) = make(&tokens, &anna, wishes).await;
        assert!(ask(&tokens, &text, "10.1.2.3", false).await.is_ok());
        let refused = ask(&tokens, &text, "10.1.2.3", true).await.unwrap_err();
        assert!(matches!(refused, TokenError::Denied { why: TokenDenied::ReadOnly, .. }), "{refused:?}");
        for address in ["10.2.0.1", "unknown"] {
            let refused = ask(&tokens, &text, address, false).await.unwrap_err();
            assert!(matches!(refused, TokenError::Denied { why: TokenDenied::Address(_), token: Some(_) }), "{refused:?}");
        }
    }

    async fn a_use_is_written_once_a_minute_and_a_refusal_is_none(bed) {
        let (anna, tokens) = (bed.user("anna").await, tokens(&bed));
        let wishes = TokenWishes { read_only: true, ..Default::default() };
        let (token, text) = make(&tokens, &anna, wishes).await;
        assert!(ask(&tokens, &text, HERE, true).await.is_err());
        assert_eq!(bed.store.api_tokens().get(token.id).await.unwrap().last_used_at, None);
        let first = bed.clock.now();
        ask(&tokens, &text, HERE, false).await.unwrap();
        assert_eq!(used(&bed, token.id, Some(first)).await.last_used_address.as_deref(), Some(HERE));
        bed.clock.advance(Duration::from_secs(59));
        ask(&tokens, &text, "192.0.2.2", false).await.unwrap();
        bed.clock.advance(Duration::from_secs(1));
        let second = bed.clock.now();
        ask(&tokens, &text, "192.0.2.3", false).await.unwrap();
        let token = used(&bed, token.id, Some(second)).await;
        assert_eq!(token.last_used_address.as_deref(), Some("192.0.2.3"), "the use between was not written");
    }

    async fn guessing_is_slowed_down_and_hinders_no_token_that_is_in_use(bed) {
        let (anna, tokens) = (bed.user("anna").await, tokens(&bed));
        let (_, in_use) = make(&tokens, &anna, TokenWishes::default()).await;
        let (revoked, other) = make(&tokens, &anna, TokenWishes::default()).await;
        for text in [&in_use, &other] {
            assert!(ask(&tokens, text, HERE, true).await.is_ok());
        }
        let guess = format!("nbt_zzzzzzzzzzzz.{}", "x".repeat(43));
        for _ in 0..20 {
            assert_eq!(denied(&tokens, &guess).await.0, TokenDenied::Invalid);
        }
        bed.clock.advance(MINUTE);
        match ask(&tokens, &guess, HERE, true).await {
            Err(TokenError::Throttled { retry_after }) => assert_eq!(retry_after, 4 * MINUTE),
            other => panic!("{other:?}"),
        }
        assert!(ask(&tokens, &in_use, HERE, true).await.is_ok(), "a good one is let in, whatever others try");
        let (_, new) = make(&tokens, &anna, TokenWishes::default()).await;
        assert!(ask(&tokens, &new, HERE, true).await.is_ok(), "also one that was never used");
        assert!(ask(&tokens, &in_use, "192.0.2.9", true).await.is_ok());
        assert_eq!(denied_from(&tokens, &guess, "192.0.2.9").await, TokenDenied::Invalid, "each address for itself");
        bed.store.api_tokens().revoke(revoked.id, "anna", bed.clock.now()).await.unwrap();
        assert!(matches!(denied(&tokens, &other).await.0, TokenDenied::Revoked(_)), "and one that has ended is told why");
        bed.clock.advance(4 * MINUTE);
        assert_eq!(denied(&tokens, &guess).await.0, TokenDenied::Invalid);
    }

    async fn one_user_has_not_more_tokens_than_can_be_looked_after(bed) {
        let (anna, tokens) = (bed.user("anna").await, tokens(&bed));
        let (first, _) = make(&tokens, &anna, TokenWishes::default()).await;
        for _ in 1..TOKENS_OF_A_USER {
            make(&tokens, &anna, TokenWishes::default()).await;
        }
        assert!(matches!(tokens.make(anna.id, TokenWishes::default(), None).await, Err(MakeTokenError::TooMany)));
        bed.store.api_tokens().revoke(first.id, "anna", bed.clock.now()).await.unwrap();
        assert!(tokens.make(anna.id, TokenWishes::default(), None).await.is_ok(), "one that has ended does not count");
    }
}

async fn denied_from(tokens: &ApiTokens, text: &str, address: &str) -> TokenDenied {
    match ask(tokens, text, address, true).await {
        Err(TokenError::Denied { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}
