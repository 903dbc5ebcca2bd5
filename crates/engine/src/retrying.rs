//! Trying again what failed in a way that passes: with a pause that doubles and is never quite the same, not before the
//! server asked to be called again, never beyond the operation's deadline, and with a word in the operation for whoever
//! looks. What does not pass (401, 403, a refusal, TLS, settings) is not tried again.

use crate::Error;
use crate::run::Run;
use model::Code;
use model::operation::{Phase, Retry};
use std::fmt::Display;
use std::time::Duration;
use tokio::time::Instant;

/// The first pause; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(400);
/// The longest pause that nobody asked for.
const LONGEST: Duration = Duration::from_secs(13);
/// No new try begins later than this after the first, unless the server asked for the pause: what takes its whole time
/// limit to fail is not tried for minutes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What can be said of a failure before it is decided whether to try again.
pub(crate) trait Fault: Display + Send + Sync {
    /// Its code.
    fn code(&self) -> Code;
    /// Whether the same may succeed later without anybody changing anything.
    fn passes(&self) -> bool;
    /// How long the other side asked to wait.
    fn asked_pause(&self) -> Option<Duration> {
        None
    }
}

impl Fault for cluster::Error {
    fn code(&self) -> Code {
        self.code()
    }

    fn passes(&self) -> bool {
        self.is_transient()
    }

    fn asked_pause(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl Fault for source::Error {
    fn code(&self) -> Code {
        self.code
    }

    fn passes(&self) -> bool {
        self.transient
    }
}

/// A step of the engine's own passes when only the database did not answer: the rest was decided further below.
impl Fault for Error {
    fn code(&self) -> Code {
        self.code
    }

    fn passes(&self) -> bool {
        self.code == Code::StoreUnavailable
    }
}

/// Whether and where calls are tried again.
#[derive(Clone, Copy)]
pub(crate) struct Retrying<'a>(Option<(&'a Run, Phase)>);

impl<'a> Retrying<'a> {
    /// Never: for what comes again by itself in a minute.
    pub const NEVER: Retrying<'static> = Retrying(None);

    /// In a phase of a run.
    pub fn within(run: &'a Run, phase: Phase) -> Self {
        Self(Some((run, phase)))
    }

    /// Calls, and calls again as long as that makes sense. `what` is what the page names.
    pub async fn call<T, E, F>(&self, what: &str, mut call: impl FnMut() -> F) -> Result<T, E>
    where
        E: Fault,
        F: Future<Output = Result<T, E>>,
    {
        let Some((run, phase)) = self.0 else { return call().await };
        let began = Instant::now();
        let of = run.shared.settings.retries + 1;
        let mut attempt = 1;
        loop {
            let error = match call().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            attempt += 1;
            let patient = error.asked_pause().is_some() || began.elapsed() < PATIENCE;
            if !error.passes() || attempt > of || !patient {
                return Err(error);
            }
            let next = Next { what, why: &error, code: error.code(), asked: error.asked_pause(), attempt, of };
            if !next.wait(run, phase).await {
                return Err(error);
            }
        }
    }
}

/// A try that is about to be made after one that failed.
pub(crate) struct Next<'a> {
    /// What is tried.
    pub what: &'a str,
    /// Why the last try failed.
    pub why: &'a (dyn Display + Sync),
    /// With which code.
    pub code: Code,
    /// How long the other side asked to wait.
    pub asked: Option<Duration>,
    /// Which try it is, from 2 on.
    pub attempt: u32,
    /// How many there are.
    pub of: u32,
}

impl Next<'_> {
    /// Waits for its time, and says so in the phase meanwhile. `false`, at once, when its time would come after the
    /// operation's deadline.
    pub async fn wait(&self, run: &Run, phase: Phase) -> bool {
        let pause = pause(self.attempt - 1, self.asked);
        if Instant::now() + pause >= run.deadline {
            return false;
        }
        let why = self.why.to_string();
        tracing::info!(operation = run.operation.id, fabric = run.operation.fabric_id, %phase, what = self.what,
            code = %self.code, error = %why, attempt = self.attempt, of = self.of,
            pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX), "trying again");
        let now = run.now();
        let at = now.checked_add(pause).unwrap_or(now);
        let what = self.what.to_owned();
        run.retries(phase, Retry { what, why, code: self.code, attempt: self.attempt, of: self.of, at });
        tokio::time::sleep(pause).await;
        run.tries_again(phase, self.what);
        true
    }
}

/// The pause after so many failures: what was asked for, or one that doubles; with up to a third on top by chance, so
/// that many who failed together do not come back together.
fn pause(failures: u32, asked: Option<Duration>) -> Duration {
    let own = FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(LONGEST);
    let base = asked.map_or(own, |asked| asked.max(FIRST));
    let part = getrandom::u32().unwrap_or(u32::MAX / 2);
    base + base.min(LONGEST).mul_f64(f64::from(part) / f64::from(u32::MAX) / 3.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_are_never_shorter_than_asked() {
        let within = |failures, asked, least: u64| {
            for _ in 0..50 {
                let pause = pause(failures, asked).as_millis();
                let least = u128::from(least);
                assert!(pause >= least && pause <= least + least.min(13_000) / 3 + 1, "{failures} {asked:?}: {pause}");
            }
        };
        for (failures, least) in [(1, 400), (2, 800), (3, 1600), (4, 3200), (5, 6400), (6, 12_800), (7, 13_000)] {
            within(failures, None, least);
        }
        within(u32::MAX, None, 13_000);
        within(1, Some(Duration::from_secs(20)), 20_000);
        within(5, Some(Duration::from_secs(2)), 2_000);
        within(1, Some(Duration::ZERO), 400);
        assert_ne!(pause(5, None), pause(5, None), "two that failed together do not come back together");
    }
}
