//! A log line that would come with every request: it is written once in a while, with the number of times that it was
//! not.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When it was last said, and how often it was not since.
#[derive(Debug)]
pub struct Seldom {
    every: Duration,
    last: Mutex<(Option<Instant>, u64)>,
}

impl Seldom {
    /// At most once in this time.
    pub const fn new(every: Duration) -> Self {
        Self { every, last: Mutex::new((None, 0)) }
    }

    /// Whether to say it now: how often it was not said since it last was.
    pub fn say(&self) -> Option<u64> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0.is_some_and(|at| at.elapsed() < self.every) {
            last.1 += 1;
            return None;
        }
        let unsaid = last.1;
        *last = (Some(Instant::now()), 0);
        Some(unsaid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_and_then_with_what_was_left_out() {
        let seldom = Seldom::new(Duration::from_secs(3600));
        assert_eq!(seldom.say(), Some(0));
        assert_eq!((seldom.say(), seldom.say()), (None, None));
        let always = Seldom::new(Duration::ZERO);
        assert_eq!((always.say(), always.say()), (Some(0), Some(0)));
    }
}
