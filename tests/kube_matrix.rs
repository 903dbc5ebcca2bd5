//! The matrix: every fault at every moment of *Sync to Kubernetes*, on the built console, as its user meets it, with a
//! real API server behind a proxy. `HEDGEROW_MATRIX=all` plays every cell and writes `docs/reference/faults.md`; without
//! it a choice is played in which every fault, every moment and every pair of a kind of fault and a moment occurs.
//! `HEDGEROW_MATRIX=slow@apply,*@rollout` plays those that are named. Why it is a test binary of its own: it takes both
//! of the machine's control planes for as long as it runs.

mod matrix;

use anyhow::{Result, anyhow, bail, ensure};
use matrix::choice::{self, Case, MOST};
use matrix::page::{self, Example};
use matrix::play::{Seen, play};
use matrix::stage::{Database, Stage};
use matrix::table::{Cell, cell};
use matrix::words::{Class, Fault, Moment};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest that a cell may take, its stage's repair included.
const CELL: Duration = Duration::from_secs(240);

/// A case that was played.
struct Played {
    case: Case,
    seen: Result<Seen>,
    took: Duration,
}

#[test]
fn the_table_has_a_word_for_every_cell_and_the_choice_leaves_nothing_out() {
    for fault in Fault::ALL {
        let occurs = Moment::ALL.iter().any(|moment| matches!(cell(*fault, *moment), Cell::Occurs(_)));
        assert!(occurs, "{fault} occurs at no moment");
        for moment in Moment::ALL {
            match cell(*fault, *moment) {
                Cell::Occurs(expect) => assert!(!expect.ends.is_empty(), "{fault} at {moment} has no end"),
                Cell::Cannot(reason) => {
                    assert!(reason.ends_with('.') && reason.len() > 30, "{fault} at {moment}: {reason}")
                }
            }
        }
    }
    let (all, chosen) = (choice::all(), choice::pairwise());
    assert!(chosen.len() <= MOST, "{} cells in the choice", chosen.len());
    let pairs = |cases: &[Case]| -> BTreeSet<(Class, Moment)> {
        cases.iter().map(|case| (case.fault.class(), case.moment)).collect()
    };
    let faults = |cases: &[Case]| -> BTreeSet<Fault> { cases.iter().map(|case| case.fault).collect() };
    assert_eq!(pairs(&chosen), pairs(&all));
    assert_eq!((faults(&chosen), faults(&all).len()), (faults(&all), Fault::ALL.len()));
    assert_eq!(chosen.iter().map(|case| case.moment).collect::<BTreeSet<_>>().len(), Moment::ALL.len());
}

#[test]
fn the_page_is_what_the_table_says() -> Result<()> {
    let committed = page::committed()?;
    let examples = page::examples(&committed);
    for case in choice::all() {
        let example = examples.get(&(case.fault, case.moment));
        let is_allowed = example.is_some_and(|example| page::is_allowed(example, case.fault, case.moment));
        ensure!(is_allowed, "docs/reference/faults.md says of {} at {}: {example:?}", case.fault, case.moment);
    }
    ensure!(
        page::text(&examples) == committed,
        "docs/reference/faults.md is not what tests/matrix says; play all cells"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_fault_at_every_moment_ends_true_and_the_next_run_is_in_sync() -> Result<()> {
    let word = std::env::var("HEDGEROW_MATRIX").ok();
    let cases = choice::asked_for(word.as_deref())?;
    let count = cases.len();
    let names: Vec<String> = cases.iter().map(|case| format!("{}@{}", case.fault, case.moment)).collect();
    say(&format!("{count} cells: {}", names.join(" ")));
    let queue = Arc::new(Mutex::new(VecDeque::from(cases)));
    let began = Instant::now();
    let works = [Database::Sqlite, Database::Postgres].map(|database| tokio::spawn(work(database, queue.clone())));
    let mut played = Vec::new();
    for one in works {
        played.extend(one.await?);
    }
    played.sort_by_key(|one| (one.case.fault, one.case.moment));
    let failures: Vec<String> = played.iter().flat_map(failures).collect();
    say(&format!("{} of {count} cells in {} s", played.len(), began.elapsed().as_secs()));
    ensure!(played.len() == count, "{} cells of {count} were played", played.len());
    if !failures.is_empty() {
        bail!("{} failures in the matrix:\n{}", failures.len(), failures.join("\n"));
    }
    compare_page(&played, word.as_deref() == Some("all"))
}

/// Plays cells on one stage until none is left for it; a stage on which something failed is struck.
async fn work(database: Database, queue: Arc<Mutex<VecDeque<Case>>>) -> Vec<Played> {
    let mut stage: Option<Stage> = None;
    let mut played = Vec::new();
    while let Some(case) = next(&queue, database) {
        let began = Instant::now();
        let seen = tokio::time::timeout(CELL, on(&mut stage, database, &case)).await;
        let seen = seen.unwrap_or_else(|_| bail_late());
        if !seen.as_ref().is_ok_and(|seen| seen.failures.is_empty()) {
            stage = None;
        }
        let one = Played { case, seen, took: began.elapsed() };
        say(&line(&one, database));
        played.push(one);
    }
    played
}

fn bail_late() -> Result<Seen> {
    bail!("the cell was not over after {CELL:?}")
}

async fn on(stage: &mut Option<Stage>, database: Database, case: &Case) -> Result<Seen> {
    let stage = match stage {
        Some(stage) => stage,
        None => stage.insert(Stage::start(database).await?),
    };
    let played = play(stage, case).await;
    played.map_err(|error| anyhow!("{error:#}\n    last words of the console:\n{}", last_lines(&stage.console.log())))
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// The next case that fits this database; those that fit no other come first.
fn next(queue: &Mutex<VecDeque<Case>>, database: Database) -> Option<Case> {
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    let needs = |case: &Case| match case.fault {
        Fault::DatabaseLocked => Some(Database::Sqlite),
        Fault::DatabaseGone => Some(Database::Postgres),
        _ => None,
    };
    let own = queue.iter().position(|case| needs(case) == Some(database));
    let at = own.or_else(|| queue.iter().position(|case| needs(case).is_none()))?;
    queue.remove(at)
}

fn failures(played: &Played) -> Vec<String> {
    let name = format!("{}@{}", played.case.fault, played.case.moment);
    match &played.seen {
        Ok(seen) => seen.failures.iter().map(|failure| format!("{name}: {failure}")).collect(),
        Err(error) => vec![format!("{name}: {error:#}")],
    }
}

fn line(played: &Played, database: Database) -> String {
    let Played { case, took, .. } = played;
    let end = match &played.seen {
        Ok(seen) => {
            let example = Example::new(&seen.end.0, seen.end.1.as_deref(), &seen.message);
            format!("{}: {}", example.end, example.sentence)
        }
        Err(_) => "not played to its end".to_owned(),
    };
    let failures: String = failures(played).iter().map(|failure| format!("\n    FAILED {failure}")).collect();
    format!("{:5.1} s {database:?} {}@{} {end}{failures}", took.as_secs_f64(), case.fault, case.moment)
}

/// Compares what was seen with the committed page; a run of all cells writes it anew.
fn compare_page(played: &[Played], is_all: bool) -> Result<()> {
    let committed = page::committed()?;
    let mut examples = page::examples(&committed);
    for one in played {
        let Ok(seen) = &one.seen else { continue };
        let now = Example::new(&seen.end.0, seen.end.1.as_deref(), &seen.message);
        let known = examples.get(&(one.case.fault, one.case.moment));
        // Where several ends are true, another one may be the example.
        let is_other =
            known.is_some_and(|known| known.end != now.end && page::is_allowed(known, one.case.fault, one.case.moment));
        if known != Some(&now) && !is_other {
            say(&format!("the page says otherwise of {}@{}: {known:?}", one.case.fault, one.case.moment));
            examples.insert((one.case.fault, one.case.moment), now);
        }
    }
    if !is_all {
        return Ok(());
    }
    let fresh = page::text(&examples);
    if fresh != committed {
        std::fs::write(page::file(), fresh)?;
        bail!("docs/reference/faults.md was stale, and is written anew: look at it, and commit it");
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a run of many minutes says how far it is")]
fn say(line: &str) {
    println!("{line}");
}
