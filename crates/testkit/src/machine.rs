//! What the fixtures ask of the machine: where programs are, a port that is free, a runtime for their servers.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};

const GECKODRIVER: &str = include_str!("../../../tests/geckodriver.version");

/// In-process servers run here, not on the runtime of the test that started them: a shared fixture must outlive that
/// test, and a test that blocks its only thread must not stop the server that it talks to.
static SERVERS: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("testkit-servers")
        .enable_all()
        .build()
        .expect("a runtime needs only threads and an epoll descriptor, which a test process may have")
});

/// The runtime of in-process servers.
pub(crate) fn servers() -> &'static tokio::runtime::Runtime {
    &SERVERS
}

/// The workspace's own folder.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The folder of facts and recordings beside the workspace, `../shared`; some checkouts do not have it. A test that
/// needs it prints `skipped: ../shared is not here` when this is `None`.
pub fn shared_folder() -> Option<PathBuf> {
    let folder = workspace().parent()?.join("shared");
    folder.is_dir().then_some(folder)
}

/// Finds a program in `folders`, then on the PATH.
pub(crate) fn program(name: &str, folders: &[PathBuf]) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders
        .iter()
        .cloned()
        .chain(std::env::split_paths(&path))
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| anyhow!("{name} is not on this machine; `cargo xtask setup --for tests` installs it"))
}

/// The folder in the user's cache where `cargo xtask setup` puts what it builds from the Go module in `recipe`. It is
/// named by the hash of these files of the recipe, so that another version is another folder.
pub(crate) fn built(name: &str, recipe: &Path, files: &[&str]) -> Result<PathBuf> {
    let mut hash = Sha256::new();
    for file in files {
        let path = recipe.join(file);
        hash.update(std::fs::read(&path).with_context(|| format!("read {}", path.display()))?);
    }
    let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(cache()?.join(name).join(hash))
}

/// This project's folder in the user's cache, which `cargo xtask setup` fills.
fn cache() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(cache.context("neither XDG_CACHE_HOME nor HOME is set")?.join("hedgerow"))
}

/// What drives Firefox: `cargo xtask setup` builds it into the cache, in the version of `tests/geckodriver.version`.
pub fn geckodriver() -> Result<PathBuf> {
    program("geckodriver", &[cache()?.join(format!("geckodriver-{}/bin", GECKODRIVER.trim()))])
}

/// A port on 127.0.0.1 for a program that cannot choose one itself. It lies below the range from which the system
/// takes ports for outgoing connections, so that the port also stays free while such a program is restarted. Another
/// program may still take it first: callers look at why their program ended, and try another.
pub(crate) fn free_port() -> Result<u16> {
    for _ in 0..200 {
        let port = 20_000 + u16::try_from(random() % 12_000).context("a remainder of 12,000 fits")?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port between 20000 and 32000 on 127.0.0.1")
}

/// A random number, for names and ports.
pub(crate) fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()))
}

/// A random word of 32 hexadecimal digits, for passwords and tokens.
pub(crate) fn secret() -> String {
    format!("{:016x}{:016x}", random(), random())
}

/// Whether this process is root, which PostgreSQL refuses to run as.
pub(crate) fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0\t")))
}
