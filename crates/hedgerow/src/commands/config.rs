//! `hedgerow config`: each setting, its value and where it comes from.

use crate::cli;
use crate::output;
use crate::settings::{self, Settings, Shown};
use serde::Serialize;

/// Prints the settings, or what is wrong with them.
pub(crate) fn run(arguments: &cli::Config) -> anyhow::Result<()> {
    let layers = super::layers(&arguments.source, &arguments.network);
    Settings::load(&layers)?;
    let shown = settings::shown(&layers);
    if arguments.json {
        output::json(&shown.iter().map(Row::from).collect::<Vec<_>>())?;
    } else {
        let rows: Vec<Vec<String>> = shown
            .into_iter()
            .map(|shown| vec![shown.setting.key.to_owned(), shown.value, shown.origin.to_string()])
            .collect();
        output::text(&output::table(&["SETTING", "VALUE", "FROM"], &rows))?;
    }
    Ok(())
}

/// One setting in JSON.
#[derive(Serialize)]
struct Row {
    key: &'static str,
    value: String,
    /// `flag`, `environment`, `file` or `default`.
    origin: &'static str,
    /// The flag, the variable, or file and line.
    place: String,
    #[serde(rename = "type")]
    kind: &'static str,
    variable: String,
    secret: bool,
}

impl From<&Shown> for Row {
    fn from(shown: &Shown) -> Self {
        Row {
            key: shown.setting.key,
            value: shown.value.clone(),
            origin: shown.origin.kind(),
            place: shown.origin.to_string(),
            kind: shown.setting.kind,
            variable: shown.setting.variable(),
            secret: shown.setting.secret,
        }
    }
}
