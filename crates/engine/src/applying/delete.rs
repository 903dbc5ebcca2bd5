//! The deletion of one object: only the very one that was looked at, and it is waited for until it is gone.

use super::words::{describe_change, in_one_line};
use super::write::with;
use super::{ROUNDS, Writer};
use cluster::{ErrorKind, KindInfo};
use model::compare::{Deletion, ObjectState, compare_object};
use model::operation::{ObjectOutcome, OutcomeKind, Phase};
use model::references::references;
use model::{Code, ObjectKey};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How long a deleted object may take until it is gone: somebody's finalizers may keep it.
const GONE_WITHIN: Duration = Duration::from_secs(15);

/// Of an object that is waited for.
const ACCEPTED: &str = "Its deletion was accepted. It was not seen to be gone.";

/// One object that is to go.
pub(crate) struct Going {
    /// Which object.
    pub key: ObjectKey,
    /// As it was looked at.
    pub live: Arc<Value>,
    /// Why it stays after all, although the plan has it.
    pub unseen: Option<String>,
    /// Whether something that stays uses it, so that a refusal is meant and not late.
    pub is_guarded: bool,
}

fn meta<'v>(object: &'v Value, field: &str) -> &'v str {
    object.pointer(&format!("/metadata/{field}")).and_then(Value::as_str).unwrap_or_default()
}

impl Writer<'_> {
    /// Brings one deletion to its end.
    pub(super) async fn prune(&self, going: &Going) -> ObjectOutcome {
        let key = &going.key;
        let Some(kind) = self.kinds.find(&key.group, &key.kind) else {
            let message = format!("The cluster does not serve the kind {}.", key.kind);
            return self.refusal(key, OutcomeKind::NotAttempted, Code::KubernetesRejected, message, 0);
        };
        if let Some(why) = &going.unseen {
            let code = Code::ChangedSinceComparison;
            return self.refusal(key, OutcomeKind::ChangedMeanwhile, code, why.clone(), 0);
        }
        let users = self.users_that_go(key);
        let stays: Vec<String> = users.iter().filter(|user| !self.is_done(user)).map(title).collect();
        if !self.rules.dry_run && !stays.is_empty() {
            let message = format!("Not deleted: {} still uses it.", stays.join(", "));
            let outcome = self.refusal(key, OutcomeKind::NotAttempted, Code::Partial, message, 0);
            return with(outcome, |detail| detail.waiting_for = stays.first().cloned());
        }
        self.delete_until_settled(kind, going, &users).await
    }

    async fn delete_until_settled(&self, kind: &KindInfo, going: &Going, users: &[ObjectKey]) -> ObjectOutcome {
        let (key, dry_run) = (&going.key, self.rules.dry_run);
        let mut live = going.live.clone();
        let (mut rounds, mut retries, mut attempts) = (0, 0, 0);
        // Whether a try may have been carried out, though it failed.
        let mut lost = false;
        loop {
            let (uid, version) = (meta(&live, "uid"), meta(&live, "resourceVersion"));
            if let Err(outcome) = self.may_send(key, attempts) {
                return *outcome;
            }
            attempts += 1;
            let deleted = self.cluster.delete(kind, &key.namespace, &key.name, uid, version, dry_run).await;
            self.hear(key, &deleted, &mut lost);
            let error = match deleted {
                Ok(()) if dry_run => return self.outcome(key, OutcomeKind::Pruned, attempts),
                Ok(()) => return self.wait_until_gone(kind, key, uid, attempts).await,
                Err(e) => e,
            };
            let code = error.code();
            if error.kind == ErrorKind::NotFound {
                let message = match lost {
                    true => "It was deleted by an earlier try whose answer was lost, or by somebody else since.",
                    false => "Somebody else deleted it before.",
                };
                return ObjectOutcome {
                    message: message.to_owned(),
                    ..self.outcome(key, OutcomeKind::Pruned, attempts)
                };
            }
            if code == Code::KubernetesConflict {
                let now = match self.cluster.get(kind, &key.namespace, &key.name).await {
                    Ok(now) => now,
                    Err(e) => return self.failed(key, &e, attempts, lost),
                };
                let Some(now) = now else { continue };
                if meta(&now, "uid") != uid {
                    let message = match lost {
                        true => {
                            "It was deleted by an earlier try whose answer was lost, or by somebody else since, and \
                             somebody made another one of that name; that one was not deleted."
                        }
                        false => "Somebody else deleted it and made another one of that name; it was not deleted.",
                    };
                    return self.changed(key, message.to_owned(), &[], attempts);
                }
                // It goes already, by an earlier try or by somebody else: what is left is to wait.
                if !dry_run && Deletion::of(&now).is_some() {
                    return self.wait_until_gone(kind, key, uid, attempts).await;
                }
                let (state, changes) = compare_object(Some(&live), Some(&now), None);
                let kept = model::prune::opt_out(&now);
                if state == ObjectState::Equal && kept.is_none() && rounds < ROUNDS {
                    rounds += 1;
                    live = Arc::new(now);
                    continue;
                }
                let how = match kept {
                    Some(note) => format!("it is to be kept: {note}"),
                    None => in_one_line(&changes, describe_change),
                };
                let message = format!("It was changed between comparison and deletion ({how}); it was not deleted.");
                return self.changed(key, message, &changes, attempts);
            }
            if dry_run && code == Code::KubernetesRejected && !users.is_empty() {
                let users = users.iter().map(title).collect::<Vec<_>>().join(", ");
                let message = format!(
                    "The server cannot judge it yet: {users} uses it, which a sync deletes or changes before. That is no \
                     objection."
                );
                let outcome =
                    ObjectOutcome { message, ..self.outcome(key, OutcomeKind::WaitingForReference, attempts) };
                return with(outcome, |detail| detail.waiting_for = Some(users));
            }
            // What used it is gone by this very run: the webhook's own view lags behind.
            let lags = code == Code::KubernetesRejected && !users.is_empty() && !going.is_guarded;
            if self.next_try(Phase::Prune, key, &error, lags, &mut retries).await {
                continue;
            }
            return self.failed(key, &error, attempts, lost);
        }
    }

    /// An accepted deletion is done when the object is not there any more.
    async fn wait_until_gone(&self, kind: &KindInfo, key: &ObjectKey, uid: &str, attempts: u32) -> ObjectOutcome {
        // The run may be ended meanwhile: then this is what is known of it.
        let accepted = OutcomeKind::NotVerified;
        self.amend(ObjectOutcome { message: ACCEPTED.to_owned(), ..self.outcome(key, accepted, attempts) });
        let until = tokio::time::Instant::now() + GONE_WITHIN;
        let mut pause = Duration::from_millis(50);
        loop {
            let still = match self.cluster.get(kind, &key.namespace, &key.name).await {
                Ok(None) => {
                    let message = left_behind(key).to_owned();
                    return ObjectOutcome { message, ..self.outcome(key, OutcomeKind::Pruned, attempts) };
                }
                Ok(Some(now)) if meta(&now, "uid") != uid => {
                    let message = "It was deleted; another one of that name was made since.".to_owned();
                    return ObjectOutcome { message, ..self.outcome(key, OutcomeKind::Pruned, attempts) };
                }
                Ok(Some(now)) => {
                    match Deletion::of(&now).map(|going| going.finalizers).unwrap_or_default().as_slice() {
                        [] => "It is being deleted".to_owned(),
                        names => format!("Its finalizers keep it ({})", names.join(", ")),
                    }
                }
                Err(e) if !e.is_transient() => {
                    let message = format!("The deletion was accepted, but whether it is gone could not be read: {e}");
                    return self.refusal(key, OutcomeKind::NotVerified, e.code(), message, attempts);
                }
                Err(e) => format!("Whether it is gone is not known: {e}"),
            };
            if tokio::time::Instant::now() >= until {
                let limit = GONE_WITHIN.as_secs();
                let message = format!("The deletion was accepted, but it was still there after {limit} s. {still}.");
                return self.refusal(key, OutcomeKind::NotVerified, Code::NotVerified, message, attempts);
            }
            self.run.detail(Phase::Prune, format!("Waiting until {} is gone. {still}.", title(key)));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// What refers to an object as it is in the cluster now, and is to be deleted or changed by this run before it.
    fn users_that_go(&self, key: &ObjectKey) -> Vec<ObjectKey> {
        let names = |user: &ObjectKey, live: &Value| references(user, live).iter().any(|r| r.is_to(key));
        let deleted = self.going.iter().filter(|g| g.key != *key && names(&g.key, &g.live)).map(|g| g.key.clone());
        let freed = self.frees.get(key).into_iter().flatten().cloned();
        deleted.chain(freed).collect()
    }
}

/// What has to be done by hand when an object is gone; mostly nothing.
pub(crate) fn left_behind(key: &ObjectKey) -> &'static str {
    if key.kind == "Switch" { "Hedgehog leaves its Agent behind; delete that by hand." } else { "" }
}

fn title(key: &ObjectKey) -> String {
    format!("{} {}", key.kind, key.name)
}
