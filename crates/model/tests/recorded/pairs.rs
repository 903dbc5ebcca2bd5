//! What was applied equals what was stored, in both directions, and nothing is left to explain.

use crate::shared::{lines, pairs, title};
use model::compare::{ObjectState, compare_object, desired_for_write, removed_link_addresses};
use model::normalise::normalise;

#[test]
fn every_pair_is_equal_in_both_directions() {
    for (applied, stored) in pairs().into_iter().flatten() {
        for (desired, live) in [(&applied, &stored), (&stored, &applied), (&applied, &applied)] {
            let (state, diffs) = compare_object(Some(desired), Some(live), None);
            assert_eq!((state, &diffs[..]), (ObjectState::Equal, &[][..]), "{}", title(&applied));
        }
        assert_eq!(normalise(&applied)["spec"], normalise(&stored)["spec"], "{}", title(&applied));
        assert_eq!(normalise(&stored), normalise(&normalised_again(&stored)), "{}: not stable", title(&stored));
    }
}

/// The canonical form, put back into the shape of an object.
fn normalised_again(object: &serde_json::Value) -> serde_json::Value {
    let mut again = normalise(object);
    again["apiVersion"] = object["apiVersion"].clone();
    again
}

#[test]
fn every_accepted_change_is_equal_to_what_was_sent() {
    for step in lines("changes.jsonl").into_iter().flatten() {
        // What server-side apply left behind is the very thing that differs; only whole writes count here.
        if step["how"] == "put" && step["verdict"] == "accepted" {
            let (state, diffs) = compare_object(Some(&step["object"]), Some(&step["stored"]), None);
            assert_eq!((state, &diffs[..]), (ObjectState::Equal, &[][..]), "{}", step["case"]);
        }
        if step["case"] == "remove the attached subnet" {
            let (state, diffs) = compare_object(Some(&step["object"]), Some(&step["stored"]), None);
            assert_eq!(state, ObjectState::Undelivered);
            assert!(diffs.iter().all(|d| d.path.starts_with("spec.subnets.two")), "{diffs:?}");
        }
    }
}

#[test]
fn lesson_43_wiring_without_addresses_equals_the_hydrated_and_keeps_its_addresses() {
    for (applied, stored) in pairs().into_iter().flatten() {
        let mut git = applied.clone();
        let Some(spec) = git["spec"].as_object_mut() else { continue };
        match applied["kind"].as_str() {
            Some("Switch") => {
                for key in ["asn", "ip", "protocolIP", "vtepIP"] {
                    spec.shift_remove(key);
                }
            }
            Some("Gateway") => {
                spec.retain(|key, _| key == "interfaces" || key == "workers");
                for interface in spec["interfaces"].as_object_mut().unwrap().values_mut() {
                    *interface = serde_json::json!({});
                }
            }
            Some("Connection") => {
                for variant in ["fabric", "mesh", "gateway"] {
                    for link in spec.get_mut(variant).and_then(|v| v["links"].as_array_mut()).into_iter().flatten() {
                        for end in link.as_object_mut().unwrap().values_mut() {
                            end.as_object_mut().unwrap().shift_remove("ip");
                        }
                    }
                }
            }
            _ => continue,
        }
        let (state, diffs) = compare_object(Some(&git), Some(&stored), None);
        assert_eq!((state, &diffs[..]), (ObjectState::Equal, &[][..]), "{}", title(&applied));
        // An edit of something else leaves every address in place.
        git["metadata"]["annotations"]["edited"] = "yes".into();
        let written = desired_for_write(&git, Some(&stored), None);
        assert_eq!(removed_link_addresses(&written, &stored), [], "{}", title(&applied));
        let (state, diffs) = compare_object(Some(&written), Some(&stored), None);
        assert_eq!(state, ObjectState::Undelivered);
        assert_eq!(diffs.iter().map(|d| d.path.as_str()).collect::<Vec<_>>(), ["metadata.annotations.edited"]);
    }
}
