//! A real browser: headless Chromium behind chromedriver, with a new profile, and with eyes on what a page logs and asks.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};
use thirtyfour::{Capabilities, WebDriver};

use crate::eventually;
use crate::machine::program;
use crate::process::{Folder, Process};

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
    // The driver and the browser are one process group.
    chromedriver: Process,
    _folder: Folder,
}

impl Browser {
    /// Starts a browser as a user of a laptop has it: light, scripts on.
    pub async fn start() -> Result<Self> {
        Self::start_with(&BrowserOptions::default()).await
    }

    /// Starts a browser.
    pub async fn start_with(options: &BrowserOptions) -> Result<Self> {
        crate::tls::install_provider();
        let folder = Folder::new("browser")?;
        let mut command = Command::new(program("chromedriver", &[])?);
        command.arg("--port=0").env("HOME", folder.path()).env("TMPDIR", folder.path());
        for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(name);
        }
        let mut chromedriver = Process::start("chromedriver", &command, folder.path(), "KILL")?;
        let port = eventually(Duration::from_secs(30), "chromedriver says its port", || {
            let state = chromedriver.still_runs().map(|()| chromedriver.log());
            async move {
                let log = state?;
                let port =
                    log.lines().find_map(|line| line.split_once("started successfully on port ")?.1.strip_suffix('.'));
                port.map(str::to_owned).ok_or_else(|| anyhow!("it wrote: {}", log.trim()))
            }
        })
        .await?;
        let server = format!("http://127.0.0.1:{port}");
        let driver = WebDriver::new(&server, capabilities(options, &folder)?).await;
        let driver = driver.map_err(|error| anyhow!("start Chromium: {error}; {}", chromedriver.last_words()))?;
        let session = format!("{server}/session/{}", driver.session_id());
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?;
        let browser = Self { driver: Some(driver), session, http, chromedriver, _folder: folder };
        browser.set_size(options.size.0, options.size.1).await?;
        browser.set_dark(options.dark).await?;
        browser.cdp("Emulation.setScriptExecutionDisabled", json!({"value": !options.scripts})).await?;
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
        // The driver's own good-bye needs a runtime; ours does not.
        if let Some(driver) = self.driver.take() {
            let _ = driver.leak();
        }
        self.chromedriver.kill();
    }
}

fn capabilities(options: &BrowserOptions, folder: &Folder) -> Result<Capabilities> {
    let mut args = vec![
        format!("--user-data-dir={}", folder.join("profile").display()),
        format!("--window-size={},{}", options.size.0, options.size.1),
    ];
    let fixed = [
        "--headless=new",
        // Its sandbox needs rights that a container, or root, does not have.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--hide-scrollbars",
        "--force-device-scale-factor=1",
        // Nothing that asks the outside world.
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-domain-reliability",
        "--disable-client-side-phishing-detection",
        "--no-default-browser-check",
        "--no-pings",
        "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication,PasswordLeakDetection",
        "--password-store=basic",
        "--lang=en-GB",
    ];
    args.extend(fixed.map(str::to_owned));
    let capabilities = json!({
        "browserName": "chrome",
        "acceptInsecureCerts": options.accept_insecure_certs,
        "timeouts": {"pageLoad": 60_000, "script": 30_000},
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        "goog:chromeOptions": {
            "args": args,
            "binary": program("chromium", &[])?,
            "prefs": {
                // No bubble over the page after a login.
                "credentials_enable_service": false,
                "profile.password_manager_enabled": false,
                "profile.password_manager_leak_detection": false,
            },
        },
    });
    serde_json::from_value(capabilities).context("describe the browser")
}
