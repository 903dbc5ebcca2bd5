//! The built `hedgerow`, run as its user runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::closed;
use crate::machine::free_port;
use crate::process::{Folder, Process, run};
use crate::{HttpUser, Page};
use crate::{eventually, machine};

/// How the console is started.
#[derive(Debug, Clone, Default)]
pub struct ConsoleOptions {
    /// `hedgerow demo` instead of `hedgerow serve`.
    pub demo: bool,
    /// A data folder of the caller's; without it, one that goes with the console.
    pub data: Option<PathBuf>,
    /// The text of a configuration file.
    pub config: Option<String>,
    /// More arguments.
    pub args: Vec<String>,
    /// Settings by environment, such as `HEDGEROW_SESSION_IDLE`.
    pub env: Vec<(String, String)>,
    /// The folder that is home, temp folder and working folder of the console; without it, one of its own.
    pub home: Option<PathBuf>,
    /// Runs it as a user of this number, whom nothing belongs to but the data folder; see [`crate::nobodys_number`].
    pub user: Option<u32>,
}

/// The line that `--json` makes the console print when it is ready.
#[derive(Debug, Clone, Default, Deserialize)]
struct Ready {
    url: String,
    username: Option<String>,
    password: Option<String>,
    kubeconfig: Option<String>,
}

/// A running console. Dropped, it is stopped, and its data is gone unless the folder is the caller's.
pub struct Console {
    program: PathBuf,
    options: ConsoleOptions,
    data: PathBuf,
    port: u16,
    ready: Ready,
    starts: u32,
    process: Option<Process>,
    folder: Folder,
}

impl Console {
    /// Starts the console and waits until it says that it is ready.
    pub async fn start(options: ConsoleOptions) -> Result<Self> {
        let mut program = built_program()?;
        let folder = Folder::new("console")?;
        let data = options.data.clone().unwrap_or_else(|| folder.join("data"));
        if let Some(user) = options.user {
            program = closed::prepare(&folder, &program, &data, user)?;
        }
        if let Some(config) = &options.config {
            folder.write("hedgerow.toml", config)?;
        }
        let (ready, process) = (Ready::default(), None);
        let mut console = Self { program, options, data, port: 0, ready, starts: 0, process, folder };
        let mut attempt = 0;
        loop {
            attempt += 1;
            console.port = free_port()?;
            match console.resume().await {
                Ok(()) => return Ok(console),
                Err(error) if attempt < 4 && is_port_taken(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A console with an administrator, and that administrator, logged in.
    pub async fn start_logged_in() -> Result<(Self, HttpUser)> {
        let console = Self::start(ConsoleOptions::default()).await?;
        let mut user = console.visitor()?;
        user.login(console.username()?, console.password()?).await?;
        Ok((console, user))
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.ready.url
    }

    /// Host and port, as a proxy in front of it needs them.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The first administrator's name, as printed.
    pub fn username(&self) -> Result<&str> {
        self.ready.username.as_deref().context("the console printed no user name")
    }

    /// The first administrator's password, as printed once.
    pub fn password(&self) -> Result<&str> {
        self.ready.password.as_deref().context("the console printed no password")
    }

    /// The kubeconfig of the demo's lab, as printed.
    pub fn kubeconfig(&self) -> Result<&str> {
        self.ready.kubeconfig.as_deref().context("the console printed no kubeconfig")
    }

    /// Its data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// Its process id.
    pub fn id(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("the console does not run")?.id())
    }

    /// A user who was never here.
    pub fn visitor(&self) -> Result<HttpUser> {
        Ok(HttpUser::new(self.url())?)
    }

    /// Logs a user in by the form; returns the user and the page that follows.
    pub async fn login(&self, username: &str, password: &str) -> Result<(HttpUser, Page)> {
        let mut user = self.visitor()?;
        let page = user.login(username, password).await?;
        Ok((user, page))
    }

    /// What it wrote since the first start: standard output, then standard error.
    pub fn log(&self) -> String {
        ["console.out", "console.err"]
            .map(|name| std::fs::read(self.folder.join(name)).unwrap_or_default())
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .concat()
    }

    /// Kills it at once, as a power cut would.
    pub fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Lets it do nothing from now on, as a machine that is put to sleep; its connections stay.
    pub fn freeze(&self) -> Result<()> {
        self.process.as_ref().context("the console does not run")?.send("STOP")
    }

    /// Lets it go on after [`Self::freeze`].
    pub fn thaw(&self) -> Result<()> {
        self.process.as_ref().context("the console does not run")?.send("CONT")
    }

    /// Lets no file of its grow beyond this many bytes, as a full disk would; `None` takes that back. A new start has no
    /// such limit.
    pub async fn limit_files(&self, bytes: Option<u64>) -> Result<()> {
        let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        let mut prlimit = Command::new(machine::program("prlimit", &[])?);
        prlimit.args(["--pid", &self.id()?.to_string(), &format!("--fsize={limit}:unlimited")]);
        run("prlimit", &mut prlimit).await.map(drop)
    }

    /// Ends it as Ctrl-C does and says how it ended.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        self.process.take().context("the console does not run")?.stop().await
    }

    /// Starts it again after [`Self::kill9`] or [`Self::stop`]: same address, same data.
    pub async fn resume(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the console runs already");
        let mut command = self.command(if self.options.demo { "demo" } else { "serve" });
        command.args(["--json", "--listen", &format!("127.0.0.1:{}", self.port)]).args(&self.options.args);
        // Of this start: earlier ones wrote into the same file.
        let out = self.folder.join("console.out");
        let before = std::fs::metadata(&out).map_or(0, |file| file.len());
        let mut process = Process::start("console", &command, self.folder.path(), "INT")?;
        let ready = eventually(Duration::from_secs(60), "hedgerow says that it is ready", || {
            // Read before asking whether it runs: what it says and then ends counts.
            let said = std::fs::read(&out).unwrap_or_default();
            let said = said.get(usize::try_from(before).unwrap_or_default()..).unwrap_or_default().to_vec();
            let line = String::from_utf8_lossy(&said).lines().find(|line| line.starts_with('{')).map(str::to_owned);
            let state = process.still_runs();
            async move { if line.is_some() || state.is_err() { Ok(line.ok_or(state)) } else { Err("nothing yet") } }
        })
        .await?;
        let line = match ready {
            Ok(line) => line,
            Err(state) => {
                state?;
                bail!("hedgerow ended without a word")
            }
        };
        let ready: Ready =
            serde_json::from_str(&line).with_context(|| format!("read what hedgerow printed: {line}"))?;
        let old = std::mem::replace(&mut self.ready, ready);
        let ready = &mut self.ready;
        ready.url = ready.url.trim_end_matches('/').to_owned();
        // The password is printed once.
        ready.username = ready.username.take().or(old.username);
        ready.password = ready.password.take().or(old.password);
        self.starts += 1;
        self.process = Some(process);
        Ok(())
    }

    /// Ends it as Ctrl-C does, and starts it again.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        self.resume().await
    }

    /// Runs another sub-command on the same data, such as `["user", "list"]`, with `input` on its standard input.
    pub async fn run(&self, words: &[&str], input: Option<&str>) -> Result<Output> {
        let (first, rest) = words.split_first().context("a sub-command")?;
        let mut command = self.program();
        command.arg(first).args(rest);
        self.set_up(&mut command);
        run_program(A_MINUTE, command, input).await
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = self.program();
        command.arg(verb);
        self.set_up(&mut command);
        command
    }

    fn program(&self) -> Command {
        self.options.user.map_or_else(|| Command::new(&self.program), |user| closed::as_user(user, &self.program))
    }

    /// The data folder is named by the environment, which every sub-command reads.
    fn set_up(&self, command: &mut Command) {
        let home = self.options.home.as_deref();
        clean(command, home.unwrap_or(self.folder.path()));
        if let Some(home) = home {
            command.env("TMPDIR", home);
        }
        command.env("HEDGEROW_DATA", &self.data);
        if self.options.config.is_some() {
            command.env("HEDGEROW_CONFIG", self.folder.join("hedgerow.toml"));
        }
        command.envs(self.options.env.iter().map(|(key, value)| (key, value)));
    }
}

/// How long a command may take that only reads or writes a little.
const A_MINUTE: Duration = Duration::from_secs(60);

/// Runs the built `hedgerow` once, with no settings but these, and says how it ended.
pub async fn hedgerow(words: &[&str], env: &[(&str, &str)], input: Option<&str>) -> Result<Output> {
    hedgerow_within(A_MINUTE, words, env, input).await
}

/// The same for a command that may take longer than a minute.
pub async fn hedgerow_within(
    longest: Duration,
    words: &[&str],
    env: &[(&str, &str)],
    input: Option<&str>,
) -> Result<Output> {
    Started::hedgerow(words, env, input).await?.ended(longest).await
}

/// A command of the built program that goes on.
pub struct Started {
    child: tokio::process::Child,
    // Its home, which goes when it has ended.
    _home: Folder,
}

impl Started {
    /// Starts the built program with these words.
    pub async fn hedgerow(words: &[&str], env: &[(&str, &str)], input: Option<&str>) -> Result<Self> {
        let home = Folder::new("hedgerow")?;
        let mut command = Command::new(built_program()?);
        command.args(words);
        clean(&mut command, home.path());
        command.envs(env.iter().copied());
        Ok(Self { child: start_program(command, input).await?, _home: home })
    }

    /// Sends it a signal by its name: `INT`, `HUP`, `KILL`.
    pub fn signal(&self, name: &str) -> Result<()> {
        let id = self.child.id().context("it has ended")?.to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().context("run kill")?;
        anyhow::ensure!(sent.success(), "kill -{name} {id}: {sent}");
        Ok(())
    }

    /// Waits until it has ended, at most so long.
    pub async fn ended(self, longest: Duration) -> Result<Output> {
        let done = tokio::time::timeout(longest, self.child.wait_with_output());
        done.await.with_context(|| format!("hedgerow did not end in {longest:?}"))?.context("wait for hedgerow")
    }
}

async fn start_program(command: Command, input: Option<&str>) -> Result<tokio::process::Child> {
    use tokio::io::AsyncWriteExt;
    let mut command = tokio::process::Command::from(command);
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("start hedgerow")?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        // It may end without reading, which is its right.
        let _ = pipe.write_all(input.as_bytes()).await;
    }
    Ok(child)
}

async fn run_program(longest: Duration, command: Command, input: Option<&str>) -> Result<Output> {
    let done = tokio::time::timeout(longest, start_program(command, input).await?.wait_with_output());
    done.await.with_context(|| format!("hedgerow did not end in {longest:?}"))?.context("wait for hedgerow")
}

/// Nothing of the user's own settings, and a home of its own.
fn clean(command: &mut Command, home: &Path) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HEDGEROW_") || name.to_string_lossy().starts_with("XDG_") {
            command.env_remove(name);
        }
    }
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy", "KUBECONFIG"] {
        command.env_remove(name);
    }
    command.env("HOME", home).current_dir(home);
}

fn is_port_taken(error: &anyhow::Error) -> bool {
    format!("{error:#}").to_lowercase().contains("address already in use")
}

/// The program that is driven: `HEDGEROW_BIN`, or the one beside this test. One that is older than what it is made of
/// is refused: what is tested must be what runs.
pub fn built_program() -> Result<PathBuf> {
    let program = match std::env::var_os("HEDGEROW_BIN").filter(|value| !value.is_empty()).map(PathBuf::from) {
        Some(program) => program,
        None => {
            let me = std::env::current_exe().context("find this test")?;
            // target/debug/deps/this-test, or target/measured/bench
            let folder = me.parent().context("a test without folder")?;
            let beside = folder.join("hedgerow");
            let above = folder.parent().context("a test without folder")?.join("hedgerow");
            if beside.is_file() { beside } else { above }
        }
    };
    let how = "`cargo build --workspace --bin hedgerow` builds it, and `cargo xtask test` does that first";
    ensure!(program.is_file(), "{} does not exist; {how}", program.display());
    let built = program.metadata().and_then(|file| file.modified()).context("see when hedgerow was built")?;
    let is_newer = |path: &&PathBuf| path.metadata().and_then(|file| file.modified()).is_ok_and(|at| at > built);
    if let Some(newer) = sources_of(&program).iter().find(is_newer) {
        bail!("{} is older than {}; {how}", program.display(), newer.display());
    }
    Ok(program)
}

/// The files of this workspace that a program was made of, as cargo notes them beside it; none where there is no note.
pub fn sources_of(program: &Path) -> Vec<PathBuf> {
    let Ok(note) = std::fs::read_to_string(program.with_extension("d")) else { return Vec::new() };
    let sources = note.split_once(": ").map_or("", |(_, sources)| sources).replace("\\ ", "\u{1}");
    let workspace = machine::workspace();
    let all = sources.split_whitespace().map(|path| PathBuf::from(path.replace('\u{1}', " ")));
    all.filter(|path| path.starts_with(&workspace)).collect()
}
