//! Folders, configurations and odd repositories for the tests.

use source::{Author, Config, Credentials, Remote, Repository};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A VPC whose VLAN tells versions apart.
pub(crate) fn vpc(name: &str, vlan: u16) -> String {
    format!(
        "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata:\n  name: {name}\nspec:\n  subnets:\n    one:\n      subnet: \
         10.0.1.0/24\n      vlan: {vlan}\n"
    )
}

pub(crate) fn remote(url: &str, credentials: Credentials) -> Config {
    let remote = Some(Remote { url: url.into(), credentials });
    Config { remote, branch: "main".into(), path: String::new(), allow_file: true }
}

pub(crate) fn local() -> Config {
    Config { remote: None, branch: "main".into(), path: String::new(), allow_file: false }
}

pub(crate) fn token(user: Option<&str>, token: &str) -> Credentials {
    Credentials::Token { username: user.map(Into::into), token: token.into() }
}

pub(crate) async fn open(dir: &Path, config: Config) -> Repository {
    Repository::open(dir, config).await.expect("open")
}

pub(crate) fn ann() -> Author {
    Author { name: "Ann Example".into(), email: "ann@example.test".into() }
}

/// A bare repository on this machine with one commit whose tree is given entry by entry: mode, path, content (for a
/// submodule, the commit's id).
pub(crate) struct OddRepository {
    folder: TempDir,
}

impl OddRepository {
    pub(crate) fn new(entries: &[(&str, &[u8], &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let this = Self { folder };
        this.git(&["init", "--quiet", "--bare", "--initial-branch=main"], b"");
        this.commit(entries);
        this
    }

    /// Replaces the branch's tree by these entries.
    pub(crate) fn commit(&self, entries: &[(&str, &[u8], &[u8])]) -> String {
        let mut stream = b"commit refs/heads/main\ncommitter A Colleague <a@example.test> now\ndata 4\nodd\n".to_vec();
        if !self.git(&["for-each-ref"], b"").is_empty() {
            stream.extend_from_slice(b"from refs/heads/main^0\n");
        }
        stream.extend_from_slice(b"deleteall\n");
        for (mode, path, content) in entries {
            if *mode == "160000" {
                stream.extend_from_slice(format!("M 160000 {} ", String::from_utf8_lossy(content)).as_bytes());
                stream.extend_from_slice(&quoted(path));
                stream.push(b'\n');
                continue;
            }
            stream.extend_from_slice(format!("M {mode} inline ").as_bytes());
            stream.extend_from_slice(&quoted(path));
            stream.extend_from_slice(format!("\ndata {}\n", content.len()).as_bytes());
            stream.extend_from_slice(content);
            stream.push(b'\n');
        }
        self.git(&["fast-import", "--quiet", "--date-format=now"], &stream);
        self.git(&["rev-parse", "main"], b"").trim().to_owned()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }

    pub(crate) fn git(&self, args: &[&str], input: &[u8]) -> String {
        git(self.folder.path(), args, input)
    }
}

fn quoted(path: &[u8]) -> Vec<u8> {
    let mut text = b"\"".to_vec();
    for byte in path {
        let mut octal = String::new();
        let _ = write!(octal, "\\{byte:03o}");
        text.extend_from_slice(octal.as_bytes());
    }
    text.push(b'"');
    text
}

/// Runs git in a folder, as an oracle that shares nothing with the code under test.
pub(crate) fn git(folder: &Path, args: &[&str], input: &[u8]) -> String {
    use std::io::Write;
    let mut child = Command::new("git")
        .args(args)
        .env("GIT_DIR", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start git");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// The command lines of this machine's processes, with their ids.
pub(crate) fn command_lines() -> Vec<(u32, String)> {
    let entries = std::fs::read_dir("/proc").unwrap();
    let read = |pid: u32| {
        let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some((pid, String::from_utf8_lossy(&bytes).replace('\0', " ")))
    };
    entries.filter_map(|e| read(e.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

/// Every file below a folder with its content's length, sorted; for comparing before and after.
pub(crate) fn files_below(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                all.push((entry.path(), metadata.len()));
            }
        }
    }
    all.sort();
    all
}
