//! A real process that a fixture started: its output in files, its end awaited, and no orphan whatever happens.
//!
//! A test run may end in a panic, by Ctrl-C or by `kill -9`, and fixtures shared by many tests live in statics, which
//! Rust never drops. So a small shell beside the test process, the *janitor*, knows each started process group and
//! each folder; when the pipe to it closes, and it closes however the test process ends, it ends the groups and
//! removes the folders. A process waits for a word from us before it becomes the program, and the janitor is told
//! first, so there is no moment in which a process is alive and unknown.
//!
//! The alternative, `PR_SET_PDEATHSIG`, is bound to the *thread* that forked: it would kill a shared fixture when the
//! test that happened to start it ends.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

/// How long a process may take to end by itself once it has been asked to.
const GRACE: Duration = Duration::from_secs(4);

/// Reads lines: `dir PATH`, `group PGID SIGNAL` to remember, `drop PATH` and `gone PGID` to forget. At the end of its
/// input it ends what is left, gently first.
const JANITOR: &str = r#"
trap '' HUP INT TERM PIPE
groups='' dirs=''
while read -r verb what signal; do
  case "$verb" in
    group) groups="$groups $what:$signal" ;;
    gone)  new=''; for g in $groups; do [ "${g%%:*}" = "$what" ] || new="$new $g"; done; groups=$new ;;
    dir)   dirs="$dirs $what" ;;
    drop)  new=''; for d in $dirs; do [ "$d" = "$what" ] || new="$new $d"; done; dirs=$new ;;
  esac
done
for g in $groups; do kill -s "${g##*:}" -- "-${g%%:*}" 2>/dev/null; done
tries=0
while [ "$tries" -lt 20 ]; do
  alive=''
  for g in $groups; do kill -s 0 -- "-${g%%:*}" 2>/dev/null && alive=yes; done
  [ -z "$alive" ] && break
  sleep 0.1; tries=$((tries + 1))
done
for g in $groups; do kill -s KILL -- "-${g%%:*}" 2>/dev/null; done
tries=0
while [ "$tries" -lt 20 ]; do
  left=''
  for d in $dirs; do rm -rf -- "$d" 2>/dev/null; [ -e "$d" ] && left=yes; done
  [ -z "$left" ] && exit 0
  sleep 0.2; tries=$((tries + 1))
done
"#;

static JANITOR_PIPE: LazyLock<Mutex<Option<ChildStdin>>> = LazyLock::new(|| {
    let started = Command::new("sh")
        .args(["-c", JANITOR, "testkit-janitor"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        .process_group(0)
        .spawn();
    Mutex::new(started.ok().and_then(|mut child| child.stdin.take()))
});

fn tell_janitor(line: &str) -> Result<()> {
    let mut pipe = JANITOR_PIPE.lock().unwrap_or_else(PoisonError::into_inner);
    let pipe = pipe.as_mut().ok_or_else(|| anyhow!("the testkit's janitor (sh) could not be started"))?;
    pipe.write_all(format!("{line}\n").as_bytes()).context("tell the testkit's janitor")
}

/// A folder of a fixture's own under the system's temp folder, removed when dropped, and also when the test process
/// dies without dropping anything.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes a new folder, readable only by this user; `name` says whose it is.
    pub fn new(name: &str) -> Result<Self> {
        let folder =
            tempfile::Builder::new().prefix(&format!("hedgerow-{name}-")).tempdir().context("make a folder")?;
        let path = folder.path().to_path_buf();
        if path.as_os_str().as_encoded_bytes().iter().any(u8::is_ascii_whitespace) {
            bail!("the temp folder {} has white space in its name; set TMPDIR to one without", path.display());
        }
        tell_janitor(&format!("dir {}", path.display()))?;
        Ok(Self { path: folder.keep() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of an entry in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file that only this user may read, and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.path.join(name);
        let mut file = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&path);
        file.as_mut()
            .map_err(|e| anyhow!("{e}"))
            .and_then(|file| Ok(file.write_all(content.as_ref())?))
            .with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A process may still be writing its last file; the janitor tries again at the end if this fails.
        if fs::remove_dir_all(&self.path).is_ok() || !self.path.exists() {
            let _ = tell_janitor(&format!("drop {}", self.path.display()));
        }
    }
}

/// A started program, alone in its process group, with its output in two files.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    signal: &'static str,
    out: PathBuf,
    err: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` (program, arguments, environment and folder are taken from it). Its output goes to
    /// `<name>.out` and `<name>.err` in `logs`, appended; `signal` is how it is asked to end, such as `TERM`.
    pub fn start(name: &str, command: &Command, logs: &Path, signal: &'static str) -> Result<Self> {
        let (out, err) = (logs.join(format!("{name}.out")), logs.join(format!("{name}.err")));
        let open = |path: &Path| {
            File::options().create(true).append(true).open(path).with_context(|| format!("open {}", path.display()))
        };
        let mut shell = Command::new("sh");
        // A file that may grow no further is then an error to whoever writes it, as a full disk is, and not its end.
        let script = r#"trap '' XFSZ; read -r go && exec "$@" </dev/null"#;
        shell.args([OsStr::new("-c"), OsStr::new(script), OsStr::new(name)]);
        shell.arg(command.get_program()).args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            shell.current_dir(folder);
        }
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(key, value),
                None => shell.env_remove(key),
            };
        }
        shell.stdin(Stdio::piped()).stdout(open(&out)?).stderr(open(&err)?).process_group(0);
        let mut child = shell.spawn().with_context(|| format!("start {name}"))?;
        let told = tell_janitor(&format!("group {} {signal}", child.id()));
        let went = child
            .stdin
            .take()
            .context("no pipe to the new process")
            .and_then(|mut pipe| pipe.write_all(b"go\n").context("let the new process go"));
        let process = Self { name: name.to_owned(), child, signal, out, err, ended: None };
        told.and(went).map(|()| process).with_context(|| format!("start {name}"))
    }

    /// Its process id, which is also the id of its process group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file with its standard output.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// Everything it wrote so far: standard output, then standard error.
    pub fn log(&self) -> String {
        let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        format!("{}{}", read(&self.out), read(&self.err))
    }

    /// The last lines of what it wrote, for a failure message.
    pub fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(15)..].join("\n");
        format!("last output of {}:\n{}", self.name, if tail.is_empty() { "(none)" } else { &tail })
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    /// Fails, with its last words, when it is no longer running.
    pub fn still_runs(&mut self) -> Result<()> {
        match self.ended() {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}); {}", self.name, self.last_words()),
        }
    }

    /// Sends a signal, such as `INT`, to the whole process group.
    pub fn send(&self, signal: &str) -> Result<()> {
        let status = Command::new("sh")
            .args(["-c", r#"kill -s "$1" -- "-$2""#, "kill", signal, &self.child.id().to_string()])
            .stderr(Stdio::null())
            .status()
            .with_context(|| format!("send {signal} to {}", self.name))?;
        if status.success() { Ok(()) } else { Err(anyhow!("{} has no process to send {signal} to", self.name)) }
    }

    /// Waits for its end.
    pub async fn wait(&mut self, within: Duration) -> Result<ExitStatus> {
        let until = Instant::now() + within;
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            if Instant::now() > until {
                bail!("{} still runs after {within:?}; {}", self.name, self.last_words());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks it to end and waits; says how it ended.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        if self.ended().is_none() {
            self.send(self.signal)?;
        }
        self.wait(GRACE).await
    }

    /// Kills it with all that it started, as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.send("KILL");
        self.ended = self.child.wait().ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() && self.send(self.signal).is_ok() {
            let until = Instant::now() + GRACE;
            while self.ended().is_none() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        // Also when it has ended: what it started may not have.
        let _ = self.send("KILL");
        let _ = self.child.wait();
        let _ = tell_janitor(&format!("gone {}", self.child.id()));
    }
}

/// Runs a command to its end and returns its standard output; a failure carries what it wrote to standard error.
pub(crate) async fn run(what: &str, command: &mut Command) -> Result<String> {
    let mut command = tokio::process::Command::from(std::mem::replace(command, Command::new("false")));
    let done =
        command.stdin(Stdio::null()).kill_on_drop(true).output().await.with_context(|| format!("start: {what}"))?;
    if !done.status.success() {
        bail!("{what} failed ({}): {}", done.status, String::from_utf8_lossy(&done.stderr).trim());
    }
    String::from_utf8(done.stdout).with_context(|| format!("{what} printed something that is not UTF-8"))
}
