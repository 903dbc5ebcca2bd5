//! Whether an automatic sync is due, may begin, and if not, why not and when next.
//!
//! Time is cut into slots of one interval each, which begin at a moment of the fabric's own, so that many fabrics do not
//! march in step. A slot is over with one automatic sync, or with a comparison that found nothing to do. Nothing else
//! moves it: neither a manual sync nor a failure nor a restart.

use super::window::gate;
use super::{Gate, Policy, Suspension, span};
use crate::operation::words;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::Serialize;

words! {
    /// Where a fabric's automatic syncs stand.
    AutomaticState {
        /// The policy has neither an interval nor self-heal.
        Off = "off",
        /// There is no cluster, or sync is switched off.
        Disabled = "disabled",
        /// Another cluster answers than the fabric's own; nothing is written until somebody confirms it.
        ClusterChanged = "cluster_changed",
        /// A person stopped them.
        Suspended = "suspended",
        /// The windows keep them from beginning now.
        Closed = "closed",
        /// One is due.
        Due = "due",
        /// The next one has its time; or self-heal alone waits for something to put right.
        Waiting = "waiting",
    }
}

/// What has to be known of a fabric besides its policy.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// Its id, which says when its slots begin.
    pub fabric_id: i64,
    /// Who stopped it, if somebody did.
    pub suspension: Option<&'a Suspension>,
    /// Whether there is a cluster to write to, and writing is not switched off.
    pub enabled: bool,
    /// Whether the cluster that answers is the fabric's own.
    pub cluster_known: bool,
    /// Since when the policy is what it is: slots that began before do not count.
    pub since: Timestamp,
    /// The beginning of the last slot that is over.
    pub settled: Option<Timestamp>,
}

/// Where a fabric's automatic syncs stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Automatic {
    /// The word.
    pub state: AutomaticState,
    /// When the next one begins, as far as it can be told; in the past when one is due.
    pub next_at: Option<Timestamp>,
    /// The same in one sentence.
    pub sentence: String,
}

impl Policy {
    /// Whether anything happens by itself.
    pub fn is_automatic(&self) -> bool {
        self.sync_interval_seconds.is_some() || self.self_heal
    }

    /// The beginning of the slot that now is in.
    pub fn slot(&self, fabric_id: i64, now: Timestamp) -> Option<Timestamp> {
        let interval = i64::from(self.sync_interval_seconds?.max(1));
        let phase = scattered(fabric_id).rem_euclid(interval);
        let began = (now.as_second() - phase).div_euclid(interval) * interval + phase;
        Timestamp::from_second(began).ok()
    }

    /// The slot for which an automatic sync is due, whether or not it may begin now.
    pub fn due(&self, situation: &Situation<'_>, now: Timestamp) -> Option<Timestamp> {
        let slot = self.slot(situation.fabric_id, now)?;
        // A slot that is still to come was settled by a clock that was ahead. Put right, it does not stop the schedule.
        let is_over = situation.settled.is_some_and(|settled| settled == slot || (settled > slot && settled <= now));
        (slot >= situation.since && !is_over).then_some(slot)
    }

    /// Whether the windows let an automatic sync begin now.
    pub fn gate(&self, now: Timestamp) -> Gate {
        gate(&self.windows, now)
    }

    /// Whether an automatic sync may begin now, apart from whether there is something to do.
    pub fn may_begin(&self, situation: &Situation<'_>, now: Timestamp) -> bool {
        self.is_automatic() && held(situation).is_none() && self.gate(now) == Gate::Open
    }

    /// Where the automatic syncs stand, for pages and scripts.
    pub fn automatic(&self, situation: &Situation<'_>, now: Timestamp) -> Automatic {
        let automatic = |state, next_at, sentence| Automatic { state, next_at, sentence };
        if !self.is_automatic() {
            let sentence = "Nothing happens by itself: people and scripts start every sync.".to_owned();
            return automatic(AutomaticState::Off, None, sentence);
        }
        if let Some((state, sentence)) = held(situation) {
            return automatic(state, None, sentence);
        }
        let due = self.due(situation, now);
        let next = due.or_else(|| {
            let interval = SignedDuration::from_secs(i64::from(self.sync_interval_seconds?));
            self.slot(situation.fabric_id, now)?.checked_add(interval).ok()
        });
        // What is due waits for the windows as they are now; what comes later, as they are then.
        let asked = next.map_or(now, |next| next.max(now));
        match self.gate(asked) {
            Gate::Open => {}
            Gate::Closed { window, opens } => {
                let why = match window {
                    Some(number) => format!("window {} denies it", number + 1),
                    None => "no window that allows is open".to_owned(),
                };
                let (at, when) = match opens {
                    Some((at, zone)) => (Some(at), format!("No automatic sync before {}", moment(at, &zone))),
                    None => (None, "No automatic sync is in sight".to_owned()),
                };
                let state = if self.gate(now) == Gate::Open { AutomaticState::Waiting } else { AutomaticState::Closed };
                return automatic(state, at, format!("{when}: {why}."));
            }
        }
        match (next, due) {
            (Some(at), Some(_)) => automatic(AutomaticState::Due, Some(at), "An automatic sync is due now.".to_owned()),
            (Some(at), None) => {
                let in_words = span(rounded(at.duration_since(now).as_secs()));
                automatic(AutomaticState::Waiting, Some(at), format!("The next automatic sync is in {in_words}."))
            }
            (None, _) => automatic(
                AutomaticState::Waiting,
                None,
                "What is changed in the cluster is put right when it is seen; everything else waits for a person."
                    .to_owned(),
            ),
        }
    }
}

/// What holds all automatic syncs, whatever the hour.
fn held(situation: &Situation<'_>) -> Option<(AutomaticState, String)> {
    if !situation.enabled {
        let sentence = "Nothing is written by itself: the fabric has no cluster, or sync is switched off.";
        return Some((AutomaticState::Disabled, sentence.to_owned()));
    }
    if !situation.cluster_known {
        let sentence = "Nothing is written by itself until somebody confirms the cluster that answers.";
        return Some((AutomaticState::ClusterChanged, sentence.to_owned()));
    }
    let suspension = situation.suspension?;
    let at = moment(suspension.at, "UTC");
    let sentence = format!("Suspended by {} since {at}: {}", suspension.by, suspension.reason);
    Some((AutomaticState::Suspended, sentence))
}

/// `Monday 2026-03-30 08:00 Europe/Berlin`.
pub(super) fn moment(at: Timestamp, zone: &str) -> String {
    let zoned = at.to_zoned(TimeZone::get(zone).unwrap_or(TimeZone::UTC));
    zoned.strftime(&format!("%A %Y-%m-%d %H:%M {zone}")).to_string()
}

/// Seconds as a person says them: whole minutes beyond two, whole hours beyond two.
fn rounded(seconds: i64) -> i64 {
    match seconds {
        s @ ..120 => s.max(1),
        s @ 120..7_200 => (s + 30) / 60 * 60,
        s => (s + 1_800) / 3_600 * 3_600,
    }
}

/// A number that looks nothing like its neighbours', so that the slots of fabrics 1, 2, 3 are far apart.
fn scattered(id: i64) -> i64 {
    let mixed = id.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).cast_signed()
}
