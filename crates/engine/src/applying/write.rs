//! The write of one object: create or replace what was compared, look again when somebody else was faster, try again what
//! is transient, and end with a word for it.

use super::words::{describe, describe_change, in_one_line, kept, overwritten};
use super::{ROUNDS, Writer, may_be_done};
use crate::comparing::Differing;
use cluster::{ErrorKind, KindInfo};
use model::compare::{FieldDiff, ObjectState, compare_object, desired_for_write, removed_link_addresses};
use model::operation::{ObjectOutcome, OutcomeDetail, OutcomeKind, Phase};
use model::plan::{MissingReference, reference_not_found};
use model::{Code, ObjectKey};
use serde_json::Value;
use std::sync::Arc;

/// The write that one look at an object asks for.
enum Step {
    Create(Value),
    Replace(Value),
}

/// What a second look at an object says.
enum Again {
    /// Try again on this form.
    Go(Option<Arc<Value>>),
    /// It is as desired already.
    Settled,
    /// Somebody else changed it: what was compared, against what is there now.
    Changed(Vec<FieldDiff>),
    /// It was not there when it was compared, and is now, in another form: the desired one against what is there.
    Appeared(Vec<FieldDiff>),
    /// Somebody else deleted it.
    Gone,
}

impl Writer<'_> {
    /// Brings one object to its end.
    pub(super) async fn settle(&self, d: &Differing) -> ObjectOutcome {
        let key = &d.manifest.key;
        let Some(kind) = self.kinds.find(&key.group, &key.kind) else {
            let message = format!("The cluster does not serve the kind {}.", d.manifest.gvk());
            return self.refusal(key, OutcomeKind::NotAttempted, Code::KubernetesRejected, message, 0);
        };
        if let Some(why) = self.rules.too_soon.get(key) {
            let outcome =
                self.refusal(key, OutcomeKind::WaitingForReference, Code::DeletionPending, why.message.clone(), 0);
            return with(outcome, |detail| detail.waiting_for = Some(why.waiting_for.clone()));
        }
        if let Some(going) = d.deletion() {
            let message =
                format!("{} It can only be created again when it is gone; sync again then.", going.sentence());
            let outcome = self.refusal(key, OutcomeKind::WaitingForReference, Code::DeletionPending, message, 0);
            let held = going.finalizers.first().map(|name| format!("finalizer {name}"));
            return with(outcome, |detail| detail.waiting_for = held);
        }
        if let Some(unseen) = self.unseen(d) {
            return unseen;
        }
        let outcome = self.write_until_settled(kind, d).await;
        with(outcome, |detail| detail.left_fields = d.left_names())
    }

    /// What changed in the cluster after the comparison that the page showed is not overwritten. Where the live form is
    /// the one that Hedgerow itself verified last, there is nothing of others to overwrite.
    fn unseen(&self, d: &Differing) -> Option<ObjectOutcome> {
        let shown = self.rules.shown_comparison?;
        let of_others = matches!(d.state, ObjectState::Modified | ObjectState::Conflict) || d.base.is_none();
        if d.live.is_none() || !of_others || d.changed_in.is_some_and(|at| at <= shown) {
            return None;
        }
        let message = format!(
            "It changed in the cluster after the comparison that the page showed ({}); it was not overwritten. Look at \
             the differences and sync again.",
            in_one_line(&d.diffs, describe)
        );
        let key = &d.manifest.key;
        let outcome = self.refusal(key, OutcomeKind::ChangedMeanwhile, Code::ChangedSinceComparison, message, 0);
        Some(with(outcome, |detail| detail.fields = kept(&d.diffs)))
    }

    async fn write_until_settled(&self, kind: &KindInfo, d: &Differing) -> ObjectOutcome {
        let (key, dry_run) = (&d.manifest.key, self.rules.dry_run);
        let mut live = d.live();
        let overwrote = overwritten(d.state, d.base.is_none(), &d.diffs);
        let (mut rounds, mut retries, mut attempts) = (0, 0, 0);
        // Whether a try may have been carried out, though it failed.
        let mut lost = false;
        loop {
            let step = match self.decide(d, live.as_deref(), attempts) {
                Ok(step) => step,
                Err(outcome) => return *outcome,
            };
            if let Err(outcome) = self.may_send(key, attempts) {
                return *outcome;
            }
            attempts += 1;
            let (written, kind_of_outcome) = match &step {
                Step::Create(object) => (self.cluster.create(kind, object, dry_run).await, OutcomeKind::Created),
                Step::Replace(object) => (self.cluster.replace(kind, object, dry_run).await, OutcomeKind::Updated),
            };
            self.hear(key, &written, &mut lost);
            let error = match written {
                Ok(written) => {
                    let message = written.warnings.join("; ");
                    let outcome = ObjectOutcome { message, overwrote, ..self.outcome(key, kind_of_outcome, attempts) };
                    return with(outcome, |detail| {
                        detail.fields = kept(&d.diffs);
                        detail.warnings = written.warnings;
                    });
                }
                Err(e) => e,
            };
            let code = error.code();
            // An object that was compared and is not there any more is a conflict too, though the server says 404.
            let is_gone = error.kind == ErrorKind::NotFound && matches!(step, Step::Replace(_));
            if code == Code::KubernetesConflict || is_gone {
                match self.look_again(kind, d, live.as_deref()).await {
                    Ok(Again::Go(now)) if rounds < ROUNDS => {
                        rounds += 1;
                        live = now;
                        continue;
                    }
                    Ok(Again::Settled) => {
                        let (outcome, message) = match lost {
                            true => (
                                kind_of_outcome,
                                "It was made so by an earlier try whose answer was lost, or by somebody else.",
                            ),
                            false => (OutcomeKind::Unchanged, "It was made so by somebody else meanwhile."),
                        };
                        let message = message.to_owned();
                        return ObjectOutcome { message, overwrote, ..self.outcome(key, outcome, attempts) };
                    }
                    Ok(Again::Go(_)) => {
                        let message = format!("It was changed {rounds} times while it was being written: {error}");
                        return self.changed(key, message, &[], attempts);
                    }
                    Ok(Again::Changed(changes)) => {
                        let how = in_one_line(&changes, describe_change);
                        let message = format!("It was changed between comparison and write ({how}); not overwritten.");
                        return self.changed(key, message, &changes, attempts);
                    }
                    Ok(Again::Appeared(diffs)) => {
                        let who = match lost {
                            true => "by an earlier try whose answer was lost, or by somebody else",
                            false => "by somebody else",
                        };
                        let how = in_one_line(&diffs, describe);
                        let message =
                            format!("It was created {who} between comparison and write ({how}); not overwritten.");
                        return self.changed(key, message, &diffs, attempts);
                    }
                    Ok(Again::Gone) => {
                        let message =
                            "It was deleted from the cluster between comparison and write; it was not made anew.";
                        return self.changed(key, message.to_owned(), &[], attempts);
                    }
                    Err(e) => return self.failed(key, &e, attempts, lost),
                }
            }
            let missing = reference_not_found(&error.message).filter(|m| !m.is_provided_by(key));
            if let Some(missing) = missing.as_ref().filter(|_| dry_run)
                && self.plan.providers(missing).next().is_some()
            {
                return self.not_to_judge(key, missing, attempts);
            }
            let may_come = missing.as_ref().is_some_and(|missing| self.may_come(missing));
            if self.next_try(Phase::Apply, key, &error, may_come, &mut retries).await {
                continue;
            }
            return match missing.filter(|missing| self.is_to_come(missing)) {
                Some(missing) => self.waits(key, &missing, &error, attempts),
                None => self.failed(key, &error, attempts, lost),
            };
        }
    }

    /// Whether this run may still provide what a webhook did not find: it is being written, or was, and the webhook's
    /// own view lags behind.
    fn may_come(&self, missing: &MissingReference) -> bool {
        let given_up = self.given_up();
        self.plan.providers(missing).any(|key| !given_up.contains(key))
    }

    /// Whether the source names what a webhook did not find, so that it is waited for and is no mistake.
    fn is_to_come(&self, missing: &MissingReference) -> bool {
        self.plan.providers(missing).next().is_some() || self.rules.beside.iter().any(|k| missing.is_provided_by(k))
    }

    /// The outcome of an object whose reference did not come.
    fn waits(
        &self,
        key: &ObjectKey,
        missing: &MissingReference,
        error: &cluster::Error,
        attempts: u32,
    ) -> ObjectOutcome {
        let waiting_for = format!("{} {}", missing.kind, missing.name);
        let why = match self.plan.providers(missing).next() {
            Some(_) => "this run could not write",
            None => "this run was not to write",
        };
        let message = format!("It waits for {waiting_for}, which {why}: {error}");
        let outcome = self.refusal(key, OutcomeKind::WaitingForReference, error.code(), message, attempts);
        with(outcome, |detail| {
            detail.waiting_for = Some(waiting_for);
            detail.webhook.clone_from(&error.webhook);
        })
    }

    /// A dry run writes nothing, so the server cannot see what this run would create.
    fn not_to_judge(&self, key: &ObjectKey, missing: &MissingReference, attempts: u32) -> ObjectOutcome {
        let waiting_for = format!("{} {}", missing.kind, missing.name);
        let message = format!(
            "The server cannot judge it yet: it refers to {waiting_for}, which a sync writes before. That is no objection."
        );
        let outcome = ObjectOutcome { message, ..self.outcome(key, OutcomeKind::WaitingForReference, attempts) };
        with(outcome, |detail| detail.waiting_for = Some(waiting_for))
    }

    /// The outcome of what is not tried any more. Where a try may have been carried out (`lost`), that is not known before
    /// the object is read again.
    pub(super) fn failed(&self, key: &ObjectKey, error: &cluster::Error, attempts: u32, lost: bool) -> ObjectOutcome {
        let kind = match error.code() {
            _ if lost => OutcomeKind::Unknown,
            Code::KubernetesRejected => OutcomeKind::Refused,
            _ => OutcomeKind::Failed,
        };
        let message = match lost && !may_be_done(error) {
            true => format!("An earlier try had no answer, and then {error}"),
            false => error.to_string(),
        };
        let outcome = self.refusal(key, kind, error.code(), message, attempts);
        with(outcome, |detail| detail.webhook.clone_from(&error.webhook))
    }

    pub(super) fn changed(
        &self,
        key: &ObjectKey,
        message: String,
        changes: &[FieldDiff],
        attempts: u32,
    ) -> ObjectOutcome {
        let code = Code::KubernetesConflict;
        let outcome = self.refusal(key, OutcomeKind::ChangedMeanwhile, code, message, attempts);
        with(outcome, |detail| detail.fields = kept(changes))
    }

    /// The write that is to be done, or the outcome of an object that is not to be written.
    fn decide(&self, d: &Differing, live: Option<&Value>, attempts: u32) -> Result<Step, Box<ObjectOutcome>> {
        let key = &d.manifest.key;
        let object = desired_for_write(&d.wanted(live), live, d.base().as_ref());
        let Some(live) = live else { return Ok(Step::Create(object)) };
        let lost = removed_link_addresses(&object, live);
        if !lost.is_empty() && !self.rules.allow_address_removal {
            let paths = lost.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let message = format!("The write would take away addresses that the live object has ({paths}).");
            let kind = OutcomeKind::NotAttempted;
            return Err(Box::new(self.refusal(key, kind, Code::AddressRemoval, message, attempts)));
        }
        Ok(Step::Replace(object))
    }

    /// After a conflict: what is there now, and does it still leave us free to write?
    async fn look_again(
        &self,
        kind: &KindInfo,
        d: &Differing,
        compared: Option<&Value>,
    ) -> Result<Again, cluster::Error> {
        let key = &d.manifest.key;
        let now = self.cluster.get(kind, &key.namespace, &key.name).await?;
        let Some(now) = now else {
            return Ok(if compared.is_some() { Again::Gone } else { Again::Go(None) });
        };
        let (state, diffs) = compare_object(Some(&d.wanted(Some(&now))), Some(&now), d.base().as_ref());
        if state == ObjectState::Equal {
            return Ok(Again::Settled);
        }
        let Some(compared) = compared else { return Ok(Again::Appeared(diffs)) };
        // Only status or metadata moved: what was compared still stands, so the write is taken up again.
        let (same, changes) = compare_object(Some(compared), Some(&now), None);
        if same == ObjectState::Equal {
            return Ok(Again::Go(Some(Arc::new(now))));
        }
        Ok(Again::Changed(changes))
    }
}

/// An outcome with more known of it.
pub(super) fn with(mut outcome: ObjectOutcome, change: impl FnOnce(&mut OutcomeDetail)) -> ObjectOutcome {
    change(&mut outcome.detail);
    outcome
}
