//! Rollout: whether the switches and gateways run what the cluster holds.
//!
//! Nothing in Hedgehog says so of an object. But the controller copies the spec of each object that concerns a switch
//! into that switch's Agent, and the agent says which generation of it is applied. So an object is *applied* where the
//! Agent's own spec holds it as it is live, that generation is applied, and the heartbeat is fresh. Equal generations
//! alone prove nothing: the controller may not have reacted yet, or be down. Until then the object is *submitted*.
//!
//! `rollout/agent.rs` reads Agents, `rollout/concern.rs` knows which switch an object concerns, `rollout/secret.rs`
//! what of an Agent may be read at all.

mod agent;
mod concern;
mod secret;

pub use agent::{AgentKind, AgentSummary, AgentView, HeldVersion, expect_versions};
pub use concern::{Holding, holdings};
pub use secret::{allow_list, filter_allowed};

use crate::operation::words;
use crate::status::in_words;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A heartbeat older than this means that the agent does not answer. Agents send one every 15 s.
pub const HEARTBEAT_LIMIT: SignedDuration = SignedDuration::from_secs(60);

/// An attempt that is not applied after this is stuck: the agent tries, fails, and is restarted.
pub const STUCK_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// How long a switch that was told to reboot may be silent before it counts as offline.
pub const REBOOT_LIMIT: SignedDuration = SignedDuration::from_mins(10);

words! {
    /// Where one switch or gateway stands.
    SwitchState {
        /// It runs what its Agent says.
        Applied = "applied",
        /// Its Agent does not hold the object yet; the controller has not reacted.
        Submitted = "submitted",
        /// Its Agent holds the object; that generation is not applied yet.
        Pending = "pending",
        /// It runs what its Agent says, with another version of the agent than the fabric asks for: what that version
        /// does not know, it leaves out.
        VersionSkew = "version_skew",
        /// It was told to reboot and has not come back.
        Rebooting = "rebooting",
        /// What its Agent says takes effect with a reboot that nobody has asked for.
        RebootRequired = "reboot_required",
        /// It has tried for more than five minutes.
        Stuck = "stuck",
        /// No heartbeat for more than a minute.
        Offline = "offline",
        /// Nothing is known of it.
        Unknown = "unknown",
    }
}

impl SwitchState {
    /// The state in the words of a page.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Applied => "Applied",
            Self::Submitted => "Submitted",
            Self::Pending => "Pending",
            Self::VersionSkew => "Version skew",
            Self::Rebooting => "Rebooting",
            Self::RebootRequired => "Reboot required",
            Self::Stuck => "Stuck",
            Self::Offline => "Offline",
            Self::Unknown => "Unknown",
        }
    }

    /// How bad it is; an object shows the worst of its switches.
    pub const fn severity(self) -> u8 {
        match self {
            Self::Applied => 0,
            Self::Pending => 1,
            Self::Submitted => 2,
            Self::VersionSkew => 3,
            Self::Rebooting => 4,
            Self::Unknown => 5,
            Self::RebootRequired => 6,
            Self::Offline => 7,
            Self::Stuck => 8,
        }
    }

    /// Whether waiting alone will not help.
    pub const fn is_blocked(self) -> bool {
        matches!(self, Self::Stuck | Self::Offline | Self::RebootRequired)
    }
}

words! {
    /// How far an object is on the switches that it concerns.
    RolloutState {
        /// Every switch that it concerns runs it.
        Applied = "applied",
        /// Some Agent does not hold it yet.
        Submitted = "submitted",
        /// Some switch has not applied it yet.
        Pending = "pending",
        /// Some switch runs it with another version of the agent than the fabric asks for.
        VersionSkew = "version_skew",
        /// Some switch was told to reboot and has not come back.
        Rebooting = "rebooting",
        /// Some switch takes it over with a reboot that nobody has asked for.
        RebootRequired = "reboot_required",
        /// Some switch tries in vain.
        Stuck = "stuck",
        /// Some switch does not answer.
        Offline = "offline",
        /// Nothing is known.
        Unknown = "unknown",
        /// No switch runs it; *live* is its last stage.
        NotApplicable = "not_applicable",
    }
}

impl From<SwitchState> for RolloutState {
    fn from(state: SwitchState) -> Self {
        match state {
            SwitchState::Applied => Self::Applied,
            SwitchState::Submitted => Self::Submitted,
            SwitchState::Pending => Self::Pending,
            SwitchState::VersionSkew => Self::VersionSkew,
            SwitchState::Rebooting => Self::Rebooting,
            SwitchState::RebootRequired => Self::RebootRequired,
            SwitchState::Stuck => Self::Stuck,
            SwitchState::Offline => Self::Offline,
            SwitchState::Unknown => Self::Unknown,
        }
    }
}

/// One switch or gateway that an object concerns, and how far the object is on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchRollout {
    /// The Agent's name, which is the switch's.
    pub agent: String,
    /// Switch or gateway.
    pub kind: AgentKind,
    /// How far the object is there.
    pub state: SwitchState,
    /// The generation of its Agent's spec; `None` where no Agent of that name was read.
    #[serde(default)]
    pub generation: Option<i64>,
    /// The last generation that it has applied.
    #[serde(default)]
    pub applied_gen: Option<i64>,
    /// Its last heartbeat.
    #[serde(default)]
    pub heartbeat: Option<Timestamp>,
}

impl SwitchRollout {
    /// A switch in a state, with what its Agent says, if there is one.
    pub fn new(agent: &str, kind: AgentKind, state: SwitchState, known: Option<&AgentSummary>) -> Self {
        Self {
            agent: agent.to_owned(),
            kind,
            state,
            generation: known.map(|agent| agent.generation),
            applied_gen: known.and_then(|agent| agent.last_applied_gen),
            heartbeat: known.and_then(|agent| agent.last_heartbeat),
        }
    }
}

/// Puts the worst first, and equals by name.
pub fn worst_first(switches: &mut [SwitchRollout]) {
    switches.sort_by(|a, b| b.state.severity().cmp(&a.state.severity()).then_with(|| a.agent.cmp(&b.agent)));
}

/// How far one object is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRollout {
    /// The worst of its switches.
    pub state: RolloutState,
    /// Each switch that it concerns, by name.
    pub switches: Vec<SwitchRollout>,
}

/// Where a switch or gateway stands by itself.
pub fn switch_state(agent: &AgentSummary, now: Timestamp) -> SwitchState {
    let Some(heartbeat) = agent.last_heartbeat else { return SwitchState::Unknown };
    let age = now.duration_since(heartbeat);
    // A switch that reboots is silent for a while, and its Agent still bears the old boot's id.
    if agent.rebooting && (-HEARTBEAT_LIMIT..=REBOOT_LIMIT).contains(&age) {
        return SwitchState::Rebooting;
    }
    if age > HEARTBEAT_LIMIT {
        return SwitchState::Offline;
    }
    // A heartbeat from the future says that a clock is wrong, and nothing about the switch.
    if age < -HEARTBEAT_LIMIT {
        return SwitchState::Unknown;
    }
    if agent.reboot_required {
        return SwitchState::RebootRequired;
    }
    match agent.last_applied_gen {
        // A generation of 0 means that the object was not read in full; 0 = 0 is not applied.
        Some(applied) if applied == agent.generation && agent.generation > 0 => {
            if agent.has_skew() {
                SwitchState::VersionSkew
            } else {
                SwitchState::Applied
            }
        }
        applied => {
            let trying = agent.last_attempt_gen.is_some() && agent.last_attempt_gen != applied;
            let long_ago = |at: Option<Timestamp>| at.is_some_and(|at| now.duration_since(at) > STUCK_AFTER);
            // The agent renews the attempt's time with each restart; its condition keeps the time of the first.
            if trying && (long_ago(agent.unapplied_since) || long_ago(agent.last_attempt_at)) {
                SwitchState::Stuck
            } else {
                SwitchState::Pending
            }
        }
    }
}

/// How far an object is, from the Agents that it concerns. A deleted object is settled where no Agent holds its name.
pub fn object_rollout<'a>(
    holdings: &[Holding],
    agents: impl IntoIterator<Item = &'a AgentSummary>,
    now: Timestamp,
) -> ObjectRollout {
    let agents: Vec<&AgentSummary> = agents.into_iter().collect();
    let switches: Vec<SwitchRollout> = holdings
        .iter()
        .map(|holding| {
            let known = agents.iter().find(|a| a.name == holding.agent && a.kind == holding.kind);
            let state = match known {
                // The controller has not made its Agent yet, or somebody deleted it: nothing says what it runs.
                None => SwitchState::Unknown,
                Some(_) if !holding.is_settled() => SwitchState::Submitted,
                Some(agent) => switch_state(agent, now),
            };
            SwitchRollout::new(&holding.agent, holding.kind, state, known.copied())
        })
        .collect();
    let worst = switches.iter().map(|s| s.state).max_by_key(|state| state.severity());
    ObjectRollout { state: worst.map_or(RolloutState::NotApplicable, RolloutState::from), switches }
}

/// One sentence on what a switch does, for a page or a reason.
pub fn in_sentence(agent: &AgentSummary, state: SwitchState, now: Timestamp) -> String {
    let since =
        |at: Option<Timestamp>| at.map_or_else(|| "an unknown time".to_owned(), |at| in_words(now.duration_since(at)));
    let name = &agent.name;
    match state {
        SwitchState::Applied => format!("{name} runs generation {}.", agent.generation),
        SwitchState::Submitted => format!("{name} has not been told yet; the fabric controller has not reacted."),
        SwitchState::Pending => match agent.last_applied_gen {
            Some(applied) => format!("{name} runs generation {applied} and is to run {}.", agent.generation),
            None => format!("{name} has not applied anything yet and is to run generation {}.", agent.generation),
        },
        SwitchState::VersionSkew => format!(
            "{name} runs version {} of the agent, and the fabric asks for {}.",
            agent.version.as_deref().unwrap_or("unknown"),
            agent.wanted_version.as_deref().unwrap_or("another"),
        ),
        SwitchState::Rebooting => {
            format!(
                "{name} was told to reboot and has not come back; last heard of {} ago.",
                since(agent.last_heartbeat)
            )
        }
        SwitchState::RebootRequired => {
            format!("{name} takes over generation {} with its next reboot; nobody has asked for one.", agent.generation)
        }
        SwitchState::Stuck => format!(
            "{name} has tried to apply generation {} for {}; see the agent's log on the switch.",
            agent.last_attempt_gen.unwrap_or(agent.generation),
            since(agent.unapplied_since.or(agent.last_attempt_at))
        ),
        SwitchState::Offline => format!("{name} has not been heard of for {}.", since(agent.last_heartbeat)),
        SwitchState::Unknown => match agent.last_heartbeat {
            None => format!("Nothing is known of {name}: its Agent has never had a heartbeat."),
            Some(heartbeat) => format!(
                "Nothing is known of {name}: its last heartbeat is {} ahead of this server's clock, so one of the two \
                 clocks is wrong. Check NTP on the switch and on this server.",
                in_words(heartbeat.duration_since(now))
            ),
        },
    }
}

/// The same of a switch or gateway without an Agent.
pub fn without_agent(name: &str) -> String {
    format!("Nothing is known of {name}: the cluster has no Agent of that name.")
}

#[cfg(test)]
mod tests;
