//! Other programs: found, run, their failures named. And where things are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The workspace's folder.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// This project's folder in the user's cache, for what is slow to make and the same for every checkout.
pub fn cache() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(base.context("neither XDG_CACHE_HOME nor HOME is set")?.join("hedgerow"))
}

/// The folder that cargo puts binaries of the dev profile into: this very program is one of them.
pub fn built() -> Result<PathBuf> {
    let me = std::env::current_exe().context("find the folder of xtask")?;
    Ok(me.parent().context("a program without folder")?.to_path_buf())
}

/// Finds a program on the PATH, or where Debian keeps programs for administrators.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Cargo, as the one that runs us.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}

/// A command as a person would type it.
pub fn words(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let all = std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy);
    let quote = |word: std::borrow::Cow<'_, str>| if word.contains(' ') { format!("'{word}'") } else { word.into() };
    all.map(quote).collect::<Vec<_>>().join(" ")
}

/// Prints a command, runs it with our terminal, and fails when it does.
pub fn run(command: &mut Command) -> Result<()> {
    println!("+ {}", words(command));
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot run {}", words(command)))?;
    ensure!(status.success(), "`{}` failed ({status})", words(command));
    Ok(())
}

/// Runs a command quietly and returns what it printed.
pub fn output(command: &mut Command) -> Result<String> {
    let done = command.stdin(Stdio::null()).stderr(Stdio::piped()).output();
    let done = done.with_context(|| format!("cannot run {}", words(command)))?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "`{}` failed ({}): {}", words(command), done.status, said.trim());
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Whether the command can be run and succeeds.
pub fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
