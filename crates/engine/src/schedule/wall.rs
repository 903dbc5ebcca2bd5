//! Notices that the clock on the wall was put back. What bears a time that is still to come is no evidence, and would be
//! none until the clock has come there again; so whoever notices looks again.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tokio::time::Instant;

/// A clock that is only slowed down loses less than this between two looks.
const STEP: SignedDuration = SignedDuration::from_secs(1);

/// The clock on the wall as it was last seen, beside the one that only goes forward.
#[derive(Debug, Default)]
pub(super) struct Wall {
    last: Option<(Timestamp, Instant)>,
}

impl Wall {
    /// By how much it was put back since the last look; `None` when it was not.
    pub fn back(&mut self, now: Timestamp, at: Instant) -> Option<Duration> {
        let (then, since) = self.last.replace((now, at))?;
        let passed = SignedDuration::try_from(at.saturating_duration_since(since)).unwrap_or(SignedDuration::MAX);
        let lost = passed.saturating_sub(now.duration_since(then));
        (lost > STEP).then(|| Duration::try_from(lost).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_put_back_is_noticed_and_one_that_goes_on_or_ahead_is_not() {
        let (mut wall, start) = (Wall::default(), Instant::now());
        let mut look = |wall_second: i64, second: u64| {
            let now = Timestamp::from_second(1_000_000 + wall_second).expect("it is near");
            wall.back(now, start + Duration::from_secs(second)).map(|by| by.as_secs())
        };
        assert_eq!([look(0, 0), look(1, 1), look(3, 3)], [None; 3]);
        assert_eq!([look(3600, 4), look(3610, 14)], [None; 2], "ahead");
        assert_eq!(look(11, 15), Some(3600));
        assert_eq!(look(12, 16), None, "said once");
        // A process that stood still for a minute meanwhile.
        assert_eq!([look(72, 76), look(13, 77)], [None, Some(60)]);
    }
}
