//! Names that must not be used again yet: a VPC of that name was deleted, and some switch has not applied that. Hedgehog
//! would give the new one numbers that are still in use there (githedgehog/fabric#656). Asked by a sync before it writes,
//! and by the page that shows one first.

use model::ObjectKey;
use model::naming::{few, verb};
use model::rollout::{AgentKind, AgentSummary, Holding};

/// Why an object is not created yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TooSoon {
    /// Who is waited for.
    pub waiting_for: String,
    /// The same in a sentence.
    pub message: String,
}

/// Whether objects of this kind have numbers that others must not get too early.
pub(crate) fn concerns(key: &ObjectKey) -> bool {
    key.kind == "VPC"
}

/// Why a VPC that is not in the cluster must not be created yet, if so. `holdings` says which agents still hold its name,
/// `was_deleted` whether one of that name was there and is gone.
pub(crate) fn too_soon<'a>(
    holdings: &'a [Holding],
    was_deleted: bool,
    agents: impl Iterator<Item = &'a AgentSummary>,
) -> Option<TooSoon> {
    let holds = |holding: &&Holding| !holding.wanted && holding.holds && holding.kind == AgentKind::Agent;
    let mut names: Vec<&str> = holdings.iter().filter(holds).map(|holding| holding.agent.as_str()).collect();
    // The controller has told them already; what they have not applied may be that.
    if names.is_empty() && was_deleted {
        let pending = agents.filter(|agent| agent.kind == AgentKind::Agent && agent.holds_an_older_form());
        names = pending.map(|agent| agent.name.as_str()).collect();
    }
    let first = names.first()?;
    let message = format!(
        "A VPC of this name was deleted, and {} {} not applied that yet. It is not created again before; sync again in a \
         moment.",
        few(&names),
        verb(&names, "has", "have")
    );
    Some(TooSoon { waiting_for: format!("Switch {first}"), message })
}
