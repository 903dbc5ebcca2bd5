//! The engine under a seeded simulation: thousands of random interleavings of users, other programs, faults, crashes and
//! clocks, and after each step a look at what must always hold.
//!
//! The parts are real: the engine, the store on SQLite, the source on local repositories with real git. The lab plays the
//! cluster, because thousands of rounds need one that starts in a millisecond; the matrix of faults (`tests/kube_matrix.rs`)
//! proves the same on a real API server. Each process of Hedgerow is a runtime of its own on simulated time ([`machine`]),
//! so that deadlines, leases, back-offs and schedules of minutes pass in milliseconds, and that it can be killed at whatever
//! it was waiting for.
//!
//! A seed replays its plan exactly: what happens, to whom, in which order and at which simulated time ([`plan`]). It does not
//! replay the exact interleaving inside: files, sockets and git take real time, and the engine's own jitter comes from
//! the system. So a seed that failed may have to be played some dozens of times (`HEDGEROW_SIM_SEED` and
//! `HEDGEROW_SIM_TIMES`) to fail again; what it found then becomes a
//! plan with a name in [`found`].

#![allow(clippy::unwrap_used, reason = "a fixture that fails is a test that fails")]
#![allow(missing_docs, reason = "nobody outside of this test reads its fields")]

mod clock;
mod finale;
mod found;
mod look;
mod machine;
mod objects;
mod plan;
mod play;
mod rng;
mod template;
mod world;

use look::Violation;
use plan::{Fault, Plan, Step, Then};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use template::Template;
use world::World;

/// How many simulations are played unless `HEDGEROW_SIM_SEEDS` says how many: about two minutes on two cores.
const SEEDS: u64 = 250;
/// From so many on every step and fault must have happened, and from so many every end of an operation.
const SOME: usize = 250;
const MANY: usize = 1_000;

/// What was played, over all simulations.
#[derive(Debug, Default)]
struct Played(Mutex<BTreeMap<String, i64>>);

impl Played {
    fn add(&self, what: &str, n: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(what.to_owned()).or_default() += n;
    }

    fn get(&self, what: &str) -> i64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(what).copied().unwrap_or_default()
    }
}

/// What happened in one simulation, for whoever has to understand it.
#[derive(Default)]
struct Trace(Vec<String>);

impl Trace {
    fn note(&mut self, world: &World, what: &str) {
        let seconds = world.clock.elapsed() as f64 / 1e6;
        let ahead = world.clock.ahead();
        self.0.push(format!("{seconds:8.1} s  (wall {ahead:+} s)  {what}"));
    }
}

/// Plays one simulation to its end.
fn simulate(template: &Template, plan: &Plan, seed: u64, played: &Played, trace: &mut Trace) -> Result<(), Violation> {
    let mut world = World::make(template, plan, seed);
    for (number, beginning) in plan.fabrics.iter().enumerate() {
        trace.note(&world, &format!("fabric {number}: {beginning:?}"));
    }
    trace.note(&world, &format!("{} processes, a grain of {:?}", plan.processes, plan.grain));
    for process in 0..plan.processes {
        world.start(process);
    }
    for step in &plan.moves {
        let came = play::play(&mut world, step);
        if let Some(came) = &came {
            trace.note(&world, &format!("{:?} on fabric {}, process {} {came}", step.step, step.fabric, step.process));
            played.add(step.step.word(), 1);
            if let Step::Fault(fault, _) = &step.step {
                played.add(&format!("fault {fault:?}"), 1);
            }
        }
        match step.then {
            Then::Pass(time) => world.pass(time),
            Then::Rush(time) => std::thread::sleep(time),
        }
        let (green, all) = look::look(&mut world, step.fabric..step.fabric + 1, step.process)?;
        played.add("pages read", all);
        played.add("pages that said in sync", green);
        // The computer that it runs on starts it again, as it does in life.
        if came.is_some() && world.awake(0).is_none() && world.processes.iter().all(Option::is_none) {
            world.start(step.process);
        }
    }
    trace.note(&world, "the faults are over");
    finale::finale(&mut world)?;
    for fabric in &world.fabrics {
        played.add("writes", i64::try_from(fabric.lab.journal().len()).unwrap_or_default());
        for row in fabric.seen.values() {
            played.add(&format!("{} {}", row.verb, row.state), 1);
        }
    }
    played.add("simulated seconds", i64::try_from(world.clock.elapsed() / 1_000_000).unwrap_or_default());
    Ok(())
}

/// The same, and a word for each way in which it can fail.
fn play_plan(template: &Template, plan: &Plan, seed: u64, played: &Played) -> (Trace, Result<(), String>) {
    let mut trace = Trace::default();
    let came = catch_unwind(AssertUnwindSafe(|| simulate(template, plan, seed, played, &mut trace)));
    let came = match came {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Violation { invariant, what })) => Err(format!("broken: {invariant}\n    {what}")),
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
            Err(format!("it panicked: {}", words.unwrap_or_default()))
        }
    };
    (trace, came)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

/// Plays these seeds, several at once: most of their time they wait. Gives the failures.
fn play_all(template: &Template, seeds: &[u64], played: &Played) -> Vec<String> {
    let workers = 3 * std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let at = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX);
                    let Some(seed) = seeds.get(at) else { return };
                    let (trace, came) = play_plan(template, &Plan::draw(*seed), *seed, played);
                    played.add("seeds", 1);
                    if let Err(why) = came {
                        let steps = trace.0.join("\n    ");
                        let text = format!("HEDGEROW_SIM_SEED={seed}\n    {steps}\n    {why}");
                        let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                        failures.push(text);
                        stop.store(failures.len() >= 5, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn whatever_happens_and_in_whatever_order() {
    let template = Template::make();
    let played = Played::default();
    let began = Instant::now();
    let one = number("HEDGEROW_SIM_SEED");
    let seeds: Vec<u64> = match one {
        Some(seed) => vec![seed; usize::try_from(number("HEDGEROW_SIM_TIMES").unwrap_or(1)).unwrap_or(1)],
        None => {
            let first = number("HEDGEROW_SIM_FIRST").unwrap_or(0);
            (first..first + number("HEDGEROW_SIM_SEEDS").unwrap_or(SEEDS)).collect()
        }
    };
    if let (Some(seed), 1) = (one, seeds.len()) {
        let (trace, came) = play_plan(&template, &Plan::draw(seed), seed, &played);
        say(&trace.0.join("\n"));
        came.unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        return;
    }
    let failures = play_all(&template, &seeds, &played);
    say(&format!("{} simulations in {:.0?}: {:#?}", seeds.len(), began.elapsed(), played.0));
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), seeds.len(), failures.join("\n\n"));
    if one.is_some() || seeds.len() < SOME {
        return;
    }
    // A simulation that plays nothing proves nothing.
    let missing =
        |words: &mut dyn Iterator<Item = String>| words.filter(|word| played.get(word) == 0).collect::<Vec<_>>();
    let words = Step::WORDS.iter().map(|word| (*word).to_owned());
    let faults = Fault::ALL.iter().map(|fault| format!("fault {fault:?}"));
    let others = ["writes", "pages that said in sync"].map(str::to_owned);
    let ends = ["succeeded", "partial", "failed", "cancelled", "timed_out", "interrupted"];
    let ends = ends.iter().filter(|_| seeds.len() >= MANY).map(|end| format!("sync_to_kubernetes {end}"));
    let never = missing(&mut words.chain(faults).chain(others).chain(ends));
    assert!(never.is_empty(), "it never happened: {never:?}");
}

#[allow(clippy::print_stderr, reason = "the numbers and the trace are what this test is read for")]
fn say(text: &str) {
    eprintln!("{text}");
}
