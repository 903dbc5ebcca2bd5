//! What the run made or changed, and whether it is as before: the same of several times once, with how often and when.

use super::mark::Mark;
use crate::evidence::words::clock_time;
use crate::results::{Cleaned, Run};
use jiff::Timestamp;

/// The same thing, put right as often as it was made.
pub struct Cleanup<'a> {
    /// Whether it is as before.
    pub mark: Mark,
    /// What it was, with how often.
    pub what: String,
    /// Why it is not.
    pub why: Option<&'a str>,
    /// When, from the first to the last.
    pub when: String,
}

/// Everything, in the order of its first time; what was left behind comes first.
pub fn all(run: &Run) -> Vec<Cleanup<'_>> {
    let mut groups: Vec<Vec<&Cleaned>> = Vec::new();
    for one in &run.cleanup {
        let same = |group: &&mut Vec<&Cleaned>| {
            group
                .first()
                .is_some_and(|first| (&first.what, first.restored, &first.why) == (&one.what, one.restored, &one.why))
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    let mut all: Vec<(bool, Cleanup<'_>)> = groups.iter().filter_map(|group| of(group)).collect();
    all.sort_by_key(|(restored, _)| *restored);
    all.into_iter().map(|(_, one)| one).collect()
}

fn of<'a>(group: &[&'a Cleaned]) -> Option<(bool, Cleanup<'a>)> {
    let first = group.first()?;
    let times: Vec<Timestamp> = group.iter().filter_map(|one| one.at).collect();
    let when = match (times.iter().min(), times.iter().max()) {
        (Some(from), Some(to)) if from == to => clock_time(*from),
        (Some(from), Some(to)) => format!("{} to {}", clock_time(*from), clock_time(*to)),
        _ => String::new(),
    };
    let cleanup = Cleanup {
        mark: Mark::of_cleanup(first.restored),
        what: counted(&first.what, group.len()),
        why: first.why.as_deref(),
        when,
    };
    Some((first.restored, cleanup))
}

/// "15 sessions of admin" of "a session of admin", and "7 times the description of x" of what has no plural that is known.
fn counted(what: &str, number: usize) -> String {
    match (number, what.strip_prefix("a session ")) {
        (1, _) => what.to_owned(),
        (_, Some(of)) => format!("{number} sessions {of}"),
        _ => format!("{number} times {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_are_told_by_their_number() {
        assert_eq!(counted("a session of admin", 15), "15 sessions of admin");
        assert_eq!(counted("a session of admin", 1), "a session of admin");
        assert_eq!(counted("the description of Server server-01", 7), "7 times the description of Server server-01");
    }
}
