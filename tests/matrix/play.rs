//! One cell, played: what the user does, what breaks meanwhile, and everything that must hold afterwards.

use super::choice::Case;
use super::plan::Plan;
use super::stage::{DEADLINE, LEASE, Look, Stage, told};
use super::strike::{Ambush, strike};
use super::table::{Names, victim};
use super::words::{Fault, Moment};
use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What ending may take after the deadline: the last word is stored.
const GRACE: Duration = Duration::from_secs(5);

/// What was seen.
#[derive(Debug)]
pub struct Seen {
    /// State and code of the operation.
    pub end: (String, Option<String>),
    /// What its page said.
    pub message: String,
    /// What did not hold.
    pub failures: Vec<String>,
}

/// Plays a cell. An error means that it could not be played to its end; then the stage is of no use any more.
pub async fn play(stage: &mut Stage, case: &Case) -> Result<Seen> {
    let plan = stage.prepare().await.context("prepare")?;
    let before = stage.versions().await?;
    let success = stage.status().await?["last_success"].clone();

    let ambush = Ambush::lay(stage, case.moment);
    let watcher = stage.watch()?;
    let is_dry = case.moment == Moment::DryRun;
    let address = if is_dry { stage.press_dry_run().await? } else { stage.press("sync_to_kubernetes").await? };
    ambush.sprung(stage, &address).await?;
    let mut struck = strike(stage, case.fault, case.moment, &plan).await.context("make the fault")?;
    ambush.open(stage);
    struck.passes(stage).await.context("end the fault")?;
    let operation = stage.ended(&address).await?;
    let last_success = stage.status().await?["last_success"].clone();
    struck.lift(stage).await.context("take the fault away")?;
    // The admission webhooks, which know the objects by watching, may be behind; the run tries again.
    let (after, differ) = (stage.versions().await?, stage.differences(&plan).await?);
    let looks = watcher.stop().await?;
    let last_write = stage.last_write(&plan).await?;

    let mut seen = Seen {
        end: (text(&operation["state"]), operation["code"].as_str().map(str::to_owned)),
        message: text(&operation["message"]),
        failures: Vec::new(),
    };
    let mut must = |holds: bool, what: String| {
        if !holds {
            seen.failures.push(what);
        }
    };
    let end = (seen.end.0.as_str(), seen.end.1.as_deref());
    must(case.expect.ends.contains(&end), format!("it ended {}; allowed: {:?}", told(&operation), case.expect.ends));
    must(!seen.message.trim().is_empty(), "it ended without a sentence".to_owned());
    must(names(case, &plan, &operation), format!("nothing is named by {} ({})", told(&operation), operation["object"]));
    let took = seconds(&operation)?;
    let limit = DEADLINE + GRACE + if end.0 == "interrupted" { LEASE } else { Duration::ZERO };
    must(took <= limit.as_secs_f64(), format!("it took {took:.1} s"));

    let really = end.0 == "succeeded" && !is_dry;
    must(really || last_success == success, format!("it did not succeed, and the last success is {last_success}"));
    must(!really || last_success != success, "it succeeded, and the last success is the old one".to_owned());
    must(!really || differ.is_empty(), format!("it succeeded, and these differ: {differ:?}"));
    let greens: Vec<&Look> = looks.iter().filter(|look| look.0 == "in_sync").collect();
    must(greens.is_empty() || differ.is_empty(), format!("{differ:?} differ, and it was seen: {looks:?}"));
    // What was written is green when it was read again, and not before.
    let old: Vec<&&Look> = greens.iter().filter(|look| look.1 < last_write).collect();
    must(old.is_empty(), format!("last written at {last_write:?}, and green by older evidence: {old:?}"));
    for lie in lies(&operation, &plan, &differ) {
        must(false, lie);
    }
    for touched in touched(case, &plan, &before, &after, is_dry) {
        must(false, touched);
    }

    // Without help: the same button again.
    let again = recovered(stage, case).await?;
    must(again["state"] == "succeeded", format!("after the fault, the next run ended {}", told(&again)));
    let differ = stage.differences(&plan).await?;
    must(differ.is_empty(), format!("after the fault and the next run, these differ: {differ:?}"));
    let green = stage.until_in_sync().await;
    must(
        green.is_ok(),
        format!("after the fault and the next run: {:#}", green.err().unwrap_or_else(|| anyhow::anyhow!(""))),
    );
    for touched in touched(case, &plan, &before, &stage.versions().await?, false) {
        must(false, format!("after the next run: {touched}"));
    }
    Ok(seen)
}

/// Presses the button again. Where somebody else had a hand in it, the page of the first press may be older than what
/// that person did, and says so: the user looks, and presses once more.
async fn recovered(stage: &mut Stage, case: &Case) -> Result<Value> {
    let again = stage.sync().await?;
    if case.fault == Fault::Conflict && again["code"] == "changed_since_comparison" {
        return stage.sync().await;
    }
    Ok(again)
}

/// Whether the operation names what the table asks for.
fn names(case: &Case, plan: &Plan, operation: &Value) -> bool {
    if operation["state"] == "succeeded" {
        return true;
    }
    let said = format!("{} {}", text(&operation["object"]), text(&operation["message"]));
    let is_object = plan.objects().iter().any(|(_, name)| said.contains(name));
    match case.expect.names {
        Names::Nothing => true,
        Names::Object => is_object,
        Names::Kind => is_object || said.contains(victim(case.moment).1) || said.contains(victim(case.moment).0),
    }
}

/// Objects of which the operation says that they are verified, and they are not as desired.
fn lies(operation: &Value, plan: &Plan, differ: &BTreeSet<&'static str>) -> Vec<String> {
    let outcomes = operation["outcomes"]["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of_plan = |outcome: &&Value| {
        plan.objects().iter().any(|(kind, name)| {
            outcome["key"]["kind"] == *kind && outcome["key"]["name"] == *name && differ.contains(kind)
        })
    };
    let verified = outcomes.iter().filter(|outcome| outcome["verified"] == true);
    verified.filter(of_plan).map(|outcome| format!("it is not so: {outcome}")).collect()
}

/// What was written that the plan does not name.
fn touched(
    case: &Case,
    plan: &Plan,
    before: &BTreeMap<(String, String), String>,
    after: &BTreeMap<(String, String), String>,
    was_dry: bool,
) -> Vec<String> {
    let is_of_plan = |kind: &str, name: &str| !was_dry && plan.objects().iter().any(|(k, n)| *k == kind && n == name);
    // The fault itself takes these.
    let is_of_fault = |kind: &str, name: &str| match case.fault {
        Fault::CrdRemoved => kind == victim(case.moment).1,
        Fault::Conflict => name == plan.vpc(),
        _ => false,
    };
    let all: BTreeSet<&(String, String)> = before.keys().chain(after.keys()).collect();
    let others = all.into_iter().filter(|(kind, name)| !is_of_plan(kind, name) && !is_of_fault(kind, name));
    let changed = others.filter(|key| before.get(*key) != after.get(*key));
    changed.map(|(kind, name)| format!("{kind} {name} was touched, and no plan names it")).collect()
}

fn seconds(operation: &Value) -> Result<f64> {
    let at = |key: &str| text(&operation[key]).parse::<Timestamp>().with_context(|| format!("{key} of {operation}"));
    let began = if operation["started_at"].is_null() { at("queued_at")? } else { at("started_at")? };
    Ok(at("ended_at")?.duration_since(began).as_secs_f64())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
