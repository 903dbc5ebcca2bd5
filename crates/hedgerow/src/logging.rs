//! Log lines: to standard error, as text or as JSON, by the settings `log.format` and `log.level`. Only what serves
//! for long logs (`serve`, `demo`, `lab`); the other commands speak through their output and their error.

use crate::settings::{LogFormat, LogLevel};
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Starts logging for this process; a second call changes nothing.
pub(crate) fn start(format: LogFormat, level: &LogLevel) {
    // Libraries below speak only when something is wrong, unless the setting names them.
    let quiet = if level.0.contains("sqlx=") { "" } else { ",sqlx=warn" };
    let filter = EnvFilter::builder().parse_lossy(format!("{}{quiet}", level.0));
    // A line that cannot be written has nobody who could be told; telling would panic, in whatever was being logged.
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    // An error means that a logger is there already, which is as good.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
    };
}
