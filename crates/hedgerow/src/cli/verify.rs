//! The flags of `hedgerow verify`.

use super::*;
use clap::{Args, ValueEnum};

/// Prove on the user's own path that a console does what it says
///
/// Goes where a person goes: opens the login page, takes the form's own token, finds the button and uses the address
/// that stands in the page, over HTTP as a browser does (--driver http) or in a real browser. What really happened is
/// read elsewhere: in the cluster (--oracle-kubeconfig) and in a fresh clone (--oracle-git). Where no oracle is given, the
/// report says "not verified", not "passed".
///
/// Without --allow-sync nothing is changed. Exit codes: 0 passed, 1 failed, 2 called wrongly, 3 inconclusive,
/// 4 invalid (a precondition does not hold), 5 the profile does not fit the target, 130 interrupted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hedgerow verify --list
  hedgerow verify --target https://hedgerow.example.net --username alice --password-stdin --output run-1 < password
  hedgerow verify --target http://127.0.0.1:8480 --username admin --password-file pw --driver http,chromium \\
      --oracle-kubeconfig kubeconfig --allow-sync --output run-2
  hedgerow verify --target https://hedgerow.example.net --username monitor --password-file pw --every 5m \\
      --metrics 127.0.0.1:9477 --webhook-file hook --output runs
  hedgerow verify --check run-2
  hedgerow verify --compare run-1 run-2
  hedgerow verify --self-test --driver http --output self-test")]
pub(crate) struct Verify {
    /// List the journeys, each with what it proves; with --json as data
    #[arg(long, conflicts_with_all = ["target", "username", "output", "check", "compare", "self_test"])]
    pub(crate) list: bool,
    /// Prove that nothing in a run's folder was altered; with --public-key also by whom it was signed
    #[arg(long, value_name = "DIR", conflicts_with_all = ["target", "output", "username"])]
    pub(crate) check: Option<PathBuf>,
    /// The key that signed the folder, PEM, as `openssl pkey -pubout` writes it
    #[arg(long, value_name = "FILE", requires = "check")]
    pub(crate) public_key: Option<PathBuf>,
    /// Say what is different between two runs
    #[arg(long, value_names = ["DIR", "DIR"], num_args = 2, conflicts_with_all = ["target", "output", "username", "check"])]
    pub(crate) compare: Option<Vec<PathBuf>>,
    /// Prove that verify can fail: start a console with a lab, plant faults, and catch each with the right cause
    ///
    /// Faults are planted from outside, by a proxy before the console and by the lab. Exit codes: 0 each fault was caught and
    /// nothing was raised on the clean product, 1 not so, 3 some faults need a browser and there is none, or a journey over the
    /// clean product came to nothing.
    #[arg(long, conflicts_with_all = ["target", "username", "check", "compare"])]
    pub(crate) self_test: bool,
    /// Plant only this fault; may be given several times
    #[arg(long, value_name = "NAME", requires = "self_test")]
    pub(crate) fault: Vec<String>,
    /// Address of the console
    #[arg(long, value_name = "URL", required_unless_present_any = ["list", "check", "compare", "self_test"], help_heading = "Target")]
    pub(crate) target: Option<String>,
    /// What the target is: hedgerow, netbox-hedgehog, or a file with a profile
    #[arg(long, value_name = "NAME", default_value = "hedgerow", help_heading = "Target")]
    pub(crate) profile: String,
    /// Trust the certificates of this PEM file and what they issued, and nothing else
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub(crate) ca: Option<PathBuf>,
    /// The fabric, by name or number; without it, the one at the oracle's cluster, or the first
    #[arg(long, value_name = "FABRIC", help_heading = "Target")]
    pub(crate) fabric: Option<String>,
    /// A fabric whose cluster cannot be reached, for the journey about that
    #[arg(long, value_name = "FABRIC", help_heading = "Target")]
    pub(crate) unreachable_fabric: Option<String>,

    /// Who logs in
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new(), required_unless_present_any = ["list", "check", "compare", "self_test"], help_heading = "Users")]
    pub(crate) username: Option<String>,
    /// Read the password from standard input
    #[arg(long, help_heading = "Users")]
    pub(crate) password_stdin: bool,
    /// Read the password from this file
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin", help_heading = "Users")]
    pub(crate) password_file: Option<PathBuf>,
    /// A second user with the same rights: NAME=FILE, the file holds the password
    #[arg(long, value_name = "NAME=FILE", value_parser = name_and_file, help_heading = "Users")]
    pub(crate) second: Option<(String, PathBuf)>,
    /// A user who may look at the fabric and sync nothing: NAME=FILE
    #[arg(long, value_name = "NAME=FILE", value_parser = name_and_file, help_heading = "Users")]
    pub(crate) reader: Option<(String, PathBuf)>,

    /// Who walks: http, chromium, firefox; several with commas [default: http]
    #[arg(long, value_name = "DRIVER", value_enum, value_delimiter = ',', help_heading = "Journeys")]
    pub(crate) driver: Vec<VerifyDriver>,
    /// Make only this journey; may be given several times
    #[arg(long, value_name = "NAME", help_heading = "Journeys")]
    pub(crate) journey: Vec<String>,
    /// Allow journeys that change something: syncs, and a difference that is planted and taken back
    #[arg(long, help_heading = "Journeys")]
    pub(crate) allow_sync: bool,
    /// Most requests that are sent to the target
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Journeys")]
    pub(crate) max_requests: u64,
    /// Longest time of the run
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = duration, help_heading = "Journeys")]
    pub(crate) max_time: Duration,
    /// Longest time that an operation is followed
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration, help_heading = "Journeys")]
    pub(crate) patience: Duration,
    /// Longest time that the end of a session is waited for; journeys that would wait longer are skipped
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration, help_heading = "Journeys")]
    pub(crate) max_wait: Duration,

    /// Read the cluster with this kubeconfig, beside the target
    #[arg(long, value_name = "FILE", help_heading = "Oracles")]
    pub(crate) oracle_kubeconfig: Option<PathBuf>,
    /// The context of that kubeconfig
    #[arg(long, value_name = "NAME", requires = "oracle_kubeconfig", help_heading = "Oracles")]
    pub(crate) oracle_context: Option<String>,
    /// The fabric's namespace in the cluster, where no page says it
    #[arg(long, value_name = "NAME", help_heading = "Oracles")]
    pub(crate) namespace: Option<String>,
    /// Clone this repository, beside the target; credentials are those of your own git
    #[arg(long, value_name = "URL|PATH", help_heading = "Oracles")]
    pub(crate) oracle_git: Option<String>,
    /// Its branch
    #[arg(long, value_name = "NAME", default_value = "main", help_heading = "Oracles")]
    pub(crate) oracle_branch: String,
    /// The folder of the manifests in it
    #[arg(long, value_name = "PATH", default_value = "", help_heading = "Oracles")]
    pub(crate) oracle_folder: String,
    /// Read the console's own database, beside the console: what its pages rest on is compared with what they say. The
    /// password may stand in PGPASSWORD or ~/.pgpass
    #[arg(long, value_name = "sqlite:PATH|postgres://USER@HOST/DB", help_heading = "Oracles")]
    pub(crate) oracle_database: Option<String>,
    /// A file whose every line is a secret that no answer may show; may be given several times
    #[arg(long, value_name = "FILE", help_heading = "Oracles")]
    pub(crate) secret: Vec<PathBuf>,

    /// Walk the direct path by this command, beside the user's; it runs in a shell with VERIFY_FABRIC set
    ///
    /// For instance `hedgerow sync "$VERIFY_FABRIC" --server https://hedgerow.example.net`. Without it, the cluster is asked
    /// by a dry run whether it would take what Git says.
    #[arg(long, value_name = "COMMAND", help_heading = "Oracles")]
    pub(crate) direct: Option<String>,

    /// Write the evidence into this folder; it must be empty or not exist
    #[arg(long, value_name = "DIR", required_unless_present_any = ["list", "check", "compare", "self_test"], help_heading = "Output")]
    pub(crate) output: Option<PathBuf>,
    /// Sign the manifest of the evidence with this Ed25519 key, PEM, as `openssl genpkey -algorithm ed25519` writes it
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) sign: Option<PathBuf>,
    /// Print the results as JSON; with --every one line a run
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    /// Run again and again, from one beginning to the next, until Ctrl-C or SIGTERM; each run's evidence has a folder of
    /// its own in --output. Without --journey and --allow-sync: the journeys that leave no trace (login_logout,
    /// fabric_page, status_agrees)
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Monitor", conflicts_with_all = ["list", "check", "compare"])]
    pub(crate) every: Option<Duration>,
    /// Answer /metrics for Prometheus on this address and port, in plain HTTP and without a login
    #[arg(long, value_name = "ADDRESS", requires = "every", help_heading = "Monitor")]
    pub(crate) metrics: Option<std::net::SocketAddr>,
    /// Tell this address, by POST of JSON, when too many runs in a row did not pass, and once when one does again
    #[arg(long, value_name = "URL", requires = "every", help_heading = "Monitor")]
    pub(crate) webhook: Option<String>,
    /// The same, where the address is a secret: it stands in this file
    #[arg(long, value_name = "FILE", requires = "every", conflicts_with = "webhook", help_heading = "Monitor")]
    pub(crate) webhook_file: Option<PathBuf>,
    /// How many runs in a row are too many
    #[arg(long, value_name = "N", requires = "every", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Monitor")]
    pub(crate) alert_after: u32,
    /// How many runs' evidence is kept; those that did not pass go last
    #[arg(long, value_name = "N", requires = "every", default_value_t = 48, help_heading = "Monitor")]
    pub(crate) keep: usize,
}

/// Who walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyDriver {
    /// A client that does what a browser does, without scripts
    Http,
    /// Chromium or Chrome, through chromedriver
    #[value(alias = "webdriver")]
    Chromium,
    /// Firefox, through geckodriver
    Firefox,
}

fn name_and_file(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("expected NAME=FILE; the file holds the password")?;
    if name.is_empty() || file.is_empty() {
        return Err("expected NAME=FILE; the file holds the password".to_owned());
    }
    Ok((name.to_owned(), file.into()))
}
