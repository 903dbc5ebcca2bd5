//! The driver with a real browser: Chromium or Firefox, by WebDriver. Presses are real clicks at a place of the window,
//! which must be visible and not covered; what the browser sends is read from its own log, redirects one by one.
//!
//! | here | what |
//! |---|---|
//! | [`BrowserOptions`] | which browser, and how it starts |
//! | [`Launched`] | its process, gone when dropped, also for others who drive a browser |
//! | [`capabilities()`] | what its session is asked to be |
//! | [`BrowserDriver`] | a person at its window |

mod ask;
mod bidi;
mod capabilities;
mod cookies;
mod element;
mod launch;
mod network;
mod options;
mod traffic;
mod tree;
mod trust;
mod window;
mod wire;

use super::{Ask, Driver, Forgery, Seen};
use crate::exchange::Log;
use crate::http::Cookie;
use crate::obstacle::{Obstacle, Taken};
use crate::page::{Found, Page};
use async_trait::async_trait;
use base64::Engine;
use bidi::Bidi;
use network::Network;
use serde_json::json;
use std::path::Path;
use traffic::Traffic;
use url::Url;
use window::{Watch, Window};
use wire::Wire;

pub use capabilities::capabilities;
pub use launch::Launched;
pub use options::{BrowserKind, BrowserOptions};

/// A person at the window of a real browser.
pub struct BrowserDriver {
    window: Window,
    options: BrowserOptions,
    launched: Option<Launched>,
    is_open: bool,
}

impl BrowserDriver {
    /// Starts a browser for the target at `base`, such as `http://127.0.0.1:8080`, or opens a window of the one that
    /// runs elsewhere. What it sends is written into the log.
    pub async fn start(options: &BrowserOptions, base: &str, log: Log) -> Taken<Self> {
        let base = Url::parse(base).map_err(|_| Obstacle::input(format!("{base} is no address")))?;
        let shown = trust::Shown::at(options, &base, &log).await?;
        let trusted = trust::hashes(options, shown.as_ref())?;
        let (launched, binary) = match &options.remote {
            Some(_) => (None, options.browser_binary.clone()),
            None => (Some(Launched::start(options).await?), Some(options.browser_binary()?)),
        };
        let address = launched.as_ref().map(Launched::address).or(options.remote.as_deref()).unwrap_or_default();
        let wanted = capabilities(options, launched.as_ref().map(Launched::folder), binary.as_deref(), &trusted);
        let wire = Wire::open(address, &wanted).await.map_err(|obstacle| {
            let words = launched.as_ref().map(|one| format!("; {}", one.last_words())).unwrap_or_default();
            Obstacle::Browser(format!("{} does not start: {obstacle}{words}", options.kind.name()))
        })?;
        let handle = wire.get("/window").await?;
        let handle = handle.as_str().unwrap_or_default();
        let watch = match options.kind {
            BrowserKind::Chromium => Watch::Chromium(Network::new(handle)),
            BrowserKind::Firefox => {
                let socket = wire.capabilities["webSocketUrl"].as_str();
                let none =
                    || Obstacle::Browser(format!("the WebDriver at {address} lets nobody listen to Firefox (BiDi)"));
                Watch::Firefox(Bidi::connect(socket.ok_or_else(none)?, handle).await?)
            }
        };
        let window = Window { wire, watch, traffic: Traffic::new(log), base };
        let mut driver = Self { window, options: options.clone(), launched, is_open: true };
        driver.dress(shown.as_ref()).await?;
        Ok(driver)
    }

    /// The folder that everything of the browser lies in, unless it runs elsewhere.
    pub fn folder(&self) -> Option<&Path> {
        self.launched.as_ref().map(Launched::folder)
    }

    /// What the browser and its driver say of themselves, as `firefox 153.8.0, geckodriver 0.36.0`.
    pub fn version(&self) -> String {
        let all = &self.window.wire.capabilities;
        let text = |name: &str| all[name].as_str().unwrap_or_default();
        let browser = format!("{} {}", text("browserName"), text("browserVersion"));
        // chromedriver tells the commit that it was built from behind its version.
        let of = |driver: &str, said: Option<&str>| Some(format!("{driver} {}", said?.split(' ').next()?));
        let driver = of("chromedriver", all["chrome"]["chromedriverVersion"].as_str())
            .or_else(|| of("geckodriver", all["moz:geckodriverVersion"].as_str()));
        [Some(browser), driver].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// What a session cannot be asked to be at its start.
    async fn dress(&mut self, shown: Option<&trust::Shown>) -> Taken<()> {
        let (width, height) = self.options.size;
        let wire = &self.window.wire;
        let agent = wire.run("return navigator.userAgent", json!([])).await;
        let agent = match (&self.options.user_agent_suffix, agent) {
            (Some(suffix), Ok(agent)) => Some(format!("{} {suffix}", agent.as_str().unwrap_or_default())),
            _ => None,
        };
        match &mut self.window.watch {
            Watch::Chromium(_) => {
                let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
                wire.cdp("Emulation.setDeviceMetricsOverride", metrics).await?;
                let scheme = if self.options.dark { "dark" } else { "light" };
                let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
                wire.cdp("Emulation.setEmulatedMedia", media).await?;
                let off = json!({"value": !self.options.scripts});
                wire.cdp("Emulation.setScriptExecutionDisabled", off).await?;
                if let Some(agent) = agent {
                    wire.cdp("Emulation.setUserAgentOverride", json!({"userAgent": agent})).await?;
                }
            }
            Watch::Firefox(bidi) => {
                let handle = wire.get("/window").await?;
                let viewport = json!({"context": handle, "viewport": {"width": width, "height": height}});
                bidi.command("browsingContext.setViewport", viewport).await?;
                if let Some(pem) = &self.options.ca {
                    trust::tell_firefox(wire, pem, shown).await?;
                }
                if let Some(agent) = agent {
                    let agent = json!({"userAgent": agent, "contexts": [handle]});
                    bidi.command("emulation.setUserAgentOverride", agent).await?;
                }
            }
        }
        Ok(())
    }

    /// A picture of the window. Chromium packs it tighter, a fifth of the PNG, so that a run's folder stays small.
    async fn screenshot(&self) -> Taken<Vec<u8>> {
        let wire = &self.window.wire;
        let packed = match &self.window.watch {
            Watch::Chromium(_) => {
                wire.cdp("Page.captureScreenshot", json!({"format": "webp", "quality": 60})).await.ok()
            }
            Watch::Firefox(_) => None,
        };
        let picture = match packed.map(|packed| packed["data"].clone()).filter(serde_json::Value::is_string) {
            Some(picture) => picture,
            None => wire.get("/screenshot").await?,
        };
        let picture = base64::engine::general_purpose::STANDARD.decode(picture.as_str().unwrap_or_default());
        picture.map_err(|_| Obstacle::Browser("the browser's picture is none".to_owned()))
    }
}

#[async_trait]
impl Driver for BrowserDriver {
    fn name(&self) -> &'static str {
        self.options.kind.name()
    }

    fn runs_scripts(&self) -> bool {
        self.options.scripts
    }

    fn settle(&mut self, base: &Url) {
        self.window.base = base.clone();
    }

    async fn open(&mut self, address: &str) -> Taken<Page> {
        self.window.open(address).await
    }

    async fn look(&mut self) -> Taken<Page> {
        self.window.page().await
    }

    async fn fill(&mut self, field: &Found, value: &str) -> Taken<()> {
        self.window.fill(field, value).await
    }

    async fn press(&mut self, control: &Found) -> Taken<Page> {
        self.window.press(control).await
    }

    async fn press_twice(&mut self, control: &Found) -> Taken<Page> {
        self.window.press_twice(control).await
    }

    async fn ask(&mut self, ask: &Ask) -> Taken<Page> {
        self.window.ask(ask, self.options.scripts).await
    }

    async fn forge(&mut self, forgery: &Forgery) -> Taken<Page> {
        let window = &mut self.window;
        let url = window.join(&forgery.address)?;
        // A page of no site: its origin is `null`, and everything is another site to it.
        let elsewhere = "data:text/html,<!doctype html><title>Elsewhere</title><body>";
        window.wire.post("/url", &json!({"url": elsewhere})).await?;
        let before = window.before().await?;
        let form = json!([url.as_str(), forgery.fields]);
        let button = window.steady(include_str!("scripts/forge.js"), form).await?;
        let pressed = window.wire.post(&format!("{}/click", element::path(&button)), &json!({})).await;
        pressed.map_err(|refusal| refusal.of_step(&format!("POST {url}")))?;
        window.settle(before).await
    }

    async fn cookies(&mut self) -> Taken<Vec<Cookie>> {
        self.window.cookies().await
    }

    async fn restore(&mut self, cookies: &[Cookie]) -> Taken<()> {
        self.window.restore(cookies).await
    }

    async fn forget(&mut self) -> Taken<()> {
        self.window.forget().await
    }

    async fn seen(&mut self, picture: bool) -> Taken<Seen> {
        self.window.drain().await?;
        let console = self.window.console().await?;
        let (mut screenshot, mut tree) = (None, None);
        if picture {
            screenshot = Some(self.screenshot().await?);
            tree = Some(self.window.tree().await?);
        }
        Ok(Seen { exchanges: self.window.traffic.take(), console, screenshot, tree })
    }

    async fn renew(&mut self) -> Taken<()> {
        self.window.forget().await?;
        // What a page has stored goes with its cookies; tabs that were opened beside are none of a new person's.
        let stored = "try { localStorage.clear(); sessionStorage.clear() } catch {}";
        if self.window.is_at_target().await? {
            let _ = self.window.wire.run(stored, json!([])).await;
        }
        self.window.wire.post("/url", &json!({"url": "about:blank"})).await?;
        self.window.drain().await?;
        self.window.console().await?;
        self.window.traffic.take();
        Ok(())
    }
}

impl Drop for BrowserDriver {
    fn drop(&mut self) {
        // A browser of our own ends with its process; one elsewhere is told, where there still is a runtime to tell it.
        let runtime = tokio::runtime::Handle::try_current();
        if let (true, None, Ok(runtime)) = (self.is_open, &self.launched, runtime) {
            let wire = self.window.wire.clone();
            runtime.spawn(async move { wire.delete("").await });
        }
    }
}
