//! The cookies: the session's, the login form's and the theme's. Over TLS they carry the prefix `__Host-`; on a plain
//! loopback, where browsers refuse that, they have another name, so that the two are never mixed up.

use crate::frame::Theme;
use crate::state::WebSettings;
use http::{HeaderMap, HeaderValue, header};

const SESSION: &str = "hedgerow_session";
const LOGIN: &str = "hedgerow_login";
const OPENID: &str = "hedgerow_openid";
const THEME: &str = "hedgerow_theme";

fn name(settings: &WebSettings, plain: &str) -> String {
    if settings.secure() { format!("__Host-{plain}") } else { plain.to_owned() }
}

fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|cookies| cookies.split(';')).find_map(|cookie| {
        let (key, value) = cookie.trim().split_once('=')?;
        (key == name).then_some(value)
    })
}

fn set(settings: &WebSettings, plain: &str, value: &str, more: &str) -> Option<HeaderValue> {
    let secure = if settings.secure() { "; Secure" } else { "" };
    let name = name(settings, plain);
    // Only our own tokens and words are written here; none of them can break a header.
    HeaderValue::try_from(format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}")).ok()
}

/// The session's cookie in a request.
pub fn session<'a>(settings: &WebSettings, headers: &'a HeaderMap) -> Option<&'a str> {
    get(headers, &name(settings, SESSION))
}

/// Sets the session's cookie, for as long as the browser runs; the limits are the server's.
pub fn set_session(settings: &WebSettings, token: &str) -> Option<HeaderValue> {
    set(settings, SESSION, token, "")
}

/// Takes the session's cookie away.
pub fn clear_session(settings: &WebSettings) -> Option<HeaderValue> {
    set(settings, SESSION, "", "; Max-Age=0")
}

/// The login form's cookie in a request.
pub fn login<'a>(settings: &WebSettings, headers: &'a HeaderMap) -> Option<&'a str> {
    get(headers, &name(settings, LOGIN))
}

/// Sets the login form's cookie. It has the very attributes of the session's: a browser that keeps the one keeps the
/// other.
pub fn set_login(settings: &WebSettings, token: &str) -> Option<HeaderValue> {
    set(settings, LOGIN, token, "")
}

/// What is remembered of a login while its browser is at the provider, sealed.
pub fn openid<'a>(settings: &WebSettings, headers: &'a HeaderMap) -> Option<&'a str> {
    get(headers, &name(settings, OPENID))
}

/// Remembers a login for ten minutes while its browser is at the provider.
pub fn set_openid(settings: &WebSettings, sealed: &str) -> Option<HeaderValue> {
    set(settings, OPENID, sealed, "; Max-Age=600")
}

/// Forgets it.
pub fn clear_openid(settings: &WebSettings) -> Option<HeaderValue> {
    set(settings, OPENID, "", "; Max-Age=0")
}

/// The theme that was chosen.
pub fn theme(settings: &WebSettings, headers: &HeaderMap) -> Theme {
    get(headers, &name(settings, THEME)).map(Theme::parse).unwrap_or_default()
}

/// Keeps the theme for a year.
pub fn set_theme(settings: &WebSettings, theme: Theme) -> Option<HeaderValue> {
    set(settings, THEME, theme.as_str(), "; Max-Age=31536000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_tls_cookies_are_bound_to_the_host_and_elsewhere_they_have_another_name() {
        let tls = WebSettings { tls: true, ..Default::default() };
        let plain = WebSettings::default();
        let cookie = set_session(&tls, "abc").unwrap();
        assert_eq!(cookie, "__Host-hedgerow_session=abc; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(set_session(&plain, "abc").unwrap(), "hedgerow_session=abc; Path=/; HttpOnly; SameSite=Lax");
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("hedgerow_session=old; __Host-hedgerow_session=new"));
        assert_eq!(session(&tls, &headers), Some("new"));
        assert_eq!(session(&plain, &headers), Some("old"));
        headers.insert(header::COOKIE, HeaderValue::from_static("__Host-hedgerow_session=new; HEDGEROW_SESSION=x"));
        assert_eq!(session(&plain, &headers), None, "another name");
        headers.insert(header::COOKIE, HeaderValue::from_static("hedgerow_session=old; __HOST-hedgerow_session=x"));
        assert_eq!(session(&tls, &headers), None, "another name");
    }

    #[test]
    fn a_proxy_that_ends_tls_makes_cookies_secure() {
        let settings = WebSettings { trusted_proxies: vec!["10.0.0.1/32".parse().unwrap()], ..Default::default() };
        assert!(set_session(&settings, "abc").unwrap().to_str().unwrap().ends_with("; Secure"));
    }
}
