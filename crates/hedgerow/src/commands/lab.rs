//! `hedgerow lab`: the lab's Kubernetes API alone, until Ctrl-C or SIGTERM.

use crate::settings::{LogFormat, LogLevel};
use crate::{cli, logging, output, private_file, server};
use anyhow::Context as _;
use lab::Lab;
use serde::Serialize;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Serves until it is told to end.
pub(crate) fn run(arguments: &cli::Lab) -> anyhow::Result<()> {
    logging::start(LogFormat::Text, &LogLevel("warn".to_owned()));
    server::block_on(serve(arguments))
}

/// The line for scripts.
#[derive(Serialize)]
struct Ready<'a> {
    url: &'a str,
    kubeconfig: &'a Path,
}

async fn serve(arguments: &cli::Lab) -> anyhow::Result<()> {
    let stop = server::stop_on_signal()?;
    let options = lab::Options { listen: arguments.listen, empty: arguments.empty, ..lab::Options::default() };
    let lab = Lab::start(options).await.context("cannot start the lab")?;
    let folder = tempfile::Builder::new().prefix("hedgerow-lab-").permissions(Permissions::from_mode(0o700)).tempdir();
    let folder = folder.context("cannot make a temporary folder")?;
    let kubeconfig = folder.path().join("kubeconfig");
    private_file::write(&kubeconfig, lab.kubeconfig().as_bytes())?;
    let url = lab.url();
    if arguments.json {
        output::json_line(&Ready { url: &url, kubeconfig: &kubeconfig })?;
    } else {
        let path = kubeconfig.display();
        output::text(&format!(
            "The lab is ready at {url}\n\n  kubeconfig  {path}\n\nTry it:\n\n  kubectl --kubeconfig {path} get \
             vpcs,switches,connections\n\nCtrl-C ends it; everything in it is gone then.\n"
        ))?;
    }
    stop.cancelled().await;
    lab.stop().await;
    Ok(())
}
