//! Leases by clocks that only go forward. Two questions have their answer here: has another process's operation been
//! silent for its whole lease, as far as this process itself has seen ([`Watch`])? And is an operation of our own
//! certainly still ours ([`Hold`])? No clock on a wall is asked, so one that jumps steals nothing; it only helps to say why
//! a hold has passed.

use crate::ending::in_words;
use crate::events::Event;
use crate::{Error, Shared, noting};
use jiff::Timestamp;
use model::Code;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::operations::HeldLease;
use tokio::time::Instant;

/// How often leases are looked at; a sixth of the lease where that is less.
const LOOK: Duration = Duration::from_secs(2);
/// How often an operation of ours is looked for that somebody asked another process to end.
const CANCELS: Duration = Duration::from_millis(400);

/// What this process has seen of the leases of all operations that run, in whichever process.
#[derive(Default)]
pub(crate) struct Watch {
    state: Mutex<Looks>,
}

#[derive(Default)]
struct Looks {
    seen: HashMap<i64, Seen>,
    last: Option<Instant>,
}

struct Seen {
    owner: String,
    beat: i64,
    /// Since when the counter was seen to stand here.
    since: Instant,
    /// Whether it stood for the whole lease.
    over: bool,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Looks> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reading that began and ended at these times showed these leases. Gives those that have stood still for their
    /// length.
    ///
    /// Only what was watched counts: after a pause in the watching (a database that was gone, a process that was
    /// stopped) the owner gets a whole lease again, because it may have been kept from its heartbeat by the same cause.
    fn saw(&self, leases: Vec<HeldLease>, began: Instant, ended: Instant) -> Vec<HeldLease> {
        let mut looks = self.lock();
        let gap = looks.last.map(|last| began.saturating_duration_since(last));
        looks.last = Some(ended);
        let mut before = std::mem::take(&mut looks.seen);
        let mut dead = Vec::new();
        for lease in leases {
            let watched = gap.is_some_and(|gap| gap <= lease.length / 2);
            let known = before.remove(&lease.operation_id);
            let same = known.filter(|known| watched && known.owner == lease.owner && known.beat == lease.beat);
            let since = same.map_or(ended, |known| known.since);
            let over = began.saturating_duration_since(since) >= lease.length;
            let seen = Seen { owner: lease.owner.clone(), beat: lease.beat, since, over };
            looks.seen.insert(lease.operation_id, seen);
            if over {
                dead.push(lease);
            }
        }
        dead
    }

    /// Whether the process that runs an operation is believed to live. True until the contrary was seen.
    pub fn holds(&self, operation_id: i64) -> bool {
        self.lock().seen.get(&operation_id).is_none_or(|seen| !seen.over)
    }
}

/// The lease of an operation of our own: how long it is certainly ours.
pub(crate) struct Hold {
    length: Duration,
    beats: Mutex<Beats>,
}

/// The heartbeats of an operation of our own, by when each was sent.
#[derive(Clone, Copy)]
struct Beats {
    /// The last one that was stored.
    stored: Instant,
    /// What the clock on the wall showed then.
    stored_at: Timestamp,
    /// The last one that was sent while the lease was certainly ours.
    sent: Instant,
}

impl Hold {
    /// A lease of this length that was asked for at this moment, which is before it was given; `at` is the same by the
    /// clock on the wall.
    pub fn new(length: Duration, asked: Instant, at: Timestamp) -> Self {
        Self { length, beats: Mutex::new(Beats { stored: asked, stored_at: at, sent: asked }) }
    }

    fn beats(&self) -> MutexGuard<'_, Beats> {
        self.beats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A heartbeat is sent at this moment.
    pub fn beat(&self, asked: Instant) {
        let until = self.until();
        let mut beats = self.beats();
        if asked < until {
            beats.sent = asked;
        }
    }

    /// A heartbeat was stored that was sent at this moment; `at` is the same by the clock on the wall.
    pub fn renew(&self, asked: Instant, at: Timestamp) {
        let mut beats = self.beats();
        (beats.stored, beats.stored_at) = (asked, at);
    }

    /// Why it does not stand any more at `now`, as far as this process can tell: the machine was suspended, a heartbeat
    /// was sent in time and not stored, or none was sent, because the process stood still.
    pub fn why_passed(&self, now: Timestamp) -> String {
        self.why_passed_at(Instant::now(), now)
    }

    fn why_passed_at(&self, moment: Instant, now: Timestamp) -> String {
        let beats = *self.beats();
        if let Some(leap) = self.leap(&beats, moment, now) {
            format!(
                "This machine stood still for about {} (it was suspended), or its clock was set ahead, and the database \
                 took no heartbeat of this operation after that",
                in_words(leap)
            )
        } else if beats.sent > beats.stored {
            "The database did not take this operation's heartbeat in time".to_owned()
        } else {
            "This operation's heartbeat was not sent in time, because the process stood still (a machine that was \
             suspended, or has too much to do)"
                .to_owned()
        }
    }

    /// How much further the clock on the wall went since the last stored heartbeat than the one that only goes forward,
    /// which stands still while the machine is suspended. Less than what the lease has to spare is a clock that is set
    /// right.
    fn leap(&self, beats: &Beats, moment: Instant, now: Timestamp) -> Option<Duration> {
        let by_wall = Duration::try_from(now.duration_since(beats.stored_at)).ok()?;
        let leap = by_wall.checked_sub(moment.saturating_duration_since(beats.stored))?;
        (leap >= self.length / 3).then_some(leap)
    }

    /// Until when nobody else can have taken over, with a third of the lease to spare for what is on its way.
    fn until(&self) -> Instant {
        self.beats().stored + self.length * 2 / 3
    }

    /// Whether it is certainly still ours.
    pub fn stands(&self) -> bool {
        Instant::now() < self.until()
    }

    /// Returns when it no longer is.
    pub async fn passed(&self) {
        while self.stands() {
            tokio::time::sleep_until(self.until()).await;
        }
    }
}

/// Looks for operations whose process died, and for those of ours that somebody asked another process to end, until
/// the engine stops.
pub(crate) async fn serve(shared: Arc<Shared>) {
    let look = LOOK.min(shared.settings.lease / 6);
    let died = async {
        loop {
            // That the database is away is said where it is noticed, once.
            if let Err(e) = release(&shared).await
                && e.code != Code::StoreUnavailable
            {
                tracing::warn!(error = %e, "the leases could not be read; trying again");
            }
            tokio::time::sleep(look).await;
        }
    };
    let told = async {
        loop {
            tokio::time::sleep(CANCELS).await;
            if !shared.places.is_idle() {
                hear(&shared).await;
            }
        }
    };
    tokio::select! {
        () = shared.stopping.cancelled() => {}
        () = died => {}
        () = told => {}
    }
}

/// Ends the operations whose process has been silent for a whole lease.
async fn release(shared: &Shared) -> Result<(), Error> {
    let began = Instant::now();
    let leases = shared.store.operations().leases().await?;
    let dead = shared.leases.saw(leases, began, Instant::now());
    // An operation that runs here is ended here; its own hold keeps it from going on too long.
    for lease in dead.into_iter().filter(|lease| !shared.places.runs(lease.operation_id)) {
        if let Some(operation) = shared.store.operations().interrupt(&lease, shared.now()).await? {
            noting::operation_ended(&operation, operation.state, shared.now());
            tracing::warn!(operation = operation.id, fabric = operation.fabric_id, owner = %lease.owner,
                request_id = %operation.request_id, "its process did not renew its lease; the operation was interrupted");
            shared.events.send(operation.fabric_id, Event::Operation { id: operation.id });
            shared.schedule.now(operation.fabric_id);
            shared.wake.notify_one();
        }
    }
    Ok(())
}

/// Passes on what was asked of another process. A reading that fails is made again in a moment.
async fn hear(shared: &Shared) {
    let operations = shared.store.operations();
    let asked = operations.told_to_end(&shared.lease.owner);
    let Ok(Ok(told)) = tokio::time::timeout(shared.settings.lease / 3, asked).await else { return };
    for (id, by) in told {
        shared.cancel_here(id, &by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(12);

    fn lease(beat: i64) -> HeldLease {
        HeldLease { operation_id: 7, fabric_id: 1, owner: "other".into(), beat, length: LEASE }
    }

    /// What is dead at each of these seconds, when the row shows these counters.
    fn dead(watch: &Watch, start: Instant, looks: &[(u64, i64)]) -> Vec<u64> {
        let look = |(second, beat): &(u64, i64)| {
            let at = start + Duration::from_secs(*second);
            (!watch.saw(vec![lease(*beat)], at, at).is_empty()).then_some(*second)
        };
        looks.iter().filter_map(look).collect()
    }

    #[test]
    fn a_lease_is_over_when_it_was_seen_to_stand_still_for_its_whole_length() {
        let (watch, start) = (Watch::default(), Instant::now());
        // It lives, then it is silent: the twelve seconds count from the first look that showed its last heartbeat.
        let living: Vec<(u64, i64)> = (0..10).map(|i| (i * 2, i64::try_from(i).unwrap())).collect();
        assert_eq!(dead(&watch, start, &living), [0; 0]);
        assert!(watch.holds(7));
        let silent: Vec<(u64, i64)> = (10..20).map(|i| (i * 2, 9)).collect();
        assert_eq!(dead(&watch, start, &silent), [30, 32, 34, 36, 38]);
        assert!(!watch.holds(7));
        assert_eq!(dead(&watch, start, &[(40, 10)]), [0; 0], "it has come back");
        assert!(watch.holds(7));
    }

    #[test]
    fn what_was_not_watched_does_not_count() {
        let (watch, start) = (Watch::default(), Instant::now());
        // The database was gone for a minute, for its owner as well.
        assert_eq!(dead(&watch, start, &[(0, 1), (2, 1), (62, 1), (64, 1), (68, 1), (72, 1)]), [0; 0]);
        assert_eq!(dead(&watch, start, &[(74, 1)]), [74]);
    }

    #[test]
    fn another_owner_begins_a_lease_of_its_own() {
        let (watch, start) = (Watch::default(), Instant::now());
        assert_eq!(dead(&watch, start, &[(0, 1), (4, 1), (8, 1)]), [0; 0]);
        let at = start + LEASE;
        assert_eq!(watch.saw(vec![HeldLease { owner: "third".into(), ..lease(1) }], at, at), []);
    }

    /// What the clock on the wall shows so many seconds after the lease was given.
    fn wall(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[tokio::test]
    async fn a_hold_ends_well_before_anybody_else_may_begin() {
        let start = Instant::now();
        let hold = Hold::new(LEASE, start, wall(0));
        assert_eq!(hold.until(), start + Duration::from_secs(8));
        hold.renew(start + Duration::from_secs(5), wall(5));
        assert_eq!(hold.until(), start + Duration::from_secs(13), "from the moment in which the heartbeat was sent");
        assert!(hold.stands());
        hold.renew(start.checked_sub(LEASE).unwrap(), wall(-12));
        assert!(!hold.stands());
        hold.passed().await;
    }

    #[test]
    fn a_hold_that_passed_says_whether_the_database_or_the_process_stood_still() {
        let start = Instant::now();
        let hold = Hold::new(LEASE, start, wall(0));
        let why = || hold.why_passed_at(start + LEASE * 2, wall(24));
        assert!(why().contains("was not sent in time"));
        // One that leaves when it is too late says nothing of the database.
        hold.beat(start + LEASE);
        assert!(why().contains("was not sent in time"));
        hold.beat(start + LEASE / 4);
        assert!(why().starts_with("The database did not take"));
        hold.renew(start + LEASE / 4, wall(3));
        assert!(why().contains("was not sent in time"));
    }

    #[test]
    fn a_machine_that_was_suspended_is_told_from_a_database_that_does_not_answer() {
        let start = Instant::now();
        let hold = Hold::new(LEASE, start, wall(0));
        hold.renew(start + LEASE / 4, wall(3));
        hold.beat(start + LEASE / 2);
        // Eight seconds later by the clock that stood still meanwhile.
        let why = |seconds| hold.why_passed_at(start + Duration::from_secs(11), wall(seconds));
        let suspended = "This machine stood still for about 61 min (it was suspended), or its clock was set ahead, and the \
                         database took no heartbeat of this operation after that";
        assert_eq!(why(11 + 61 * 60), suspended);
        assert!(why(11 + 4).starts_with("This machine stood still for about 4.0 s"));
        // A clock that is set right by a little, or set back, is none.
        for seconds in [11, 11 + 3, 11 - 3, 11 - 3600] {
            assert!(why(seconds).starts_with("The database did not take"), "{seconds}");
        }
        // What was before the last heartbeat that was stored does not matter.
        hold.renew(start + LEASE / 2, wall(6 + 3600));
        assert!(why(11 + 3600).contains("was not sent in time"));
    }
}
