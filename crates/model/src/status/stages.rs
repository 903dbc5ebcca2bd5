//! The stage rail: *saved → accepted → live → applied*, each with its count, its time and its evidence.

use super::{ComparisonFact, ComparisonOutcome, Counts, Facts, in_words, short};
use crate::code::Code;
use crate::operation::words;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

words! {
    /// The four stages of a change, in order.
    StageName {
        /// In a commit.
        Saved = "saved",
        /// The API server and its webhooks took it.
        Accepted = "accepted",
        /// Re-read and equal.
        Live = "live",
        /// Every affected switch and gateway runs it.
        Applied = "applied",
    }
}

words! {
    /// Where a stage stands.
    StageState {
        /// Everything reached it.
        Done = "done",
        /// Some of it did; nothing stands in the way of the rest.
        Underway = "underway",
        /// Something stands in the way.
        Blocked = "blocked",
        /// Nothing is known: there is no evidence yet.
        Unknown = "unknown",
    }
}

/// How far the objects are on the switches and gateways.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RolloutCounts {
    /// Objects that every affected switch runs.
    pub applied: u64,
    /// Objects in all that concern some switch or gateway.
    pub total: u64,
    /// Why the rest does not run, worst first, e.g. `leaf-04 is offline`.
    pub reason: Option<String>,
    /// Whether something stands in the way (offline, stuck) rather than being under way.
    pub blocked: bool,
    /// When the agents were read.
    pub at: Option<Timestamp>,
}

/// A comparison that could not read everything, and is newer than any that could.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialComparison {
    /// What it found.
    pub found: ComparisonFact,
    /// What it could not read, and why: one sentence.
    pub reason: String,
}

/// What the stage rail needs beside the facts of the status.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StageFacts {
    /// When the current commit was made or fetched.
    pub committed_at: Option<Timestamp>,
    /// The newest comparison that judged anything, when it is a partial one.
    pub partial: Option<PartialComparison>,
    /// Why the source could not be read, when the last try failed.
    pub source_error: Option<(Code, String)>,
    /// Objects that the API server or a webhook refused in the last sync, or that a finding keeps back.
    pub refused: u64,
    /// The first of them and why, one sentence.
    pub refused_reason: Option<String>,
    /// The rollout; `None` while no agent was read.
    pub rollout: Option<RolloutCounts>,
    /// Whether the agents were asked for, and there are none.
    pub no_agents: bool,
}

/// One segment of the stage rail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Which stage.
    pub name: StageName,
    /// Where it stands.
    pub state: StageState,
    /// How many objects reached it.
    pub done: u64,
    /// Out of how many.
    pub total: u64,
    /// When the evidence was taken.
    pub at: Option<Timestamp>,
    /// Why it is not done; empty when it is.
    pub reason: String,
    /// Whether the evidence is too old to count, so that the segment is hatched.
    pub stale: bool,
}

/// The four stages, in order.
pub fn stages(facts: &Facts, more: &StageFacts, now: Timestamp) -> [Stage; 4] {
    let partial = more.partial.as_ref();
    let comparison = partial.map(|partial| &partial.found).or(facts.last_comparison.as_ref());
    let old = |at: Option<Timestamp>| at.is_some_and(|at| now.duration_since(at).abs() > facts.freshness);
    let stale = comparison.is_some_and(|c| {
        old(Some(c.at))
            || facts.settings_changed_at.is_some_and(|since| since >= c.at)
            || facts.last_attempt.as_ref().is_some_and(|a| a.outcome == ComparisonOutcome::Failed && a.at > c.at)
    });
    let not_compared = || "The cluster has not been compared yet.".to_owned();
    let behind = comparison.and_then(|c| other_commit(facts, c));
    let objects = |name, done: fn(&ComparisonFact, u64) -> u64, reason: &dyn Fn(&ComparisonFact) -> String| {
        let Some(c) = comparison else {
            return Stage {
                name,
                state: StageState::Unknown,
                done: 0,
                total: 0,
                at: None,
                reason: not_compared(),
                stale,
            };
        };
        let (done, total) = (done(c, more.refused), c.counts.desired());
        let state = match () {
            () if behind.is_some() => StageState::Underway,
            () if done >= total && partial.is_none() => StageState::Done,
            () if more.refused + c.counts.unread > 0 => StageState::Blocked,
            () => StageState::Underway,
        };
        // What keeps the rest away is said with it, and a full count alone does not make a partial comparison whole.
        let unread = partial.map(|partial| match c.counts.unread {
            0 => format!("The newest comparison of the cluster was partial: {}", partial.reason),
            1 => format!("1 object could not be read: {}", partial.reason),
            n => format!("{n} objects could not be read: {}", partial.reason),
        });
        let reason = match (&behind, state) {
            (Some(behind), _) => behind.clone(),
            (None, StageState::Done) => String::new(),
            _ => [Some(reason(c)), unread]
                .into_iter()
                .flatten()
                .filter(|why| !why.is_empty())
                .collect::<Vec<_>>()
                .join(" "),
        };
        Stage { name, state, done, total, at: Some(c.at), reason, stale }
    };
    let accepted = objects(
        StageName::Accepted,
        // Modified objects were accepted once and changed since; what is missing or undelivered is not there.
        |c, refused| {
            let there = c.counts.equal + c.counts.modified;
            there.min(c.counts.desired().saturating_sub(refused))
        },
        &|c| match &more.refused_reason {
            Some(reason) => reason.clone(),
            None => not_there(c),
        },
    );
    let live = objects(StageName::Live, |c, _| c.counts.equal, &|c| {
        // What was not read is said for itself, with the reason.
        let differs = Counts { unread: 0, ..c.counts }.in_words();
        if differs.is_empty() { differs } else { format!("{differs}.") }
    });
    [saved(facts, comparison, more), accepted, live, applied(more, old(more.rollout.as_ref().and_then(|r| r.at)))]
}

/// Why objects that Git names are not in the cluster as Git has them, or as they were accepted.
fn not_there(comparison: &ComparisonFact) -> String {
    let counts = &comparison.counts;
    let clauses = [
        (counts.undelivered, "is not delivered", "are not delivered"),
        (counts.missing, "was deleted in the cluster", "were deleted in the cluster"),
        (counts.conflict, "was changed on both sides", "were changed on both sides"),
        (counts.unknown, "has errors in its manifest", "have errors in their manifests"),
    ];
    let mut said: Vec<String> = Vec::new();
    for (n, one, many) in clauses.into_iter().filter(|(n, ..)| *n > 0) {
        let noun = match (said.is_empty(), n) {
            (true, 1) => " object",
            (true, _) => " objects",
            (false, _) => "",
        };
        said.push(format!("{n}{noun} {}", if n == 1 { one } else { many }));
    }
    if said.is_empty() { String::new() } else { format!("{}.", said.join(", ")) }
}

fn plural(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("1 object {one}.") } else { format!("{n} objects {many}.") }
}

fn other_commit(facts: &Facts, comparison: &ComparisonFact) -> Option<String> {
    let current = facts.current_commit.as_deref()?;
    (current != comparison.commit).then(|| format!("Commit {} has not been compared yet.", short(current)))
}

fn saved(facts: &Facts, comparison: Option<&ComparisonFact>, more: &StageFacts) -> Stage {
    let counts = comparison.map(|c| c.counts).unwrap_or_default();
    let (total, done) = (counts.desired() + counts.broken_documents, counts.desired() - counts.unknown);
    let (state, reason) = match (&more.source_error, &facts.current_commit) {
        (Some((_, message)), _) => (StageState::Blocked, message.clone()),
        (None, None) => (StageState::Unknown, "The source has no commit yet.".to_owned()),
        (None, Some(_)) if done < total => {
            let wrong = total - done;
            (StageState::Blocked, plural(wrong, "has errors in its manifest", "have errors in their manifests"))
        }
        (None, Some(_)) => (StageState::Done, String::new()),
    };
    Stage {
        name: StageName::Saved,
        state,
        done,
        total,
        at: more.committed_at,
        reason,
        // A commit does not age; only a source that cannot be read makes it doubtful whether it is still the newest.
        stale: more.source_error.is_some(),
    }
}

fn applied(more: &StageFacts, stale: bool) -> Stage {
    let name = StageName::Applied;
    let Some(rollout) = &more.rollout else {
        let reason = match more.no_agents {
            true => "The cluster has no agents of switches or gateways, so nothing says what they run.",
            false => "The agents of the switches have not been read yet.",
        }
        .to_owned();
        return Stage { name, state: StageState::Unknown, done: 0, total: 0, at: None, reason, stale };
    };
    let state = match () {
        () if rollout.applied >= rollout.total => StageState::Done,
        () if rollout.blocked => StageState::Blocked,
        () => StageState::Underway,
    };
    let missing = rollout.total.saturating_sub(rollout.applied);
    let reason = match (&rollout.reason, state) {
        (_, StageState::Done) => String::new(),
        (Some(reason), _) => reason.clone(),
        (None, _) => plural(missing, "is not on every switch yet", "are not on every switch yet"),
    };
    Stage { name, state, done: rollout.applied, total: rollout.total, at: rollout.at, reason, stale }
}

impl Stage {
    /// The segment's age in words, for a page: `12 s`, `3 min`.
    pub fn age(&self, now: Timestamp) -> Option<String> {
        self.at.map(|at| in_words(now.duration_since(at)))
    }
}
