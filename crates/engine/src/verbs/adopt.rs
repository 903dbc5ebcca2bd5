//! **Sync from Fabric** with objects to adopt: read both sides anew, commit the chosen objects to the source as they are in
//! the cluster, and compare with that commit.
//!
//! The commit is made for the branch as it was read. When somebody else commits meanwhile, the source is read again and the
//! files are chosen again, a few times. What was pushed and what was not is never guessed: of an object whose push had no
//! answer, that is what is said.

use super::steps;
use crate::Error;
use crate::adopting::{self, Adoption, Ground, Left, NewFile};
use crate::comparing::{self, Compared};
use crate::observing::Observation;
use crate::run::{Finished, Run};
use cluster::Cluster;
use model::operation::{ObjectOutcome, OutcomeDetail, OutcomeKind, Phase, PhaseState};
use model::{Code, ObjectKey};
use serde_json::json;
use source::{Author, Change, Commit, Desired, Proposal, Published, Repository};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use store::{Adopted, Fabric};

/// How often the commit is made anew for a branch that others move.
const ROUNDS: u32 = 5;
/// How many objects the commit's message names.
const NAMED: usize = 100;
/// How the branch is named that holds a commit which the fabric's own branch does not take.
const BESIDE: &str = "hedgerow/adopt-";

/// What was chosen, and where it stands.
struct Chosen {
    key: ObjectKey,
    file: NewFile,
}

pub(super) async fn run(run: &Run, keys: &BTreeSet<ObjectKey>) -> Result<Finished, Error> {
    let fabric = steps::fabric(run).await?;
    for key in keys {
        say(run, key, OutcomeKind::NotAttempted, None, String::new());
    }
    let seen = async {
        let (cluster, kinds) = steps::connect(run, &fabric).await?;
        let desired = steps::fetch(run, &fabric).await?;
        let observation = steps::observe(run, &fabric, &cluster, kinds, Phase::Observe).await?;
        run.begin(Phase::Compare, "Comparing");
        let compared = steps::compare(run, &fabric, &desired, &observation).await?;
        run.end(Phase::Compare, compared.sentence());
        Ok::<_, Error>((cluster, desired, observation))
    };
    let (cluster, desired, observation) = match seen.await {
        Ok(seen) => seen,
        Err(e) => {
            comparing::failed_run(run, &e).await?;
            return Err(e);
        }
    };
    run.begin(Phase::Adopt, "Writing the manifests");
    let repository = run.shared.repository(&fabric).await?;
    let (chosen, published) = commit(run, &fabric, &repository, keys, desired, &observation).await?;
    let left = keys.len() - chosen.len();
    match published {
        None => {
            run.close(Phase::Adopt, PhaseState::Skipped, "There is nothing to commit");
            run.close(Phase::Verify, PhaseState::Skipped, "");
            let finished = Finished { message: "Nothing was committed.".to_owned(), ..Finished::default() };
            Ok(Finished { failed: true, ..with_left(run, finished) })
        }
        Some(Published::Beside { commit, branch, others, why }) => {
            let done = format!("The commit with {} is on the branch {branch} instead", objects(chosen.len()));
            let also = match others.as_slice() {
                [] => String::new(),
                [one] => format!(" An earlier one waits there, too: {one}."),
                many => format!(" Earlier ones wait there, too: {}.", many.join(", ")),
            };
            Ok(beside(run, &fabric, &chosen, (&commit.id, &branch), &why, &done, &also))
        }
        Some(Published::Waiting { branch, id, why }) => {
            let done = format!("The same files wait on the branch {branch} already");
            Ok(beside(run, &fabric, &chosen, (&id, &branch), &why, &done, " Nothing was pushed."))
        }
        Some(Published::OnBranch(commit)) => {
            for Chosen { key, file } in &chosen {
                let message = format!("Committed as {}.{}", file.path, other_name(file));
                say(run, key, OutcomeKind::Adopted, None, message);
            }
            let note = |one: &Chosen| Adopted {
                key: one.key.clone(),
                uid: one.file.uid.clone(),
                actor: run.operation.actor.clone(),
                at: run.now(),
            };
            run.shared.store.adopted().put(fabric.id, &chosen.iter().map(note).collect::<Vec<_>>()).await?;
            let owner = &run.shared.lease.owner;
            run.shared.store.operations().set_commit(run.operation.id, owner, &commit.id).await?;
            let state = if left == 0 { PhaseState::Done } else { PhaseState::Partial };
            run.close(Phase::Adopt, state, format!("{} in commit {}", objects(chosen.len()), commit.short()));
            Ok(with_left(run, verified(run, &fabric, &cluster, &observation, &repository, &chosen, &commit).await))
        }
    }
}

/// Commits what can be committed; `None` when there is nothing.
async fn commit(
    run: &Run,
    fabric: &Fabric,
    repository: &Repository,
    keys: &BTreeSet<ObjectKey>,
    mut desired: Arc<Desired>,
    observation: &Observation,
) -> Result<(Vec<Chosen>, Option<Published>), Error> {
    let plural = |key: &ObjectKey| {
        let served = observation.kinds.find(&key.group, &key.kind).map(|kind| kind.plural.clone());
        adopting::plural_of(key, served)
    };
    let live = |key: &ObjectKey| match observation.live.get(key) {
        Some(object) => Ok(object.value()),
        None => Err(unread(key, observation).unwrap_or_else(adopting::gone)),
    };
    let mut round = 1;
    loop {
        let mut ground = Ground::at(repository, fabric, desired.clone()).await?;
        let mut chosen = Vec::new();
        for Adoption { key, file } in ground.adopt(keys, live, plural) {
            match file {
                Ok(file) => chosen.push(Chosen { key, file }),
                Err(Left { outcome, code, message }) => say(run, &key, outcome, code, message),
            }
        }
        if chosen.is_empty() {
            return Ok((chosen, None));
        }
        let changes: Vec<Change> = chosen
            .iter()
            .map(|one| Change { path: one.file.path.clone(), content: Some(one.file.text.clone().into_bytes()) })
            .collect();
        let message = message(run, fabric, &chosen);
        let author = author(&run.operation.actor);
        let onto = desired.commit.id.clone();
        let proposal = Proposal { changes: &changes, author: &author, message: &message, onto: &onto, beside: BESIDE };
        run.detail(Phase::Adopt, format!("Committing {}", objects(chosen.len())));
        for one in &chosen {
            run.may_write(&one.key)?;
        }
        let failure = match repository.publish(proposal, run.shared.settings.fetch_timeout).await {
            Ok(published) => return Ok((chosen, Some(published))),
            Err(e) => e,
        };
        let again = failure.code == Code::SourceMoved && round < ROUNDS;
        // Where the answer was lost, the push may have arrived all the same.
        let unsure = matches!(failure.code, Code::SourceTimeout | Code::SourceUnreachable);
        for one in &chosen {
            let (outcome, code, why) = match (again, unsure) {
                (true, _) => (OutcomeKind::NotAttempted, None, String::new()),
                (false, false) => (OutcomeKind::NotAttempted, Some(failure.code), failure.message.clone()),
                (false, true) => {
                    let why = "Whether the commit arrived is not known; Sync from Git shows it.";
                    (OutcomeKind::Unknown, Some(failure.code), format!("{} {why}", failure.message))
                }
            };
            say(run, &one.key, outcome, code, why);
        }
        if !again {
            return Err(match failure.code {
                Code::SourceMoved => Error::new(
                    Code::SourceMoved,
                    format!(
                        "Somebody else committed to {} each of the {ROUNDS} times that this was tried. Nothing was committed.",
                        fabric.branch
                    ),
                ),
                _ => failure.into(),
            });
        }
        round += 1;
        run.detail(Phase::Adopt, format!("{} Looking again, round {round} of {ROUNDS}", failure.message));
        desired = steps::fetch(run, fabric).await?;
    }
}

/// Why an object was not seen, when its kind could not be read.
fn unread(key: &ObjectKey, observation: &Observation) -> Option<Left> {
    let problem = observation.problems.iter().find(|p| p.group == key.group && p.kind == key.kind)?;
    let message = format!("The kind could not be read: {}", problem.message);
    Some(Left { outcome: OutcomeKind::NotAttempted, code: Some(problem.code), message })
}

/// The fabric's branch takes no direct push; what was committed, now or before, waits beside it.
fn beside(
    run: &Run,
    fabric: &Fabric,
    chosen: &[Chosen],
    (commit, branch): (&str, &str),
    why: &source::Error,
    done: &str,
    also: &str,
) -> Finished {
    for Chosen { key, file } in chosen {
        let message = format!("Committed as {} on the branch {branch}, which waits to be merged.", file.path);
        say(run, key, OutcomeKind::NotVerified, Some(Code::SourcePushRefused), message);
    }
    run.close(Phase::Adopt, PhaseState::Partial, done);
    run.close(Phase::Verify, PhaseState::Skipped, "The fabric's branch does not hold the commit yet");
    Finished {
        message: format!("{} {done}: merge it into {}, then press Sync from Git.{also}", why.message, fabric.branch),
        code: Some(Code::SourcePushRefused),
        object: None,
        result: json!({ "commit": commit, "branch": branch, "adopted": 0 }),
        failed: false,
    }
}

/// Compares with the new commit: only what is equal now is verified.
async fn verified(
    run: &Run,
    fabric: &Fabric,
    cluster: &Cluster,
    before: &Observation,
    repository: &Repository,
    chosen: &[Chosen],
    commit: &Commit,
) -> Finished {
    let committed = format!("{} in commit {}", adopted(chosen.len()), commit.short());
    let mut result = json!({ "commit": commit.id, "branch": fabric.branch, "adopted": chosen.len() });
    let compared = async {
        let desired = repository.read(&commit.id, &fabric.namespace, &run.shared.settings.source).await?;
        let observation = steps::observe(run, fabric, cluster, before.kinds.clone(), Phase::Verify).await?;
        run.detail(Phase::Verify, "Comparing with the new commit");
        steps::compare(run, fabric, &desired, &observation).await
    };
    let compared = match compared.await {
        Ok(compared) => compared,
        Err(e) => {
            run.close(Phase::Verify, PhaseState::Failed, e.message.clone());
            if let Err(second) = comparing::failed_run(run, &e).await {
                tracing::warn!(operation = run.operation.id, error = %second, "a failed comparison could not be stored");
            }
            let message = format!("{committed}. It could not be compared with the cluster afterwards: {}", e.message);
            return Finished { message, code: Some(e.code), object: e.object, result, failed: false };
        }
    };
    result["comparison"] = json!(compared.comparison.id);
    let equal: HashSet<&ObjectKey> = compared.settled.equal.iter().map(AsRef::as_ref).collect();
    let mut first = None;
    for Chosen { key, .. } in chosen {
        if equal.contains(key) {
            run.amend(key, |outcome| outcome.verified = true);
            continue;
        }
        let (code, why) = difference(&compared, key);
        run.amend(key, |outcome| {
            outcome.outcome = OutcomeKind::NotVerified;
            outcome.code = Some(code);
            outcome.message = format!("{} {why}", outcome.message);
        });
        first.get_or_insert((code, key.to_string(), why));
    }
    match first {
        None => {
            run.end(Phase::Verify, compared.sentence());
            Finished { message: format!("{committed}; equal to the cluster."), result, ..Finished::default() }
        }
        Some((code, object, why)) => {
            run.close(Phase::Verify, PhaseState::Partial, compared.sentence());
            let message = format!("{committed}. Not all of it is equal to the cluster: {why}");
            Finished { message, code: Some(code), object: Some(object), result, failed: false }
        }
    }
}

/// Why an object that was just committed does not count as equal.
fn difference(compared: &Compared, key: &ObjectKey) -> (Code, String) {
    if let Some(d) = compared.differing.iter().find(|d| d.manifest.key == *key) {
        let fields: Vec<&str> = d.diffs.iter().take(3).map(|diff| diff.path.as_str()).collect();
        let which = if fields.is_empty() { String::new() } else { format!(" ({})", fields.join(", ")) };
        return (Code::NotVerified, format!("The cluster holds something else by now{which}."));
    }
    if let Some((_, blocked)) = compared.blocked.iter().find(|(blocked, _)| blocked == key) {
        return (blocked.code, blocked.message.clone());
    }
    (Code::NotVerified, "The comparison does not show it as equal.".to_owned())
}

/// Adds to the end of an operation what became of the objects that were not committed.
fn with_left(run: &Run, mut finished: Finished) -> Finished {
    let outcomes = run.outcomes();
    let there = outcomes.iter().filter(|o| o.outcome == OutcomeKind::Unchanged).count();
    let left: Vec<&ObjectOutcome> = outcomes.iter().filter(|o| !o.outcome.is_good()).collect();
    if there > 0 {
        let stand = if there == 1 { "stands" } else { "stand" };
        finished.message = format!("{} {} {stand} in Git already.", finished.message, objects(there));
    }
    if let Some(first) = left.first() {
        let many = if left.len() == 1 { String::new() } else { format!(" and {} more", left.len() - 1) };
        let name = format!("{} {}", first.key.kind, first.key.name);
        finished.message = format!("{} Not adopted: {name}{many}. {}", finished.message, first.message);
        finished.code = finished.code.or(first.code);
        finished.object = finished.object.or_else(|| Some(first.key.to_string()));
    }
    finished
}

fn say(run: &Run, key: &ObjectKey, outcome: OutcomeKind, code: Option<Code>, message: String) {
    run.outcome(ObjectOutcome {
        key: key.clone(),
        outcome,
        verified: outcome == OutcomeKind::Unchanged,
        code,
        message,
        overwrote: Vec::new(),
        attempts: 0,
        at: run.now(),
        detail: OutcomeDetail::default(),
    });
}

fn other_name(file: &NewFile) -> String {
    file.instead_of.as_ref().map(|wanted| format!(" {wanted} is another file.")).unwrap_or_default()
}

fn objects(count: usize) -> String {
    if count == 1 { "1 object".to_owned() } else { format!("{count} objects") }
}

fn adopted(count: usize) -> String {
    format!("Adopted {}", objects(count))
}

/// The user as Git knows authors. Accounts have a name and no address; one that is an address is used as it is.
fn author(actor: &str) -> Author {
    let email = if actor.contains('@') { actor.to_owned() } else { format!("{actor}@hedgerow.local") };
    Author { name: actor.to_owned(), email }
}

fn message(run: &Run, fabric: &Fabric, chosen: &[Chosen]) -> String {
    let subject = match chosen {
        [one] => format!("Adopt {} {} from fabric {}", one.key.kind, one.key.name, fabric.name),
        many => format!("Adopt {} objects from fabric {}", many.len(), fabric.name),
    };
    let mut lines = vec![subject, String::new(), "They stood only in the cluster:".to_owned()];
    if chosen.len() == 1 {
        lines[2] = "It stood only in the cluster:".to_owned();
    }
    lines.extend(
        chosen.iter().take(NAMED).map(|one| format!("- {} {} ({})", one.key.kind, one.key.name, one.file.path)),
    );
    if chosen.len() > NAMED {
        lines.push(format!("- and {} more", chosen.len() - NAMED));
    }
    lines.extend([String::new(), format!("Hedgerow-Operation: {}", run.operation.id)]);
    lines.join("\n")
}
