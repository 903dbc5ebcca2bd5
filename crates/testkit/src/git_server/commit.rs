//! Commits without a work tree, through `git fast-import`.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tokio::io::AsyncWriteExt;

/// The stream that fast-import reads.
pub(super) fn script(branch: &str, parent: Option<&str>, files: &[(&str, Option<&str>)], message: &str) -> String {
    let mut script = format!("commit refs/heads/{branch}\ncommitter A Colleague <colleague@example.test> now\n");
    let data = |script: &mut String, text: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(script, "data {}\n{text}", text.len());
    };
    data(&mut script, message);
    if let Some(parent) = parent {
        let _ = writeln!(script, "from {parent}");
    }
    for (path, content) in files {
        let path = quoted(path);
        match content {
            Some(content) => {
                let _ = writeln!(script, "M 100644 inline {path}");
                data(&mut script, content);
            }
            None => {
                let _ = writeln!(script, "D {path}");
            }
        }
    }
    script
}

/// A path as fast-import reads it, whatever is in it.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

pub(super) async fn feed(command: Command, script: &str) -> Result<()> {
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("start git fast-import")?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(script.as_bytes()).await.context("write to git fast-import")?;
    }
    let done = child.wait_with_output().await.context("wait for git fast-import")?;
    ensure!(done.status.success(), "git fast-import failed: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// A hook that refuses pushes with a reason: every one, or those to one branch, as a protected branch does.
pub(super) fn set_hook(repository: &Path, branch: Option<&str>, reason: Option<&str>) -> Result<()> {
    let hook = repository.join("hooks/pre-receive");
    match reason {
        Some(reason) => {
            let guarded = branch.map_or("*".to_owned(), |branch| format!("refs/heads/{branch}"));
            let text = format!(
                "#!/bin/sh\nwhile read -r old new ref; do case \"$ref\" in {guarded}) echo '{}' >&2; exit 1 ;; esac; done\n",
                reason.replace('\'', "'\\''")
            );
            std::fs::create_dir_all(repository.join("hooks")).context("make the folder of hooks")?;
            std::fs::write(&hook, text).context("write the hook")?;
            std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).context("allow the hook")
        }
        None if hook.exists() => std::fs::remove_file(&hook).context("remove the hook"),
        None => Ok(()),
    }
}
