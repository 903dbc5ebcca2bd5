//! PostgreSQL is real: databases are apart, sessions can be cut, passwords are asked for.

use anyhow::Result;
use testkit::{Postgres, eventually};

#[tokio::test]
async fn each_database_is_apart() -> Result<()> {
    let server = Postgres::shared().await?;
    let (one, two) = (server.database().await?, server.database().await?);
    assert_ne!(one, two);
    server.sql(&one, "CREATE TABLE only_here (n integer); INSERT INTO only_here VALUES (41), (42)").await?;
    assert_eq!(server.sql(&one, "SELECT n, n + 1 FROM only_here ORDER BY n").await?, "41|42\n42|43");
    let missing = server.sql(&two, "SELECT n FROM only_here").await.unwrap_err().to_string();
    assert!(missing.contains("does not exist"), "{missing}");
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_is_refused() -> Result<()> {
    let server = Postgres::shared().await?;
    let url = server.database().await?;
    let wrong = format!("postgres://hedgerow:wrong@{}/{}", server.address(), url.rsplit('/').next().unwrap());
    let refused = server.sql(&wrong, "SELECT 1").await.unwrap_err().to_string();
    assert!(refused.contains("password authentication failed"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn sessions_can_be_cut() -> Result<()> {
    let server = Postgres::start().await?;
    let url = server.database().await?;
    let sleeper = server.sql(&url, "SELECT pg_sleep(600)");
    let cutter = async {
        eventually(std::time::Duration::from_secs(20), "the sleeper sleeps", || async {
            let seen = server.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(600)'");
            let seen = seen.await?;
            if seen == "1" { Ok(()) } else { Err(anyhow::anyhow!("{seen} sleepers")) }
        })
        .await?;
        server.cut_sessions().await
    };
    let (slept, cut) = tokio::join!(sleeper, cutter);
    cut?;
    assert!(slept.unwrap_err().to_string().contains("terminating connection"));
    Ok(())
}

#[tokio::test]
async fn a_stopped_server_refuses_and_comes_back_with_its_data() -> Result<()> {
    let mut server = Postgres::start().await?;
    let url = server.database().await?;
    server.sql(&url, "CREATE TABLE kept (n integer); INSERT INTO kept VALUES (7)").await?;
    server.stop().await?;
    let refused = server.sql(&url, "SELECT 1").await.unwrap_err().to_string();
    assert!(refused.contains("refused"), "{refused}");
    server.resume().await?;
    assert_eq!(server.sql(&url, "SELECT n FROM kept").await?, "7");
    Ok(())
}
