//! Django's protection against forged requests, as it meets a user: a secret in the cookie `csrftoken`, a masked copy of
//! it in each page, and a page of 1,004 bytes for a request that brings neither that copy nor the secret.
//!
//! A login rotates the secret, so that the copies in all other tabs are worth nothing from then on.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::request::{Asked, html};
use crate::machine::secret;

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const LENGTH: usize = 32;
const AGE: &str = "31449600";

/// The secret of this browser, and whether its cookie has to be set because it has none.
pub(super) struct Secret {
    value: String,
    is_new: bool,
}

impl Secret {
    pub(super) fn of(asked: &Asked<'_>) -> Self {
        match cookie(asked) {
            Some(value) => Self { value: value.to_owned(), is_new: false },
            None => Self::fresh(),
        }
    }

    /// Another one, as after a login.
    pub(super) fn fresh() -> Self {
        Self { value: secret(), is_new: true }
    }

    /// The copy for one page: another one each time.
    pub(super) fn masked(&self) -> String {
        let mask = secret();
        let hidden = mask.bytes().zip(self.value.bytes()).map(|(mask, letter)| shift(letter, mask, true));
        let hidden: String = hidden.collect();
        format!("{mask}{hidden}")
    }

    /// Sets the cookie, where that is due.
    pub(super) fn set(&self, response: &mut Response) {
        if self.is_new {
            let cookie = format!("csrftoken={}; Max-Age={AGE}; Path=/; SameSite=Lax", self.value);
            let cookie = HeaderValue::from_str(&cookie).expect("a cookie of letters and digits is a header");
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}

/// Whether a request that changes something comes from a page of this site.
pub(super) fn is_good(asked: &Asked<'_>) -> bool {
    let own = asked.header("host").map(|host| format!("http://{host}"));
    let foreign = asked.header("origin").is_some_and(|origin| Some(origin) != own.as_deref());
    let given = asked.field("csrfmiddlewaretoken").or_else(|| asked.header("x-csrftoken"));
    match (cookie(asked), given) {
        (Some(secret), Some(given)) => !foreign && (given == secret || unmasked(given).as_deref() == Some(secret)),
        _ => false,
    }
}

fn cookie<'a>(asked: &'a Asked<'_>) -> Option<&'a str> {
    asked.cookie("csrftoken").filter(|value| value.len() == LENGTH && value.bytes().all(|one| LETTERS.contains(&one)))
}

fn unmasked(given: &str) -> Option<String> {
    let plain = given.len() == 2 * LENGTH && given.bytes().all(|one| LETTERS.contains(&one));
    let (mask, hidden) = plain.then(|| given.split_at(LENGTH))?;
    Some(mask.bytes().zip(hidden.bytes()).map(|(mask, letter)| shift(letter, mask, false)).collect())
}

/// A letter moved along the alphabet by the place of another one, there or back.
fn shift(letter: u8, by: u8, there: bool) -> char {
    let place = |wanted: u8| LETTERS.iter().position(|one| *one == wanted).unwrap_or_default();
    let (letter, by) = (place(letter), place(by));
    let moved = if there { letter + by } else { letter + LETTERS.len() - by };
    char::from(LETTERS[moved % LETTERS.len()])
}

/// 403, in HTML, whoever asks: 1,004 bytes, and 1,367 for somebody who is not logged in.
pub(super) fn refusal(asked: &Asked<'_>) -> Response {
    let (bytes, more) = match asked.user {
        Some(_) => (1_004, ""),
        None => {
            (1_367, "<p>This site needs a cookie before it takes a form. It seems that your browser sent none.</p>\n")
        }
    };
    let head = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<title>403 Forbidden</title>\n";
    let body = format!(
        "</head>\n<body>\n<h1>Forbidden <span>(403)</span></h1>\n<p>CSRF verification failed. Request aborted.</p>\n\
         {more}</body>\n</html>\n"
    );
    // Of the real page only the length is known to matter: a comment makes up for the rest.
    let frame = "<!-- -->\n".len();
    let filler = ".".repeat(usize::saturating_sub(bytes, head.len() + body.len() + frame));
    html(StatusCode::FORBIDDEN, format!("{head}<!-- {filler}-->\n{body}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_copy_is_another_each_time_and_leads_back() {
        let secret = Secret { value: "azAZ09bcdefghijklmnopqrstuvwxyZZ".to_owned(), is_new: false };
        let (one, two) = (secret.masked(), secret.masked());
        assert_ne!(one, two);
        assert_eq!(one.len(), 64);
        assert_eq!(unmasked(&one).unwrap(), secret.value);
        assert_eq!(unmasked(&two).unwrap(), secret.value);
        assert_eq!(unmasked("short"), None);
    }
}
