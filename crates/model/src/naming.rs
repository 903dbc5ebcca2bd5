//! How many things are named in one sentence: a few by name, the others by their number. Used by the rules before a
//! write, by prune, and by the engine.

/// So many are named.
const NAMED: usize = 5;

/// The first few names and how many more there are: `a, b`, or `a, b, c, d, e and 7 more`.
pub fn few<S: AsRef<str>>(names: &[S]) -> String {
    let named: Vec<&str> = names.iter().take(NAMED).map(AsRef::as_ref).collect();
    match names.len() - named.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// `has` of one, `have` of several.
pub fn verb<'v, S>(names: &[S], of_one: &'v str, of_many: &'v str) -> &'v str {
    if names.len() == 1 { of_one } else { of_many }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_named_and_the_others_are_counted() {
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        assert_eq!(few(&names[..0]), "");
        assert_eq!(few(&names[..2]), "a, b");
        assert_eq!(few(&names[..5]), "a, b, c, d, e");
        assert_eq!(few(&names), "a, b, c, d, e and 2 more");
        assert_eq!(verb(&names[..1], "has", "have"), "has");
        assert_eq!(verb(&names, "has", "have"), "have");
    }
}
