//! A hydrated lab, and changes on top of it, as Hedgehog's real controller stored them: the same through the console ends
//! with the same in the cluster. The recordings stand outside of the repository; where they are missing, the tests say so.

use crate::site::{Site, all_applied, hedgehogs_definitions, plain, recorded, switches, text, yaml};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `Kind/name`, as outcomes are listed.
fn title(object: &Value) -> String {
    format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// One file a kind, as a person keeps them.
fn files(objects: &[Value]) -> Result<Vec<(String, String)>> {
    let mut kinds: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for object in objects {
        kinds.entry(text(&object["kind"]).to_lowercase()).or_default().push(object);
    }
    kinds.into_iter().map(|(kind, objects)| Ok((format!("lab/{kind}.yaml"), yaml(objects)?))).collect()
}

async fn commit(site: &Site, objects: &[Value]) -> Result<()> {
    let files = files(objects)?;
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    site.commit(&files).await.map(drop)
}

/// What was applied, and what was stored.
fn pairs() -> Option<Vec<(Value, Value)>> {
    let pairs = recorded("pairs.jsonl")?;
    Some(pairs.into_iter().map(|mut pair| (pair["applied"].take(), pair["stored"].take())).collect())
}

/// Takes away what the server discards: a label under a reserved domain, and a DHCP range with DHCP off.
fn without_discarded(object: &mut Value) {
    if title(object) == "VPC/vpc-1" {
        object["metadata"]["labels"].as_object_mut().map(|labels| labels.shift_remove("fabric.githedgehog.com/mine"));
        object["spec"]["subnets"]["nodhcp"]["dhcp"].as_object_mut().map(|dhcp| dhcp.shift_remove("range"));
    }
}

async fn assert_stored(site: &Site, pairs: &[(Value, Value)]) -> Result<()> {
    for (_, stored) in pairs {
        let live = site.there(&text(&stored["kind"]), &text(&stored["metadata"]["name"])).await?;
        assert_eq!(plain(&live), *stored, "{}", title(stored));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_lab_is_stored_as_recorded_and_applied_everywhere() -> Result<()> {
    let Some(pairs) = pairs() else { return Ok(()) };
    assert_eq!(pairs.len(), 69);
    let mut site = Site::start_with(&hedgehogs_definitions()?, &[]).await?;
    let mut desired: Vec<Value> = pairs.iter().map(|(applied, _)| applied.clone()).collect();
    commit(&site, &desired).await?;
    let fetched = site.press("sync_from_git").await?;
    assert_eq!(fetched["state"], "succeeded", "{fetched}");
    assert!(site.page().await?.visible_text().contains("69 not delivered"), "{}", site.page().await?.visible_text());
    assert_eq!(site.client.list("Switch").await?.len(), 0, "nothing was written yet");

    let (operation, outcomes) = site.sync().await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert_eq!(outcomes.len(), 69);
    for (name, outcome) in &outcomes {
        assert_eq!((&outcome["outcome"], &outcome["verified"]), (&json!("created"), &json!(true)), "{name}: {outcome}");
    }
    assert_stored(&site, &pairs).await?;

    // What the server discards is said, and keeps the fabric from being plainly in sync.
    let status = site.status().await?;
    assert_eq!(status["sync_status"], "out_of_sync", "{}", status["status"]);
    let counts = &status["status"]["counts"];
    assert_eq!((counts["equal"].as_u64(), counts["discarded"].as_u64()), (Some(69), Some(1)), "{counts}");
    let page = site.object_page("VPC.vpc.githedgehog.com", "vpc-1").await?;
    let notices = page.texts("[data-live=object-notices] > *");
    let discarded: Vec<_> = notices.iter().filter(|notice| notice.contains("discarded_")).collect();
    assert_eq!(discarded.len(), 2, "{notices:?}");
    for part in ["metadata.labels[\"fabric.githedgehog.com/mine\"]", "spec.subnets.nodhcp.dhcp.range"] {
        let said = discarded.iter().any(|notice| notice.contains(part) && notice.contains("lab/vpc.yaml:"));
        assert!(said, "{part}: {discarded:?}");
    }

    // Once more: there is nothing to do, and nothing is done.
    let versions = site.versions().await?;
    let (operation, outcomes) = site.sync().await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert!(text(&operation["message"]).contains("Nothing to do"), "{operation}");
    assert!(outcomes.values().all(|one| one["outcome"] == "unchanged"), "{outcomes:?}");
    assert_eq!(site.versions().await?, versions);

    // Without what is discarded anyway it is in sync, and no object has to be written for that.
    desired.iter_mut().for_each(without_discarded);
    commit(&site, &desired).await?;
    site.writes(false);
    site.synced().await?;
    assert_eq!(site.writes(false), [""; 0]);
    assert_eq!(site.versions().await?, versions);
    assert_stored(&site, &pairs).await?;
    let status = site.status().await?;
    assert_eq!(status["sync_status"], "in_sync", "{}", status["status"]);
    assert!(all_applied(&status), "{} {:?}", status["stages"], switches(&status)?);
    let names: Vec<String> = switches(&status)?.into_keys().collect();
    let wired = pairs.iter().filter(|(one, _)| ["Switch", "Gateway"].contains(&text(&one["kind"]).as_str()));
    let mut wired: Vec<String> = wired.map(|(one, _)| text(&one["metadata"]["name"])).collect();
    wired.sort();
    assert_eq!(names, wired);
    Ok(())
}

/// What a step of the recording makes the desired state to be, and what must then be stored.
struct Step {
    case: String,
    how: String,
    says: String,
    object: Value,
    stored: Value,
}

/// The create and update steps. Where server-side apply did not bring the object about, what counts is what was stored
/// when the same object was taken over whole.
fn steps() -> Option<Vec<Step>> {
    let recorded = recorded("changes.jsonl")?;
    assert_eq!(recorded.len(), 26);
    let whole = |object: &Value| {
        let same = recorded.iter().find(|one| one["object"] == *object && one["stored"].is_object());
        same.map(|one| one["stored"].clone()).expect("each object was stored once")
    };
    let updates = recorded.iter().filter(|one| one["how"] != "delete");
    let step = |one: &Value| Step {
        case: text(&one["case"]),
        how: text(&one["how"]),
        says: text(&one["says"]),
        object: one["object"].clone(),
        stored: if text(&one["how"]) == "ssa-other" { Value::Null } else { whole(&one["object"]) },
    };
    Some(updates.map(step).collect())
}

/// Another person applies the object under a name of their own.
async fn apply_as_second(site: &Site, object: &Value, forced: bool) -> Result<std::process::Output> {
    let mut args = vec!["apply", "--server-side", "--field-manager=second", "-f", "-"];
    if forced {
        args.push("--force-conflicts");
    }
    site.plane.kubectl_output(&args, Some(&object.to_string())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_change_ends_with_the_object_as_desired() -> Result<()> {
    let (Some(pairs), Some(steps)) = (pairs(), steps()) else { return Ok(()) };
    let mut site = Site::start_with(&hedgehogs_definitions()?, &[]).await?;
    let mut lab: Vec<Value> = pairs.into_iter().map(|(applied, _)| applied).collect();
    lab.iter_mut().for_each(without_discarded);
    commit(&site, &lab).await?;
    site.synced().await?;

    let (mut driven, mut desired) = (0, Vec::<Value>::new());
    for step in &steps {
        let (kind, name) = (text(&step.object["kind"]), text(&step.object["metadata"]["name"]));
        if step.how == "ssa-other" {
            let forced = !step.case.contains("not forced");
            let before = site.there(&kind, &name).await?;
            let done = apply_as_second(&site, &step.object, forced).await?;
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            assert_eq!(done.status.success(), forced, "{}: {said}", step.case);
            let now = site.there(&kind, &name).await?;
            if forced {
                assert_ne!(now["spec"], before["spec"], "{}", step.case);
                assert_eq!(site.press("sync_from_fabric").await?["state"], "succeeded");
                let page = site.object_page("VPC.vpc.githedgehog.com", &name).await?;
                assert_eq!(page.texts("th.diff-path"), ["spec.subnets.default.vlan"], "{}", step.case);
                assert!(page.visible_text().contains("by second"), "{}", page.visible_text());
            } else {
                assert!(said.contains("conflict with \"hedgerow\""), "{}: {said}", step.case);
                assert_eq!(now["spec"], before["spec"], "{}", step.case);
            }
            continue;
        }
        let before = desired.clone();
        desired.retain(|one| title(one) != title(&step.object));
        desired.push(step.object.clone());
        site.write("change.yaml", &yaml(&desired)?).await?;
        let (operation, outcomes) = site.sync().await?;
        if step.case == "remove the attached subnet" {
            // Hedgehog takes it, and the attachment hangs in the air: that is stopped before.
            let code = (&operation["state"], &operation["code"]);
            assert_eq!(code, (&json!("failed"), &json!("preflight_failed")), "{}", operation["message"]);
            let said = text(&operation["message"]);
            assert!(said.contains("subnet two goes away while VPCAttachment"), "{said}");
            assert!(site.there(&kind, &name).await?["spec"]["subnets"]["two"].is_object());
            desired = before;
            driven += 1;
            continue;
        }
        let context = format!("{}: {} {}", step.case, operation["message"], outcomes[&title(&step.object)]);
        assert_eq!(operation["state"], "succeeded", "{context}");
        assert_eq!(outcomes[&title(&step.object)]["verified"], true, "{context}");
        assert_eq!(plain(&site.there(&kind, &name).await?), step.stored, "{context}");
        let discards = step.case.contains("reserved prefix");
        let status = site.status().await?;
        assert_eq!(
            status["sync_status"],
            if discards { "out_of_sync" } else { "in_sync" },
            "{context} {}",
            status["status"]
        );
        driven += 1;
    }
    assert_eq!(driven, 14, "each create and update was driven, but for the two of somebody else");

    // Recorded as the fate of a server-side apply; of a whole object only when Git itself names the old gateway.
    let words =
        steps.iter().find_map(|step| step.says.split_once("denied the request: ").filter(|_| step.how == "ssa"));
    let words = words.context("a recorded refusal")?.1;
    let mut stale = steps[0].stored.clone();
    stale["spec"]["subnets"]["default"]["subnet"] = steps[1].object["spec"]["subnets"]["default"]["subnet"].clone();
    stale["metadata"].as_object_mut().map(|metadata| metadata.shift_remove("labels"));
    let attachment = desired.iter().find(|one| one["kind"] == "VPCAttachment").context("it was attached")?.clone();
    site.write("change.yaml", &yaml([&stale, &attachment])?).await?;
    let before = site.versions().await?;
    let (operation, outcomes) = site.sync().await?;
    assert_eq!(
        (&operation["state"], &operation["code"]),
        (&json!("failed"), &json!("kubernetes_rejected")),
        "{operation}"
    );
    let outcome = &outcomes[&title(&stale)];
    assert_eq!(outcome["outcome"], "refused");
    let said = text(&outcome["message"]);
    assert!(said.contains("admission webhook \"vvpc.kb.io\" denied the request") && said.contains(words), "{said}");
    assert_eq!(site.versions().await?, before);

    // Deletion stays with people: what Git names no more is extra, and stays.
    site.commit(&[("change.yaml", None)]).await?;
    let (operation, outcomes) = site.sync().await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    for object in [&stale, &attachment] {
        assert_eq!(outcomes[&title(object)]["outcome"], "extra");
        site.there(&text(&object["kind"]), &text(&object["metadata"]["name"])).await?;
    }
    ensure!(site.status().await?["sync_status"] == "out_of_sync", "extra objects are not in sync");
    Ok(())
}
