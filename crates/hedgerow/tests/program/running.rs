//! Starting the program: with an environment of its own, so that the machine's settings do not reach the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything here may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The program with arguments and `home` as its only environment.
pub fn program(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hedgerow"));
    command.args(arguments).env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null()).current_dir(home);
    command
}

/// Runs to the end.
pub fn run(home: &Path, arguments: &[&str]) -> Output {
    program(home, arguments).output().expect("the program starts")
}

/// Runs to the end with text on standard input.
pub fn run_with_input(home: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = program(home, arguments);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    // It may refuse before it reads; then nobody takes the text.
    let _ = child.stdin.take().expect("it was piped").write_all(input.as_bytes());
    child.wait_with_output().expect("the program ends")
}

/// What was printed on standard output.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the output is UTF-8")
}

/// What was printed on standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("the errors are UTF-8")
}

/// Fails with everything the program said when it did not end well.
#[track_caller]
pub fn assert_done(output: &Output) {
    assert!(output.status.success(), "{}\n{}\n{}", output.status, stdout(output), stderr(output));
}

/// A program that keeps running; it is ended when the test is, whatever happened.
pub struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
    _reader: Option<std::thread::JoinHandle<()>>,
    errors: std::sync::Arc<std::sync::Mutex<String>>,
}

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("it was piped"));
        let stderr = BufReader::new(child.stderr.take().expect("it was piped"));
        let errors = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let kept = errors.clone();
        let reader = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut kept = kept.lock().expect("nobody panics with it");
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        Self { child, lines, _reader: Some(reader), errors }
    }

    /// Starts it with nobody at the other end of its standard error, as after `2>&1 | head`.
    pub fn start_unheard(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        drop(child.stderr.take());
        let lines = BufReader::new(child.stdout.take().expect("it was piped"));
        Self { child, lines, _reader: None, errors: std::sync::Arc::default() }
    }

    /// The next line of standard output; fails when the program ends before.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("its output can be read");
        assert!(!line.is_empty(), "the program ended:\n{}", self.errors());
        line.trim_end().to_owned()
    }

    /// The next line as JSON.
    #[track_caller]
    pub fn json(&mut self) -> serde_json::Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in: {line}"))
    }

    /// Everything on standard error so far.
    pub fn errors(&self) -> String {
        self.errors.lock().expect("nobody panics with it").clone()
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal and waits for the end; gives the exit status and the rest of standard output.
    #[track_caller]
    pub fn stop(&mut self, signal: &str) -> (ExitStatus, String) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill can be called").success());
        let until = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().expect("it can be waited for") {
                Some(status) => break status,
                None if Instant::now() > until => panic!("it did not end after {signal}:\n{}", self.errors()),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.lines, &mut rest).expect("its output can be read");
        (status, rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
