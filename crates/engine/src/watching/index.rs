//! What the watches of one fabric have seen so far: every live object as it was received, what agents report, and for
//! each kind up to which version and when it was last proved. Pure: the watcher writes, comparisons take copies.
//!
//! Versions order everything. A list that reaches further than the watch replaces what is known of its kind, an event
//! from before it is passed over; so lists and watches may arrive in any order.

use crate::aging::is_still_to_come;
use crate::observing::{LiveObjects, Observation, Problem, keyed};
use cluster::{Kinds, ListedAsReceived, Received, WatchEvent};
use jiff::Timestamp;
use model::ObjectKey;
use model::rollout::{AgentSummary, AgentView};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// A kind, as group and name.
pub(super) type KindId = (String, String);

/// What is known of one kind.
#[derive(Debug)]
struct Part {
    /// Up to which version.
    version: String,
    /// When that version was heard of.
    reached: Timestamp,
    /// The last moment at which the server proved that this is all: a list, an event, a bookmark.
    proof: Timestamp,
    /// Whether a stream is open.
    streams: bool,
}

/// A doubt that only lists of everything can settle.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    since: Timestamp,
    /// What had been proved before.
    proof: Timestamp,
}

/// What an event changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// Nothing.
    Nothing,
    /// An agent has sent its heartbeat.
    Heartbeat,
    /// An agent reports something new.
    Report,
    /// What a comparison looks at.
    Content,
}

/// Everything that is known of a fabric's cluster.
pub(super) struct Index {
    kinds: Arc<Kinds>,
    live: LiveObjects,
    /// By kind and name; `None` when some could not be read.
    agents: Option<BTreeMap<(String, String), AgentView>>,
    parts: HashMap<KindId, Part>,
    problems: Vec<Problem>,
    /// Set while it is doubted that versions only grow, because a list was behind what was known.
    doubt: Option<Doubt>,
}

impl Index {
    /// Begins with what lists have read.
    pub fn new(read: &Observation) -> Self {
        let part = |(id, version): (&KindId, &String)| {
            let (reached, proof) = (read.observed_at, read.observed_at);
            (id.clone(), Part { version: version.clone(), reached, proof, streams: false })
        };
        Self {
            kinds: read.kinds.clone(),
            live: read.live.clone(),
            agents: read.agents.as_ref().map(|agents| agents.iter().map(|a| (agent_id(a), a.clone())).collect()),
            parts: read.versions.iter().map(part).collect(),
            problems: read.problems.clone(),
            doubt: None,
        }
    }

    /// Whether the server has gone back: lists that began after a version was heard of do not reach it. So it is with a
    /// cluster that was restored from a backup. What is known of it is of a past that is no more, and versions say
    /// nothing about which of two forms is the newer one.
    pub fn is_ahead_of(&self, read: &Observation) -> bool {
        self.parts.iter().any(|(id, part)| {
            let is_behind = |version| is_newer(&part.version, version) && !is_newer(version, &part.version);
            part.reached < read.observed_at && read.versions.get(id).is_some_and(|version| is_behind(version))
        })
    }

    /// Whether lists have read the same kinds. Otherwise watching begins anew.
    pub fn is_of(&self, read: &Observation) -> bool {
        let same_kinds = Arc::ptr_eq(&self.kinds, &read.kinds) || self.kinds == read.kinds;
        same_kinds
            && self.parts.len() == read.versions.len()
            && read.versions.keys().all(|id| self.parts.contains_key(id))
    }

    /// Takes in what lists have read: of each kind what is newer, and the proof in any case.
    pub fn fold(&mut self, read: &Observation) {
        self.kinds = read.kinds.clone();
        self.problems.clone_from(&read.problems);
        let mut newer: HashSet<&KindId> = HashSet::new();
        for (id, part) in &mut self.parts {
            let Some((id, version)) = read.versions.get_key_value(id) else { continue };
            part.proof = part.proof.max(read.observed_at);
            if is_newer(version, &part.version) {
                part.version.clone_from(version);
                part.reached = read.observed_at;
                newer.insert(id);
            }
        }
        self.doubt = self.doubt.filter(|doubt| doubt.since > read.observed_at);
        let is_newer = |group: &str, kind: &str| newer.iter().any(|(g, k)| g == group && k == kind);
        self.live.retain(|key| !is_newer(&key.group, &key.kind) || read.live.contains_key(key));
        for (key, live) in read.live.iter().filter(|(key, _)| is_newer(&key.group, &key.kind)) {
            if self.live.get(key).is_none_or(|known| known.version() != live.version()) {
                self.live.insert(key.clone(), live.clone());
            }
        }
        if let (Some(known), Some(read)) = (&mut self.agents, &read.agents) {
            let of: HashSet<(String, String)> = read.iter().map(agent_id).collect();
            let is_newer = |kind: &str| newer.iter().any(|(_, k)| k == kind);
            known.retain(|id, _| !is_newer(&id.0) || of.contains(id));
            for agent in read.iter().filter(|agent| is_newer(agent.summary.kind.as_str())) {
                take(known, agent.clone());
            }
        }
    }

    /// Takes in an event of a watch.
    pub fn apply(&mut self, id: &KindId, event: WatchEvent, now: Timestamp) -> Change {
        let Some(part) = self.parts.get_mut(id) else { return Change::Nothing };
        match event {
            WatchEvent::Opened => {
                part.streams = true;
                Change::Nothing
            }
            WatchEvent::Bookmark { resource_version } => {
                part.proof = part.proof.max(now);
                if is_newer(&resource_version, &part.version) {
                    part.version = resource_version;
                    part.reached = now;
                }
                Change::Nothing
            }
            WatchEvent::Listed(listed) if listed.resource_version == part.version => {
                part.proof = part.proof.max(now);
                Change::Nothing
            }
            WatchEvent::Listed(listed) if is_newer(&listed.resource_version, &part.version) => {
                part.proof = part.proof.max(now);
                part.version.clone_from(&listed.resource_version);
                part.reached = now;
                self.replace(id, listed)
            }
            // Other lists may have come in between. Or the server has gone back: only lists of everything can tell.
            WatchEvent::Listed(_) => {
                let proof = self.proof();
                self.doubt.get_or_insert(Doubt { since: now, proof });
                Change::Nothing
            }
            WatchEvent::Applied(object) | WatchEvent::Deleted(object)
                if !is_newer(&object.resource_version, &part.version) =>
            {
                part.proof = part.proof.max(now);
                Change::Nothing
            }
            WatchEvent::Applied(object) => {
                part.proof = part.proof.max(now);
                part.reached = now;
                part.version.clone_from(&object.resource_version);
                self.put(id, object)
            }
            WatchEvent::Deleted(object) => {
                part.proof = part.proof.max(now);
                part.reached = now;
                part.version.clone_from(&object.resource_version);
                let was_there = match &mut self.agents {
                    Some(agents) if is_of_agents(&id.1) => agents.remove(&(id.1.clone(), object.name)).is_some(),
                    _ => self.live.remove(&ObjectKey::new(&*id.0, &*id.1, object.namespace, object.name)),
                };
                if was_there { Change::Content } else { Change::Nothing }
            }
        }
    }

    /// The stream of a kind has ended.
    pub fn ended(&mut self, id: &KindId) {
        if let Some(part) = self.parts.get_mut(id) {
            part.streams = false;
        }
    }

    fn put(&mut self, id: &KindId, object: Received) -> Change {
        if is_of_agents(&id.1) {
            let Some(agents) = &mut self.agents else { return Change::Nothing };
            let view = serde_json::from_str(&object.json).ok().and_then(|object: Value| AgentView::from_value(&object));
            return view.map_or(Change::Nothing, |view| take(agents, view));
        }
        let (key, live) = keyed(&id.0, &id.1, object);
        // The key that is there is shared with what was judged; a second one would be kept for nothing.
        let key = self.live.key(&key).cloned().unwrap_or(key);
        self.live.insert(key, live);
        Change::Content
    }

    /// Everything of a kind is what was listed.
    fn replace(&mut self, id: &KindId, listed: ListedAsReceived) -> Change {
        let names: HashSet<(&str, &str)> =
            listed.objects.iter().map(|o| (o.namespace.as_str(), o.name.as_str())).collect();
        if is_of_agents(&id.1) {
            if let Some(agents) = &mut self.agents {
                agents.retain(|(kind, name), _| *kind != id.1 || names.iter().any(|(_, listed)| listed == name));
            }
        } else {
            let stays = |key: &ObjectKey| {
                (&key.group, &key.kind) != (&id.0, &id.1)
                    || names.contains(&(key.namespace.as_str(), key.name.as_str()))
            };
            self.live.retain(stays);
        }
        for object in listed.objects {
            self.put(id, object);
        }
        Change::Content
    }

    /// How old the evidence is: the oldest proof over all kinds, none of it from after a doubt.
    pub fn proof(&self) -> Timestamp {
        let proofs = self.parts.values().map(|part| part.proof).chain(self.doubt.map(|doubt| doubt.proof));
        proofs.min().unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The same over the agents only.
    pub fn proof_of_agents(&self) -> Timestamp {
        let of_agents = self.parts.iter().filter(|((_, kind), _)| is_of_agents(kind));
        of_agents.map(|(_, part)| part.proof).min().unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Whether something was proved at a time that is still to come: the clock was ahead then.
    pub fn has_future_proof(&self, now: Timestamp) -> bool {
        self.parts.values().any(|part| is_still_to_come(part.proof, now))
    }

    /// Whether every kind was read and has an open stream.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty() && self.doubt.is_none() && self.parts.values().all(|part| part.streams)
    }

    /// Whether lists are needed to know which of two versions is the newer one.
    pub fn is_doubted(&self) -> bool {
        self.doubt.is_some()
    }

    /// The kinds that the cluster served when it was listed.
    pub fn kinds(&self) -> &Arc<Kinds> {
        &self.kinds
    }

    /// The kinds, each with the version that is known.
    pub fn versions(&self) -> impl Iterator<Item = (&KindId, &str)> {
        self.parts.iter().map(|(id, part)| (id, part.version.as_str()))
    }

    /// What agents report.
    pub fn agents(&self) -> Option<Vec<AgentView>> {
        self.agents.as_ref().map(|agents| agents.values().cloned().collect())
    }

    /// Everything that is known, as lists would have read it at the moment of the oldest proof.
    pub fn observation(&self, now: Timestamp) -> Observation {
        Observation {
            began_at: now,
            observed_at: self.proof(),
            kinds: self.kinds.clone(),
            live: self.live.clone(),
            read: self.parts.keys().filter(|(_, kind)| !is_of_agents(kind)).cloned().collect(),
            problems: self.problems.clone(),
            agents: self.agents(),
            versions: self.parts.iter().map(|(id, part)| (id.clone(), part.version.clone())).collect(),
        }
    }
}

fn is_of_agents(kind: &str) -> bool {
    matches!(kind, "Agent" | "GatewayAgent")
}

fn agent_id(agent: &AgentView) -> (String, String) {
    (agent.summary.kind.as_str().to_owned(), agent.summary.name.clone())
}

/// Keeps what an agent reports now, and says what is new in it.
fn take(agents: &mut BTreeMap<(String, String), AgentView>, agent: AgentView) -> Change {
    let id = agent_id(&agent);
    let Some(known) = agents.get(&id) else {
        agents.insert(id, agent);
        return Change::Content;
    };
    let same_spec = known.held_version().is_some() && known.held_version() == agent.held_version();
    let but_for_heartbeat = AgentSummary { last_heartbeat: known.summary.last_heartbeat, ..agent.summary.clone() };
    let change = match (same_spec, but_for_heartbeat == known.summary) {
        (false, _) => Change::Content,
        (true, false) => Change::Report,
        (true, true) => Change::Heartbeat,
    };
    let agent = agent.sharing(known);
    agents.insert(id, agent);
    change
}

/// Whether a version is later than another. Versions are numbers in every API server there is; of what is none, the one
/// that came last counts.
fn is_newer(version: &str, known: &str) -> bool {
    match (version.parse::<u64>(), known.parse::<u64>()) {
        (Ok(version), Ok(known)) => version > known,
        _ => version != known,
    }
}

#[cfg(test)]
mod tests;
