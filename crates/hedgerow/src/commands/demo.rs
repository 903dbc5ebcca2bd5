//! `hedgerow demo`: a console, two lab clusters and a cluster that does not answer, in one process. It is the console
//! that `serve` runs, with fabrics that were put in through the same doors; nothing in it is pretended.
//!
//! | file | what |
//! |---|---|
//! | `kept` | what a later start on the same folder must know |
//! | `labs` | the two clusters |
//! | `fabrics` | the three fabrics and their repositories |
//! | `story` | what has happened before the first look |

mod fabrics;
mod kept;
mod labs;
mod story;

use crate::cli::{self, Network};
use crate::console::{Console, Opened};
use crate::monitor::{self, Monitor};
use crate::server::{self, Server};
use crate::settings::{Layers, Settings};
use crate::{Misuse, logging, output};
use anyhow::Context as _;
use fabrics::Fabrics;
use kept::Kept;
use labs::Labs;
use serde::Serialize;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Runs the demo until it is told to end.
pub(crate) fn run(arguments: &cli::Demo) -> anyhow::Result<()> {
    let network = Network { listen: arguments.listen.clone(), ..Network::default() };
    let (layers, temporary) = with_defaults(super::layers(&arguments.source, &network))?;
    let settings = Settings::load(&layers)?;
    logging::start(settings.log_format, &settings.log_level);
    let result = server::block_on(serve(&settings, temporary.is_none(), arguments.json));
    if let Some(folder) = temporary {
        folder.close().context("cannot remove the demo's temporary folder")?;
    }
    result
}

/// What a demo does otherwise than `serve`, unless somebody says so: a free port, a folder that goes with it, quick
/// comparisons, so that what one does with kubectl is soon to be seen, and a log that speaks only of trouble.
fn with_defaults(mut layers: Layers) -> anyhow::Result<(Layers, Option<TempDir>)> {
    for (key, value) in [("listen", "127.0.0.1:0"), ("compare.interval", "10s"), ("log.level", "warn")] {
        if layers.is_default(key) {
            layers = layers.with_flag("demo", key, value.to_owned());
        }
    }
    if !layers.is_default("data") {
        return Ok((layers, None));
    }
    let folder = tempfile::Builder::new().prefix("hedgerow-demo-").permissions(Permissions::from_mode(0o700)).tempdir();
    let folder = folder.context("cannot make a temporary folder; name one with --data")?;
    let path = folder.path().to_str().context("the path of the temporary folder is not UTF-8")?.to_owned();
    Ok((layers.with_flag("demo", "data", path), Some(folder)))
}

async fn serve(settings: &Settings, kept_folder: bool, json: bool) -> anyhow::Result<()> {
    let stop = server::stop_on_signal()?;
    let server = Server::bind(settings)?;
    let monitor = Monitor::of(settings, &server.url())?;
    let opened = Opened::new(settings).await?;
    let mut kept = Kept::read(&opened.folder)?;
    refuse_a_real_console(&opened, &kept).await?;
    let access = kept.administrator(&opened).await?;
    let labs = Labs::start(&opened.folder).await?;
    let fabrics = Fabrics::put(&opened, &labs, &mut kept).await?;
    let folder = opened.folder.clone();
    let console = Console::start(opened, settings, server.is_tls(), stop.clone()).await?;

    let result = tokio::select! {
        // Told to end while it was still being prepared.
        () = stop.cancelled() => Ok(()),
        told = story::tell(console.engine(), &labs, &fabrics) => match told {
            Err(error) => Err(error),
            Ok(()) => {
                let ready = Ready {
                    url: &server.url(),
                    username: &access.username,
                    password: access.password.as_deref(),
                    kubeconfig: labs.kubeconfig(),
                };
                announce(&ready, kept_folder.then_some(folder.as_path()), json)?;
                let monitor = monitor.map(|monitor| console.watched_by(monitor));
                let ends = CancellationToken::new();
                let ending = tokio::spawn(monitor::end_first(monitor, stop.clone(), ends.clone()));
                let served = server.serve(console.router(), ends, settings.shutdown_grace).await;
                ending.abort();
                served
            }
        },
    };
    console.close().await;
    labs.stop().await;
    result
}

/// A demo writes fabrics and an administrator's password into its folder; it must not do so into somebody's console.
async fn refuse_a_real_console(opened: &Opened, kept: &Kept) -> anyhow::Result<()> {
    if kept.is_new() && opened.store.users().count().await.context("cannot count the users")? > 0 {
        let text =
            format!("{} holds a console that is no demo; name another folder with --data", opened.folder.display());
        return Err(Misuse(text).into());
    }
    Ok(())
}

/// The line for scripts.
#[derive(Serialize)]
struct Ready<'a> {
    url: &'a str,
    username: &'a str,
    password: Option<&'a str>,
    kubeconfig: &'a Path,
}

fn announce(ready: &Ready<'_>, kept_in: Option<&Path>, json: bool) -> anyhow::Result<()> {
    if json {
        return Ok(output::json_line(ready)?);
    }
    let kubeconfig = ready.kubeconfig.display();
    let end = match kept_in {
        Some(folder) => format!(
            "Ctrl-C ends it. Users, fabrics and Git stay in {}; the clusters begin anew at the next start.",
            folder.display()
        ),
        None => "Ctrl-C ends it and removes everything.".to_owned(),
    };
    Ok(output::text(&format!(
        "The demo is ready at {}\n\n  user        {}\n  password    {}\n  kubeconfig  {kubeconfig}\n\n\
         Fabric east has something to sync, something drifted and something wrong in it; west is as it should be;\n\
         north cannot be reached. Change something in the cluster of east and watch:\n\n  \
         kubectl --kubeconfig {kubeconfig} edit vpc web\n\n{end}\n",
        ready.url,
        ready.username,
        ready.password.unwrap_or("(as you set it)"),
    ))?)
}
