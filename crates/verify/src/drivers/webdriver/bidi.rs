//! What Firefox tells of itself, by WebDriver BiDi: requests with the headers that really went and came, redirects one by
//! one, bodies, and the console. `PerformanceResourceTiming` was refused: it knows neither methods nor redirects nor
//! headers, and the process's output mixes the page's lines with Firefox's own.

use super::capabilities::PAGE_LOAD;
use super::traffic::{BODY, Headers, SCRIPT, Traffic, between, is_http, is_shown, moment};
use crate::exchange::Exchange;
use crate::obstacle::{Obstacle, Taken};
use crate::results::ConsoleLine;
use futures::stream::SplitSink;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A message beyond this is none that Firefox sends: the longest that is asked for is a body with all of it escaped.
const LONGEST: usize = 64 * 1024 * 1024;

/// A conversation with Firefox.
pub(super) struct Bidi {
    mouth: SplitSink<WebSocketStream<MaybeTlsStream<TcpStream>>, Message>,
    heard: mpsc::UnboundedReceiver<Value>,
    listener: JoinHandle<()>,
    events: Vec<Value>,
    commands: u64,
    context: String,
    console: Vec<ConsoleLine>,
    /// Answers that have begun.
    begun: HashMap<String, Value>,
}

impl Bidi {
    /// Connects, and listens from now on. `context` is the window.
    pub(super) async fn connect(address: &str, context: &str) -> Taken<Self> {
        let failed = |why: String| Obstacle::Browser(format!("cannot listen to Firefox at {address}: {why}"));
        let config = WebSocketConfig::default().max_message_size(Some(LONGEST)).max_frame_size(Some(LONGEST));
        let connected = tokio::time::timeout(PATIENCE, connect_async_with_config(address, Some(config), true)).await;
        let connected = connected.map_err(|_| failed(format!("no answer within {} s", PATIENCE.as_secs())))?;
        let (mouth, mut ears) = connected.map_err(|error| failed(error.to_string()))?.0.split();
        let (tell, heard) = mpsc::unbounded_channel();
        let listener = tokio::spawn(async move {
            // Pings are answered by the library, as long as somebody listens.
            while let Some(Ok(one)) = ears.next().await {
                if let Message::Text(text) = one
                    && tell.send(serde_json::from_str(&text).unwrap_or_default()).is_err()
                {
                    return;
                }
            }
        });
        let (events, console, context, begun) = (Vec::new(), Vec::new(), context.to_owned(), HashMap::new());
        let mut bidi = Self { mouth, heard, listener, events, commands: 0, context, console, begun };
        let wanted = [
            "network.beforeRequestSent",
            "network.responseStarted",
            "network.responseCompleted",
            "network.fetchError",
            "log.entryAdded",
        ];
        bidi.command("session.subscribe", json!({"events": wanted})).await?;
        let kept = json!({"dataTypes": ["request", "response"], "maxEncodedDataSize": BODY});
        bidi.command("network.addDataCollector", kept).await?;
        Ok(bidi)
    }

    /// Opens an address, and waits until the page is loaded. WebDriver's own way was refused: it waits for a minute where
    /// a download or no content comes.
    pub(super) async fn open(&mut self, url: &str) -> Taken<()> {
        let asked = format!("GET {url}");
        let to = json!({"context": self.context, "url": url, "wait": "complete"});
        let patience = Duration::from_millis(PAGE_LOAD);
        let Some(answer) = self.say("browsingContext.navigate", to, patience).await? else {
            let why = format!("nothing came within {} s", patience.as_secs());
            return Err(Obstacle::NoAnswer { asked, why, timed_out: true });
        };
        if answer["type"] == "error" {
            let why = answer["message"].as_str().unwrap_or_default().trim_start_matches("Error: ").to_owned();
            return Err(Obstacle::NoAnswer { asked, why, timed_out: false });
        }
        Ok(())
    }

    /// Another window is looked at from now on.
    pub(super) fn look_at(&mut self, context: &str) {
        context.clone_into(&mut self.context);
    }

    /// Sends a command and waits for its answer.
    pub(super) async fn command(&mut self, method: &str, params: Value) -> Taken<Value> {
        let answer = self.say(method, params, PATIENCE).await?;
        let mut answer = answer.ok_or_else(|| gone(method))?;
        if answer["type"] == "error" {
            return Err(Obstacle::Browser(format!("Firefox refuses {method}: {}", answer["message"])));
        }
        Ok(answer["result"].take())
    }

    /// Sends a command; the answer, if it comes in time.
    async fn say(&mut self, method: &str, params: Value, patience: Duration) -> Taken<Option<Value>> {
        self.commands += 1;
        let id = self.commands;
        let text = json!({"id": id, "method": method, "params": params}).to_string();
        let answer = tokio::time::timeout(patience, async {
            self.mouth.send(Message::text(text)).await.map_err(|_| gone(method))?;
            while let Some(mut one) = self.heard.recv().await {
                if one["id"] == id {
                    return Ok(one);
                }
                if one["type"] == "event" {
                    self.events.push(one.take());
                }
            }
            Err(gone(method))
        });
        answer.await.ok().transpose()
    }

    /// Reads what happened since the last call.
    pub(super) async fn drain(&mut self, traffic: &mut Traffic) -> Taken<()> {
        // What was told before the answer has arrived with the answer.
        self.command("session.status", json!({})).await?;
        for event in std::mem::take(&mut self.events) {
            match event["method"].as_str().unwrap_or_default() {
                "log.entryAdded" => self.console.extend(line(&event["params"])),
                "network.beforeRequestSent" => self.begin(&event["params"], traffic),
                "network.responseStarted" => self.answered(&event["params"], traffic),
                "network.responseCompleted" | "network.fetchError" => self.end(&event["params"], traffic).await,
                _ => {}
            }
        }
        Ok(())
    }

    /// The lines of the console since the last call.
    pub(super) fn console(&mut self) -> Vec<ConsoleLine> {
        std::mem::take(&mut self.console)
    }

    fn begin(&self, params: &Value, traffic: &mut Traffic) {
        let exchange = exchange(params);
        if is_http(&exchange.url) {
            let ends = exchange.kind != "eventsource";
            traffic.begin(&key(params), exchange, self.is_page(params), ends);
        }
    }

    fn answered(&mut self, params: &Value, traffic: &mut Traffic) {
        self.begun.insert(key(params), params["response"].clone());
        traffic.update(&key(params), exchange(params));
    }

    async fn end(&mut self, params: &Value, traffic: &mut Traffic) {
        let begun = self.begun.remove(&key(params));
        let mut params = params.clone();
        if let (false, Some(begun)) = (params["response"].is_object(), begun) {
            params["response"] = begun;
        }
        let params = &params;
        let mut exchange = exchange(params);
        if !traffic.end(&key(params), exchange.from_cache) {
            return;
        }
        if exchange.status > 0 && !is_shown(&exchange) {
            exchange.error = None;
        }
        let is_redirect = (300..400).contains(&exchange.status);
        let most = match exchange.kind.as_str() {
            "document" | "iframe" | "fetch" => BODY,
            // What the browser has kept was told when it came.
            "script" if !exchange.from_cache => SCRIPT,
            _ => 0,
        };
        if exchange.error.is_none() && !is_redirect && exchange.response_bytes <= most {
            exchange.response_body = self.data("response", params).await;
            exchange.response_bytes =
                exchange.response_body.as_ref().map_or(exchange.response_bytes, |body| body.len() as u64);
        }
        if params["request"]["bodySize"].as_u64().unwrap_or_default() > 0 {
            exchange.request_body = self.data("request", params).await;
        }
        let is_page = self.is_page(params);
        traffic.write(exchange, is_page);
    }

    async fn data(&mut self, sort: &str, params: &Value) -> Option<String> {
        let asked = json!({"dataType": sort, "request": params["request"]["request"]});
        let data = self.command("network.getData", asked).await.ok()?;
        (data["bytes"]["type"] == "string").then(|| data["bytes"]["value"].as_str().map(str::to_owned)).flatten()
    }

    fn is_page(&self, params: &Value) -> bool {
        params["context"] == self.context.as_str() && params["request"]["destination"] == "document"
    }
}

impl Drop for Bidi {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

fn gone(method: &str) -> Obstacle {
    Obstacle::Browser(format!("Firefox gives no answer to {method}"))
}

/// Redirects are of the same request.
fn key(params: &Value) -> String {
    format!("{}/{}", params["request"]["request"].as_str().unwrap_or_default(), params["redirectCount"])
}

fn exchange(params: &Value) -> Exchange {
    let (request, response) = (&params["request"], &params["response"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let began = request["timings"]["requestTime"].as_f64().filter(|time| *time > 0.0);
    let told = params["timestamp"].as_f64().unwrap_or_default();
    let began = began.unwrap_or(told);
    let request_headers = headers(&request["headers"]);
    let is_stream = request_headers.iter().any(|(_, value)| value == "text/event-stream");
    let kind = match request["destination"].as_str().unwrap_or_default() {
        "" if is_stream => "eventsource",
        "" => "fetch",
        "style" => "stylesheet",
        other => other,
    };
    Exchange {
        started: moment(began),
        ms: between(began, told),
        method: text(&request["method"]),
        url: text(&request["url"]),
        kind: kind.to_owned(),
        request_headers,
        status: response["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_default(),
        response_headers: headers(&response["headers"]),
        response_bytes: response["bytesReceived"].as_u64().unwrap_or_default(),
        from_cache: response["fromCache"] == true && response["status"] != 304,
        error: params["errorText"].as_str().map(str::to_owned),
        ..Exchange::default()
    }
}

fn headers(value: &Value) -> Headers {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pairs = value.as_array().into_iter().flatten();
    pairs
        .flat_map(|header| {
            let name = text(&header["name"]);
            let lines: Vec<String> = text(&header["value"]["value"]).split('\n').map(str::to_owned).collect();
            lines.into_iter().map(move |line| (name.clone(), line))
        })
        .collect()
}

/// A line of the console, in the words of Chromium's log.
fn line(params: &Value) -> Option<ConsoleLine> {
    let level = match params["level"].as_str()? {
        "error" => "SEVERE",
        "warn" => "WARNING",
        "debug" => "DEBUG",
        _ => "INFO",
    };
    let frame = &params["stackTrace"]["callFrames"][0];
    let place = frame["url"].as_str().map(|url| format!("{url} {}:{} ", frame["lineNumber"], frame["columnNumber"]));
    let text = format!("{}{}", place.unwrap_or_default(), params["text"].as_str().unwrap_or_default());
    Some(ConsoleLine { level: level.to_owned(), text })
}
