//! Inputs that nobody thought of, for everything that strangers write: cookies, tokens, forms, addresses, headers,
//! constraints. What is checked is not only that nothing breaks, but what must hold whatever comes.
//!
//! Under `cargo test` each target runs for a moment with random inputs; `cargo bolero test fuzz::NAME` looks for
//! inputs with the coverage in view, for as long as one likes (see CONTRIBUTING.md).

mod headers;
mod lists;
mod tokens;

use std::time::Duration;

/// How long a target runs under `cargo test`.
const SHORT: Duration = Duration::from_millis(1_500);

/// So long an input may be.
const LONGEST: usize = 40;

/// Text out of bytes: most stand for a word that means something where it is read, the others for themselves. Random
/// bytes alone would never be more than refused.
fn text(bytes: &[u8], words: &[&str]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            64..=255 => text.push_str(words[usize::from(*byte) % words.len()]),
            _ => text.push(char::from(*byte * 2 + byte % 2)),
        }
    }
    text
}

/// Runs a property over byte strings. A macro, because a target is known by where it stands.
macro_rules! check {
    ($property:expr) => {
        bolero::check!()
            .with_test_time($crate::fuzz::SHORT)
            .with_iterations(1_000_000)
            .with_max_len($crate::fuzz::LONGEST)
            .for_each($property)
    };
}
use check;
