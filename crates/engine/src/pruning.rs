//! What a sync may delete: read out of a run's own observation, or out of the stored comparison for the page that shows
//! it first. What the answer is, `model::prune` says of both.

use crate::applying::Going;
use crate::comparing::{Compared, hides_objects, was_applied};
use crate::overview::problems_of;
use crate::preflight::Standing;
use crate::run::Run;
use crate::selecting::Part;
use crate::{Engine, Error, Overview};
use model::Code;
use model::ObjectKey;
use model::compare::ObjectState;
use model::manifest::{Finding, Severity};
use model::part;
use model::prune::{Extra, Input, Owner};
use model::sync_options::SyncOptions;
use serde::Serialize;
use serde_json::Value;
use source::Desired;
use std::collections::{HashMap, HashSet};
use store::{Adopted, Fabric, ObjectBodies};

/// What a sync that prunes would delete, by the newest comparison.
#[derive(Debug, Clone, Serialize)]
pub struct PrunePlan {
    /// The comparison that says so; `None` when there is none yet.
    pub comparison: Option<i64>,
    /// Whether the fabric's policy allows deletions.
    pub is_allowed: bool,
    /// Why nothing would be deleted however much is asked for; `None` when nothing stands in the way.
    pub hindrance: Option<Hindrance>,
    /// What would be deleted, what is kept, and whether somebody has to confirm it.
    #[serde(flatten)]
    pub plan: model::prune::PrunePlan,
}

/// Objects by the uid under which a person adopted them.
pub(crate) fn adopted_uids(adopted: Vec<Adopted>) -> HashMap<ObjectKey, String> {
    adopted.into_iter().map(|one| (one.key, one.uid)).collect()
}

/// Why an object may be deleted, if it may. An object of the same name that was made since is not the adopted one.
pub(crate) fn owner(
    key: &ObjectKey,
    uid: Option<&str>,
    applied: bool,
    adopted: &HashMap<ObjectKey, String>,
) -> Option<Owner> {
    let is_adopted = || adopted.get(key).is_some_and(|then| Some(then.as_str()) == uid);
    match applied {
        true => Some(Owner::Applied),
        false => is_adopted().then_some(Owner::Adopted),
    }
}

/// Why nothing may be deleted at all.
#[derive(Debug, Clone, Serialize)]
pub struct Hindrance {
    /// What stands in the way.
    pub code: Code,
    /// The same as a sentence.
    pub message: String,
}

/// Why nothing may be deleted at all, if so: what Git names, or what uses what, is not known completely. The findings name
/// the first place of the source that could not be read.
fn hindrance(broken_documents: u64, findings: &[Finding], unread: &[String]) -> Option<Hindrance> {
    if broken_documents > 0 {
        let first = findings.iter().find(|f| f.object.is_none() && f.severity == Severity::Error);
        let place = first.and_then(|f| f.location.as_ref()).map(|place| format!(" ({place})")).unwrap_or_default();
        let documents =
            if broken_documents == 1 { "1 document".to_owned() } else { format!("{broken_documents} documents") };
        let message = format!(
            "{documents} of the source could not be read{place}, so it is not known what Git names. Nothing is deleted \
             until that is corrected."
        );
        return Some(Hindrance { code: Code::SourceInvalid, message });
    }
    let kinds = || unread.join(", ");
    let message =
        || format!("{} could not be read, so it is not known what is still in use. Nothing is deleted.", kinds());
    (!unread.is_empty()).then(|| Hindrance { code: Code::Partial, message: message() })
}

impl Engine {
    /// What a sync of everything would delete if it were asked to prune, by the newest comparison.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn prune_plan(&self, fabric: &Fabric) -> Result<PrunePlan, Error> {
        let overview = self.overview(fabric).await?;
        let store = &self.shared.store;
        let adopted = adopted_uids(store.adopted().list(fabric.id).await?);
        let rows = store.objects().all_bodies(fabric.id).await?;
        Ok(of_rows(fabric, &overview, &rows, &adopted, &SyncOptions::default()))
    }
}

/// What a run with these options would delete if it pruned, by the rows of the newest comparison.
pub(crate) fn of_rows(
    fabric: &Fabric,
    overview: &Overview,
    rows: &[ObjectBodies],
    adopted: &HashMap<ObjectKey, String>,
    options: &SyncOptions,
) -> PrunePlan {
    let broken = overview.status.counts.map_or(0, |counts| counts.broken_documents);
    let problems = overview.comparison.as_ref().map(problems_of).unwrap_or_default();
    let unread: Vec<String> = problems.iter().filter(|p| hides_objects(p)).map(|p| named(&p.kind)).collect();
    let (mut extras, mut others, mut desired, mut both) = (Vec::new(), Vec::new(), 0, 0);
    for row in rows {
        match (&row.desired, &row.live) {
            (Some(wanted), live) => {
                desired += 1;
                both += u64::from(live.is_some());
                let is_written = standing(row, options) == Standing::Written;
                let will_be = if is_written { Some(wanted) } else { live.as_ref() };
                others.extend(will_be.map(|object| (&row.key, object)));
            }
            (None, Some(live)) => {
                let owner = owner(&row.key, row.live_uid.as_deref(), was_applied(&row.digest), adopted);
                if row.managed || owner.is_some() {
                    let has_error = row.state != ObjectState::Extra;
                    extras.push(Extra { key: &row.key, live, owner, has_error });
                } else {
                    others.push((&row.key, live));
                }
            }
            (None, None) => {}
        }
    }
    let plan = model::prune::plan(&Input {
        extras,
        others,
        desired_and_live: both,
        desired,
        limit_percent: fabric.policy.prune_limit_percent,
        options,
    });
    let comparison = overview.comparison.as_ref().map(|comparison| comparison.id);
    PrunePlan {
        comparison,
        is_allowed: fabric.policy.prune,
        hindrance: hindrance(broken, &overview.findings, &unread),
        plan,
    }
}

/// What an object of the stored comparison is to a run with these options; see `selecting::narrow`.
pub(crate) fn standing(row: &ObjectBodies, options: &SyncOptions) -> Standing {
    let is_wrong = row.findings.iter().any(|finding| finding.severity == Severity::Error);
    if !options.selects(&row.key) || options.leave_objects.contains(&row.key) {
        return Standing::Beside;
    }
    match row.state {
        ObjectState::Equal => Standing::Equal,
        ObjectState::Extra => Standing::Beside,
        _ if is_wrong || row.state == ObjectState::Unknown || row.desired.is_none() => Standing::Blocked,
        _ => Standing::Written,
    }
}

/// What one run deletes.
#[derive(Default)]
pub(crate) struct Pruning {
    /// What would be deleted, what is kept, and whether somebody has to confirm it.
    pub plan: model::prune::PrunePlan,
    /// Why nothing is deleted however much is asked for.
    pub hindrance: Option<Hindrance>,
    /// What is deleted, by step; nothing when something stands in the way.
    pub steps: Vec<Vec<Going>>,
}

/// What a run deletes; nothing, unless it asks for that.
pub(crate) async fn of_run(
    run: &Run,
    fabric: &Fabric,
    compared: &Compared,
    desired: &Desired,
    part: &Part,
) -> Result<Pruning, Error> {
    if !run.options().prune {
        return Ok(Pruning::default());
    }
    let adopted = adopted_uids(run.shared.store.adopted().list(fabric.id).await?);
    let source: HashSet<&ObjectKey> = desired.manifests.iter().map(|m| &m.key).collect();
    let managed: HashSet<&ObjectKey> = compared.settled.extra.iter().collect();
    let writes: HashMap<&ObjectKey, Value> = part.differing.iter().map(|d| (&d.manifest.key, d.desired())).collect();
    let live = &compared.observation.live;
    let parsed = compared.observation.parsed(part::Part::WithoutManagers).await?;
    let (mut extras, mut others) = (Vec::new(), Vec::new());
    for (key, object) in &parsed {
        let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
        let owner = owner(key, uid, live.get(key).is_some_and(|live| live.was_applied()), &adopted);
        if !source.contains(key) && (managed.contains(key) || owner.is_some()) {
            let has_error = !compared.findings.about(key).is_empty();
            extras.push(Extra { key, live: object, owner, has_error });
        } else {
            others.push((key, writes.get(key).unwrap_or(object)));
        }
    }
    others.extend(writes.iter().filter(|(key, _)| !live.contains_key(key)).map(|(key, object)| (*key, object)));
    let plan = model::prune::plan(&Input {
        extras,
        others,
        desired_and_live: source.iter().filter(|key| live.contains_key(key)).count() as u64,
        desired: desired.manifests.len() as u64,
        limit_percent: fabric.policy.prune_limit_percent,
        options: run.options(),
    });
    let broken = compared.settled.tally.totals.broken_documents;
    // What no kind of could be read may use anything.
    let unread: Vec<String> = compared.observation.problems.iter().map(|p| named(&p.kind)).collect();
    let hindrance = hindrance(broken, compared.findings.of_source(), &unread);
    let mut steps: Vec<Vec<Going>> = Vec::new();
    let unseen = Unseen::of(run, fabric).await?;
    for deletion in plan.deletions.iter().filter(|_| hindrance.is_none()) {
        let Some(live) = live.get(&deletion.key) else { continue };
        let going = Going {
            key: deletion.key.clone(),
            live: live.value(),
            unseen: unseen.why(run, &deletion.key).await?,
            is_guarded: !deletion.guarded_by.is_empty(),
        };
        steps.resize_with(steps.len().max(deletion.step + 1), Vec::new);
        steps[deletion.step].push(going);
    }
    Ok(Pruning { plan, hindrance, steps })
}

fn named(kind: &str) -> String {
    if kind.is_empty() { "a part of the cluster's API".to_owned() } else { kind.to_owned() }
}

/// What the page did not show, when the request comes from a page: it showed a list of deletions, and only those are
/// meant.
struct Unseen {
    shown: Option<i64>,
    /// What the source named when the page was made, if it was another commit.
    named_then: HashSet<ObjectKey>,
}

impl Unseen {
    async fn of(run: &Run, fabric: &Fabric) -> Result<Self, Error> {
        let Some(shown) = run.operation.shown_comparison_id else {
            return Ok(Self { shown: None, named_then: HashSet::new() });
        };
        let then = run.shared.store.comparisons().get(shown).await?.comparison.commit;
        let mut named_then = HashSet::new();
        if let Some(commit) = then {
            let repository = run.shared.repository(fabric).await?;
            let desired = repository.read(&commit.id, &fabric.namespace, &run.shared.settings.source).await?;
            named_then.extend(desired.manifests.iter().map(|m| m.key.clone()));
        }
        Ok(Self { shown: Some(shown), named_then })
    }

    /// Why an object is not deleted, if the page did not show that it would be.
    async fn why(&self, run: &Run, key: &ObjectKey) -> Result<Option<String>, Error> {
        let Some(shown) = self.shown else { return Ok(None) };
        if self.named_then.contains(key) {
            let message = "Git has dropped it since the page was shown, so nobody saw that it would be deleted; it was \
                           not. Look at the list and sync again.";
            return Ok(Some(message.to_owned()));
        }
        let row = match run.shared.store.objects().get(run.operation.fabric_id, key).await {
            Ok(row) => Some(row),
            Err(store::Error::NotFound(_)) => None,
            Err(e) => return Err(e.into()),
        };
        let is_seen = row.is_some_and(|row| row.brief.changed_in <= shown);
        Ok((!is_seen).then(|| {
            "It changed or appeared in the cluster after the page was shown; it was not deleted. Look at the list and \
             sync again."
                .to_owned()
        }))
    }
}

impl Pruning {
    /// Why the run must not begin, if so: what stays would be broken, or nobody has confirmed how much goes.
    pub fn refusal(&self, run: &Run, fabric: &Fabric) -> Option<Error> {
        if self.steps.is_empty() {
            return None;
        }
        breaks(&self.plan).or_else(|| {
            let options = run.options();
            unconfirmed(&self.plan, options.prune_confirmation.as_deref(), &fabric.name).filter(|_| !options.dry_run)
        })
    }
}

/// Why deletions must not begin: what stays would be broken by one, and Hedgehog would not refuse.
pub(crate) fn breaks(plan: &model::prune::PrunePlan) -> Option<Error> {
    let used: Vec<&model::prune::Deletion> = plan.deletions.iter().filter(|d| !d.used_by.is_empty()).collect();
    let first = used.first()?;
    let more = match used.len() {
        1 => String::new(),
        n => format!(" {} more deletions would break something, too.", n - 1),
    };
    let message = format!(
        "{} {} is not to be deleted: {} uses it, which stays, and Hedgehog would not refuse. Nothing was written. \
         Take it out of what uses it, or leave it out of the run.{more}",
        first.key.kind,
        first.key.name,
        first.used_by.join(", ")
    );
    let object = Some(first.key.to_string());
    Some(Error { object, ..Error::new(Code::PreflightFailed, message) })
}

/// Why deletions wait for somebody who types the fabric's name.
fn unconfirmed(plan: &model::prune::PrunePlan, typed: Option<&str>, name: &str) -> Option<Error> {
    let confirm = plan.confirm.as_ref()?;
    let typed = typed.map(str::trim);
    if typed == Some(name) {
        return None;
    }
    let typed = typed.map(|typed| format!(" '{typed}' is not its name.")).unwrap_or_default();
    let message = format!("{confirm} Nothing was written. To go on, type the fabric's name, {name}.{typed}");
    Some(Error::new(Code::PruneUnconfirmed, message))
}
