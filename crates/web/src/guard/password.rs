//! The password once more, before a change after which somebody else could come in: the field `current_password` of the
//! very form that is sent. Whoever enters it gets a new token for the session.

use crate::extract::{Fields, Login};
use crate::layers::classify::Asked;
use crate::layers::{client, cookies, origin};
use crate::pages::error::SECRET_FIELDS;
use crate::pages::kept::{self, Why};
use crate::pages::openid;
use crate::problem::{Again, Problem};
use crate::routes::{Sensitive, object_of};
use crate::state::AppState;
use auth::{Authenticated, LoginError};
use http::{Extensions, HeaderMap, HeaderValue};
use model::Code;
use secrecy::SecretString;
use store::Method;

/// The field of the password in a form.
pub const FIELD: &str = "current_password";

/// Whether this form is one that asks.
fn is_asked(sensitive: Sensitive, fields: &Fields) -> bool {
    let holds_credential =
        || fields.all().iter().any(|(name, value)| SECRET_FIELDS.contains(&&**name) && !value.is_empty());
    match sensitive {
        Sensitive::No => false,
        Sensitive::WithCredentials => holds_credential(),
        Sensitive::Always => true,
    }
}

/// Whether a form is for people, because it would ask for their password: an API token has none.
pub(super) fn is_for_people(sensitive: Sensitive, extensions: &Extensions) -> bool {
    extensions.get::<Fields>().is_some_and(|fields| is_asked(sensitive, fields))
}

/// Takes the password where it is asked for; gives the cookie of the new token.
pub(super) async fn take(
    state: &AppState,
    sensitive: Sensitive,
    login: &Login,
    (headers, extensions, path): (&HeaderMap, &Extensions, &str),
    from: origin::From,
) -> Result<Option<HeaderValue>, Problem> {
    let Some(fields) = extensions.get::<Fields>() else { return Ok(None) };
    if !is_asked(sensitive, fields) || !state.sessions.needs_password(login.session()?) {
        return Ok(None);
    }
    if !login.user.has_password() {
        return elsewhere(state, login, fields, path).await;
    }
    let address = client::address(&state.settings, extensions, headers);
    let given = fields.get(FIELD).unwrap_or_default();
    match again(state, login, given, &address).await {
        Ok(cookie) => Ok(cookie),
        Err(problem) => Err(offer(state, login, fields, headers, from, problem)),
    }
}

/// Whoever has no password proves who it is where it logs in. The form is kept meanwhile.
async fn elsewhere(
    state: &AppState,
    login: &Login,
    fields: &Fields,
    path: &str,
) -> Result<Option<HeaderValue>, Problem> {
    // The proxy says with every request who it is; there is nothing that could be asked for.
    if login.session()?.method == Method::Header {
        return Ok(None);
    }
    let way = state.settings.openid.as_ref().filter(|openid| openid::proves_there(openid, login));
    let Some(openid) = way else {
        return Err(Problem::new(
            Code::PasswordRequired,
            "This change asks for your password, and your account has none. Nothing was done.",
        )
        .todo("Ask an administrator for a password: `hedgerow user set-password` sets one."));
    };
    let kept = kept::keep(state, login.user.id, path, fields, Why::ProofIsOld).await;
    let next = kept.unwrap_or_else(|| object_of(path));
    let there = openid::once_more(&next);
    let mut problem = Problem::new(
        Code::PasswordRequired,
        format!("You logged in some time ago, and this change needs it again, by {}. Nothing was done.", openid.name),
    )
    .todo("Log in there once more; what you sent is kept, and you send it then with one press.")
    .with("redirect", serde_json::Value::from(there.as_str()));
    problem.next = Some(there);
    Err(problem)
}

/// Compares the password, and gives the session a new token; the cookie for it.
pub async fn again(
    state: &AppState,
    login: &Login,
    given: &str,
    address: &str,
) -> Result<Option<HeaderValue>, Problem> {
    let refused = |message: &str| {
        let mut problem = Problem::new(Code::PasswordRequired, message);
        problem.fields.insert(FIELD.to_owned(), message.to_owned());
        problem
    };
    if given.is_empty() {
        return Err(refused(
            "You entered your password some time ago, and this change needs it again. Nothing was done.",
        ));
    }
    let who = Authenticated { session: login.session()?.clone(), user: login.user.clone() };
    match state.sessions.reauthenticate(&who, SecretString::from(given), address).await {
        Ok(token) => Ok(token.and_then(|token| cookies::set_session(&state.settings, token.reveal()))),
        Err(LoginError::Invalid) => Err(refused("That is not your password. Nothing was done.")),
        Err(LoginError::Throttled { retry_after }) => {
            let seconds = retry_after.as_secs().max(1);
            let message = format!("Your password was entered wrongly too often. The next try is taken in {seconds} s.");
            let mut problem = Problem::new(Code::Throttled, message);
            problem.retry_after = Some(seconds);
            Err(problem)
        }
        Err(LoginError::Store(error)) => Err(error.into()),
        Err(error) => Err(Problem::internal("ask for the password again", &error)),
    }
}

/// The form of a page of ours comes back with a field for the password.
fn offer(
    state: &AppState,
    login: &Login,
    fields: &Fields,
    headers: &HeaderMap,
    from: origin::From,
    mut problem: Problem,
) -> Problem {
    let is_page = Asked::of(headers) == Asked::Navigation;
    if problem.code == Code::PasswordRequired
        && is_page
        && from == origin::From::Here
        && let Ok(session) = login.session()
        && let Ok(csrf) = state.csrf.token(session)
    {
        problem.again = Some(Again { fields: fields.all().to_vec(), csrf });
    }
    problem
}
