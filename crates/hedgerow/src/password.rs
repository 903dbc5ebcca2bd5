//! Passwords as the command line meets them: asked for on the terminal or read from standard input. Which are refused, how
//! they are hashed, and how the first one is made, is the business of `auth`.

use crate::Misuse;
use anyhow::{Context as _, bail};
use auth::PASSWORD_LENGTH;
use secrecy::{ExposeSecret as _, SecretString};
use std::io::{BufRead as _, IsTerminal as _, Read as _};

/// Takes a password for a user from the terminal, twice, or from the first line of standard input, and checks it.
pub(crate) fn take(user: &str, from_stdin: bool) -> anyhow::Result<SecretString> {
    let password = if from_stdin { from_standard_input()? } else { from_terminal(user)? };
    auth::check_password(user, password.expose_secret()).map_err(|error| Misuse(error.to_string()))?;
    Ok(password)
}

/// Takes the password that a user has: of standard input, or asked for once on the terminal. It is not judged.
pub(crate) fn given() -> anyhow::Result<SecretString> {
    if std::io::stdin().is_terminal() {
        return Ok(rpassword::prompt_password("Password: ").context("cannot read the password")?.into());
    }
    from_standard_input()
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
