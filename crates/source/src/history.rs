//! Commits: what is told about one, and the branch's history.

use crate::error::Error;
use crate::git::{Git, LOCAL};
use jiff::Timestamp;
use model::Code;
use tokio::time::Instant;

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The full object id.
    pub id: String,
    /// When it was committed, as the committer's clock says.
    pub time: Timestamp,
    /// The author's name.
    pub author: String,
    /// The first line of the message.
    pub subject: String,
}

/// The fields of [`Commit`] as `git log --format` gives them.
pub(crate) const FORMAT: &str = "--format=%H%x00%ct%x00%an%x00%s";

impl Commit {
    /// The first eight characters of the id, for people.
    pub fn short(&self) -> &str {
        self.id.get(..8).unwrap_or(&self.id)
    }

    /// Reads what `git log -z` wrote in [`FORMAT`].
    pub(crate) fn parse_all(bytes: &[u8]) -> Vec<Self> {
        let text = String::from_utf8_lossy(bytes);
        let fields: Vec<&str> = text.split('\0').collect();
        fields.chunks_exact(4).filter_map(Self::from_fields).collect()
    }

    /// Reads the four fields; a commit whose time lies outside of what a calendar holds gets its nearest end.
    pub(crate) fn from_fields(fields: &[&str]) -> Option<Self> {
        let [id, time, author, subject] = fields else { return None };
        let id = id.trim();
        let seconds = time.trim().parse::<i64>().unwrap_or_default();
        let edge = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let time = Timestamp::from_second(seconds).unwrap_or(edge);
        let clean = |s: &str| s.chars().filter(|c| !c.is_control()).collect::<String>();
        is_id(id).then(|| Self { id: id.to_owned(), time, author: clean(author), subject: clean(subject.trim_end()) })
    }
}

/// Whether a text is a full object id, and so safe to hand to git.
pub(crate) fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The commit of an id; an error when the repository does not hold it.
pub(crate) async fn show(git: &Git, id: &str) -> Result<Commit, Error> {
    let missing = || Error::new(Code::SourceRefNotFound, format!("Commit {} is not in the repository.", clip(id)));
    if !is_id(id) {
        return Err(Error::new(Code::InvalidInput, "A commit is named by its full id."));
    }
    let call =
        git.call("log", "Reading a commit").args(["-z", "--max-count=1", "--no-walk=unsorted", FORMAT, id, "--"]);
    match call.run(Instant::now() + LOCAL).await {
        Ok(output) => Commit::parse_all(&output.stdout).pop().ok_or_else(missing),
        Err(e) if e.detail.as_deref().is_some_and(|d| d.contains("bad object")) => Err(missing()),
        Err(e) => Err(e),
    }
}

fn clip(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_read_field_by_field() {
        let id = "a".repeat(40);
        let text = format!("{id}\x0012\0Ann\0one\0{id}\0notanumber\0Bob\x07\0two\0");
        let commits = Commit::parse_all(text.as_bytes());
        assert_eq!(commits.len(), 2);
        assert_eq!((commits[0].time.as_second(), commits[0].subject.as_str()), (12, "one"));
        assert_eq!((commits[1].author.as_str(), commits[1].short()), ("Bob", "aaaaaaaa"));
    }

    #[test]
    fn times_outside_the_calendar_are_clamped() {
        let id = "b".repeat(40);
        let commit = Commit::from_fields(&[&id, "9223372036854775807", "x", "y"]).unwrap();
        assert_eq!(commit.time, Timestamp::MAX);
    }

    #[test]
    fn only_full_lower_case_ids_pass() {
        assert!(is_id(&"0".repeat(40)) && is_id(&"f".repeat(64)));
        assert!(!is_id("HEAD") && !is_id(&"0".repeat(39)) && !is_id("--exec=x") && !is_id(&"A".repeat(40)));
    }
}
