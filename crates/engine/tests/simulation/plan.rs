//! What happens in a simulation, drawn from its seed before anything of it is played: how many fabrics and processes, what
//! each fabric's policy is, and step by step what users, other programs, faults and clocks do.

use super::rng::Rng;
use model::policy::{Policy, Window, WindowKind};
use std::time::Duration;

/// Names of the VPCs that everything is about.
pub const VPCS: u64 = 5;

/// What a user presses.
#[derive(Debug, Clone)]
pub struct Press {
    /// Which button.
    pub verb: model::operation::Verb,
    /// Only asks the server.
    pub dry_run: bool,
    /// Lets objects be deleted that Git no longer names.
    pub prune: bool,
    /// Is about these VPCs only; none: about everything.
    pub only: Vec<u64>,
    /// Leaves this VPC as it is.
    pub leave: Option<u64>,
    /// Commits what only the cluster has.
    pub adopt: bool,
    /// The form carried the comparison that the page showed.
    pub shown: bool,
    /// The request has a key.
    pub keyed: bool,
}

/// What is wrong with a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Throttle,
    Unavailable,
    UnavailableOnce,
    HangAll,
    HangWrites,
    Forbidden,
    Unauthorized,
    CutReads,
    CutWrites,
    CutAnswers,
    Expired,
    WebhookDown,
    Reject,
    Slow,
    CutConnections,
    Compact,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Throttle,
        Self::Unavailable,
        Self::UnavailableOnce,
        Self::HangAll,
        Self::HangWrites,
        Self::Forbidden,
        Self::Unauthorized,
        Self::CutReads,
        Self::CutWrites,
        Self::CutAnswers,
        Self::Expired,
        Self::WebhookDown,
        Self::Reject,
        Self::Slow,
        Self::CutConnections,
        Self::Compact,
    ];
}

/// What happens. VPCs and variants of them are numbers.
#[derive(Debug, Clone)]
pub enum Step {
    /// A user presses a button.
    Press(Press),
    /// The last request that had a key is sent again, as after a lost answer.
    Again,
    /// A user cancels what waits or runs.
    Cancel,
    /// Somebody commits: VPCs by their new variant, or without one to take them out.
    Commit(Vec<(u64, Option<u64>)>),
    /// Another manager changes a VPC in the cluster.
    Edit(u64, u64),
    /// Another manager annotates a VPC, which changes its version and nothing that Git names.
    Touch(u64),
    /// Another manager deletes a VPC.
    Remove(u64),
    /// Another manager makes something that Git does not know.
    Extra(u64),
    /// Something is wrong with the cluster from now on, about this VPC where it is about one.
    Fault(Fault, u64),
    /// The cluster is all right again.
    Lift,
    /// A process is killed.
    Crash,
    /// A process is stopped as a service is.
    Stop,
    /// A process is started.
    Start,
    /// A process stands still for so many seconds.
    Freeze(u64),
    /// The clock on the wall is put to so many seconds ahead of the right time, or behind it.
    Jump(i64),
    /// Another program holds the database for so many seconds of simulated time.
    HoldStore(u64),
    /// The fabric's policy is another.
    Policy(Policy),
    /// Sync is switched off, or on again.
    Switch,
    /// Automatic syncs are suspended, or go on.
    Suspend,
    /// The fabric is deleted.
    Delete,
    /// Nothing happens.
    Pass,
    /// The cluster is what Git says by now, without anybody having pressed a button; in plans with a name only.
    Healed,
    /// A page says *in sync*; in plans with a name only.
    Green,
}

impl Step {
    /// The word under which it is counted.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Press(press) => match press.verb {
                model::operation::Verb::TestConnection => "press test connection",
                model::operation::Verb::SyncFromGit => "press sync from git",
                model::operation::Verb::SyncFromFabric if press.adopt => "press adopt",
                model::operation::Verb::SyncFromFabric => "press sync from fabric",
                model::operation::Verb::SyncToKubernetes if press.dry_run => "press dry run",
                model::operation::Verb::SyncToKubernetes => "press sync",
            },
            Self::Again => "same key again",
            Self::Cancel => "cancel",
            Self::Commit(_) => "commit",
            Self::Edit(..) => "foreign edit",
            Self::Touch(_) => "foreign annotation",
            Self::Remove(_) => "foreign deletion",
            Self::Extra(_) => "foreign creation",
            Self::Fault(..) => "fault",
            Self::Lift => "fault lifted",
            Self::Crash => "crash",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Freeze(_) => "freeze",
            Self::Jump(_) => "clock jump",
            Self::HoldStore(_) => "database held",
            Self::Policy(_) => "policy edited",
            Self::Switch => "sync switched",
            Self::Suspend => "suspended or resumed",
            Self::Delete => "fabric deleted",
            Self::Pass => "nothing",
            Self::Healed => "healed",
            Self::Green => "green",
        }
    }

    /// Every word.
    pub const WORDS: [&'static str; 26] = [
        "press test connection",
        "press sync from git",
        "press adopt",
        "press sync from fabric",
        "press dry run",
        "press sync",
        "same key again",
        "cancel",
        "commit",
        "foreign edit",
        "foreign annotation",
        "foreign deletion",
        "foreign creation",
        "fault",
        "fault lifted",
        "crash",
        "stop",
        "start",
        "freeze",
        "clock jump",
        "database held",
        "policy edited",
        "sync switched",
        "suspended or resumed",
        "fabric deleted",
        "nothing",
    ];
}

/// What comes between two steps.
#[derive(Debug, Clone, Copy)]
pub enum Then {
    /// So much simulated time passes.
    Pass(Duration),
    /// Everybody works for so much real time, while no time passes: the next step comes into the middle of what was begun.
    Rush(Duration),
}

/// One step: to which fabric and by which process it happens, and what comes after it.
#[derive(Debug, Clone)]
pub struct Move {
    pub fabric: usize,
    pub process: usize,
    pub step: Step,
    pub then: Then,
}

/// A fabric as it begins.
#[derive(Debug, Clone)]
pub struct Beginning {
    pub policy: Policy,
    pub deadline_seconds: u32,
    /// Whether its objects are in the cluster already.
    pub delivered: bool,
}

/// A whole simulation.
#[derive(Debug, Clone)]
pub struct Plan {
    pub fabrics: Vec<Beginning>,
    pub processes: usize,
    /// How much simulated time passes between two looks of the runtimes at their clocks.
    pub grain: Duration,
    pub moves: Vec<Move>,
}

impl Plan {
    /// Draws a simulation.
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let fabrics = match rng.below(10) {
            0..7 => 1,
            7..9 => 2,
            _ => 3,
        };
        let processes = match rng.below(10) {
            0..4 => 1,
            4..9 => 2,
            _ => 3,
        };
        let beginning = |rng: &mut Rng| Beginning {
            policy: policy(rng),
            deadline_seconds: u32::try_from(rng.between(30, 90)).expect("it is small"),
            delivered: rng.chance(40),
        };
        let fabrics: Vec<Beginning> = (0..fabrics).map(|_| beginning(&mut rng)).collect();
        let grain = Duration::from_millis(*rng.pick(&[50, 100, 200]));
        // Most are short, so that there are many; some are long enough for what needs a history.
        let steps = if rng.chance(10) { rng.between(15, 30) } else { rng.between(3, 9) };
        let mut moves: Vec<Move> = Vec::new();
        for _ in 0..steps {
            let next = match moves.last() {
                Some(last) if matches!(last.step, Step::Press(_)) && rng.chance(40) => disturb(&mut rng, last),
                _ => step(&mut rng, fabrics.len(), processes),
            };
            moves.push(next);
        }
        Self { fabrics, processes, grain, moves }
    }
}

fn policy(rng: &mut Rng) -> Policy {
    let window = |rng: &mut Rng| Window {
        kind: if rng.chance(50) { WindowKind::Allow } else { WindowKind::Deny },
        schedule: rng.pick(&["0 * * * *", "*/2 * * * *", "30 8 * * *"]).to_string(),
        minutes: u32::try_from(rng.between(1, 60)).expect("it is small"),
        time_zone: rng.pick(&["UTC", "Europe/Berlin"]).to_string(),
    };
    Policy {
        sync_interval_seconds: rng.chance(35).then_some(u32::try_from(rng.between(20, 60)).expect("it is small")),
        self_heal: rng.chance(35),
        prune: rng.chance(50),
        prune_limit_percent: if rng.chance(70) { 100 } else { 20 },
        windows: if rng.chance(15) { vec![window(rng)] } else { Vec::new() },
        rollout_wait_seconds: Some(1),
    }
}

fn press(rng: &mut Rng) -> Press {
    use model::operation::Verb::{SyncFromFabric, SyncFromGit, SyncToKubernetes, TestConnection};
    let verb = match rng.below(20) {
        0 => TestConnection,
        1..3 => SyncFromGit,
        3..6 => SyncFromFabric,
        _ => SyncToKubernetes,
    };
    let syncs = verb == SyncToKubernetes;
    let some = |rng: &mut Rng| (0..rng.between(1, 3)).map(|_| rng.below(VPCS)).collect();
    Press {
        verb,
        dry_run: syncs && rng.chance(12),
        prune: syncs && rng.chance(35),
        only: if syncs && rng.chance(20) { some(rng) } else { Vec::new() },
        leave: (syncs && rng.chance(12)).then(|| rng.below(VPCS)),
        adopt: verb == SyncFromFabric && rng.chance(60),
        shown: syncs && rng.chance(50),
        keyed: rng.chance(40),
    }
}

fn commit(rng: &mut Rng) -> Vec<(u64, Option<u64>)> {
    let changes = rng.between(1, 2);
    (0..changes).map(|_| (rng.below(VPCS), rng.chance(75).then(|| rng.below(5)))).collect()
}

/// Hours more often than seconds: what is wrong with a clock is rarely small.
fn jump(rng: &mut Rng) -> i64 {
    let size = i64::try_from(if rng.chance(70) { rng.between(1_800, 20_000) } else { rng.between(5, 300) });
    let size = size.expect("it is small");
    match rng.below(5) {
        0 => 0,
        1 | 2 => size,
        _ => -size,
    }
}

/// Something that comes into the middle of what was just pressed.
fn disturb(rng: &mut Rng, pressed: &Move) -> Move {
    let step = match rng.below(20) {
        0..5 => Step::Crash,
        5..8 => Step::Freeze(rng.between(9, 40)),
        8..10 => Step::Cancel,
        10..12 => Step::HoldStore(rng.between(3, 25)),
        12..16 => Step::Fault(*rng.pick(&Fault::ALL), rng.below(VPCS)),
        16..18 => Step::Edit(rng.below(VPCS), rng.between(5, 9)),
        18 => Step::Commit(commit(rng)),
        _ => Step::Stop,
    };
    Move { fabric: pressed.fabric, process: pressed.process, step, then: then(rng) }
}

fn then(rng: &mut Rng) -> Then {
    match rng.below(20) {
        0..8 => Then::Rush(Duration::from_micros(rng.between(0, 60_000))),
        8..18 => Then::Pass(rng.millis(200, 6_000)),
        _ => Then::Pass(rng.millis(6_000, 30_000)),
    }
}

fn step(rng: &mut Rng, fabrics: usize, processes: usize) -> Move {
    let step = match rng.below(100) {
        0..26 => Step::Press(press(rng)),
        26..29 => Step::Again,
        29..33 => Step::Cancel,
        33..43 => Step::Commit(commit(rng)),
        43..51 => Step::Edit(rng.below(VPCS), rng.between(5, 9)),
        51..53 => Step::Touch(rng.below(VPCS)),
        53..57 => Step::Remove(rng.below(VPCS)),
        57..60 => Step::Extra(rng.below(3)),
        60..70 => Step::Fault(*rng.pick(&Fault::ALL), rng.below(VPCS)),
        70..74 => Step::Lift,
        74..79 => Step::Crash,
        79 => Step::Stop,
        80..84 => Step::Start,
        84..87 => Step::Freeze(rng.between(3, 40)),
        87..90 => Step::Jump(jump(rng)),
        90..92 => Step::HoldStore(rng.between(3, 25)),
        92..94 => Step::Policy(policy(rng)),
        94 => Step::Switch,
        95 => Step::Suspend,
        96 => Step::Delete,
        _ => Step::Pass,
    };
    let then = then(rng);
    let index = |rng: &mut Rng, of: usize| usize::try_from(rng.below(of as u64)).expect("it is small");
    Move { fabric: index(rng, fabrics), process: index(rng, processes), step, then }
}
