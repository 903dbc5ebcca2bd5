//! Brings the files of a source together, and finds what stands twice.

use super::{Finding, Location, Manifest, Parsed};
use crate::object::ObjectKey;
use std::collections::HashMap;
use std::sync::Arc;

/// Everything that a source holds, in the order given. An object that stands twice is an error at both places, each
/// naming the other; the first is kept, blocked, so that its identity is known.
pub fn collect(files: impl IntoIterator<Item = (String, Parsed)>) -> Parsed {
    let mut all = Parsed::default();
    let mut first: HashMap<ObjectKey, usize> = HashMap::new();
    let mut again: Vec<Arc<Manifest>> = Vec::new();
    for (_, parsed) in files {
        all.findings.extend(parsed.findings);
        for manifest in parsed.manifests {
            if first.contains_key(&manifest.key) {
                again.push(manifest);
            } else {
                first.insert(manifest.key.clone(), all.manifests.len());
                all.manifests.push(manifest);
            }
        }
    }
    let mut others: HashMap<&ObjectKey, Vec<&Location>> = HashMap::new();
    for twin in &again {
        others.entry(&twin.key).or_default().push(&twin.location);
    }
    let mut findings = Vec::new();
    for manifest in &all.manifests {
        if let Some(locations) = others.get(&manifest.key) {
            findings.push(duplicate(manifest, locations));
        }
    }
    for twin in &again {
        let kept = &all.manifests[first[&twin.key]].location;
        let rest = others[&twin.key].iter().copied().filter(|location| **location != twin.location);
        let locations: Vec<&Location> = std::iter::once(kept).chain(rest).collect();
        findings.push(duplicate(twin, &locations));
    }
    all.findings.extend(findings);
    all
}

/// What stands at one place and at others: each of them is named, because the finding is read far from its file.
fn duplicate(manifest: &Manifest, others: &[&Location]) -> Finding {
    let mut places: Vec<String> =
        std::iter::once(&manifest.location).chain(others.iter().copied()).map(Location::to_string).collect();
    let often = match places.len() {
        2 => "twice".to_owned(),
        n => format!("{n} times"),
    };
    let last = places.pop().unwrap_or_default();
    let message = format!(
        "{} {} stands {often}: in {} and in {last}. Keep one of them; until then none is applied.",
        manifest.key.kind,
        manifest.key.name,
        places.join(", ")
    );
    Finding::error("duplicate_object", message).of(manifest)
}
