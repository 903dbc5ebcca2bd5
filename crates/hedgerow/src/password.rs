//! Passwords as the command line meets them: asked for on the terminal, read from standard input, and refused when they
//! would be guessed first. How they are hashed, and how the first one is made, is the business of `auth`.

use crate::Misuse;
use anyhow::{Context as _, bail};
use auth::PASSWORD_LENGTH;
use secrecy::{ExposeSecret as _, SecretString};
use std::io::{BufRead as _, IsTerminal as _, Read as _};

/// What stands at the top of every list of leaked passwords, from ten characters on, without its decoration: upper and
/// lower case, and digits and signs at the end, are ignored when a password is looked up.
const COMMON: &[&str] = &[
    "password",
    "passwort",
    "passw0rd",
    "p@ssword",
    "p@ssw0rd",
    "motdepasse",
    "contraseña",
    "wachtwoord",
    "passwordpassword",
    "mypassword",
    "thepassword",
    "newpassword",
    "changeme",
    "changemenow",
    "changeit",
    "letmein",
    "letmeinnow",
    "letmeinplease",
    "welcome",
    "welcomehome",
    "administrator",
    "administrador",
    "adminadmin",
    "admin",
    "rootroot",
    "superuser",
    "superadmin",
    "qwerty",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertyqwerty",
    "qazwsxedc",
    "1q2w3e4r5t",
    "1q2w3e4r5t6y",
    "q1w2e3r4t5",
    "1qaz2wsx3edc",
    "1qazxsw2",
    "zaq12wsx",
    "iloveyou",
    "iloveyouforever",
    "loveyou",
    "sunshine",
    "princess",
    "football",
    "basketball",
    "baseball",
    "liverpool",
    "manchester",
    "chocolate",
    "butterfly",
    "spiderman",
    "superman",
    "batman",
    "starwars",
    "dragon",
    "monkey",
    "shadow",
    "michael",
    "jennifer",
    "elizabeth",
    "alexander",
    "christopher",
    "trustnoone",
    "trustno",
    "abcdefghij",
    "abcdefghijk",
    "abcdef",
    "abc",
    "secret",
    "topsecret",
    "supersecret",
    "default",
    "testtest",
    "test",
    "guest",
    "qwe",
    "asd",
    "zxc",
    "hedgerow",
    "hedgehog",
    "githedgehog",
    "netbox",
    "fabric",
    "kubernetes",
    "openfabric",
    "correcthorsebatterystaple",
    "summer",
    "winter",
    "spring",
    "autumn",
];

/// Takes a password for a user from the terminal, twice, or from the first line of standard input, and checks it.
pub(crate) fn take(user: &str, from_stdin: bool) -> anyhow::Result<SecretString> {
    let password = if from_stdin { from_standard_input()? } else { from_terminal(user)? };
    check(user, password.expose_secret()).map_err(Misuse)?;
    Ok(password)
}

/// Whether a password is good enough; the error says what to do.
pub(crate) fn check(user: &str, password: &str) -> Result<(), String> {
    let (shortest, longest) = PASSWORD_LENGTH.into_inner();
    let length = password.chars().count();
    if length < shortest {
        return Err(format!("the password is shorter than {shortest} characters; choose a longer one"));
    }
    if length > longest {
        return Err(format!("the password is longer than {longest} characters; choose a shorter one"));
    }
    if password.chars().any(char::is_control) {
        return Err("the password holds a control character; choose one that can be typed".to_owned());
    }
    let folded = password.to_lowercase();
    let bare = folded.trim_end_matches(|c: char| !c.is_alphabetic());
    let user = user.to_lowercase();
    let different: std::collections::BTreeSet<char> = folded.chars().collect();
    if different.len() < 4 || COMMON.contains(&folded.as_str()) || COMMON.contains(&bare) || is_a_row(&folded) {
        return Err("the password is among those that are guessed first; choose another".to_owned());
    }
    if user.len() >= 3 && (bare == user || folded.replace(&user, "").chars().count() < 4) {
        return Err("the password is little more than the user's name; choose another".to_owned());
    }
    Ok(())
}

/// Digits or letters counted up or down, such as 1234567890.
fn is_a_row(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().map(u32::from).collect();
    let steps = |step: u32| {
        digits.windows(2).all(|pair| {
            let next = if pair[0] == u32::from('9') && step == 1 { u32::from('0') } else { pair[0].wrapping_add(step) };
            pair[1] == next
        })
    };
    steps(1) || steps(u32::MAX)
}

fn from_standard_input() -> anyhow::Result<SecretString> {
    let mut line = String::new();
    // More is a file that was piped in by mistake; the check says so.
    let limit = u64::try_from(4 * (PASSWORD_LENGTH.end() + 1) + 2).unwrap_or(u64::MAX);
    let mut input = std::io::stdin().lock().take(limit);
    input.read_line(&mut line).context("cannot read the password from standard input")?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(Misuse("standard input holds no password".to_owned()).into());
    }
    Ok(password.into())
}

fn from_terminal(user: &str) -> anyhow::Result<SecretString> {
    if !std::io::stdin().is_terminal() {
        let text = "there is no terminal to ask on; pipe the password in and add --password-stdin";
        return Err(Misuse(text.to_owned()).into());
    }
    let ask = |prompt: String| rpassword::prompt_password(prompt).context("cannot read the password");
    let first = SecretString::from(ask(format!("Password for {user}: "))?);
    let second = SecretString::from(ask("The same again: ".to_owned())?);
    if first.expose_secret() != second.expose_secret() {
        bail!("the two passwords differ; nothing was changed");
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_guessed_first_is_refused() {
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
        ] {
            assert!(check("alice.smith", password).is_err(), "{password}");
        }
        for password in ["correct rudder 7", "trellis-moth-92", "žluťoučký kůň"] {
            assert_eq!(check("alice.smith", password), Ok(()), "{password}");
        }
        assert!(check("alice", &"x1y2".repeat(300)).is_err(), "a file is not a password");
    }
}
