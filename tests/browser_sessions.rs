//! The end of a session in the middle of work: what was typed or pressed stays, the login comes in place, and the action
//! is done once. Beside each end the same path with a session that holds, and the time that it held.

use crate::apart::{Apart, Behind, Database, SOON, VPCS};
use crate::browser_tab::Tab;
use crate::world::ended;
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};
use testkit::{Browser, BrowserOptions, Gate, Rule, eventually};

/// The idle limit of these consoles: longer than any step of a test takes, short enough to wait for.
const IDLE: Duration = Duration::from_secs(25);

/// A console whose sessions end soon, with something to sync.
async fn short(absolute: &str) -> Result<(Apart, Behind)> {
    let settings = [
        ("HEDGEROW_SESSION_IDLE", "25s"),
        ("HEDGEROW_SESSION_ABSOLUTE", absolute),
        ("HEDGEROW_SESSION_WARN_BEFORE", "5s"),
    ];
    let mut apart = Apart::start(Database::Sqlite, &settings).await?;
    let fabric = apart.fabric().await?;
    Ok((apart, fabric))
}

/// A tab on a page of this console, and when its session was used last.
async fn tab(apart: &Apart, path: &str) -> Result<(Tab, Instant)> {
    let tab = Tab::start(apart.console.url()).await?;
    tab.login(path, "admin", apart.console.password()?).await?;
    tab.mark().await?;
    Ok((tab, Instant::now()))
}

/// Waits until the tab itself says that its session is over; the time since it was used must be the limit's.
async fn outlast(tab: &Tab, used: Instant) -> Result<()> {
    let said = tab.says("[data-strip='session']", "Log in again").await?;
    let held = used.elapsed();
    ensure!(said.contains("not used for some time; the limit is 25 s"), "{said}");
    ensure!(held + Duration::from_secs(2) >= IDLE, "it ended after {held:?}");
    Ok(())
}

/// Logs in by the dialog that stands over the page.
async fn log_in_here(tab: &Tab, name: &str, password: &str) -> Result<()> {
    tab.find("#login-again[open]").await?;
    tab.type_into("#again_username", name).await?;
    tab.type_into("#again_password", password).await?;
    tab.click("#login-again button.primary").await
}

/// How many operations of this verb there were.
async fn operations(apart: &Apart, verb: &str) -> Result<String> {
    let count = format!("SELECT count(*) FROM operations WHERE verb = '{verb}'");
    Ok(apart.sql(&count).await?.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_lesson_08_a_press_after_the_end_is_offered_again_and_done_once() -> Result<()> {
    let (apart, fabric) = short("1h").await?;
    let path = format!("/fabrics/{}/", fabric.id);
    let (tab, used) = tab(&apart, &path).await?;
    outlast(&tab, used).await?;
    tab.posts().await?;
    tab.click("#sync-now-btn").await?;
    let reason = tab.says("#login-again [data-reason]", "25 s").await?;
    ensure!(reason.contains("not used"), "{reason}");
    log_in_here(&tab, "admin", "not the password").await?;
    tab.says("#login-again [data-refused]", "The user name or the password is wrong.").await?;
    log_in_here(&tab, "admin", apart.console.password()?).await?;
    let said = tab.says("[data-press-group] .answer", "You are logged in again.").await?;
    ensure!(said.contains("“Sync to Kubernetes” had not been done."), "{said}");
    ensure!(fabric.live_vpcs().await? == 0, "nothing was sent by itself");
    ensure!(tab.script("return document.querySelector('[data-strip=session]')").await?.is_null(), "the strip is gone");
    let warned = tab.script("return !document.getElementById('session-warning').hidden").await?;
    ensure!(warned == false, "the new session's end is far away");
    tab.click("[data-again]").await?;
    tab.says("[data-press-group] .answer[data-answer='good']", "Sync to Kubernetes succeeded.").await?;
    ensure!(fabric.live_vpcs().await? == VPCS, "the cluster holds what Git does");
    ensure!(operations(&apart, "sync_to_kubernetes").await? == "1", "it ran once");
    let sent: Vec<_> = tab.posts().await?.into_iter().filter(|path| path.ends_with("/sync/")).collect();
    ensure!(sent.len() == 2, "the press that was refused and the one that was not: {sent:?}");
    tab.not_reloaded().await?;
    // The control arm: the same press with a session that holds is not asked to log in.
    tab.find("form[data-verb='sync_to_kubernetes']:not([data-busy])").await?;
    tab.click(".answer button[aria-label='Close this answer']").await?;
    tab.click("#sync-now-btn").await?;
    tab.says("[data-press-group] .answer[data-answer='good']", "Sync to Kubernetes succeeded.").await?;
    ensure!(tab.script("return document.getElementById('login-again').open").await? == false, "nobody asks");
    tab.no_complaints("a session that ended", &["401 (Unauthorized)"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_outlives_the_session_and_is_saved_after_the_login_in_place() -> Result<()> {
    let (apart, fabric) = short("1h").await?;
    let path = format!("/fabrics/{}/edit/", fabric.id);
    let (tab, _) = tab(&apart, &path).await?;
    tab.type_into("#id_description", "typed before the end").await?;
    let used = Instant::now();
    outlast(&tab, used).await?;
    tab.type_into("#id_description", "and changed after it").await?;
    tab.click("form[data-keep] button[type=submit]").await?;
    log_in_here(&tab, "admin", apart.console.password()?).await?;
    let said = tab.says(".form-answer", "You are logged in again.").await?;
    ensure!(said.contains("Press “Save changes”"), "{said}");
    let typed = tab.script("return document.getElementById('id_description').value").await?;
    ensure!(typed == "and changed after it", "{typed}");
    tab.not_reloaded().await?;
    let stored = "SELECT description FROM fabrics";
    ensure!(apart.sql(stored).await?.trim().is_empty(), "nothing was saved by itself");
    tab.click("form[data-keep] button[type=submit]").await?;
    tab.at(&format!("/fabrics/{}/", fabric.id)).await?;
    ensure!(apart.sql(stored).await?.trim() == "and changed after it", "what was typed is saved");
    // The control arm.
    tab.open(&path).await?;
    tab.type_into("#id_description", "a third text").await?;
    tab.click("form[data-keep] button[type=submit]").await?;
    tab.at(&format!("/fabrics/{}/", fabric.id)).await?;
    ensure!(apart.sql(stored).await?.trim() == "a third text", "with a session that holds it is saved at once");
    tab.no_complaints("a form", &["401 (Unauthorized)"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_who_logs_in_there_inherits_nothing() -> Result<()> {
    let (apart, fabric) = short("1h").await?;
    let made =
        apart.console.run(&["user", "create", "bob", "--superuser", "--password-stdin"], Some("a second gardener"));
    let made = made.await?;
    ensure!(made.status.success(), "{made:?}");
    let path = format!("/fabrics/{}/", fabric.id);
    let (tab, used) = tab(&apart, &path).await?;
    outlast(&tab, used).await?;
    tab.click("#sync-now-btn").await?;
    tab.find("#login-again[open]").await?;
    tab.posts().await?;
    log_in_here(&tab, "bob", "a second gardener").await?;
    let said = tab.says("[data-strip='session']", "bob is logged in").await?;
    ensure!(said.contains("nothing on it is sent as somebody else"), "{said}");
    ensure!(tab.script("return document.querySelector('[data-again]')").await?.is_null(), "nothing is offered");
    let left = tab.script("return document.getElementById('main').textContent.trim()").await?;
    ensure!(left == "", "what stood there was not for bob: {left}");
    // Also a press of the page that was there does nothing as bob.
    let csrf = tab.script("return document.querySelector('meta[name=csrf-token]').content").await?;
    let csrf = csrf.as_str().context("the page had a token")?.to_owned();
    let press = format!(
        "return fetch('/fabrics/{}/sync/', {{ method: 'POST', headers: {{ 'X-CSRFToken': '{csrf}', Accept: 'application/json' }} }}).then((answer) => answer.status)",
        fabric.id
    );
    ensure!(tab.script(&press).await? == 403, "the page of one user never acts as another");
    ensure!(operations(&apart, "sync_to_kubernetes").await? == "0", "bob did not press");
    ensure!(fabric.live_vpcs().await? == 0, "and nothing was written");
    tab.click("[data-strip='session'] a").await?;
    eventually(SOON, "the page is bob's", || async {
        let user = tab.script("return document.body.dataset.user").await?;
        ensure!(user == "bob", "it is {user}'s");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_agree_on_the_end_on_the_login_and_on_the_limits() -> Result<()> {
    let (apart, fabric) = short("1h").await?;
    let path = format!("/fabrics/{}/", fabric.id);
    let (tab, used) = tab(&apart, &path).await?;
    let driver = tab.browser.driver();
    let first = driver.window().await?;
    let second = driver.new_tab().await?;
    driver.switch_to_window(second.clone()).await?;
    tab.open("/fabrics/").await?;
    let used = used.max(Instant::now());
    outlast(&tab, used).await?;
    driver.switch_to_window(first.clone()).await?;
    tab.says("[data-strip='session']", "Log in again").await?;
    tab.click("[data-strip='session'] a.login-again").await?;
    tab.says("#login-again[open] [data-reason]", "not used for some time; the limit is 25 s").await?;
    log_in_here(&tab, "admin", apart.console.password()?).await?;
    let gone = "return document.querySelector('[data-strip=session]') === null";
    for window in [&first, &second] {
        driver.switch_to_window(window.clone()).await?;
        eventually(SOON, "the tab goes on", || async {
            ensure!(tab.script(gone).await? == true, "it still says that its session is over");
            Ok(())
        })
        .await?;
    }
    // Keeping the session in one tab moves the end that the other one knows.
    let end = "return document.body.dataset.idleDeadline";
    driver.switch_to_window(first).await?;
    let before = tab.script(end).await?;
    driver.switch_to_window(second).await?;
    tab.find("#session-warning:not([hidden]) button").await?.click().await?;
    driver.switch_to_window(driver.windows().await?.remove(0)).await?;
    eventually(SOON, "the first tab knows it", || async {
        let now = tab.script(end).await?;
        ensure!(now.as_str() > before.as_str(), "{now} is not after {before}");
        Ok(())
    })
    .await?;
    tab.not_reloaded().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_ended_from_another_browser_says_so_in_the_open_tab() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    let (tab, _) = tab(&apart, &format!("/fabrics/{}/", fabric.id)).await?;
    let page = apart.user.visit("/account/sessions/").await?;
    let rows = page.texts("tbody tr");
    ensure!(rows.len() == 2 && rows.iter().all(|row| row.contains(" on Linux")), "the browsers are named: {rows:?}");
    let answer = apart.user.submit(&page, "form:has([name=which][value=others])", &[]).await?;
    ensure!(answer.status == 303, "{}", answer.visible_text());
    tab.says("[data-strip='session']", "You ended this session from another one.").await?;
    tab.not_reloaded().await?;
    ensure!(apart.user.get("/").await?.status == 200, "the control: the other browser goes on");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_outlives_the_session_that_began_it() -> Result<()> {
    let (apart, fabric) = short("26s").await?;
    let gate = Gate::default();
    fabric.front.add(Rule::on("POST", "/vpcs?").times(1).hold(&gate));
    let path = format!("/fabrics/{}/", fabric.id);
    let (tab, began) = tab(&apart, &path).await?;
    tab.click("#sync-now-btn").await?;
    gate.arrived(SOON).await?;
    // Somebody is at work: the pointer moves the idle limit, up to the absolute one.
    eventually(SOON, "a page's own word about use is taken again", || async {
        ensure!(began.elapsed() > Duration::from_secs(4), "it was said just now");
        Ok(())
    })
    .await?;
    tab.click("h1").await?;
    let said = tab.says("[data-strip='session']", "Log in again").await?;
    let held = began.elapsed();
    ensure!(said.contains("none lasts longer than 26 s"), "{said}");
    ensure!(held + Duration::from_secs(3) >= IDLE, "it ended after {held:?}");
    let running = "SELECT state FROM operations WHERE verb = 'sync_to_kubernetes'";
    ensure!(apart.sql(running).await?.trim() == "running", "the operation goes on");
    gate.open();
    tab.click("[data-strip='session'] a.login-again").await?;
    log_in_here(&tab, "admin", apart.console.password()?).await?;
    let (mut user, _) = apart.console.login("admin", apart.console.password()?).await?;
    let id = apart.sql("SELECT id FROM operations WHERE verb = 'sync_to_kubernetes'").await?;
    let operation = ended(&mut user, &format!("/operations/{}/", id.trim())).await?;
    ensure!(operation["state"] == "succeeded" && operation["actor"] == "admin", "{operation}");
    ensure!(fabric.live_vpcs().await? == VPCS, "the cluster holds what Git does");
    tab.says("main", "In sync").await?;
    tab.not_reloaded().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_script_a_form_that_is_sent_too_late_comes_back_after_the_login() -> Result<()> {
    let (apart, fabric) = short("1h").await?;
    let options = BrowserOptions { scripts: false, ..BrowserOptions::default() };
    let tab = Tab::with(Browser::start_with(&options).await?, apart.console.url());
    let path = format!("/fabrics/{}/edit/", fabric.id);
    tab.open(&path).await?;
    let log_in = async || {
        tab.type_into("#id_username", "admin").await?;
        tab.type_into("#id_password", apart.console.password()?).await?;
        tab.click("form.form button[type=submit]").await
    };
    log_in().await?;
    tab.at(&path).await?;
    tab.type_into("#id_description", "sent too late").await?;
    let used = Instant::now();
    // Nothing on this page can tell; the database can.
    eventually(SOON, "the session is over", || async {
        let now = jiff::Timestamp::now().as_microsecond();
        let open = format!("SELECT count(*) FROM sessions WHERE idle_expires_at > {now}");
        ensure!(apart.sql(&open).await?.trim() == "0", "a session is open, {:?} after its last use", used.elapsed());
        Ok(())
    })
    .await?;
    tab.click("form[data-keep] button[type=submit]").await?;
    tab.says("main", "What you sent is kept.").await?;
    log_in().await?;
    let kept = tab.says("main", "so nothing was done").await?;
    ensure!(kept.contains("sent too late"), "{kept}");
    let stored = "SELECT description FROM fabrics";
    ensure!(apart.sql(stored).await?.trim().is_empty(), "nothing was saved by itself");
    tab.click("main form.form button[type=submit]").await?;
    tab.at(&format!("/fabrics/{}/", fabric.id)).await?;
    ensure!(apart.sql(stored).await?.trim() == "sent too late", "it is saved with one press");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_script_a_page_that_loads_itself_again_does_not_make_the_session_last() -> Result<()> {
    let (apart, fabric) = short("1h").await?;
    let options = BrowserOptions { scripts: false, ..BrowserOptions::default() };
    let tab = Tab::with(Browser::start_with(&options).await?, apart.console.url());
    let path = format!("/fabrics/{}/", fabric.id);
    tab.open(&path).await?;
    tab.type_into("#id_username", "admin").await?;
    tab.type_into("#id_password", apart.console.password()?).await?;
    tab.click("form.form button[type=submit]").await?;
    tab.at(&path).await?;
    let (used, since) = (Instant::now(), apart.console.log().lines().count());
    let said = tab.says("main", "not used for some time; the limit is 25 s").await?;
    ensure!(used.elapsed() + Duration::from_secs(2) >= IDLE, "it ended after {:?}: {said}", used.elapsed());
    let pages = answered(&apart, since).iter().filter(|line| line.contains(&format!("path=\"{path}\""))).count();
    ensure!(pages >= 2, "the control: it loaded itself again while the session held: {:#?}", answered(&apart, since));
    // Back on the page, whose address is the plain one.
    tab.type_into("#id_username", "admin").await?;
    tab.type_into("#id_password", apart.console.password()?).await?;
    tab.click("form.form button[type=submit]").await?;
    tab.at(&path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_a_press_says_so_and_the_same_press_later_runs_once() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    let (tab, _) = tab(&apart, &format!("/fabrics/{}/", fabric.id)).await?;
    tab.browser.set_offline(true).await?;
    tab.click("#sync-now-btn").await?;
    let said = tab.says("[data-press-group] .answer[data-answer='bad']", "No answer from the server.").await?;
    ensure!(said.contains("transport_failed"), "{said}");
    ensure!(operations(&apart, "sync_to_kubernetes").await? == "0", "nothing arrived");
    tab.browser.set_offline(false).await?;
    tab.find("form[data-verb='sync_to_kubernetes']:not([data-busy])").await?;
    tab.click("#sync-now-btn").await?;
    tab.says("[data-press-group] .answer[data-answer='good']", "Sync to Kubernetes succeeded.").await?;
    ensure!(operations(&apart, "sync_to_kubernetes").await? == "1", "it ran once");
    ensure!(fabric.live_vpcs().await? == VPCS, "the cluster holds what Git does");
    tab.not_reloaded().await
}

/// The requests that the console has answered since a place in its log.
fn answered(apart: &Apart, since: usize) -> Vec<String> {
    let log = apart.console.log();
    let lines = log.lines().skip(since).filter(|line| line.contains("answered") && line.contains("path"));
    lines.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_two_minutes_after_its_end_an_idle_tab_makes_one_request() -> Result<()> {
    let (apart, fabric) = short("1h").await?;
    let (tab, used) = tab(&apart, &format!("/fabrics/{}/", fabric.id)).await?;
    // Until shortly before the end; from here on, whatever is answered is the tab's.
    eventually(SOON, "the end is near", || async {
        ensure!(used.elapsed() + Duration::from_millis(1500) > IDLE, "there is time left");
        Ok(())
    })
    .await?;
    let end = tab.script("return document.body.dataset.idleDeadline").await?;
    let end: jiff::Timestamp = end.as_str().context("the page knows its end")?.parse()?;
    eventually(SOON, "the end is there", || async {
        ensure!(jiff::Timestamp::now() >= end, "not yet");
        Ok(())
    })
    .await?;
    let since = apart.console.log().lines().count();
    tokio::time::sleep(Duration::from_secs(120)).await;
    let requests = answered(&apart, since);
    ensure!(requests.len() == 1, "{} requests: {requests:#?}", requests.len());
    ensure!(requests[0].contains("401"), "{requests:?}");
    tab.says("[data-strip='session']", "Log in again").await?;
    Ok(())
}
