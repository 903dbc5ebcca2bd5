//! The forms in which one secret may stand in what passes by: as it is, in an address, in a form, in HTML, in JSON, in
//! base64. Each is looked for as text, so that what is hidden is exactly what stood there.

use super::SHORTEST;
use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeSet;
use std::ops::Range;

/// What RFC 3986 leaves as it is.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// What a script's `encodeURIComponent` leaves as it is.
const COMPONENT: &AsciiSet = &STRICT.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
/// What is left in a path.
const PATH: &AsciiSet = &STRICT.remove(b'/');
/// What browsers leave in a query that nobody escaped by hand.
const QUERY: &AsciiSet =
    &percent_encoding::CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'\'').add(b'%');

/// How HTML writes a character beside the character itself, each in a way of its own.
const HTML: [(&[&str], char); 5] = [
    (&["&amp;", "&#38;", "&#x26;"], '&'),
    (&["&lt;", "&#60;", "&#x3c;", "&#x3C;"], '<'),
    (&["&gt;", "&#62;", "&#x3e;", "&#x3E;"], '>'),
    (&["&quot;", "&#34;", "&#x22;", "\""], '"'),
    (&["&#39;", "&#x27;", "&apos;", "&#039;", "'"], '\''),
];

/// The most ways in which one character of [`HTML`] is written.
const WAYS: usize = 5;

/// Every form of a secret, the longest first. `deep` also gives those that only what was told needs: base64, of which
/// the secret may be any part.
pub(super) fn of(secret: &str, deep: bool) -> Vec<SecretString> {
    let mut all = BTreeSet::from([secret.to_owned()]);
    let json = json(secret);
    all.extend(html(secret));
    all.extend(json.iter().flat_map(|text| html(text)));
    all.extend(json);
    for set in [STRICT, COMPONENT, PATH, QUERY, NON_ALPHANUMERIC] {
        let upper = utf8_percent_encode(secret, set).to_string();
        all.insert(lower_hex(&upper));
        all.insert(upper);
    }
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    all.insert(lower_hex(&form));
    all.insert(form);
    if deep {
        all.extend(base64(secret.as_bytes()));
    }
    let mut all: Vec<String> = all.into_iter().filter(|form| form.len() >= SHORTEST).collect();
    all.sort_by_key(|form| std::cmp::Reverse(form.len()));
    all.into_iter().map(SecretString::from).collect()
}

/// Every form of one secret, looked for all at once.
pub(super) struct Forms {
    all: Vec<SecretString>,
    /// What looks for them. If it cannot be built, they are looked for one by one.
    together: Option<AhoCorasick>,
}

impl Forms {
    /// Every form of a secret.
    pub fn of(secret: &str) -> Self {
        Self::together(of(secret, true))
    }

    /// The same in small letters.
    pub fn small(secret: &str) -> Self {
        let forms = of(secret, true);
        let small: BTreeSet<String> = forms.iter().map(|form| form.expose_secret().to_ascii_lowercase()).collect();
        Self::together(small.into_iter().map(SecretString::from).collect())
    }

    fn together(all: Vec<SecretString>) -> Self {
        let texts = all.iter().map(|form| form.expose_secret().as_bytes());
        let together = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(texts).ok();
        Self { all, together }
    }

    /// Whether a text holds one of the forms.
    pub fn stand_in(&self, text: &str) -> bool {
        match &self.together {
            Some(together) => together.is_match(text),
            None => self.all.iter().any(|form| text.contains(form.expose_secret())),
        }
    }

    /// Where they stand in a text.
    pub fn found_in(&self, text: &str) -> Vec<Range<usize>> {
        match &self.together {
            Some(together) => together.find_iter(text).map(|found| found.range()).collect(),
            None => found_in(&self.all, text),
        }
    }
}

/// Where forms stand in a text, looked for one by one.
pub(super) fn found_in(forms: &[SecretString], text: &str) -> Vec<Range<usize>> {
    let found = forms.iter().flat_map(|form| text.match_indices(form.expose_secret()));
    found.map(|(begin, form)| begin..begin + form.len()).collect()
}

fn lower_hex(text: &str) -> String {
    let mut parts = text.split('%');
    let mut lower = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // Behind a percent sign of the encoder stand two ASCII characters.
        let (hex, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        lower.push('%');
        lower.push_str(&hex.to_ascii_lowercase());
        lower.push_str(rest);
    }
    lower
}

/// The ways of templates: one writes each character always in the same way, and most leave quotes alone or write both.
fn html(secret: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let ways = |of: &[char]| if secret.contains(of) { 0..WAYS } else { 0..1 };
    for sharp in ways(&['&', '<', '>']) {
        for double in ways(&['"']) {
            for single in ways(&['\'']) {
                let mut text = String::with_capacity(secret.len());
                for one in secret.chars() {
                    let way = match one {
                        '"' => double,
                        '\'' => single,
                        _ => sharp,
                    };
                    match HTML.iter().find(|(_, plain)| *plain == one) {
                        Some((ways, _)) => text.push_str(ways[way.min(ways.len() - 1)]),
                        None => text.push(one),
                    }
                }
                all.insert(text);
            }
        }
    }
    all
}

/// As it stands between the quotes of a JSON text, also of one that may stand in HTML.
fn json(secret: &str) -> BTreeSet<String> {
    let Ok(quoted) = serde_json::to_string(secret) else { return BTreeSet::new() };
    let plain = quoted.trim_start_matches('"');
    let plain = plain.strip_suffix('"').unwrap_or(plain).to_owned();
    let ascii = |is_upper: bool, also: &str| {
        let mut text = String::new();
        for one in plain.chars() {
            if one.is_ascii() && !also.contains(one) {
                text.push(one);
                continue;
            }
            for unit in one.encode_utf16(&mut [0; 2]) {
                text.push_str(&if is_upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") });
            }
        }
        text
    };
    let mut all = BTreeSet::from([plain.replace('/', "\\/")]);
    for also in ["", "<>&", "<>&'"] {
        all.extend([ascii(false, also), ascii(true, also)]);
    }
    all.insert(plain);
    all
}

/// What is always there of it in base64, wherever it stands in what was encoded.
fn base64(secret: &[u8]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret);
        let text = STANDARD_NO_PAD.encode(&bytes);
        // The first characters also hold what stands before, the last what stands behind.
        let first = [0, 2, 3][before];
        let last = bytes.len() * 8 / 6;
        if let Some(core) = text.get(first..last) {
            all.insert(core.replace('+', "-").replace('/', "_"));
            all.insert(core.to_owned());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_secret_is_known() {
        let secret = "R&D <x> \"a'b/ü";
        let forms = Forms::of(secret);
        for written in [
            secret,
            "R%26D%20%3Cx%3E%20%22a%27b%2F%C3%BC",
            "R%26D%20%3cx%3e%20%22a%27b%2f%c3%bc",
            "R%26D%20%3Cx%3E%20%22a'b%2F%C3%BC",
            "R%26D+%3Cx%3E+%22a%27b%2F%C3%BC",
            "R&amp;D &lt;x&gt; &quot;a&#39;b/ü",
            "R&#38;D &#60;x&#62; &#34;a&#39;b/ü",
            "R&amp;D &lt;x&gt; \"a'b/ü",
            "R&amp;D &lt;x&gt; &quot;a&#x27;b/ü",
            r#"R&D <x> \"a'b/ü"#,
            r#"R&D <x> \"a'b\/ü"#,
            r#"R\u0026D \u003cx\u003e \"a'b/\u00fc"#,
            r#"R\u0026D \u003Cx\u003E \"a'b/\u00FC"#,
            r"R&amp;D &lt;x&gt; \&quot;a&#39;b/ü",
        ] {
            assert!(forms.stand_in(&format!("before {written} behind")), "{written}");
        }
        for (before, behind) in [("", ""), ("bob:", ""), ("eve:", "\n"), ("token: ", "more")] {
            let text = base64::engine::general_purpose::STANDARD.encode(format!("{before}{secret}{behind}"));
            assert!(forms.stand_in(&text), "{text}");
            assert!(forms.stand_in(&text.replace('+', "-").replace('/', "_")), "{text}");
        }
        assert!(!forms.stand_in("R&D is a department, and R&amp;D is how it is written"));
    }

    #[test]
    fn plain_words_have_few_forms() {
        assert_eq!(of("0123456789abcdef", false).len(), 1);
        assert!(of("0123456789abcdef", true).len() <= 4);
    }
}
