//! Self-heal against another writer: how long to wait before the same object is put right again, and when to say that
//! two are fighting over it. Worked out from the heals that were begun, which the store keeps.

use super::span;
use crate::ObjectKey;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;

/// So many heals in a row are a fight.
const FIGHT: usize = 4;
/// The pause after the first heal; it doubles with each.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(5);
/// The pause once it is a fight; it doubles with each further heal.
const FIGHT_PAUSE: SignedDuration = SignedDuration::from_mins(15);
/// The longest pause.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(4);
/// An object that was left alone for so long, or for twice the last pause, starts from new.
const CALM: SignedDuration = SignedDuration::from_mins(10);

/// How long heals have to be remembered for [`Patience`] to be right.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// One field that self-heal set out to put right, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heal {
    /// Of which object.
    pub object: ObjectKey,
    /// The path of the field; empty when the object itself was gone.
    pub field: String,
    /// The field manager that had changed it; empty when that is not known.
    pub manager: String,
    /// When.
    pub at: Timestamp,
}

/// Somebody else writes what self-heal writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fight {
    /// Which object.
    pub object: ObjectKey,
    /// The field that was put right most often; empty when the object itself was deleted.
    pub field: String,
    /// The field manager that changed it most often; empty when that is not known.
    pub manager: String,
    /// How often it was put right in a row.
    pub times: usize,
    /// When that began.
    pub since: Timestamp,
    /// Until when self-heal leaves the object alone.
    pub until: Timestamp,
}

impl Fight {
    /// The same in one sentence.
    pub fn sentence(&self) -> String {
        let of = format!("{} {}", self.object.kind, self.object.name);
        let who = if self.manager.is_empty() { "Somebody" } else { &self.manager };
        let did = if self.field.is_empty() { format!("deleted {of}") } else { format!("set {} of {of}", self.field) };
        let last = self.until.checked_sub(pause(self.times)).unwrap_or(self.since);
        let minutes = last.duration_since(self.since).as_secs().max(1);
        format!(
            "{who} has {did} {} times in {}; self-heal waits until {} UTC.",
            self.times,
            span((minutes + 59) / 60 * 60),
            self.until.strftime("%H:%M")
        )
    }
}

/// How self-heal stands to one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patience {
    /// It is left alone until then; in the past when it may be put right now.
    pub until: Option<Timestamp>,
    /// How often it was put right in a row.
    pub times: usize,
    /// Since when.
    pub since: Option<Timestamp>,
    /// The fight, when there is one and its pause is not over.
    pub fight: Option<Fight>,
}

impl Patience {
    /// Whether the object may be put right now.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// How self-heal stands to an object, from its heals in any order.
    pub fn of(object: &ObjectKey, heals: &[Heal], now: Timestamp) -> Self {
        let mut times: Vec<Timestamp> = heals.iter().filter(|h| h.object == *object).map(|h| h.at).collect();
        times.sort_unstable();
        times.dedup();
        // Those in a row: each begun before the object had been left alone for long enough.
        let mut row: Vec<Timestamp> = Vec::new();
        for at in times.into_iter().chain([now]) {
            if row.last().is_some_and(|last| at.duration_since(*last) > calm(row.len())) {
                row.clear();
            }
            row.push(at);
        }
        row.pop();
        let (Some(first), Some(last)) = (row.first().copied(), row.last().copied()) else {
            return Self { until: None, times: 0, since: None, fight: None };
        };
        let until = last.checked_add(pause(row.len())).unwrap_or(Timestamp::MAX);
        let is_fight = row.len() >= FIGHT && until > now;
        let fight = is_fight.then(|| {
            let of_row = |h: &&Heal| h.object == *object && h.at >= first;
            let most = |word: fn(&Heal) -> &str| most(heals.iter().filter(of_row).map(word));
            Fight {
                object: object.clone(),
                field: most(|h| &h.field),
                manager: most(|h| &h.manager),
                times: row.len(),
                since: first,
                until,
            }
        });
        Self { until: Some(until), times: row.len(), since: Some(first), fight }
    }
}

/// Every fight that goes on, of all objects.
pub fn fights(heals: &[Heal], now: Timestamp) -> Vec<Fight> {
    let objects: std::collections::BTreeSet<&ObjectKey> = heals.iter().map(|heal| &heal.object).collect();
    objects.into_iter().filter_map(|object| Patience::of(object, heals, now).fight).collect()
}

/// An object that self-heal leaves alone for now, whether or not that is called a fight yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftAlone {
    /// Which object.
    pub object: ObjectKey,
    /// The field manager that changed it most often; empty when that is not known.
    pub manager: String,
    /// How often it was put right in a row.
    pub times: usize,
    /// Until when.
    pub until: Timestamp,
}

impl LeftAlone {
    /// The same in one sentence.
    pub fn sentence(&self) -> String {
        let who = if self.manager.is_empty() { "somebody" } else { &self.manager };
        let row = match self.times {
            1 => format!("it was put right once, and {who} has changed it before"),
            times => format!("it was put right {times} times, and {who} keeps changing it"),
        };
        format!(
            "{} {} is left alone until {} UTC: {row}.",
            self.object.kind,
            self.object.name,
            self.until.strftime("%H:%M:%S"),
        )
    }
}

/// Every object whose pause is not over.
pub fn left_alone(heals: &[Heal], now: Timestamp) -> Vec<LeftAlone> {
    let objects: std::collections::BTreeSet<&ObjectKey> = heals.iter().map(|heal| &heal.object).collect();
    let of = |object: &ObjectKey| {
        let patience = Patience::of(object, heals, now);
        let until = patience.until.filter(|until| *until > now)?;
        let of_row = |heal: &&Heal| heal.object == *object && patience.since.is_some_and(|since| heal.at >= since);
        let manager = most(heals.iter().filter(of_row).map(|heal| heal.manager.as_str()));
        Some(LeftAlone { object: object.clone(), manager, times: patience.times, until })
    };
    objects.into_iter().filter_map(of).collect()
}

/// The pause after so many heals in a row.
fn pause(times: usize) -> SignedDuration {
    let doubled = |first: SignedDuration, steps: usize| first * 2_i32.pow(u32::try_from(steps.min(10)).unwrap_or(10));
    match times {
        0 => SignedDuration::ZERO,
        n if n < FIGHT => doubled(FIRST_PAUSE, n - 1),
        n => doubled(FIGHT_PAUSE, n - FIGHT).min(LONGEST_PAUSE),
    }
}

/// How long an object must have been left alone after so many heals to start from new.
fn calm(times: usize) -> SignedDuration {
    (pause(times) * 2).max(CALM)
}

/// The word that occurs most; of several the first.
fn most<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    words.for_each(|word| *counts.entry(word).or_default() += 1);
    let best = counts.values().max().copied().unwrap_or_default();
    counts.into_iter().find(|(_, count)| *count == best).map_or_else(String::new, |(word, _)| word.to_owned())
}
