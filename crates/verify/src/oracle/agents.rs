//! What runs on the switches, read in what their agents report: each Agent's spec embeds the spec of every object that
//! concerns its switch, and its status says which generation of that was applied, and when the agent was last heard of.
//! Values in, values out; the Agents themselves, which hold password hashes, go no further.

use super::holds::same;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// An agent reports every 15 seconds; Hedgehog calls it gone after a minute.
pub const SILENT_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// What is looked for on the switches.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// Nothing in particular: whether each switch has applied what it was given.
    Anything,
    /// An object, by kind, name and the spec that is live.
    Object(&'a str, &'a str, &'a Value),
    /// That an object, by kind and name, is on no switch any more.
    Gone(&'a str, &'a str),
}

/// What an Agent's spec says of the object that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Holding {
    /// It holds the very spec.
    This,
    /// It holds another spec under that name.
    Another,
    /// It holds nothing of that name: the object does not concern the switch, or the controller has not seen it yet.
    Nothing,
    /// It holds nothing of that name, as is wanted.
    Gone,
    /// Nothing in particular was looked for.
    NotAsked,
    /// No Agent holds objects of this kind.
    NeverHeld,
}

/// What is known of one switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It runs what it was given, and what is looked for is in that (or, if it is to be gone, is not).
    Applied,
    /// It is alive, and does not run it yet.
    Pending,
    /// It was not heard of for a minute: what it runs is not known.
    Silent,
    /// It does not have the object, or does not say enough.
    Unknown,
}

/// One switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SwitchReading {
    /// The switch, which its Agent is named after.
    pub switch: String,
    /// The newest version of what it is to run.
    pub generation: i64,
    /// The version that it runs.
    pub applied: Option<i64>,
    /// The version that it last tried.
    pub attempted: Option<i64>,
    /// When it was last heard of.
    pub heartbeat: Option<Timestamp>,
    /// What its Agent holds of what is looked for.
    pub holding: Holding,
    /// What comes of that.
    pub verdict: Verdict,
    /// The verdict in words.
    pub sentence: String,
}

/// Where an Agent's spec holds objects of a kind; `None` for kinds that no switch runs, such as Server and SwitchGroup.
pub fn held_under(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "VPC" => "vpcs",
        "VPCAttachment" => "vpcAttachments",
        "VPCPeering" => "vpcPeers",
        "Connection" => "connections",
        "Switch" => "switches",
        "External" => "externals",
        "ExternalAttachment" => "externalAttachments",
        "ExternalPeering" => "externalPeerings",
        "IPv4Namespace" => "ipv4Namespaces",
        "VLANNamespace" => "vlanNamespaces",
        _ => return None,
    })
}

/// Reads each Agent, by the name of its switch. `now` is the cluster's clock.
pub fn read(agents: &[Value], wanted: Wanted<'_>, now: Timestamp) -> Vec<SwitchReading> {
    let mut switches: Vec<SwitchReading> = agents.iter().map(|agent| read_one(agent, wanted, now)).collect();
    switches.sort_by(|a, b| a.switch.cmp(&b.switch));
    switches
}

/// One verdict over all switches. An object must be held by one at least; those that hold nothing of it are not
/// concerned, and do not count.
pub fn overall(switches: &[SwitchReading]) -> Verdict {
    let concerned = switches.iter().filter(|one| one.holding != Holding::Nothing);
    let concerned: Vec<Verdict> = concerned.map(|one| one.verdict).collect();
    [Verdict::Silent, Verdict::Pending, Verdict::Unknown]
        .into_iter()
        .find(|verdict| concerned.contains(verdict))
        .unwrap_or(if concerned.is_empty() { Verdict::Unknown } else { Verdict::Applied })
}

fn read_one(agent: &Value, wanted: Wanted<'_>, now: Timestamp) -> SwitchReading {
    let (metadata, status) = (&agent["metadata"], &agent["status"]);
    let switch = metadata["name"].as_str().unwrap_or_default().to_owned();
    let generation = metadata["generation"].as_i64().unwrap_or_default();
    let applied = status["lastAppliedGen"].as_i64();
    let attempted = status["lastAttemptGen"].as_i64();
    let heartbeat = status["lastHeartbeat"].as_str().and_then(|text| text.parse().ok());
    let holding = holding(&switch, &agent["spec"], wanted);
    let (verdict, why) = judge(generation, applied, heartbeat, holding, wanted, now);
    let sentence = format!("{switch} {why}.");
    SwitchReading { switch, generation, applied, attempted, heartbeat, holding, verdict, sentence }
}

fn holding(switch: &str, spec: &Value, wanted: Wanted<'_>) -> Holding {
    let (kind, name, live) = match wanted {
        Wanted::Anything => return Holding::NotAsked,
        Wanted::Object(kind, name, live) => (kind, name, Some(live)),
        Wanted::Gone(kind, name) => (kind, name, None),
    };
    let Some(field) = held_under(kind) else { return Holding::NeverHeld };
    // The switch itself stands at a place of its own, which is what it applies; among the others only where a Connection
    // leads to it.
    let own = spec.get("switch").filter(|own| kind == "Switch" && name == switch && own.is_object());
    match (own.or(spec[field].get(name)), live) {
        (None, None) => Holding::Gone,
        (None, Some(_)) => Holding::Nothing,
        (Some(held), Some(live)) if same(held, live) => Holding::This,
        (Some(_), _) => Holding::Another,
    }
}

fn judge(
    generation: i64,
    applied: Option<i64>,
    heartbeat: Option<Timestamp>,
    holding: Holding,
    wanted: Wanted<'_>,
    now: Timestamp,
) -> (Verdict, String) {
    let what = match wanted {
        Wanted::Anything => "what it was given".to_owned(),
        Wanted::Object(kind, name, _) | Wanted::Gone(kind, name) => format!("{kind} {name}"),
    };
    let gone = matches!(wanted, Wanted::Gone(..));
    match holding {
        Holding::NeverHeld => {
            return (Verdict::Unknown, format!("cannot tell of {what}: no Agent holds objects of its kind"));
        }
        Holding::Nothing => {
            let why = "it does not concern this switch, or the fabric controller has not seen it yet";
            return (Verdict::Unknown, format!("was not given {what}: {why}"));
        }
        _ => {}
    }
    let Some(heartbeat) = heartbeat else {
        return (Verdict::Unknown, "has not reported yet: its Agent has no heartbeat".to_owned());
    };
    let age = now.duration_since(heartbeat);
    if age > SILENT_AFTER {
        return (Verdict::Silent, format!("was last heard of {} s ago, at {heartbeat}", age.as_secs()));
    }
    if age < -SILENT_AFTER {
        let ahead = age.abs().as_secs();
        return (
            Verdict::Unknown,
            format!("has a clock that is {ahead} s ahead: when it was last heard of is not known"),
        );
    }
    if holding == Holding::Another {
        let still = if gone { "still holds" } else { "was given another version of" };
        return (Verdict::Pending, format!("{still} {what}; the fabric controller has not handed the change on yet"));
    }
    match applied {
        Some(applied) if applied == generation && gone => (Verdict::Applied, format!("does not run {what} any more")),
        Some(applied) if applied == generation => (Verdict::Applied, format!("runs {what}, generation {generation}")),
        Some(applied) if applied > generation => {
            (Verdict::Unknown, format!("says that it applied generation {applied}, of an Agent at {generation}"))
        }
        Some(applied) => (Verdict::Pending, format!("runs generation {applied} and was given {generation}")),
        None => (Verdict::Pending, format!("has applied nothing yet, and was given generation {generation}")),
    }
}

#[cfg(test)]
mod tests;
