//! The gate of one cluster: how many calls may be under way, and the pause that a 429 asks for.
//!
//! A pause holds for every call to that cluster, not only for the one that met it: the server asked for less load.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

pub(crate) struct Gate {
    slots: Semaphore,
    not_before: Mutex<Option<Instant>>,
}

impl Gate {
    pub(crate) fn new(concurrency: usize) -> Self {
        let slots = Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS));
        Self { slots, not_before: Mutex::new(None) }
    }

    /// Waits for a free slot. Waiting is not counted against the call's own limit: a thousand queued creates are not
    /// late, they are queued; the operation that queued them has its own deadline.
    pub(crate) async fn enter(&self) -> SemaphorePermit<'_> {
        self.slots.acquire().await.expect("the semaphore is never closed")
    }

    /// Waits until the pause is over. `Err` carries the rest of the pause when it ends after `deadline`.
    pub(crate) async fn wait(&self, deadline: Instant) -> Result<(), Duration> {
        while let Some(at) = self.not_before() {
            let now = Instant::now();
            if at <= now {
                break;
            }
            if at >= deadline {
                return Err(at - now);
            }
            tokio::time::sleep_until(at).await;
        }
        Ok(())
    }

    /// Asks all calls to pause; a pause is prolonged, never shortened.
    pub(crate) fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut at = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        *at = Some(at.map_or(until, |old| old.max(until)));
    }

    /// How much is left of the pause.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.not_before().map(|at| at.saturating_duration_since(Instant::now())).filter(|rest| !rest.is_zero())
    }

    fn not_before(&self) -> Option<Instant> {
        *self.not_before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A random part of `most`, so that many callers do not come back in step.
pub(crate) fn jitter(most: Duration) -> Duration {
    let part = getrandom::u32().unwrap_or(u32::MAX / 2);
    most.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pause_holds_for_everybody_and_is_never_shortened() {
        let gate = Gate::new(2);
        let start = Instant::now();
        gate.pause(Duration::from_millis(120));
        gate.pause(Duration::from_millis(10));
        assert!(gate.left().is_some_and(|rest| rest > Duration::from_millis(20)));
        gate.wait(start + Duration::from_secs(10)).await.unwrap();
        assert!(start.elapsed() >= Duration::from_millis(120));
        assert_eq!(gate.left(), None);
    }

    #[tokio::test]
    async fn a_pause_longer_than_the_deadline_is_told_at_once() {
        let gate = Gate::new(2);
        let start = Instant::now();
        gate.pause(Duration::from_secs(60));
        let rest = gate.wait(start + Duration::from_secs(10)).await.unwrap_err();
        assert!(rest > Duration::from_secs(50) && start.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn jitter_stays_within_its_bound() {
        let most = Duration::from_millis(100);
        assert!((0..100).all(|_| jitter(most) <= most));
    }
}
