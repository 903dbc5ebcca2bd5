//! Deletions: what Hedgehog's webhooks refused to delete while it was in use is known to be guarded, and what they let go
//! although it was in use is named with who uses it.

use crate::shared::{lines, pairs};
use model::ObjectKey;
use model::prune::{Extra, Input, Owner, plan};
use model::sync_options::SyncOptions;
use serde_json::Value;

#[test]
fn what_the_webhooks_refuse_to_delete_is_guarded_and_what_they_let_go_is_named() {
    let (Some(pairs), Some(changes)) = (pairs(), lines("changes.jsonl")) else { return };
    let stored: Vec<(ObjectKey, Value)> =
        pairs.into_iter().map(|(_, stored)| (ObjectKey::of(&stored).unwrap(), stored)).collect();
    let (mut refused, mut let_go) = (0, 0);
    for change in changes.iter().filter(|change| change["case"] == "delete while in use") {
        let key = ObjectKey::of(&change["object"]).unwrap();
        let live = &stored.iter().find(|(other, _)| *other == key).unwrap().1;
        let options = SyncOptions::default();
        let others: Vec<_> = stored.iter().filter(|(other, _)| *other != key).map(|(key, live)| (key, live)).collect();
        let n = others.len() as u64;
        let plan = plan(&Input {
            extras: vec![Extra { key: &key, live, owner: Some(Owner::Applied), has_error: false }],
            others,
            desired_and_live: n,
            desired: n,
            limit_percent: 100,
            options: &options,
        });
        let deletion = &plan.deletions[0];
        let said = format!("{key}: {deletion:?}");
        match change["verdict"].as_str() {
            Some("rejected") => {
                assert!(!deletion.guarded_by.is_empty(), "{said}");
                refused += 1;
            }
            _ => {
                assert!(!deletion.used_by.is_empty() && deletion.guarded_by.is_empty(), "{said}");
                let_go += 1;
            }
        }
    }
    assert_eq!((refused, let_go), (5, 4));
}
