//! The part of a fabric's page that says what happens by itself, what keeps it from that, and whom self-heal fights.

use crate::icon::Icon;
use crate::parts::{Badge, Fact, Notice, Tone};
use crate::problem::Problem;
use crate::url;
use crate::view::View;
use crate::when::When;
use auth::Action;
use engine::{Automation, Overview};
use model::operation::Trigger;
use model::policy::{AutomaticState, WindowKind, span};
use store::Fabric;

/// What the panel shows.
pub struct AutomaticPanel {
    pub state: Badge,
    pub sentence: String,
    pub can_suspend: bool,
    pub can_resume: bool,
    pub facts: Vec<Fact>,
    pub last: Option<LastAutomatic>,
}

/// The last automatic sync.
pub struct LastAutomatic {
    pub href: String,
    pub words: String,
    pub when: When,
}

/// The panel of a fabric.
pub(super) async fn automatic(view: &View, fabric: &Fabric, overview: &Overview) -> Result<AutomaticPanel, Problem> {
    let automation = &overview.automatic;
    let may_sync = view.login.access.may(fabric.id, Action::Sync).await?;
    let is_suspended = fabric.suspension.is_some();
    Ok(AutomaticPanel {
        state: badge(automation.standing.state),
        sentence: automation.standing.sentence.clone(),
        can_suspend: may_sync && !is_suspended && automation.policy.is_automatic(),
        can_resume: may_sync && is_suspended,
        facts: facts(automation),
        last: automation.last_run.as_ref().map(|last| LastAutomatic {
            href: url::operation(last.operation),
            words: format!("Operation {}, by {}, {}", last.operation, by(last.trigger), last.state.as_str()),
            when: view.when(last.at),
        }),
    })
}

fn by(trigger: Trigger) -> &'static str {
    if trigger == Trigger::SelfHeal { "self-heal" } else { "its interval" }
}

fn badge(state: AutomaticState) -> Badge {
    let (tone, icon, word) = match state {
        AutomaticState::Off => (Tone::Off, Icon::Hollow, "Off"),
        AutomaticState::Disabled => (Tone::Off, Icon::Hollow, "Disabled"),
        AutomaticState::ClusterChanged => (Tone::Bad, Icon::Bang, "Held: another cluster answers"),
        AutomaticState::Suspended => (Tone::Waiting, Icon::Warning, "Suspended"),
        AutomaticState::Closed => (Tone::Waiting, Icon::Clock, "Held by a window"),
        AutomaticState::Due => (Tone::Waiting, Icon::Arrow, "Due"),
        AutomaticState::Waiting => (Tone::Off, Icon::Clock, "Waiting"),
    };
    Badge::new(tone, icon, word)
}

fn facts(automation: &Automation) -> Vec<Fact> {
    let policy = &automation.policy;
    if !policy.is_automatic() {
        return Vec::new();
    }
    let interval = match policy.sync_interval_seconds {
        Some(seconds) => format!("every {}", span(i64::from(seconds))),
        None => "none".to_owned(),
    };
    let prune = match policy.prune {
        true => format!("on, up to {} % without a confirmation", policy.prune_limit_percent),
        false => "off".to_owned(),
    };
    let mut facts = vec![
        Fact::new("Interval", interval),
        Fact::new("Self-heal", if policy.self_heal { "on" } else { "off" }),
        Fact::new("Prune", prune),
    ];
    for (number, window) in policy.windows.iter().enumerate() {
        let does = if window.kind == WindowKind::Deny { "denies" } else { "allows" };
        let words = format!("{does} {} min from {}, {}", window.minutes, window.schedule, window.time_zone);
        facts.push(Fact::new(format!("Window {}", number + 1), words));
    }
    if !policy.windows.is_empty() {
        facts.push(Fact::new("Windows bind", "automatic syncs only; people and scripts may sync at any time"));
    }
    facts
}

/// What stands in the way of what should happen by itself.
pub(super) fn notices(fabric: &Fabric, overview: &Overview) -> Vec<Notice> {
    let mut notices = Vec::new();
    if fabric.suspension.is_some() {
        let sentence = match overview.automatic.standing.state {
            AutomaticState::Suspended => overview.automatic.standing.sentence.clone(),
            _ => fabric.suspension.as_ref().map(|s| format!("By {}: {}", s.by, s.reason)).unwrap_or_default(),
        };
        notices.push(suspension_notice("Automatic syncs are suspended.", &sentence));
    }
    for standoff in &overview.automatic.fights {
        let object = url::object(fabric.id, &standoff.fight.object);
        notices.push(fight_notice(&standoff.sentence, &standoff.fight.manager, Some(object)));
    }
    notices
}

/// Somebody stopped the automatic syncs.
pub fn suspension_notice(what: &str, sentence: &str) -> Notice {
    let todo = "Nothing is synced by itself until somebody resumes; people and scripts can still sync.";
    Notice::new(Tone::Waiting, what, sentence, todo)
}

/// Somebody else writes what self-heal writes.
pub fn fight_notice(sentence: &str, manager: &str, object: Option<String>) -> Notice {
    let who = if manager.is_empty() { "whoever does that" } else { manager };
    let todo = format!("Find out who runs {who} and agree on one of the two, or leave the field out of Git.");
    let mut notice = Notice::new(Tone::Changed, "Another writer and self-heal undo each other's work.", sentence, todo);
    notice.link = object.map(|href| ("Show the object".to_owned(), href));
    notice
}
