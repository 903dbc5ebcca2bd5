//! The place of one simulation: a lab for each fabric, one database, local repositories, and processes that each run a
//! real engine on them.

use super::clock::{Clock, TAGS};
use super::machine::{Machine, STUCK};
use super::objects::{self, Desired, Name};
use super::plan::{Beginning, Plan};
use super::template::{Template, author, config, copy, folder, here, read};
use engine::{Engine, Error, Requested, Settings};
use lab::Lab;
use secrecy::SecretString;
use source::{Change, Repository};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use store::{Cluster, EndpointLogin, FabricSecrets, FabricSpec, NewFabric, Operation, Scope, Sealed, Source, Store};
use testkit::HeldDatabase;

/// How long evidence is true, in every simulation.
pub const FRESHNESS: Duration = Duration::from_secs(60);
/// How long a lease holds without a heartbeat.
pub const LEASE: Duration = Duration::from_secs(12);
/// So many times somebody who does not answer is given a moment more.
const PATIENCE: u32 = 200;
/// When no runtime has had anything to do for this long, in real time, time passes on.
const QUIET: Duration = Duration::from_micros(200);
/// On a busy computer it has to be quiet for longer, but no longer than this.
const LATEST: Duration = Duration::from_millis(8);
/// So many times it is looked for quiet at most: whoever waits for git, or for a lock, gets no answer by waiting for him.
const LOOKS: u32 = 40;

/// What another manager did to an object.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// When.
    pub at: u64,
    /// Whether Hedgerow had verified this object live before, so that it knows what is overwritten.
    pub was_verified: bool,
    /// Whether it changed anything that Git names.
    pub is_content: bool,
}

/// A request whose answer has not been looked at yet.
pub struct Asked {
    pub key: Option<String>,
    /// Whether it carried the comparison of a page.
    pub shown: bool,
    pub at: u64,
    pub answer: mpsc::Receiver<Result<Requested, Error>>,
}

/// A fabric, and what is known of it here.
pub struct Fabric {
    pub id: i64,
    pub lab: Arc<Lab>,
    pub is_deleted: bool,
    repository: Option<Repository>,
    folder: PathBuf,
    desired: HashMap<String, Arc<Desired>>,
    /// What some commit named.
    pub ever: BTreeSet<Name>,
    /// When the cluster was last changed by another manager.
    pub cluster_changed: u64,
    /// When Hedgerow last wrote to it, as far as this was looked at.
    pub written: u64,
    /// When its settings were last saved.
    pub saved: u64,
    /// By version of the object.
    pub foreign: HashMap<String, Foreign>,
    /// What others made and Git never named, as it was then.
    pub extras: BTreeMap<String, serde_json::Value>,
    /// Every operation as it was last seen, and as it was the time before.
    pub seen: BTreeMap<i64, Operation>,
    pub before: BTreeMap<i64, Operation>,
    /// When that was.
    pub looked: u64,
    /// Operations that were asked for with the comparison of a page, and when.
    pub shown: HashMap<i64, u64>,
    /// Which operations each key got.
    pub keys: BTreeMap<String, Vec<i64>>,
    pub asked: Vec<Asked>,
    pub last_key: Option<String>,
    /// How much of the journal was looked at.
    pub read: usize,
    /// VPCs that Hedgerow has verified live.
    pub verified: BTreeSet<String>,
    /// When each evidence of a green status was first seen: comparison, and until when it holds.
    pub evidence: HashMap<(i64, jiff::Timestamp), u64>,
    /// The operation that was the last success.
    pub last_success: Option<i64>,
}

fn settings(folder: PathBuf) -> Settings {
    Settings {
        lease: LEASE,
        freshness: FRESHNESS,
        compare_interval: Duration::from_secs(20),
        rollout_wait: Duration::from_secs(1),
        parallel: 8,
        cluster: cluster::Limits {
            connect: Duration::from_secs(3),
            request: Duration::from_secs(8),
            page: 2,
            ..cluster::Limits::default()
        },
        ..Settings::new(folder)
    }
}

/// A process with its engine.
pub struct Process {
    pub machine: Machine,
    pub engine: Engine,
    /// When it was frozen, and until when it is.
    pub frozen: Option<(u64, u64)>,
}

/// The place.
pub struct World {
    pub clock: Arc<Clock>,
    pub store: Store,
    pub fabrics: Vec<Fabric>,
    pub processes: Vec<Option<Process>>,
    pub held: Option<(HeldDatabase, u64)>,
    pub grain: Duration,
    /// How late a thread is woken up now, in real time.
    late: Duration,
    tags: i64,
    labs: Machine,
    /// The beginning, by the clock of the labs.
    began: tokio::time::Instant,
    runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
}

impl World {
    /// Makes the place of a plan, with no process yet.
    pub fn make(template: &Template, plan: &Plan, seed: u64) -> Self {
        let folder = folder("hedgerow-sim-");
        let runtime = here();
        std::fs::copy(template.folder.path().join("h.db"), folder.path().join("h.db")).unwrap();
        let url = folder.path().join("h.db");
        let store = runtime.block_on(Store::open(url.to_str().unwrap())).unwrap();
        let labs = Machine::start("labs");
        let began = labs.ask(|| async { tokio::time::Instant::now() }).recv_timeout(STUCK).expect("it lives");
        let clock = Arc::new(Clock::new());
        let mut world = Self {
            clock,
            store,
            fabrics: Vec::new(),
            processes: (0..plan.processes).map(|_| None).collect(),
            held: None,
            grain: plan.grain,
            late: QUIET,
            tags: i64::try_from(seed % 7).unwrap_or_default(),
            labs,
            began,
            runtime,
            folder,
        };
        for (number, beginning) in plan.fabrics.iter().enumerate() {
            let fabric = world.add(template, number, beginning);
            world.fabrics.push(fabric);
        }
        world
    }

    /// Waits for something that takes no simulated time.
    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    fn add(&self, template: &Template, number: usize, beginning: &Beginning) -> Fabric {
        let options = lab::Options {
            identity: Some(template.identities[number].clone()),
            crds: Some(template.definitions.clone()),
            journal: true,
            ..lab::Options::default()
        };
        let lab = self.labs.ask(move || async move { Lab::start(options).await.unwrap() });
        let lab = Arc::new(lab.recv_timeout(STUCK).expect("the lab starts"));
        if beginning.delivered {
            lab.load(objects::at_first(), "hedgerow").unwrap();
        }
        let cluster =
            Cluster::Endpoint { server: lab.url(), ca_pem: Some(lab.ca_pem().to_owned()), login: EndpointLogin::Token };
        let spec = FabricSpec {
            name: format!("fabric-{number}"),
            cluster,
            source: Source::Local,
            deadline_seconds: beginning.deadline_seconds,
            policy: beginning.policy.clone(),
            ..FabricSpec::default()
        };
        let secrets =
            FabricSecrets { endpoint: Some(Sealed(lab.token().as_bytes().to_vec())), ..FabricSecrets::default() };
        let id = self.wait(async {
            let id = self.store.fabrics().reserve_id().await.unwrap();
            let new = NewFabric { id, spec, secrets };
            self.store.fabrics().create(&Scope::System, new, self.clock.wall(0)).await.unwrap();
            id
        });
        let folder = engine::source_dir(self.folder.path(), id);
        copy(&template.folder.path().join("source"), &folder);
        let (commit, desired) = template.first.clone();
        Fabric {
            id,
            lab,
            is_deleted: false,
            repository: None,
            folder,
            ever: desired.keys().cloned().collect(),
            desired: HashMap::from([(commit, desired)]),
            cluster_changed: 0,
            written: 0,
            saved: 0,
            foreign: HashMap::new(),
            extras: BTreeMap::new(),
            seen: BTreeMap::new(),
            before: BTreeMap::new(),
            looked: 0,
            shown: HashMap::new(),
            keys: BTreeMap::new(),
            asked: Vec::new(),
            last_key: None,
            read: 0,
            verified: BTreeSet::new(),
            evidence: HashMap::new(),
            last_success: None,
        }
    }

    /// Starts a process, unless there is one. One that cannot open the database ends, as it does in life.
    pub fn start(&mut self, number: usize) -> bool {
        if self.processes[number].is_some() {
            return false;
        }
        self.tags += 1;
        // The number of the process stands in every time that it writes, and behind the token that it shows.
        let (tag, clock) = (self.tags % TAGS, self.clock.clone());
        let machine = Machine::start(&format!("process-{tag}"));
        let folder = self.folder.path().to_path_buf();
        let started = machine.ask(move || async move {
            let store = Store::open(folder.join("h.db").to_str().unwrap()).await.ok()?;
            let unseal: engine::Unseal = Arc::new(move |_, _, sealed| {
                let token = String::from_utf8(sealed.0.clone()).map_err(|e| e.to_string())?;
                Ok(SecretString::from(format!("{token}~{tag}")))
            });
            Engine::start(store, unseal, settings(folder), Arc::new(move || clock.wall(tag))).await.ok()
        });
        let Some(engine) = self.answer(&started).flatten() else { return false };
        self.processes[number] = Some(Process { machine, engine, frozen: None });
        true
    }

    /// Waits for an answer. Mostly it comes at once; what waits for somebody else's lock needs time to pass.
    pub fn answer<T>(&mut self, answer: &mpsc::Receiver<T>) -> Option<T> {
        for _ in 0..PATIENCE {
            match answer.recv_timeout(Duration::from_millis(50)) {
                Ok(answer) => return Some(answer),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.pass(Duration::from_millis(100)),
            }
        }
        None
    }

    /// Whether somebody stands still or another program works on the database, so that whoever writes may have to wait.
    pub fn is_slow(&self) -> bool {
        self.held.is_some() || self.processes.iter().flatten().any(|process| process.frozen.is_some())
    }

    /// Kills a process.
    pub fn kill(&mut self, number: usize) -> bool {
        let Some(process) = self.processes[number].take() else { return false };
        let _guard = self.runtime.enter();
        drop(process);
        true
    }

    /// The numbers of the processes that run and are not frozen, beginning with this one.
    pub fn awake(&self, first: usize) -> Option<usize> {
        let of = self.processes.len();
        (0..of).map(|n| (first + n) % of).find(|n| self.processes[*n].as_ref().is_some_and(|p| p.frozen.is_none()))
    }

    /// Asks a process for something.
    pub fn ask<T, F>(&self, number: usize, work: impl FnOnce(Engine) -> F + Send + 'static) -> mpsc::Receiver<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let process = self.processes[number].as_ref().expect("it was said to be awake");
        let engine = process.engine.clone();
        process.machine.ask(move || work(engine))
    }

    /// Lets time pass, grain by grain.
    pub fn pass(&mut self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let by = left.min(self.grain);
            left -= by;
            self.turn(by);
        }
    }

    fn turn(&mut self, by: Duration) {
        self.clock.moves(by);
        let now = self.clock.elapsed();
        self.held = self.held.take().filter(|(_, until)| now < *until);
        for process in self.processes.iter_mut().flatten() {
            if let Some((since, until)) = process.frozen
                && now >= until
            {
                process.frozen = None;
                process.machine.thaw(Duration::from_micros(now - since) - by);
            }
        }
        let machines = self.processes.iter().flatten().map(|process| &process.machine).chain([&self.labs]);
        let known: Vec<mpsc::Receiver<()>> = machines.filter_map(|machine| machine.moves(by)).collect();
        for known in known {
            known.recv_timeout(STUCK).expect("every runtime learns that time has passed");
        }
        let mut before = None;
        // Threads that we cannot see (SQLite's, git) wait for a core as long as we do.
        self.late = (self.late * 7 / 8).max(QUIET);
        for _ in 0..LOOKS {
            let slept = Instant::now();
            std::thread::sleep(self.late);
            self.late = self.late.max(slept.elapsed().saturating_sub(self.late).min(LATEST));
            let machines = self.processes.iter().flatten().map(|process| &process.machine).chain([&self.labs]);
            let rests: Option<Vec<u64>> = machines.map(Machine::rests).collect();
            if rests.is_some() && rests == before {
                break;
            }
            before = rests;
        }
    }

    /// Stops a process in its tracks for so many seconds.
    pub fn freeze(&mut self, number: usize, seconds: u64) -> bool {
        // It may stand still with the lock of a repository, and nobody can open that before it goes on.
        for fabric in 0..self.fabrics.len() {
            if !self.fabrics[fabric].is_deleted {
                self.open(fabric);
            }
        }
        let now = self.clock.elapsed();
        let Some(process) = self.processes[number].as_mut().filter(|p| p.frozen.is_none()) else { return false };
        process.machine.freeze();
        process.frozen = Some((now, now + seconds * 1_000_000));
        true
    }

    /// Thaws what is frozen and frees what is held.
    pub fn release(&mut self) {
        let now = self.clock.elapsed();
        for process in self.processes.iter_mut().flatten() {
            if let Some((since, _)) = process.frozen.take() {
                process.machine.thaw(Duration::from_micros(now - since));
            }
        }
        self.held = None;
    }

    /// Holds the database, so that nobody else can write to it.
    pub fn hold(&mut self, seconds: u64) -> bool {
        if self.is_slow() {
            return false;
        }
        let held = self.wait(HeldDatabase::hold(&self.folder.path().join("h.db"))).expect("the database can be held");
        self.held = Some((held, self.clock.elapsed() + seconds * 1_000_000));
        true
    }

    /// The commit that a fabric's branch is at.
    pub fn head(&self, fabric: usize) -> String {
        let file = self.fabrics[fabric].folder.join("repository.git/refs/heads/main");
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }

    /// What a commit names.
    pub fn desired(&mut self, fabric: usize, commit: &str) -> Arc<Desired> {
        if let Some(known) = self.fabrics[fabric].desired.get(commit) {
            return known.clone();
        }
        self.open(fabric);
        let repository = self.fabrics[fabric].repository.as_ref().expect("it was opened just now");
        let desired = Arc::new(self.wait(read(repository, commit)));
        let fabric = &mut self.fabrics[fabric];
        fabric.ever.extend(desired.keys().cloned());
        fabric.desired.insert(commit.to_owned(), desired.clone());
        desired
    }

    fn open(&mut self, fabric: usize) {
        if self.fabrics[fabric].repository.is_none() {
            let repository = self.wait(Repository::open(&self.fabrics[fabric].folder, config())).unwrap();
            self.fabrics[fabric].repository = Some(repository);
        }
    }

    /// Commits as a person does in the console.
    pub fn commit(&mut self, fabric: usize, changes: &[Change]) -> String {
        self.open(fabric);
        let repository = self.fabrics[fabric].repository.as_ref().expect("it was opened just now");
        self.wait(repository.commit(changes, &author(), "A change", None)).unwrap().id
    }

    /// A moment by the clock of the labs, in microseconds since the beginning.
    pub fn since_beginning(&self, at: tokio::time::Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_micros()).unwrap_or(u64::MAX)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _guard = self.runtime.enter();
        self.processes.clear();
        self.fabrics.clear();
    }
}
