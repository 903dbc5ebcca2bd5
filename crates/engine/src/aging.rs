//! Evidence does not get younger. Its age is told by the clock on the wall, which may be put back; so each process also
//! remembers for how long it has known the newest evidence, by a clock that only goes forward.

use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// Between two threads the clock is read in any order; a jump is longer.
const APART: SignedDuration = SignedDuration::from_secs(1);

/// Whether a time is still to come. Evidence that bears it was read while the clock was ahead, and is as old as nobody
/// knows.
pub(crate) fn is_still_to_come(at: Timestamp, now: Timestamp) -> bool {
    at.duration_since(now) > APART
}

/// The newest evidence of each fabric, and since when this process knows it.
#[derive(Debug, Default)]
pub(crate) struct Ages {
    known: Mutex<HashMap<i64, Known>>,
}

#[derive(Debug)]
struct Known {
    comparison: i64,
    evidence: Timestamp,
    since: Instant,
}

impl Ages {
    /// The moment that the evidence of a comparison is of, as the wall shows it now: an earlier one than what was stored
    /// when the wall has been put back since. What bears a time far in the future stays there, and counts for nothing.
    pub fn of(
        &self,
        fabric_id: i64,
        comparison: i64,
        evidence: Timestamp,
        now: Timestamp,
        limit: SignedDuration,
    ) -> Timestamp {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = known.get(&fabric_id).is_some_and(|k| (k.comparison, k.evidence) == (comparison, evidence));
        if !is_known {
            known.insert(fabric_id, Known { comparison, evidence, since: Instant::now() });
        }
        let age = known.get(&fabric_id).map(|known| known.since.elapsed()).unwrap_or_default();
        if now.duration_since(evidence) < -limit {
            return evidence;
        }
        let oldest = SignedDuration::try_from(age).ok().and_then(|age| now.checked_sub(age).ok());
        oldest.map_or(evidence, |oldest| evidence.min(oldest))
    }

    /// Forgets a fabric.
    pub fn forget(&self, fabric_id: i64) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&fabric_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LIMIT: SignedDuration = SignedDuration::from_secs(180);

    #[tokio::test(start_paused = true)]
    async fn evidence_does_not_get_younger_when_the_clock_is_put_back() {
        let ages = Ages::default();
        let at = |second: i64| Timestamp::from_second(1_000_000 + second).expect("it is near");
        let age = |ages: &Ages, comparison, evidence, now: Timestamp| {
            now.duration_since(ages.of(7, comparison, evidence, now, LIMIT)).as_secs()
        };
        assert_eq!(age(&ages, 1, at(0), at(5)), 5);
        tokio::time::advance(Duration::from_secs(200)).await;
        assert_eq!(age(&ages, 1, at(0), at(205)), 205);
        assert_eq!([age(&ages, 1, at(0), at(60)), age(&ages, 1, at(0), at(-60))], [200; 2], "put back");
        assert_eq!(age(&ages, 1, at(0), at(9000)), 9000, "ahead it may only become stale");
        assert_eq!(age(&ages, 1, at(0), at(-9000)), -9000, "of the future");
        assert_eq!(age(&ages, 2, at(-55), at(-50)), 5, "new evidence");
        assert_eq!(age(&ages, 2, at(-50), at(-50)), 0, "the same comparison still holds");
    }
}
