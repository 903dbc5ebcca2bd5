//! Which evidence a monitor keeps: the newest runs, and those that were not good before those that were. A folder that no
//! monitor made is never looked at.

use jiff::Timestamp;

/// A run's folder, as it is found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its name, which begins with its time.
    pub name: String,
    /// Whether the run was good.
    pub good: bool,
}

/// The name of a run's folder: its time in UTC, so that names sort by time, and the run's own name.
pub fn folder_name(started: Timestamp, run: &str) -> String {
    format!("{}-{run}", started.strftime("%Y%m%dT%H%M%SZ"))
}

/// Whether a folder's name is one that [`folder_name`] gives.
pub fn is_folder_name(name: &str) -> bool {
    let Some((time, run)) = name.split_once('-') else { return false };
    let is_time = time.len() == 16
        && time.bytes().enumerate().all(|(place, byte)| match place {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    is_time && !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Those that go when at most `keep` stay: the oldest good ones first, then the oldest of the others. The newest stays
/// whatever it was, so that there is always one to compare with.
pub fn beyond(mut runs: Vec<Kept>, keep: usize) -> Vec<Kept> {
    let too_many = runs.len().saturating_sub(keep.max(1));
    runs.sort_by(|one, other| one.name.cmp(&other.name));
    runs.pop();
    // Stable: within each half the oldest come first.
    runs.sort_by_key(|run| !run.good);
    runs.truncate(too_many);
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(runs: &[(&str, bool)], keep: usize) -> Vec<String> {
        let runs = runs.iter().map(|(name, good)| Kept { name: (*name).to_owned(), good: *good });
        beyond(runs.collect(), keep).into_iter().map(|run| run.name).collect()
    }

    #[test]
    fn failing_runs_stay_longer() {
        let runs = [("4", true), ("1", false), ("2", true), ("3", true), ("5", false)];
        assert_eq!(names(&runs, 5), Vec::<String>::new());
        assert_eq!(names(&runs, 3), ["2", "3"]);
        assert_eq!(names(&runs, 2), ["2", "3", "4"], "the failing one of long ago is still there");
        assert_eq!(names(&runs, 1), ["2", "3", "4", "1"]);
        assert_eq!(names(&[("1", false), ("2", true)], 0), ["1"], "the newest stays");
    }

    #[test]
    fn only_what_a_monitor_made_is_looked_at() {
        let name = folder_name(Timestamp::from_second(1_767_225_600).unwrap(), "0123456789ab");
        assert_eq!(name, "20260101T000000Z-0123456789ab");
        assert!(is_folder_name(&name));
        for other in ["run-1", "20260101T000000Z", "20260101T000000Z-", "20260101T000000Z-../x", "2026-01-01"] {
            assert!(!is_folder_name(other), "{other}");
        }
    }
}
