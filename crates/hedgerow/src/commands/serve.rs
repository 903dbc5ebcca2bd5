//! `hedgerow serve`: the console, until Ctrl-C or SIGTERM.

use crate::console::{Console, FirstAdministrator, Opened};
use crate::monitor::{self, Monitor};
use crate::server::{self, Server};
use crate::settings::Settings;
use crate::{cli, logging, output};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// Serves until it is told to end.
pub(crate) fn run(arguments: &cli::Serve) -> anyhow::Result<()> {
    let settings = Settings::load(&super::layers(&arguments.source, &arguments.network))?;
    logging::start(settings.log_format, &settings.log_level);
    server::block_on(serve(&settings, arguments.json))
}

async fn serve(settings: &Settings, json: bool) -> anyhow::Result<()> {
    let stop = server::stop_on_signal()?;
    // The port first: what is wrong with it is said before anything is made.
    let server = Server::bind(settings)?;
    let monitor = Monitor::of(settings, &server.url())?;
    let opened = Opened::new(settings).await?;
    let first = opened.first_administrator().await?;
    let console = Console::start(opened, settings, server.is_tls(), stop.clone()).await?;
    let public = settings.public_url.as_ref().map(|url| format!("{}/", url.origin()));
    announce(&server.url(), public.as_deref(), first.as_ref(), json)?;
    tracing::info!(address = %server.address(), tls = server.is_tls(), "listening");
    let monitor = monitor.map(|monitor| console.watched_by(monitor));
    let ends = CancellationToken::new();
    let ending = tokio::spawn(monitor::end_first(monitor, stop, ends.clone()));
    let served = server.serve(console.router(), ends, settings.shutdown_grace).await;
    ending.abort();
    console.close().await;
    served
}

/// The line for scripts.
#[derive(Serialize)]
struct Ready<'a> {
    url: &'a str,
    username: Option<&'a str>,
    password: Option<&'a str>,
}

fn announce(url: &str, public: Option<&str>, first: Option<&FirstAdministrator>, json: bool) -> anyhow::Result<()> {
    if json {
        let username = first.map(|first| first.username.as_str());
        let password = first.map(|first| first.password.expose_secret());
        return Ok(output::json_line(&Ready { url, username, password })?);
    }
    let mut text = match public {
        Some(public) => format!("Hedgerow is ready at {public} (listening at {url})\n"),
        None => format!("Hedgerow is ready at {url}\n"),
    };
    if let Some(first) = first {
        text.push_str(&format!(
            "\nThis is the first start, so an administrator was created:\n\n  user      {}\n  password  {}\n\n\
             The password is shown this once. `hedgerow user set-password {}` sets another.\n",
            first.username,
            first.password.expose_secret(),
            first.username
        ));
    }
    text.push_str("\nCtrl-C ends it.\n");
    Ok(output::text(&text)?)
}
