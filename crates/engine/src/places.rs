//! How many operations run at once in this process, and which of those that wait is next.
//!
//! Fair by fabric: the one with the least under way comes first, then the one that was served the longest ago; of those
//! that wait, fabrics that answered the last time come before those that nobody has heard of, but for every fourth place,
//! so that none starves. What stands still, because its cluster or Git server does not answer, or did not the last time,
//! takes places of a second set, so that it can never take all: a fabric that answers finds a place, however many do not.

use crate::schedule::is_silent;
use model::Code;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::operations::Waiting;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// An operation that makes no progress for this long stands still.
const STILL: Duration = Duration::from_secs(2);

/// As many times more may stand still: that costs a connection and a deadline, and who recovers must not wait for those
/// that do not.
const STILL_FOR_EACH: usize = 2;
/// Each so many-th place goes to whoever was served the longest ago, whatever is known of it.
const EVERYBODY: u64 = 4;
/// One part in so many of the places is only for fabrics that answered the last time.
const KEPT: usize = 4;

/// The places of one process.
pub(crate) struct Places {
    /// How many operations may be under way.
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: HashMap<i64, Arc<Place>>,
    /// Of each fabric that was asked for anything, whether its cluster and Git server answered the last time.
    answered: HashMap<i64, bool>,
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

impl State {
    fn answers(&self, fabric_id: i64) -> bool {
        self.answered.get(&fabric_id) == Some(&true)
    }

    fn is_silent(&self, fabric_id: i64) -> bool {
        self.answered.get(&fabric_id) == Some(&false)
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
        let stands = |place: &Place| place.stands_still(now) || state.is_silent(place.fabric_id);
        let still = state.running.values().filter(|place| stands(place)).count();
        let under_way = state.running.len() - still;
        let untried = state.running.values().filter(|place| !stands(place) && !state.answers(place.fabric_id)).count();
        let of = |fabric_id: i64| state.running.values().filter(move |place| place.fabric_id == fabric_id);
        let reads = |fabric_id: i64| of(fabric_id).filter(|place| !place.writes).count();
        // Reads stand in no sync's way: only their number is bounded by fabric.
        let most_reads = (self.limit / 8).max(1);
        let has_place = |fabric_id: i64| match state.answered.get(&fabric_id) {
            Some(false) => still < self.limit * STILL_FOR_EACH,
            Some(true) => under_way < self.limit,
            None => under_way < self.limit && untried < self.limit - self.limit / KEPT,
        };
        let fits = |waiting: &&Waiting| {
            has_place(waiting.fabric_id) && (waiting.writes || reads(waiting.fabric_id) < most_reads)
        };
        let is_for_everybody = state.turn % EVERYBODY == EVERYBODY - 1;
        let turn = |waiting: &&Waiting| {
            let served = state.served.get(&waiting.fabric_id).copied().unwrap_or_default();
            let later = !is_for_everybody && !state.answers(waiting.fabric_id);
            (of(waiting.fabric_id).count(), later, served, waiting.id)
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

    /// What came of an operation or a comparison of a fabric: it says whether its cluster and Git server answer.
    pub fn note(&self, fabric_id: i64, code: Option<Code>) {
        let answered = match code {
            // What ended it says nothing about them.
            Some(Code::Cancelled | Code::Interrupted | Code::StoreUnavailable) => return,
            Some(code) => code != Code::DeadlineExceeded && !is_silent(code),
            None => true,
        };
        self.lock().answered.insert(fabric_id, answered);
    }

    /// Whether a fabric's cluster or Git server did not answer the last time.
    pub fn is_silent(&self, fabric_id: i64) -> bool {
        self.lock().is_silent(fabric_id)
    }

    /// Forgets a fabric: it is gone, or its settings are others now.
    pub fn forget(&self, fabric_id: i64) {
        let mut state = self.lock();
        state.answered.remove(&fabric_id);
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
        (1..12).for_each(|fabric| places.note(fabric, None));
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
        // Sixty fabrics of which nobody knew that they do not answer: they take most places, but not for long.
        let mut queue: VecDeque<Waiting> = (0..60).map(|n| write(n, n)).collect();
        let first = fill(&places, &mut queue, start);
        assert_eq!(first.len(), 3);
        assert_eq!(places.next(&[read(100, 100)], start), None);
        let later = Instant::now() + STILL;
        assert_eq!(places.next(&[read(100, 100)], later), Some(read(100, 100)));
        // They end as they must, and are known from then on: they take no place of those that answer.
        for waiting in first {
            places.leave(waiting.id);
            places.note(waiting.fabric_id, Some(Code::KubernetesTimeout));
        }
        for n in 0..60 {
            places.note(n, Some(Code::ConnectionFailed));
        }
        assert_eq!(fill(&places, &mut queue, later).len(), 4 * STILL_FOR_EACH);
        (100..110).for_each(|n| places.note(n, None));
        let mut good: VecDeque<Waiting> = (100..110).map(|n| write(n, n)).collect();
        assert_eq!(fill(&places, &mut good, later).len(), 4, "those that answer have their own");
        // One that answers again is like any other.
        places.note(59, None);
        assert_eq!(places.next(&[write(59, 59)], later), None, "its like have no place left at the moment");
        places.leave(100);
        assert_eq!(places.next(&[write(59, 59)], later), Some(write(59, 59)));
    }

    #[test]
    fn who_answered_the_last_time_does_not_wait_for_those_that_nobody_has_heard_of() {
        let (places, now) = (Places::new(8), Instant::now());
        places.note(100, None);
        places.note(101, None);
        // Sixty that may hang, all of them before it in the queue. They leave it a place, also when they came first.
        let mut queue: VecDeque<Waiting> = (0..60).map(|n| write(n, n)).collect();
        assert_eq!(fill(&places, &mut queue, now).len(), 6);
        queue.push_back(write(100, 100));
        assert_eq!(fill(&places, &mut queue, now), [write(100, 100)]);
        // A second one that answers comes before the rest of them, too.
        queue.push_back(write(101, 101));
        assert_eq!(fill(&places, &mut queue, now), [write(101, 101)]);
        places.leave(100);
        queue.push_back(write(102, 100));
        assert_eq!(fill(&places, &mut queue, now), [write(102, 100)]);
    }

    #[test]
    fn nobody_starves_while_those_that_answer_never_rest() {
        let (places, now) = (Places::new(1), Instant::now());
        (0..20).for_each(|n| places.note(n, None));
        // Twenty that answer and always want something, and five of which nothing is known.
        let mut waiting: Vec<Waiting> = (0..25).map(|n| write(n, n)).collect();
        let mut order = Vec::new();
        for id in 100..160 {
            let next = places.next(&waiting, now).unwrap();
            waiting.retain(|other| other.id != next.id);
            places.take(next);
            places.leave(next.id);
            order.push(next.fabric_id);
            if next.fabric_id < 20 {
                waiting.push(write(id, next.fabric_id));
            }
        }
        let untried: Vec<usize> = (20..25).filter_map(|n| order.iter().position(|served| *served == n)).collect();
        assert_eq!(untried.len(), 5, "each of them was served: {order:?}");
        assert!((0..20).all(|n| order.contains(&n)), "and of the others each: {order:?}");
    }

    #[test]
    fn who_recovers_is_served_before_long_though_nobody_has_noticed_yet() {
        let (places, start) = (Places::new(4), Instant::now());
        (0..60).for_each(|n| places.note(n, Some(Code::KubernetesTimeout)));
        // Each of them wants something all the time, and takes ten seconds to fail. Number 59 would answer.
        let mut waiting: Vec<Waiting> = (0..60).map(|n| write(n, n)).collect();
        let mut ends: Vec<(u64, Waiting)> = Vec::new();
        let served = (0..600).find(|second| {
            let now = start + Duration::from_secs(*second);
            ends.retain(|(at, done)| {
                if at <= second {
                    places.leave(done.id);
                    waiting.push(*done);
                }
                at > second
            });
            while let Some(next) = places.next(&waiting, now) {
                waiting.retain(|other| other.id != next.id);
                places.take(next);
                if next.fabric_id == 59 {
                    return true;
                }
                ends.push((second + 10, next));
            }
            false
        });
        // Fifty-nine before it, eight at once, ten seconds each.
        assert!(served.is_some_and(|second| second <= 80), "{served:?}");
    }
}
