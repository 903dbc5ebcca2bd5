//! Proof that a form is one of ours: a keyed hash over the session it was rendered for, masked anew in each page so
//! that compression tells nothing of it.
//!
//! A token names the session it was made for, that session's user and its absolute end. It is good for this user until
//! then, also in the session that a second login in another tab began: the first tab's buttons go on working. It is
//! no good for any other user, so a page of one user never acts as another. Nothing is stored; replicas that share the
//! key accept each other's tokens.

use crate::keys::{MasterKey, hmac};
use crate::tokens::PreSession;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use jiff::Timestamp;
use model::Code;
use std::fmt;
use store::Session;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const MAC: usize = 32;
/// Session id and end, then the keyed hash.
const BODY: usize = 8 + 8 + MAC;

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CsrfError {
    /// There was none.
    #[error("the request carried no CSRF token")]
    Missing,
    /// It is no token, or one of another installation or user.
    #[error("the CSRF token is not one of this user's pages")]
    Foreign,
    /// The page is older than a session may be.
    #[error("the CSRF token is too old; the page was opened in an earlier session")]
    Stale,
}

impl CsrfError {
    /// The stable code.
    pub const fn code(self) -> Code {
        Code::CsrfFailed
    }
}

/// Makes and checks CSRF tokens.
#[derive(Clone)]
pub struct Csrf {
    /// The present one first; pages that were made with one before go on working.
    keys: Vec<Zeroizing<[u8; 32]>>,
}

impl fmt::Debug for Csrf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Csrf(..)")
    }
}

impl Csrf {
    /// With what is derived from the installation's key.
    pub fn new(key: &MasterKey) -> Self {
        Self { keys: key.derive_all("csrf") }
    }

    /// The token for a form or page of this session; different each time.
    pub fn token(&self, session: &Session) -> Result<String, getrandom::Error> {
        let end = session.absolute_expires_at.as_second();
        let mut body = [0; BODY];
        body[..8].copy_from_slice(&session.id.to_be_bytes());
        body[8..16].copy_from_slice(&end.to_be_bytes());
        body[16..].copy_from_slice(&session_mac(self.present(), session.id, session.user_id, end));
        mask(&body)
    }

    /// Checks a token that came with a request of this session.
    pub fn verify(&self, session: &Session, given: Option<&str>, now: Timestamp) -> Result<(), CsrfError> {
        let body = unmask::<BODY>(given)?;
        let number = |range: std::ops::Range<usize>| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&body[range]);
            i64::from_be_bytes(bytes)
        };
        let (id, end) = (number(0..8), number(8..16));
        let fits = |key: &Zeroizing<[u8; 32]>| session_mac(key, id, session.user_id, end).ct_eq(&body[16..]).into();
        if !self.keys.iter().any(fits) {
            return Err(CsrfError::Foreign);
        }
        if id != session.id && now.as_second() >= end {
            return Err(CsrfError::Stale);
        }
        Ok(())
    }

    /// The token for the login form, bound to the browser by a cookie.
    pub fn anonymous_token(&self, browser: &PreSession) -> Result<String, getrandom::Error> {
        mask(&anonymous_mac(self.present(), browser))
    }

    /// Checks the token of a login form. Without the cookie it is [`CsrfError::Foreign`]: the form was opened in
    /// another browser, or the cookie did not come back.
    pub fn verify_anonymous(&self, browser: Option<&PreSession>, given: Option<&str>) -> Result<(), CsrfError> {
        let body = unmask::<MAC>(given)?;
        let browser = browser.ok_or(CsrfError::Foreign)?;
        let fits = |key: &Zeroizing<[u8; 32]>| anonymous_mac(key, browser).ct_eq(&body).into();
        if self.keys.iter().any(fits) { Ok(()) } else { Err(CsrfError::Foreign) }
    }

    fn present(&self) -> &[u8; 32] {
        // There is one key at least.
        &self.keys[0]
    }
}

fn session_mac(key: &[u8; 32], session_id: i64, user_id: i64, end: i64) -> [u8; MAC] {
    let mut mac = hmac(key);
    mac.update(b"session");
    for number in [session_id, user_id, end] {
        mac.update(&number.to_be_bytes());
    }
    mac.finalize().into_bytes().into()
}

fn anonymous_mac(key: &[u8; 32], browser: &PreSession) -> [u8; MAC] {
    let mut mac = hmac(key);
    mac.update(b"anonymous");
    mac.update(browser.reveal().as_bytes());
    mac.finalize().into_bytes().into()
}

/// The body under a random mask, and the mask: the same token is written differently in each page.
fn mask(body: &[u8]) -> Result<String, getrandom::Error> {
    let mut out = vec![0; 2 * body.len()];
    let (mask, masked) = out.split_at_mut(body.len());
    getrandom::fill(mask)?;
    for ((masked, mask), byte) in masked.iter_mut().zip(mask).zip(body) {
        *masked = byte ^ *mask;
    }
    Ok(URL_SAFE_NO_PAD.encode(out))
}

fn unmask<const N: usize>(given: Option<&str>) -> Result<[u8; N], CsrfError> {
    let given = given.filter(|g| !g.is_empty()).ok_or(CsrfError::Missing)?;
    // Four characters carry three bytes; nothing longer is worth decoding.
    if given.len() > 4 * N {
        return Err(CsrfError::Foreign);
    }
    let bytes = URL_SAFE_NO_PAD.decode(given).map_err(|_| CsrfError::Foreign)?;
    if bytes.len() != 2 * N {
        return Err(CsrfError::Foreign);
    }
    let mut out = [0; N];
    for (i, byte) in out.iter_mut().enumerate() {
        *byte = bytes[i] ^ bytes[N + i];
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::plus;
    use std::time::Duration;
    use store::sessions::TokenHash;

    const START: Timestamp = Timestamp::constant(1_780_000_000, 0);
    const TWELVE_HOURS: Duration = Duration::from_secs(12 * 3600);

    fn session(id: i64, user_id: i64, created_at: Timestamp) -> Session {
        Session {
            id,
            token_hash: TokenHash([0; 32]),
            user_id,
            created_at,
            last_active_at: created_at,
            idle_expires_at: plus(created_at, Duration::from_secs(3600)),
            absolute_expires_at: plus(created_at, TWELVE_HOURS),
            ended_at: None,
            end_reason: None,
            ended_by: None,
            user_agent: String::new(),
            address: String::new(),
            authenticated_at: created_at,
            idle_limit: None,
            rotation_due: false,
            method: store::Method::Password,
        }
    }

    fn csrf() -> Csrf {
        Csrf::new(&MasterKey::random().unwrap())
    }

    #[test]
    fn a_page_of_the_session_is_accepted_and_never_written_twice_alike() {
        let (csrf, session) = (csrf(), session(1, 10, START));
        let (one, two) = (csrf.token(&session).unwrap(), csrf.token(&session).unwrap());
        assert_ne!(one, two);
        assert_eq!(csrf.verify(&session, Some(&one), START), Ok(()));
        assert_eq!(csrf.verify(&session, Some(&two), START), Ok(()));
    }

    #[test]
    fn lesson_49_a_second_login_in_another_tab_leaves_the_first_tab_working() {
        let csrf = csrf();
        let (first, second) = (session(1, 10, START), session(2, 10, plus(START, Duration::from_secs(60))));
        let in_first_tab = csrf.token(&first).unwrap();
        assert_eq!(csrf.verify(&second, Some(&in_first_tab), START), Ok(()));
        let tomorrow = session(3, 10, plus(START, TWELVE_HOURS));
        assert_eq!(csrf.verify(&tomorrow, Some(&in_first_tab), tomorrow.created_at), Err(CsrfError::Stale));
    }

    #[test]
    fn a_page_of_another_user_or_installation_is_foreign() {
        let csrf_here = csrf();
        let token = csrf_here.token(&session(1, 10, START)).unwrap();
        assert_eq!(csrf_here.verify(&session(2, 11, START), Some(&token), START), Err(CsrfError::Foreign));
        assert_eq!(csrf().verify(&session(1, 10, START), Some(&token), START), Err(CsrfError::Foreign));
    }

    #[test]
    fn no_token_and_no_sense_are_told_apart() {
        let (csrf, session) = (csrf(), session(1, 10, START));
        assert_eq!(csrf.verify(&session, None, START), Err(CsrfError::Missing));
        assert_eq!(csrf.verify(&session, Some(""), START), Err(CsrfError::Missing));
        let token = csrf.token(&session).unwrap();
        for bad in ["x", "%%%", &token[1..], &format!("{token}AAAA"), &"A".repeat(100_000)] {
            assert_eq!(csrf.verify(&session, Some(bad), START), Err(CsrfError::Foreign));
        }
    }

    #[test]
    fn the_end_in_a_token_cannot_be_moved() {
        let (csrf, session) = (csrf(), session(1, 10, START));
        let bytes = URL_SAFE_NO_PAD.decode(csrf.token(&session).unwrap()).unwrap();
        for i in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[i] ^= 1;
            let changed = URL_SAFE_NO_PAD.encode(changed);
            assert_eq!(csrf.verify(&session, Some(&changed), START), Err(CsrfError::Foreign), "byte {i}");
        }
    }

    #[test]
    fn the_login_form_is_bound_to_its_browser() {
        let csrf = csrf();
        let (mine, other) = (PreSession::generate().unwrap(), PreSession::generate().unwrap());
        let token = csrf.anonymous_token(&mine).unwrap();
        assert_eq!(csrf.verify_anonymous(Some(&mine), Some(&token)), Ok(()));
        assert_eq!(csrf.verify_anonymous(Some(&other), Some(&token)), Err(CsrfError::Foreign));
        assert_eq!(csrf.verify_anonymous(None, Some(&token)), Err(CsrfError::Foreign));
        assert_eq!(csrf.verify_anonymous(Some(&mine), None), Err(CsrfError::Missing));
    }
}
