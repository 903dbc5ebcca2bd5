//! Commits, without a work tree or an index: the changes go through `git fast-import` as one stream, however many they
//! are. The local repository's branch is then moved by compare-and-set; a remote's is `push`'s business.

use crate::error::Error;
use crate::git::LOCAL;
use crate::history::{self, Commit};
use crate::lock::Lock;
use crate::process::Stdin;
use crate::repository::{PENDING, Repository};
use crate::tree;
use jiff::Timestamp;
use model::Code;
use std::collections::HashSet;
use std::io::Write;
use tokio::time::Instant;

/// One file that is written or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The file, relative to the repository's root, as in a manifest's location.
    pub path: String,
    /// Its new content; `None` removes it.
    pub content: Option<Vec<u8>>,
}

/// Who made the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The person's name.
    pub name: String,
    /// The person's address.
    pub email: String,
}

impl Repository {
    /// Commits changes to the local repository and returns the branch's new commit. Changes that change nothing make no
    /// commit: the newest one is returned. With `expect`, the branch must still be at that commit; what moved it
    /// meanwhile is never overwritten (`changed_since_comparison`).
    pub async fn commit(
        &self,
        changes: &[Change],
        author: &Author,
        message: &str,
        expect: Option<&str>,
    ) -> Result<Commit, Error> {
        if self.address.is_some() {
            let text = "The desired state comes from a remote repository; commit there.";
            return Err(Error::new(Code::SourceConfigInvalid, text));
        }
        self.check_changes(changes)?;
        let lock = self.lock(Instant::now() + LOCAL).await?;
        let head = self.head().await?.ok_or_else(|| Error::new(Code::Internal, "The local branch is gone."))?;
        if expect.is_some_and(|expected| expected != head.id) {
            let text = format!("Commit {} was made meanwhile; nothing was written.", head.short());
            return Err(Error::new(Code::ChangedSinceComparison, text));
        }
        let changes = self.effective(changes, &head).await?;
        if changes.is_empty() {
            return Ok(head);
        }
        let id = self.import(&changes, author, message, Some(&head.id), &lock).await?;
        let changed = self.changes_files(&id, &head).await?;
        if changed {
            self.move_branch(&id, Some(&head.id)).await?;
        }
        self.delete_reference(&pending(), &id).await?;
        if !changed {
            return Ok(head);
        }
        self.collect_garbage(lock.held()?, Instant::now() + LOCAL).await;
        history::show(&self.git, &id).await
    }

    /// Whether a commit's files are others than those of the one before.
    pub(crate) async fn changes_files(&self, id: &str, before: &Commit) -> Result<bool, Error> {
        let trees = [format!("{id}^{{tree}}"), format!("{}^{{tree}}", before.id)];
        let trees = tree::sizes(&self.git, &[&trees[0], &trees[1]]).await?;
        Ok(trees[0].is_some() && trees[0] != trees[1])
    }

    /// The empty first commit of a new local repository.
    pub(crate) async fn write_first(&self, lock: &Lock) -> Result<(), Error> {
        let author = Author { name: "Hedgerow".into(), email: "hedgerow@localhost".into() };
        let id = self.import(&[], &author, "Begin the desired state", None, lock).await?;
        self.move_branch(&id, None).await?;
        self.delete_reference(&pending(), &id).await
    }

    pub(crate) fn check_changes(&self, changes: &[Change]) -> Result<(), Error> {
        let folder = self.config.folder();
        let mut seen = HashSet::new();
        for Change { path, .. } in changes {
            let bad_part = |p: &str| p.is_empty() || p == "." || p == ".." || p.eq_ignore_ascii_case(".git");
            let inside = folder.is_empty() || path.strip_prefix(&*folder).is_some_and(|rest| rest.starts_with('/'));
            let why = if path.len() > 1_000 || path.chars().any(char::is_control) || path.split('/').any(bad_part) {
                "is not a valid file name"
            } else if !inside {
                "lies outside of the folder that holds the desired state"
            } else if !seen.insert(path) {
                "is changed twice in one commit"
            } else {
                continue;
            };
            let shown: String = path.chars().filter(|c| !c.is_control()).take(200).collect();
            return Err(Error::new(Code::InvalidInput, format!("The file '{shown}' {why}.")));
        }
        Ok(())
    }

    /// The changes without removals of files that are not there; refuses those that would replace a folder by a file
    /// or the other way round, which git would do without a word.
    pub(crate) async fn effective<'a>(&self, changes: &'a [Change], head: &Commit) -> Result<Vec<&'a Change>, Error> {
        let Some((root, ..)) = tree::object(&self.git, &format!("{}:", head.id)).await? else {
            return Err(Error::new(Code::Internal, "The files of the branch cannot be listed."));
        };
        let entries = tree::list(&self.git, &root).await?;
        let files: HashSet<&[u8]> = entries.iter().map(|e| e.path.as_slice()).collect();
        let folders: HashSet<&[u8]> = entries.iter().flat_map(|e| parents(&e.path)).collect();
        let removed: HashSet<&[u8]> =
            changes.iter().filter(|c| c.content.is_none()).map(|c| c.path.as_bytes()).collect();
        let mut effective = Vec::new();
        for change in changes {
            let path = change.path.as_bytes();
            let blocked = folders.contains(path) || parents(path).any(|p| files.contains(p) && !removed.contains(p));
            match change.content {
                None if files.contains(path) => effective.push(change),
                None => {}
                Some(_) if blocked => {
                    let text = format!("'{}' cannot be both a file and a folder.", change.path);
                    return Err(Error::new(Code::InvalidInput, text));
                }
                Some(_) => effective.push(change),
            }
        }
        Ok(effective)
    }

    /// Writes the commit's objects and returns its id; the branch does not move. The pending reference holds it.
    pub(crate) async fn import(
        &self,
        changes: &[&Change],
        author: &Author,
        message: &str,
        parent: Option<&str>,
        _lock: &Lock,
    ) -> Result<String, Error> {
        let now = Timestamp::now().as_second();
        let stream = stream(changes, author, message, parent, now)
            .map_err(|e| Error::new(Code::Internal, format!("Writing the commit failed: {e}.")))?;
        let call = self.git.call("fast-import", "Writing the commit");
        let call = call.args(["--quiet", "--done", "--force", "--date-format=raw"]).stdin(Stdin::Bytes(stream));
        let id = call.text(Instant::now() + LOCAL).await?;
        let id = id.trim().to_owned();
        if history::is_id(&id) {
            Ok(id)
        } else {
            Err(Error::new(Code::Internal, "Git did not say which commit it wrote."))
        }
    }
}

/// One name is enough, because only the holder of the lock commits.
pub(crate) fn pending() -> String {
    format!("{PENDING}commit")
}

/// The folders above a path.
fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(i, _)| &path[..i])
}

/// The input of `git fast-import`.
fn stream(
    changes: &[&Change],
    author: &Author,
    message: &str,
    parent: Option<&str>,
    now: i64,
) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    writeln!(out, "commit {}", pending())?;
    writeln!(out, "mark :1")?;
    writeln!(out, "author {} <{}> {now} +0000", person(&author.name, "Unknown"), person(&author.email, "unknown"))?;
    writeln!(out, "committer Hedgerow <hedgerow@localhost> {now} +0000")?;
    data(&mut out, message.trim().as_bytes())?;
    if let Some(parent) = parent {
        writeln!(out, "from {parent}")?;
    }
    for change in changes {
        let Change { path, content } = change;
        let path = path.replace('\\', "\\\\").replace('"', "\\\"");
        match content {
            Some(content) => {
                writeln!(out, "M 100644 inline \"{path}\"")?;
                data(&mut out, content)?;
            }
            None => writeln!(out, "D \"{path}\"")?,
        }
    }
    writeln!(out, "\nget-mark :1\ndone")?;
    Ok(out)
}

fn data(out: &mut Vec<u8>, bytes: &[u8]) -> std::io::Result<()> {
    writeln!(out, "data {}", bytes.len())?;
    out.write_all(bytes)?;
    out.write_all(b"\n")
}

/// A name or address without what would end its field.
fn person(text: &str, otherwise: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control() && !"<>".contains(*c)).collect();
    let clean = clean.trim();
    if clean.is_empty() { otherwise.to_owned() } else { clean.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_leave_its_field() {
        let author = Author { name: "Eve <x>\nfrom abc".into(), email: "e@x> 0 +0000\nD \"a\"".into() };
        let change = Change { path: "a\"b\\c.yaml".into(), content: Some(b"x\n".to_vec()) };
        let text = String::from_utf8(stream(&[&change], &author, "one\ndone\n", Some("p"), 7).unwrap()).unwrap();
        assert!(text.contains("author Eve xfrom abc <e@x 0 +0000D \"a\"> 7 +0000\n"), "{text}");
        assert!(text.contains("data 8\none\ndone\n"), "{text}");
        assert!(text.contains("M 100644 inline \"a\\\"b\\\\c.yaml\"\ndata 2\nx\n"), "{text}");
    }

    #[test]
    fn parents_are_the_folders_above() {
        assert_eq!(parents(b"a/b/c").collect::<Vec<_>>(), [b"a".as_slice(), b"a/b"]);
    }
}
