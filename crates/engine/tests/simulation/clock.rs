//! The two clocks of the simulated machine: one that only goes forward, which every runtime is moved by, and the one on
//! the wall, which jumps. What the engine stores bears the time on the wall; what that meant can be asked here.

use jiff::Timestamp;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Every process reads the wall in steps of so many microseconds and adds its own number below that. So each time in the
/// database says which process wrote it.
pub const TAGS: i64 = 64;
/// The wall when a simulation begins; a fixed one, so that windows of a policy mean the same in every run.
const BEGIN: i64 = 1_790_000_000 * 1_000_000;

/// The clocks.
#[derive(Debug)]
pub struct Clock {
    elapsed: AtomicU64,
    offset: AtomicI64,
    /// From which moment on the wall was how far ahead.
    jumps: Mutex<Vec<(u64, i64)>>,
}

impl Clock {
    /// At the beginning.
    pub fn new() -> Self {
        Self { elapsed: AtomicU64::new(0), offset: AtomicI64::new(0), jumps: Mutex::new(vec![(0, 0)]) }
    }

    /// Microseconds since the beginning, by the clock that only goes forward.
    pub fn elapsed(&self) -> u64 {
        self.elapsed.load(Ordering::SeqCst)
    }

    /// Time passes.
    pub fn moves(&self, by: Duration) {
        self.elapsed.fetch_add(u64::try_from(by.as_micros()).expect("it is short"), Ordering::SeqCst);
    }

    /// The clock on the wall is put to so many seconds ahead of the right time.
    pub fn put(&self, ahead_seconds: i64) {
        let offset = ahead_seconds * 1_000_000;
        let mut jumps = self.jumps.lock().unwrap_or_else(PoisonError::into_inner);
        self.offset.store(offset, Ordering::SeqCst);
        jumps.push((self.elapsed(), offset));
    }

    /// How many seconds the wall is ahead.
    pub fn ahead(&self) -> i64 {
        self.offset.load(Ordering::SeqCst) / 1_000_000
    }

    /// What a process reads from the wall.
    pub fn wall(&self, tag: i64) -> Timestamp {
        let elapsed = i64::try_from(self.elapsed()).expect("it is no age of the world");
        let micros = (BEGIN + elapsed + self.offset.load(Ordering::SeqCst)) / TAGS * TAGS + tag;
        Timestamp::from_microsecond(micros).expect("it is in this century")
    }

    /// When the wall showed a time: by the other clock, the first and the last such moment; nothing, if it never did.
    pub fn moments(&self, wall: Timestamp) -> Option<(u64, u64)> {
        let jumps = self.jumps.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.elapsed();
        let ends = jumps.iter().skip(1).map(|(from, _)| *from).chain([now]);
        let shown = jumps.iter().zip(ends).filter_map(|((from, offset), until)| {
            let at = u64::try_from(wall.as_microsecond() - BEGIN - offset).ok()?;
            // A process may have read the wall right before it jumped.
            let slack = u64::try_from(2 * TAGS).unwrap_or_default();
            (at + slack >= *from && at <= until + slack).then_some(at)
        });
        let shown: Vec<u64> = shown.collect();
        Some((*shown.iter().min()?, *shown.iter().max()?))
    }
}

/// Which process wrote a time.
pub fn tag_of(time: Timestamp) -> i64 {
    time.as_microsecond().rem_euclid(TAGS)
}
