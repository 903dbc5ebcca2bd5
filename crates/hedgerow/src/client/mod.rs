//! A console asked from elsewhere, over HTTP and by nothing else: what `hedgerow sync`, `diff` and `wait` share. They take
//! the way of a user: the same addresses as the pages and their scripts, an API token instead of a session, and no room
//! below `web`.
//!
//! Every request is safe to repeat: reading is, and what starts an operation carries an Idempotency-Key. So an answer that
//! was lost is asked for again, and never does anything twice.

mod connect;
mod failure;
mod operation;
mod progress;
mod verdict;

pub(crate) use failure::Failure;
pub(crate) use operation::{Outcome, begin, follow, object, outcomes};
pub(crate) use progress::Progress;
pub(crate) use verdict::{Verdict, complain, run};

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use url::Url;

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(30);
/// How long a console that does not answer is asked before anything has begun.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// How long it is asked once something has: a restart takes no longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pauses between tries.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(4)];

/// A console, and who asks it.
pub(crate) struct Client {
    http: reqwest::Client,
    server: Url,
    end: Instant,
    limit: Duration,
    /// The address of the operation that was begun: it goes on whatever becomes of this process.
    began: OnceLock<String>,
}

/// A fabric as its page says it to a script.
pub(crate) struct Fabric {
    /// Its name.
    pub(crate) name: String,
    /// Its address.
    pub(crate) url: String,
    /// All of it.
    pub(crate) json: Value,
}

/// Why there is no answer to a request.
enum Trouble {
    /// It may pass: the same request may be sent again, after so long if that is known.
    Passing(Failure, Option<Duration>),
    /// It will not.
    Final(Failure),
}

impl Client {
    /// When whoever started this wants an answer.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// That it took too long, and how it stands.
    pub(crate) fn timed_out(&self, how: &str) -> Failure {
        let limit = self.limit.as_secs();
        Failure::new("timed_out", format!("After {limit} s this command stopped waiting. {how}"))
            .todo("Give it longer with --timeout, or see on the fabric's page what it waits for.")
    }

    /// The whole address of a path of the console.
    pub(crate) fn address(&self, path: &str) -> String {
        self.server.join(path).map_or_else(|_| path.to_owned(), String::from)
    }

    /// The operation that was begun, if one was.
    pub(crate) fn began(&self) -> Option<String> {
        self.began.get().map(|path| self.address(path))
    }

    /// Reads something.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send(Method::GET, path, &[], None).await
    }

    /// Asks for something to be done, once, however often the answer is lost.
    pub(crate) async fn post(&self, path: &str, form: &[(&str, String)], key: &str) -> Result<Value, Failure> {
        self.send(Method::POST, path, form, Some(key)).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        form: &[(&str, String)],
        key: Option<&str>,
    ) -> Result<Value, Failure> {
        // Only addresses of this console: the token goes nowhere else.
        if !path.starts_with('/') || path.starts_with("//") {
            return Err(Failure::not_a_console(format!(
                "The server named the address {path}, which is not one of its own."
            )));
        }
        let url = self.server.join(path).map_err(|_| Failure::not_a_console(format!("{path} is no address.")))?;
        let patience = if self.began.get().is_some() || key.is_some() { PATIENCE } else { FIRST_PATIENCE };
        let began = Instant::now();
        let mut pause = PAUSES[0];
        loop {
            let mut request = self.http.request(method.clone(), url.clone()).header(ACCEPT, "application/json");
            if let Some(key) = key {
                request = request.header("idempotency-key", key).form(form);
            }
            let (failure, wait) = match self.once(request).await {
                Ok(value) => return Ok(value),
                Err(Trouble::Final(failure)) => return Err(failure),
                Err(Trouble::Passing(failure, wait)) => (failure, wait.unwrap_or(pause)),
            };
            if began.elapsed() + wait > patience || Instant::now() + wait >= self.end {
                return Err(failure);
            }
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(PAUSES[1]);
        }
    }

    async fn once(&self, request: RequestBuilder) -> Result<Value, Trouble> {
        let left = self.end.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
        let lost = |error: reqwest::Error| Trouble::Passing(self.no_answer(&error), None);
        let response = request.timeout(REQUEST.min(left)).send().await.map_err(lost)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(lost)?;
        read(status, &headers, &body)
    }

    fn no_answer(&self, error: &reqwest::Error) -> Failure {
        // The text of the error names the address, and the cause below it says what happened.
        let mut cause: &dyn std::error::Error = error;
        while let Some(below) = cause.source() {
            cause = below;
        }
        let why = if error.is_timeout() { "it took too long".to_owned() } else { cause.to_string() };
        let server = self.server.as_str().trim_end_matches('/');
        Failure::new("transport_failed", format!("No answer from {server}: {why}."))
            .todo("Check the address and the network between, then run the same command again.")
    }

    /// The fabric of this number or name.
    pub(crate) async fn fabric(&self, wanted: &str) -> Result<Fabric, Failure> {
        let is_number = wanted.bytes().all(|byte| byte.is_ascii_digit()) && !wanted.starts_with('0');
        if is_number && !wanted.is_empty() {
            match self.get(&format!("/fabrics/{wanted}/")).await {
                Ok(json) => return Fabric::of(json),
                // It may be a name all the same.
                Err(failure) if failure.code == "not_found" => {}
                Err(failure) => return Err(failure),
            }
        }
        let mut number = Some(1);
        while let Some(page) = number {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("q", wanted)
                .append_pair("page", &page.to_string())
                .finish();
            let list = self.get(&format!("/fabrics/?{query}")).await?;
            let mut rows = list["results"].as_array().into_iter().flatten();
            if let Some(row) = rows.find(|row| row["name"] == wanted) {
                return Fabric::of(self.get(text(row, "url")?).await?);
            }
            number = list["next_page"].as_u64().filter(|next| *next > page);
        }
        let message = format!("There is no fabric {wanted}, or the token's user may not see it.");
        Err(Failure::new("not_found", message)
            .todo("Check its name, upper and lower case too, on the list of fabrics."))
    }
}

impl Fabric {
    fn of(json: Value) -> Result<Self, Failure> {
        Ok(Self { name: text(&json, "name")?.to_owned(), url: text(&json, "url")?.to_owned(), json })
    }

    /// The word of its state.
    pub(crate) fn state(&self) -> &str {
        self.json["status"]["state"].as_str().unwrap_or_default()
    }

    /// Its state in a sentence.
    pub(crate) fn message(&self) -> &str {
        self.json["status"]["message"].as_str().unwrap_or_default()
    }
}

/// A text that every console's answer has there.
pub(crate) fn text<'a>(json: &'a Value, name: &str) -> Result<&'a str, Failure> {
    json[name].as_str().ok_or_else(|| Failure::not_a_console(format!("The answer has no {name}.")))
}

/// Reads an answer: JSON that was asked for, or why there is none. A page, as of a login or of a proxy, is none.
fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Value, Trouble> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = header(CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    let json = matches!(media, "application/json" | "application/problem+json").then(|| serde_json::from_slice(body));
    if status.is_redirection() {
        let message = format!("The server led to {} instead of answering.", header(LOCATION));
        return Err(Trouble::Final(Failure::not_a_console(message)));
    }
    let passes = matches!(status.as_u16(), 429 | 502 | 503 | 504);
    match json {
        Some(Ok(value)) if status.is_success() => Ok(value),
        Some(Ok(problem)) if Value::is_string(&problem["code"]) => {
            let failure = Failure::of_problem(&problem);
            let wait = header(RETRY_AFTER).parse().ok().map(Duration::from_secs);
            // What a console calls passing may be a cluster's trouble; only its own is worth asking again for.
            match failure.code.as_str() {
                "store_unavailable" | "throttled" => Err(Trouble::Passing(failure, wait)),
                _ => Err(Trouble::Final(failure)),
            }
        }
        _ if passes => {
            let message = format!("The server, or a proxy in front of it, answered {status}.");
            Err(Trouble::Passing(Failure::new("transport_failed", message).todo("Try again when it answers."), None))
        }
        Some(Err(_)) => {
            Err(Trouble::Passing(Failure::not_a_console("The answer broke off, or is no JSON.".to_owned()), None))
        }
        _ => {
            let media = if media.is_empty() { "nothing" } else { media };
            let message = format!("The server answered {status} with {media}, and not with the JSON of a console.");
            Err(Trouble::Final(Failure::not_a_console(message)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn said(status: u16, media: &'static str, body: &str) -> Result<Value, (bool, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        headers.insert(LOCATION, HeaderValue::from_static("/login/?next=%2F"));
        read(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes()).map_err(|trouble| match trouble {
            Trouble::Passing(failure, _) => (true, failure.code),
            Trouble::Final(failure) => (false, failure.code),
        })
    }

    #[test]
    fn a_page_is_never_an_answer() {
        let refused = |passes: bool, code: &str| Err((passes, code.to_owned()));
        assert_eq!(said(200, "application/json; charset=utf-8", "{\"a\":1}"), Ok(serde_json::json!({ "a": 1 })));
        assert_eq!(said(200, "text/html", "<h1>Log in</h1>"), refused(false, "not_a_console"));
        assert_eq!(said(303, "text/html", ""), refused(false, "not_a_console"));
        assert_eq!(said(307, "application/json", "{}"), refused(false, "not_a_console"));
        assert_eq!(said(404, "text/html", ""), refused(false, "not_a_console"));
        let problem = |code: &str| format!("{{\"code\":\"{code}\",\"detail\":\"x\"}}");
        assert_eq!(said(403, "application/problem+json", &problem("token_expired")), refused(false, "token_expired"));
        assert_eq!(
            said(502, "application/problem+json", &problem("connection_failed")),
            refused(false, "connection_failed")
        );
        assert_eq!(
            said(503, "application/problem+json", &problem("store_unavailable")),
            refused(true, "store_unavailable")
        );
        assert_eq!(said(429, "application/problem+json", &problem("throttled")), refused(true, "throttled"));
        assert_eq!(said(502, "text/html", "Bad Gateway"), refused(true, "transport_failed"));
        assert_eq!(said(200, "application/json", "{\"a\":"), refused(true, "not_a_console"));
    }
}
