//! `hedgerow migrate`: the schema of the database, brought to this version.

use crate::settings::Settings;
use crate::{cli, data_dir, database, output, server};
use anyhow::Context as _;

/// Runs the migrations that are missing and says from where to where.
pub(crate) fn run(arguments: &cli::Migrate) -> anyhow::Result<()> {
    let settings = super::settings(&arguments.source)?;
    server::block_on(migrate(&settings))
}

async fn migrate(settings: &Settings) -> anyhow::Result<()> {
    let folder = data_dir::open(&settings.data)?;
    let store = database::open_as_it_is(settings, &folder).await?;
    let (before, _) = store.schema_version().await.context("cannot read the version of the schema")?;
    store.migrate().await.context("cannot bring the database up to date")?;
    let (after, _) = store.schema_version().await.context("cannot read the version of the schema")?;
    let engine = store.engine();
    store.close().await;
    output::text(&if before == after {
        format!("the {engine} database is at schema version {after}; nothing to do\n")
    } else {
        format!("migrated the {engine} database from version {before} to version {after}\n")
    })?;
    Ok(())
}
