//! Wiring as a person writes it for the installer, without addresses and AS numbers: nothing of it may be written.

use crate::site::{
    Site, fabric_objects, hedgehogs_definitions, shared_folder, stopped_by_preflight, text, unhydrated, yaml,
};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Syncs what is committed, which must end before the first write, and gives the operation with its outcomes.
async fn stopped(site: &mut Site) -> Result<(Value, BTreeMap<String, Value>)> {
    let before = site.versions().await?;
    site.writes(false);
    let (operation, outcomes) = site.sync().await?;
    stopped_by_preflight(&operation);
    assert!(text(&operation["message"]).contains("is not hydrated"), "{operation}");
    assert!(text(&operation["what_to_do"]).contains("nothing was written"), "{operation}");
    assert_eq!(site.writes(false), [""; 0], "no write was sent");
    assert_eq!(site.versions().await?, before, "every object is as it was, and there is no other");
    assert!(outcomes.values().all(|one| one["outcome"] == "not_attempted"), "{outcomes:?}");
    assert_eq!(site.status().await?["sync_status"], "error");
    Ok((operation, outcomes))
}

/// The findings on the fabric's page that say so.
async fn findings(site: &mut Site) -> Result<Vec<String>> {
    let mut rows = site.page().await?.texts("section[data-live=findings] tbody tr");
    rows.retain(|row| row.contains("unhydrated"));
    Ok(rows)
}

/// The line at which the document with this kind and name begins.
fn line_of(text: &str, kind: &str, name: &str) -> Option<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let named = |at: usize| lines[at].trim() == format!("name: {name}");
    let begins = |at: usize| (0..=at).rev().find(|at| lines[*at].starts_with("apiVersion:"));
    (0..lines.len())
        .filter(|at| named(*at))
        .filter_map(begins)
        .find(|at| lines[*at + 1] == format!("kind: {kind}"))
        .map(|at| at + 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn wiring_without_addresses_is_named_with_its_place_and_not_written() -> Result<()> {
    let mut site = Site::start().await?;
    let file = yaml(&unhydrated(&fabric_objects()?))?;
    site.write("wiring.yaml", &file).await?;
    let (operation, outcomes) = stopped(&mut site).await?;
    assert!(text(&operation["message"]).contains("(wiring.yaml:"), "{operation}");
    let rows = findings(&mut site).await?;
    assert_eq!(rows.len(), 4 + 4 + 1, "{rows:?}");
    for (kind, name) in [("Switch", "leaf-01"), ("Connection", "spine-01--fabric--leaf-02"), ("Gateway", "gw-1")] {
        let place = format!("wiring.yaml:{}:", line_of(&file, kind, name).with_context(|| file.clone())?);
        let row =
            rows.iter().find(|row| row.contains(&format!("{kind} {name}"))).with_context(|| format!("{rows:?}"))?;
        for part in [place.as_str(), "is not hydrated", "Take the installed wiring from the cluster, or fill"] {
            assert!(row.contains(part), "{part}: {row}");
        }
        let outcome = &outcomes[&format!("{kind}/{name}")];
        assert!(text(&outcome["message"]).contains(&place), "{outcome}");
    }

    // The control: the same wiring, hydrated.
    site.write("wiring.yaml", &yaml(&fabric_objects()?)?).await?;
    site.synced().await?;
    assert_eq!(site.status().await?["sync_status"], "in_sync");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_raw_lab_is_named_with_its_places_and_not_written() -> Result<()> {
    let Some(shared) = shared_folder() else { return Ok(()) };
    let mut site = Site::start_with(&hedgehogs_definitions()?, &[]).await?;
    let folder = "envs/env-ci-1.l";
    let read = |file: &str| -> Result<(String, String)> {
        let path = Path::new("hedgehog/samples/githedgehog+lab-ci").join(folder).join(file);
        Ok((format!("{folder}/{file}"), std::fs::read_to_string(shared.join(path))?))
    };
    let files = [read("wiring.yaml")?, read("wiring-gateway.yaml")?];
    let all: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    site.commit(&all).await?;
    let (_, outcomes) = stopped(&mut site).await?;
    // Of each, whether it is shown or on a further page, its own outcome names the place.
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    for (object, outcome) in outcomes.iter().filter(|(_, one)| text(&one["message"]).contains("is not hydrated")) {
        let (kind, name) = object.split_once('/').context("kind and name")?;
        let places = files.iter().filter_map(|(path, text)| Some(format!("{path}:{}:", line_of(text, kind, name)?)));
        let place = places.into_iter().next().with_context(|| format!("{object} stands in a file"))?;
        assert!(text(&outcome["message"]).contains(&place), "{place}: {outcome}");
        *named.entry(kind.to_owned()).or_default() += 1;
    }
    assert_eq!(named, [("Connection", 10), ("Gateway", 2), ("Switch", 6)].map(|(kind, n)| (kind.to_owned(), n)).into());
    let rows = findings(&mut site).await?;
    assert_eq!(rows.len(), 18, "{rows:?}");
    assert!(rows.iter().all(|row| row.contains(folder) && row.contains("Take the installed wiring")), "{rows:?}");
    Ok(())
}
