//! Publishing a commit: the one action that changes something at a remote. Only a person's explicit wish leads here; checks
//! and comparisons never do.
//!
//! The commit is built on the branch as it was fetched, and pushed only if the remote's branch is still there
//! (`--force-with-lease` with the very commit): whatever moved it meanwhile, forward, back or away, is not overwritten.
//! What to do then is the caller's business, because other files may be there now.

use crate::address::Address;
use crate::commit::{Author, Change, pending};
use crate::config::Remote;
use crate::error::{Error, Place, Trouble, classify};
use crate::fetch::Talk;
use crate::history::{self, Commit};
use crate::lock::Lock;
use crate::repository::Repository;
use model::Code;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::time::Duration;
use tokio::time::Instant;

/// How long the branch may take to be read again after a push whose answer was lost.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How much of a server's own words a message repeats.
const WORDS: usize = 300;

/// What is to be published.
#[derive(Debug, Clone, Copy)]
pub struct Proposal<'a> {
    /// The files.
    pub changes: &'a [Change],
    /// Whose change it is.
    pub author: &'a Author,
    /// The commit's message.
    pub message: &'a str,
    /// The commit that the changes were made for. The branch must still be there.
    pub onto: &'a str,
    /// A remote that takes no direct push to the branch gets the commit on a branch of this name and a number that stands
    /// for the files, e.g. `hedgerow/adopt-` and `1a2b3c4d`: the same files are proposed once.
    pub beside: &'a str,
}

/// Where a commit went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// It is the branch's newest commit (or was there already, because it changes nothing).
    OnBranch(Commit),
    /// The branch takes no direct push; the commit waits on a branch of its own.
    Beside {
        /// The commit.
        commit: Commit,
        /// The branch that holds it.
        branch: String,
        /// Branches of earlier proposals that stand there and are not merged.
        others: Vec<String>,
        /// Why it is not on the fabric's own branch.
        why: Error,
    },
    /// The branch takes no direct push, and an earlier proposal of the same files still waits. Nothing was pushed.
    Waiting {
        /// The branch that holds it.
        branch: String,
        /// Its commit.
        id: String,
        /// Why it is not on the fabric's own branch.
        why: Error,
    },
}

/// Branches beside the fabric's own one.
struct Beside<'a> {
    /// How the names of all of them begin.
    prefix: &'a str,
    /// The name of the one that holds these files.
    name: String,
}

impl<'a> Beside<'a> {
    fn of(prefix: &'a str, changes: &[&Change]) -> Self {
        let mut hash = Sha256::new();
        for change in changes {
            for part in [change.path.as_bytes(), change.content.as_deref().unwrap_or_default()] {
                hash.update(part.len().to_le_bytes());
                hash.update(part);
            }
        }
        let mut name = prefix.to_owned();
        for byte in hash.finalize().iter().take(4) {
            // A text takes whatever is written to it.
            let _ = write!(name, "{byte:02x}");
        }
        Self { prefix, name }
    }
}

impl Repository {
    /// Commits changes and publishes them: in the local repository by moving its branch, otherwise by a push. Nothing that
    /// came meanwhile is overwritten: then the error is [`Code::SourceMoved`], and the caller fetches and looks again.
    ///
    /// # Errors
    /// When the branch has moved, the remote cannot be reached or refuses ([`Code::SourcePushRefused`]), or the changes
    /// make no sense.
    pub async fn publish(&self, proposal: Proposal<'_>, deadline: Duration) -> Result<Published, Error> {
        let Some((remote, address)) = self.remote() else {
            let committed = self.commit(proposal.changes, proposal.author, proposal.message, Some(proposal.onto)).await;
            return committed.map(Published::OnBranch).map_err(|e| match e.code {
                Code::ChangedSinceComparison => self.moved(),
                _ => e,
            });
        };
        let deadline = Instant::now() + deadline;
        self.check_changes(proposal.changes)?;
        let lock = self.lock(deadline).await?;
        let head = self.head().await?.filter(|head| head.id == proposal.onto).ok_or_else(|| self.moved())?;
        let changes = self.effective(proposal.changes, &head).await?;
        if changes.is_empty() {
            return Ok(Published::OnBranch(head));
        }
        let id = self.import(&changes, proposal.author, proposal.message, Some(&head.id), &lock).await?;
        let pushed = match self.changes_files(&id, &head).await {
            Ok(false) => Ok(Published::OnBranch(head)),
            Ok(true) => {
                self.push_commit(&Beside::of(proposal.beside, &changes), &id, &head, (remote, address), &lock, deadline)
                    .await
            }
            Err(e) => Err(e),
        };
        // The commit is on a branch, or not wanted any more.
        self.delete_reference(&pending(), &id).await?;
        pushed
    }

    async fn push_commit(
        &self,
        beside: &Beside<'_>,
        id: &str,
        head: &Commit,
        at: (&Remote, &Address),
        lock: &Lock,
        deadline: Instant,
    ) -> Result<Published, Error> {
        let branch = &self.config.branch;
        let refused = match self.push(id, branch, &head.id, at, lock, deadline).await {
            Ok(()) => {
                self.move_branch(id, Some(&head.id)).await?;
                self.collect_garbage(lock.held()?, deadline).await;
                return Ok(Published::OnBranch(history::show(&self.git, id).await?));
            }
            Err((Trouble::Moved, _)) => return Err(self.moved()),
            Err((Trouble::Refused, e)) => e,
            Err((_, e)) if matches!(e.code, Code::SourceUnreachable | Code::SourceTimeout) => {
                // The answer was lost; the push may have arrived all the same.
                let until = deadline.max(Instant::now() + LOOK_AGAIN);
                let now = self.fetch_holding(lock, at.0, at.1, until, &|_| {}).await;
                let arrived = match now {
                    Ok(now) => self.holds(&now.id, id).await?,
                    Err(_) => false,
                };
                return if arrived { Ok(Published::OnBranch(history::show(&self.git, id).await?)) } else { Err(e) };
            }
            Err((_, e)) => return Err(e),
        };
        let commit = history::show(&self.git, id).await?;
        let mut others = self.proposed(beside.prefix, head, at, deadline).await;
        let mut expected = String::new();
        if let Some(same) = others.iter().position(|other| other.branch == beside.name) {
            let same = others.swap_remove(same);
            if !same.is_merged {
                return Ok(Published::Waiting { branch: same.branch, id: same.id, why: refused });
            }
            // It was merged, and then taken out of the branch again: the old name gets the new commit.
            expected = same.id;
        }
        let others = others.into_iter().filter(|other| !other.is_merged).map(|other| other.branch).collect();
        match self.push(id, &beside.name, &expected, at, lock, deadline).await {
            Ok(()) => Ok(Published::Beside { commit, branch: beside.name.clone(), others, why: refused }),
            // What the first answer said is the reason; the second says no more.
            Err(_) => Err(refused),
        }
    }

    /// The branches of proposals that stand at the remote. One that does not say so has none that matter: then the push
    /// that follows fails for the same reason.
    async fn proposed(
        &self,
        prefix: &str,
        head: &Commit,
        (remote, address): (&Remote, &Address),
        deadline: Instant,
    ) -> Vec<Proposed> {
        let all = [format!("refs/heads/{prefix}*")];
        let mut found = Vec::new();
        for (id, name) in self.branches(remote, address, &all, deadline).await.unwrap_or_default() {
            let Some(branch) = name.strip_prefix("refs/heads/") else { continue };
            // What is merged came with the fetch; a commit that is not known here is in no branch of ours.
            let is_merged = self.holds(&head.id, &id).await.unwrap_or(false);
            found.push(Proposed { id, branch: branch.to_owned(), is_merged });
        }
        found
    }

    /// Pushes one commit to a branch that must be at `expected`; empty: that must not exist.
    async fn push(
        &self,
        id: &str,
        branch: &str,
        expected: &str,
        (remote, address): (&Remote, &Address),
        lock: &Lock,
        deadline: Instant,
    ) -> Result<(), (Trouble, Error)> {
        let lease = format!("--force-with-lease=refs/heads/{branch}:{expected}");
        let options = ["--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no", &lease];
        let refspec = [format!("{id}:refs/heads/{branch}")];
        let talk = || {
            Ok(Talk {
                command: "push",
                doing: "Pushing the commit",
                options: &options,
                rest: &refspec,
                progress: None,
                stdin: lock.held()?,
                watched: None,
                classify: push_failed,
            })
        };
        self.talk(&self.git, remote, address, talk, deadline).await.map(drop)
    }

    /// Whether a commit's history holds another one.
    async fn holds(&self, commit: &str, wanted: &str) -> Result<bool, Error> {
        let call = self.git.call("rev-list", "Looking for the commit");
        let missing = call.args(["--max-count=1", wanted, &format!("^{commit}"), "--"]);
        Ok(missing.text(Instant::now() + crate::git::LOCAL).await?.is_empty())
    }

    fn moved(&self) -> Error {
        let text = format!("Somebody else committed to {} meanwhile; nothing was overwritten.", self.config.branch);
        Error::new(Code::SourceMoved, text)
    }
}

/// A branch of a proposal, as it stands at the remote.
struct Proposed {
    id: String,
    branch: String,
    is_merged: bool,
}

/// What a failed push means. `answered` holds one line a reference: `!`, the references, and why in parentheses.
fn push_failed(doing: &str, place: &Place, said: &str, answered: &str) -> (Trouble, Error) {
    const MOVED: &[&str] = &[
        "(stale info)",
        "(fetch first)",
        "(non-fast-forward)",
        "(already exists)",
        "(reference already exists)",
        "failed to update ref",
        "cannot lock ref",
        "incorrect old value",
    ];
    const MAY_NOT: &[&str] = &[
        "error: 403",
        "denied to",
        "read only",
        "read-only",
        "write access",
        "not allowed to push",
        "access denied",
        "insufficient permission",
        "service not enabled",
        "not authorized",
    ];
    let answer = answered.lines().find(|line| line.starts_with('!')).unwrap_or_default();
    let (answer_lower, said_lower) = (answer.to_lowercase(), said.to_lowercase());
    let any = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));
    let refused = |text: String| Error { detail: last(said), ..Error::new(Code::SourcePushRefused, text) };
    let theirs = words_of_the_server(said);
    let quoted = |text: &str| if text.is_empty() { String::new() } else { format!(": {text}") };
    if any(&answer_lower, MOVED) {
        return (Trouble::Moved, Error::new(Code::SourceMoved, "The branch has moved meanwhile."));
    }
    let reason = answer.rsplit_once('(').map_or("", |(_, reason)| reason.trim_end_matches([')', ' ']));
    if any(reason, &["unpack", "internal", "permanent storage"]) {
        let text = format!("{} could not store the commit{}.", place.name(), quoted(&theirs));
        return (Trouble::Other, Error { detail: last(said), ..Error::new(Code::SourceUnreachable, text) });
    }
    if answer_lower.contains("[remote rejected]") {
        let branch = answer.split('\t').nth(1).and_then(|pair| pair.rsplit_once(":refs/heads/")).map_or("", |(_, b)| b);
        let why = if theirs.is_empty() { reason.to_owned() } else { theirs };
        let text = format!("{} does not take a direct push to the branch {branch}{}.", place.name(), quoted(&why));
        return (Trouble::Refused, refused(text));
    }
    if answer.is_empty() && any(&said_lower, MAY_NOT) {
        let text = format!(
            "{} lets these credentials read the repository, but not write to it{}.",
            place.name(),
            quoted(&theirs)
        );
        return (Trouble::Other, refused(text));
    }
    classify(doing, place, said, answered)
}

/// What the server's hooks said, without git's frame around it.
fn words_of_the_server(said: &str) -> String {
    let lines = said.split(['\n', '\r']).filter_map(|line| line.trim().strip_prefix("remote:"));
    let kept = lines.map(str::trim).filter(|line| line.chars().any(char::is_alphanumeric));
    let text = kept.collect::<Vec<_>>().join(" ");
    let text: String = text.chars().filter(|c| !c.is_control()).take(WORDS).collect();
    text.trim_end_matches('.').to_owned()
}

fn last(said: &str) -> Option<String> {
    let text = words_of_the_server(said);
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(said: &str, answered: &str) -> (Trouble, Error) {
        push_failed("Pushing the commit", &Place::Remote { host: "git.example.com".into() }, said, answered)
    }

    #[test]
    fn words_of_git_and_of_servers_have_their_meaning() {
        let to = "To https://git.example.com/x.git\n";
        let line = |why: &str| format!("{to}!\tabc:refs/heads/main\t{why}\nDone\n");
        for why in ["[rejected] (stale info)", "[rejected] (fetch first)", "[remote rejected] (failed to update ref)"] {
            let (trouble, error) = failed("error: failed to push some refs", &line(why));
            assert_eq!((trouble, error.code), (Trouble::Moved, Code::SourceMoved), "{why}");
        }
        let said = "remote: error: GH006: Protected branch update failed for refs/heads/main.\nremote: \nremote: - Changes \
                    must be made through a pull request.\nerror: failed to push some refs to 'https://x'";
        let (trouble, error) = failed(said, &line("[remote rejected] (protected branch hook declined)"));
        assert_eq!((trouble, error.code), (Trouble::Refused, Code::SourcePushRefused));
        assert_eq!(
            error.message,
            "git.example.com does not take a direct push to the branch main: error: GH006: Protected branch update failed \
             for refs/heads/main. - Changes must be made through a pull request."
        );
        let (trouble, error) = failed("", &line("[remote rejected] (pre-receive hook declined)"));
        assert_eq!(trouble, Trouble::Refused);
        assert!(error.message.ends_with("branch main: pre-receive hook declined."), "{error}");
        for said in [
            "remote: Permission to a/b.git denied to ci.\nfatal: unable to access 'https://x/': The requested URL returned error: 403",
            "ERROR: The key you are authenticating with has been marked as read only.\nfatal: Could not read from remote repository.",
            "remote: You are not allowed to push code to this project.\nfatal: the remote end hung up",
        ] {
            let (trouble, error) = failed(said, "");
            assert_eq!((trouble, error.code), (Trouble::Other, Code::SourcePushRefused), "{said}");
            assert!(error.message.contains("but not write to it"), "{error}");
        }
        let other = [
            ("fatal: Authentication failed for 'https://x/'", "", Code::SourceUnauthorized),
            ("fatal: the remote end hung up unexpectedly", "", Code::SourceUnreachable),
            (
                "remote: fatal: no space left on device",
                &line("[remote rejected] (unpacker error)"),
                Code::SourceUnreachable,
            ),
        ];
        for (said, answered, code) in other {
            let (trouble, error) = failed(said, answered);
            assert_eq!((trouble, error.code), (Trouble::Other, code), "{said}");
        }
    }
}
