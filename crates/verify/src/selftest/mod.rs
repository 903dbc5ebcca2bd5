//! `hedgerow verify --self-test`: proof that verify can fail. It starts a console with a lab, plants faults one by one, and
//! each must be found with the right cause; on the clean product nothing may be found.
//!
//! The faults are planted from outside: by a proxy between driver and console that alters what passes, and by the lab. The
//! console itself has no switch for them.
//!
//! | file | what |
//! |---|---|
//! | `acts` | the journeys over the clean product, in parts |
//! | `bed`, `child` | the console, its lab, its repository, as processes of this program |
//! | `proxy`, `rule`, `passing` | what passes between driver and console, and how it is altered |
//! | `inside` | sessions of the self-test's own |
//! | `faults` | what is planted, and what must be found |
//! | `judge` | whether it was found |

mod acts;
mod bed;
mod child;
pub mod faults;
mod inside;
mod judge;
mod passing;
mod proxy;
mod result;
mod rule;

pub use judge::judge;
pub use result::{Clean, Journey, Planted, SelfTest};

use crate::evidence::{self, EvidenceError};
use crate::profile::Profile;
use crate::results::Run;
use crate::run::{Runner, Silent};
use crate::site::{DriverKind, Plan, Site};
use acts::{Act, NEED_SCRIPTS, acts};
use bed::{Bed, BedKind, Times};
use faults::{Before, Fault, Ground};
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a self-test is made of.
#[derive(Debug, Clone)]
pub struct Ingredients {
    /// This program, which is started anew as lab and as console.
    pub program: PathBuf,
    /// The files of the fabric's repository: path and text.
    pub files: Vec<(String, String)>,
    /// How the console's pages are to be read.
    pub profile: Profile,
    /// Who walks.
    pub driver: DriverKind,
    /// Who walks where a fault can be met in a browser only; without one, such faults are not asked for.
    pub browser: Option<DriverKind>,
    /// Where the evidence goes, each run's into a folder of its own: those over the clean product, and those over faults
    /// that were missed.
    pub folder: Option<PathBuf>,
}

/// Why a self-test could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SelfTestError {
    /// A piece did not start, or did not do what it was asked.
    #[error("hedgerow {name} failed: {why}")]
    Piece {
        /// Its sub-command.
        name: String,
        /// What it said.
        why: String,
    },
    /// There is no place to work in.
    #[error("cannot make a temporary folder: {0}")]
    Folder(String),
    /// The repository.
    #[error("the repository of the self-test failed: {0}")]
    Git(String),
    /// The proxy did not start.
    #[error("the proxy of the self-test failed: {0}")]
    Proxy(String),
    /// The console, or its lab, is not as it must be before anything is planted.
    #[error("the console of the self-test is not as it must be: {0}")]
    Bed(String),
    /// What a run saw could not be written down.
    #[error("the evidence of the self-test's runs cannot be written: {0}")]
    Evidence(#[from] EvidenceError),
    /// There is no place for it.
    #[error("cannot make the folder {folder}: {source}", folder = .0.display(), source = .1)]
    Place(PathBuf, std::io::Error),
}

/// Is told what goes on.
pub type Told<'a> = &'a (dyn Fn(&Planted) + Sync);

/// Why a fault that only a browser meets is not tried, and no gap.
const NO_BROWSER_WANTED: &str = "it is met in a browser only, and --driver http was asked for";

/// Makes a self-test with these faults. The clean product is walked first: all journeys, or where `all_journeys` is false
/// only those that the faults meet.
pub async fn run(
    ingredients: &Ingredients,
    faults: &[Fault],
    all_journeys: bool,
    told: Told<'_>,
) -> Result<SelfTest, SelfTestError> {
    let clock = Instant::now();
    let met: BTreeSet<&str> = faults.iter().flat_map(|fault| fault.journeys.clone()).collect();
    let wanted = |name: &str| all_journeys || met.contains(name);
    let of = |kind: BedKind| faults.iter().filter(move |fault| fault.bed == kind);
    // Where sessions end, most of the time is waiting: it is done beside the rest. And where there is much to do, a second
    // console begins with the faults while the first is walked clean.
    let queue = |kind: BedKind| Mutex::new(of(kind).collect::<VecDeque<_>>());
    let (whole, short, by_itself) = (queue(BedKind::Whole), queue(BedKind::ShortSessions), queue(BedKind::ByItself));
    let nothing = |_: &str| false;
    let second: &(dyn Fn(&str) -> bool + Sync) = &nothing;
    let helps = of(BedKind::Whole).count() > FEW;
    let none = Mutex::new(VecDeque::new());
    let (first, second, short, by_itself) = tokio::try_join!(
        part(ingredients, BedKind::Whole, &whole, &wanted, told),
        part(ingredients, BedKind::Whole, if helps { &whole } else { &none }, second, told),
        part(ingredients, BedKind::ShortSessions, &short, &wanted, told),
        part(ingredients, BedKind::ByItself, &by_itself, &wanted, told),
    )?;
    let (mut clean, mut planted) = (Vec::new(), Vec::new());
    for (runs, found) in [first, second, short, by_itself] {
        clean.extend(runs);
        planted.extend(found);
    }
    let place = |one: &Planted| faults.iter().position(|fault| fault.name == one.name);
    planted.sort_by_key(place);
    Ok(SelfTest::new(Clean::of(&clean), planted, ingredients.driver, clock.elapsed()))
}

/// How long the end of a session may be waited for.
const WAIT: Duration = Duration::from_secs(40);

/// Faults that wait for a console to be planted before.
type Queue<'a> = Mutex<VecDeque<&'a Fault>>;

/// So many faults are not worth a second console.
const FEW: usize = 12;

/// Everything at one console.
async fn part(
    ingredients: &Ingredients,
    kind: BedKind,
    faults: &Queue<'_>,
    wanted: &(dyn Fn(&str) -> bool + Sync),
    told: Told<'_>,
) -> Result<(Vec<Run>, Vec<Planted>), SelfTestError> {
    let acts = acts(kind, ingredients, wanted);
    if acts.is_empty() && faults.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let bed = Bed::start(ingredients, kind).await?;
    if let Err(why) = bed.opens(&ingredients.profile, ingredients.driver).await {
        bed.stop().await;
        let left = std::mem::take(&mut *faults.lock().unwrap_or_else(PoisonError::into_inner));
        let not_tried = left.into_iter().map(|fault| Planted::not_tried(fault, &why, true)).collect();
        return Ok((Vec::new(), not_tried));
    }
    let walked = walk(&bed, ingredients, acts, faults, told).await;
    bed.stop().await;
    walked
}

async fn walk(
    bed: &Bed,
    ingredients: &Ingredients,
    acts: Vec<Act>,
    faults: &Queue<'_>,
    told: Told<'_>,
) -> Result<(Vec<Run>, Vec<Planted>), SelfTestError> {
    let (mut clean, mut planted) = (Vec::new(), Vec::new());
    for act in acts {
        bed.settle().await?;
        bed.lab_faults(&slowed(&json!({"latencyMs": act.slow}), act.driver)).await?;
        let (run, patience) = (Duration::from_secs(600), Duration::from_secs(60));
        let times = Times { run, patience, wait: WAIT };
        let folder = ingredients.place("clean", act.journeys.first().map_or("", String::as_str))?;
        let plan = bed.plan(&ingredients.profile, act.driver, act.journeys, times);
        let run = walked(bed, plan, folder.clone(), act.by_itself).await?;
        keep(&run, folder.as_deref())?;
        clean.push(run);
    }
    bed.settle().await?;
    loop {
        let next = faults.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(fault) = next else { break };
        let found = match (fault.browser, ingredients.browser) {
            (false, _) => plant(bed, ingredients, fault, ingredients.driver).await?,
            (true, None) => Planted::not_tried(fault, NO_BROWSER_WANTED, false),
            (true, Some(browser)) => match bed.opens(&ingredients.profile, browser).await {
                Ok(()) => plant(bed, ingredients, fault, browser).await?,
                Err(why) => Planted::not_tried(fault, &why, true),
            },
        };
        told(&found);
        planted.push(found);
    }
    Ok((clean, planted))
}

/// Plants one fault, walks the journeys that meet it, and judges what they found.
async fn plant(
    bed: &Bed,
    ingredients: &Ingredients,
    fault: &Fault,
    driver: DriverKind,
) -> Result<Planted, SelfTestError> {
    let clock = Instant::now();
    match fault.before {
        Before::Nothing | Before::Automatic => {}
        Before::Commit => bed.commit().await?,
        Before::CommitToASwitch => bed.commit_to_a_switch().await?,
    }
    if matches!(fault.before, Before::Commit | Before::CommitToASwitch) {
        bed.compare().await?;
    }
    if let Some(plan) = &fault.lab {
        bed.lab_faults(&slowed(plan, driver)).await?;
    }
    let ground = Ground {
        fabric: bed.fabric.clone(),
        unreachable: bed.unreachable.clone(),
        admin: bed.admin().to_owned(),
        password: bed.password().to_owned(),
        earlier: bed.earlier(),
    };
    let rules = fault.make_rules(&ground);
    let by_proxy = rules.is_some();
    bed.proxy.set(rules.unwrap_or_default());
    let by_itself = fault.before == Before::Automatic;
    // Nobody waits long for what is known to be gone.
    let wait = if by_itself { fault.patience } else { WAIT };
    let times = Times { run: Duration::from_secs(240), patience: fault.patience, wait };
    let journeys = fault.journeys.iter().map(|name| (*name).to_owned()).collect();
    let plan = bed.plan(&ingredients.profile, driver, journeys, times);
    let run = walked(bed, plan, None, by_itself).await?;
    let altered: u64 = bed.proxy.set(Vec::new()).iter().map(rule::Rule::touched).sum();
    if fault.leaves_traces() {
        bed.settle().await?;
    }
    let found = judge(fault, &run, by_proxy.then_some(altered), clock.elapsed());
    if found.caught == Some(false) {
        keep(&run, ingredients.place("missed", fault.name)?.as_deref())?;
    }
    Ok(found)
}

/// A lab that is slow is slower still for a browser: an operation must not be over before the browser has looked at it.
fn slowed(plan: &Value, driver: DriverKind) -> Value {
    let mut plan = plan.clone();
    if driver.runs_scripts() && plan["latencyMs"].as_u64().is_some_and(|slow| slow > 0) {
        plan["latencyMs"] = json!(acts::LONG_MS);
    }
    plan
}

impl Ingredients {
    /// A folder for the evidence of one run.
    fn place(&self, sort: &str, name: &str) -> Result<Option<PathBuf>, SelfTestError> {
        let Some(folder) = self.folder.as_ref().map(|folder| folder.join(sort).join(name)) else { return Ok(None) };
        match std::fs::create_dir_all(&folder) {
            Ok(()) => Ok(Some(folder)),
            Err(error) => Err(SelfTestError::Place(folder, error)),
        }
    }
}

fn keep(run: &Run, folder: Option<&Path>) -> Result<(), SelfTestError> {
    folder.map_or(Ok(()), |folder| Ok(evidence::write(run, folder, None)?))
}

/// One run, with a fabric that syncs by itself meanwhile, or without.
async fn walked(bed: &Bed, plan: Plan, folder: Option<PathBuf>, by_itself: bool) -> Result<Run, SelfTestError> {
    if !by_itself {
        return Ok(one(plan, folder).await);
    }
    bed.begin_by_itself().await?;
    let run = tokio::select! {
        run = one(plan, folder) => Ok(run),
        error = bed.commits() => Err(error),
    };
    bed.end_by_itself().await?;
    run
}

/// One run, to its end.
async fn one(plan: Plan, folder: Option<PathBuf>) -> Run {
    let mut runner = Runner::new(Site::new(plan, folder));
    let stop = runner.walk(&mut Silent).await;
    runner.clean().await;
    runner.finish(stop, false)
}
