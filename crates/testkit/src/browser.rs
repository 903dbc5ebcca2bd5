//! A real browser: headless Chromium behind chromedriver, with a new profile, and with eyes on what a page logs and asks.
//! It is started as `hedgerow verify` starts it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};
use thirtyfour::{Capabilities, WebDriver};
use verify::drivers::webdriver::{BrowserKind, BrowserOptions as Start, Launched, capabilities};

/// How a browser starts.
#[derive(Debug, Clone)]
pub struct BrowserOptions {
    /// Width and height of the page.
    pub size: (u32, u32),
    /// What the page is told when it asks for the preferred colour scheme.
    pub dark: bool,
    /// Whether certificates that nobody signed are accepted.
    pub accept_insecure_certs: bool,
    /// Whether pages may run scripts.
    pub scripts: bool,
}

impl Default for BrowserOptions {
    fn default() -> Self {
        Self { size: (1280, 900), dark: false, accept_insecure_certs: false, scripts: true }
    }
}

/// A line that a page, or the browser about a page, wrote to the console.
#[derive(Debug, Clone)]
pub struct ConsoleLine {
    /// `SEVERE`, `WARNING`, `INFO` and so on.
    pub level: String,
    /// The text, with the place it came from in front.
    pub message: String,
}

/// A request that a page made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// HTTP method.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// What it was for, in Chromium's words: `Document`, `Fetch`, `Stylesheet`, `EventSource` and so on.
    pub kind: String,
}

/// A browser with one window. Dropped, it is gone with its profile.
pub struct Browser {
    driver: Option<WebDriver>,
    session: String,
    http: reqwest::Client,
    _launched: Launched,
}

impl Browser {
    /// Starts a browser as a user of a laptop has it: light, scripts on.
    pub async fn start() -> Result<Self> {
        Self::start_with(&BrowserOptions::default()).await
    }

    /// Starts a browser.
    pub async fn start_with(options: &BrowserOptions) -> Result<Self> {
        crate::tls::install_provider();
        let BrowserOptions { size, dark, accept_insecure_certs, scripts } = options.clone();
        let start = Start { size, dark, accept_insecure_certs, scripts, ..Start::new(BrowserKind::Chromium) };
        let setup = "`cargo xtask setup --for tests` installs what a browser needs";
        let binary = start.browser_binary().context(setup)?;
        let launched = Launched::start(&start).await.context(setup)?;
        let mut asked = capabilities(&start, Some(launched.folder()), Some(&binary), &[]);
        // A prompt is a surprise to a test, and no question.
        asked["unhandledPromptBehavior"] = "dismiss and notify".into();
        let asked: Capabilities = serde_json::from_value(asked).context("describe the browser")?;
        let driver = WebDriver::new(launched.address(), asked).await;
        let driver = driver.map_err(|error| anyhow!("start Chromium: {error}; {}", launched.last_words()))?;
        let session = format!("{}/session/{}", launched.address(), driver.session_id());
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?;
        let browser = Self { driver: Some(driver), session, http, _launched: launched };
        browser.set_size(size.0, size.1).await?;
        browser.set_dark(dark).await?;
        browser.cdp("Emulation.setScriptExecutionDisabled", json!({"value": !scripts})).await?;
        Ok(browser)
    }

    /// The window, to be driven.
    pub fn driver(&self) -> &WebDriver {
        self.driver.as_ref().expect("only drop takes the driver out")
    }

    /// Opens an address and waits until the page is loaded.
    pub async fn open(&self, url: &str) -> Result<()> {
        self.driver().goto(url).await.with_context(|| format!("open {url}"))
    }

    /// Writes what the window shows to a PNG file.
    pub async fn screenshot(&self, file: &Path) -> Result<()> {
        self.driver().screenshot(file).await.with_context(|| format!("take a screenshot to {}", file.display()))
    }

    /// Sets the size of the page, without the frame that a window has.
    pub async fn set_size(&self, width: u32, height: u32) -> Result<()> {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.cdp("Emulation.setDeviceMetricsOverride", metrics).await.map(drop)
    }

    /// Tells pages that the user prefers a dark, or a light, colour scheme.
    pub async fn set_dark(&self, dark: bool) -> Result<()> {
        let value = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.cdp("Emulation.setEmulatedMedia", media).await.map(drop)
    }

    /// Takes the network away from pages, or gives it back.
    pub async fn set_offline(&self, offline: bool) -> Result<()> {
        self.cdp("Network.enable", json!({})).await?;
        let conditions = json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        self.cdp("Network.emulateNetworkConditions", conditions).await.map(drop)
    }

    /// What was written to the console since the last call.
    pub async fn console_log(&self) -> Result<Vec<ConsoleLine>> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let entries = self.take_log("browser").await?;
        Ok(entries
            .iter()
            .map(|one| ConsoleLine { level: text(&one["level"]), message: text(&one["message"]) })
            .collect())
    }

    /// The requests that were made since the last call, in their order.
    pub async fn requests(&self) -> Result<Vec<PageRequest>> {
        let mut requests = Vec::new();
        for entry in self.take_log("performance").await? {
            let event: Value = serde_json::from_str(entry["message"].as_str().unwrap_or_default())?;
            let event = &event["message"];
            if event["method"] == "Network.requestWillBeSent" {
                let request = &event["params"]["request"];
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                requests.push(PageRequest {
                    method: text(&request["method"]),
                    url: text(&request["url"]),
                    kind: text(&event["params"]["type"]),
                });
            }
        }
        Ok(requests)
    }

    /// Sends a command of the Chrome DevTools Protocol.
    pub async fn cdp(&self, command: &str, parameters: Value) -> Result<Value> {
        self.post("goog/cdp/execute", &json!({"cmd": command, "params": parameters})).await
    }

    async fn take_log(&self, kind: &str) -> Result<Vec<Value>> {
        let mut log = self.post("se/log", &json!({"type": kind})).await?;
        Ok(log.as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// What chromedriver offers beyond WebDriver's standard.
    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.http.post(format!("{}/{path}", self.session)).json(body);
        let answer = request.send().await.with_context(|| format!("ask chromedriver for {path}"))?;
        let mut answer: Value = answer.json().await.with_context(|| format!("read chromedriver's answer to {path}"))?;
        let error = answer["value"]["error"].as_str().map(str::to_owned);
        match error {
            Some(error) => Err(anyhow!("chromedriver, {path}: {error}: {}", answer["value"]["message"])),
            None => Ok(answer["value"].take()),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver's own good-bye needs a runtime; the end of its process does not.
        if let Some(driver) = self.driver.take() {
            let _ = driver.leak();
        }
    }
}
