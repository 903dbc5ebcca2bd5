//! WebDriver's protocol, as far as it is spoken here. A library was refused: what matters here (the logs, the DevTools'
//! commands, computed labels, the exact word of an error) is what such libraries leave out.

use crate::obstacle::{Obstacle, Taken};
use reqwest::Method;
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// Longer than the longest that a driver waits for by itself.
const PATIENCE: Duration = Duration::from_secs(100);

/// The key under which WebDriver writes a reference to an element.
pub(super) const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Our word for a script that came to no end, because its page left. WebDriver has none.
const LEFT: &str = "page left";

/// What a driver said instead of doing it.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// The protocol's word for it, as `stale element reference`.
    pub word: String,
    /// What the driver says besides.
    pub message: String,
}

impl Refusal {
    fn left() -> Self {
        Self { word: LEFT.to_owned(), message: "the page was left before the script had ended".to_owned() }
    }

    pub(super) fn is(&self, words: &[&str]) -> bool {
        words.contains(&self.word.as_str())
    }

    /// Whether what was asked met a page that was just leaving.
    pub(super) fn is_passing(&self) -> bool {
        self.is(&[LEFT, "stale element reference", "no such element", "javascript error"])
            || ["execution context", "unloaded", "navigat", "inspected target", "discarded"]
                .iter()
                .any(|sign| self.message.contains(sign))
    }

    /// What it means for a step that asked the target for something.
    pub(super) fn of_step(self, asked: &str) -> Obstacle {
        let timed_out = self.is(&["timeout", "script timeout"]);
        let network =
            ["net::ERR_", "Reached error page", "about:neterror"].iter().any(|sign| self.message.contains(sign));
        if timed_out || network || self.is(&["insecure certificate"]) {
            let why = if self.is(&["insecure certificate"]) {
                "the browser refuses its certificate".to_owned()
            } else {
                network_word(&self.message)
            };
            return Obstacle::NoAnswer { asked: asked.to_owned(), why, timed_out };
        }
        self.into()
    }
}

/// `net::ERR_CONNECTION_REFUSED`, or Firefox's `connectionFailure`, out of a sentence around it.
fn network_word(message: &str) -> String {
    if let Some(at) = message.find("net::ERR_") {
        return message[at..].chars().take_while(|one| one.is_ascii_alphanumeric() || "_:".contains(*one)).collect();
    }
    if let Some((_, rest)) = message.split_once("neterror?e=") {
        return rest.chars().take_while(|one| one.is_ascii_alphanumeric() || "-_".contains(*one)).collect();
    }
    message.to_owned()
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.word, self.message)
    }
}

impl From<Refusal> for Obstacle {
    fn from(refusal: Refusal) -> Self {
        Self::Browser(format!("the browser's driver says: {refusal}"))
    }
}

/// A session of a driver.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    http: reqwest::Client,
    session: String,
    /// What the session is: version, addresses of logs.
    pub capabilities: Value,
}

impl Wire {
    /// Opens a session.
    pub(super) async fn open(address: &str, capabilities: &Value) -> Taken<Self> {
        // Whoever has installed one before has installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        let http = http.map_err(|error| Obstacle::Browser(format!("HTTP cannot be set up: {error}")))?;
        let address = address.trim_end_matches('/');
        let mut wire = Self { http, session: address.to_owned(), capabilities: Value::Null };
        let mut answer = wire.post("/session", &json!({"capabilities": {"alwaysMatch": capabilities}})).await?;
        let id = answer["sessionId"].as_str().unwrap_or_default().to_owned();
        if id.is_empty() {
            return Err(Obstacle::Browser(format!("{address} opens no session")));
        }
        wire.session = format!("{address}/session/{id}");
        wire.capabilities = answer["capabilities"].take();
        Ok(wire)
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.send(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Value, Refusal> {
        self.send(Method::DELETE, path, None).await
    }

    /// Runs a script of ours in the page. Where the page leaves meanwhile, Firefox answers `null` as if all were well:
    /// what the script itself answers comes in a list, so that the two are told apart.
    pub(super) async fn run(&self, script: &str, arguments: Value) -> Result<Value, Refusal> {
        let script = format!("return [(function () {{\n{script}\n}}).apply(null, arguments)];");
        let mut answer = self.post("/execute/sync", &json!({"script": script, "args": arguments})).await?;
        answer.get_mut(0).map(Value::take).ok_or_else(Refusal::left)
    }

    /// Runs a script that calls its last argument when it is done, with something.
    pub(super) async fn run_async(&self, script: &str, arguments: Value) -> Result<Value, Refusal> {
        let answer = self.post("/execute/async", &json!({"script": script, "args": arguments})).await?;
        if answer.is_null() { Err(Refusal::left()) } else { Ok(answer) }
    }

    /// A command of Chrome's DevTools.
    pub(super) async fn cdp(&self, command: &str, parameters: Value) -> Result<Value, Refusal> {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters})).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Refusal> {
        let failed = |error: reqwest::Error| {
            let word = if error.is_timeout() { "timeout" } else { "no answer" };
            Refusal { word: word.to_owned(), message: format!("the driver gives no answer to {path}") }
        };
        let mut request = self.http.request(method, format!("{}{path}", self.session));
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut answer: Value = request.send().await.map_err(failed)?.json().await.map_err(failed)?;
        if let Some(word) = answer["value"]["error"].as_str() {
            let message = answer["value"]["message"].as_str().unwrap_or_default();
            // The rest is the driver's own stack.
            let message = message.lines().next().unwrap_or_default().trim().to_owned();
            return Err(Refusal { word: word.to_owned(), message });
        }
        Ok(answer["value"].take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_networks_word_is_found() {
        assert_eq!(network_word("unknown error: net::ERR_CONNECTION_REFUSED (x)"), "net::ERR_CONNECTION_REFUSED");
        let firefox = "Reached error page: about:neterror?e=connectionFailure&u=http%3A//x/";
        assert_eq!(network_word(firefox), "connectionFailure");
    }
}
