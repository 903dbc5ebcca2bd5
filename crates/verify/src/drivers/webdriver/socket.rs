//! The client's side of a WebSocket (RFC 6455), as far as a browser's own driver on the same machine needs it: text
//! messages, no extensions. A crate for it was refused: it would be the third HTTP stack of the program.

use base64::Engine;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use url::Url;

/// A message beyond this is none that a driver sends.
const LONGEST: u64 = 64 * 1024 * 1024;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The half that listens.
pub(super) struct Ears(OwnedReadHalf);

/// The half that speaks.
pub(super) struct Mouth(OwnedWriteHalf);

/// What was heard.
pub(super) enum Heard {
    /// A message.
    Text(String),
    /// It wants to know whether we are there.
    Ping(Vec<u8>),
    /// It ended.
    Nothing,
}

/// Connects to `ws://host:port/path`.
pub(super) async fn connect(address: &str) -> io::Result<(Ears, Mouth)> {
    let url = Url::parse(address).map_err(|_| io::Error::other(format!("{address} is no address")))?;
    if url.scheme() != "ws" {
        return Err(io::Error::other(format!("{address} is not ws://")));
    }
    let host = url.host_str().unwrap_or("127.0.0.1").to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let mut stream = TcpStream::connect((host.as_str(), port)).await?;
    stream.set_nodelay(true)?;
    let key = base64::engine::general_purpose::STANDARD.encode(uuid::Uuid::new_v4().as_bytes());
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let hello = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(hello.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() > 16 * 1024 {
            return Err(io::Error::other("it answers no WebSocket"));
        }
        answer.push(stream.read_u8().await?);
    }
    if !answer.starts_with(b"HTTP/1.1 101") {
        let said = String::from_utf8_lossy(&answer);
        return Err(io::Error::other(format!("it answers {}", said.lines().next().unwrap_or_default())));
    }
    let (ears, mouth) = stream.into_split();
    Ok((Ears(ears), Mouth(mouth)))
}

impl Ears {
    /// The next message.
    pub(super) async fn hear(&mut self) -> io::Result<Heard> {
        let mut message = Vec::new();
        loop {
            let (first, second) = (self.0.read_u8().await?, self.0.read_u8().await?);
            let length = match second & 127 {
                126 => u64::from(self.0.read_u16().await?),
                127 => self.0.read_u64().await?,
                short => u64::from(short),
            };
            if length + message.len() as u64 > LONGEST {
                return Err(io::Error::other("a message is too long"));
            }
            let mut part = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            self.0.read_exact(&mut part).await?;
            match first & 15 {
                CLOSE => return Ok(Heard::Nothing),
                PING => return Ok(Heard::Ping(part)),
                PONG => {}
                _ => {
                    message.append(&mut part);
                    if first & 128 != 0 {
                        return Ok(Heard::Text(String::from_utf8_lossy(&message).into_owned()));
                    }
                }
            }
        }
    }
}

impl Mouth {
    /// Sends a message.
    pub(super) async fn say(&mut self, text: &str) -> io::Result<()> {
        self.send(TEXT, text.as_bytes()).await
    }

    /// Answers a ping.
    pub(super) async fn pong(&mut self, content: &[u8]) -> io::Result<()> {
        self.send(PONG, content).await
    }

    async fn send(&mut self, kind: u8, content: &[u8]) -> io::Result<()> {
        let mask = uuid::Uuid::new_v4().into_bytes();
        let mut frame = vec![128 | kind];
        match content.len() {
            short @ 0..=125 => frame.push(128 | u8::try_from(short).map_err(io::Error::other)?),
            middle @ 126..=0xffff => {
                frame.push(128 | 126);
                frame.extend(u16::try_from(middle).map_err(io::Error::other)?.to_be_bytes());
            }
            long => {
                frame.push(128 | 127);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        frame.extend(&mask[..4]);
        frame.extend(content.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        self.0.write_all(&frame).await
    }
}
