//! lesson 38: the contrast of every text and every mark on every ground that it stands on, in both themes, computed
//! from the sheet itself.

use std::collections::BTreeMap;

type Palette = BTreeMap<String, [f64; 3]>;

fn sheet() -> String {
    String::from_utf8(crate::assets::get("tokens.css").unwrap().0.into_owned()).unwrap()
}

/// The custom properties of the block that begins with this selector, those that are plain colours.
fn palette(sheet: &str, selector: &str) -> Palette {
    let (_, rest) = sheet.split_once(selector).unwrap_or_else(|| panic!("no block {selector}"));
    let block = rest.split_once('{').unwrap().1.split_once('}').unwrap().0;
    let mut plain = String::new();
    for part in block.split("/*") {
        plain.push_str(part.split_once("*/").map_or(part, |(_, after)| after));
    }
    plain
        .split(';')
        .filter_map(|line| line.trim().strip_prefix("--")?.split_once(':'))
        .filter_map(|(name, value)| Some((name.trim().to_owned(), colour(value.trim())?)))
        .collect()
}

fn colour(text: &str) -> Option<[f64; 3]> {
    let hex = text.strip_prefix('#').filter(|hex| hex.len() == 6)?;
    let part = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).ok().map(|byte| f64::from(byte) / 255.0);
    Some([part(0)?, part(2)?, part(4)?])
}

fn luminance(colour: [f64; 3]) -> f64 {
    let linear = |c: f64| if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
    0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2])
}

fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (a, b) = (luminance(one), luminance(other));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn lesson_38_everything_can_be_read_in_both_themes() {
    let sheet = sheet();
    let grounds = ["ground", "panel", "sunken"];
    let tones = ["good", "waiting", "changed", "busy", "bad", "off"];
    for (theme, selector) in [("light", ":root {"), ("dark", ":root[data-theme=\"dark\"] {")] {
        let palette = palette(&sheet, selector.trim_end_matches(" {"));
        let check = |front: &str, back: &str, least: f64| {
            let ratio = contrast(palette[front], palette[back]);
            assert!(ratio >= least, "{theme}: {front} on {back} is {ratio:.2} : 1, at least {least} is needed");
        };
        for ground in grounds {
            check("text", ground, 7.0);
            check("text-quiet", ground, 4.5);
            check("accent", ground, 4.5);
            check("focus", ground, 3.0);
            check("line-strong", ground, if ground == "sunken" { 2.7 } else { 3.0 });
        }
        check("on-accent", "accent", 4.5);
        check("on-accent", "accent-hover", 4.5);
        for tone in tones {
            check(tone, "panel", 4.5);
            check(tone, "ground", 4.5);
            check(tone, &format!("{tone}-ground"), 4.5);
            check("text", &format!("{tone}-ground"), 7.0);
            check("text-quiet", &format!("{tone}-ground"), 4.5);
            // The cut of a mark is the ground's colour.
            check(tone, &format!("{tone}-ground"), 3.0);
        }
        // Words of a stale badge stand on both stripes of the hatch.
        check("off", "hatch", 3.0);
    }
}

#[test]
fn the_dark_theme_is_written_twice_and_is_the_same_twice() {
    let sheet = sheet();
    let chosen = palette(&sheet, ":root[data-theme=\"dark\"]");
    let by_system = palette(&sheet, ":root:not([data-theme=\"light\"])");
    assert_eq!(chosen, by_system);
    assert_eq!(chosen.keys().collect::<Vec<_>>(), palette(&sheet, ":root").keys().collect::<Vec<_>>());
}

#[test]
fn no_other_sheet_names_a_colour() {
    for name in ["frame.css", "parts.css", "pages.css"] {
        let sheet = String::from_utf8(crate::assets::get(name).unwrap().0.into_owned()).unwrap();
        let screen = sheet.split("@media print").next().unwrap();
        for (number, line) in screen.lines().enumerate() {
            let value = line.split_once(':').map_or("", |(_, value)| value);
            assert!(!value.contains('#'), "{name}:{}: {line}", number + 1);
        }
    }
}
