//! Canonical forms of single values: Go durations, MAC addresses, port speeds, subnet references, numbers.

use super::shape::Text;
use serde_json::Value;
use std::borrow::Cow;

/// A text in its canonical form; borrowed when it already is.
pub(crate) fn canonical_text<'a>(text: &'a str, form: Text) -> Cow<'a, str> {
    match form {
        Text::Plain => Cow::Borrowed(text),
        Text::Duration => match go_duration(text).map(write_go_duration) {
            Some(canonical) if canonical != text => Cow::Owned(canonical),
            _ => Cow::Borrowed(text),
        },
        Text::Speed => Cow::Borrowed(text.strip_prefix("SPEED_").unwrap_or(text)),
        Text::SubnetRef if text.contains('/') => Cow::Borrowed(text),
        Text::SubnetRef => Cow::Owned(format!("{text}/default")),
    }
}

/// Whether a value is what Go's `omitempty` leaves out.
pub(crate) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
    }
}

/// Nanoseconds of a Go duration such as `1h2m3.5s`, `-4ms` or `0`. `None` when it is none.
pub(crate) fn go_duration(text: &str) -> Option<i128> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (whole, after) = rest.split_at(digits);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len())),
            None => ("", after),
        };
        if (whole.is_empty() && fraction.is_empty()) || whole.len() > 18 || fraction.len() > 18 {
            return None;
        }
        let unit_len = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        let scale: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total += whole * scale;
        if !fraction.is_empty() {
            let part: i128 = fraction.parse().ok()?;
            total += part * scale / 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        }
        rest = after;
    }
    Some(sign * total)
}

/// A duration as Go writes it: `5m0s`, `1h0m0s`, `1.5s`, `300ms`.
pub(crate) fn write_go_duration(nanos: i128) -> String {
    let (sign, n) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let decimal = |n: u128, unit: u128| {
        let (whole, part) = (n / unit, n % unit);
        if part == 0 {
            return whole.to_string();
        }
        let width = unit.ilog10() as usize;
        format!("{whole}.{}", format!("{part:0width$}").trim_end_matches('0'))
    };
    match n {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{n}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", decimal(n, 1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", decimal(n, 1_000_000)),
        _ => {
            let seconds = decimal(n % 60_000_000_000, 1_000_000_000);
            let minutes = n / 60_000_000_000;
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, m) => format!("{sign}{m}m{seconds}s"),
                (h, m) => format!("{sign}{h}h{m}m{seconds}s"),
            }
        }
    }
}

/// A MAC address in lower case with colons, from any of the forms that Go reads (`AA-BB-..`, `aabb.ccdd.eeff`, ...).
/// `None` when it is none.
pub(crate) fn canonical_mac(text: &str) -> Option<String> {
    let separator = *text.as_bytes().get(2).filter(|b| matches!(b, b':' | b'-')).unwrap_or(&b'.') as char;
    let group = if separator == '.' { 4 } else { 2 };
    let mut hex = String::with_capacity(16);
    for part in text.split(separator) {
        if part.len() != group || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        hex.push_str(part);
    }
    if !matches!(hex.len(), 12 | 16 | 40) {
        return None;
    }
    let mut mac = String::with_capacity(hex.len() * 3 / 2);
    for (n, c) in hex.chars().enumerate() {
        if n > 0 && n % 2 == 0 {
            mac.push(':');
        }
        mac.push(c.to_ascii_lowercase());
    }
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_as_go_does() {
        for (text, canonical) in [
            ("5m", "5m0s"),
            ("300s", "5m0s"),
            ("5m0s", "5m0s"),
            ("1h", "1h0m0s"),
            ("90m", "1h30m0s"),
            ("1.5s", "1.5s"),
            ("1500ms", "1.5s"),
            ("0", "0s"),
            ("-2m", "-2m0s"),
            ("100us", "100µs"),
            ("12ns", "12ns"),
            (".5h", "30m0s"),
        ] {
            assert_eq!(go_duration(text).map(write_go_duration).as_deref(), Some(canonical), "{text}");
        }
        for text in ["", "5", "m", "5x", "5m.", "1..2s", "five"] {
            assert_eq!(go_duration(text), None, "{text}");
        }
    }

    #[test]
    fn mac_addresses_have_one_form() {
        for text in ["AA-BB-CC-DD-EE-02", "aa:bb:cc:dd:ee:02", "AABB.CCDD.EE02"] {
            assert_eq!(canonical_mac(text).as_deref(), Some("aa:bb:cc:dd:ee:02"), "{text}");
        }
        for text in ["zz", "aa:bb", "aa:bb:cc:dd:ee:0", "aa-bb:cc-dd-ee-02", "", "aabbccddee02", "ää:bb:cc:dd:ee:02"]
        {
            assert_eq!(canonical_mac(text), None, "{text}");
        }
    }
}
