//! The sub-commands, one file each, and what several of them share: reading the settings.

mod backup;
mod config;
mod deed;
mod demo;
mod diff;
mod key;
mod lab;
mod migrate;
mod reference;
mod restore;
mod serve;
mod sync;
pub(crate) mod user;
mod verify;
mod version;
mod wait;

pub(crate) use verify::run_id;

use crate::cli::{Network, Source, Sub};
use crate::settings::{Layers, Settings};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the command to its end. The commands that ask a console say by their exit code what they found.
pub(crate) fn run(command: Sub) -> anyhow::Result<ExitCode> {
    let done = match command {
        Sub::Sync(arguments) => return sync::run(&arguments),
        Sub::Diff(arguments) => return diff::run(&arguments),
        Sub::Wait(arguments) => return wait::run(&arguments),
        Sub::Verify(arguments) => return verify::run(&arguments),
        Sub::Demo(arguments) => demo::run(&arguments),
        Sub::Lab(arguments) => lab::run(&arguments),
        Sub::Serve(arguments) => serve::run(&arguments),
        Sub::Migrate(arguments) => migrate::run(&arguments),
        Sub::Key(command) => key::run(&command),
        Sub::Backup(arguments) => backup::run(&arguments),
        Sub::Restore(arguments) => restore::run(&arguments),
        Sub::User(command) => user::run(&command),
        Sub::Config(arguments) => config::run(&arguments),
        Sub::Version(arguments) => version::run(&arguments),
        Sub::Reference(arguments) => reference::run(&arguments),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// Lays flags, environment and file over each other.
fn layers(source: &Source, network: &Network) -> Layers {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let flags = vec![
        ("--listen", "listen", network.listen.clone()),
        ("--tls-cert", "tls.cert", path(&network.tls_cert)),
        ("--tls-key", "tls.key", path(&network.tls_key)),
        ("--data", "data", path(&source.data)),
    ];
    let environment = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    Layers::gather(source.config.clone(), environment, &source.set, flags)
}

/// The settings of a command that takes only the flags of [`Source`].
fn settings(source: &Source) -> anyhow::Result<Settings> {
    Ok(Settings::load(&layers(source, &Network::default()))?)
}
