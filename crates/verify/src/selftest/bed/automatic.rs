//! A fabric that syncs by itself, for the journey about that. Only while it is walked: whatever else is looked at would
//! meet operations that nobody began.

use super::{Bed, SETTLES, SelfTestError, unwell};
use serde_json::Value;
use std::time::{Duration, Instant};

/// The interval, as the form takes it.
const INTERVAL: &str = "2 s";
/// How often there is something new to sync. A console makes no operation for nothing.
const COMMITS: Duration = Duration::from_millis(1_500);

impl Bed {
    /// Has the fabric sync by itself, and waits until it has done so once.
    pub(in crate::selftest) async fn begin_by_itself(&self) -> Result<(), SelfTestError> {
        self.save_interval(INTERVAL).await?;
        let mut user = self.user().await?;
        let list = format!("/fabrics/{}/operations/", self.fabric);
        let until = Instant::now() + SETTLES;
        while Instant::now() < until {
            self.commit().await?;
            tokio::time::sleep(COMMITS).await;
            let page = user.visit(&list).await.map_err(unwell)?;
            let Some(newest) = page.attributes("main table a[href^='/operations/']", "href").into_iter().next() else {
                continue;
            };
            let operation: Value =
                user.script("GET", &newest, &[], None).await.map_err(unwell)?.json().map_err(unwell)?;
            let by_itself = operation["actor"].as_str().is_some_and(|actor| actor.starts_with("system:"));
            if by_itself && operation["final"] == true {
                return Ok(());
            }
        }
        Err(SelfTestError::Bed("the fabric does not sync by itself".to_owned()))
    }

    /// Has it wait for people again.
    pub(in crate::selftest) async fn end_by_itself(&self) -> Result<(), SelfTestError> {
        self.save_interval("").await
    }

    /// Commits without an end; comes back only when that fails.
    pub(in crate::selftest) async fn commits(&self) -> SelfTestError {
        loop {
            if let Err(error) = self.commit().await {
                return error;
            }
            tokio::time::sleep(COMMITS).await;
        }
    }

    async fn save_interval(&self, interval: &str) -> Result<(), SelfTestError> {
        let mut user = self.user().await?;
        let form = user.visit(&format!("/fabrics/{}/edit/", self.fabric)).await.map_err(unwell)?;
        let answer = user.submit(&form, "form.form", &[("sync_interval", interval)]).await.map_err(unwell)?;
        match answer.location() {
            Some(_) => Ok(()),
            None => Err(SelfTestError::Bed(format!("the interval was not taken: {}", answer.visible_text()))),
        }
    }
}
