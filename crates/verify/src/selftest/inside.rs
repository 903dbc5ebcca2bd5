//! Sessions of the self-test's own, opened directly at the console. A fault that lets somebody through who should be
//! turned away needs one: the console has no switch for it, so the proxy puts a good session in the place of a bad one.

use crate::http::HttpUser;
use crate::site::Account;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long a session is used; shorter than the shortest limit of a console that is tested.
const FRESH: Duration = Duration::from_millis(1_500);

/// Somebody's session.
#[derive(Debug, Clone)]
pub struct Session {
    /// The cookie's value.
    pub cookie: String,
    /// A token for forms and scripts.
    pub token: String,
}

/// Sessions at one console.
pub struct Inside {
    console: String,
    accounts: Vec<Account>,
    kept: Mutex<HashMap<String, (Session, Instant)>>,
}

impl Inside {
    /// None yet, at this console, for these users.
    pub fn new(console: &str, accounts: Vec<Account>) -> Self {
        Self { console: console.to_owned(), accounts, kept: Mutex::default() }
    }

    fn password(&self, username: &str) -> Option<&str> {
        self.accounts.iter().find(|account| account.username == username).map(Account::password)
    }

    /// A session of this user that is good now; `None` if there is no getting one.
    pub async fn session(&self, username: &str) -> Option<Session> {
        let mut kept = self.kept.lock().await;
        if let Some((session, since)) = kept.get(username)
            && since.elapsed() < FRESH
        {
            return Some(session.clone());
        }
        let mut user = HttpUser::new(&self.console).ok()?;
        let page = user.login(username, self.password(username)?).await.ok()?;
        let token = page.attribute("meta[name=csrf-token]", "content").ok()??;
        let cookie = user.cookies().iter().find(|cookie| cookie.name.ends_with("session"))?.value.clone();
        let session = Session { cookie, token };
        kept.insert(username.to_owned(), (session.clone(), Instant::now()));
        Some(session)
    }
}
