//! Always on: a console that watches many objects while some of them change each second. What it takes in memory and
//! time, how late a change is stored, and what is asked of the API server for it.
//!
//! The console is the built program, in a process of its own, because the memory that counts is that of the server.

use crate::bare::Bare;
use crate::{objects, progress};
use anyhow::{Context, Result, ensure};
use futures::stream::{self, StreamExt, TryStreamExt};
use model::ObjectKey;
use model::compare::ObjectState;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use store::Store;
use testkit::{ApiFront, Console, ConsoleOptions, ControlPlane, HttpUser};

/// The first comparison reads and parses everything, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(300);
/// Of the changes of each second so many are followed until they are stored.
const FOLLOWED: usize = 5;
/// How often it is looked whether they are. Lags are true to this.
const LOOK: Duration = Duration::from_millis(20);
/// An open page reads itself again after a hint, and not more often than this; with so many changes there is always one.
const READ_AGAIN: Duration = Duration::from_millis(400);
/// How long it is until the next change whose way to an open page is followed.
const PAGE_EACH: Duration = Duration::from_secs(3);
/// A change that is not stored after this is lost.
const LOST: Duration = Duration::from_secs(30);
/// Memory is read when this long nothing but a few pages was asked for: what work took for a moment is given back by then.
const SETTLE: Duration = Duration::from_secs(20);
/// What is watched before memory is counted: a fabric has costs that do not grow with its objects.
const BEFORE: usize = 100;

/// What is measured.
pub struct Options {
    /// How many objects.
    pub objects: usize,
    /// One in so many changes each second.
    pub one_in: usize,
    /// For how long.
    pub time: Duration,
}

/// What was measured. Memory in bytes, times in milliseconds.
#[derive(Debug, Serialize)]
pub struct Watched {
    objects: usize,
    /// Of these, the ones that were added after memory was first read.
    counted: usize,
    /// Of one object, as the API server sends it.
    json_bytes: usize,
    changes: usize,
    idle: u64,
    base: u64,
    quiet: u64,
    storm: Vec<u64>,
    peak: u64,
    lags: Vec<f64>,
    page_lags: Vec<f64>,
    cores: f64,
    calls: BTreeMap<String, usize>,
    comparisons: u64,
    database: u64,
}

/// Measures.
pub async fn watch(plane: &mut ControlPlane, bare: &Bare, options: &Options) -> Result<Watched> {
    plane.reset().await?;
    let (all, around) = (objects::objects(options.objects)?, objects::surroundings(options.objects));
    bare.create(&around, 16).await?;
    let (few, more) = all.split_at(BEFORE.min(all.len() / 2));
    bare.create(few, 16).await?;

    let front = ApiFront::start(plane).await?;
    let console = Console::start(ConsoleOptions::default()).await?;
    let process = Process { id: console.id()? };
    let mut user = console.visitor()?;
    user.login(console.username()?, console.password()?).await?;
    let idle = settle(&mut user, &process).await?;
    let id = add_fabric(&mut user, &plane.kubeconfig(&front.url(), plane.admin_token())).await?;
    commit(console.data_dir(), id, few).await?;
    let database = console.data_dir().join("hedgerow.db");
    let store = Store::open_unmigrated(database.to_str().context("a temp folder that is no UTF-8")?).await?;
    press(&mut user, id, "sync_from_git").await?;
    equal(&store, id, few.len()).await?;
    let base = settle(&mut user, &process).await?;
    progress("a small fabric is watched");
    commit(console.data_dir(), id, more).await?;
    press(&mut user, id, "sync_from_git").await?;
    bare.create(more, 16).await?;
    equal(&store, id, all.len()).await?;
    let quiet = settle(&mut user, &process).await?;
    let (_, live) = bare.list(8).await?;
    let json_bytes = live.iter().map(|object| object.to_string().len()).sum::<usize>() / live.len();
    drop(live);
    progress("everything is compared and watched");

    let before = store.comparisons().latest(id).await?.map_or(0, |c| c.id);
    front.take_calls();
    let (began, spent) = (Instant::now(), process.cpu()?);
    let mut storm = Vec::new();
    let mut followers = tokio::task::JoinSet::new();
    let mut changes = 0;
    let server = all.iter().find(|o| o["kind"] == "Server").context("there is a server")?.clone();
    let page = tokio::spawn(follow_to_page(user, id, bare.clone(), server, began + options.time));
    for second in 0..usize::try_from(options.time.as_secs())? {
        let next = began + Duration::from_secs(second as u64);
        tokio::time::sleep_until(next.into()).await;
        let chosen: Vec<&Value> = all.iter().skip(second % options.one_in).step_by(options.one_in).collect();
        let answers = stream::iter(chosen.iter().map(|object| change(bare, object, second)))
            .buffer_unordered(8)
            .try_collect::<Vec<_>>();
        let answers = answers.await?;
        changes += answers.len();
        for (key, version, at) in answers.into_iter().take(FOLLOWED) {
            followers.spawn(follow(store.clone(), id, key, version, at));
        }
        storm.push(process.memory("VmRSS")?);
    }
    let (took, spent) = (began.elapsed(), process.cpu()? - spent);
    let mut lags = Vec::new();
    while let Some(lag) = followers.join_next().await {
        lags.push(lag??.as_secs_f64() * 1000.0);
    }
    let page_lags = page.await??.into_iter().map(|lag| lag.as_secs_f64() * 1000.0).collect();
    let mut calls = BTreeMap::new();
    for call in front.take_calls() {
        let what = match (call.method.as_str(), &call.path) {
            ("GET", path) if path.contains("watch=true") => "watch",
            ("GET", path) if path.contains("limit=") => "list",
            (_, path) if path.contains("dryRun") => "dry run",
            ("GET", _) => "other read",
            _ => "write",
        };
        *calls.entry(what.to_owned()).or_default() += 1;
    }
    let comparisons = store.comparisons().latest(id).await?.map_or(0, |c| c.id).saturating_sub(before);
    store.close().await;
    Ok(Watched {
        objects: all.len(),
        counted: more.len(),
        json_bytes,
        changes,
        idle,
        base,
        quiet,
        storm,
        peak: process.memory("VmHWM")?,
        lags,
        page_lags,
        cores: spent.as_secs_f64() / took.as_secs_f64(),
        calls,
        comparisons: u64::try_from(comparisons)?,
        database: std::fs::metadata(&database)?.len(),
    })
}

impl Watched {
    /// The figures in words.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / 1024.0 / 1024.0);
        let each = self.json_bytes as f64;
        let of = |bytes: u64| bytes.saturating_sub(self.base) as f64 / self.counted as f64;
        let mut memory = |what: &str, bytes: u64, budget: Option<f64>| {
            let verdict = |ratio: f64| match budget {
                Some(budget) if ratio <= budget => format!(" (budget {budget}: met)"),
                Some(budget) => format!(" (budget {budget}: MISSED)"),
                None => String::new(),
            };
            let ratio = of(bytes) / each;
            let _ = writeln!(
                text,
                "{what:<38} {:>10}   {:>6.0} bytes for each of {} more, {ratio:.2} x its JSON{}",
                mib(bytes),
                of(bytes),
                self.counted,
                verdict(ratio)
            );
        };
        memory("watched, nothing changes", self.quiet, Some(4.0));
        let mut storm = self.storm.clone();
        storm.sort_unstable();
        memory("while they change, median", storm.get(storm.len() / 2).copied().unwrap_or_default(), Some(4.0));
        memory("while they change, most", storm.last().copied().unwrap_or_default(), None);
        memory("peak, the first comparison included", self.peak, None);
        let idle = if self.idle <= 48 * 1024 * 1024 { "met" } else { "MISSED" };
        let head = format!(
            "{} objects watched, {each:.0} bytes of JSON each; {} changes\n{:<38} {:>10}   (budget 48 MiB: {idle})\n{:<38} {:>10}\n",
            self.objects,
            self.changes,
            "idle, no fabric",
            mib(self.idle),
            format!("{} objects watched", self.objects - self.counted),
            mib(self.base)
        );
        let mut lag = |to: &str, lags: &[f64]| {
            let mut lags = lags.to_vec();
            lags.sort_by(f64::total_cmp);
            let at = |part: f64| lags.get(((lags.len() as f64 - 1.0) * part) as usize).copied().unwrap_or(f64::NAN);
            let met = if at(0.99) <= 1000.0 { "met" } else { "MISSED" };
            let _ = writeln!(
                text,
                "from the API server's answer to {to}: median {:.0} ms, p99 {:.0} ms, worst {:.0} ms of {} followed \
                 (budget 1 s: {met})",
                at(0.5),
                at(0.99),
                at(1.0),
                lags.len()
            );
        };
        lag("the stored comparison", &self.lags);
        lag("an open page of the object", &self.page_lags);
        let calls: Vec<String> = self.calls.iter().map(|(what, count)| format!("{count} {what}")).collect();
        let _ = writeln!(
            text,
            "calls of the API server meanwhile: {}; {} comparisons stored; {:.2} cores; database {}",
            calls.join(", "),
            self.comparisons,
            self.cores,
            mib(self.database)
        );
        format!("{head}{text}")
    }
}

/// Adds a fabric with a local source by the form, and gives its number.
async fn add_fabric(user: &mut HttpUser, kubeconfig: &str) -> Result<i64> {
    let form = user.visit("/fabrics/add/").await?;
    let fields = [("name", "watched"), ("cluster_kind", "kubeconfig"), ("kubeconfig", kubeconfig)];
    let answer = user.submit(&form, "form.form", &fields).await?;
    ensure!(answer.status == 303, "the form was not taken: {} {}", answer.status, answer.visible_text());
    let page = user.arrive(answer).await?;
    Ok(page.attribute("#sync-now-btn", "data-fabric-id")?.context("the button names its fabric")?.parse()?)
}

async fn commit(data: &Path, id: i64, all: &[Value]) -> Result<()> {
    let config = source::Config { remote: None, branch: "main".into(), path: String::new(), allow_file: false };
    let repository = source::Repository::open(&engine::source_dir(data, id), config).await?;
    let changes = all.iter().map(|object| {
        let content = Some(serde_saphyr::to_string(object)?.into_bytes());
        anyhow::Ok(source::Change { path: objects::file(object), content })
    });
    let author = source::Author { name: "Bench".into(), email: "bench@example.com".into() };
    repository.commit(&changes.collect::<Result<Vec<_>>>()?, &author, "All objects", None).await?;
    Ok(())
}

async fn press(user: &mut HttpUser, id: i64, verb: &str) -> Result<()> {
    let page = user.visit(&format!("/fabrics/{id}/")).await?;
    let answer = user.submit(&page, &format!("form[data-verb={verb}]"), &[]).await?;
    ensure!(answer.status == 303, "{verb} was not taken: {}", answer.status);
    Ok(())
}

/// Waits as somebody who looks at a page now and then, and gives the memory that is left.
async fn settle(user: &mut HttpUser, process: &Process) -> Result<u64> {
    let until = Instant::now() + SETTLE;
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_secs(2)).await;
        user.visit("/fabrics/").await?;
    }
    process.memory("VmRSS")
}

/// Waits until every object is equal.
async fn equal(store: &Store, id: i64, count: usize) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let counts = store.objects().counts(id).await?;
        let equal: u64 = counts.iter().filter(|c| c.state == ObjectState::Equal).map(|c| c.objects).sum();
        if equal == count as u64 {
            return Ok(());
        }
        ensure!(Instant::now() < until, "{equal} of {count} are equal: {:?}", store.comparisons().latest(id).await?);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Changes an object as somebody with kubectl would, and back the next time; gives its new version and when it was
/// answered.
async fn change(bare: &Bare, object: &Value, second: usize) -> Result<(ObjectKey, u64, Instant)> {
    let note = &object["metadata"]["annotations"]["inventory.example.com/note"];
    let rack = &object["metadata"]["annotations"]["inventory.example.com/rack"];
    let changed = format!("moved in second {second}");
    let rack = if second.is_multiple_of(2) { json!(changed) } else { rack.clone() };
    let patch = json!({"metadata": {"annotations":
        {"inventory.example.com/note": note, "inventory.example.com/rack": rack, "bench.example.com/turn": changed}}});
    let answer = bare.patch(object, &patch).await?;
    let version = answer["metadata"]["resourceVersion"].as_str().unwrap_or_default().parse()?;
    Ok((ObjectKey::of(&answer).context("an answer that is no object")?, version, Instant::now()))
}

/// Waits until the stored row is of this version or a later one.
async fn follow(store: Store, id: i64, key: ObjectKey, version: u64, since: Instant) -> Result<Duration> {
    loop {
        let row = store.objects().get(id, &key).await?;
        let stored = row.brief.live_rv.as_deref().and_then(|v| v.parse::<u64>().ok()).unwrap_or(0);
        if stored >= version {
            return Ok(since.elapsed());
        }
        ensure!(since.elapsed() < LOST, "{key} is stored at version {stored}, not {version}, after {LOST:?}");
        tokio::time::sleep(LOOK).await;
    }
}

/// Changes an object again and again, and follows each change to its page, which is read as an open one reads itself.
async fn follow_to_page(
    mut user: HttpUser,
    id: i64,
    bare: Bare,
    object: Value,
    until: Instant,
) -> Result<Vec<Duration>> {
    let key = ObjectKey::of(&object).context("an object without a name")?;
    let path = format!("/fabrics/{id}/objects/{}.{}/{}/{}/", key.kind, key.group, key.namespace, key.name);
    let mut lags = Vec::new();
    while Instant::now() < until {
        let words = format!("drifted for the {}th time", lags.len() + 1);
        bare.patch(&object, &json!({"spec": {"description": words}})).await?;
        let since = Instant::now();
        loop {
            let read = Instant::now();
            if user.visit(&path).await?.visible_text().contains(&words) {
                break;
            }
            ensure!(since.elapsed() < LOST, "{path} does not say \"{words}\" after {LOST:?}");
            tokio::time::sleep(READ_AGAIN.saturating_sub(read.elapsed())).await;
        }
        lags.push(since.elapsed());
        tokio::time::sleep(PAGE_EACH).await;
    }
    let before = &object["spec"]["description"];
    bare.patch(&object, &json!({"spec": {"description": before}})).await?;
    Ok(lags)
}

/// The console's process, as the kernel sees it.
struct Process {
    id: u32,
}

impl Process {
    /// A field of its status in KiB, as bytes.
    fn memory(&self, field: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kib: u64 = line.and_then(|l| l.split_whitespace().next()).context("no such field")?.parse()?;
        Ok(kib * 1024)
    }

    /// The time that it has spent on processors, of all its threads; the kernel counts a hundred ticks a second.
    fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id))?;
        let after_name = stat.rsplit_once(')').context("no such process")?.1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
        Ok(Duration::from_millis((ticks(11) + ticks(12)) * 10))
    }
}
