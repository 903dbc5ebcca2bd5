//! A browser's tab on a console, with the hands of a user: what the `browser_` journeys share.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Browser, BrowserOptions, eventually};
use thirtyfour::error::WebDriverErrorInner;
use thirtyfour::{By, WebElement};

/// How long a page may take for what it says next, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One tab of a browser of its own.
pub struct Tab {
    /// The browser.
    pub browser: Browser,
    base: String,
}

impl Tab {
    /// A browser of a console that nobody is logged in to.
    pub async fn start(base: &str) -> Result<Self> {
        let options = BrowserOptions { size: (1440, 900), ..BrowserOptions::default() };
        Ok(Self { browser: Browser::start_with(&options).await?, base: base.to_owned() })
    }

    /// A tab of this browser.
    pub fn with(browser: Browser, base: &str) -> Self {
        Self { browser, base: base.to_owned() }
    }

    /// Opens a page of the console.
    pub async fn open(&self, path: &str) -> Result<()> {
        self.browser.open(&format!("{}{path}", self.base)).await
    }

    /// Logs in by the form that the console shows for this page, and proves it: the page is the one asked for, and
    /// names the user.
    pub async fn login(&self, path: &str, username: &str, password: &str) -> Result<()> {
        self.open(path).await?;
        self.type_into("#id_username", username).await?;
        self.type_into("#id_password", password).await?;
        self.click("form.form button[type=submit]").await?;
        self.at(path).await?;
        let user = self.script("return document.body.dataset.user").await?;
        ensure!(user == username, "the page names {user}, not {username}");
        Ok(())
    }

    /// Waits until the tab shows this path.
    pub async fn at(&self, path: &str) -> Result<()> {
        eventually(PATIENCE, "the tab shows the page", || async {
            let shown = self.path().await?;
            ensure!(shown == path, "it shows {shown}, not {path}");
            Ok(())
        })
        .await
    }

    /// The path that the tab shows.
    pub async fn path(&self) -> Result<String> {
        Ok(self.browser.driver().current_url().await?.path().to_owned())
    }

    /// The element, as soon as there is one.
    pub async fn find(&self, selector: &str) -> Result<WebElement> {
        eventually(PATIENCE, selector, || async { self.browser.driver().find(By::Css(selector)).await }).await
    }

    /// Clicks, as a user does: at a place, which must be visible.
    pub async fn click(&self, selector: &str) -> Result<()> {
        let clicked = eventually(PATIENCE, selector, || async {
            let element = self.find(selector).await?;
            match element.click().await {
                // The page exchanged it after it was found: nothing was clicked, and what stands there now is meant.
                Err(error) if matches!(error.as_inner(), WebDriverErrorInner::StaleElementReference(_)) => {
                    bail!("{error}")
                }
                done => anyhow::Ok(done),
            }
        });
        clicked.await?.with_context(|| format!("click {selector}"))
    }

    /// Types a text in place of what is there.
    pub async fn type_into(&self, selector: &str, text: &str) -> Result<()> {
        let field = self.find(selector).await?;
        field.clear().await?;
        field.send_keys(text).await.with_context(|| format!("type into {selector}"))
    }

    /// Pastes a text, as nobody types a kubeconfig.
    pub async fn paste(&self, selector: &str, text: &str) -> Result<()> {
        self.find(selector).await?.focus().await?;
        self.browser.cdp("Input.insertText", json!({ "text": text })).await?;
        Ok(())
    }

    /// Chooses an option by its value.
    pub async fn choose(&self, selector: &str, value: &str) -> Result<()> {
        self.click(&format!("{selector} option[value='{value}']")).await
    }

    /// The text that a user sees in an element.
    pub async fn text(&self, selector: &str) -> Result<String> {
        Ok(self.find(selector).await?.text().await?)
    }

    /// Waits until the element's text holds these words, without touching the page; gives the text.
    pub async fn says(&self, selector: &str, words: &str) -> Result<String> {
        eventually(PATIENCE, &format!("{selector} says '{words}'"), || async {
            // Found anew each time: the page exchanges what changes.
            let text = self.browser.driver().find(By::Css(selector)).await?.text().await?;
            ensure!(text.contains(words), "{text:?}");
            Ok(text)
        })
        .await
    }

    /// What a script gives.
    pub async fn script(&self, script: &str) -> Result<Value> {
        Ok(self.browser.driver().execute(script, vec![]).await?.json().clone())
    }

    /// Marks the document: a reload would lose the mark.
    pub async fn mark(&self) -> Result<()> {
        self.script("window.journeyMark = 'here'").await.map(drop)
    }

    /// Fails if the document was loaded again since [`Self::mark`].
    pub async fn not_reloaded(&self) -> Result<()> {
        let mark = self.script("return window.journeyMark ?? null").await?;
        ensure!(mark == "here", "the page was loaded again");
        Ok(())
    }

    /// The POST requests since the last look at the network, by path.
    pub async fn posts(&self) -> Result<Vec<String>> {
        let requests = self.browser.requests().await?;
        let posts = requests.into_iter().filter(|one| one.method == "POST" && !one.url.contains("/session/"));
        Ok(posts.map(|one| one.url.trim_start_matches(&self.base).to_owned()).collect())
    }

    /// Fails if a page logged an error or a warning since the last look, or shows that a script failed. A refused
    /// answer to a press is logged by the browser itself: `expected` names those.
    pub async fn no_complaints(&self, page: &str, expected: &[&str]) -> Result<()> {
        let lines = self.browser.console_log().await?;
        let complaints: Vec<_> = lines
            .into_iter()
            .filter(|line| line.level == "SEVERE" || line.level == "WARNING")
            .filter(|line| !expected.iter().any(|known| line.message.contains(known)))
            .collect();
        if !complaints.is_empty() {
            bail!("{page}: the console says {complaints:#?}");
        }
        let failed = self.script("return document.querySelector('[data-strip=script]')?.textContent ?? null").await?;
        ensure!(failed.is_null(), "{page}: {failed}");
        Ok(())
    }
}
