//! Whether a text names somebody. Names of users are what directories make of them (`DOMAIN\alice`, `o'brien`,
//! `Alice Smith`), so that the name is looked for as a whole, and a word is what stands before and behind it.

/// Whether a page's text, white space made single, holds this name, and not only as a part of another.
pub(crate) fn names(text: &str, name: &str) -> bool {
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() {
        return false;
    }
    text.match_indices(&name).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let mut behind = text[at + found.len()..].chars();
        let (next, after) = (behind.next(), behind.next());
        // A dot is a part of names, and the end of a sentence.
        let ends = match next {
            Some('.') => after.is_none_or(|one| !is_of_a_name(one)),
            other => other.is_none_or(|one| !is_of_a_name(one)),
        };
        ends && before.is_none_or(|one| !is_of_a_name(one))
    })
}

fn is_of_a_name(one: char) -> bool {
    one.is_alphanumeric() || "._@+-".contains(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_as_a_whole() {
        for (text, name, wanted) in [
            (r"Logged in as DOMAIN\alice Log out", r"DOMAIN\alice", true),
            (r"DOMAIN\alice", "alice", true),
            ("o'brien · Log out", "o'brien", true),
            ("Welcome, Alice Smith (admin)", "Alice  Smith", true),
            ("You are alice.", "alice", true),
            ("alice@example.net", "alice@example.net", true),
            ("alice@example.net", "alice", false),
            ("malice alicent", "alice", false),
            ("alice-2", "alice", false),
            ("Jürgen", "rgen", false),
            ("nobody", "", false),
        ] {
            assert_eq!(names(text, name), wanted, "{name} in {text}");
        }
    }
}
