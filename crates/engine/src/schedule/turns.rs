//! Whose turn it is to be compared: the longest overdue first, so many at once, and those whose cluster did not answer in
//! a small lane of their own, so that however many hang, the others keep their interval. Pure: whoever calls brings the
//! time.

use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

/// How long a comparison holds one of the places. One that takes longer waits for its cluster: that costs a connection
/// and nothing else, so it goes on without a place, and ends at its own limit.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause of a fabric whose cluster did not answer, as a multiple of the interval: once, twice, three times in a row,
/// more often. A short outage is over at the usual pace.
const PAUSES: [u32; 4] = [1, 1, 2, 4];

/// How much may be done at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Time between two comparisons of a fabric.
    pub interval: Duration,
    /// Comparisons that work at once.
    pub parallel: usize,
    /// Comparisons at once of fabrics whose cluster did not answer the last time.
    pub doubtful: usize,
}

/// When each fabric is compared next, and which are being compared now.
#[derive(Debug, Default)]
pub(super) struct Turns {
    fabrics: HashMap<i64, Place>,
}

#[derive(Debug)]
struct Place {
    /// Once an interval.
    regular: Instant,
    /// Besides, each time once.
    extra: Vec<Instant>,
    /// How often in a row its cluster did not answer.
    misses: u32,
    under_way: Option<UnderWay>,
    /// Its fabric was deleted while it was compared: what works still counts until it has ended.
    is_gone: bool,
}

#[derive(Debug, Clone, Copy)]
struct UnderWay {
    since: Instant,
    doubtful: bool,
}

impl Place {
    fn new(regular: Instant) -> Self {
        Self { regular, extra: Vec::new(), misses: 0, under_way: None, is_gone: false }
    }

    /// Since when it is due.
    fn due(&self) -> Instant {
        self.extra.iter().copied().fold(self.regular, Instant::min)
    }
}

impl Turns {
    /// Somebody wants to know: besides the regular ones at these moments, and in place of those that were asked for
    /// before. The last press says how long to follow.
    pub fn ask(&mut self, id: i64, moments: impl Iterator<Item = Instant>, now: Instant) {
        let place = self.fabrics.entry(id).or_insert_with(|| Place::new(now));
        place.extra = moments.collect();
        // Settings may have been put right, or a sync just reached the cluster: the doubt is out of date.
        place.misses = 0;
    }

    /// Once more at this moment, unless its cluster is one that does not answer: that keeps its pauses.
    pub fn once_more(&mut self, id: i64, moment: Instant, now: Instant) {
        let place = self.fabrics.entry(id).or_insert_with(|| Place::new(now));
        let near = |known: &Instant| known.max(&moment).duration_since(*known.min(&moment)) < Duration::from_secs(1);
        if place.misses == 0 && !place.extra.iter().any(near) {
            place.extra.push(moment);
        }
    }

    /// Forgets a fabric; one that is being compared is forgotten when that has ended.
    pub fn forget(&mut self, id: i64) {
        match self.fabrics.get_mut(&id) {
            Some(place) if place.under_way.is_some() => place.is_gone = true,
            _ => drop(self.fabrics.remove(&id)),
        }
    }

    /// Forgets all others.
    pub fn keep(&mut self, ids: &HashSet<i64>) {
        self.fabrics.retain(|id, place| ids.contains(id) || place.under_way.is_some());
    }

    /// Gives each fabric that begins its comparison now. Whoever gets one calls [`Self::done`] when it has ended.
    pub fn take(&mut self, ids: &[i64], limits: &Limits, now: Instant) -> Vec<i64> {
        for id in ids {
            // The first look at a fabric comes within a few seconds, spread by its id.
            let spread = Duration::from_millis(u64::try_from(id.rem_euclid(20)).unwrap_or(0) * 100);
            self.fabrics.entry(*id).or_insert_with(|| Place::new(now + spread));
        }
        let under_way = || self.fabrics.values().filter_map(|place| place.under_way);
        let working = under_way().filter(|way| !way.doubtful && now.duration_since(way.since) < PATIENCE).count();
        let mut places = limits.parallel.max(1).saturating_sub(working);
        let mut doubtful = limits.doubtful.max(1).saturating_sub(under_way().filter(|way| way.doubtful).count());
        let is_due = |id: &&i64| self.fabrics.get(id).is_some_and(|p| p.under_way.is_none() && p.due() <= now);
        let mut due: Vec<i64> = ids.iter().filter(is_due).copied().collect();
        due.sort_by_key(|id| (self.fabrics.get(id).map(Place::due), *id));
        let mut begun = Vec::new();
        for id in due {
            let Some(place) = self.fabrics.get_mut(&id) else { continue };
            let lane = if place.misses > 0 { &mut doubtful } else { &mut places };
            if *lane == 0 {
                continue;
            }
            *lane -= 1;
            place.under_way = Some(UnderWay { since: now, doubtful: place.misses > 0 });
            place.extra.retain(|at| *at > now);
            // A tenth of jitter by id keeps many fabrics from marching in step.
            let tenth = f64::from(u8::try_from(id.rem_euclid(10)).unwrap_or(0)) / 10.0;
            place.regular = now + limits.interval - limits.interval.mul_f64(0.1 * tenth);
            begun.push(id);
        }
        begun
    }

    /// A comparison has ended; `answered` says whether the cluster did.
    pub fn done(&mut self, id: i64, answered: bool, limits: &Limits, now: Instant) {
        let Some(place) = self.fabrics.get_mut(&id) else { return };
        if place.is_gone {
            self.fabrics.remove(&id);
            return;
        }
        place.under_way = None;
        if answered {
            place.misses = 0;
            return;
        }
        let pause = limits.interval * PAUSES[PAUSES.len().min(place.misses as usize + 1) - 1];
        place.misses += 1;
        place.regular = place.regular.max(now + pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const LIMITS: Limits = Limits { interval: MINUTE, parallel: 8, doubtful: 16 };

    /// How often a fabric is compared within a time, when each comparison takes no time.
    fn times(turns: &mut Turns, from: Instant, seconds: u64) -> usize {
        let mut began = |second: u64| {
            let now = from + Duration::from_secs(second);
            let due = !turns.take(&[7], &LIMITS, now).is_empty();
            turns.done(7, true, &LIMITS, now);
            due
        };
        (0..seconds).filter(|second| began(*second)).count()
    }

    fn after(now: Instant, seconds: &[u64]) -> impl Iterator<Item = Instant> {
        seconds.iter().map(move |s| now + Duration::from_secs(*s))
    }

    #[test]
    fn once_an_interval_and_closer_only_for_a_while_after_each_sync() {
        let (mut turns, start) = (Turns::default(), Instant::now());
        let quiet = times(&mut turns, start, 600);
        assert!((10..=11).contains(&quiet), "{quiet} comparisons in ten minutes");
        let mut from = start + 10 * MINUTE;
        for sync in 0..20 {
            turns.ask(7, after(from, &crate::schedule::AFTER_SYNC), from);
            let after = times(&mut turns, from, 120);
            assert!((5..=8).contains(&after), "{after} in the two minutes after sync {sync}");
            from += 2 * MINUTE;
        }
        let quiet = times(&mut turns, from, 600);
        assert!((10..=11).contains(&quiet), "{quiet} comparisons in ten minutes, long after the last sync");
    }

    #[test]
    fn one_at_a_time() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        turns.ask(7, after(now, &[0]), now);
        assert_eq!(turns.take(&[7], &LIMITS, now), [7]);
        turns.ask(7, after(now, &[0]), now);
        assert!(turns.take(&[7], &LIMITS, now).is_empty(), "one is under way");
        turns.done(7, true, &LIMITS, now);
        assert_eq!(turns.take(&[7], &LIMITS, now), [7], "what was asked for meanwhile comes after it");
    }

    #[test]
    fn a_deleted_fabric_is_forgotten_also_while_it_is_compared() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        turns.ask(7, after(now, &[0]), now);
        assert_eq!(turns.take(&[7], &LIMITS, now), [7]);
        turns.keep(&HashSet::new());
        turns.done(7, true, &LIMITS, now);
        turns.keep(&HashSet::new());
        assert!(turns.fabrics.is_empty());
        turns.ask(8, after(now, &[0]), now);
        turns.forget(8);
        turns.done(8, false, &LIMITS, now);
        assert!(turns.fabrics.is_empty());
        // What works still takes its place, so that no more than the limit does.
        let one = Limits { parallel: 1, ..LIMITS };
        turns.ask(9, after(now, &[0]), now);
        turns.ask(10, after(now, &[0]), now);
        assert_eq!(turns.take(&[9], &one, now), [9]);
        turns.forget(9);
        assert!(turns.take(&[10], &one, now).is_empty(), "9 is still being compared");
        turns.done(9, true, &one, now);
        assert_eq!(turns.take(&[10], &one, now), [10]);
        assert!(!turns.fabrics.contains_key(&9));
    }

    #[test]
    fn the_longest_overdue_comes_first() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        for (id, seconds) in [(1, 3), (2, 1), (3, 2)] {
            turns.ask(id, after(now, &[seconds]), now);
        }
        let one = Limits { parallel: 1, ..LIMITS };
        turns.fabrics.values_mut().for_each(|place| place.regular = now + MINUTE);
        let later = now + Duration::from_secs(10);
        let mut order = Vec::new();
        for _ in 0..3 {
            let began = turns.take(&[1, 2, 3], &one, later);
            began.iter().for_each(|id| turns.done(*id, true, &one, later));
            order.extend(began);
        }
        assert_eq!(order, [2, 3, 1]);
    }

    /// Two hundred fabrics, each second as the engine would: those from `hanging` on accept and never answer, and are
    /// given up after a minute; of the others each takes a second. Gives the times at which each began.
    fn run(turns: &mut Turns, hanging: i64, start: Instant, seconds: u64) -> HashMap<i64, Vec<u64>> {
        let ids: Vec<i64> = (1..=200).collect();
        let mut ends: Vec<(u64, i64)> = Vec::new();
        let mut began: HashMap<i64, Vec<u64>> = HashMap::new();
        for second in 0..seconds {
            let now = start + Duration::from_secs(second);
            ends.retain(|(at, id)| {
                if *at <= second {
                    turns.done(*id, *id < hanging, &LIMITS, now);
                }
                *at > second
            });
            for id in turns.take(&ids, &LIMITS, now) {
                began.entry(id).or_default().push(second);
                ends.push((second + if id < hanging { 1 } else { 60 }, id));
            }
            let doubtful = turns.fabrics.values().filter(|p| p.under_way.is_some_and(|way| way.doubtful)).count();
            let working = turns
                .fabrics
                .values()
                .filter(|p| p.under_way.is_some_and(|way| !way.doubtful && now.duration_since(way.since) < PATIENCE));
            assert!(doubtful <= LIMITS.doubtful && working.count() <= LIMITS.parallel, "the limits hold at {second} s");
        }
        began
    }

    #[test]
    fn of_two_hundred_fabrics_each_healthy_one_keeps_its_interval_while_a_hundred_and_fifty_hang() {
        let (mut turns, start) = (Turns::default(), Instant::now());
        let began = run(&mut turns, 51, start, 1_800);
        for id in 1..=50 {
            let times = &began[&id];
            assert!(times[0] <= 60, "fabric {id} was first compared after {} s", times[0]);
            let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(u64::MAX);
            assert!(longest <= 75, "fabric {id} waited {longest} s for a comparison: {times:?}");
            assert!(times.len() >= 26, "fabric {id} was compared {} times in half an hour", times.len());
        }
        for id in 51..=200 {
            let times = &began[&id];
            let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(u64::MAX);
            assert!((2..=12).contains(&times.len()), "fabric {id}, which hangs, was tried {} times", times.len());
            assert!(longest <= 720, "fabric {id} was left alone for {longest} s");
        }
        // All answer again: within two rounds of the small lane each is back at its interval.
        let later = start + Duration::from_secs(1_860);
        (1..=200).for_each(|id| turns.done(id, id < 51, &LIMITS, later));
        let began = run(&mut turns, 201, later, 900);
        for (id, times) in &began {
            let since: Vec<&u64> = times.iter().filter(|second| **second >= 300).collect();
            assert!(since.len() >= 9, "fabric {id} was compared {} times in ten minutes", since.len());
        }
        assert_eq!(began.len(), 200);
    }

    #[test]
    fn who_asks_is_not_kept_waiting_by_an_old_doubt() {
        let (mut turns, mut now) = (Turns::default(), Instant::now());
        for _ in 0..6 {
            turns.ask(7, after(now, &[0]), now);
            assert_eq!(turns.take(&[7], &LIMITS, now), [7]);
            turns.done(7, false, &LIMITS, now);
        }
        now += Duration::from_secs(1);
        turns.once_more(7, now, now);
        assert!(turns.take(&[7], &LIMITS, now).is_empty(), "a slot of automatic syncs keeps to the pauses");
        turns.ask(7, after(now, &[0]), now);
        assert_eq!(turns.take(&[7], &LIMITS, now), [7]);
    }
}
