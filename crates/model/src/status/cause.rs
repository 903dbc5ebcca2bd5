//! What has kept a fabric from being in sync, or its switches from running what the cluster holds: the worst cause in
//! one sentence, with where its evidence stands. Pages, lists and the JSON take it from here.

use super::{FailureOf, RolloutCounts, Status, SyncState, in_words, short};
use crate::code::Code;
use crate::compare::ObjectState;
use crate::object::ObjectKey;
use crate::operation::words;
use jiff::Timestamp;
use serde::Serialize;

words! {
    /// What kind of thing stands in the way, worst first.
    CauseKind {
        /// No cluster is configured, or sync is switched off.
        Settings = "settings",
        /// The cluster does not answer, or another one does.
        Connection = "connection",
        /// The cluster refuses the credentials, or they may not do what is needed.
        Credentials = "credentials",
        /// The source cannot be read.
        Source = "source",
        /// An object was refused, or its manifest is wrong.
        Refused = "refused",
        /// Another writer changes again what was put right.
        Fight = "fight",
        /// Something else failed.
        Failed = "failed",
        /// The evidence is too old.
        Stale = "stale",
        /// Git is newer than what was delivered.
        Undelivered = "undelivered",
        /// The cluster was changed by somebody else.
        Modified = "modified",
        /// Objects that Git does not name.
        Extra = "extra",
        /// Switches do not run what the cluster holds.
        Rollout = "rollout",
    }
}

/// Where the evidence of a cause stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "what", content = "which")]
pub enum Evidence {
    /// An operation, by its id.
    Operation(i64),
    /// An object.
    Object(ObjectKey),
    /// A kind that could not be read.
    Kind(String),
    /// The objects in a state.
    Objects(ObjectState),
    /// The newest comparison, with its commit.
    Comparison,
    /// The table of switches.
    Switches,
    /// The fabric's settings.
    Settings,
}

/// The worst cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// What kind of thing it is.
    pub kind: CauseKind,
    /// The code of the failure, if it is one.
    pub code: Option<Code>,
    /// One sentence that names what, who and when.
    pub sentence: String,
    /// Where its evidence stands.
    pub evidence: Evidence,
}

/// An object that somebody else changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Which object.
    pub key: ObjectKey,
    /// The field manager that last set a field that differs.
    pub manager: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
    /// Whether it is gone.
    pub gone: bool,
}

/// The last sync that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedSync {
    /// Its operation.
    pub operation: i64,
    /// The commit that it was to deliver.
    pub commit: Option<String>,
    /// The object that its failure is about.
    pub object: Option<ObjectKey>,
}

/// What the cause is found from, beside the status.
#[derive(Debug, Clone, Default)]
pub struct CauseFacts {
    /// The last sync that ended.
    pub last_sync: Option<EndedSync>,
    /// The sync whose process has not been heard of for a whole lease, when the status is about that.
    pub silent_sync: Option<i64>,
    /// The operation of the last try to compare, when that was one and failed.
    pub failed_comparison: Option<i64>,
    /// The kind that the last comparison says could not be read, when that is why it was partial.
    pub unread_kind: Option<String>,
    /// The commit that was compared.
    pub commit: Option<String>,
    /// An object whose manifest is wrong, and what is wrong with it.
    pub faulty: Option<(ObjectKey, String)>,
    /// The first object that was not delivered.
    pub undelivered: Option<ObjectKey>,
    /// Objects that somebody changed or deleted, the latest first; some of them, when there are many.
    pub changed: Vec<Changed>,
    /// In how many of the last syncs the first of these was put right before.
    pub put_right: u64,
    /// The rollout, when agents were read.
    pub rollout: Option<RolloutCounts>,
}

/// So often an object was put right and is changed again before that is called another writer.
const FIGHT_FROM: u64 = 2;

/// The worst cause; `None` when nothing stands in the way, a sync runs, or nothing was ever compared.
pub fn cause(status: &Status, facts: &CauseFacts, now: Timestamp) -> Option<Cause> {
    let told = |kind, evidence| Cause { kind, code: status.code, sentence: status.message.clone(), evidence };
    match status.state {
        SyncState::Syncing | SyncState::NeverSynced => None,
        SyncState::NotConfigured | SyncState::Disabled => Some(told(CauseKind::Settings, Evidence::Settings)),
        SyncState::Error => {
            let (kind, evidence) = of_failure(status, facts);
            Some(told(kind, evidence))
        }
        SyncState::Unknown => Some(told(CauseKind::Stale, Evidence::Comparison)),
        SyncState::OutOfSync => differing(status, facts, now),
        SyncState::InSync => rollout(facts),
    }
}

fn of_failure(status: &Status, facts: &CauseFacts) -> (CauseKind, Evidence) {
    let code = status.code.unwrap_or(Code::Internal);
    let kind = match code {
        Code::ConnectionFailed
        | Code::ClusterChanged
        | Code::KubernetesUnavailable
        | Code::KubernetesTimeout
        | Code::KubernetesWebhookDown => CauseKind::Connection,
        Code::KubernetesUnauthorized | Code::KubernetesForbidden | Code::ClusterConfigInvalid => CauseKind::Credentials,
        Code::SourceUnreachable
        | Code::SourceUnauthorized
        | Code::SourceNotFound
        | Code::SourceRefNotFound
        | Code::SourceConfigInvalid
        | Code::SourceTimeout
        | Code::SourceTooLarge => CauseKind::Source,
        Code::KubernetesRejected | Code::SourceInvalid | Code::PreflightFailed | Code::AddressRemoval => {
            CauseKind::Refused
        }
        _ => CauseKind::Failed,
    };
    // A comparison is about what it could not read, never about an object that some sync wrote before.
    let sync = facts.last_sync.as_ref().filter(|_| status.failed != Some(FailureOf::Comparison));
    let operation = if sync.is_some() { sync.map(|sync| sync.operation) } else { facts.failed_comparison };
    let evidence = match (kind, &facts.unread_kind) {
        _ if let Some(silent) = facts.silent_sync => Evidence::Operation(silent),
        _ if code == Code::ClusterChanged || code == Code::ClusterConfigInvalid => Evidence::Settings,
        (CauseKind::Source, _) => of_operation(operation),
        (CauseKind::Credentials, Some(kind)) => Evidence::Kind(kind.clone()),
        (_, Some(kind)) if sync.is_none() => Evidence::Kind(kind.clone()),
        (CauseKind::Refused, _) if let Some(key) = sync.and_then(|sync| sync.object.clone()) => Evidence::Object(key),
        _ => of_operation(operation),
    };
    (kind, evidence)
}

fn of_operation(operation: Option<i64>) -> Evidence {
    operation.map_or(Evidence::Comparison, Evidence::Operation)
}

fn differing(status: &Status, facts: &CauseFacts, now: Timestamp) -> Option<Cause> {
    let counts = status.counts.unwrap_or_default();
    let found = |kind, sentence, evidence| Some(Cause { kind, code: None, sentence, evidence });
    if let Some((key, message)) = &facts.faulty {
        let about = if message.contains(&key.name) { String::new() } else { format!("{}: ", named(key)) };
        return found(CauseKind::Refused, format!("{about}{message}"), Evidence::Object(key.clone()));
    }
    let changed = counts.modified + counts.missing + counts.conflict;
    if let Some(first) = facts.changed.first().filter(|_| facts.put_right >= FIGHT_FROM) {
        let what = if first.gone { "gone again" } else { "changed again" };
        let sentence = format!(
            "{} was put right by {} of the last syncs and is {what}{}: another writer keeps changing it.",
            named(&first.key),
            facts.put_right,
            by(first, now)
        );
        return found(CauseKind::Fight, sentence, Evidence::Object(first.key.clone()));
    }
    if counts.undelivered > 0 {
        return undelivered(counts.undelivered, facts);
    }
    if changed > 0 {
        return modified(changed, facts, now);
    }
    if counts.extra > 0 {
        let sentence = "They are deleted only by a sync that is told to; they can be taken over into Git.".to_owned();
        return found(CauseKind::Extra, sentence, Evidence::Objects(ObjectState::Extra));
    }
    found(CauseKind::Refused, "The findings name what and where.".to_owned(), Evidence::Comparison)
}

fn undelivered(n: u64, facts: &CauseFacts) -> Option<Cause> {
    let commit = facts.commit.as_deref().map_or_else(|| "the source".to_owned(), |c| format!("commit {}", short(c)));
    let what = match &facts.undelivered {
        Some(key) if n == 1 => format!("{} of {commit} has", named(key)),
        Some(key) => format!("{} and {} more of {commit} have", named(key), n - 1),
        None => format!("{n} of {commit} have"),
    };
    let tried = facts.last_sync.as_ref().filter(|sync| sync.commit.is_some() && sync.commit == facts.commit);
    let (sentence, evidence) = match (tried, &facts.undelivered) {
        (Some(sync), _) => {
            (format!("{what} not been delivered: the last sync left that."), Evidence::Operation(sync.operation))
        }
        (None, Some(key)) if n == 1 => {
            (format!("{what} not been delivered: no sync has run since."), Evidence::Object(key.clone()))
        }
        (None, _) => {
            (format!("{what} not been delivered: no sync has run since."), Evidence::Objects(ObjectState::Undelivered))
        }
    };
    Some(Cause { kind: CauseKind::Undelivered, code: None, sentence, evidence })
}

fn modified(n: u64, facts: &CauseFacts, now: Timestamp) -> Option<Cause> {
    let first = facts.changed.first()?;
    let (one, verb) = if first.gone { ("was deleted", "deleted") } else { ("was changed", "changed") };
    let (sentence, evidence) = match n {
        1 => (
            format!("{} {one} in the cluster{}.", named(&first.key), by(first, now)),
            Evidence::Object(first.key.clone()),
        ),
        _ => (
            format!("{} was {verb} in the cluster{}, and {} more.", named(&first.key), by(first, now), n - 1),
            match first.gone {
                true => Evidence::Objects(ObjectState::Missing),
                false => Evidence::Objects(ObjectState::Modified),
            },
        ),
    };
    Some(Cause { kind: CauseKind::Modified, code: None, sentence, evidence })
}

fn rollout(facts: &CauseFacts) -> Option<Cause> {
    let rollout = facts.rollout.as_ref().filter(|rollout| rollout.applied < rollout.total)?;
    let why = rollout.reason.clone().unwrap_or_default();
    let sentence =
        format!("Not applied everywhere: switches run {} of {} objects. {why}", rollout.applied, rollout.total);
    let sentence = sentence.trim_end().to_owned();
    Some(Cause { kind: CauseKind::Rollout, code: None, sentence, evidence: Evidence::Switches })
}

fn named(key: &ObjectKey) -> String {
    format!("{} {}", key.kind, key.name)
}

/// `, by kubectl-edit 3 min ago`, as far as it is known.
fn by(changed: &Changed, now: Timestamp) -> String {
    let when = changed.at.map(|at| format!("{} ago", in_words(now.duration_since(at))));
    match (&changed.manager, when) {
        (Some(manager), Some(when)) => format!(" by {manager} {when}"),
        (Some(manager), None) => format!(" by {manager}"),
        (None, Some(when)) => format!(" {when}"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Counts;

    fn now() -> Timestamp {
        Timestamp::from_second(1_000_000).unwrap()
    }

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("vpc.githedgehog.com", "VPC", "default", name)
    }

    fn status(state: SyncState, code: Option<Code>, counts: Counts) -> Status {
        let message = "What the status says.".to_owned();
        let failed = code.map(|_| FailureOf::Sync);
        Status { state, code, failed, message, since: None, evidence_at: None, fresh_until: None, counts: Some(counts) }
    }

    fn changed(name: &str, gone: bool) -> Changed {
        let at = (!gone).then(|| Timestamp::from_second(999_820).unwrap());
        Changed { key: key(name), manager: (!gone).then(|| "kubectl-edit".to_owned()), at, gone }
    }

    fn full() -> CauseFacts {
        CauseFacts {
            last_sync: Some(EndedSync { operation: 7, commit: Some("c1".into()), object: Some(key("web")) }),
            silent_sync: None,
            failed_comparison: None,
            unread_kind: Some("VPC.vpc.githedgehog.com".into()),
            commit: Some("4f2a9c1d0e".into()),
            faulty: None,
            undelivered: Some(key("new")),
            changed: vec![changed("web", false)],
            put_right: 0,
            rollout: Some(RolloutCounts {
                applied: 5,
                total: 7,
                reason: Some("leaf-04 has not been heard of for 5 min.".into()),
                blocked: true,
                at: None,
            }),
        }
    }

    #[test]
    fn each_failure_has_its_kind_and_leads_to_its_evidence() {
        let facts = full();
        for (code, kind, evidence) in [
            (Code::ConnectionFailed, CauseKind::Connection, Evidence::Operation(7)),
            (Code::KubernetesTimeout, CauseKind::Connection, Evidence::Operation(7)),
            (Code::ClusterChanged, CauseKind::Connection, Evidence::Settings),
            (Code::KubernetesUnauthorized, CauseKind::Credentials, Evidence::Kind("VPC.vpc.githedgehog.com".into())),
            (Code::ClusterConfigInvalid, CauseKind::Credentials, Evidence::Settings),
            (Code::SourceUnauthorized, CauseKind::Source, Evidence::Operation(7)),
            (Code::KubernetesRejected, CauseKind::Refused, Evidence::Object(key("web"))),
            (Code::DeadlineExceeded, CauseKind::Failed, Evidence::Operation(7)),
        ] {
            let found = cause(&status(SyncState::Error, Some(code), Counts::default()), &facts, now()).unwrap();
            assert_eq!((found.kind, found.evidence), (kind, evidence), "{code}");
            assert_eq!((found.code, found.sentence.as_str()), (Some(code), "What the status says."));
        }
        let status = status(SyncState::Error, Some(Code::ConnectionFailed), Counts::default());
        assert_eq!(cause(&status, &CauseFacts::default(), now()).unwrap().evidence, Evidence::Comparison);
        let silent = CauseFacts { silent_sync: Some(11), ..full() };
        let status = Status { code: Some(Code::Interrupted), ..status };
        assert_eq!(cause(&status, &silent, now()).unwrap().evidence, Evidence::Operation(11));
    }

    #[test]
    fn what_a_comparison_failed_on_is_not_what_the_last_sync_wrote() {
        let of = |code, facts: &CauseFacts| {
            let error = status(SyncState::Error, Some(code), Counts::default());
            let failed = Some(FailureOf::Comparison);
            cause(&Status { failed, ..error }, facts, now()).unwrap().evidence
        };
        let unread = Evidence::Kind("VPC.vpc.githedgehog.com".into());
        for code in [Code::KubernetesRejected, Code::KubernetesForbidden, Code::KubernetesTimeout] {
            assert_eq!(of(code, &full()), unread, "{code}");
        }
        let whole = CauseFacts { unread_kind: None, ..full() };
        let asked = CauseFacts { failed_comparison: Some(9), ..whole.clone() };
        for code in [Code::KubernetesRejected, Code::ConnectionFailed, Code::SourceUnreachable] {
            assert_eq!(of(code, &whole), Evidence::Comparison, "{code}: by itself");
            assert_eq!(of(code, &asked), Evidence::Operation(9), "{code}: somebody asked for it");
        }
    }

    #[test]
    fn of_what_differs_the_worst_is_named_with_who_and_when() {
        let of = |counts: Counts, facts: CauseFacts| {
            let found = cause(&status(SyncState::OutOfSync, None, counts), &facts, now()).unwrap();
            (found.kind, found.sentence, found.evidence)
        };
        let counts = |undelivered, modified, missing| Counts { undelivered, modified, missing, ..Counts::default() };
        let all = Counts { extra: 1, ..counts(2, 1, 0) };
        let faulty =
            CauseFacts { faulty: Some((key("bad"), "its subnet has host bits.".into())), put_right: 3, ..full() };
        assert_eq!(
            of(all, faulty),
            (CauseKind::Refused, "VPC bad: its subnet has host bits.".into(), Evidence::Object(key("bad")))
        );
        let (kind, sentence, evidence) = of(all, CauseFacts { put_right: 3, ..full() });
        assert_eq!((kind, evidence), (CauseKind::Fight, Evidence::Object(key("web"))));
        assert!(
            sentence.contains("put right by 3 of the last syncs") && sentence.contains("by kubectl-edit 3 min ago")
        );
        assert_eq!(of(all, CauseFacts { put_right: 1, ..full() }).0, CauseKind::Undelivered, "once is no fight");
        assert_eq!(
            of(all, full()),
            (
                CauseKind::Undelivered,
                "VPC new and 1 more of commit 4f2a9c1 have not been delivered: no sync has run since.".into(),
                Evidence::Objects(ObjectState::Undelivered)
            )
        );
        let left = CauseFacts { commit: Some("c1".into()), ..full() };
        let (_, sentence, evidence) = of(counts(1, 0, 0), left);
        assert_eq!(sentence, "VPC new of commit c1 has not been delivered: the last sync left that.");
        assert_eq!(evidence, Evidence::Operation(7));
        assert_eq!(
            of(counts(0, 1, 0), full()),
            (
                CauseKind::Modified,
                "VPC web was changed in the cluster by kubectl-edit 3 min ago.".into(),
                Evidence::Object(key("web"))
            )
        );
        let two = CauseFacts { changed: vec![changed("gone", true), changed("web", false)], ..full() };
        assert_eq!(of(counts(0, 1, 1), two).1, "VPC gone was deleted in the cluster, and 1 more.");
        let extra = Counts { extra: 1, ..Counts::default() };
        assert_eq!(of(extra, full()).0, CauseKind::Extra);
    }

    #[test]
    fn in_sync_it_is_the_switches_or_nothing() {
        let in_sync = status(SyncState::InSync, None, Counts::default());
        let found = cause(&in_sync, &full(), now()).unwrap();
        assert_eq!((found.kind, found.evidence), (CauseKind::Rollout, Evidence::Switches));
        assert!(
            found.sentence.starts_with("Not applied everywhere: switches run 5 of 7 objects. leaf-04"),
            "{}",
            found.sentence
        );
        assert_eq!(cause(&in_sync, &CauseFacts { rollout: None, ..full() }, now()), None);
        for quiet in [SyncState::Syncing, SyncState::NeverSynced] {
            assert_eq!(cause(&status(quiet, None, Counts::default()), &full(), now()), None, "{quiet}");
        }
    }
}
