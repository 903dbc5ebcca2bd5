//! What must hold before a sync writes its first object.

use crate::Error;
use crate::comparing::Compared;
use crate::observing::Observation;
use model::Code;
use model::manifest::{Finding, Severity};
use source::Desired;
use std::collections::BTreeSet;

/// What the check came to.
pub(crate) struct Checked {
    /// Why nothing may be written, if so.
    pub stop: Option<Error>,
    /// What was found, one sentence.
    pub sentence: String,
}

/// What the cluster itself would take although it is wrong, so that nobody else stops it. All other rules are the
/// webhooks' own: what they refuse they say in their own words, and a release that knows better is not overruled. Here
/// such findings are warnings.
const NOBODY_ELSE_STOPS: &[&str] = &["unhydrated", "discarded_vlan_range"];

/// Wiring that was never hydrated is not the fabric's desired state: nothing of it may be written.
const STOPS_THE_RUN: &str = "unhydrated";

/// Whether anything stands against writing.
pub(crate) fn check(compared: &Compared) -> Checked {
    let of_rules = compared.findings.of_rules();
    let stopping: Vec<&Finding> =
        of_rules.iter().filter(|f| f.severity == Severity::Error && f.rule == STOPS_THE_RUN).collect();
    let warnings = compared.findings.all.iter().filter(|f| f.severity == Severity::Warning).count();
    let stop = stopping.first().map(|first| {
        let more = match stopping.len() {
            1 => String::new(),
            n => format!(" And {} more; the operation lists them with file and line.", n - 1),
        };
        let object = first.object.as_ref().map(ToString::to_string);
        let named = object.clone().map(|o| format!("{o}: ")).unwrap_or_default();
        Error { object, ..Error::new(Code::PreflightFailed, format!("{named}{}{more}", first.with_place())) }
    });
    let sentence = match warnings {
        0 => "No objections".to_owned(),
        1 => "1 warning; the fabric's page shows it".to_owned(),
        n => format!("{n} warnings; the fabric's page lists them"),
    };
    Checked { stop, sentence }
}

/// The findings of the rules that Hedgehog itself does not check.
pub(crate) fn rules(desired: &Desired, observation: &Observation) -> Vec<Finding> {
    let manifests: Vec<_> = desired.manifests.iter().collect();
    let live: Vec<_> = observation.live.iter().map(|(key, live)| (key, live.as_ref())).collect();
    let kinds = desired.manifests.iter().map(|m| (m.key.group.as_str(), m.key.kind.as_str()));
    let referred = model::kind::KNOWN.iter().map(|k| (k.group, k.kind));
    let unread: BTreeSet<_> = kinds.chain(referred).filter(|(g, k)| !observation.has_read(g, k)).collect();
    let mut findings = model::preflight::check(&manifests, &live, &unread.into_iter().collect::<Vec<_>>());
    for finding in &mut findings {
        if !NOBODY_ELSE_STOPS.contains(&finding.rule.as_str()) {
            finding.severity = finding.severity.min(Severity::Warning);
        }
    }
    findings
}
