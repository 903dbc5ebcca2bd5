//! What a run has in hand: the objects that are being written or deleted at this moment, said in the phase, the one that
//! takes longest first. So a page shows on which object a run stands.

use super::{Writer, lock};
use model::ObjectKey;
use model::operation::Phase;
use std::sync::Mutex;

/// So many objects are named; of more, their number.
const NAMED: usize = 2;

/// The objects in hand, in the order in which they were taken up.
#[derive(Default)]
pub(super) struct Hand(Mutex<Vec<ObjectKey>>);

impl Hand {
    fn words(&self) -> String {
        let held = lock(&self.0);
        let named: Vec<String> = held.iter().take(NAMED).map(|key| format!("{} {}", key.kind, key.name)).collect();
        match held.len().saturating_sub(NAMED) {
            0 => named.join(" and "),
            more => format!("{} and {more} more", named.join(", ")),
        }
    }
}

impl Writer<'_> {
    /// Takes an object up.
    pub(super) fn take_up(&self, phase: Phase, key: &ObjectKey) {
        lock(&self.hand.0).push(key.clone());
        self.say_hand(phase);
    }

    /// Its outcome is known. Nothing in hand leaves what was said last: the phase goes on or ends in a moment.
    pub(super) fn put_down(&self, phase: Phase, key: &ObjectKey) {
        let mut held = lock(&self.hand.0);
        held.retain(|other| other != key);
        let is_empty = held.is_empty();
        drop(held);
        if !is_empty {
            self.say_hand(phase);
        }
    }

    fn say_hand(&self, phase: Phase) {
        let doing = match (phase, self.rules.dry_run) {
            (Phase::Prune, false) => "Deleting",
            (Phase::Prune, true) => "Asking about the deletion of",
            (_, false) => "Writing",
            (_, true) => "Asking about",
        };
        self.run.detail(phase, format!("{doing} {}", self.hand.words()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_named_and_the_others_counted() {
        let key = |n: usize| ObjectKey::new("vpc.githedgehog.com", "VPC", "default", format!("vpc-{n}"));
        for (n, words) in [
            (1, "VPC vpc-0"),
            (2, "VPC vpc-0 and VPC vpc-1"),
            (3, "VPC vpc-0, VPC vpc-1 and 1 more"),
            (8, "VPC vpc-0, VPC vpc-1 and 6 more"),
        ] {
            assert_eq!(Hand(Mutex::new((0..n).map(key).collect())).words(), words);
        }
    }
}
