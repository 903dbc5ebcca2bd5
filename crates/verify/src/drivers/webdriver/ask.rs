//! Asks as a script of the page does. Where pages run no scripts, Firefox calls none of ours back either: a promise, an
//! event and a timer of a script that it has run itself never come, and a `fetch` was seen to be answered in 40 ms and
//! waited for until the script's limit. There the request is begun, and what came of it is looked at from outside.

use super::window::{BETWEEN, Window, header_map};
use crate::drivers::Ask;
use crate::obstacle::{Obstacle, Taken};
use crate::page::Page;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use url::Url;

/// How long an answer is waited for, in milliseconds.
const ANSWER: u64 = 60_000;

impl Window {
    /// Asks. `scripts` is whether pages of this window run theirs.
    pub(super) async fn ask(&mut self, ask: &Ask, scripts: bool) -> Taken<Page> {
        self.traffic.allowed()?;
        let url = self.join(&ask.address)?;
        if !self.is_at_target().await? {
            // Scripts of the target's pages run on the target's pages.
            self.open("/").await?;
        }
        let asked = format!("{} {url}", ask.method);
        let mut headers = vec![("accept", "application/json")];
        headers.extend(ask.body.as_ref().map(|_| ("content-type", "application/json")));
        headers.retain(|(name, _)| !ask.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)));
        headers.extend(ask.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let arguments = json!([ask.method, url.as_str(), headers, ask.body, ANSWER]);
        let told = if scripts {
            let told = self.wire.run_async(include_str!("scripts/ask.js"), arguments).await;
            told.map_err(|refusal| refusal.of_step(&asked))
        } else {
            self.begin_and_look(&asked, arguments).await
        };
        self.drain().await?;
        let told = told?;
        if let Some(why) = told["error"].as_str() {
            let (why, timed_out) = (self.traffic.log().redactor().text(why), told["timed_out"] == true);
            return Err(Obstacle::NoAnswer { asked, why, timed_out });
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let pairs: Vec<(String, String)> =
            told["headers"].as_array().into_iter().flatten().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
        let status = told["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
        let url = Url::parse(&text(&told["url"])).unwrap_or(url);
        Ok(Page { status, url, headers: header_map(&pairs), body: text(&told["body"]) })
    }

    /// Begins the request, and looks until its answer is there. A page that loads itself again meanwhile takes the
    /// request with it; it may have been sent, so that it is not sent again.
    async fn begin_and_look(&self, asked: &str, arguments: Value) -> Taken<Value> {
        let until = Instant::now() + Duration::from_millis(ANSWER);
        let step = |refusal: super::wire::Refusal| refusal.of_step(asked);
        self.wire.run(include_str!("scripts/ask_begin.js"), arguments).await.map_err(step)?;
        while Instant::now() < until {
            let told = self.steady(include_str!("scripts/ask_look.js"), json!([])).await.map_err(step)?;
            if told == "left" {
                let why = "the page loaded itself again before the answer was there".to_owned();
                return Err(Obstacle::NoAnswer { asked: asked.to_owned(), why, timed_out: false });
            }
            if told.is_object() {
                return Ok(told);
            }
            tokio::time::sleep(BETWEEN).await;
        }
        let why = format!("nothing came within {} s", ANSWER / 1000);
        Err(Obstacle::NoAnswer { asked: asked.to_owned(), why, timed_out: true })
    }
}
