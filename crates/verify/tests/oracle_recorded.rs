//! The oracle's rules before what Hedgehog's real controller did, where the recording is to be had.

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use verify::oracle::agents::{self, Holding, Verdict, Wanted};
use verify::oracle::holds;

#[expect(clippy::print_stdout, reason = "who runs the tests is told what did not run")]
fn recorded(file: &str) -> Result<Option<Vec<Value>>> {
    let Some(shared) = testkit::shared_folder() else {
        println!("skipped: ../shared is not here");
        return Ok(None);
    };
    let text = std::fs::read_to_string(shared.join("hedgehog/recorded").join(file))?;
    text.lines()
        .map(|line| serde_json::from_str(line).context("one JSON document a line"))
        .collect::<Result<_>>()
        .map(Some)
}

/// What a kind and a name stand for: the pairs come in the order in which they were stored, so the last one counts.
fn pairs() -> Result<Option<BTreeMap<(String, String), Value>>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = |pair: &Value| (text(&pair["stored"]["kind"]), text(&pair["stored"]["metadata"]["name"]));
    Ok(recorded("pairs.jsonl")?.map(|pairs| pairs.into_iter().map(|pair| (key(&pair), pair)).collect()))
}

#[test]
fn what_was_applied_is_held_but_where_webhooks_rewrite() -> Result<()> {
    let Some(pairs) = pairs()? else { return Ok(()) };
    assert!(pairs.len() > 60, "{}", pairs.len());
    let differ = pairs.iter().filter(|(_, pair)| !holds::holds(&pair["applied"]["spec"], &pair["stored"]["spec"]));
    let differ: Vec<String> = differ.map(|((kind, name), _)| format!("{kind} {name}")).collect();
    let expected = [
        "ExternalPeering vpc-1--default",
        "IPv4Namespace extra",
        "Switch ds3000-03",
        "Switch sse-c4632-01",
        "VLANNamespace extra",
        "VPC vpc-1",
        "VPCAttachment vpc-1--server-1",
    ];
    assert_eq!(differ, expected);
    Ok(())
}

#[test]
fn each_object_that_an_agent_holds_is_the_stored_one() -> Result<()> {
    let (Some(pairs), Some(agents)) = (pairs()?, recorded("agents.jsonl")?) else { return Ok(()) };
    let agents: Vec<Value> = agents.into_iter().filter(|one| one["kind"] == "Agent").collect();
    let now = "2026-11-22T17:42:40Z".parse()?;
    let mut held = 0;
    for ((kind, name), pair) in &pairs {
        let read = agents::read(&agents, Wanted::Object(kind, name, &pair["stored"]["spec"]), now);
        assert_eq!(read.len(), 6);
        for one in read {
            match one.holding {
                Holding::This => {
                    held += 1;
                    assert_eq!(one.verdict, Verdict::Applied, "{}", one.sentence);
                }
                Holding::Nothing => {}
                Holding::NeverHeld => assert!(agents::held_under(kind).is_none()),
                other => panic!("{other:?}: {kind} {name}: {}", one.sentence),
            }
        }
    }
    assert_eq!(held, 123);
    Ok(())
}
