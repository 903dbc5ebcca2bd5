//! What a user may be called: the one place that says so, for pages and for the command line.

/// Longest name in characters, as in NetBox.
pub const USERNAME_LENGTH: usize = 150;

/// What a name looks like, in words.
pub const USERNAME_WORDS: &str = "a user's name has 1 to 150 letters, digits, or . _ - + @";

/// Whether somebody may be called this.
pub fn is_username(name: &str) -> bool {
    let sound = |c: char| c.is_alphanumeric() || "._-+@".contains(c);
    !name.is_empty() && name.chars().count() <= USERNAME_LENGTH && name.chars().all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_digits_and_a_few_signs() {
        for good in ["anna", "Zoë", "a.b_c-d+e@f", &"x".repeat(150)] {
            assert!(is_username(good), "{good}");
        }
        for bad in ["", "a b", "a/b", "<a>", "a\u{7}", &"x".repeat(151)] {
            assert!(!is_username(bad), "{bad:?}");
        }
        assert!(USERNAME_WORDS.contains(&USERNAME_LENGTH.to_string()));
    }
}
