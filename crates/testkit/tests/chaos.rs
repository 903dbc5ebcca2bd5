//! The proxy does what its modes say, to open connections too.

use std::time::{Duration, Instant};

use anyhow::Result;
use testkit::{Chaos, ChaosProxy, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Sends everything back.
async fn echo() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = connection.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    Ok(address)
}

async fn say(connection: &mut TcpStream, word: &str) -> Result<String> {
    connection.write_all(word.as_bytes()).await?;
    let mut heard = vec![0; word.len()];
    tokio::time::timeout(Duration::from_secs(2), connection.read_exact(&mut heard)).await??;
    Ok(String::from_utf8(heard)?)
}

#[tokio::test]
async fn passes_and_counts() -> Result<()> {
    let proxy = ChaosProxy::start(&echo().await?).await?;
    let mut one = TcpStream::connect(proxy.address()).await?;
    assert_eq!(say(&mut one, "hello").await?, "hello");
    let mut two = TcpStream::connect(proxy.address()).await?;
    assert_eq!(say(&mut two, "hi").await?, "hi");
    assert_eq!((proxy.accepted(), proxy.open(), proxy.answered_bytes()), (2, 2, 7));
    drop((one, two));
    eventually(Duration::from_secs(5), "both are closed", || async {
        if proxy.open() == 0 { Ok(()) } else { Err(proxy.open()) }
    })
    .await
}

#[tokio::test]
async fn delays() -> Result<()> {
    let proxy = ChaosProxy::start(&echo().await?).await?;
    let mut connection = TcpStream::connect(proxy.address()).await?;
    proxy.set(Chaos::Delay(Duration::from_millis(150)));
    let started = Instant::now();
    assert_eq!(say(&mut connection, "slow").await?, "slow");
    assert!(started.elapsed() >= Duration::from_millis(300), "there and back took {:?}", started.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_black_hole_swallows_and_gives_back() -> Result<()> {
    let proxy = ChaosProxy::start(&echo().await?).await?;
    let mut old = TcpStream::connect(proxy.address()).await?;
    assert_eq!(say(&mut old, "before").await?, "before");
    proxy.set(Chaos::Blackhole);
    let mut new = TcpStream::connect(proxy.address()).await?;
    for connection in [&mut old, &mut new] {
        assert!(say(connection, "anyone").await.is_err(), "a black hole answered");
    }
    proxy.set(Chaos::Pass);
    for connection in [&mut old, &mut new] {
        let mut heard = [0; 6];
        tokio::time::timeout(Duration::from_secs(5), connection.read_exact(&mut heard)).await??;
        assert_eq!(&heard, b"anyone", "what was swallowed was lost");
    }
    Ok(())
}

#[tokio::test]
async fn a_cut_closes_and_refuses_and_is_over() -> Result<()> {
    let proxy = ChaosProxy::start(&echo().await?).await?;
    let mut connection = TcpStream::connect(proxy.address()).await?;
    assert_eq!(say(&mut connection, "hello").await?, "hello");
    proxy.set(Chaos::Cut);
    assert!(say(&mut connection, "hello").await.is_err(), "a cut connection answered");
    let refused = TcpStream::connect(proxy.address()).await.err().map(|error| error.kind());
    assert_eq!(refused, Some(std::io::ErrorKind::ConnectionRefused), "at once, not in a moment");
    proxy.set(Chaos::Pass);
    let mut again = TcpStream::connect(proxy.address()).await?;
    assert_eq!(say(&mut again, "again").await?, "again");
    // Over before anybody looked, and still felt.
    proxy.set(Chaos::Cut);
    proxy.set(Chaos::Pass);
    assert!(say(&mut again, "gone").await.is_err(), "a connection survived a short cut");
    Ok(())
}

#[tokio::test]
async fn resets_in_the_middle_of_an_answer() -> Result<()> {
    let proxy = ChaosProxy::start(&echo().await?).await?;
    proxy.set(Chaos::ResetAfter(4));
    let mut connection = TcpStream::connect(proxy.address()).await?;
    connection.write_all(b"0123456789").await?;
    let mut heard = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(5), connection.read_to_end(&mut heard)).await?;
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert!(heard.len() <= 4, "{heard:?}");
    assert_eq!(proxy.resets(), 1);
    Ok(())
}
