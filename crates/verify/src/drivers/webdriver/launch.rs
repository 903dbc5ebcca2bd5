//! The process of a browser's driver, with all that it starts: one process group, one folder with profile, home and
//! temporary files. Both are gone when it is dropped, and also when this process dies without dropping anything: a small
//! shell beside it, the *guard*, reads from a pipe that closes however we end.
//!
//! A group that shares ours was refused: Ctrl-C would reach the browser before the run has taken its last picture.

use super::options::{BrowserKind, BrowserOptions};
use crate::obstacle::{Obstacle, Taken};
use regex::Regex;
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// How long the driver may take until it says its port.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a word before it becomes the program, so that nothing runs that the guard does not know.
const HELD: &str = r#"read -r go && exec "$@" </dev/null"#;

/// Reads the group, then `done`. Without `done` it ends the group and removes the folder.
const GUARD: &str = r#"
trap '' HUP INT TERM PIPE
if read -r group; then
  read -r word && [ "$word" = "done" ] && exit 0
  kill -s KILL -- "-$group" 2>/dev/null
fi
tries=0
while [ "$tries" -lt 20 ]; do
  rm -rf -- "$1" 2>/dev/null
  [ -e "$1" ] || exit 0
  sleep 0.2; tries=$((tries + 1))
done
"#;

static PORT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:started successfully on port |\tINFO\tListening on 127\.0\.0\.1:)(\d+)").expect("sound")
});

/// A driver that runs. Dropped, it is gone with its browser and their folder.
#[derive(Debug)]
pub struct Launched {
    child: Child,
    guard: Child,
    folder: PathBuf,
    address: String,
}

impl Launched {
    /// Starts the driver on a free port of its own choice.
    pub async fn start(options: &BrowserOptions) -> Taken<Self> {
        let program = options.driver_program()?;
        let folder = tempfile::Builder::new().prefix("hedgerow-browser-").tempdir();
        let folder = folder.map_err(|error| failed("make a folder for the browser", &error))?.keep();
        let started = spawn(options, &program, &folder);
        let mut launched = match started {
            Ok((child, guard)) => Self { child, guard, folder, address: String::new() },
            Err(error) => {
                let _ = std::fs::remove_dir_all(&folder);
                return Err(failed(&format!("start {}", program.display()), &error));
            }
        };
        let until = Instant::now() + PATIENCE;
        loop {
            let output = launched.output();
            if let Some(port) = PORT.captures(&output).and_then(|found| found.get(1)) {
                launched.address = format!("http://127.0.0.1:{}", port.as_str());
                return Ok(launched);
            }
            let ended = launched.child.try_wait().ok().flatten();
            if ended.is_some() || Instant::now() > until {
                let how = ended.map_or("says no port".to_owned(), |status| format!("ended ({status})"));
                return Err(Obstacle::Browser(format!("{} {how}; {}", program.display(), launched.last_words())));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Where the driver listens, as `http://127.0.0.1:4444`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The folder that everything of the browser lies in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything that driver and browser wrote.
    pub fn output(&self) -> String {
        let read = |name: &str| {
            String::from_utf8_lossy(&std::fs::read(self.folder.join(name)).unwrap_or_default()).into_owned()
        };
        format!("{}{}", read(OUT), read(ERR))
    }

    /// The last of what they wrote, for a failure's message.
    pub fn last_words(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
        format!("its last words: {}", lines[lines.len().saturating_sub(6)..].join(" / "))
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
        // What was killed may still be about to write its last file.
        let until = Instant::now() + Duration::from_secs(2);
        while std::fs::remove_dir_all(&self.folder).is_err() && self.folder.exists() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        if let Some(mut pipe) = self.guard.stdin.take() {
            // Left to the guard, if it is still there: it tries longer.
            if !self.folder.exists() {
                let _ = pipe.write_all(b"done\n");
            }
        }
        let _ = self.guard.wait();
    }
}

const OUT: &str = "driver.out";
const ERR: &str = "driver.err";

fn failed(what: &str, error: &std::io::Error) -> Obstacle {
    Obstacle::Browser(format!("cannot {what}: {error}"))
}

fn spawn(options: &BrowserOptions, program: &Path, folder: &Path) -> std::io::Result<(Child, Child)> {
    let mut guard = Command::new("sh")
        .args([OsStr::new("-c"), OsStr::new(GUARD), OsStr::new("hedgerow-browser-guard"), folder.as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        .process_group(0)
        .spawn()?;
    let mut command = Command::new("sh");
    command.args([OsStr::new("-c"), OsStr::new(HELD), OsStr::new("hedgerow-browser")]).arg(program);
    match options.kind {
        BrowserKind::Chromium => command.arg("--port=0"),
        BrowserKind::Firefox => command.args(["--port", "0", "--websocket-port", "0", "--profile-root"]).arg(folder),
    };
    if options.kind == BrowserKind::Firefox && options.ca.is_some() {
        command.arg("--allow-system-access");
    }
    command.env("HOME", folder).env("TMPDIR", folder).env("MOZ_HEADLESS", "1");
    command.env("MOZ_REMOTE_SETTINGS_DEVTOOLS", "1").env("MOZ_CRASHREPORTER_DISABLE", "1");
    for name in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
        command.env_remove(name);
    }
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(name);
    }
    let (out, err) = (File::create(folder.join(OUT))?, File::create(folder.join(ERR))?);
    command.stdin(Stdio::piped()).stdout(out).stderr(err).process_group(0);
    let mut child = command.spawn()?;
    if let Some(pipe) = guard.stdin.as_mut() {
        pipe.write_all(format!("{}\n", child.id()).as_bytes())?;
    }
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(b"go\n")?;
    }
    Ok((child, guard))
}
