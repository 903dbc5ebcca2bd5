//! The icons, drawn on a 16 × 16 grid in the colour of the text around them. The shapes of the states differ so that
//! they can be told apart without colour. `cut` strokes take the colour of the ground behind the icon.

use std::fmt;

macro_rules! icons {
    ($( $(#[$doc:meta])* $variant:ident, $name:literal, $svg:literal; )*) => {
        /// An icon.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Icon { $( $(#[$doc])* $variant, )* }

        impl Icon {
            /// Every icon.
            #[cfg(test)]
            pub const ALL: &[Icon] = &[$(Icon::$variant,)*];
            const fn markup(self) -> &'static str {
                match self { $( Icon::$variant => concat!(
                    "<svg class=\"icon icon-", $name, "\" viewBox=\"0 0 16 16\" aria-hidden=\"true\" focusable=\"false\">", $svg, "</svg>"
                ), )* }
            }
        }
    };
}

icons! {
    /// In sync, applied, done: a filled circle with a tick.
    Tick, "tick", r#"<circle cx="8" cy="8" r="7" fill="currentColor"/><path class="cut" d="M4.7 8.3l2.3 2.3 4.3-4.9" fill="none" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/>"#;
    /// Not delivered yet: an arrow to the right.
    Arrow, "arrow", r#"<path d="M2 8h10.5M8.5 3.5L13 8l-4.5 4.5" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"/>"#;
    /// Changed in the cluster: a pencil.
    Pencil, "pencil", r#"<path d="M2 14l.8-3.6L10.9 2.3a1.4 1.4 0 0 1 2 0l.8.8a1.4 1.4 0 0 1 0 2L5.6 13.2z" fill="currentColor"/><path class="cut" d="M9.6 4.2l2.2 2.2" fill="none" stroke-width="1.2"/>"#;
    /// Was live and is gone: a dashed circle with a bar.
    Gone, "gone", r#"<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.8" stroke-dasharray="3.1 2.2"/><path d="M5 8h6" stroke="currentColor" stroke-width="1.8" stroke-linecap="round"/>"#;
    /// Both sides changed: two arrows that meet.
    Clash, "clash", r#"<path d="M1.5 8h4M3.7 5.2L6.5 8l-2.8 2.8M14.5 8h-4M12.3 5.2L9.5 8l2.8 2.8" fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round"/><path d="M8 2v12" stroke="currentColor" stroke-width="1.4" stroke-linecap="round"/>"#;
    /// Only in the cluster: a plus in a square.
    Extra, "extra", r#"<rect x="2" y="2" width="12" height="12" rx="2" fill="none" stroke="currentColor" stroke-width="1.8"/><path d="M8 5v6M5 8h6" stroke="currentColor" stroke-width="1.8" stroke-linecap="round"/>"#;
    /// Under way: a ring that turns where motion is allowed.
    Ring, "syncing", r#"<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-opacity=".28" stroke-width="2.4"/><path class="turn" d="M8 2a6 6 0 0 1 6 6" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round"/>"#;
    /// Failed: a filled square with an exclamation mark.
    Bang, "error", r#"<rect x="1" y="1" width="14" height="14" rx="2.5" fill="currentColor"/><path class="cut" d="M8 4.2v4.6M8 11.7v.1" fill="none" stroke-width="2" stroke-linecap="round"/>"#;
    /// Done for some, not for all: a circle that is half filled.
    Half, "half", r#"<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="2"/><path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor"/>"#;
    /// Unknown or stale: a question mark.
    Question, "unknown", r#"<path d="M5.2 5.4A2.9 2.9 0 1 1 9.4 8c-.9.5-1.4 1-1.4 2M8 13v.1" fill="none" stroke="currentColor" stroke-width="2.1" stroke-linecap="round" stroke-linejoin="round"/>"#;
    /// Never, not configured, off: a hollow circle.
    Hollow, "hollow", r#"<circle cx="8" cy="8" r="5.8" fill="none" stroke="currentColor" stroke-width="2"/>"#;
    /// Waits: a clock.
    Clock, "clock", r#"<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.8"/><path d="M8 4.6V8l2.3 1.6" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/>"#;
    /// Ended by somebody: a circle with a bar across.
    Stopped, "stopped", r#"<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.9"/><path d="M3.9 12.1l8.2-8.2" stroke="currentColor" stroke-width="1.9"/>"#;
    /// Offline: a plug that is out.
    Unplugged, "unplugged", r#"<path d="M2 14l2.6-2.6M3.6 9.2l3.2 3.2 1.4-1.4-3.2-3.2zM9.2 3.6l3.2 3.2L11 8.2 7.8 5zM14 2l-2.6 2.6M6.2 7.6l1.4-1.4M8.4 9.8l1.4-1.4" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"/>"#;
    /// A warning: a triangle.
    Warning, "warning", r#"<path d="M8 1.6L15.2 14H.8z" fill="currentColor" stroke="currentColor" stroke-width="1" stroke-linejoin="round"/><path class="cut" d="M8 6v4M8 12.2v.1" fill="none" stroke-width="1.7" stroke-linecap="round"/>"#;
    /// For information: an i in a circle.
    Info, "info", r#"<circle cx="8" cy="8" r="6.4" fill="none" stroke="currentColor" stroke-width="1.6"/><path d="M8 7.4v3.6M8 4.9V5" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round"/>"#;
    /// A lock that is open: certificates are not checked.
    Unlocked, "unlocked", r#"<rect x="2.5" y="7" width="11" height="7.5" rx="1.5" fill="currentColor"/><path d="M5 7V4.8a3 3 0 0 1 5.8-1" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round"/>"#;
    /// The product's mark: a hedgerow.
    Hedge, "hedge", r#"<path d="M1 13h14M2.5 13V8.5a2 2 0 0 1 4 0V13M6 13V5.5a2.2 2.2 0 0 1 4.4 0V13M9.6 13V8.5a2 2 0 0 1 4 0V13" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round"/>"#;
    /// Fabrics.
    Fabric, "fabric", r#"<path d="M3.2 3.6h2.6v2.6H3.2zM10.2 3.6h2.6v2.6h-2.6zM1.6 10.4h2.6V13H1.6zM6.7 10.4h2.6V13H6.7zM11.8 10.4h2.6V13h-2.6zM4.5 6.2L3 10.4M4.5 6.2L8 10.4M11.5 6.2L8 10.4M11.5 6.2l1.6 4.2" fill="none" stroke="currentColor" stroke-width="1.3" stroke-linejoin="round"/>"#;
    /// Activity.
    Activity, "activity", r#"<path d="M1.5 8.5h3l2-5.5 3 10 2-4.5h3" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"/>"#;
    /// Verify: a tick on a shield.
    Shield, "shield", r#"<path d="M8 1.4l5.6 2v4.3c0 3.3-2.3 5.6-5.6 6.9-3.3-1.3-5.6-3.6-5.6-6.9V3.4z" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round"/><path d="M5.3 7.9l2 2 3.5-3.8" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"/>"#;
    /// A menu.
    Menu, "menu", r#"<path d="M2 4h12M2 8h12M2 12h12" stroke="currentColor" stroke-width="1.7" stroke-linecap="round"/>"#;
    /// The light theme.
    Sun, "sun", r#"<circle cx="8" cy="8" r="3" fill="none" stroke="currentColor" stroke-width="1.6"/><path d="M8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8L13 13M13 3l-1.2 1.2M4.2 11.8L3 13" stroke="currentColor" stroke-width="1.5" stroke-linecap="round"/>"#;
    /// The dark theme.
    Moon, "moon", r#"<path d="M13.4 9.8A6 6 0 0 1 6.2 2.6a6 6 0 1 0 7.2 7.2z" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linejoin="round"/>"#;
    /// The system's theme.
    System, "system", r#"<rect x="1.8" y="2.6" width="12.4" height="8.4" rx="1.2" fill="none" stroke="currentColor" stroke-width="1.5"/><path d="M5.5 13.6h5" stroke="currentColor" stroke-width="1.5" stroke-linecap="round"/>"#;
    /// A person.
    Person, "person", r#"<circle cx="8" cy="5" r="2.8" fill="none" stroke="currentColor" stroke-width="1.5"/><path d="M2.6 14a5.4 5.4 0 0 1 10.8 0" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round"/>"#;
    /// Taken off: a cross.
    Cross, "cross", r#"<path d="M4 4l8 8M12 4l-8 8" stroke="currentColor" stroke-width="1.7" stroke-linecap="round"/>"#;
}

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.markup())
    }
}

impl askama::filters::HtmlSafe for Icon {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_icons_are_alike_and_none_has_a_style() {
        let mut seen = std::collections::HashSet::new();
        for icon in Icon::ALL {
            let markup = icon.to_string();
            assert!(!markup.contains("style="), "{icon:?}");
            assert!(seen.insert(markup), "{icon:?} is drawn twice");
        }
    }
}
