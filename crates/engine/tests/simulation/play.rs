//! Playing the steps of a plan: every one through the door that it comes through in life. A step that cannot happen (no
//! process lives, the object is not there) does not, and is not counted.

use super::clock::TAGS;
use super::objects;
use super::plan::{Fault, Move, Press, Step};
use super::world::{Asked, Foreign, World};
use engine::Request;
use lab::{FaultPlan, Rejection, RequestFault};
use model::ObjectKey;
use model::operation::{Trigger, Verb};
use model::policy::Suspension;
use model::sync_options::SyncOptions;
use source::Change;
use std::collections::BTreeSet;
use store::Scope;
use store::fabrics::SecretChanges;

/// Plays one step. Says what came of it, or nothing when it could not happen.
pub fn play(world: &mut World, step: &Move) -> Option<String> {
    let (fabric, process) = (step.fabric, step.process);
    let of_world = matches!(
        step.step,
        Step::Crash | Step::Stop | Step::Start | Step::Freeze(_) | Step::Jump(_) | Step::HoldStore(_) | Step::Pass
    );
    if !of_world && world.fabrics[fabric].is_deleted {
        return None;
    }
    match &step.step {
        Step::Press(press) => self::press(world, fabric, process, press),
        Step::Again => again(world, fabric, process),
        Step::Cancel => cancel(world, fabric, process),
        Step::Commit(changes) => (!world.is_slow()).then(|| commit(world, fabric, changes)),
        Step::Edit(number, variant) => edit(world, fabric, *number, *variant),
        Step::Touch(number) => touch(world, fabric, *number),
        Step::Remove(number) => remove(world, fabric, *number),
        Step::Extra(number) => extra(world, fabric, *number),
        Step::Fault(fault, number) => Some(strike(world, fabric, *fault, *number)),
        Step::Lift => {
            world.fabrics[fabric].lab.faults().clear();
            Some(String::new())
        }
        Step::Crash => world.kill(process).then(String::new),
        Step::Stop => stop(world, process),
        Step::Start => world.start(process).then(String::new),
        Step::Freeze(seconds) => world.freeze(process, *seconds).then(String::new),
        Step::Jump(ahead) => {
            world.clock.put(*ahead);
            Some(String::new())
        }
        Step::HoldStore(seconds) => world.hold(*seconds).then(String::new),
        Step::Policy(policy) => save(world, fabric, process, |spec| spec.policy = policy.clone()),
        Step::Switch => save(world, fabric, process, |spec| spec.sync_enabled = !spec.sync_enabled),
        Step::Suspend => suspend(world, fabric, process),
        Step::Delete => delete(world, fabric, process),
        Step::Pass => Some(String::new()),
        Step::Green => {
            let status = super::look::overview(world, fabric, process).expect("a page answers").status;
            assert_eq!(status.state, model::status::SyncState::InSync, "{status:?}");
            Some(String::new())
        }
        Step::Healed => {
            let head = world.head(fabric);
            let desired = world.desired(fabric, &head);
            assert_eq!(objects::lacks(&desired, &world.fabrics[fabric].lab), None);
            Some(String::new())
        }
    }
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("vpc.githedgehog.com", "VPC", "default", name)
}

fn press(world: &mut World, fabric: usize, process: usize, press: &Press) -> Option<String> {
    let process = world.awake(process)?;
    let id = world.fabrics[fabric].id;
    let shown = match press.shown {
        true => world.wait(world.store.comparisons().latest_ok(id)).unwrap().map(|comparison| comparison.id),
        false => None,
    };
    let of_place = &world.fabrics[fabric];
    let adopt: BTreeSet<ObjectKey> = match press.adopt {
        true => of_place.extras.keys().map(|name| key(name)).collect(),
        false => BTreeSet::new(),
    };
    if press.adopt && adopt.is_empty() {
        return None;
    }
    let options = SyncOptions {
        dry_run: press.dry_run,
        prune: press.prune,
        objects: press.only.iter().map(|number| key(&objects::vpc_name(*number))).collect(),
        leave_objects: press.leave.iter().map(|number| key(&objects::vpc_name(*number))).collect(),
        adopt,
        ..SyncOptions::default()
    };
    let key = press.keyed.then(|| format!("key-{}-{}", of_place.keys.len(), of_place.asked.len()));
    send(world, fabric, process, press.verb, options, shown, key);
    Some(String::new())
}

/// Asks a process for a verb, as its pages do.
pub fn send(
    world: &mut World,
    fabric: usize,
    process: usize,
    verb: Verb,
    options: SyncOptions,
    shown: Option<i64>,
    key: Option<String>,
) {
    let request = Request {
        fabric_id: world.fabrics[fabric].id,
        verb,
        actor: "anna".to_owned(),
        actor_user_id: None,
        trigger: Trigger::Button,
        request_id: "simulated".to_owned(),
        idempotency_key: key.clone(),
        shown_comparison: shown,
        options,
    };
    let answer = world.ask(process, move |engine| async move { engine.request(request).await });
    let at = world.clock.elapsed();
    let place = &mut world.fabrics[fabric];
    if let Some(key) = &key {
        place.last_key = Some(key.clone());
        place.keys.entry(key.clone()).or_default();
    }
    place.asked.push(Asked { key, shown: shown.is_some(), at, answer });
}

fn again(world: &mut World, fabric: usize, process: usize) -> Option<String> {
    let process = world.awake(process)?;
    let key = world.fabrics[fabric].last_key.clone()?;
    send(world, fabric, process, Verb::SyncToKubernetes, SyncOptions::default(), None, Some(key));
    Some(String::new())
}

fn cancel(world: &mut World, fabric: usize, process: usize) -> Option<String> {
    let process = world.awake(process)?;
    let id = world.fabrics[fabric].id;
    let open = world.wait(world.store.operations().open()).unwrap();
    let operation = open.iter().rfind(|operation| operation.fabric_id == id)?.id;
    drop(world.ask(process, move |engine| async move { engine.cancel(operation, "anna").await }));
    Some(format!("operation {operation}"))
}

fn commit(world: &mut World, fabric: usize, changes: &[(u64, Option<u64>)]) -> String {
    let mut files = std::collections::BTreeMap::new();
    for (number, variant) in changes {
        let content = variant.map(|variant| objects::vpc(*number, variant).to_string().into_bytes());
        files.insert(objects::file_of(&objects::vpc(*number, 0)), content);
    }
    let changes: Vec<Change> = files.into_iter().map(|(path, content)| Change { path, content }).collect();
    let commit = world.commit(fabric, &changes);
    world.desired(fabric, &commit);
    commit
}

/// Notes what another manager just did to an object.
fn note(world: &mut World, fabric: usize, name: &str, is_content: bool) {
    let at = world.clock.elapsed();
    let place = &mut world.fabrics[fabric];
    if is_content {
        place.cluster_changed = at;
    }
    let Some(object) = place.lab.object("VPC", name) else { return };
    let was_verified = place.verified.contains(name);
    place.foreign.insert(objects::version(&object), Foreign { at, was_verified, is_content });
}

fn edit(world: &mut World, fabric: usize, number: u64, variant: u64) -> Option<String> {
    let name = objects::vpc_name(number);
    let lab = world.fabrics[fabric].lab.clone();
    let before = lab.object("VPC", &name)?;
    let mut object = before.clone();
    object["spec"]["subnets"]["default"]["vlan"] = objects::vlan(number, variant).into();
    let done = lab.load([object], "kubectl-edit");
    if let Err(refused) = done {
        return Some(format!("refused: {refused}"));
    }
    if lab.object("VPC", &name).is_some_and(|now| objects::version(&now) != objects::version(&before)) {
        note(world, fabric, &name, true);
    }
    Some(String::new())
}

fn touch(world: &mut World, fabric: usize, number: u64) -> Option<String> {
    let name = objects::vpc_name(number);
    let lab = world.fabrics[fabric].lab.clone();
    let mut object = lab.object("VPC", &name)?;
    object["metadata"]["annotations"]["example.com/looked-at"] = world.clock.elapsed().to_string().into();
    let version = objects::version(&object);
    if lab.load([object], "kubectl-annotate").is_ok() {
        // It stands on what was there before, and so does the question whose that was.
        let before = world.fabrics[fabric].foreign.get(&version).cloned();
        note(world, fabric, &name, before.is_some_and(|before| before.is_content));
    }
    Some(String::new())
}

fn remove(world: &mut World, fabric: usize, number: u64) -> Option<String> {
    let name = objects::vpc_name(number);
    world.fabrics[fabric].lab.object("VPC", &name)?;
    if let Err(refused) = world.fabrics[fabric].lab.delete("VPC", "default", &name) {
        return Some(format!("refused: {refused}"));
    }
    world.fabrics[fabric].cluster_changed = world.clock.elapsed();
    Some(String::new())
}

fn extra(world: &mut World, fabric: usize, number: u64) -> Option<String> {
    let name = objects::extra_name(number);
    let lab = world.fabrics[fabric].lab.clone();
    if lab.object("VPC", &name).is_some() || world.fabrics[fabric].ever.contains(&("VPC".to_owned(), name.clone())) {
        return None;
    }
    if let Err(refused) = lab.load(objects::namespaces().into_iter().chain([objects::extra(number)]), "kubectl-create")
    {
        return Some(format!("refused: {refused}"));
    }
    let at = world.clock.elapsed();
    let place = &mut world.fabrics[fabric];
    place.cluster_changed = at;
    place.extras.insert(name.clone(), lab.object("VPC", &name)?);
    Some(String::new())
}

fn strike(world: &mut World, fabric: usize, fault: Fault, number: u64) -> String {
    use lab::Fault as F;
    let faults = world.fabrics[fabric].lab.faults();
    let writes = || ["create", "update", "delete"].map(str::to_owned).into();
    let on_writes = |fault| RequestFault { verbs: writes(), ..RequestFault::all(fault) };
    let plan = |request: RequestFault| FaultPlan { requests: vec![request], ..FaultPlan::default() };
    let name = objects::vpc_name(number);
    let plan = match fault {
        Fault::Throttle => plan(RequestFault { retry_after: Some(2), ..RequestFault::all(F::Throttle) }),
        Fault::Unavailable => plan(RequestFault::all(F::Unavailable)),
        Fault::UnavailableOnce => {
            plan(RequestFault { times: Some(1 + number), after: number, ..RequestFault::all(F::Unavailable) })
        }
        Fault::HangAll => plan(RequestFault::all(F::Hang)),
        Fault::HangWrites => plan(on_writes(F::Hang)),
        Fault::Forbidden => plan(RequestFault::of_kind(F::Forbidden, "VPC")),
        Fault::Unauthorized => plan(RequestFault { after: number, ..RequestFault::all(F::Unauthorized) }),
        Fault::CutReads => plan(RequestFault { verbs: ["list".to_owned()].into(), ..RequestFault::all(F::Cut) }),
        Fault::CutWrites => plan(on_writes(F::Cut)),
        Fault::CutAnswers => plan(RequestFault { times: Some(1 + number), ..on_writes(F::CutAnswer) }),
        Fault::Expired => plan(RequestFault {
            verbs: ["list", "watch"].map(str::to_owned).into(),
            times: Some(3),
            ..RequestFault::all(F::Expired)
        }),
        Fault::WebhookDown => FaultPlan { webhook_down: true, ..FaultPlan::default() },
        Fault::Reject => {
            let reject = vec![Rejection { kind: "VPC".to_owned(), name, message: "not today".to_owned() }];
            FaultPlan { reject, ..FaultPlan::default() }
        }
        Fault::Slow => FaultPlan { latency_ms: 2_000, ..FaultPlan::default() },
        Fault::CutConnections => {
            faults.cut_connections();
            return "once".to_owned();
        }
        Fault::Compact => {
            world.fabrics[fabric].lab.compact();
            return "once".to_owned();
        }
    };
    faults.set(plan);
    String::new()
}

fn stop(world: &mut World, process: usize) -> Option<String> {
    if world.processes[process].as_ref()?.frozen.is_some() {
        return None;
    }
    let stopped = world.ask(process, |engine| async move { engine.stop().await });
    // It may take its eight seconds, as a service has them before it is killed.
    for _ in 0..40 {
        if stopped.try_recv().is_ok() {
            break;
        }
        world.pass(std::time::Duration::from_millis(250));
    }
    world.kill(process);
    Some(String::new())
}

/// Saves a fabric's settings, as its form does.
pub fn save(
    world: &mut World,
    fabric: usize,
    process: usize,
    change: impl FnOnce(&mut store::FabricSpec),
) -> Option<String> {
    let process = world.awake(process)?;
    if world.is_slow() {
        return None;
    }
    // The last moment of this microsecond: what others write at the same time counts as earlier.
    let (id, now) = (world.fabrics[fabric].id, world.clock.wall(TAGS - 1));
    let saved = world.wait(async {
        let fabrics = world.store.fabrics();
        let before = fabrics.get(&Scope::System, id).await.unwrap();
        let mut spec = before.spec();
        change(&mut spec);
        fabrics.update(&Scope::System, id, before.version, &spec, &SecretChanges::default(), now).await
    });
    saved.unwrap();
    world.fabrics[fabric].saved = world.clock.elapsed();
    drop(world.ask(process, move |engine| async move { engine.fabric_saved(id).await }));
    Some(String::new())
}

fn suspend(world: &mut World, fabric: usize, process: usize) -> Option<String> {
    let process = world.awake(process)?;
    if world.is_slow() {
        return None;
    }
    let (id, at) = (world.fabrics[fabric].id, world.clock.wall(0));
    let before = world.wait(world.store.fabrics().get(&Scope::System, id)).unwrap();
    let suspension = match before.suspension {
        Some(_) => None,
        None => Some(Suspension { at, by: "anna".to_owned(), reason: "maintenance".to_owned() }),
    };
    let word = if suspension.is_some() { "suspended" } else { "resumed" };
    drop(world.ask(process, move |engine| async move {
        engine.suspend(&Scope::System, id, suspension.as_ref(), &store::Author::named("anna", at)).await
    }));
    Some(word.to_owned())
}

fn delete(world: &mut World, fabric: usize, process: usize) -> Option<String> {
    let process = world.awake(process)?;
    if world.is_slow() {
        return None;
    }
    let id = world.fabrics[fabric].id;
    if let Err(refused) = world.wait(world.store.fabrics().delete(&Scope::System, id)) {
        return Some(format!("refused: {refused}"));
    }
    world.fabrics[fabric].is_deleted = true;
    drop(world.ask(process, move |engine| async move { engine.fabric_deleted(id).await }));
    Some(String::new())
}
