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
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// What the check came to.
pub(crate) struct Checked {
    /// Why nothing may be written, if so.
    pub stop: Option<Error>,
    /// What is wrong with each object that ends the run, with file and line.
    pub wrong: BTreeMap<ObjectKey, String>,
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
/// the air, and nobody else stops it; what refers to something that is neither in the source nor in the cluster would be
/// refused when the run is half done, or, without webhooks, be written and lead nowhere.
const STOPS_THE_RUN: &[&str] = &["unhydrated", "subnet_in_use", "missing_reference"];

/// What a finding's object is to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is to be written.
    Written,
    /// It would be, if nothing stood against it.
    Blocked,
    /// It is equal.
    Equal,
    /// The run is not about it.
    Beside,
}

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
            .map(|d| Manifest { object: Body::from(&d.wanted(d.live().as_deref())), ..(*d.manifest).clone() })
            .collect();
        let of_source = compared.findings.of_source().to_vec();
        let of_rules = compute("Checking what this run would leave", move || {
            let live = observation.live.parts(model::part::Part::Stated);
            let live: Vec<_> = live.iter().map(|(key, live)| (*key, live)).collect();
            let has_read = |group: &str, kind: &str| observation.has_read(group, kind);
            let leaving = Leaving { changed, beside, gone };
            rules_of_part(&desired.manifests, &desired.findings, &live, has_read, &leaving)
        });
        [of_source, of_rules.await?].concat()
    };
    let written: HashSet<_> = part.differing.iter().map(|d| &d.manifest.key).collect();
    let equal: HashSet<_> = part.equal.iter().collect();
    let blocked: HashSet<_> = part.blocked.iter().map(|(key, _)| key).collect();
    Ok(judge(&findings, |key| match key {
        key if written.contains(key) => Standing::Written,
        key if blocked.contains(key) => Standing::Blocked,
        key if equal.contains(key) => Standing::Equal,
        _ => Standing::Beside,
    }))
}

/// What the findings mean for a run, given what each object is to it.
pub(crate) fn judge(findings: &[Finding], standing: impl Fn(&ObjectKey) -> Standing) -> Checked {
    let stopping: Vec<&Finding> =
        findings.iter().filter(|f| f.object.as_ref().is_some_and(|key| stops_the_run(f, standing(key)))).collect();
    let stop = stopping.first().map(|first| {
        let more = match stopping.len() {
            1 => String::new(),
            n => format!(" And {} more; the operation lists them with file and line.", n - 1),
        };
        let object = first.object.as_ref().map(ToString::to_string);
        // Most sentences name their object already.
        let is_named = |key: &&ObjectKey| first.message.starts_with(&format!("{} {}", key.kind, key.name));
        let named = first.object.as_ref().filter(|key| !is_named(key)).map(|o| format!("{o}: ")).unwrap_or_default();
        Error { object, ..Error::new(Code::PreflightFailed, format!("{named}{}{more}", first.with_place())) }
    });
    let mut wrong = BTreeMap::new();
    for finding in &stopping {
        if let Some(key) = &finding.object {
            wrong.entry(key.clone()).or_insert_with(|| finding.with_place());
        }
    }
    let is_about =
        |f: &&Finding| f.object.as_ref().is_none_or(|k| matches!(standing(k), Standing::Written | Standing::Equal));
    let warnings: Vec<Finding> =
        findings.iter().filter(|f| f.severity == Severity::Warning).filter(is_about).cloned().collect();
    let sentence = match warnings.len() {
        0 => "No objections".to_owned(),
        1 => "1 warning; it is listed below".to_owned(),
        n => format!("{n} warnings; they are listed below"),
    };
    Checked { stop, wrong, sentence, warnings }
}

/// Whether a finding ends a run before its first write.
pub(crate) fn stops_the_run(finding: &Finding, standing: Standing) -> bool {
    STOPS_THE_RUN.contains(&finding.rule.as_str()) && matches!(standing, Standing::Written | Standing::Blocked)
}

/// The findings of the rules that Hedgehog itself does not check.
pub(crate) fn rules(desired: &Desired, observation: &Observation, live: &[(&ObjectKey, Value)]) -> Vec<Finding> {
    let live: Vec<_> = live.iter().map(|(key, live)| (*key, live)).collect();
    let has_read = |group: &str, kind: &str| observation.has_read(group, kind);
    rules_of_part(&desired.manifests, &desired.findings, &live, has_read, &Leaving::default())
}

/// What a run does not do as the source and the cluster have it.
#[derive(Default)]
pub(crate) struct Leaving {
    /// Manifests as this run wants them, instead of those of the source.
    pub changed: Vec<Manifest>,
    /// What the source names and the run is not about.
    pub beside: HashSet<ObjectKey>,
    /// What is gone from the cluster by it.
    pub gone: HashSet<ObjectKey>,
}

/// The same for what a run is about. `of_source` is what was found when the source was read; `has_read` says of a group and
/// a kind whether the cluster's objects are known.
pub(crate) fn rules_of_part(
    source: &[Arc<Manifest>],
    of_source: &[Finding],
    live: &[(&ObjectKey, &Value)],
    has_read: impl Fn(&str, &str) -> bool,
    leaving: &Leaving,
) -> Vec<Finding> {
    let Leaving { changed, beside, gone } = leaving;
    let part = source.iter().filter(|m| !beside.contains(&m.key));
    let manifests: Vec<&Manifest> = part.map(|m| changed.iter().find(|c| c.key == m.key).unwrap_or(&**m)).collect();
    let live: Vec<_> = live.iter().copied().filter(|(key, _)| !gone.contains(*key)).collect();
    let kinds = source.iter().map(|m| (m.key.group.as_str(), m.key.kind.as_str()));
    let referred = model::kind::KNOWN.iter().map(|k| (k.group, k.kind));
    let unread: BTreeSet<_> = kinds.chain(referred).filter(|(g, k)| !has_read(g, k)).collect();
    let unread: Vec<_> = unread.into_iter().collect();
    let beside: Vec<_> = beside.iter().collect();
    let broken: Vec<_> = of_source.iter().filter(|finding| finding.is_of_broken_document()).collect();
    let mut findings = model::preflight::check_part(&manifests, &live, &unread, &beside, &broken);
    for finding in &mut findings {
        if !NOBODY_ELSE_STOPS.contains(&finding.rule.as_str()) {
            finding.severity = finding.severity.min(Severity::Warning);
        }
    }
    findings
}
