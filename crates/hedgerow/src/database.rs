//! The database of these settings: SQLite in the data folder unless a URL names another.

use crate::data_dir;
use crate::settings::Settings;
use anyhow::Context as _;
use std::path::Path;
use store::Store;

/// Name of the SQLite file in the data folder.
pub(crate) const FILE: &str = "hedgerow.db";

/// Opens it and brings its schema up to date.
pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Store> {
    let folder = data_dir::open(&settings.data)?;
    open_in(settings, &folder).await
}

/// The same, with the data folder that is already there.
pub(crate) async fn open_in(settings: &Settings, folder: &Path) -> anyhow::Result<Store> {
    let store = open_as_it_is(settings, folder).await?;
    store.migrate().await.context("cannot bring the database up to date")?;
    Ok(store)
}

/// Opens it and leaves its schema alone.
pub(crate) async fn open_as_it_is(settings: &Settings, folder: &Path) -> anyhow::Result<Store> {
    let file = folder.join(FILE);
    let url = match &settings.database_url {
        Some(url) => url.expose().to_owned(),
        None => file.to_str().context("the path of the data folder is not UTF-8")?.to_owned(),
    };
    Store::open_unmigrated(&url).await.with_context(|| match &settings.database_url {
        Some(_) => "cannot open the database named by 'database.url'".to_owned(),
        None => format!("cannot open the database {}", file.display()),
    })
}
