//! Who a trusted proxy says that somebody is. The proxy is this test at 127.0.0.1; whoever comes past it is this test at
//! 127.0.0.2. Requests are written by hand, because a client that sends a header twice is among them.

use crate::world::database;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use store::Method;
use testkit::{Console, ConsoleOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

const PROXY: &str = "127.0.0.1";
const STRANGER: &str = "127.0.0.2";

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// The session's cookie that it sets.
    fn cookie(&self) -> Option<String> {
        let set = self.head.lines().find_map(|line| line.strip_prefix("set-cookie: __Host-hedgerow_session="))?;
        let value = set.split(';').next().unwrap_or_default();
        (!value.is_empty()).then(|| format!("Cookie: __Host-hedgerow_session={value}"))
    }

    fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("{} {}", self.status, self.body))
    }

    fn user(&self) -> Result<String> {
        Ok(self.json()?["user"]["username"].as_str().unwrap_or_default().to_owned())
    }
}

/// One request from this address, with these lines in its head.
async fn ask(console: &Console, from: &str, request: &str, lines: &[&str], body: &str) -> Result<Answer> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(format!("{from}:0").parse()?)?;
    let mut stream = socket.connect(console.address().parse()?).await?;
    let mut text = format!("{request} HTTP/1.1\r\nHost: {}\r\n", console.address());
    if !lines.iter().any(|line| line.starts_with("Accept:")) {
        text.push_str("Accept: application/json\r\n");
    }
    if !lines.iter().any(|line| line.starts_with("Connection:")) {
        text.push_str("Connection: close\r\n");
    }
    for line in lines {
        text.push_str(&format!("{line}\r\n"));
    }
    text.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(text.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer")?;
    let status = head.split(' ').nth(1).context("a status")?.parse()?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

async fn session(console: &Console, from: &str, lines: &[&str]) -> Result<Answer> {
    ask(console, from, "GET /session/", lines, "").await
}

async fn console(more: &[(&str, &str)]) -> Result<Console> {
    let set = [
        ("HEDGEROW_TRUSTED_PROXIES", PROXY),
        ("HEDGEROW_HEADER_AUTH_USER", "Remote-User"),
        ("HEDGEROW_HEADER_AUTH_GROUPS", "Remote-Groups"),
        ("HEDGEROW_HEADER_AUTH_MAPPING", "noc=operators"),
    ];
    let env = set.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_is_believed_and_nobody_else() -> Result<()> {
    let console = console(&[]).await?;
    let store = database(&console).await?;
    let group = store.groups().create("operators", "").await?;

    // Past the proxy the header is nothing, and no try of it is recorded.
    let past = session(&console, STRANGER, &["Remote-User: admin"]).await?;
    ensure!(past.status == 401 && past.cookie().is_none(), "{} {}", past.status, past.body);
    ensure!(store.users().by_name("anna").await?.is_none());

    let first = session(&console, PROXY, &["Remote-User: anna", "Remote-Groups: noc, other"]).await?;
    ensure!(first.status == 200 && first.user()? == "anna", "{} {}", first.status, first.body);
    let cookie = first.cookie().context("a session began")?;
    let anna = store.users().by_name("anna").await?.context("an account was made")?;
    ensure!(!anna.has_password() && !anna.is_superuser, "{anna:?}");
    ensure!(store.groups().members(group.id).await?.iter().any(|member| member.id == anna.id), "the group is mapped");
    // The same session goes on.
    let second = session(&console, PROXY, &["Remote-User: anna", &cookie]).await?;
    ensure!(second.status == 200 && second.cookie().is_none(), "{}", second.head);
    let sessions = store.sessions().list_of_user(anna.id).await?;
    ensure!(sessions.len() == 1 && sessions[0].method == Method::Header, "{sessions:?}");

    let lines = ["Remote-User: anna", &cookie, "Accept: text/html"];
    let page = ask(&console, PROXY, "GET /account/sessions/", &lines, "").await?;
    ensure!(page.body.contains("by a trusted proxy"), "{} {}", page.status, page.body);

    // A logout says what it ended, and what it cannot end.
    let csrf = second.json()?["csrf_token"].as_str().context("a token")?.to_owned();
    let csrf = format!("X-CSRFToken: {csrf}");
    let lines = ["Remote-User: anna", &cookie, &csrf, "Accept: text/html", "Sec-Fetch-Mode: navigate"];
    let out = ask(&console, PROXY, "POST /logout/", &lines, "").await?;
    ensure!(out.status == 200 && out.body.contains("You are logged out here"), "{} {}", out.status, out.body);
    ensure!(out.body.contains("log out at the proxy"), "{}", out.body);
    let first = session(&console, PROXY, &["Remote-User: anna", "Remote-Groups: noc"]).await?;
    let cookie = first.cookie().context("the next request begins another session")?;
    let second = session(&console, PROXY, &["Remote-User: anna", &cookie]).await?;

    // The cookie without the header is nothing, from the proxy or past it.
    for (from, lines) in
        [(PROXY, vec![cookie.as_str()]), (STRANGER, vec![&cookie]), (STRANGER, vec!["Remote-User: anna", &cookie])]
    {
        let answer = session(&console, from, &lines).await?;
        ensure!(answer.status == 401, "{from} {lines:?}: {}", answer.status);
        ensure!(answer.body.contains("no longer says who you are"), "{}", answer.body);
    }

    // The login page says so, and leads nobody around in a circle.
    let page = ask(&console, STRANGER, "GET /login/", &[&cookie, "Accept: text/html"], "").await?;
    ensure!(page.status == 200 && page.body.contains("no longer says who you are"), "{} {}", page.status, page.head);

    // A session by password needs no header, and CSRF tokens are asked for as ever.
    let csrf = second.json()?["csrf_token"].as_str().context("a token")?.to_owned();
    let theme = |token: String| {
        let (console, cookie) = (&console, &cookie);
        async move {
            let lines = ["Remote-User: anna", cookie, token.as_str()];
            ask(console, PROXY, "POST /theme/", &lines, r#"{"theme":"dark"}"#).await
        }
    };
    let without = theme("X-Nothing: 1".to_owned()).await?;
    ensure!(without.status == 403 && without.json()?["code"] == "csrf_failed", "{}", without.body);
    let with = theme(format!("X-CSRFToken: {csrf}")).await?;
    ensure!(with.status == 200, "{} {}", with.status, with.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_of_the_proxy_gets_a_session_of_its_own() -> Result<()> {
    let console = console(&[]).await?;
    let store = database(&console).await?;
    let anna = session(&console, PROXY, &["Remote-User: anna"]).await?;
    let cookie = anna.cookie().context("a session began")?;
    let csrf = format!("X-CSRFToken: {}", anna.json()?["csrf_token"].as_str().context("a token")?);
    // What anna's page would send is not sent as bert.
    let lines = ["Remote-User: bert", &cookie, &csrf];
    let sent = ask(&console, PROXY, "POST /theme/", &lines, r#"{"theme":"dark"}"#).await?;
    ensure!(sent.status == 403 && sent.json()?["code"] == "csrf_failed", "{}", sent.body);
    let of_bert = sent.cookie().context("bert's session began")?;
    let user = store.users().by_name("anna").await?.context("anna")?;
    let sessions = store.sessions().list_of_user(user.id).await?;
    ensure!(sessions.iter().all(|session| session.ended_at.is_some()), "anna's session goes on: {sessions:?}");
    let bert = session(&console, PROXY, &["Remote-User: bert", &of_bert]).await?;
    ensure!(bert.status == 200 && bert.user()? == "bert" && bert.cookie().is_none(), "{}", bert.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_may_be_the_clients_is_refused() -> Result<()> {
    let console = console(&[("HEDGEROW_HEADER_AUTH_CREATE_USERS", "false")]).await?;
    let store = database(&console).await?;
    for lines in [
        vec!["Remote-User: admin", "Remote-User: anna"],
        vec!["Remote-User: admin", "Connection: close, Remote-User"],
        vec!["Connection: close, Remote-User"],
        vec!["Remote-User: admin", "Remote-Groups: a", "Remote-Groups: noc"],
        vec!["Remote-User: nobody-knows"],
        vec!["Remote-User: admin, anna"],
    ] {
        let answer = session(&console, PROXY, &lines).await?;
        let said = answer.json()?;
        ensure!(said["code"] == "account_refused", "{lines:?}: {said}");
        ensure!(answer.cookie().is_none(), "{lines:?}: a session began");
    }
    // The control, and one that is switched off.
    let admin = session(&console, PROXY, &["Remote-User: admin"]).await?;
    ensure!(admin.status == 200 && admin.user()? == "admin", "{}", admin.body);
    let other =
        console.run(&["user", "create", "other", "--superuser", "--password-stdin"], Some("another of them")).await?;
    ensure!(other.status.success(), "{other:?}");
    let user = store.users().by_name("admin").await?.context("admin")?;
    store.users().set_flags(user.id, true, false).await?;
    let off = session(&console, PROXY, &["Remote-User: admin", &admin.cookie().context("a session")?]).await?;
    ensure!(off.status == 403 && off.body.contains("is switched off"), "{} {}", off.status, off.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_no_header_is_anybody() -> Result<()> {
    let env = vec![("HEDGEROW_TRUSTED_PROXIES".to_owned(), PROXY.to_owned())];
    let console = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
    let answer = session(&console, PROXY, &["Remote-User: admin"]).await?;
    ensure!(answer.status == 401 && answer.cookie().is_none(), "{} {}", answer.status, answer.body);
    Ok(())
}
