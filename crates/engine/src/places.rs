//! How many operations run at once in this process, and which of those that wait is next.
//!
//! Fair by fabric: the one with the least under way comes first, then the one that was served the longest ago. What
//! stands still, because its cluster or Git server does not answer, or did not the last time, takes places of a second
//! set, so that it can never take all: a fabric that answers finds a place, however many do not.

use model::Code;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::operations::Waiting;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// An operation that makes no progress for this long stands still.
const STILL: Duration = Duration::from_secs(2);

/// The places of one process.
pub(crate) struct Places {
    /// How many operations may be under way, and how many besides may stand still.
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: HashMap<i64, Arc<Place>>,
    /// Fabrics whose cluster or Git server did not answer the last time.
    silent: HashSet<i64>,
    /// When each fabric was served, in turns.
    served: HashMap<i64, u64>,
    turn: u64,
}

/// The place of one operation that runs here.
pub(crate) struct Place {
    fabric_id: i64,
    writes: bool,
    /// Ends the operation, whatever it is doing.
    pub cancel: CancellationToken,
    moved: Mutex<Instant>,
}

impl Place {
    /// It made progress.
    pub fn moves(&self) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn stands_still(&self, now: Instant) -> bool {
        let moved = *self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        now.saturating_duration_since(moved) >= STILL
    }
}

impl Places {
    /// So many places.
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which of those that wait is next; `None` when there is no place for any.
    pub fn next(&self, waiting: &[Waiting], now: Instant) -> Option<Waiting> {
        let state = self.lock();
        let stands = |place: &Place| place.stands_still(now) || state.silent.contains(&place.fabric_id);
        let still = state.running.values().filter(|place| stands(place)).count();
        let under_way = state.running.len() - still;
        let of = |fabric_id: i64| state.running.values().filter(move |place| place.fabric_id == fabric_id);
        let reads = |fabric_id: i64| of(fabric_id).filter(|place| !place.writes).count();
        // Reads stand in no sync's way: only their number is bounded by fabric.
        let most_reads = (self.limit / 8).max(1);
        let fits = |waiting: &&Waiting| {
            let taken = if state.silent.contains(&waiting.fabric_id) { still } else { under_way };
            taken < self.limit && (waiting.writes || reads(waiting.fabric_id) < most_reads)
        };
        let turn = |waiting: &&Waiting| {
            let served = state.served.get(&waiting.fabric_id).copied().unwrap_or_default();
            (of(waiting.fabric_id).count(), served, waiting.id)
        };
        waiting.iter().filter(fits).min_by_key(turn).copied()
    }

    /// An operation begins.
    pub fn take(&self, of: Waiting) -> Arc<Place> {
        let mut state = self.lock();
        state.turn += 1;
        let turn = state.turn;
        state.served.insert(of.fabric_id, turn);
        let moved = Mutex::new(Instant::now());
        let place =
            Arc::new(Place { fabric_id: of.fabric_id, writes: of.writes, cancel: CancellationToken::new(), moved });
        state.running.insert(of.id, place.clone());
        place
    }

    /// An operation is over, and its place free.
    pub fn leave(&self, operation_id: i64) {
        self.lock().running.remove(&operation_id);
    }

    /// How an operation of a fabric ended: whether its cluster and Git server answer.
    pub fn note(&self, fabric_id: i64, code: Option<Code>) {
        let silent = &mut self.lock().silent;
        match code {
            Some(
                Code::ConnectionFailed
                | Code::KubernetesTimeout
                | Code::KubernetesUnavailable
                | Code::SourceTimeout
                | Code::SourceUnreachable
                | Code::DeadlineExceeded,
            ) => {
                silent.insert(fabric_id);
            }
            // What ended it says nothing about them.
            Some(Code::Cancelled | Code::Interrupted | Code::StoreUnavailable) => {}
            _ => {
                silent.remove(&fabric_id);
            }
        }
    }

    /// Forgets a fabric.
    pub fn forget(&self, fabric_id: i64) {
        let mut state = self.lock();
        state.silent.remove(&fabric_id);
        state.served.remove(&fabric_id);
    }

    /// Ends an operation if it runs here.
    pub fn cancel(&self, operation_id: i64) {
        if let Some(place) = self.lock().running.get(&operation_id) {
            place.cancel.cancel();
        }
    }

    /// Whether an operation runs here.
    pub fn runs(&self, operation_id: i64) -> bool {
        self.lock().running.contains_key(&operation_id)
    }

    /// Whether nothing runs here.
    pub fn is_idle(&self) -> bool {
        self.lock().running.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, VecDeque};

    fn read(id: i64, fabric_id: i64) -> Waiting {
        Waiting { id, fabric_id, writes: false }
    }

    fn write(id: i64, fabric_id: i64) -> Waiting {
        Waiting { id, fabric_id, writes: true }
    }

    /// Gives places until none is free, from a queue that shows each fabric's oldest, as the store's does.
    fn fill(places: &Places, queue: &mut VecDeque<Waiting>, now: Instant) -> Vec<Waiting> {
        let mut given = Vec::new();
        loop {
            let mut heads = BTreeMap::new();
            for waiting in queue.iter() {
                heads.entry((waiting.fabric_id, waiting.writes)).or_insert(*waiting);
            }
            let heads: Vec<Waiting> = heads.into_values().collect();
            let Some(next) = places.next(&heads, now) else { return given };
            queue.retain(|waiting| waiting.id != next.id);
            places.take(next);
            given.push(next);
        }
    }

    #[test]
    fn one_fabric_with_a_long_queue_does_not_starve_the_others() {
        let (places, now) = (Places::new(16), Instant::now());
        let mut queue: VecDeque<Waiting> = (0..1000).map(|id| read(id, 1)).collect();
        queue.extend((0..30).map(|n| read(1000 + n, 2 + n % 10)));
        let given = fill(&places, &mut queue, now);
        let of = |fabric: i64| given.iter().filter(|waiting| waiting.fabric_id == fabric).count();
        assert_eq!((of(1), (2..12).map(of).collect::<Vec<_>>()), (2, vec![2, 2, 2, 2, 1, 1, 1, 1, 1, 1]));

        // In the long run, each gets its turn: whoever was served the longest ago.
        let places = Places::new(1);
        let mut queue: VecDeque<Waiting> = (0..50).flat_map(|n| [read(2 * n, 1), read(2 * n + 1, 2)]).collect();
        queue.push_back(write(500, 3));
        let mut order = Vec::new();
        while let [served] = fill(&places, &mut queue, now)[..] {
            places.leave(served.id);
            order.push(served.fabric_id);
        }
        assert_eq!(order[..6], [1, 2, 3, 1, 2, 1], "{order:?}");
        assert_eq!(order.len(), 101);
    }

    #[test]
    fn a_sync_waits_for_no_readings_of_its_own_fabric() {
        let (places, now) = (Places::new(16), Instant::now());
        let mut queue: VecDeque<Waiting> = (0..10).map(|id| read(id, 1)).chain([write(10, 1)]).collect();
        let given = fill(&places, &mut queue, now);
        assert_eq!(given.iter().filter(|waiting| waiting.writes).count(), 1, "{given:?}");
        assert_eq!(given.len(), 3);
    }

    #[test]
    fn what_stands_still_cannot_take_all_places() {
        let (places, start) = (Places::new(4), Instant::now());
        // Sixty fabrics of which nobody knew that they do not answer: they take all places, but not for long.
        let mut queue: VecDeque<Waiting> = (0..60).map(|n| write(n, n)).collect();
        let first = fill(&places, &mut queue, start);
        assert_eq!(first.len(), 4);
        assert_eq!(places.next(&[read(100, 100)], start), None);
        let later = Instant::now() + STILL;
        assert_eq!(places.next(&[read(100, 100)], later), Some(read(100, 100)));
        // They end as they must, and are known from then on: never more than four of them.
        for waiting in first {
            places.leave(waiting.id);
            places.note(waiting.fabric_id, Some(Code::KubernetesTimeout));
        }
        for n in 0..60 {
            places.note(n, Some(Code::ConnectionFailed));
        }
        assert_eq!(fill(&places, &mut queue, later).len(), 4);
        let mut good: VecDeque<Waiting> = (100..110).map(|n| write(n, n)).collect();
        assert_eq!(fill(&places, &mut good, later).len(), 4, "those that answer have their own");
        // One that answers again is like any other.
        places.note(59, None);
        assert_eq!(places.next(&[write(59, 59)], later), None, "its like have no place left at the moment");
        places.leave(100);
        assert_eq!(places.next(&[write(59, 59)], later), Some(write(59, 59)));
    }
}
