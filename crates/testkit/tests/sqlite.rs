//! A held SQLite database is held: nobody else can write to it until it is let go.

use std::time::Duration;

use anyhow::Result;
use testkit::{Folder, HeldDatabase, sqlite};

#[tokio::test]
async fn one_holds_it_and_the_next_waits() -> Result<()> {
    let folder = Folder::new("sqlite")?;
    let file = folder.join("test.db");
    let first = HeldDatabase::hold(&file).await?;
    let second = tokio::time::timeout(Duration::from_millis(700), HeldDatabase::hold(&file)).await;
    assert!(second.is_err(), "two hold it");
    drop(first);
    sqlite(&file, "CREATE TABLE free_again (n integer)").await?;
    Ok(())
}
