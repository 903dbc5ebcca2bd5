//! What a journey, and what a run, came to. A precondition that fails makes a run invalid: nothing was proved, and
//! nothing disproved. What could not be judged is inconclusive, which is never success.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one journey came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything that it asserts was seen to hold.
    Pass,
    /// Something that it asserts was seen not to hold.
    Fail,
    /// It could not be judged: what would tell was not there, or did not answer. Without an oracle this reads "not verified".
    Inconclusive,
    /// It does not apply here, or was not allowed; its sentence says which.
    Skipped,
}

impl Verdict {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "passed",
            Self::Fail => "failed",
            Self::Inconclusive => "inconclusive",
            Self::Skipped => "skipped",
        }
    }
}

/// What a whole run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunVerdict {
    /// At least one journey passed, none failed, none was inconclusive.
    Pass,
    /// A journey failed.
    Fail,
    /// No journey failed, and one could not be judged; or none was judged at all.
    Inconclusive,
    /// A precondition failed: the target did not answer, the login did not work. No verdict on the target.
    Invalid,
    /// The target is not what the profile describes.
    Mismatch,
    /// It was ended from outside before it was over.
    Interrupted,
}

impl RunVerdict {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Pass, Self::Fail, Self::Inconclusive, Self::Invalid, Self::Mismatch, Self::Interrupted];

    /// Of the verdicts of all journeys.
    pub fn of(journeys: impl IntoIterator<Item = Verdict>) -> Self {
        let (mut passed, mut failed, mut open) = (false, false, false);
        for verdict in journeys {
            passed |= verdict == Verdict::Pass;
            failed |= verdict == Verdict::Fail;
            open |= verdict == Verdict::Inconclusive;
        }
        match (failed, open, passed) {
            (true, ..) => Self::Fail,
            (false, false, true) => Self::Pass,
            _ => Self::Inconclusive,
        }
    }

    /// The exit code of the command. 2 is the command line's: called in a way that cannot work.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Inconclusive => 3,
            Self::Invalid => 4,
            Self::Mismatch => 5,
            Self::Interrupted => 130,
        }
    }

    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "passed",
            Self::Fail => "failed",
            Self::Inconclusive => "inconclusive",
            Self::Invalid => "invalid",
            Self::Mismatch => "profile does not fit",
            Self::Interrupted => "interrupted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Fail, Inconclusive, Pass, Skipped};

    #[test]
    fn inconclusive_is_never_success() {
        for (journeys, run) in [
            (vec![Pass, Skipped], RunVerdict::Pass),
            (vec![Pass, Inconclusive], RunVerdict::Inconclusive),
            (vec![Pass, Inconclusive, Fail], RunVerdict::Fail),
            (vec![Skipped], RunVerdict::Inconclusive),
            (vec![], RunVerdict::Inconclusive),
        ] {
            assert_eq!(RunVerdict::of(journeys.clone()), run, "{journeys:?}");
        }
        let all = RunVerdict::ALL;
        let mut codes: Vec<u8> = all.map(RunVerdict::exit_code).into();
        codes.dedup();
        assert_eq!(codes.len(), all.len(), "each end has a code of its own");
        assert!(all.iter().filter(|one| one.exit_code() == 0).eq([&RunVerdict::Pass]));
    }
}
