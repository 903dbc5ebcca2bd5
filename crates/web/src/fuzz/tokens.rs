//! What proves who asks, the login form, and where a login leads.

use super::{check, text};
use crate::bearer;
use crate::extract::Fields;
use crate::routes::{Kind, resolve, safe_next};
use crate::url::pattern;
use auth::{Csrf, MasterKey, PreSession, TOKEN_PREFIX};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, Method, header};
use jiff::Timestamp;
use serde_json::{Map, Value};
use store::Session;
use store::sessions::TokenHash;

fn session() -> Session {
    let start = Timestamp::UNIX_EPOCH;
    Session {
        id: 1,
        token_hash: TokenHash([0; 32]),
        user_id: 10,
        created_at: start,
        last_active_at: start,
        idle_expires_at: start,
        absolute_expires_at: Timestamp::MAX,
        ended_at: None,
        end_reason: None,
        ended_by: None,
        user_agent: String::new(),
        address: String::new(),
        authenticated_at: start,
        idle_limit: None,
        rotation_due: false,
        method: store::Method::Password,
    }
}

#[test]
fn nobody_makes_up_a_token_of_a_form() {
    let (csrf, session, browser) =
        (Csrf::new(&MasterKey::random().unwrap()), session(), PreSession::generate().unwrap());
    let (true_one, of_login) = (csrf.token(&session).unwrap(), csrf.anonymous_token(&browser).unwrap());
    assert!(csrf.verify(&session, Some(&true_one), Timestamp::UNIX_EPOCH).is_ok());
    assert!(csrf.verify_anonymous(Some(&browser), Some(&of_login)).is_ok());
    let other = Session { user_id: 11, ..session.clone() };
    assert!(csrf.verify(&other, Some(&true_one), Timestamp::UNIX_EPOCH).is_err(), "of somebody else");
    check!(|bytes: &[u8]| {
        // Of every length, and of exactly the right one with whatever stands in it.
        let filled = |length: usize| {
            let mut all = bytes.to_vec();
            all.resize(length, 0);
            URL_SAFE_NO_PAD.encode(all)
        };
        for made_up in
            [String::from_utf8_lossy(bytes).into_owned(), URL_SAFE_NO_PAD.encode(bytes), filled(96), filled(64)]
        {
            assert!(csrf.verify(&session, Some(&made_up), Timestamp::UNIX_EPOCH).is_err(), "{made_up}");
            assert!(csrf.verify_anonymous(Some(&browser), Some(&made_up)).is_err(), "{made_up}");
        }
        // A true one that was cut, or to which something was added.
        let cut = usize::from(bytes.first().copied().unwrap_or_default()) % true_one.len();
        let spoiled = format!("{}{}", &true_one[..cut], String::from_utf8_lossy(bytes));
        assert!(csrf.verify(&session, Some(&spoiled), Timestamp::UNIX_EPOCH).is_err(), "{spoiled}");
        assert!(csrf.verify_anonymous(Some(&browser), Some(&true_one)).is_err(), "a page's token is none of the form");
    });
}

#[test]
fn a_request_carries_one_api_token_or_none() {
    const KEY: &str = "abcdefghijkm";
    const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
    const WORDS: &[&str] = &["Bearer ", "Token ", "nbt_", KEY, ".", SECRET, "\n", "Basic ", " ", "bearer nbt_", "é"];
    check!(|bytes: &[u8]| {
        let written = text(bytes, WORDS);
        let mut headers = HeaderMap::new();
        for line in written.split('\n') {
            let Ok(value) = HeaderValue::from_bytes(line.as_bytes()) else { return };
            headers.append(header::AUTHORIZATION, value);
        }
        let Some(sent) = bearer::sent(&headers) else { return };
        if let Some(token) = sent.presented() {
            assert_eq!(headers.get_all(header::AUTHORIZATION).iter().count(), 1, "which one is meant? {written}");
            assert!(written.trim().contains(&format!("{TOKEN_PREFIX}{}.", token.key())), "{written}");
            assert!(!format!("{token:?}").contains(SECRET));
        }
    });
}

#[test]
fn a_login_leads_to_a_page_of_this_site() {
    const WORDS: &[&str] = &[
        "/",
        "fabrics",
        "7",
        "..",
        "%2e",
        "%2F",
        "\\",
        "?",
        "#",
        "//",
        "logout",
        "evil.example",
        "https:",
        "objects",
        "@",
        "events",
        ".",
        "docs",
        "codes",
        "account",
        "\t",
        "static",
        "login",
        "users",
        "&",
        "operations",
    ];
    let base = url::Url::parse("https://hedgerow.example/login/").unwrap();
    check!(|bytes: &[u8]| {
        let text = text(bytes, WORDS);
        // An address of the table, with whatever it may be in its variables.
        let part = |at: usize| bytes.get(at).map_or("7", |byte| WORDS[usize::from(*byte) % WORDS.len()]);
        let deep = format!("/fabrics/{}/objects/{}/{}/{}/", part(0), part(1), part(2), part(3));
        // As it is, and where most of it is sound.
        for next in [text.clone(), format!("/{text}"), format!("/fabrics/{text}"), format!("/fabrics/7/{text}/"), deep]
        {
            let Some(next) = safe_next(&next) else { continue };
            let there = base.join(next).unwrap_or_else(|error| panic!("{next}: {error}"));
            assert_eq!(there.origin(), base.origin(), "{next} leads away");
            let page = resolve(&Method::GET, there.path()).is_some_and(|route| route.kind == Kind::Page);
            assert!(page && there.path() != pattern::login, "{next} leads to {}", there.path());
            assert!(HeaderValue::from_str(next).is_ok(), "{next:?} cannot be said");
        }
    });
}

#[test]
fn a_form_is_read_as_it_was_written() {
    const WORDS: &[&str] = &[
        "username=",
        "password=",
        "&",
        "=",
        "+",
        "%",
        "%00",
        "%ff",
        "csrfmiddlewaretoken=",
        "next=",
        "{",
        "}",
        "\"",
        ":",
        ",",
        "[",
        "]",
        "null",
        "true",
        "1e9",
        "\\u0000",
        "\\ud800",
    ];
    let is_list = |name: &str| crate::extract::SEVERAL.contains(&name);
    check!(|bytes: &[u8]| {
        let written = text(bytes, WORDS);
        for body in [written.as_bytes(), bytes] {
            let fields = Fields::of_form(body);
            let mut again = url::form_urlencoded::Serializer::new(String::new());
            again.extend_pairs(fields.all());
            assert_eq!(Fields::of_form(again.finish().as_bytes()), fields, "{written}");
            for (name, value) in fields.all().iter().filter(|(name, _)| !is_list(name)) {
                assert!(fields.contradicted().is_some() || fields.get(name) == Some(value), "of two, none counts");
            }
            // The same as JSON is the same form.
            let mut names = Map::new();
            for (name, value) in fields.all() {
                let values = names.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
                values.as_array_mut().unwrap().push(Value::String(value.clone()));
            }
            let of_json =
                Fields::of_json(Value::Object(names).to_string().as_bytes()).unwrap_or_else(|_| panic!("{written}"));
            for (name, _) in fields.all() {
                let values = |fields: &Fields| -> Vec<String> {
                    fields.all().iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
                };
                assert_eq!(values(&fields), values(&of_json), "{name}");
            }
        }
        let deep = format!("{}{written}", "[".repeat(bytes.len() * 50));
        assert!(Fields::of_json(deep.as_bytes()).map_or(true, |_| bytes.is_empty() || !deep.starts_with('[')));
        if let Err(problem) = Fields::of_json(written.as_bytes()) {
            assert_eq!(problem.http_status(), 400, "{written}");
        }
    });
}
