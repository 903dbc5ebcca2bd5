//! Times, lengths and foreign text, as they are written for people: in UTC, with the same digits each time, and without
//! the bytes that would steer a terminal. Used by every file of the folder that people read.

use jiff::Timestamp;
use std::time::Duration;

/// "2026-03-02 14:05:09 UTC".
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// "14:05:09.120", for what stands beside its day.
pub fn clock_time(at: Timestamp) -> String {
    at.strftime("%H:%M:%S%.3f").to_string()
}

/// How much later the second is than the first, in milliseconds; 0 when it is earlier.
pub fn ms_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0)
}

/// "84 ms", "3.4 s", "2 min 05 s".
pub fn length(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        60_000..3_600_000 if ms % 60_000 < 1000 => format!("{} min", ms / 60_000),
        60_000..3_600_000 => format!("{} min {:02} s", ms / 60_000, ms % 60_000 / 1000),
        _ => format!("{} h {:02} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// The same for those who want the type.
pub fn duration(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// "412 bytes", "64.0 KiB".
pub fn size(bytes: u64) -> String {
    match bytes {
        1 => "1 byte".to_owned(),
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{}.{} KiB", bytes / 1024, bytes % 1024 * 10 / 1024),
        _ => format!("{}.{} MiB", bytes / 1_048_576, bytes % 1_048_576 * 10 / 1_048_576),
    }
}

/// "1 step", "2 steps".
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A text of others for a terminal or a log: line ends and tabs as they are, other control characters as their number.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => out.push(character),
            '\r' => {}
            _ if is_steering(character) => out.push_str(&format!("\\u{{{:x}}}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out
}

/// Controls, and what turns the direction of a text around.
fn is_steering(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The beginning of a text, at most so many bytes, and how many bytes it leaves out.
pub fn beginning(text: &str, most: usize) -> (&str, usize) {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    (&text[..end], text.len() - end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_at_a_glance() {
        for (ms, words) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (3_450, "3.4 s"),
            (125_000, "2 min 05 s"),
            (600_000, "10 min"),
            (3_720_000, "1 h 02 min"),
        ] {
            assert_eq!(length(ms), words);
        }
        assert_eq!([size(1), size(412), size(1536), size(5 << 20)], ["1 byte", "412 bytes", "1.5 KiB", "5.0 MiB"]);
    }

    #[test]
    fn nothing_steers_a_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\u{202e}c\r\nd"), "a\\u{1b}[2Jb\\u{202e}c\nd");
        assert_eq!(beginning("üü", 3), ("ü", 2));
    }
}
