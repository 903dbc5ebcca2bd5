//! Sample values of the page of API tokens.

use super::*;

pub fn token(key: &str, description: &str) -> tokens::Row {
    tokens::Row {
        id: 3,
        key: key.into(),
        description: description.into(),
        created: ago(40 * 86_400),
        expires: Some(ago(-50 * 86_400)),
        last_used: Some((ago(95), "192.0.2.7".into())),
        read_only: false,
        addresses: String::new(),
        end: None,
    }
}

pub fn tokens() -> tokens::Page {
    let monitor = tokens::Row {
        expires: None,
        last_used: None,
        read_only: true,
        addresses: "192.0.2.0/24, 2001:db8::/32".into(),
        ..token("9xk2mnp4qrst", "monitor")
    };
    let revoked = tokens::Row {
        end: Some((badge(Tone::Bad, Icon::Stopped, "Revoked"), "by you".into())),
        ..token("b4bcdefghijk", "pipeline of last year")
    };
    tokens::Page {
        frame: frame("API tokens", "tokens", Nav::Account),
        made: None,
        form: tokens::sample_form(),
        key: "7f0d".into(),
        password: None,
        errors: vec![],
        tokens: vec![token("a2bcdefghijk", "pipeline of the lab"), monitor],
        ended: vec![revoked],
    }
}

pub fn tokens_made() -> tokens::Page {
    tokens::Page {
        made: Some(tokens::Made {
            text: "nbt_a2bcdefghijk.dGhpcy1pcy1hLXNhbXBsZS1hbmQtbm8tdG9rZW4teA".into(),
            description: "pipeline of the lab".into(),
        }),
        ended: vec![],
        ..tokens()
    }
}

pub fn tokens_refused() -> tokens::Page {
    let mut page = tokens::Page { tokens: vec![], ended: vec![], ..tokens() };
    let error = "“host” is neither an address nor a network, as 192.0.2.7 and 192.0.2.0/24 are.";
    page.form.addresses.error = Some(error.into());
    page.errors = vec![("allowed_addresses", error.into())];
    page
}
