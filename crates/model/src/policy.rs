//! What a fabric does by itself, and what it never does: the words of its policy, and what may be said with them. When
//! something is due is worked out from these and from what happened before, without a clock of its own: the hours in
//! `window`, the automatic syncs in `automatic`, the limit against fighting another writer in `heal`.

mod automatic;
mod heal;
mod window;

pub use automatic::{Automatic, AutomaticState, Situation};
pub use heal::{Fight, Heal, LeftAlone, Patience, REMEMBERED, fights, left_alone};
pub use window::Gate;

use crate::operation::words;
use serde::{Deserialize, Serialize};

words! {
    /// What a window says of the time in it.
    WindowKind {
        /// Automatic syncs run only in such windows.
        Allow = "allow",
        /// No automatic sync begins in it, whatever others allow.
        Deny = "deny",
    }
}

/// A time that comes again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Whether it allows or denies.
    pub kind: WindowKind,
    /// When it begins, as five fields of cron.
    pub schedule: String,
    /// How long it lasts.
    pub minutes: u32,
    /// The IANA name of the time zone that the fields are in, such as `Europe/Berlin`.
    pub time_zone: String,
}

/// Who stopped the automatic syncs of a fabric, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// When.
    pub at: jiff::Timestamp,
    /// Who.
    pub by: String,
    /// Why, in that person's words.
    pub reason: String,
}

/// What a fabric does by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Seconds between two automatic syncs of everything, also of what was changed in the cluster; `None`: only people
    /// and scripts start one.
    pub sync_interval_seconds: Option<u32>,
    /// Whether what was changed in the cluster is put right as soon as it is seen.
    pub self_heal: bool,
    /// Whether a run may delete what Git no longer names, when it asks for that.
    pub prune: bool,
    /// How many of a hundred objects a run may delete without somebody typing the fabric's name.
    pub prune_limit_percent: u8,
    /// When automatic syncs may begin.
    pub windows: Vec<Window>,
    /// How long an operation follows the switches; `None`: as long as the settings say.
    pub rollout_wait_seconds: Option<u32>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            sync_interval_seconds: None,
            self_heal: false,
            prune: false,
            prune_limit_percent: 20,
            windows: Vec::new(),
            rollout_wait_seconds: None,
        }
    }
}

/// Most windows of one policy: beyond that nobody can tell any more what they come to.
pub const MOST_WINDOWS: usize = 8;
/// The longest a window lasts, in minutes: a week.
pub const LONGEST_WINDOW: u32 = 10_080;
/// The longest that an operation follows the switches, in seconds: a day.
pub const LONGEST_ROLLOUT: u32 = 86_400;
/// The longest pause between two automatic syncs, in seconds: thirty days.
pub const LONGEST_INTERVAL: u32 = 30 * 86_400;

/// Something in a policy that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The field, as the policy's JSON names it; of a window, the field of the window.
    pub field: &'static str,
    /// Which window, from 0, when it is about one.
    pub window: Option<usize>,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl Policy {
    /// What cannot be meant. `shortest` is the shortest interval that may be given, in seconds.
    pub fn flaws(&self, shortest: u32) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut of_policy = |field, message: String| flaws.push(Flaw { field, window: None, message });
        if let Some(seconds) = self.sync_interval_seconds
            && !(shortest..=LONGEST_INTERVAL).contains(&seconds)
        {
            let message = format!(
                "Give {} or longer, at most 30 days; or leave it empty for no automatic syncs.",
                span(i64::from(shortest))
            );
            of_policy("sync_interval_seconds", message);
        }
        if self.prune_limit_percent > 100 {
            of_policy("prune_limit_percent", "Give a share from 0 to 100.".to_owned());
        }
        if self.rollout_wait_seconds.is_some_and(|seconds| seconds > LONGEST_ROLLOUT) {
            of_policy("rollout_wait_seconds", "Give at most one day; or leave it empty.".to_owned());
        }
        if self.windows.len() > MOST_WINDOWS {
            of_policy("windows", format!("At most {MOST_WINDOWS} windows are taken."));
        }
        for (number, window) in self.windows.iter().enumerate() {
            let of_window = |(field, message)| Flaw { field, window: Some(number), message };
            flaws.extend(window.flaws().into_iter().map(of_window));
        }
        flaws
    }
}

/// A length of time in its largest unit that makes a whole number: `90 s`, `15 min`, `2 h`, `3 days`.
pub fn span(seconds: i64) -> String {
    match seconds {
        86_400 => "1 day".to_owned(),
        s if s > 0 && s % 86_400 == 0 => format!("{} days", s / 86_400),
        s if s > 0 && s % 3_600 == 0 => format!("{} h", s / 3_600),
        s if s > 0 && s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

#[cfg(test)]
mod tests;
