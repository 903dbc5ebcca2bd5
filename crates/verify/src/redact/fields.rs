//! What is secret by the name of its field: in forms and addresses, in JSON, in the fields of a page; and the values of
//! cookies, whose names and attributes stay, because they are what a cookie is judged by.

use super::HIDDEN;
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// The names of fields that hold a secret.
const NAMES: &str = "csrf|passw|secret|token|kubeconfig|private|credential|ssh_key";

static SECRET_FIELD: LazyLock<Regex> = LazyLock::new(|| Regex::new(&format!("(?i)({NAMES})")).expect("sound"));
static INPUT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?is)<(?:input|meta)\b[^>]*>").expect("sound"));
static TEXTAREA: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?is)(<textarea\b[^>]*>)(.*?)(</textarea)").expect("sound"));
static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?is)\bname\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))"#).expect("sound"));
static FOR_A_PASSWORD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?is)\btype\s*=\s*["']?password\b"#).expect("sound"));
static VALUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?is)\b(value|content)(\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s>]+))"#).expect("sound"));
static JSON_FIELD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)("[^"]*(?:token|password|secret|kubeconfig|private_key)[^"]*"\s*:\s*)"((?:[^"\\]|\\.)*)""#)
        .expect("sound")
});
/// A field in the query or the fragment of an address, wherever the address stands.
static IN_ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(r#"(?i)([?&#;][^=&?#;\s"'<>]*(?:{NAMES})[^=&?#;\s"'<>]*=)[^&#;\s"'<>]+"#)).expect("sound")
});

/// Names of cookies that are a secret, whatever their value is.
static COOKIE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)(sess|csrf|xsrf|token|auth|jwt|(?:^|[-_.])s?sid$)").expect("sound"));

/// A text whose addresses hold no secret by the name of its field.
pub(super) fn in_addresses(text: &str) -> String {
    IN_ADDRESS.replace_all(text, format!("${{1}}{HIDDEN}").as_str()).into_owned()
}

/// A body without the values of fields that are secret by their name.
pub(super) fn in_body(body: &str) -> String {
    let body = INPUT.replace_all(body, |tag: &Captures<'_>| hide_field(&tag[0]));
    let body = TEXTAREA.replace_all(&body, |area: &Captures<'_>| {
        let is_secret = field_name(&area[1]).is_some_and(|name| SECRET_FIELD.is_match(&name)) && !area[2].is_empty();
        let inside = if is_secret { HIDDEN } else { &area[2] };
        format!("{}{inside}{}", &area[1], &area[3])
    });
    JSON_FIELD.replace_all(&body, format!("$1\"{HIDDEN}\"").as_str()).into_owned()
}

/// The fields of a form, or a JSON body, without the secret ones.
pub(super) fn in_form(body: &str) -> String {
    if body.trim_start().starts_with(['{', '[']) {
        return JSON_FIELD.replace_all(body, format!("$1\"{HIDDEN}\"").as_str()).into_owned();
    }
    let hide = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if SECRET_FIELD.is_match(name) => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    };
    body.split('&').map(hide).collect::<Vec<_>>().join("&")
}

/// Whether what this selector finds is a field whose own name says that it holds a secret.
pub(super) fn is_telling(element: &str, attribute: Option<&str>) -> bool {
    let is_field = element.starts_with("input") || element.starts_with("meta");
    is_field && matches!(attribute, Some("value" | "content")) && SECRET_FIELD.is_match(element)
}

/// The tokens against forged requests in a page's fields; `field` is how the target calls them.
pub(super) fn csrf_tokens(body: &str, field: &str) -> Vec<String> {
    let tags = INPUT.find_iter(body).map(|tag| tag.as_str());
    let is_token = |name: String| name == field || name.to_ascii_lowercase().contains("csrf");
    let named = tags.filter(|tag| field_name(tag).is_some_and(is_token));
    named.filter_map(|tag| VALUE.captures(tag).and_then(|found| group(&found, 3))).collect()
}

/// Whether a cookie's value is to be hidden wherever it stands. What a page keeps of a person's taste (`theme=system`) is
/// an ordinary word: hidden everywhere, it would alter the record.
pub(super) fn is_secret_cookie(name: &str, value: &str, attributes: &str) -> bool {
    let mut attributes = attributes.split(';').map(str::trim);
    COOKIE.is_match(name) || attributes.any(|one| one.eq_ignore_ascii_case("httponly")) || looks_random(value)
}

fn looks_random(value: &str) -> bool {
    let has = |sort: fn(&char) -> bool| usize::from(value.chars().any(|one| sort(&one)));
    let sorts = has(char::is_ascii_lowercase) + has(char::is_ascii_uppercase) + has(char::is_ascii_digit);
    let different: std::collections::BTreeSet<char> = value.chars().collect();
    value.len() >= 16 && sorts >= 2 && different.len() >= 8 && !value.contains([' ', '/', '{'])
}

pub(super) fn hide_cookies(value: &str, between: &str) -> String {
    let hide = |pair: &str| pair.split_once('=').map_or(HIDDEN.to_owned(), |(name, _)| format!("{name}={HIDDEN}"));
    value.split(between).map(hide).collect::<Vec<_>>().join(between)
}

/// Name and attributes stay: they are what a cookie is judged by.
pub(super) fn hide_set_cookie(value: &str) -> String {
    match value.split_once(';') {
        Some((pair, attributes)) => format!("{};{attributes}", hide_cookies(pair, "; ")),
        None => hide_cookies(value, "; "),
    }
}

fn group(found: &Captures<'_>, first: usize) -> Option<String> {
    (first..first + 3).find_map(|number| found.get(number)).map(|found| found.as_str().to_owned())
}

fn field_name(tag: &str) -> Option<String> {
    NAME.captures(tag).and_then(|found| group(&found, 1))
}

fn hide_field(tag: &str) -> String {
    let is_secret = field_name(tag).is_some_and(|name| SECRET_FIELD.is_match(&name)) || FOR_A_PASSWORD.is_match(tag);
    if !is_secret {
        return tag.to_owned();
    }
    VALUE.replace_all(tag, format!("$1$2\"{HIDDEN}\"").as_str()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_no_secret_by_its_name() {
        for (text, wanted) in [
            ("https://h/login/?username=ada&password=p%26w", "https://h/login/?username=ada&password=[redacted]"),
            ("/x?access_token=abc#more", "/x?access_token=[redacted]#more"),
            ("/x#access_token=abc&state=1", "/x#access_token=[redacted]&state=1"),
            (r#"<a href="/x?page=2&amp;token=abc">"#, r#"<a href="/x?page=2&amp;token=[redacted]">"#),
            ("GET https://h/?secret=a: no answer: why", "GET https://h/?secret=[redacted] no answer: why"),
            ("/x?page=2&q=token", "/x?page=2&q=token"),
        ] {
            assert_eq!(in_addresses(text), wanted);
        }
    }

    #[test]
    fn large_fields_of_a_page_are_fields() {
        let page = "<textarea name=kubeconfig rows=3>apiVersion: v1\ntoken: x</textarea><textarea name=about>a</textarea>\
            <input type=password name=pw value=abc>";
        let hidden = in_body(page);
        assert!(
            !hidden.contains("apiVersion") && !hidden.contains("abc") && hidden.contains(">a</textarea>"),
            "{hidden}"
        );
    }

    #[test]
    fn a_persons_taste_is_no_secret() {
        for (name, value, attributes, secret) in [
            ("theme", "system", "Path=/", false),
            ("lang", "english", "", false),
            ("tz", "America/Argentina/Buenos_Aires", "", false),
            ("hedgerow_session", "abcdefgh", "", true),
            ("csrftoken", "abcdefgh", "", true),
            ("sid", "abcdefgh", "", true),
            ("side", "abcdefgh", "", false),
            ("x", "abcdefgh", " Path=/; HttpOnly", true),
            ("x", "4f9Kq2LmZx81TtBa", "", true),
        ] {
            assert_eq!(is_secret_cookie(name, value, attributes), secret, "{name}={value}");
        }
    }
}
