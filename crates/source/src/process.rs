//! A program as a process group with a deadline: git starts helpers of its own (`git-remote-https`, `ssh`,
//! `index-pack`), and killing git alone would leave them running.

use rustix::process::{Pid, Signal, kill_process_group};
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, timeout, timeout_at};

/// How long a group may take to clean up after SIGTERM before it is killed. Git removes its lock files in this time.
const GRACE: Duration = Duration::from_secs(2);
/// How much of the standard error is kept: its end, where the reason stands.
const STDERR_BYTES: usize = 16 << 10;

/// What the program reads.
#[derive(Debug)]
pub(crate) enum Stdin {
    /// Nothing.
    Empty,
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing, but it holds this file open as long as it lives: how a child keeps a lock of ours.
    Held(std::fs::File),
}

/// What the program left behind.
#[derive(Debug)]
pub(crate) struct Output {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// All of its standard output.
    pub(crate) stdout: Vec<u8>,
    /// The end of its standard error.
    pub(crate) stderr: String,
}

/// Why there is no output.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It could not be started.
    Start(io::Error),
    /// Talking to it failed.
    Io(io::Error),
    /// The deadline passed; the group is gone.
    Deadline,
    /// It wrote more than it may; the group is gone.
    TooMuch,
    /// The guard asked for its end; the group is gone.
    Guard,
}

/// Called with each line of the standard error as it arrives; git ends progress lines by carriage returns.
pub(crate) type OnLine<'a> = &'a (dyn Fn(&str) + Sync);

/// Runs a program to its end, or ends it: at the deadline, when it writes more than `limit` bytes, when `guard`
/// resolves, and when this future is dropped.
pub(crate) async fn run(
    mut command: Command,
    stdin: Stdin,
    limit: usize,
    deadline: Instant,
    on_line: Option<OnLine<'_>>,
    guard: impl Future<Output = ()>,
) -> Result<Output, Failure> {
    let (input, bytes) = match stdin {
        Stdin::Empty => (Stdio::null(), None),
        Stdin::Bytes(bytes) => (Stdio::piped(), Some(bytes)),
        Stdin::Held(file) => (Stdio::from(file), None),
    };
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let mut child = command.spawn().map_err(Failure::Start)?;
    drop(command); // it holds the parent's copy of a held file
    let mut group = Group::of(&child);
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let work = async {
        let (stdout, stderr, ()) =
            tokio::try_join!(collect(output, limit), follow(errors, on_line), feed(input, bytes))?;
        let status = child.wait().await.map_err(Failure::Io)?;
        Ok(Output { status, stdout, stderr })
    };
    let guarded = async {
        tokio::select! {
            done = work => done,
            () = guard => Err(Failure::Guard),
        }
    };
    let result = timeout_at(deadline, guarded).await.unwrap_or(Err(Failure::Deadline));
    match result {
        Ok(_) => group.disarm(),
        Err(_) => group.end(&mut child).await,
    }
    result
}

/// A process group that dies with this value.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    fn disarm(&mut self) {
        self.0 = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // An error means that the group is gone already.
            let _ = kill_process_group(pid, signal);
        }
    }

    async fn end(&mut self, child: &mut Child) {
        self.signal(Signal::TERM);
        let ended = timeout(GRACE, child.wait()).await;
        self.signal(Signal::KILL);
        if ended.is_err() {
            let _ = child.wait().await;
        }
        self.disarm();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

async fn feed(input: Option<ChildStdin>, bytes: Option<Vec<u8>>) -> Result<(), Failure> {
    let (Some(mut input), Some(bytes)) = (input, bytes) else { return Ok(()) };
    match input.write_all(&bytes).await {
        // A program that ends before it has read everything says why on its standard error.
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Io(e)),
        _ => Ok(()),
    }
}

async fn collect(output: Option<impl AsyncRead + Unpin>, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut all = Vec::new();
    if let Some(output) = output {
        let allowed = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        output.take(allowed).read_to_end(&mut all).await.map_err(Failure::Io)?;
    }
    if all.len() > limit { Err(Failure::TooMuch) } else { Ok(all) }
}

async fn follow(errors: Option<impl AsyncRead + Unpin>, on_line: Option<OnLine<'_>>) -> Result<String, Failure> {
    let Some(mut errors) = errors else { return Ok(String::new()) };
    let (mut all, mut line, mut buffer) = (Vec::new(), Vec::new(), vec![0; 4096]);
    loop {
        let n = errors.read(&mut buffer).await.map_err(Failure::Io)?;
        if n == 0 {
            break;
        }
        all.extend_from_slice(&buffer[..n]);
        if all.len() > 2 * STDERR_BYTES {
            all.drain(..all.len() - STDERR_BYTES);
        }
        if let Some(on_line) = on_line {
            for byte in &buffer[..n] {
                match byte {
                    b'\r' | b'\n' => emit(&mut line, on_line),
                    _ if line.len() < 500 => line.push(*byte),
                    _ => {}
                }
            }
        }
    }
    if let Some(on_line) = on_line {
        emit(&mut line, on_line);
    }
    let start = all.len().saturating_sub(STDERR_BYTES);
    Ok(String::from_utf8_lossy(&all[start..]).into_owned())
}

/// Passes a line on without control characters; the server's own words arrive here, and end on a page.
fn emit(line: &mut Vec<u8>, on_line: OnLine<'_>) {
    let text: String = String::from_utf8_lossy(line).chars().filter(|c| !c.is_control()).collect();
    line.clear();
    if !text.trim().is_empty() {
        on_line(text.trim());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn within(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    async fn simply(script: &str, limit: usize, seconds: u64) -> Result<Output, Failure> {
        run(sh(script), Stdin::Empty, limit, within(seconds), None, std::future::pending()).await
    }

    #[tokio::test]
    async fn output_errors_and_status_come_back() {
        let output = simply("echo out; echo err >&2; exit 3", 100, 30).await.unwrap();
        assert_eq!((output.stdout.as_slice(), output.stderr.as_str()), (b"out\n".as_slice(), "err\n"));
        assert_eq!(output.status.code(), Some(3));
    }

    #[tokio::test]
    async fn output_is_bounded_and_errors_keep_their_end() {
        assert!(matches!(simply("yes", 10_000, 30).await, Err(Failure::TooMuch)));
        assert_eq!(simply("printf 12345", 5, 30).await.unwrap().stdout, b"12345");
        let output = simply("yes word | head -c 200000 >&2; echo the reason >&2", 100, 30).await.unwrap();
        assert!(output.stderr.len() <= STDERR_BYTES && output.stderr.ends_with("the reason\n"));
    }

    #[tokio::test]
    async fn a_deadline_ends_the_whole_group_even_when_it_does_not_listen() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        // The grandchild ignores SIGTERM, and keeps the pipes open.
        let script = format!("(trap '' TERM; echo $$ > '{}'; while :; do sleep 1; done) & wait", file.display());
        let started = Instant::now();
        assert!(matches!(simply(&script, 100, 1).await, Err(Failure::Deadline)));
        assert!(started.elapsed() < Duration::from_secs(30));
        let group: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        let group = Pid::from_raw(group).unwrap();
        while rustix::process::test_kill_process_group(group).is_ok() {
            assert!(started.elapsed() < Duration::from_secs(30), "the grandchild is still there");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn input_larger_than_a_pipe_is_fed_while_output_is_read() {
        let input = vec![b'x'; 1 << 20];
        let output = run(sh("cat"), Stdin::Bytes(input.clone()), 2 << 20, within(30), None, std::future::pending());
        assert_eq!(output.await.unwrap().stdout, input);
        // A program that does not read is no failure of ours.
        let output = run(sh("exit 7"), Stdin::Bytes(input), 10, within(30), None, std::future::pending());
        assert_eq!(output.await.unwrap().status.code(), Some(7));
    }

    #[tokio::test]
    async fn progress_comes_line_by_line_without_control_characters() {
        let lines = Mutex::new(Vec::new());
        let on_line = |line: &str| lines.lock().unwrap().push(line.to_owned());
        let script = "printf 'a 10%%\\ra 20%%\\r\\nremote: \\033[31mred\\n\\nlast' >&2";
        run(sh(script), Stdin::Empty, 10, within(30), Some(&on_line), std::future::pending()).await.unwrap();
        assert_eq!(*lines.lock().unwrap(), ["a 10%", "a 20%", "remote: [31mred", "last"]);
    }
}
