//! What a person sees of the stand-in for the predecessor, in Chromium: what its page says after a press, and what it asks.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Fault, FaultPlan, Lab, RequestFault};
use testkit::{Browser, NetboxStandIn, StandInFabric, StandInOptions, StandInUser, eventually};
use thirtyfour::By;

const PATIENCE: Duration = Duration::from_secs(60);
const PASSWORD: &str = "a password of ada's";
/// Writes alerts down as they come: a green one is gone with the page after a second and a half.
const LISTEN: &str = r##"
sessionStorage.said = "";
new MutationObserver(() => {
  const alert = document.querySelector("#alerts .alert");
  if (alert) sessionStorage.said = `${alert.className}|${alert.innerText.trim()}`;
}).observe(document.getElementById("alerts"), { childList: true });
window.mark = "here";
"##;

struct Tab {
    browser: Browser,
    base: String,
}

impl Tab {
    async fn login(site: &NetboxStandIn, name: &str) -> Result<Self> {
        let tab = Self { browser: Browser::start().await?, base: site.url() };
        tab.open("/login/").await?;
        tab.browser.driver().find(By::Id("id_username")).await?.send_keys(name).await?;
        tab.browser.driver().find(By::Id("id_password")).await?.send_keys(PASSWORD).await?;
        tab.browser.driver().find(By::Css("form button")).await?.click().await?;
        eventually(PATIENCE, "the home page names the user", || async {
            let user = tab.browser.driver().find(By::Css(".user")).await?.text().await?;
            ensure!(user == name, "{user}");
            Ok::<_, anyhow::Error>(())
        })
        .await?;
        Ok(tab)
    }

    async fn open(&self, path: &str) -> Result<()> {
        self.browser.open(&format!("{}{path}", self.base)).await
    }

    async fn script(&self, script: &str) -> Result<String> {
        let value = self.browser.driver().execute(script, vec![]).await?.json().clone();
        Ok(value.as_str().unwrap_or_default().to_owned())
    }

    /// Opens the fabric's page and gets ready to hear what it says.
    async fn fabric(&self, id: u64) -> Result<()> {
        self.open(&format!("/plugins/hedgehog/fabrics/{id}/")).await?;
        self.listen().await
    }

    async fn listen(&self) -> Result<()> {
        self.script(LISTEN).await.map(drop)
    }

    async fn press(&self, button: &str) -> Result<()> {
        self.browser.driver().find(By::Id(button)).await?.click().await.with_context(|| format!("press {button}"))
    }

    /// Waits for the alert, and gives its kind and its words.
    async fn heard(&self) -> Result<(String, String)> {
        eventually(PATIENCE, "the page says something", || async {
            let said = self.script("return sessionStorage.said").await?;
            let (kind, words) = said.split_once('|').context("nothing yet")?;
            let kind = kind.strip_prefix("alert alert-").context("a kind")?;
            Ok::<_, anyhow::Error>((kind.to_owned(), words.to_owned()))
        })
        .await
    }

    async fn button(&self) -> Result<String> {
        Ok(self.browser.driver().find(By::Id("sync-button")).await?.text().await?)
    }
}

async fn start() -> Result<(NetboxStandIn, Lab)> {
    let users = vec![StandInUser::new("ada", PASSWORD, true), StandInUser::new("vic", PASSWORD, false)];
    let site = NetboxStandIn::start(StandInOptions { users, ..StandInOptions::default() }).await?;
    let lab = Lab::start(lab::Options { empty: false, ..lab::Options::default() }).await?;
    Ok((site, lab))
}

fn at(lab: &Lab) -> StandInFabric {
    StandInFabric { server: Some(lab.url()), token: lab.token().to_owned(), ..StandInFabric::default() }
}

/// What the page says where JSON was expected and HTML came: put in as HTML, it ends where that begins.
const CUT_OFF: &str = "Fabric sync failed: Unexpected token '<', \"";

#[tokio::test(flavor = "multi_thread")]
async fn a_press_is_one_request_and_a_green_alert() -> Result<()> {
    let (site, lab) = start().await?;
    let id = site.add_fabric(at(&lab));
    let tab = Tab::login(&site, "ada").await?;
    for button in ["sync-button", "sync-fabric-button"] {
        tab.fabric(id).await?;
        tab.browser.requests().await?;
        tab.press(button).await?;
        let (kind, words) = tab.heard().await?;
        assert_eq!(kind, "success", "{words}");
        assert!(words.contains("Applied: 0"), "{words}");
        eventually(PATIENCE, "the page is loaded again", || async {
            let mark = tab.script("return window.mark ?? ''").await?;
            ensure!(mark.is_empty(), "it stands");
            ensure!(tab.script("return document.querySelector('#sync-status').innerText").await? == "In Sync");
            Ok::<_, anyhow::Error>(())
        })
        .await?;
        let asked = tab.browser.requests().await?;
        let asked: Vec<_> = asked.iter().filter(|one| one.method == "POST").collect();
        assert_eq!(asked.len(), 1, "one press, one request: {asked:?}");
        assert_eq!(asked[0].url, format!("{}/plugins/hedgehog/fabrics/{id}/sync/", site.url()));
        assert_eq!(asked[0].kind, "Fetch");
    }
    assert_eq!(site.syncs(id), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_said_in_red_and_cut_off_where_html_came() -> Result<()> {
    let (site, lab) = start().await?;
    let (id, without) = (site.add_fabric(at(&lab)), site.add_fabric(StandInFabric::default()));
    let red = |words: &str| ("danger".to_owned(), words.to_owned());
    let tab = Tab::login(&site, "ada").await?;
    tab.fabric(without).await?;
    tab.press("sync-button").await?;
    assert_eq!(tab.heard().await?, red("Fabric sync failed: Reconciliation failed to initialize"));

    // The page's own token is preferred to the cookie: a login in another tab of this browser makes it worthless.
    tab.fabric(id).await?;
    let other = "fetch('/logout/').then(() => fetch('/login/')).then(answer => answer.text()).then(text => {
        const page = new DOMParser().parseFromString(text, 'text/html');
        const token = page.querySelector('[name=csrfmiddlewaretoken]').value;
        const form = new URLSearchParams({username: 'ada', password: arguments[0], csrfmiddlewaretoken: token});
        return fetch('/login/', {method: 'POST', body: form});
    }).then(() => arguments[1](), arguments[1]);";
    let failed = tab.browser.driver().execute_async(other, vec![PASSWORD.into()]).await?;
    assert!(failed.json().is_null(), "{:?}", failed.json());
    tab.press("sync-button").await?;
    assert_eq!(tab.heard().await?, red(CUT_OFF));
    eventually(PATIENCE, "the alert goes away", || async {
        ensure!(tab.script("return String(document.querySelectorAll('.alert').length)").await? == "0");
        Ok::<_, anyhow::Error>(())
    })
    .await?;

    tab.fabric(id).await?;
    site.end_sessions();
    tab.press("sync-button").await?;
    assert_eq!(tab.heard().await?, red(CUT_OFF));
    assert_eq!((site.syncs(id), site.syncs(without)), (0, 1));

    let viewer = Tab::login(&site, "vic").await?;
    viewer.fabric(id).await?;
    viewer.press("sync-button").await?;
    assert_eq!(viewer.heard().await?, red("Fabric sync failed: Permission denied"));
    viewer.fabric(id).await?;
    drop(site);
    viewer.press("sync-button").await?;
    assert_eq!(viewer.heard().await?, red("Fabric sync failed: Failed to fetch"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_waits_as_long_as_the_cluster_and_ends_green() -> Result<()> {
    let (site, lab) = start().await?;
    let id = site.add_fabric(at(&lab));
    lab.faults().set(FaultPlan { requests: vec![RequestFault::all(Fault::Hang)], ..FaultPlan::default() });
    let tab = Tab::login(&site, "ada").await?;
    tab.fabric(id).await?;
    assert_eq!(tab.button().await?, "Sync from Git");
    for clicks in 1..=2 {
        tab.press("sync-button").await?;
        eventually(PATIENCE, "it runs", || async {
            ensure!(site.syncs(id) == clicks, "{} runs", site.syncs(id));
            Ok::<_, anyhow::Error>(())
        })
        .await?;
        assert_eq!(tab.button().await?, "Syncing…");
        assert_eq!(tab.script("return sessionStorage.said").await?, "", "it says nothing");
    }
    lab.faults().clear();
    lab.faults().cut_connections();
    let (kind, words) = tab.heard().await?;
    assert_eq!(kind, "success", "the cluster broke the request off, and that went well: {words}");
    assert!(words.contains("Imported: 0"), "{words}");
    assert_eq!(site.last_sync(id), None);
    Ok(())
}
