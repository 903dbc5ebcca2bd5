//! Whether a password would be guessed soon. There are no rules of composition: a password is refused when it is short,
//! cannot be typed, or is among the first that anybody tries. The lists of common passwords, names and rows of keys are
//! those of zxcvbn, and so is the judgement of what is little more than one of them.

use super::{PASSWORD_LENGTH, PasswordError};
use zxcvbn::zxcvbn;

/// Guesses, as a power of ten, that a password has to stand: more than anybody gets through against a login that is slowed down.
const GUESSES: f64 = 6.0;

/// Words that are tried first here: the names of what this console is about, and the password of a famous drawing.
const NEAR: &[&str] = &[
    "correcthorsebatterystaple",
    "hedgerow",
    "hedgehog",
    "githedgehog",
    "netbox",
    "fabric",
    "kubernetes",
    "openfabric",
];

/// Whether a password is good enough for a user of this name.
///
/// # Errors
/// What is wrong with it; the error says what to do.
pub fn check_password(user: &str, password: &str) -> Result<(), PasswordError> {
    let length = password.chars().count();
    if !PASSWORD_LENGTH.contains(&length) {
        return Err(PasswordError::Length);
    }
    if password.chars().any(char::is_control) {
        return Err(PasswordError::Control);
    }
    let folded = password.to_lowercase();
    let name = user.to_lowercase();
    if name.len() >= 3 && folded.replace(&name, "").chars().filter(|each| each.is_alphabetic()).count() < 4 {
        return Err(PasswordError::Name);
    }
    let mut near: Vec<&str> = NEAR.to_vec();
    near.push(user);
    if zxcvbn(password, &near).guesses_log10() < GUESSES {
        return Err(PasswordError::Common);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_guessed_first_is_refused_and_nothing_else() {
        for password in [
            "short",
            "Password123!",
            "password2026",
            "1234567890",
            "9876543210",
            "aaaaaaaaaaaa",
            "Hedgehog2026",
            "1q2w3e4r5t6y",
            "qwertyuiop",
            "adminadmin",
            "Alice.Smith1",
            "alice.smith",
            "correcthorsebatterystaple",
            "with\ttabulator in it",
        ] {
            assert!(check_password("alice.smith", password).is_err(), "{password}");
        }
        for password in [
            "correct rudder 7",
            "trellis-moth-92",
            "žluťoučký kůň",
            "no permissions",
            "a first password",
            "a second password",
        ] {
            assert!(check_password("alice.smith", password).is_ok(), "{password}");
        }
        assert!(check_password("alice", &"x1y2".repeat(300)).is_err(), "a file is not a password");
    }
}
