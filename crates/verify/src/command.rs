//! A program that the user named, in a process group of its own, so that all that it starts ends with it: at its limit,
//! and also when whoever waits for it is dropped, as at Ctrl-C. Of what it writes the beginning is kept.

use rustix::process::{Pid, Signal, kill_process_group};
use std::process::ExitStatus;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// How much of each of its outputs is kept, in bytes. The rest is read and forgotten: who is not read stands still.
const KEPT: usize = 64 * 1024;
/// How long its outputs are read after its end: what it left in the background may hold them open for ever.
const AFTER: Duration = Duration::from_secs(1);

/// A process group that is killed when this is dropped, unless it has ended well.
pub(crate) struct Group(Option<Pid>);

impl Group {
    /// The group of a process that was started as the first of a new one.
    pub(crate) fn of(id: Option<u32>) -> Self {
        Self(id.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// It has ended; its number may soon be somebody else's.
    pub(crate) fn is_over(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // An error says that it has ended meanwhile.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// How it ended, and the beginning of what it wrote: standard output, then standard error.
pub(crate) struct Ended {
    pub status: ExitStatus,
    pub said: Vec<u8>,
}

/// Runs it to its end; nothing where it did not end within the limit.
pub(crate) async fn run(mut command: Command, within: Duration) -> std::io::Result<Option<Ended>> {
    command.stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.kill_on_drop(true).process_group(0).spawn()?;
    let mut group = Group::of(child.id());
    let (mut out, mut said) = (Vec::new(), Vec::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended = tokio::time::timeout(within, async {
        let mut reading = std::pin::pin!(async { tokio::join!(read(stdout, &mut out), read(stderr, &mut said)) });
        let status = tokio::select! {
            biased;
            status = child.wait() => status,
            _ = &mut reading => return child.wait().await.map(|status| (status, true)),
        };
        let is_closed = tokio::time::timeout(AFTER, reading).await.is_ok();
        status.map(|status| (status, is_closed))
    })
    .await;
    let Ok(ended) = ended else { return Ok(None) };
    let (status, is_closed) = ended?;
    if is_closed {
        group.is_over();
    }
    out.append(&mut said);
    Ok(Some(Ended { status, said: out }))
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut piece = vec![0; 8 * 1024];
    // What cannot be read any more is its end.
    while let Ok(read @ 1..) = pipe.read(&mut piece).await {
        let rest = KEPT.saturating_sub(into.len());
        into.extend(piece.iter().take(read.min(rest)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn shell(words: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", words]);
        command
    }

    async fn run_of(words: &str, within: Duration) -> Option<Ended> {
        run(shell(words), within).await.unwrap()
    }

    /// Waits until a process is gone.
    async fn is_gone(id: &str) -> bool {
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            if state.is_empty() || state.contains(") Z ") {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    #[tokio::test]
    async fn what_it_says_and_how_it_ends() {
        let ended = run_of("echo out; echo err >&2; exit 3", Duration::from_secs(10)).await.unwrap();
        assert_eq!((ended.status.code(), String::from_utf8(ended.said).unwrap().as_str()), (Some(3), "out\nerr\n"));
        let ended = run_of("head -c 5000000 /dev/zero", Duration::from_secs(30)).await.unwrap();
        assert!(ended.status.success() && ended.said.len() == KEPT);
    }

    #[tokio::test]
    async fn all_that_it_started_ends_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("child");
        // A pipe: the shell has children that are not the one that is killed on drop.
        let words = format!("sh -c 'echo $$ > {}; sleep 600' | cat", file.display());
        assert!(run_of(&words, Duration::from_millis(500)).await.is_none());
        let id = std::fs::read_to_string(&file).unwrap();
        assert!(is_gone(id.trim()).await, "at its limit");
        std::fs::remove_file(&file).unwrap();
        let running = tokio::spawn(run(shell(&words), Duration::from_secs(600)));
        let until = Instant::now() + Duration::from_secs(5);
        while std::fs::read_to_string(&file).unwrap_or_default().is_empty() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        running.abort();
        let id = std::fs::read_to_string(&file).unwrap();
        assert!(is_gone(id.trim()).await, "when nobody waits any more");
    }

    #[tokio::test]
    async fn what_it_left_in_the_background_is_not_waited_for() {
        let began = Instant::now();
        let ended = run_of("echo done; sleep 600 &", Duration::from_secs(60)).await.unwrap();
        assert!(ended.status.success() && ended.said == b"done\n");
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
}
