//! What is hidden in an exchange, what is a leak, and what is neither.

use super::*;

fn exchange(body: &str) -> Exchange {
    Exchange {
        method: "POST".into(),
        url: "https://h.example/login/?next=%2F".into(),
        request_headers: vec![
            ("Cookie".into(), "sid=abcdefgh; theme=dark".into()),
            ("X-CSRFToken".into(), "tok".into()),
        ],
        request_body: Some("csrfmiddlewaretoken=ttttttttt&username=ada&password=open+sesame".into()),
        response_headers: vec![("set-cookie".into(), "x_session=0123456789abcdef01; Path=/; HttpOnly".into())],
        response_body: Some(body.into()),
        ..Exchange::default()
    }
}

#[test]
fn what_is_secret_stands_in_no_record() {
    let redactor = Redactor::default();
    redactor.tell("the password", &"open sesame".into());
    let page = r#"<meta name="csrf-token" content="mmmmmmmmmm"><input type="hidden" name="csrfmiddlewaretoken"
        value="ttttttttt"><input name="next" value="/home"> {"csrf_token": "jjjjjj", "state": "ok"} ttttttttt"#;
    let mut one = exchange(page);
    redactor.exchange(&mut one);
    let all = format!("{one:?}");
    for secret in ["abcdefgh", "tok\"", "ttttttttt", "open+sesame", "0123456789abcdef01", "mmmmmmmmmm", "jjjjjj"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    for kept in ["username=ada", "Path=/; HttpOnly", "sid=[redacted]", "value=\"/home\"", "\"state\": \"ok\""] {
        assert!(one.response_body.iter().any(|b| b.contains(kept)) || all.contains(kept), "{kept} in {all}");
    }
    assert!(redactor.leaks().is_empty(), "{:?}", redactor.leaks());
}

#[test]
fn what_a_profile_calls_by_another_name_is_a_secret_all_the_same() {
    let mut profile = crate::profile::built_in("hedgerow").unwrap();
    (profile.csrf.field, profile.csrf.header) = ("stamp".into(), "X-Stamp".into());
    profile.csrf.page = serde_json::from_str(r#"{"element": "p.stamp"}"#).unwrap();
    profile.login.session_cookies = vec![serde_json::from_str(r#""^loom$""#).unwrap()];
    let redactor = Redactor::default();
    redactor.tell_profile(&profile);
    let mut one = exchange(r#"<p class=stamp>pppppppp</p><input type=hidden name=stamp value="iiiiiiii">"#);
    one.request_headers.push(("X-Stamp".into(), "hhhhhhhh".into()));
    one.request_body = Some("stamp=ffffffff&name=ada".into());
    one.response_headers.push(("set-cookie".into(), "loom=c0c0c0c0c0c0c0c0c0; Path=/".into()));
    redactor.exchange(&mut one);
    let all = format!("{one:?}");
    for secret in ["pppppppp", "iiiiiiii", "hhhhhhhh", "ffffffff", "c0c0c0c0"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    redactor.exchange(&mut exchange("your session is c0c0c0c0c0c0c0c0c0"));
    assert_eq!(redactor.leaks().len(), 1);
}

#[test]
fn what_an_answer_shows_is_a_leak() {
    let redactor = Redactor::default();
    redactor.tell("the password", &"open sesame".into());
    redactor.exchange(&mut exchange("You said open sesame"));
    redactor.exchange(&mut exchange("your session is 0123456789abcdef01"));
    redactor.exchange(&mut exchange("git clone https://bob:hunter22@git.example/x"));
    let leaks: Vec<String> = redactor.leaks().into_iter().map(|leak| leak.what).collect();
    assert_eq!(leaks, ["the password", "the value of a session's cookie", "a password in an address"]);
}

#[test]
fn no_form_of_a_secret_stands_in_a_record_or_passes_as_none() {
    for (password, echoed) in [
        ("R&D<x>y", "You typed R&amp;D&lt;x&gt;y."),
        ("a\"b\"cd", r#"{"echo": "a\"b\"cd"}"#),
        ("open sesame", "/?q=open+sesame"),
        ("open sesame", "/?q=open%20sesame"),
        ("open sesame", "authorization: Basic YWRhOm9wZW4gc2VzYW1l"),
    ] {
        let redactor = Redactor::default();
        redactor.tell_password("the password", &password.into());
        let mut one = exchange(echoed);
        redactor.exchange(&mut one);
        assert_eq!(redactor.leaks().len(), 1, "{echoed} is a leak");
        let body = one.response_body.unwrap();
        assert!(body.contains(HIDDEN) && body != echoed, "{echoed} stands in the record: {body}");
    }
}

#[test]
fn addresses_and_what_names_them_hold_no_secret() {
    let redactor = Redactor::default();
    let mut one = exchange("no token=here");
    one.url = "https://h.example/login/?username=ada&password=p%26w".into();
    one.request_headers.push(("Referer".into(), "https://h.example/?token=rrrrrr".into()));
    one.response_headers.push(("location".into(), "/next?session_token=llllll&page=2".into()));
    redactor.exchange(&mut one);
    let all = format!("{one:?}");
    for secret in ["p%26w", "rrrrrr", "llllll"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    assert!(all.contains("page=2") && all.contains("username=ada"), "{all}");
}

#[test]
fn a_password_that_is_an_ordinary_word_is_said_to_be_one() {
    let redactor = Redactor::default();
    redactor.tell_password("the password of ada", &"hedgehog".into());
    redactor.tell_password("the password of bob", &"bob".into());
    redactor.tell_password("the password of eve", &"open sesame".into());
    let mut before = exchange("Welcome to hedgehog");
    (before.method, before.request_body) = ("GET".into(), None);
    redactor.exchange(&mut before);
    redactor.exchange(&mut exchange("hedgehog fabrics, and your password is open sesame"));
    assert_eq!(before.response_body.as_deref(), Some("Welcome to hedgehog"), "the record was altered");
    let leaks: Vec<String> = redactor.leaks().into_iter().map(|leak| leak.what).collect();
    assert_eq!(leaks, ["the password of eve"]);
    let notes = redactor.notes();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes[0].1.contains("bob has fewer than 6") && notes[1].1.contains("before any login hold the password of ada")
    );
}

#[test]
fn a_persons_taste_stays_in_the_record() {
    let redactor = Redactor::default();
    let mut one = exchange("");
    one.response_headers.push(("set-cookie".into(), "theme=system; Path=/".into()));
    redactor.exchange(&mut one);
    assert_eq!(redactor.text("run by system:schedule"), "run by system:schedule");
    assert_eq!(redactor.text("it is 0123456789abcdef01"), "it is [redacted]");
}

#[test]
fn long_bodies_end() {
    let cut = bounded(&"ü".repeat(KEPT_BODY), KEPT_BODY);
    assert!(cut.len() < KEPT_BODY + 60 && cut.contains("more bytes"));
}

/// An answer to somebody who has not logged in, with this body.
fn stranger(body: &str) -> Exchange {
    Exchange { method: "GET".into(), request_body: None, ..exchange(body) }
}

/// What one answer came to: its leaks, and its record.
fn met(password: &str, mut one: Exchange) -> (Vec<String>, Exchange) {
    let redactor = Redactor::default();
    redactor.tell_password("the password", &password.into());
    redactor.exchange(&mut stranger("Log in"));
    redactor.exchange(&mut one);
    (redactor.leaks().into_iter().map(|leak| leak.what).collect(), one)
}

#[test]
fn a_secret_whose_every_character_is_written_in_another_way_is_one() {
    let password = "6uP9<&x/é😀q7Z";
    let references = |number: &dyn Fn(usize, u32) -> String| -> String {
        password.chars().enumerate().map(|(at, one)| number(at, u32::from(one))).collect()
    };
    let units = |write: &dyn Fn(usize, u16) -> String| -> String {
        password.encode_utf16().enumerate().map(|(at, unit)| write(at, unit)).collect()
    };
    let percent: String = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for written in [
        references(&|_, code| format!("&#{code};")),
        references(&|_, code| format!("&#x{code:x};")),
        references(&|_, code| format!("&#X{code:X};")),
        references(&|at, code| if at % 2 == 0 { format!("&#{code:07};") } else { format!("&#x{code:06x};") }),
        "&#54;uP9&LT;&amp;x&sol;&eacute;&#x1F600;q7&#0090;".to_owned(),
        "6&#117P9&lt&amp;x/é😀q7Z".to_owned(),
        units(&|_, unit| format!(r"\u{unit:04x}")),
        units(&|_, unit| format!(r"\u{unit:04X}")),
        r"6u\u00509\u003C&x\/é\uD83D\ude00q\u0037Z".to_owned(),
        r"\x36uP9\x3c\x26x\u{2f}é\u{1F600}q7Z".to_owned(),
        percent.clone(),
        percent.to_lowercase(),
        percent.replace('%', "%25"),
        percent.replace('%', "&#37;"),
        references(&|_, code| format!(r"\u0026#{code};")),
    ] {
        let (leaks, one) = met(password, exchange(&format!("<b>{written}</b> &#38; \\u0041 %41")));
        assert_eq!(leaks, ["the password"], "{written}");
        let kept = one.response_body.unwrap();
        assert_eq!(kept, "<b>[redacted]</b> &#38; \\u0041 %41", "{written}");
    }
}

#[test]
fn what_was_learnt_is_hidden_however_it_is_written() {
    let redactor = Redactor::default();
    redactor.exchange(&mut exchange(""));
    let written: String = "0123456789abcdef01".bytes().map(|byte| format!("&#{byte};")).collect();
    let mut one = exchange(&format!("it is {written}."));
    redactor.exchange(&mut one);
    assert_eq!(one.response_body.as_deref(), Some("it is [redacted]."));
    assert_eq!(redactor.leaks().len(), 1, "{:?}", redactor.leaks());
}

#[test]
fn what_is_written_in_another_way_and_is_no_secret_stays() {
    let page = "a &amp; b &#60;c&#x3e; &nosuch; &#xD800; &#99999999; \\u00e4 \\ud800 %zz %C3 100 % ü %";
    let (leaks, one) = met("open sesame", exchange(page));
    assert_eq!((leaks.len(), one.response_body.as_deref()), (0, Some(page)));
}

#[test]
fn a_cookie_that_holds_a_password_is_a_leak() {
    for cookie in [
        "pref=6uP9xq7Z; Path=/",
        "pref=%36uP9xq7Z",
        "pref=eyJwYXNzIjoiNnVQOXhxN1oifQ; Path=/; HttpOnly",
        "a=YWRtaW46NnVQOXhxN1o=",
        "a=OjZ1UDl4cTda",
        "a=YTo2dVA5eHE3WjpvbmNlIG1vcmU",
        "6uP9xq7Z=1",
        "a=1; Path=/6uP9xq7Z",
    ] {
        let mut one = exchange("");
        one.response_headers.push(("set-cookie".into(), cookie.into()));
        let (leaks, one) = met("6uP9xq7Z", one);
        assert_eq!(leaks, ["the password"], "{cookie}");
        let all = format!("{one:?}");
        let value = cookie.split(['=', ';']).nth(1).filter(|value| value.len() > 6).unwrap_or("6uP9xq7Z");
        assert!(!all.contains("6uP9xq7Z") && !all.contains(value), "{all}");
    }
    let mut one = exchange("");
    one.response_headers.push(("set-cookie".into(), "x_session=0123456789abcdef01; Path=/".into()));
    let (leaks, _) = met("6uP9xq7Z", one);
    assert!(leaks.is_empty(), "a session's own cookie is none: {leaks:?}");
}

#[test]
fn a_header_that_holds_a_password_is_a_leak() {
    for (name, value) in
        [("X-6uP9xq7Z", "1"), ("x-6up9xq7z-y", "1"), ("x-echo", "you are 6uP9xq7Z"), ("location", "/?q=6uP9xq7%5A")]
    {
        let mut one = exchange("");
        one.request_headers.push((name.into(), "2".into()));
        one.response_headers.push((name.into(), value.into()));
        let (leaks, one) = met("6uP9xq7Z", one);
        assert_eq!(leaks, ["the password"], "{name}: {value}");
        let all = format!("{one:?}").to_lowercase();
        assert!(!all.contains("6up9xq7"), "{all}");
        assert!(all.contains("x-csrftoken") && all.contains(&name[..2].to_lowercase()), "{all}");
    }
}

#[test]
fn a_header_that_is_called_as_a_password_is_stays() {
    let redactor = Redactor::default();
    redactor.tell_password("the password", &"Server".into());
    let mut before = stranger("Log in");
    before.response_headers.push(("server".into(), "x".into()));
    redactor.exchange(&mut before);
    assert_eq!(before.response_headers.last().map(|(name, _)| name.as_str()), Some("server"));
    assert_eq!((redactor.leaks().len(), redactor.notes().len()), (0, 1));
}

#[test]
fn only_what_looks_like_a_word_is_one() {
    for (password, is_word) in [
        ("hedgehog", true),
        ("Hedgerow", true),
        ("PASSWORD", true),
        ("NetBox", true),
        ("größeren", true),
        ("12345678", true),
        ("fTq8Zw2LmXr7Kp4Vn9Bs3Hd6", false),
        ("fTqZwLmXrKp", false),
        ("hedgehogs-of-the-world", false),
        ("antidisestablishment", false),
        ("hunter22", false),
        ("open sesame", false),
    ] {
        let redactor = Redactor::default();
        redactor.tell_password("the password", &password.into());
        let mut before = stranger(&format!("<title>{password}</title>"));
        redactor.exchange(&mut before);
        let kept = before.response_body.unwrap();
        assert_eq!(kept.contains(password), is_word, "{password}: {kept}");
        assert_eq!(
            (redactor.leaks().is_empty(), redactor.notes().len()),
            (is_word, usize::from(is_word)),
            "{password}"
        );
        redactor.exchange(&mut exchange(password));
        assert_eq!(redactor.leaks().is_empty(), is_word, "{password}");
    }
}
