//! Times as pages say them: relative, with the absolute time in the title and in the machine-readable attribute.

use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// A moment, seen from now. Written as a `<time>` element that the page's script keeps current.
#[derive(Debug, Clone, Copy)]
pub struct When {
    at: Timestamp,
    now: Timestamp,
}

impl When {
    /// A moment, seen from `now`.
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { at, now }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = machine(self.at);
        let absolute = absolute(self.at);
        let relative = relative(self.at, self.now);
        write!(f, r#"<time datetime="{machine}" title="{absolute}" data-ago>{relative}</time>"#)
    }
}

impl askama::filters::HtmlSafe for When {}

/// How long it is until a moment, or since one. Written as a `<time>` element that the page's script keeps current.
#[derive(Debug, Clone, Copy)]
pub enum Span {
    /// Until it comes; "0 s" from then on.
    Until(When),
    /// Since it was.
    Since(When),
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (way, at, span) = match *self {
            Self::Until(when) => ("left", when.at, when.at.duration_since(when.now)),
            Self::Since(when) => ("since", when.at, when.now.duration_since(when.at)),
        };
        let words = if span.as_secs() < 1 { "0 s".to_owned() } else { length(span) };
        let (machine, absolute) = (machine(at), absolute(at));
        write!(f, r#"<time datetime="{machine}" title="{absolute}" data-{way}>{words}</time>"#)
    }
}

impl askama::filters::HtmlSafe for Span {}

/// The moment for machines, to the second.
pub fn machine(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The moment for people, in the server's zone of reference.
pub fn absolute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The moment as seen from now: "12 s ago", "in 40 s", "3 d ago". `live.js` says it in the same words.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let distance = now.duration_since(at);
    let size = span(distance.abs());
    match distance.as_secs() {
        -1..=1 => "now".to_owned(),
        2.. => format!("{size} ago"),
        _ => format!("in {size}"),
    }
}

/// How long something took: finer than a span since.
pub fn length(length: SignedDuration) -> String {
    match length.as_millis() {
        ..1_000 => format!("{} ms", length.as_millis().max(0)),
        1_000..10_000 => format!("{:.1} s", length.as_secs_f64()),
        10_000..120_000 => format!("{} s", length.as_secs()),
        _ if length.as_secs() % 60 == 0 => format!("{} min", length.as_secs() / 60),
        _ => format!("{} min {} s", length.as_secs() / 60, length.as_secs() % 60),
    }
}

/// A length of time in its largest fitting unit.
pub fn span(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    match seconds {
        ..=0 => format!("{} ms", length.as_millis()),
        1..=99 => format!("{seconds} s"),
        100..=5_999 => format!("{} min", seconds / 60),
        6_000..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_people_say_them() {
        let now: Timestamp = "2026-02-03T14:02:00Z".parse().unwrap();
        let before = |seconds: i64| relative(now - SignedDuration::from_secs(seconds), now);
        assert_eq!(before(0), "now");
        assert_eq!(before(12), "12 s ago");
        assert_eq!(before(99), "99 s ago");
        assert_eq!(before(180), "3 min ago");
        assert_eq!(before(2 * 3_600), "2 h ago");
        assert_eq!(before(3 * 86_400), "3 d ago");
        assert_eq!(before(-40), "in 40 s");
        assert_eq!(span(SignedDuration::from_millis(340)), "340 ms");
        assert_eq!(length(SignedDuration::from_millis(1_440)), "1.4 s");
        assert_eq!(length(SignedDuration::from_secs(75)), "75 s");
        assert_eq!(length(SignedDuration::from_secs(150)), "2 min 30 s");
        let until = Span::Until(When::new(now + SignedDuration::from_secs(894), now)).to_string();
        assert!(until.ends_with(" data-left>14 min 54 s</time>"), "{until}");
        let since = Span::Since(When::new(now - SignedDuration::from_secs(5), now)).to_string();
        assert!(since.ends_with(" data-since>5.0 s</time>"), "{since}");
        assert_eq!(
            When::new(now, now).to_string(),
            r#"<time datetime="2026-02-03T14:02:00Z" title="2026-02-03 14:02:00 UTC" data-ago>now</time>"#
        );
    }
}
