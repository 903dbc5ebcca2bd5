//! Waiting for something to become true: by looking again until a deadline, never by sleeping and hoping.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Calls `look` until it returns `Ok`, or until `within` is over: then the error names `what` was awaited and the last
/// observation, which is what `look` returned as its error.
pub async fn eventually<T, E, F, R>(within: Duration, what: &str, mut look: F) -> Result<T>
where
    E: Display,
    F: FnMut() -> R,
    R: Future<Output = Result<T, E>>,
{
    let started = Instant::now();
    let mut pause = Duration::from_millis(10);
    loop {
        // The look itself may hang: it gets the rest of the time, and at least one second.
        let rest = within.saturating_sub(started.elapsed()).max(Duration::from_secs(1));
        let saw = match tokio::time::timeout(rest, look()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(observation)) => format!("{observation:#}"),
            Err(_) => "no answer".to_owned(),
        };
        if started.elapsed() >= within {
            bail!("{what}: not within {within:?}; last seen: {saw}");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}
