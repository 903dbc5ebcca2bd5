//! Chromium's own log of its network, made exchanges of: redirects one by one, with the headers that really went and came.
//! The events of one request are kept until its end and then read at once, because Chromium tells of the real headers
//! before or after the event that they belong to.

use super::traffic::{BODY, Headers, SCRIPT, Traffic, between, is_http, is_shown, moment};
use super::wire::{Refusal, Wire};
use crate::exchange::Exchange;
use base64::Engine;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long the real headers of an answer that has ended are waited for.
const LATE: Duration = Duration::from_secs(1);

/// What Chromium calls an answer that is an error and has no body.
pub(super) const WITHOUT_BODY: &str = "net::ERR_HTTP_RESPONSE_CODE_FAILURE";

/// What Chromium told of requests that have not ended.
#[derive(Default)]
pub(super) struct Network {
    /// The page's frame.
    frame: String,
    requests: HashMap<String, Vec<Value>>,
    ended: Vec<(String, Instant)>,
}

impl Network {
    pub(super) fn new(frame: &str) -> Self {
        Self { frame: frame.to_owned(), ..Self::default() }
    }

    /// Another window is looked at from now on.
    pub(super) fn look_at(&mut self, frame: &str) {
        frame.clone_into(&mut self.frame);
    }

    /// Reads what was logged since the last call.
    pub(super) async fn drain(&mut self, wire: &Wire, traffic: &mut Traffic) -> Result<(), Refusal> {
        let entries = wire.post("/se/log", &json!({"type": "performance"})).await?;
        for entry in entries.as_array().into_iter().flatten() {
            let event: Value = serde_json::from_str(entry["message"].as_str().unwrap_or_default()).unwrap_or_default();
            self.take(&event["message"], traffic);
        }
        for (id, since) in std::mem::take(&mut self.ended) {
            let events = self.requests.get(&id).map(Vec::as_slice).unwrap_or_default();
            if !is_whole(events) && since.elapsed() < LATE {
                self.ended.push((id, since));
                continue;
            }
            let events = self.requests.remove(&id).unwrap_or_default();
            let is_page = self.is_page(&events);
            let mut exchanges = exchanges(&events);
            let is_wanted = traffic.end(&id, exchanges.last().is_some_and(|last| last.from_cache));
            for exchange in exchanges.iter_mut().filter(|one| one.kind == "document" && !is_page) {
                exchange.kind = "iframe".to_owned();
            }
            if let Some(last) = exchanges.last_mut() {
                if last.status > 0 && !is_shown(last) {
                    last.error = None;
                }
                bodies(wire, &id, &events, last).await;
            }
            for exchange in exchanges {
                if is_wanted {
                    traffic.write(exchange, is_page);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, event: &Value, traffic: &mut Traffic) {
        let method = event["method"].as_str().unwrap_or_default();
        let Some(id) = event["params"]["requestId"].as_str() else { return };
        let is_first = !self.requests.contains_key(id);
        match method {
            "Network.requestWillBeSent" => {
                if !is_http(event["params"]["request"]["url"].as_str().unwrap_or_default()) {
                    self.requests.remove(id);
                    return;
                }
            }
            // Told before what it belongs to.
            "Network.requestWillBeSentExtraInfo" => {}
            "Network.requestServedFromCache"
            | "Network.responseReceived"
            | "Network.responseReceivedExtraInfo"
            | "Network.loadingFinished"
            | "Network.loadingFailed"
                if !is_first => {}
            _ => return,
        }
        let events = self.requests.entry(id.to_owned()).or_default();
        events.push(event.clone());
        let events = self.requests.get(id).map(Vec::as_slice).unwrap_or_default();
        match method {
            "Network.requestWillBeSent" => {
                let ends = event["params"]["type"] != "EventSource";
                let is_page = self.is_page(events);
                if let Some(exchange) = exchanges(events).pop() {
                    traffic.begin(id, exchange, is_page, ends);
                }
            }
            "Network.responseReceived" | "Network.responseReceivedExtraInfo" => {
                if let Some(exchange) = exchanges(events).pop() {
                    traffic.update(id, exchange);
                }
            }
            "Network.loadingFinished" | "Network.loadingFailed" => self.ended.push((id.to_owned(), Instant::now())),
            _ => {}
        }
    }

    fn is_page(&self, events: &[Value]) -> bool {
        events
            .iter()
            .any(|event| event["params"]["type"] == "Document" && event["params"]["frameId"] == self.frame.as_str())
    }
}

/// Whether all real headers of answers that were announced are there.
fn is_whole(events: &[Value]) -> bool {
    let announced = |event: &&Value| {
        event["params"]["redirectHasExtraInfo"] == true && event["params"]["redirectResponse"].is_object()
            || event["params"]["hasExtraInfo"] == true
    };
    let came = events.iter().filter(|event| event["method"] == "Network.responseReceivedExtraInfo").count();
    came >= events.iter().filter(announced).count()
}

/// The exchanges that the events of one request tell of, one for each redirect and one for the last answer.
fn exchanges(events: &[Value]) -> Vec<Exchange> {
    let extras = |method: &'static str| {
        events.iter().filter(move |event| event["method"] == method).map(|event| headers(&event["params"]["headers"]))
    };
    let mut sent = extras("Network.requestWillBeSentExtraInfo");
    let mut came = extras("Network.responseReceivedExtraInfo");
    let from_memory = events.iter().any(|event| event["method"] == "Network.requestServedFromCache");
    let mut done = Vec::new();
    let mut open: Option<(Exchange, f64)> = None;
    for event in events {
        let params = &event["params"];
        let now = params["timestamp"].as_f64().unwrap_or_default() * 1000.0;
        match event["method"].as_str().unwrap_or_default() {
            "Network.requestWillBeSent" => {
                if let Some((mut before, began)) = open.take() {
                    let has_extra = params["redirectHasExtraInfo"] == true;
                    answered(&mut before, &params["redirectResponse"], has_extra, &mut sent, &mut came);
                    before.ms = between(began, now);
                    done.push(before);
                }
                let request = &params["request"];
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let exchange = Exchange {
                    started: moment(params["wallTime"].as_f64().unwrap_or_default() * 1000.0),
                    method: text(&request["method"]),
                    url: text(&request["url"]),
                    kind: text(&params["type"]).to_ascii_lowercase(),
                    request_headers: headers(&request["headers"]),
                    request_body: request["postData"].as_str().map(str::to_owned),
                    ..Exchange::default()
                };
                open = Some((exchange, now));
            }
            "Network.responseReceived" => {
                if let Some((exchange, _)) = &mut open {
                    let has_extra = params["hasExtraInfo"] == true;
                    answered(exchange, &params["response"], has_extra, &mut sent, &mut came);
                    // What was asked whether it still holds has real headers.
                    exchange.from_cache = !has_extra && (from_memory || params["response"]["fromDiskCache"] == true);
                }
            }
            "Network.loadingFinished" => {
                if let Some((exchange, began)) = &mut open {
                    exchange.ms = between(*began, now);
                    exchange.response_bytes = params["encodedDataLength"].as_u64().unwrap_or_default();
                }
            }
            "Network.loadingFailed" => {
                if let Some((exchange, began)) = &mut open {
                    exchange.ms = between(*began, now);
                    let why = params["blockedReason"].as_str().or(params["errorText"].as_str());
                    exchange.error = why.filter(|why| !why.is_empty() && *why != WITHOUT_BODY).map(str::to_owned);
                    // Nothing came: what was sent is told all the same.
                    if exchange.status == 0 {
                        exchange.request_headers =
                            sent.next().unwrap_or_else(|| std::mem::take(&mut exchange.request_headers));
                    }
                }
            }
            _ => {}
        }
    }
    done.extend(open.map(|(exchange, _)| exchange));
    done
}

fn answered(
    exchange: &mut Exchange,
    response: &Value,
    has_extra: bool,
    sent: &mut impl Iterator<Item = Headers>,
    came: &mut impl Iterator<Item = Headers>,
) {
    exchange.status = response["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
    exchange.response_headers = headers(&response["headers"]);
    if has_extra {
        exchange.request_headers = sent.next().unwrap_or_else(|| std::mem::take(&mut exchange.request_headers));
        exchange.response_headers = came.next().unwrap_or_else(|| std::mem::take(&mut exchange.response_headers));
    }
}

/// Headers as DevTools write them: several of one name are lines of one value.
fn headers(value: &Value) -> Headers {
    let pairs = value.as_object().into_iter().flatten();
    pairs
        .flat_map(|(name, value)| {
            let lines: Vec<_> = value.as_str().unwrap_or_default().split('\n').map(str::to_owned).collect();
            lines.into_iter().map(move |line| (name.clone(), line))
        })
        .collect()
}

/// Fetches the bodies of the last exchange, as long as Chromium still has them.
async fn bodies(wire: &Wire, id: &str, events: &[Value], exchange: &mut Exchange) {
    let has_body = events.iter().any(|event| event["params"]["request"]["hasPostData"] == true);
    if has_body && exchange.request_body.is_none() && exchange.is_write() {
        let data = wire.cdp("Network.getRequestPostData", json!({"requestId": id})).await;
        exchange.request_body = data.ok().and_then(|data| data["postData"].as_str().map(str::to_owned));
    }
    let most = match exchange.kind.as_str() {
        "document" | "iframe" | "fetch" | "xhr" => BODY,
        // What the browser has kept was told when it came.
        "script" if !exchange.from_cache => SCRIPT,
        _ => return,
    };
    if exchange.error.is_some() || exchange.response_bytes > most {
        return;
    }
    let Ok(data) = wire.cdp("Network.getResponseBody", json!({"requestId": id})).await else { return };
    let text = data["body"].as_str().unwrap_or_default();
    let body = if data["base64Encoded"] == true {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    } else {
        text.to_owned()
    };
    exchange.response_bytes = body.len() as u64;
    exchange.response_body = Some(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_told_one_by_one_with_the_real_headers() {
        let event = |method: &str, params: Value| json!({"method": format!("Network.{method}"), "params": params});
        let events = [
            event("requestWillBeSentExtraInfo", json!({"headers": {"Cookie": "a=1"}})),
            event(
                "requestWillBeSent",
                json!({"timestamp": 1.0, "wallTime": 1_700_000_000.5, "type": "Document",
                "request": {"url": "http://x/login", "method": "POST", "headers": {}, "postData": "user=ada"}}),
            ),
            event(
                "requestWillBeSent",
                json!({"timestamp": 1.25, "wallTime": 1_700_000_000.75, "type": "Document",
                "redirectHasExtraInfo": true, "redirectResponse": {"status": 303, "headers": {"Location": "/"}},
                "request": {"url": "http://x/", "method": "GET", "headers": {}}}),
            ),
            event("responseReceivedExtraInfo", json!({"headers": {"Location": "/", "set-cookie": "s=1; Path=/\nt=2"}})),
            event(
                "responseReceived",
                json!({"timestamp": 1.5, "hasExtraInfo": false, "type": "Document",
                "response": {"status": 200, "headers": {"content-type": "text/html"}}}),
            ),
            event("loadingFinished", json!({"timestamp": 1.75, "encodedDataLength": 12})),
        ];
        assert!(is_whole(&events));
        let told = exchanges(&events);
        assert_eq!(told.len(), 2);
        assert_eq!((told[0].status, told[0].ms, told[0].method.as_str()), (303, 250, "POST"));
        assert_eq!(told[0].request_headers, [("Cookie".to_owned(), "a=1".to_owned())]);
        assert_eq!(told[0].response_headers.iter().filter(|(name, _)| name == "set-cookie").count(), 2);
        assert_eq!((told[1].status, told[1].ms, told[1].response_bytes), (200, 500, 12));
        assert_eq!(told[0].started.as_millisecond(), 1_700_000_000_500);
    }
}
