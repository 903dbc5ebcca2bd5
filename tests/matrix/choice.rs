//! Which cells run: all, those that are named, or a choice for CI.

use super::table::{Cell, Expect, cell};
use super::words::{Fault, Moment};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;

/// Most cells in the choice for CI.
pub const MOST: usize = 60;

/// A cell that runs.
#[derive(Debug)]
pub struct Case {
    /// What breaks.
    pub fault: Fault,
    /// When.
    pub moment: Moment,
    /// What may come of it.
    pub expect: Expect,
}

/// Every cell that can occur.
pub fn all() -> Vec<Case> {
    let pairs = Fault::ALL.iter().flat_map(|fault| Moment::ALL.iter().map(|moment| (*fault, *moment)));
    let case = |(fault, moment)| match cell(fault, moment) {
        Cell::Occurs(expect) => Some(Case { fault, moment, expect }),
        Cell::Cannot(_) => None,
    };
    pairs.filter_map(case).collect()
}

/// A small choice in which every fault occurs, every moment, and every kind of fault at every moment at which it can.
/// Greedy, and the same always: the cell that brings most that is new comes next; of several the one whose fault was
/// taken least often.
pub fn pairwise() -> Vec<Case> {
    let mut rest = all();
    let mut missing: BTreeSet<String> = rest.iter().flat_map(news).collect();
    let mut taken: Vec<Case> = Vec::new();
    while !missing.is_empty() {
        let often = |fault: Fault| taken.iter().filter(|case| case.fault == fault).count();
        let brings = |case: &Case| news(case).iter().filter(|one| missing.contains(*one)).count();
        let best = (0..rest.len())
            .max_by_key(|&at| (brings(&rest[at]), std::cmp::Reverse((often(rest[at].fault), at))))
            .expect("what is missing stands in some cell");
        let case = rest.remove(best);
        for one in news(&case) {
            missing.remove(&one);
        }
        taken.push(case);
    }
    taken.sort_by_key(|case| (case.fault, case.moment));
    taken
}

fn news(case: &Case) -> [String; 3] {
    [case.fault.to_string(), case.moment.to_string(), format!("{:?} {}", case.fault.class(), case.moment)]
}

/// What `HEDGEROW_MATRIX` asks for: nothing is the choice for CI, `all` is all, and `fault@moment,...` are these; `*` is
/// any.
pub fn asked_for(word: Option<&str>) -> Result<Vec<Case>> {
    let Some(word) = word.filter(|word| !word.is_empty()) else { return Ok(pairwise()) };
    if word == "all" {
        return Ok(all());
    }
    let mut chosen = Vec::new();
    for one in word.split(',') {
        let (fault, moment) = one.split_once('@').with_context(|| format!("{one} is no fault@moment"))?;
        let fits =
            |case: &Case| ["*", case.fault.word()].contains(&fault) && ["*", case.moment.word()].contains(&moment);
        let found: Vec<Case> = all().into_iter().filter(fits).collect();
        if found.is_empty() {
            bail!("HEDGEROW_MATRIX: {one} is no cell that can occur");
        }
        chosen.extend(found);
    }
    Ok(chosen)
}
