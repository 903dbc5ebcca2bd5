//! Who a trusted proxy says that somebody is (the settings `header_auth.*`). The header is believed from an address of
//! `trusted_proxies` and from nobody else; of each user it names there is a session as of any other, so that limits, CSRF
//! tokens and the list of one's sessions are the same.

use crate::attempts::{self, Asker};
use crate::extract::Login;
use crate::guard;
use crate::layers::cookies;
use crate::outside::HeaderLogin;
use crate::pages::openid::not_named;
use crate::problem::Problem;
use crate::state::AppState;
use auth::{Named, Origin, SessionToken};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use model::Code;
use store::Method;

/// Why a session that a proxy began is not good any more.
pub const NO_LONGER: &str = "The proxy in front of Hedgerow no longer says who you are.";
/// What to do about it.
pub const BY_THE_PROXY: &str = "Open Hedgerow by the address of the proxy, and log in there.";

/// Whether a trusted proxy names a user with this request.
pub fn is_named(state: &AppState, headers: &HeaderMap, through_proxy: bool) -> bool {
    let set = state.settings.header_login.as_ref();
    set.is_some_and(|set| through_proxy && matches!(one(headers, &set.user), Ok(Some(_))))
}

/// Who is logged in where a proxy may say who it is, and the cookie of a session that began with this request.
pub(super) async fn session(
    state: &AppState,
    set: &HeaderLogin,
    headers: &HeaderMap,
    (asker, through_proxy): (&Asker, bool),
    activity: bool,
) -> Result<(Login, Option<HeaderValue>), Problem> {
    let named = if through_proxy { named(set, headers)? } else { None };
    let found = guard::session(state, headers, activity).await;
    let Some(named) = named else { return unnamed(found?).map(|login| (login, None)) };
    match found {
        Ok(login) if login.user.username.to_lowercase() == named.username.to_lowercase() => Ok((login, None)),
        // Somebody else, or nobody yet.
        Ok(_) => begin(state, set, headers, asker, &named).await,
        Err(problem) if problem.http_status() == StatusCode::UNAUTHORIZED => {
            begin(state, set, headers, asker, &named).await
        }
        Err(problem) => Err(problem),
    }
}

/// Somebody whom no proxy names: a session that a proxy began is good with its header only.
pub(super) fn unnamed(login: Login) -> Result<Login, Problem> {
    if login.session()?.method == Method::Header {
        return Err(Problem::new(Code::AuthenticationRequired, NO_LONGER).todo(BY_THE_PROXY));
    }
    Ok(login)
}

/// A new session for who is named; the one that the browser had ends.
async fn begin(
    state: &AppState,
    set: &HeaderLogin,
    headers: &HeaderMap,
    asker: &Asker,
    named: &Named,
) -> Result<(Login, Option<HeaderValue>), Problem> {
    let previous = cookies::session(&state.settings, headers).and_then(SessionToken::parse);
    let from = Origin {
        method: Method::Header,
        address: &asker.address,
        user_agent: headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default(),
        previous: previous.as_ref(),
    };
    let tried = state.sessions.login_named(named, &set.mapping, from).await.map_err(|error| not_named(error, None));
    metrics::login_tried(if tried.is_ok() { "ok" } else { "refused" });
    attempts::login(state, asker, &named.username, tried.as_ref().err()).await;
    let logged_in = tried?;
    let cookie = cookies::set_session(&state.settings, logged_in.token.reveal());
    let login = guard::login_of(state, logged_in.session, logged_in.user).await?;
    Ok((login, cookie))
}

/// What the proxy says, if it says something.
fn named(set: &HeaderLogin, headers: &HeaderMap) -> Result<Option<Named>, Problem> {
    let Some(username) = one(headers, &set.user)? else { return Ok(None) };
    let groups = match &set.groups {
        // A proxy leaves the header out for whoever is in no group.
        Some(name) => {
            let listed = one(headers, name)?.unwrap_or_default();
            Some(listed.split(',').map(str::trim).filter(|group| !group.is_empty()).map(str::to_owned).collect())
        }
        None => None,
    };
    Ok(Some(Named { external: None, username: username.to_owned(), groups }))
}

/// The one value of a header. Two are refused: one of them may be what the client itself sent. So is one that is named
/// among those of the connection: a proxy on the way takes such a header out, and what is left is not what it was.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let refused = |why: &str| {
        Err(Problem::new(
            Code::AccountRefused,
            format!("The header {name} of the proxy {why}, so nobody is logged in."),
        )
        .status(StatusCode::BAD_REQUEST)
        .todo("Let the proxy take this header out of what clients send, and set it once."))
    };
    let of_connection = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    if of_connection.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(name.as_str())) {
        return refused("is named among those of the connection");
    }
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => refused("was sent more than once"),
        // Names beyond ASCII come as UTF-8.
        (Some(value), None) => match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Err(_) => refused("is not text"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn one_value_is_taken_and_two_are_refused() {
        let name = HeaderName::from_static("remote-user");
        let said = |pairs: &[(&'static str, &'static str)]| {
            one(&headers(pairs), &name).map(|value| value.map(str::to_owned)).map_err(|problem| problem.code)
        };
        assert_eq!(said(&[("remote-user", "anna")]), Ok(Some("anna".to_owned())));
        assert_eq!(said(&[("remote-user", " ")]), Ok(None));
        assert_eq!(said(&[]), Ok(None));
        assert_eq!(said(&[("remote-user", "anna"), ("remote-user", "root")]), Err(Code::AccountRefused));
        assert_eq!(said(&[("remote-user", "anna"), ("connection", "close, Remote-User")]), Err(Code::AccountRefused));
        assert_eq!(said(&[("connection", "close, Remote-User")]), Err(Code::AccountRefused));
    }
}
