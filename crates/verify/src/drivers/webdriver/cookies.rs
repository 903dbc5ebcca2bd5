//! The cookies that a window has for the target, as WebDriver tells of them.

use super::window::Window;
use super::wire::Refusal;
use crate::http::Cookie;
use crate::obstacle::Taken;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Value, json};

impl Window {
    /// The cookies for the target.
    pub(super) async fn cookies(&mut self) -> Taken<Vec<Cookie>> {
        let told = self.at_target("GET").await?;
        let cookies = told.as_array().cloned().unwrap_or_default();
        Ok(cookies.iter().map(|one| self.cookie(one)).collect())
    }

    /// Puts cookies back that were there before. WebDriver takes them on a page of the target only.
    pub(super) async fn restore(&mut self, cookies: &[Cookie]) -> Taken<()> {
        if !self.is_at_target().await? {
            self.open("/").await?;
        }
        for cookie in cookies {
            let mut told = json!({
                "name": cookie.name,
                "value": cookie.value,
                "path": cookie.attribute("path").filter(|path| !path.is_empty()).unwrap_or("/"),
                "secure": cookie.attribute("secure").is_some(),
                "httpOnly": cookie.attribute("httponly").is_some(),
            });
            if let Some(site) = cookie.attribute("samesite") {
                told["sameSite"] = json!(site);
            }
            self.wire.post("/cookie", &json!({"cookie": told})).await?;
        }
        Ok(())
    }

    /// Forgets the cookies of the target.
    pub(super) async fn forget(&mut self) -> Taken<()> {
        self.at_target("DELETE").await.map(drop)
    }

    /// WebDriver speaks of the cookies of the page that is shown: elsewhere, a page of the target is opened beside.
    async fn at_target(&mut self, method: &str) -> Taken<Value> {
        if self.is_at_target().await? {
            return Ok(self.of_page(method).await?);
        }
        self.traffic.allowed()?;
        let here = self.wire.get("/window").await?;
        let beside = self.wire.post("/window/new", &json!({"type": "tab"})).await?;
        self.wire.post("/window", &json!({"handle": beside["handle"]})).await?;
        let opened = self.wire.post("/url", &json!({"url": self.base.as_str()})).await;
        let told = self.of_page(method).await;
        self.wire.delete("/window").await?;
        self.wire.post("/window", &json!({"handle": here})).await?;
        opened.map_err(|refusal| refusal.of_step(&format!("GET {}", self.base)))?;
        Ok(told?)
    }

    async fn of_page(&self, method: &str) -> Result<Value, Refusal> {
        if method == "DELETE" { self.wire.delete("/cookie").await } else { self.wire.get("/cookie").await }
    }

    fn cookie(&self, told: &Value) -> Cookie {
        let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        let name = text("name");
        let mut attributes = vec![format!("Path={}", text("path"))];
        // Without the dot it is for this host only, which is what no Domain says.
        if text("domain").starts_with('.') {
            attributes.push(format!("Domain={}", text("domain").trim_start_matches('.')));
        }
        let moment = told["expiry"].as_i64().and_then(|seconds| Timestamp::from_second(seconds).ok());
        let date = moment.and_then(|moment| DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).ok());
        attributes.extend(date.map(|date| format!("Expires={date}")));
        for (flag, word) in [("secure", "Secure"), ("httpOnly", "HttpOnly")] {
            if told[flag] == true {
                attributes.push(word.to_owned());
            }
        }
        // Browsers' drivers tell of one that the server did not set, each of another.
        let same_site = match self.traffic.cookie_attribute(&name, "SameSite") {
            Some(written) => written,
            None => Some(text("sameSite")).filter(|site| !site.is_empty()),
        };
        attributes.extend(same_site.map(|site| format!("SameSite={site}")));
        let host = text("domain").trim_start_matches('.').to_owned();
        Cookie { name, value: text("value"), host, attributes }
    }
}
