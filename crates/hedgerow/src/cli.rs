//! The command line: sub-commands, flags and their help. What a command does is in `commands/`, one file each; the
//! reference page `docs/reference/cli.md` is generated from the definitions here.

mod manage;
mod remote;
mod verify;

pub(crate) use manage::*;
pub(crate) use remote::*;
pub(crate) use verify::*;

use crate::settings::Value;
use clap::builder::StyledStr;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use ipnet::IpNet;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Headings of the sub-commands in `hedgerow --help`: clap groups flags, not commands. A test holds that every
/// visible command stands in exactly one group.
const GROUPS: &[(&str, &[&str])] = &[
    ("Try it", &["demo", "lab"]),
    ("Run it", &["serve", "migrate", "config"]),
    ("Use it from elsewhere", &["sync", "diff", "wait"]),
    ("Prove it", &["verify"]),
    ("Manage it", &["user", "key", "backup", "restore"]),
    ("About", &["version", "help"]),
];

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "
  hedgerow demo                                     look around, nothing to set up
  hedgerow serve --data /var/lib/hedgerow           serve on this machine only
  hedgerow serve --listen 0.0.0.0:443 \\
      --tls-cert fullchain.pem --tls-key key.pem    serve a network, with TLS
  hedgerow user create alice --superuser            add an administrator
  hedgerow config                                   what is set, and where
  hedgerow sync lab --server https://hedgerow.example.net
                                                    sync a fabric from anywhere";

/// Web console for Hedgehog Open Network Fabric.
///
/// Hedgerow keeps the desired state of your fabrics in Git, compares it with the custom resources in each fabric's
/// Kubernetes API, makes the cluster match when you ask for it, and shows for every object and every switch whether
/// it did.
#[derive(Debug, Parser)]
#[command(name = "hedgerow", version, styles = STYLES, max_term_width = 110, disable_help_subcommand = false)]
#[command(subcommand_required = true, arg_required_else_help = true, propagate_version = false)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Sub,
}

/// The sub-commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Sub {
    Demo(Demo),
    Lab(Lab),
    Serve(Serve),
    Migrate(Migrate),
    Config(Config),
    Sync(Sync),
    Diff(Diff),
    Wait(Wait),
    Verify(Box<Verify>),
    #[command(subcommand, arg_required_else_help = true)]
    User(User),
    #[command(subcommand, arg_required_else_help = true)]
    Key(Key),
    Backup(Backup),
    Restore(Restore),
    Version(Version),
    #[command(hide = true)]
    Reference(Reference),
}

/// Where the settings come from; every command that reads settings takes these.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct Source {
    /// Read settings from this TOML file [env: HEDGEROW_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Folder of the database, the key and the local repositories
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Set one setting; may be given several times
    ///
    /// KEY is a key of the settings file, for example `--set session.idle=30m`. `hedgerow config` lists them all.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub(crate) set: Vec<(String, String)>,
}

/// Where the console listens.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct Network {
    /// Listen on this address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
    /// Serve TLS with this certificate chain, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key of the certificate, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// Serve the console
///
/// On a first start, when no user exists, an administrator `admin` is created and the password is printed, once.
/// Plain HTTP is served on loopback only, unless `trusted_proxies` names the proxy that ends TLS.
///
/// The address goes to standard output, the log to standard error. SIGTERM and Ctrl-C end cleanly: running requests
/// get their answers, running operations are released, nothing stays half-written.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hedgerow serve
  hedgerow serve --config /etc/hedgerow.toml
  hedgerow serve --listen 0.0.0.0:443 --tls-cert fullchain.pem --tls-key key.pem
  hedgerow serve --listen 10.0.0.5:8480 --set trusted_proxies=10.0.0.2")]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Print one line of JSON when ready: url, username, password
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Start a console with a lab cluster and fabrics to look at
///
/// Three fabrics: one with something to sync, something drifted and something wrong in it; one that is healthy; one
/// that cannot be reached. The clusters are simulated inside this process, and kubectl works with them.
///
/// Without --data everything is kept in a temporary folder, which is removed at the end.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hedgerow demo
  hedgerow demo --listen 127.0.0.1:8480 --data ~/hedgerow-demo
  kubectl --kubeconfig FILE get vpcs,switches    (FILE is printed when ready)")]
pub(crate) struct Demo {
    /// Listen on this address; 127.0.0.1 and a free port by default
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = "Network")]
    pub(crate) listen: Option<String>,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Print one line of JSON when ready: url, username, password, kubeconfig
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Serve only the lab's Kubernetes API, for kubectl and for drills
///
/// A simulated control cluster of Hedgehog: its kinds, the admission rules that matter, and switch agents that apply
/// after a moment. Everything is in memory and gone at the end.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hedgerow lab
  hedgerow lab --empty --listen 127.0.0.1:6443
  kubectl --kubeconfig FILE apply -f vpc.yaml    (FILE is printed when ready)")]
pub(crate) struct Lab {
    /// Start with nothing but the built-in switch profiles
    #[arg(long)]
    pub(crate) empty: bool,
    /// Listen on this address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Print one line of JSON when ready: url, kubeconfig
    #[arg(long)]
    pub(crate) json: bool,
}

/// Bring the database to the schema of this version
///
/// `serve` does the same at its start. This command is for doing it at a time of your own choice.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    pub(crate) source: Source,
}

/// Show each setting, its value and where it comes from
///
/// A flag goes before an environment variable, a variable before the file, the file before the default. An unknown
/// key, an unknown HEDGEROW_ variable or a value that does not fit is an error. Secrets are shown as (set).
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hedgerow config
  hedgerow config --config /etc/hedgerow.toml --json
  HEDGEROW_SESSION_IDLE=30m hedgerow config")]
pub(crate) struct Config {
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Print JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Write everything that a console keeps into one file, while it runs
///
/// The file holds the database as it is at one moment and the local Git repositories, each file with its checksum. Its
/// mode is 0600. It does not hold the key that opens the stored credentials, unless --with-key says so: keep the key
/// apart. A PostgreSQL database is backed up with pg_dump instead; the error says what else to keep.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hedgerow backup /var/backups/hedgerow-$(date +%F).tar --data /var/lib/hedgerow
  hedgerow backup --list /var/backups/hedgerow-2026-02-03.tar")]
pub(crate) struct Backup {
    /// The file to write; it must not exist. With --list, the file to read
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Check a backup and show what is in it, without secrets
    #[arg(long)]
    pub(crate) list: bool,
    /// Put the key that opens the stored credentials into the file, too
    #[arg(long)]
    pub(crate) with_key: bool,
    /// Print JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) source: Source,
}

/// Make a data folder of a backup
///
/// The folder must be empty or not exist. Every file is checked before anything is put in place; when something is
/// wrong, the folder stays as it was. What was under way when the backup was made is interrupted, sessions of then are
/// ended, API tokens of then are revoked, and automatic syncs are suspended until somebody has looked. Of a PostgreSQL database that pg_dump's output was
/// restored into, the console does the same by itself when it starts.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hedgerow restore /var/backups/hedgerow-2026-02-03.tar --data /var/lib/hedgerow
  install -m 0600 /safe/secret.key /var/lib/hedgerow/secret.key")]
pub(crate) struct Restore {
    /// The backup
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The data folder to make
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
}

/// Show the version of this program
#[derive(Debug, Args)]
pub(crate) struct Version {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Write the reference pages from the code
#[derive(Debug, Args)]
pub(crate) struct Reference {
    /// Folder to write to, `docs/reference` in the repository
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Write nothing; fail when a page is not what the code says
    #[arg(long)]
    pub(crate) check: bool,
}

/// The command line as clap sees it, with the grouped help.
pub(crate) fn command() -> Command {
    let command = Cli::command();
    let template = grouped_template(&command);
    command.help_template(template)
}

/// Reads the arguments of this process; on an error or a call for help it prints and ends the process, as clap does.
pub(crate) fn parse() -> Cli {
    let matches = command().get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn grouped_template(command: &Command) -> StyledStr {
    let header = STYLES.get_header();
    let literal = STYLES.get_literal();
    let mut text = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    for (title, names) in GROUPS {
        let _ = write!(text, "\n{header}{title}:{header:#}\n");
        for name in *names {
            // clap makes `help` itself, later than this.
            let about = match command.find_subcommand(name) {
                Some(sub) => sub.get_about().map(ToString::to_string).unwrap_or_default(),
                None => "Show help for a command".to_owned(),
            };
            let about = about.trim_end_matches('.');
            let _ = writeln!(text, "  {literal}{name:<9}{literal:#} {about}");
        }
    }
    let _ = write!(text, "\n{header}Options:{header:#}\n{{options}}\n\n{header}Examples:{header:#}{EXAMPLES}\n");
    text.push_str("\nSee 'hedgerow help COMMAND' for what a command takes.{after-help}\n");
    StyledStr::from(text)
}

fn duration(text: &str) -> Result<Duration, String> {
    <Duration as Value>::parse(text)
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    text.parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("'{text}' is neither an address nor a network, as 192.0.2.7 and 192.0.2.0/24 are"))
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, for example session.idle=30m")?;
    if key.trim().is_empty() {
        return Err("the key before '=' is empty".to_owned());
    }
    Ok((key.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_visible_command_stands_in_one_group() {
        let grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        for sub in Cli::command().get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let count = grouped.iter().filter(|name| **name == sub.get_name()).count();
            assert_eq!(count, 1, "'{}' stands in {count} groups of the help", sub.get_name());
        }
        for name in grouped.iter().filter(|name| **name != "help") {
            assert!(Cli::command().find_subcommand(name).is_some(), "the help lists '{name}', which does not exist");
        }
    }

    #[test]
    fn set_takes_a_key_and_any_value() {
        assert_eq!(key_and_value("a.b=c=d").unwrap(), ("a.b".into(), "c=d".into()));
        assert!(key_and_value("a.b").unwrap_err().contains("KEY=VALUE"));
        assert!(key_and_value("=x").is_err());
    }
}
