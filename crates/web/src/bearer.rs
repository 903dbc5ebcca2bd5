//! The API token of a request: where it stands, whom it lets in, and the words of its refusal. NetBox's clients read
//! `detail` of a 403, and the code says which of the refusals it is.

use crate::extract::{Credential, Login};
use crate::problem::Problem;
use crate::state::AppState;
use auth::{Access, Actor, PresentedToken, TOKEN_PREFIX, TokenError, TokenUser};
use http::{HeaderMap, header};
use model::Code;
use store::ApiToken;

/// A token as a request carries it; one that cannot be a token, too: it lets nobody in, and no cookie beside it counts.
#[derive(Debug, Clone)]
pub struct Sent(Option<PresentedToken>);

impl Sent {
    /// The token, if it can be one.
    pub fn presented(&self) -> Option<&PresentedToken> {
        self.0.as_ref()
    }
}

/// The token of a request, if it says that it has one: `Bearer nbt_...`, or `Token` with anything. Another `Bearer` is
/// somebody else's, as the one of the metrics.
pub fn sent(headers: &HeaderMap) -> Option<Sent> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter().map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        let (scheme, token) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let token = token.trim();
        let is_token = scheme.eq_ignore_ascii_case("token")
            || (scheme.eq_ignore_ascii_case("bearer") && token.starts_with(TOKEN_PREFIX));
        is_token.then(|| PresentedToken::parse(token))
    });
    let (first, second) = (all.next()?, all.next());
    // Of two it cannot be said which is meant.
    let is_one_of_several =
        second.is_some() && (first.is_some() || second.flatten().is_some() || all.any(|one| one.is_some()));
    if is_one_of_several { Some(Sent(None)) } else { first.map(Sent) }
}

/// A token that was refused: which one, where its secret was right, and how it is said.
pub struct Refused {
    /// The token.
    pub token: Option<Box<ApiToken>>,
    /// The refusal.
    pub problem: Problem,
}

/// Whom the token lets in.
pub async fn login(state: &AppState, sent: &Sent, address: &str, writes: bool) -> Result<Login, Refused> {
    let refused = |problem| Refused { token: None, problem };
    match state.tokens.authenticate(sent.presented(), address, writes).await {
        Ok(let_in) => login_of(state, let_in).await.map_err(refused),
        Err(TokenError::Denied { why, token }) => {
            Err(Refused { token, problem: Problem::new(why.code(), why.sentence()) })
        }
        Err(error) => Err(refused(problem(error))),
    }
}

/// Whom a token that was let in lets in now: for what goes on after its request.
pub async fn still(state: &AppState, token_id: i64) -> Result<Login, Problem> {
    login_of(state, state.tokens.still_lasts(token_id).await.map_err(problem)?).await
}

async fn login_of(state: &AppState, TokenUser { token, user }: TokenUser) -> Result<Login, Problem> {
    let actor = Actor::of_user(&state.store, &user).await?;
    let access = Access::new(state.store.clone(), actor);
    Ok(Login { credential: Credential::Token(token), user, access })
}

/// A refusal in words.
fn problem(error: TokenError) -> Problem {
    match error {
        TokenError::Denied { why, .. } => Problem::new(why.code(), why.sentence()),
        TokenError::Throttled { retry_after } => {
            let seconds = retry_after.as_secs().max(1);
            let message =
                format!("Too many API tokens from this address were wrong. The next is looked at in {seconds} s.");
            let mut problem = Problem::new(Code::Throttled, message);
            problem.retry_after = Some(seconds);
            problem
        }
        TokenError::Store(error) => error.into(),
    }
}

/// A token is not taken here, whatever its user may do.
pub fn not_here() -> Problem {
    Problem::new(
        Code::TokenNotPermittedHere,
        "This is for people who logged in, and not for an API token. Nothing was done.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn what_says_that_it_is_a_token_is_one() {
        let token = format!("nbt_abcdefghijkm.{}", "s".repeat(43));
        let seen = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            sent(&headers).map(|sent| sent.0.is_some())
        };
        for good in ["Bearer", "bearer", "Token", "TOKEN"] {
            assert_eq!(seen(&[&format!("{good} {token}")]), Some(true), "{good}");
        }
        for bad in ["Token", "Token abc", "Token 0123456789abcdef0123456789abcdef01234567", "Bearer nbt_x"] {
            assert_eq!(seen(&[bad]), Some(false), "{bad}: it is one, and lets nobody in");
        }
        for other in ["", "Bearer", "Bearer of-the-metrics", "Basic bmJ0Xw=="] {
            assert_eq!(seen(&[other]), None, "{other}");
        }
        assert_eq!(seen(&[]), None);
        let good = format!("Bearer {token}");
        for two in [[good.as_str(), good.as_str()], [good.as_str(), "Basic eA=="], ["Basic eA==", good.as_str()]] {
            assert_eq!(seen(&two), Some(false), "{two:?}: which is meant is not said");
        }
    }
}
