//! A real OpenID Connect provider: the certified `oidc-provider` of npm, in a process of its own, with people of the test
//! and a login page. What it serves stands in `tests/openid-provider/provider.mjs`; the package comes by `cargo xtask
//! setup` into the user's cache, its version stands in `tests/oidc-provider.version`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Value, json};

use crate::machine::{self, free_port, program};
use crate::process::{Folder, Process};
use crate::{Console, ConsoleOptions, eventually};
use crate::{HttpUser, Page};

const VERSION: &str = include_str!("../../../tests/oidc-provider.version");

/// Everybody's password there.
const PASSWORD: &str = "provider-password";

/// The node_modules with the package: named by `HEDGEROW_TEST_OIDC`, otherwise in the cache that `cargo xtask setup` fills.
fn modules() -> Result<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || named("XDG_CACHE_HOME").or_else(|| named("HOME").map(|home| home.join(".cache")));
    let of_cache = |cache: PathBuf| cache.join(format!("hedgerow/oidc-provider-{}/node_modules", VERSION.trim()));
    let folder =
        named("HEDGEROW_TEST_OIDC").or_else(|| cache().map(of_cache)).context("neither HOME nor a cache is set")?;
    let there = folder.join("oidc-provider/lib/index.js").is_file();
    ensure!(there, "{} lacks oidc-provider; `cargo xtask setup --for tests` fetches it", folder.display());
    Ok(folder)
}

/// A running provider.
pub struct OpenidProvider {
    process: Option<Process>,
    port: u16,
    http: reqwest::Client,
    secret: String,
    folder: Folder,
}

impl OpenidProvider {
    /// Starts a provider with these people, each a name with the groups that it is in.
    pub async fn start(people: &[(&str, &[&str])]) -> Result<Self> {
        crate::tls::install_provider();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        let (folder, secret) = (Folder::new("openid-provider")?, machine::secret());
        let mut provider = Self { process: None, port: free_port()?, http, secret, folder };
        provider.resume().await?;
        provider.set_people(people).await?;
        Ok(provider)
    }

    /// Starts it again at the same address, with new keys, and nobody whom it knows.
    pub async fn resume(&mut self) -> Result<()> {
        let mut command = Command::new(program("node", &[])?);
        command.arg(machine::workspace().join("tests/openid-provider/provider.mjs"));
        command.env("OIDC_MODULES", modules()?).env("OIDC_PORT", self.port.to_string());
        let mut process = Process::start("provider", &command, self.folder.path(), "TERM")?;
        let (http, url) = (self.http.clone(), format!("{}/test/asked", self.issuer()));
        eventually(Duration::from_secs(60), "the provider answers", || {
            let state = process.still_runs();
            let asking = http.get(&url).send();
            async move {
                state?;
                asking.await.map(drop).map_err(|error| anyhow!("{error}"))
            }
        })
        .await?;
        self.process = Some(process);
        Ok(())
    }

    /// Ends it, as when it is down.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Its issuer.
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The secret that a console has here.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// A console that people log in to by this provider, with these settings besides.
    pub async fn console(&self, settings: &[(&str, &str)]) -> Result<Console> {
        let mut env = vec![
            ("HEDGEROW_OPENID_ISSUER".to_owned(), self.issuer()),
            ("HEDGEROW_OPENID_CLIENT_ID".to_owned(), "hedgerow".to_owned()),
            ("HEDGEROW_OPENID_CLIENT_SECRET".to_owned(), self.secret.clone()),
            ("HEDGEROW_OPENID_NAME".to_owned(), "Example ID".to_owned()),
        ];
        env.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let console = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
        self.register(&console, false).await?;
        Ok(console)
    }

    /// Registers a console; `thin`: it gets the groups from userinfo only.
    pub async fn register(&self, console: &Console, thin: bool) -> Result<()> {
        self.tell("client", json!({ "origin": console.url(), "secret": self.secret, "thin": thin })).await
    }

    /// Sets who there is, each a name with its groups.
    pub async fn set_people(&self, people: &[(&str, &[&str])]) -> Result<()> {
        let all = people.iter().map(|(name, groups)| ((*name).to_owned(), json!({ "groups": groups })));
        self.tell("people", Value::Object(all.collect())).await
    }

    /// What is wrong with its ID tokens from now on, in the words of `provider.mjs`; nothing with the empty text.
    pub async fn fault(&self, kind: &str) -> Result<()> {
        self.tell("fault", json!({ "kind": kind })).await
    }

    /// Gives it new keys, as it does once a year.
    pub async fn rotate_keys(&self) -> Result<()> {
        self.tell("keys", json!({})).await
    }

    /// How often one of its doors was asked, such as `/token`.
    pub async fn asked(&self, path: &str) -> Result<u64> {
        let answer = self.http.get(format!("{}/test/asked", self.issuer())).send().await?.text().await?;
        let counts: Value = serde_json::from_str(&answer)?;
        Ok(counts[path].as_u64().unwrap_or_default())
    }

    /// Logs in by its own page, from the console's button to the answer of the console's callback, which is returned as
    /// it is.
    pub async fn log_in(&self, user: &mut HttpUser, name: &str) -> Result<Page> {
        let login = user.visit("/login/").await?;
        let way = user.click(&login, "a[href^='/login/openid/']").await?;
        self.pass(user, way, name).await
    }

    /// Goes on from an answer that leads to the provider, until the provider leads back; its login page is filled in when
    /// it asks.
    pub async fn pass(&self, user: &mut HttpUser, mut page: Page, name: &str) -> Result<Page> {
        let back = self.way_back(user, &mut page, name).await?;
        Ok(user.get(&back).await?)
    }

    /// The same, but the address that the provider leads back to is given and not opened.
    pub async fn way_back(&self, user: &mut HttpUser, page: &mut Page, name: &str) -> Result<String> {
        for _ in 0..12 {
            if let Some(target) = page.location() {
                if target.contains("/login/openid/callback/") {
                    return Ok(target);
                }
                *page = user.follow(page).await?;
            } else if page.has("#login") {
                *page = user.submit(page, "#in", &[("login", name), ("password", PASSWORD)]).await?;
            } else if page.has("form noscript") {
                // Somebody else than before: the provider ends the session of who was there, by a form that sends itself.
                *page = user.submit(page, "form", &[]).await?;
            } else {
                break;
            }
        }
        Err(anyhow!("the way through the provider ends at {} with {}: {}", page.url, page.status, page.visible_text()))
    }

    async fn tell(&self, what: &str, value: Value) -> Result<()> {
        let url = format!("{}/test/{what}", self.issuer());
        let answer = self.http.post(url).body(value.to_string()).send().await.context("tell the provider")?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "the provider, {what}: {status} {text}");
        Ok(())
    }
}
