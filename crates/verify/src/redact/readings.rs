//! What a text says to whoever decodes it. HTML, JSON and addresses may write any character in another way, needed or
//! not, and no list of forms knows each mixture: the text is decoded, looked through, and what is found is led back to
//! where it stood.
//!
//! Not every text is decoded in every way after every other. Each way is taken alone, because a secret may itself look
//! like what another one decodes; then all together, and that a few times over.

use std::ops::Range;

/// So many times a text is decoded in all ways, one after the other: JSON that holds HTML that holds an address.
const DEPTH: usize = 3;

/// A way to write a character; the character that begins this text in that way, and how many bytes it takes.
type Way = fn(&str) -> Option<(char, usize)>;

/// Each way with what begins a character in it.
const WAYS: [(char, Way); 3] = [('&', html), ('\\', script), ('%', percent)];

/// The names of HTML for characters of ASCII.
const NAMED: [(&str, char); 40] = [
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("excl", '!'),
    ("quot", '"'),
    ("QUOT", '"'),
    ("num", '#'),
    ("dollar", '$'),
    ("percnt", '%'),
    ("amp", '&'),
    ("AMP", '&'),
    ("apos", '\''),
    ("lpar", '('),
    ("rpar", ')'),
    ("ast", '*'),
    ("midast", '*'),
    ("plus", '+'),
    ("comma", ','),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("lt", '<'),
    ("LT", '<'),
    ("equals", '='),
    ("gt", '>'),
    ("GT", '>'),
    ("quest", '?'),
    ("commat", '@'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("bsol", '\\'),
    ("rsqb", ']'),
    ("Hat", '^'),
    ("lowbar", '_'),
    ("grave", '`'),
    ("lcub", '{'),
    ("verbar", '|'),
    ("vert", '|'),
    ("rcub", '}'),
    ("rbrack", ']'),
];

/// Its names for the characters from U+00A0 to U+00FF, in their order.
const LATIN: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 \
    sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring \
    AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash \
    Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc \
    euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute \
    thorn yuml";

/// A text, decoded.
pub(super) struct Reading {
    /// What it says.
    pub text: String,
    /// For each byte of that, and for its end, where in what was decoded its character began.
    at: Vec<usize>,
}

impl Reading {
    /// Where in what was decoded something stands that was found in the text.
    pub fn origin(&self, found: &Range<usize>) -> Range<usize> {
        let at = |place: usize| self.at.get(place).copied().unwrap_or_default();
        at(found.start)..at(found.end)
    }
}

/// Everything that a text says to whoever decodes it; nothing of a text in which no character is written in another way.
pub(super) fn of(text: &str) -> Vec<Reading> {
    let ways: Vec<(char, Way)> = WAYS.into_iter().filter(|(sign, _)| text.contains(*sign)).collect();
    let mut all = Vec::new();
    if ways.len() > 1 {
        all.extend(ways.iter().filter_map(|way| decoded(text, &[*way])));
    }
    let mut deepest = decoded(text, &ways);
    for _ in 1..DEPTH {
        let Some(reading) = deepest else { break };
        deepest = decoded(&reading.text, &WAYS).map(|mut next| {
            next.at = next.at.iter().map(|place| reading.at.get(*place).copied().unwrap_or_default()).collect();
            next
        });
        all.push(reading);
    }
    all.extend(deepest);
    all
}

fn decoded(text: &str, ways: &[(char, Way)]) -> Option<Reading> {
    let signs: Vec<char> = ways.iter().map(|(sign, _)| *sign).collect();
    let mut done = 0;
    let mut reading: Option<Reading> = None;
    for (begin, _) in text.match_indices(signs.as_slice()) {
        let (Some(between), Some(rest)) = (text.get(done..begin), text.get(begin..)) else { continue };
        let found = ways.iter().filter(|(sign, _)| rest.starts_with(*sign)).find_map(|(_, way)| way(rest));
        let Some((one, length)) = found else { continue };
        let reading = reading.get_or_insert_with(|| Reading {
            text: String::with_capacity(text.len()),
            at: Vec::with_capacity(text.len() + 1),
        });
        reading.text.push_str(between);
        reading.at.extend(done..begin);
        reading.text.push(one);
        reading.at.extend(std::iter::repeat_n(begin, one.len_utf8()));
        done = begin + length;
    }
    if let Some(reading) = &mut reading {
        reading.text.push_str(text.get(done..).unwrap_or_default());
        reading.at.extend(done..=text.len());
    }
    reading
}

/// `&#54;`, `&#x36;`, `&amp;`; browsers also take a number, and the oldest names, without what ends them.
fn html(text: &str) -> Option<(char, usize)> {
    let rest = text.strip_prefix('&')?;
    let ended = |begun: usize| begun + usize::from(text.as_bytes().get(begun) == Some(&b';'));
    let Some(number) = rest.strip_prefix('#') else {
        let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        if rest.as_bytes().get(length) == Some(&b';') {
            return Some((named(&rest[..length])?, length + 2));
        }
        let old = ["amp", "AMP", "lt", "LT", "gt", "GT", "quot", "QUOT"];
        let name = old.into_iter().find(|name| rest.starts_with(name))?;
        return Some((named(name)?, name.len() + 1));
    };
    let (digits, radix, begun) = match number.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16, 3),
        None => (number, 10, 2),
    };
    let (one, length) = character(digits, radix)?;
    Some((one, ended(begun + length)))
}

fn named(name: &str) -> Option<char> {
    let ascii = NAMED.iter().find(|(own, _)| *own == name).map(|(_, one)| *one);
    ascii.or_else(|| {
        let place = LATIN.split_whitespace().position(|own| own == name)?;
        u8::try_from(0xa0 + place).ok().map(char::from)
    })
}

/// `\u0036`, `\/`, and what only scripts know: `\x36`, `\u{36}`.
fn script(text: &str) -> Option<(char, usize)> {
    let rest = text.strip_prefix('\\')?;
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        hex(digits)
    };
    let plain = match rest.chars().next()? {
        'u' => match rest.strip_prefix("u{") {
            Some(digits) => {
                let (one, length) = character(digits, 16)?;
                return (digits.as_bytes().get(length) == Some(&b'}')).then_some((one, length + 4));
            }
            None => {
                let first = unit(text)?;
                if let Some(one) = char::from_u32(first) {
                    return Some((one, 6));
                }
                let second = unit(text.get(6..)?)?;
                let pair = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
                return Some((char::decode_utf16(pair).next()?.ok()?, 12));
            }
        },
        'x' => return Some((char::from_u32(hex(rest.get(1..3)?)?)?, 4)),
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'f' => '\u{c}',
        one @ ('"' | '\'' | '\\' | '/') => one,
        _ => return None,
    };
    Some((plain, 2))
}

/// `%36`; a character of several bytes is several of them.
fn percent(text: &str) -> Option<(char, usize)> {
    let byte = |place: usize| {
        let digits = text.get(place * 3..place * 3 + 3)?.strip_prefix('%')?;
        u8::try_from(hex(digits)?).ok()
    };
    let length = match byte(0)? {
        0..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let bytes = (0..length).map(byte).collect::<Option<Vec<u8>>>()?;
    Some((std::str::from_utf8(&bytes).ok()?.chars().next()?, length * 3))
}

/// The character whose number begins a text, and how many digits that takes.
fn character(text: &str, radix: u32) -> Option<(char, usize)> {
    let digits = text.chars().map_while(|one| one.to_digit(radix));
    let (mut number, mut length) = (0_u32, 0);
    for digit in digits {
        number = number.checked_mul(radix)?.checked_add(digit)?;
        length += 1;
    }
    if length == 0 { None } else { Some((char::from_u32(number)?, length)) }
}

fn hex(digits: &str) -> Option<u32> {
    let all = digits.bytes().all(|one| one.is_ascii_hexdigit());
    all.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_led_back() {
        for (text, said, stood) in [
            ("ü&#54;u&amp;-", "6u&", "&#54;u&amp;"),
            (r"ü\u0036\ud83d\ude00-", "6😀", r"\u0036\ud83d\ude00"),
            ("%C3%BC%36u-", "üu".replace('u', "6u").as_str(), "%C3%BC%36u"),
            ("ü&amp;#5&#52;;u-", "6u", "&amp;#5&#52;;u"),
            ("&amp;amp;lt-", "<", "&amp;amp;lt"),
        ] {
            let readings = of(text);
            let found = readings.iter().find_map(|reading| {
                let begin = reading.text.find(said)?;
                text.get(reading.origin(&(begin..begin + said.len())))
            });
            assert_eq!(found, Some(stood), "{text}");
        }
        assert!(of("nothing & nothing %zz C:\\dir").is_empty());
    }

    #[test]
    fn a_secret_that_looks_like_another_way_is_found() {
        let readings = of("a&#37;41b\\u0026");
        assert!(readings.iter().any(|reading| reading.text.starts_with("a%41b")));
        let readings = of("a%41&#98;");
        assert!(readings.iter().any(|reading| reading.text == "a%41b"));
    }

    #[test]
    fn names_are_those_of_html() {
        assert_eq!(LATIN.split_whitespace().count(), 96);
        for (name, one) in [("nbsp", '\u{a0}'), ("times", '×'), ("szlig", 'ß'), ("yuml", 'ÿ'), ("commat", '@')] {
            assert_eq!(named(name), Some(one), "{name}");
        }
        assert_eq!(named("Nbsp"), None);
    }
}
