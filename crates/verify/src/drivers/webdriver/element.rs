//! The hands: finds again what was found in the page, and presses and fills it as a person does. What is typed stands in
//! no message from here.

use super::network::WITHOUT_BODY;
use super::window::{PATIENCE, Window};
use super::wire::{ELEMENT, Refusal};
use crate::obstacle::{Obstacle, Taken};
use crate::page::{Found, Page};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How often something is tried again.
const BETWEEN: Duration = Duration::from_millis(60);

/// What a driver says of a click that did not happen.
const NOT_CLICKED: [&str; 3] = ["stale element reference", "element click intercepted", "element not interactable"];

/// Sorts of `input` that no keyboard types the same everywhere.
const UNTYPED: [&str; 7] = ["date", "time", "datetime-local", "month", "week", "color", "range"];

impl Window {
    /// The element, as soon as there is one that is what was found.
    async fn find(&self, found: &Found) -> Taken<Value> {
        let until = Instant::now() + PATIENCE;
        let arguments = json!([found.path, found.element, found.name, found.by_hint]);
        loop {
            let element = self.steady(include_str!("scripts/find.js"), arguments.clone()).await?;
            if element.is_object() {
                return Ok(element);
            }
            if Instant::now() > until {
                return Err(Obstacle::missing(format!(
                    "the page no longer has the {} “{}”",
                    found.element, found.name
                )));
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// The element, as soon as a person can use it.
    async fn usable(&self, found: &Found) -> Taken<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let element = self.find(found).await?;
            let why = match self.wire.run(include_str!("scripts/usable.js"), json!([element])).await {
                Ok(Value::Null) => return Ok(element),
                Ok(why) => why.as_str().unwrap_or_default().to_owned(),
                Err(refusal) if refusal.is_passing() => refusal.message,
                Err(refusal) => return Err(refusal.into()),
            };
            if Instant::now() > until {
                return Err(unusable(found, &self.redacted(&why)));
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// Presses a control.
    pub(super) async fn press(&mut self, found: &Found) -> Taken<Page> {
        let before = self.before().await?;
        let until = Instant::now() + PATIENCE;
        loop {
            let element = self.usable(found).await?;
            match self.wire.post(&format!("{}/click", path(&element)), &json!({})).await {
                Ok(_) => return self.settle(before).await,
                Err(refusal) if refusal.is(&NOT_CLICKED) && Instant::now() < until => {
                    tokio::time::sleep(BETWEEN).await;
                }
                Err(refusal) if refusal.is(&NOT_CLICKED) => {
                    return Err(unusable(found, &self.redacted(&refusal.message)));
                }
                // It was pressed: what came of it is an error without a body.
                Err(refusal) if refusal.message.contains(WITHOUT_BODY) => return self.settle(before).await,
                Err(refusal) => {
                    self.drain().await?;
                    return Err(refusal.of_step(&format!("what “{}” leads to", found.name)));
                }
            }
        }
    }

    /// Presses it twice in one movement.
    pub(super) async fn press_twice(&mut self, found: &Found) -> Taken<Page> {
        let before = self.before().await?;
        let element = self.usable(found).await?;
        let press = [json!({"type": "pointerDown", "button": 0}), json!({"type": "pointerUp", "button": 0})];
        let mut actions = vec![json!({"type": "pointerMove", "duration": 0, "origin": element, "x": 0, "y": 0})];
        actions.extend(press.iter().chain(&press).cloned());
        let mouse =
            json!({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions});
        let done = self.wire.post("/actions", &json!({"actions": [mouse]})).await;
        match done {
            // The page left between the two.
            Err(refusal) if !refusal.is_passing() => {
                self.drain().await?;
                Err(refusal.of_step(&format!("what “{}” leads to", found.name)))
            }
            _ => self.settle(before).await,
        }
    }

    /// Fills a field.
    pub(super) async fn fill(&mut self, found: &Found, value: &str) -> Taken<()> {
        self.traffic.allowed()?;
        let element = self.find(found).await?;
        let field = self.steady(include_str!("scripts/field.js"), json!([element])).await?;
        let kind = field["type"].as_str().unwrap_or_default();
        let result = match field["tag"].as_str().unwrap_or_default() {
            "select" => return self.choose(found, &element, &field, value).await,
            "input" if ["checkbox", "radio"].contains(&kind) => return self.switch(found, &field, value).await,
            "input" if kind == "file" => return Err(unusable(found, "it takes a file")),
            "input" if UNTYPED.contains(&kind) => {
                self.usable(found).await?;
                self.wire.run(include_str!("scripts/set.js"), json!([element, value])).await
            }
            _ if field["readonly"] == true => return Err(unusable(found, "nobody can change it")),
            _ => {
                let element = self.usable(found).await?;
                self.type_into(&element, value).await
            }
        };
        // The driver's message might say what was typed.
        result.map_err(|refusal| unusable(found, &refusal.word))?;
        let holds = "return arguments[0].value === '' && !arguments[0].isContentEditable";
        if !value.is_empty() && self.steady(holds, json!([element])).await? == true {
            return Err(unusable(found, "it stays empty"));
        }
        Ok(())
    }

    async fn type_into(&self, element: &Value, value: &str) -> Result<Value, Refusal> {
        self.wire.post(&format!("{}/clear", path(element)), &json!({})).await?;
        if value.is_empty() {
            return Ok(Value::Null);
        }
        self.wire.post(&format!("{}/value", path(element)), &json!({"text": value})).await
    }

    /// Ticks a box, or one of several radio buttons.
    async fn switch(&mut self, found: &Found, field: &Value, value: &str) -> Taken<()> {
        let is_box = field["type"] == "checkbox";
        let wanted = match value {
            "off" if is_box => false,
            "on" => true,
            own if field["own"] == own => true,
            _ => return Err(unusable(found, "it has no such value")),
        };
        if field["checked"] == wanted {
            return Ok(());
        }
        let element = self.usable(found).await?;
        let clicked = self.wire.post(&format!("{}/click", path(&element)), &json!({})).await;
        clicked.map(drop).map_err(|refusal| unusable(found, &refusal.word))
    }

    /// Chooses what a list offers, by value or by words; several with commas between where several can be chosen.
    async fn choose(&mut self, found: &Found, element: &Value, field: &Value, value: &str) -> Taken<()> {
        self.usable(found).await?;
        let multiple = field["multiple"] == true;
        let wanted: Vec<&str> =
            if multiple { value.split(',').filter(|one| !one.is_empty()).collect() } else { vec![value] };
        let offered = field["options"].as_array().cloned().unwrap_or_default();
        let place = |wanted: &str| {
            let by =
                |name: &str| offered.iter().position(|option| option[name] == wanted && option["disabled"] == false);
            by("value").or_else(|| by("text"))
        };
        let places: Option<Vec<usize>> = wanted.iter().map(|wanted| place(wanted)).collect();
        let places = places.ok_or_else(|| {
            let offered: Vec<&str> = offered.iter().filter_map(|option| option["text"].as_str()).take(20).collect();
            unusable(found, &format!("it offers no such choice, but {offered:?}"))
        })?;
        let nth = "return arguments[0].options[arguments[1]]";
        for (at, option) in offered.iter().enumerate() {
            let is_wanted = places.contains(&at);
            if is_wanted == (option["chosen"] == true) || !multiple && !is_wanted {
                continue;
            }
            let option = self.steady(nth, json!([element, at])).await?;
            let clicked = self.wire.post(&format!("{}/click", path(&option)), &json!({})).await;
            clicked.map_err(|refusal| unusable(found, &refusal.word))?;
        }
        Ok(())
    }

    fn redacted(&self, text: &str) -> String {
        self.traffic.log().redactor().text(text)
    }
}

fn unusable(found: &Found, why: &str) -> Obstacle {
    Obstacle::unusable(format!("a person cannot use the {} “{}”: {why}", found.element, found.name))
}

/// Where WebDriver has an element.
pub(super) fn path(element: &Value) -> String {
    format!("/element/{}", element[ELEMENT].as_str().unwrap_or_default())
}
