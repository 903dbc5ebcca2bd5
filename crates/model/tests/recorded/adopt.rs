//! What *adopt* would commit of the objects that Hedgehog's own controller stored: equal to them, and shorter.

use crate::shared::{lines, pairs, title};
use model::adopt;
use model::compare::{ObjectState, compare_object};
use model::manifest::{Limits, parse_file};
use serde_json::Value;

#[test]
fn every_stored_object_equals_its_manifest_and_the_manifest_its_text() {
    let changed = lines("changes.jsonl").into_iter().flatten().map(|step| step["stored"].clone());
    let stored = pairs().into_iter().flatten().map(|(_, stored)| stored).chain(changed.filter(Value::is_object));
    let mut shorter = 0;
    for stored in stored {
        let manifest = adopt::manifest(&stored).unwrap_or_else(|e| panic!("{}: {e}", title(&stored)));
        for (desired, live) in [(&manifest, &stored), (&stored, &manifest)] {
            let (state, diffs) = compare_object(Some(desired), Some(live), None);
            assert_eq!((state, &diffs[..]), (ObjectState::Equal, &[][..]), "{}: {manifest}", title(&stored));
        }
        let text = adopt::text(&manifest);
        let parsed = parse_file("a.yaml", text.as_bytes(), "default", &Limits::default());
        assert_eq!(parsed.findings, [], "{text}");
        assert_eq!(parsed.manifests[0].object.value(), manifest, "{text}");
        for noise in ["fabric.githedgehog.com/vpc", "uid:", "ecmp: {}", "redundancy: {}", "dnsServers: []"] {
            assert!(!text.contains(noise), "{noise}: {text}");
        }
        shorter += usize::from(manifest["spec"] != stored["spec"]);
    }
    assert!(pairs().is_none() || shorter > 20, "only {shorter} objects became shorter");
}

#[test]
fn no_agent_and_no_profile_becomes_a_manifest() {
    for object in ["agents.jsonl", "switchprofiles.jsonl"].into_iter().filter_map(lines).flatten() {
        let refused = adopt::manifest(&object).unwrap_err().to_string();
        assert!(refused.contains("not by people"), "{}: {refused}", title(&object));
    }
}
