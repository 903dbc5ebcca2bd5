//! From what the engine says of a fabric to what its pages show: one place, so that every page says the same.

use super::head::{Age, FabricPage, verb_action};
use super::stages::Weight;
use super::{Badge, Head, Stage, Tabs, Tone, VerbForm};
use crate::icon::Icon;
use crate::problem::{Problem, capitalised};
use crate::url;
use crate::view::View;
use crate::when;
use auth::Action;
use engine::Overview;
use model::operation::Verb;
use model::rollout::SwitchState;
use model::status::{Evidence, StageName, StageState, Status, SyncState, short};
use store::Fabric;

/// A fabric's state as its pages and lists show it.
pub fn sync_badge(overview: &Overview) -> Badge {
    let status = &overview.status;
    let word = match status.state {
        SyncState::Syncing => match progress(overview) {
            Some((done, total)) => format!("Syncing {done} of {total}"),
            None => "Syncing".to_owned(),
        },
        SyncState::Unknown => match status.since {
            Some(since) => format!("Unknown since {}", clock(since, overview)),
            None => "Unknown".to_owned(),
        },
        state => state.title().to_owned(),
    };
    let (tone, icon) = look(status);
    Badge::new(tone, icon, word)
}

fn look(status: &Status) -> (Tone, Icon) {
    let counts = status.counts.unwrap_or_default();
    match status.state {
        SyncState::InSync => (Tone::Good, Icon::Tick),
        // Only changes in the cluster: what is to be delivered is delivered.
        SyncState::OutOfSync if counts.undelivered + counts.conflict == 0 && counts.modified + counts.missing > 0 => {
            (Tone::Changed, Icon::Pencil)
        }
        SyncState::OutOfSync => (Tone::Waiting, Icon::Arrow),
        SyncState::Syncing => (Tone::Busy, Icon::Ring),
        SyncState::Error => (Tone::Bad, Icon::Bang),
        SyncState::Unknown => (Tone::Stale, Icon::Question),
        SyncState::NeverSynced | SyncState::NotConfigured | SyncState::Disabled => (Tone::Off, Icon::Hollow),
    }
}

fn progress(overview: &Overview) -> Option<(u64, u64)> {
    let running = overview.running.as_ref()?;
    let apply = running.phases.iter().find(|phase| phase.phase == model::operation::Phase::Apply)?;
    (apply.total > 0).then_some((apply.done, apply.total))
}

/// The hour when it is of today, otherwise the day too.
fn clock(at: jiff::Timestamp, overview: &Overview) -> String {
    let newest = overview.last_comparison.unwrap_or(at);
    let format = if newest.duration_since(at).as_hours().abs() < 20 { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.strftime(format).to_string()
}

/// A switch's or gateway's state.
pub fn switch_badge(state: SwitchState) -> Badge {
    let (tone, icon) = match state {
        SwitchState::Applied => (Tone::Good, Icon::Tick),
        SwitchState::Submitted => (Tone::Waiting, Icon::Arrow),
        SwitchState::Pending => (Tone::Waiting, Icon::Clock),
        SwitchState::VersionSkew => (Tone::Waiting, Icon::Warning),
        SwitchState::Rebooting => (Tone::Busy, Icon::Ring),
        SwitchState::RebootRequired => (Tone::Bad, Icon::Stopped),
        SwitchState::Stuck => (Tone::Bad, Icon::Bang),
        SwitchState::Offline => (Tone::Bad, Icon::Unplugged),
        SwitchState::Unknown => (Tone::Stale, Icon::Question),
    };
    Badge::new(tone, icon, state.title())
}

/// The four stages. The first one that is not reached is the loud one.
pub fn stages(overview: &Overview, now: jiff::Timestamp) -> Vec<Stage> {
    let mut loud = false;
    let id = overview.fabric_id;
    let stages = overview.stages.iter().map(|stage| {
        let reached = stage.state == StageState::Done && !stage.stale;
        let first = !reached && !loud;
        loud |= !reached;
        let (weight, tone, icon) = match stage.state {
            // A commit that was never compared with anything is nothing to be glad of.
            _ if overview.comparison.is_none() && stage.total == 0 => (Weight::Later, Tone::Off, Icon::Hollow),
            _ if stage.stale => (Weight::Stale, Tone::Stale, Icon::Question),
            StageState::Done => (Weight::Done, Tone::Good, Icon::Tick),
            StageState::Blocked => (if first { Weight::Loud } else { Weight::Later }, Tone::Bad, Icon::Bang),
            StageState::Underway if first => (Weight::Loud, Tone::Waiting, Icon::Arrow),
            StageState::Underway => (Weight::Later, Tone::Off, Icon::Clock),
            StageState::Unknown => (Weight::Later, Tone::Off, Icon::Hollow),
        };
        let commit = overview.current_commit.as_deref().map(short);
        let counted = match stage.total {
            0 => "–".to_owned(),
            total => format!("{} of {total}", stage.done),
        };
        let count = match (stage.name, commit) {
            (StageName::Saved, Some(commit)) if stage.state == StageState::Done => commit.to_owned(),
            _ => counted,
        };
        let why = match stage.at {
            Some(at) if stage.stale => format!("not known since {}", when::absolute(at)),
            _ => stage.reason.clone(),
        };
        let href = match stage.name {
            StageName::Saved => format!("{}#evidence", url::fabric(id)),
            StageName::Accepted | StageName::Live => {
                let filter = if reached { "" } else { "differs" };
                url::with_query(&url::objects(id), &[("state", filter)])
            }
            StageName::Applied => format!("{}#switches", url::fabric(id)),
        };
        Stage {
            name: stage.name.as_str(),
            weight,
            tone,
            icon,
            count,
            when: stage.at.map(|at| when::When::new(at, now)),
            why,
            href: Some(href),
        }
    });
    stages.collect()
}

/// Why a verb cannot be pressed by this user on this fabric, as far as it is known before.
pub fn why_not(fabric: &Fabric, verb: Verb, may_sync: bool) -> Option<String> {
    if !may_sync {
        return Some("Needs the permission hedgerow.sync_fabric on this fabric.".to_owned());
    }
    if !fabric.is_configured() && verb != Verb::SyncFromGit {
        return Some("Needs a cluster first: enter it in Settings.".to_owned());
    }
    if !fabric.sync_enabled && verb.writes() {
        return Some("Sync is switched off for this fabric: switch it on in Settings.".to_owned());
    }
    None
}

/// The head and the tabs of a fabric's pages.
pub async fn head(
    view: &View,
    fabric: &Fabric,
    overview: &Overview,
    page: FabricPage,
) -> Result<(Head, Tabs), Problem> {
    let access = &view.login.access;
    let may_sync = access.may(fabric.id, Action::Sync).await?;
    let may_change = access.may(fabric.id, Action::Change).await?;
    let comparison = overview.comparison.as_ref().map(|comparison| comparison.id);
    let form = |verb: Verb| VerbForm {
        verb,
        action: verb_action(fabric.id, verb),
        comparison: comparison.filter(|_| verb.writes()),
        key: uuid::Uuid::new_v4().to_string(),
        why_not: why_not(fabric, verb, may_sync),
    };
    let age = overview.status.evidence_at.map(|at| Age { label: "verified", when: view.when(at) });
    let head = Head {
        id: fabric.id,
        name: fabric.name.clone(),
        state: sync_badge(overview),
        age,
        sentence: sentence(overview),
        evidence: evidence(overview, may_change),
        review: (may_sync && fabric.is_configured() && page != FabricPage::Review).then(|| url::sync_review(fabric.id)),
        watch: overview.running.as_ref().or(overview.queued.first()).map(|operation| operation.id),
        csrf: view.csrf()?,
        verbs: Verb::ALL.iter().map(|verb| form(*verb)).collect(),
        tls_unverified: fabric.is_configured() && !fabric.verify_tls,
    };
    let objects = overview.counts.values().flat_map(|states| states.values()).sum();
    let objects = overview.comparison.is_some().then_some(objects);
    let tabs = Tabs::of(fabric.id, &fabric.name, objects, may_change, page);
    Ok((head, tabs))
}

/// What is the matter, and what has kept the fabric from being in sync.
pub fn sentence(overview: &Overview) -> String {
    let status = &overview.status;
    let what = match status.state {
        SyncState::NotConfigured => format!("{} Enter it in Settings.", status.message),
        SyncState::NeverSynced => format!("{} Test the connection, then compare with Sync from Git.", status.message),
        _ => capitalised(&status.message),
    };
    match &overview.cause {
        Some(cause) if cause.sentence != status.message => format!("{what} {}", capitalised(&cause.sentence)),
        _ => what,
    }
}

/// Where the evidence for that stands.
pub fn evidence(overview: &Overview, may_change: bool) -> Option<(String, String)> {
    let id = overview.fabric_id;
    let objects = |name: &str, value: &str| url::with_query(&url::objects(id), &[(name, value)]);
    Some(match &overview.cause.as_ref()?.evidence {
        Evidence::Operation(operation) => (format!("Operation {operation}"), url::operation(operation)),
        Evidence::Object(key) => (format!("{} {}", key.kind, key.name), url::object(id, key)),
        Evidence::Kind(kind) => {
            (format!("Objects of {}", kind.split('.').next().unwrap_or(kind)), objects("kind", kind))
        }
        Evidence::Objects(state) => ("These objects".to_owned(), objects("state", state.as_str())),
        Evidence::Comparison => ("Evidence".to_owned(), format!("{}#evidence", url::fabric(id))),
        Evidence::Switches => ("Switches".to_owned(), format!("{}#switches", url::fabric(id))),
        Evidence::Settings if may_change => ("Settings".to_owned(), url::fabric_edit(id)),
        Evidence::Settings => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_in_sync_is_green_and_no_two_states_look_alike() {
        let status = |state| Status {
            state,
            code: None,
            failed: None,
            message: String::new(),
            since: None,
            evidence_at: None,
            fresh_until: None,
            counts: None,
        };
        for state in SyncState::ALL {
            let (tone, _) = look(&status(*state));
            assert_eq!(tone == Tone::Good, *state == SyncState::InSync, "{state}");
        }
        for state in SwitchState::ALL {
            assert_eq!(switch_badge(*state).tone == Tone::Good, *state == SwitchState::Applied, "{state}");
        }
    }
}
