//! What must hold before a sync writes its first object.

use crate::comparing::Compared;
use crate::observing::Observation;
use crate::pruning::Pruning;
use crate::selecting::Part;
use crate::{Error, blocking::compute};
use model::manifest::{Finding, Manifest, Severity};
use model::sync_options::SyncOptions;
use model::{Body, Code, ObjectKey};
use serde_json::Value;
use source::Desired;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// What the check came to.
pub(crate) struct Checked {
    /// Why nothing may be written, if so.
    pub stop: Option<Error>,
    /// What was found, one sentence.
    pub sentence: String,
    /// What is doubtful about what this run is about; recorded with it.
    pub warnings: Vec<Finding>,
}

/// What the cluster itself would take although it is wrong, so that nobody else stops it. All other rules are the
/// webhooks' own: what they refuse they say in their own words, and a release that knows better is not overruled. Here
/// such findings are warnings.
const NOBODY_ELSE_STOPS: &[&str] = &["unhydrated", "discarded_vlan_range"];

/// Findings about an object that is to be written which end the run before its first write. Wiring that was never
/// hydrated is not the fabric's desired state; a subnet that goes away under what stays and uses it leaves that hanging in
/// the air, and nobody else stops it.
const STOPS_THE_RUN: &[&str] = &["unhydrated", "subnet_in_use"];

/// Whether anything stands against writing. Where the run is not about everything, or deletes, the rules look once more:
/// at the world as this run would leave it.
pub(crate) async fn check(
    compared: &Compared,
    desired: &Arc<Desired>,
    part: &Part,
    pruning: &Pruning,
    options: &SyncOptions,
) -> Result<Checked, Error> {
    let is_whole = part.is_all && part.left.is_empty() && pruning.steps.is_empty() && options.leave_fields.is_empty();
    let findings = if is_whole {
        compared.findings.all.clone()
    } else {
        let (desired, observation) = (desired.clone(), compared.observation.clone());
        let beside: HashSet<_> = part.beside.iter().cloned().collect();
        let gone: HashSet<_> = pruning.steps.iter().flatten().map(|going| going.key.clone()).collect();
        // What is left as it is in the cluster is no edit of this run.
        let changed: Vec<Manifest> = part
            .differing
            .iter()
            .filter(|d| !d.left.is_empty())
            .map(|d| Manifest { object: Body::from(&*d.wanted(d.live.as_deref())), ..d.manifest.clone() })
            .collect();
        let of_source = compared.findings.of_source().to_vec();
        let of_rules = compute("Checking what this run would leave", move || {
            rules_of_part(&desired, &observation, &observation.live.parsed(), &changed, &beside, &gone)
        });
        [of_source, of_rules.await?].concat()
    };
    let written: HashSet<_> = part.differing.iter().map(|d| &d.manifest.key).collect();
    let concerned: HashSet<_> = part.equal.iter().chain(written.iter().copied()).collect();
    let stopping: Vec<&Finding> = findings
        .iter()
        .filter(|f| STOPS_THE_RUN.contains(&f.rule.as_str()))
        .filter(|f| f.object.as_ref().is_some_and(|key| written.contains(key) || is_blocked(part, key)))
        .collect();
    let stop = stopping.first().map(|first| {
        let more = match stopping.len() {
            1 => String::new(),
            n => format!(" And {} more; the operation lists them with file and line.", n - 1),
        };
        let object = first.object.as_ref().map(ToString::to_string);
        let named = object.clone().map(|o| format!("{o}: ")).unwrap_or_default();
        Error { object, ..Error::new(Code::PreflightFailed, format!("{named}{}{more}", first.with_place())) }
    });
    let is_about = |f: &&Finding| f.object.as_ref().is_none_or(|key| concerned.contains(key));
    let warnings: Vec<Finding> =
        findings.iter().filter(|f| f.severity == Severity::Warning).filter(is_about).cloned().collect();
    let sentence = match warnings.len() {
        0 => "No objections".to_owned(),
        1 => "1 warning; the fabric's page shows it".to_owned(),
        n => format!("{n} warnings; the fabric's page lists them"),
    };
    Ok(Checked { stop, sentence, warnings })
}

fn is_blocked(part: &Part, key: &ObjectKey) -> bool {
    part.blocked.iter().any(|(blocked, _)| blocked == key)
}

/// The findings of the rules that Hedgehog itself does not check.
pub(crate) fn rules(desired: &Desired, observation: &Observation, live: &[(&ObjectKey, Value)]) -> Vec<Finding> {
    rules_of_part(desired, observation, live, &[], &HashSet::new(), &HashSet::new())
}

/// The same for what a run is about: `changed` manifests instead of those of the source, without what is `beside`, and
/// without what is `gone` from the cluster by it.
fn rules_of_part(
    desired: &Desired,
    observation: &Observation,
    live: &[(&ObjectKey, Value)],
    changed: &[Manifest],
    beside: &HashSet<ObjectKey>,
    gone: &HashSet<ObjectKey>,
) -> Vec<Finding> {
    let part = desired.manifests.iter().filter(|m| !beside.contains(&m.key));
    let manifests: Vec<&Manifest> = part.map(|m| changed.iter().find(|c| c.key == m.key).unwrap_or(&**m)).collect();
    let live: Vec<_> = live.iter().filter(|(key, _)| !gone.contains(*key)).map(|(key, live)| (*key, live)).collect();
    let kinds = desired.manifests.iter().map(|m| (m.key.group.as_str(), m.key.kind.as_str()));
    let referred = model::kind::KNOWN.iter().map(|k| (k.group, k.kind));
    let unread: BTreeSet<_> = kinds.chain(referred).filter(|(g, k)| !observation.has_read(g, k)).collect();
    let unread: Vec<_> = unread.into_iter().collect();
    let beside: Vec<_> = beside.iter().collect();
    let mut findings = model::preflight::check_part(&manifests, &live, &unread, &beside);
    for finding in &mut findings {
        if !NOBODY_ELSE_STOPS.contains(&finding.rule.as_str()) {
            finding.severity = finding.severity.min(Severity::Warning);
        }
    }
    findings
}
