//! Sample values of the pages of the console's own monitor.

use super::*;
use serde_json::{Value, json};
use std::time::Duration;
use store::VerifyRun;
use store::verify_runs::InARow;

fn journey(name: &str, verdict: &str, sentence: &str) -> Value {
    json!({"name": name, "driver": "http", "verdict": verdict, "sentence": sentence, "ms": 340})
}

fn run(number: i64, minutes: i64, verdict: &str, sentence: &str, journeys: Vec<Value>) -> VerifyRun {
    let at = now() - SignedDuration::from_mins(minutes);
    VerifyRun {
        id: number,
        run_id: format!("5f0c2e7a{number:04}"),
        fabric_id: Some(FABRIC),
        started_at: at - SignedDuration::from_secs(2),
        ended_at: at,
        verdict: verdict.into(),
        sentence: sentence.into(),
        cause: None,
        failure_point: None,
        what_to_do: None,
        journeys: Value::Array(journeys),
        row: InARow::default(),
    }
}

fn passed(minutes: i64) -> VerifyRun {
    run(1_000 - minutes, minutes, "pass", "3 passed, 0 failed, 0 inconclusive, 0 skipped.", vec![])
}

fn failed(minutes: i64, count: u32) -> VerifyRun {
    let said = "The page waits, and no answer comes: GET /fabrics/7/: no answer in 60 s";
    let mut one = journey("fabric_page", "fail", said);
    one["cause"] = "answer_missing".into();
    one["failure_point"] = 2.into();
    one["what_to_do"] = "A request must end in time, with or without the cluster.".into();
    let sentence = "2 passed, 1 failed, 0 inconclusive, 0 skipped.";
    let mut run = run(1_000 - minutes, minutes, "fail", sentence, vec![one]);
    run.cause = Some("answer_missing".into());
    run.row = InARow { count, since: Some(now() - SignedDuration::from_mins(18)) };
    run
}

fn history() -> Vec<VerifyRun> {
    let unreachable = "Nothing was judged, because a precondition does not hold. There was no answer.";
    let mut runs: Vec<VerifyRun> = (0..4).map(|n| failed(3 + 5 * n, 4 - n as u32)).collect();
    runs.extend((4..19).map(|n| passed(3 + 5 * n)));
    runs.push(run(880, 98, "invalid", unreachable, vec![]));
    runs.extend((20..30).map(|n| passed(3 + 5 * n)));
    runs
}

fn unverified() -> Vec<VerifyRun> {
    let why = "2 passed, 0 failed, 1 inconclusive, 0 skipped. Not told, status_agrees: Not verified: no oracles were given \
               that read both the cluster and Git.";
    (0..30).map(|n| run(500 - n, 1 + 5 * n, "unverified", why, vec![])).collect()
}

pub fn verify() -> verify::Page {
    let old: Vec<VerifyRun> = (0..30).map(|n| passed(190 + 5 * n)).collect();
    let open = run(
        70,
        2,
        "inconclusive",
        "2 passed, 0 failed, 1 inconclusive, 0 skipped.",
        vec![journey("status_agrees", "inconclusive", "The fabric's state is shown in one place only.")],
    );
    let fabrics = [
        ("lab-1", FABRIC, history()),
        ("prod-east", 8, unverified()),
        ("prod-west", 9, (0..12).map(|n| passed(4 + 5 * n)).collect()),
        ("edge", 10, std::iter::once(open).chain((1..9).map(|n| passed(2 + 5 * n))).collect()),
        ("depot", 11, old),
        ("new", 12, vec![]),
    ];
    verify::Page::sample(frame("Verify", "verify", Nav::Verify), Some(Duration::from_secs(300)), &fabrics, now())
}

pub fn verify_off() -> verify::Page {
    verify::Page::sample(frame("Verify", "verify", Nav::Verify), None, &[], now())
}

pub fn verify_runs() -> verify::Runs {
    let way = vec![("Verify".to_owned(), url::verify())];
    let frame = frame("Verify · lab-1", "fabric_verify", Nav::Verify).crumbs(way, "lab-1");
    verify::Runs::sample(frame, "lab-1", &history()[..12], now())
}
