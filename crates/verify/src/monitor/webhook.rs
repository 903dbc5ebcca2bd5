//! Telling somebody by a webhook: one POST with the alert as JSON, tried again a few times with growing pauses. Its
//! address may be a secret itself, so that no error and no log line holds more of it than where it leads.

use super::alert::Alert;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use url::Url;

/// How long one answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pauses between tries.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];

/// Where alerts are sent.
#[derive(Clone)]
pub struct Webhook {
    http: reqwest::Client,
    url: SecretString,
    place: String,
    pauses: Vec<Duration>,
}

/// Why nobody could be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// The address is none.
    #[error("The address of the webhook is none that http or https lead to.")]
    Address,
    /// The client could not be made.
    #[error("The webhook cannot be set up: {0}.")]
    Client(String),
    /// It did not answer.
    #[error("The webhook at {place} did not answer, in {tries} tries: {why}.")]
    Silent {
        /// Where it is.
        place: String,
        /// How often it was tried.
        tries: usize,
        /// Why the last one did not work.
        why: String,
    },
    /// It answered that it does not take it.
    #[error("The webhook at {place} answered {status}.")]
    Refused {
        /// Where it is.
        place: String,
        /// The status.
        status: u16,
    },
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Webhook({})", self.place)
    }
}

impl Webhook {
    /// A webhook at this address.
    ///
    /// # Errors
    /// When it is no address of http or https.
    pub fn new(address: &SecretString) -> Result<Self, Undelivered> {
        // Whoever has installed one before has installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = Url::parse(address.expose_secret().trim()).map_err(|_| Undelivered::Address)?;
        let host = url.host_str().ok_or(Undelivered::Address)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Undelivered::Address);
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let place = format!("{}://{host}{port}", url.scheme());
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("HedgerowVerify/", env!("CARGO_PKG_VERSION")));
        let http = client.build().map_err(|error| Undelivered::Client(error.without_url().to_string()))?;
        Ok(Self { http, url: url.as_str().into(), place, pauses: PAUSES.to_vec() })
    }

    /// The same with other pauses between its tries, as many as there are to be.
    #[must_use]
    pub fn with_pauses(mut self, pauses: &[Duration]) -> Self {
        self.pauses = pauses.to_vec();
        self
    }

    /// Where it leads, without what may be secret.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Sends an alert, and tries again what fails in a way that passes.
    ///
    /// # Errors
    /// When nobody took it.
    pub async fn send(&self, alert: &Alert) -> Result<(), Undelivered> {
        let mut pauses = self.pauses.iter();
        let mut tries = 0;
        loop {
            tries += 1;
            let sent = self.http.post(self.url.expose_secret()).json(alert).send().await;
            let failed = match sent {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => {
                    let status = answer.status();
                    let passes = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
                    let refused = Undelivered::Refused { place: self.place.clone(), status: status.as_u16() };
                    if !passes {
                        return Err(refused);
                    }
                    refused
                }
                Err(error) => Undelivered::Silent { place: self.place.clone(), tries, why: why(error) },
            };
            let Some(pause) = pauses.next() else { return Err(failed) };
            tokio::time::sleep(*pause).await;
        }
    }
}

/// The innermost reason, without the address.
fn why(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut inner: &dyn std::error::Error = &error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::super::judged::tests::{at, judged};
    use super::super::{Event, Mark, Row};
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    fn alert() -> Alert {
        Alert::of(Event::Failing, &judged(Mark::Fail, 0), Row { count: 2, since: Some(at(0)) }, None)
    }

    /// A receiver that answers each request with the next of these statuses, and gives what it was sent.
    fn receiver(statuses: &'static [u16]) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/hook/s3cret-path?key=s3cret", listener.local_addr().unwrap());
        let taken = std::thread::spawn(move || {
            let answer = |status: &u16| {
                let (mut stream, _) = listener.accept().unwrap();
                let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
                let mut is_whole = false;
                while !is_whole {
                    let read = stream.read(&mut buffer).unwrap();
                    all.extend_from_slice(&buffer[..read]);
                    let text = String::from_utf8_lossy(&all).into_owned();
                    let length = text.to_ascii_lowercase();
                    let length = length.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
                    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
                    is_whole =
                        read == 0 || body.zip(length).is_some_and(|(body, length)| body >= length.parse().unwrap());
                }
                let head = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(head.as_bytes()).unwrap();
                String::from_utf8(all).unwrap()
            };
            statuses.iter().map(answer).collect()
        });
        (address, taken)
    }

    #[tokio::test]
    async fn what_passes_is_tried_again_until_it_is_taken() {
        let (address, taken) = receiver(&[503, 429, 204]);
        let hook = Webhook::new(&address.into()).unwrap().with_pauses(&[Duration::ZERO; 3]);
        hook.send(&alert()).await.unwrap();
        let requests = taken.join().unwrap();
        assert_eq!(requests.len(), 3);
        let body: Alert = serde_json::from_str(requests[2].split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(body, alert());
    }

    #[tokio::test]
    async fn what_does_not_pass_is_said_at_once_and_without_the_address() {
        let (address, taken) = receiver(&[404]);
        let hook = Webhook::new(&address.clone().into()).unwrap().with_pauses(&[Duration::ZERO; 3]);
        let refused = hook.send(&alert()).await.unwrap_err();
        taken.join().unwrap();
        let silent = hook.send(&alert()).await.unwrap_err();
        assert!(matches!(refused, Undelivered::Refused { status: 404, .. }), "{refused}");
        assert!(matches!(silent, Undelivered::Silent { tries: 4, .. }), "{silent}");
        for text in [refused.to_string(), silent.to_string(), format!("{hook:?}")] {
            assert!(text.contains("http://127.0.0.1:") && !text.contains("s3cret"), "{text}");
        }
        for bad in ["ftp://h.example/", "nothing", "mailto:a@h.example"] {
            assert!(matches!(Webhook::new(&bad.into()), Err(Undelivered::Address)), "{bad}");
        }
    }
}
