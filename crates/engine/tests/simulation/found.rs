//! What the simulation has found, and what chance meets too seldom, each as a plan of its own: a seed means something else
//! as soon as a step is added to what can be drawn, and a plan does not.

use super::plan::{Beginning, Fault, Move, Plan, Press, Step, Then};
use super::template::Template;
use super::{Played, play_plan};
use model::operation::Verb;
use model::policy::Policy;
use std::time::Duration;

fn seconds(seconds: u64) -> Then {
    Then::Pass(Duration::from_secs(seconds))
}

fn press(prune: bool, shown: bool) -> Step {
    let verb = Verb::SyncToKubernetes;
    let (only, leave) = (Vec::new(), None);
    Step::Press(Press { verb, dry_run: false, prune, only, leave, adopt: false, shown, keyed: true })
}

fn sync(shown: bool) -> Step {
    press(false, shown)
}

/// One fabric, these processes and steps; each step happens to process 0, unless that sleeps.
fn play(processes: usize, policy: Policy, steps: &[(Step, Then)]) {
    let beginning = Beginning { policy, deadline_seconds: 90, delivered: true };
    let step = |(step, then): &(Step, Then)| Move { fabric: 0, process: 0, step: step.clone(), then: *then };
    let moves = steps.iter().map(step).collect();
    let plan = Plan { fabrics: vec![beginning], processes, grain: Duration::from_millis(100), moves };
    let (trace, came) = play_plan(&Template::make(), &plan, 0, &Played::default());
    came.unwrap_or_else(|why| panic!("{}\n{why}", trace.0.join("\n")));
}

/// The row of an operation that died said for ever that it was about to try again.
#[test]
fn what_died_while_it_waited_for_its_next_try_does_not_say_that_it_tries_again() {
    let fault = Step::Fault(Fault::Unavailable, 0);
    let steps = [(Step::Pass, seconds(5)), (fault, seconds(1)), (sync(false), seconds(2)), (Step::Crash, seconds(30))];
    play(2, Policy::default(), &steps);
}

/// Watches kept proofs that bore the times of before, so that what they proved was of the future until the clock had come
/// there again: *unknown* for hours.
#[test]
fn a_clock_that_was_ahead_and_is_put_right_leaves_nothing_unknown() {
    let mut steps = vec![(Step::Jump(18_000), seconds(45)), (Step::Jump(0), seconds(25))];
    steps.extend((0..8).map(|_| (Step::Green, seconds(5))));
    play(1, Policy::default(), &steps);
}

/// While the database was held nobody saw that the clock was put back. Seed 822 found it.
#[test]
fn a_clock_that_went_ahead_and_back_unseen_leaves_nothing_unknown() {
    let mut steps = vec![
        (Step::Pass, seconds(5)),
        (Step::HoldStore(16), seconds(4)),
        (Step::Jump(14_379), seconds(2)),
        (Step::Jump(0), seconds(40)),
    ];
    steps.extend((0..8).map(|_| (Step::Green, seconds(5))));
    play(1, Policy::default(), &steps);
}

/// Evidence that was too old counted again when the clock was put back.
#[test]
fn a_clock_that_is_put_back_makes_nothing_green() {
    let steps = [
        (Step::Pass, seconds(30)),
        (Step::HoldStore(90), seconds(1)),
        (Step::Edit(0, 5), seconds(75)),
        (Step::Jump(-50), Then::Rush(Duration::from_millis(1))),
    ];
    play(1, Policy::default(), &steps);
}

/// The slot of an interval that a clock that was ahead had settled stopped the schedule until the clock had come there again.
#[test]
fn a_clock_that_was_ahead_does_not_stop_the_schedule() {
    let policy = Policy { sync_interval_seconds: Some(20), ..Policy::default() };
    let steps = [
        (Step::Jump(18_000), seconds(60)),
        (Step::Jump(0), seconds(30)),
        (Step::Edit(0, 5), seconds(60)),
        (Step::Healed, seconds(0)),
    ];
    play(1, policy, &steps);
}

/// What changed in the cluster after the page was shown is not overwritten for who pressed there.
#[test]
fn what_the_page_did_not_show_is_not_overwritten() {
    let slow = (Step::Fault(Fault::Slow, 0), seconds(1));
    let steps = [(Step::Pass, seconds(30)), slow, (sync(true), seconds(1)), (Step::Edit(0, 5), seconds(40))];
    play(1, Policy::default(), &steps);
}

/// Two syncs that are not the same take turns, also when two processes could run them.
#[test]
fn one_writes_and_the_other_waits() {
    let policy = Policy { prune: true, ..Policy::default() };
    let slow = (Step::Fault(Fault::Slow, 0), seconds(1));
    let steps = [(Step::Pass, seconds(10)), slow, (sync(false), seconds(1)), (press(true, false), seconds(6))];
    play(2, policy, &steps);
}

/// A VPC that a sync has to write, the write of which hangs until the fault is lifted.
fn hanging_write() -> Vec<(Step, Then)> {
    vec![
        (Step::Pass, seconds(5)),
        (Step::Commit(vec![(0, Some(1))]), seconds(1)),
        (Step::Fault(Fault::HangWrites, 0), seconds(1)),
        (sync(false), seconds(2)),
    ]
}

/// While the database takes no heartbeat, the owner stops before its lease is over, though the cluster would take its writes.
#[test]
fn who_cannot_renew_its_lease_writes_no_more() {
    let mut steps = hanging_write();
    steps.extend([(Step::HoldStore(30), seconds(9)), (Step::Lift, seconds(2))]);
    steps.extend((0..8).map(|_| (Step::Pass, seconds(2))));
    play(1, Policy::default(), &steps);
}

/// Another process has taken the operation for dead; its owner wakes up with a write still to be made.
#[test]
fn who_slept_longer_than_its_lease_writes_no_more() {
    let mut steps = hanging_write();
    steps.extend([(Step::Freeze(30), seconds(4)), (Step::Lift, seconds(2))]);
    steps.extend((0..14).map(|_| (Step::Pass, seconds(2))));
    play(2, Policy::default(), &steps);
}

/// A slow sync takes longer than a lease, and its owner lives.
#[test]
fn who_lives_is_not_taken_for_dead() {
    let slow = (Step::Fault(Fault::Slow, 0), seconds(1));
    let mut steps = vec![(Step::Pass, seconds(5)), slow, (sync(false), seconds(2))];
    steps.extend((0..10).map(|n| (Step::Jump([36_000, -36_000, 7_200, 0][n % 4]), seconds(2))));
    play(2, Policy::default(), &steps);
}
