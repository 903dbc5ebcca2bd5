//! Faults that can be switched on while the lab runs: at the API, at the webhooks, at the controller, at the agents.
//!
//! Over HTTP they are read and written as JSON at `/lab/faults`, with the lab's own token; that address never fails:
//!
//! ```json
//! {"latencyMs": 200, "requests": [{"fault": "forbidden", "kinds": ["Server"], "verbs": ["list"]}],
//!  "reject": [{"kind": "VPC", "name": "vpc-01", "message": "not today"}], "agentsOffline": ["leaf-01"]}
//! ```

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// What is wrong at present. The default is: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct FaultPlan {
    /// Every request waits this long, in milliseconds.
    pub latency_ms: u64,
    /// What happens to certain requests. The first one that matches counts.
    pub requests: Vec<RequestFault>,
    /// Objects that the validating webhook refuses, whatever stands in them.
    pub reject: Vec<Rejection>,
    /// No webhook answers, as when the fabric controller is down: every write of a kind that has webhooks fails.
    pub webhook_down: bool,
    /// The fabric controller does not react to changes.
    pub controller_down: bool,
    /// Switches and gateways whose agent does not report; `*` for all.
    pub agents_offline: BTreeSet<String>,
    /// Switches and gateways whose agent tries new generations and never gets done; `*` for all.
    pub agents_stuck: BTreeSet<String>,
}

/// What happens to certain requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RequestFault {
    /// What happens.
    pub fault: Fault,
    /// Only requests with these verbs: get, list, watch, create, update, patch, delete, deletecollection. Empty: all.
    pub verbs: BTreeSet<String>,
    /// Only requests for these kinds. Empty: all, discovery included.
    pub kinds: BTreeSet<String>,
    /// Only requests for objects of these names. Empty: all.
    pub names: BTreeSet<String>,
    /// So many requests that match pass before the fault begins.
    pub after: u64,
    /// The fault ends after so many requests. Absent: never.
    pub times: Option<u64>,
    /// For `throttle`: the seconds of Retry-After.
    pub retry_after: Option<u32>,
}

/// What can happen to a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The connection is cut before anything is done.
    Cut,
    /// The request is carried out, and the connection is cut instead of an answer.
    CutAnswer,
    /// The request is accepted and never answered.
    Hang,
    /// 401, as with a token that was revoked.
    Unauthorized,
    /// 403, as RBAC says it.
    Forbidden,
    /// 410, as when the version asked for was compacted away.
    Expired,
    /// 429 with Retry-After.
    Throttle,
    /// 503.
    #[default]
    Unavailable,
}

/// An object that the validating webhook refuses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Rejection {
    /// Its kind; empty for any.
    pub kind: String,
    /// Its name; `*` for any.
    pub name: String,
    /// The words of the refusal.
    pub message: String,
}

impl RequestFault {
    /// This fault for every request.
    pub fn all(fault: Fault) -> Self {
        Self { fault, ..Self::default() }
    }

    /// This fault for requests of one kind.
    pub fn of_kind(fault: Fault, kind: &str) -> Self {
        Self { fault, kinds: BTreeSet::from([kind.to_owned()]), ..Self::default() }
    }

    fn matches(&self, verb: &str, kind: &str, name: &str) -> bool {
        let among = |set: &BTreeSet<String>, value: &str| set.is_empty() || set.contains(value);
        among(&self.verbs, verb) && among(&self.kinds, kind) && among(&self.names, name)
    }
}

#[derive(Debug, Default)]
struct Running {
    plan: FaultPlan,
    /// How many requests each request fault has matched.
    seen: Vec<u64>,
}

/// The faults of one lab.
#[derive(Debug)]
pub struct Faults {
    running: Mutex<Running>,
    cuts: watch::Sender<u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { running: Mutex::default(), cuts: watch::channel(0).0 }
    }
}

impl Faults {
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is wrong at present.
    pub fn plan(&self) -> FaultPlan {
        self.running().plan.clone()
    }

    /// Replaces all faults. Counters begin anew.
    pub fn set(&self, plan: FaultPlan) {
        let mut running = self.running();
        running.seen = vec![0; plan.requests.len()];
        running.plan = plan;
    }

    /// Changes the faults; counters of request faults begin anew.
    pub fn update(&self, change: impl FnOnce(&mut FaultPlan)) {
        let mut plan = self.plan();
        change(&mut plan);
        self.set(plan);
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.set(FaultPlan::default());
    }

    /// Cuts all connections that are open now, watches included.
    pub fn cut_connections(&self) {
        self.cuts.send_modify(|n| *n += 1);
    }

    pub(crate) fn cuts(&self) -> watch::Receiver<u64> {
        self.cuts.subscribe()
    }

    /// How long a request waits, and what happens to it. Counts.
    pub(crate) fn decide(&self, verb: &str, kind: &str, name: &str) -> (Duration, Option<RequestFault>) {
        let mut running = self.running();
        let latency = Duration::from_millis(running.plan.latency_ms);
        let Running { plan, seen } = &mut *running;
        for (fault, seen) in plan.requests.iter().zip(seen) {
            if !fault.matches(verb, kind, name) {
                continue;
            }
            *seen += 1;
            let nth = *seen;
            if nth > fault.after && fault.times.is_none_or(|times| nth <= fault.after + times) {
                return (latency, Some(fault.clone()));
            }
        }
        (latency, None)
    }

    /// Whether RBAC would refuse, for access reviews. Does not count.
    pub(crate) fn forbids(&self, verb: &str, kind: &str, name: &str) -> bool {
        let running = self.running();
        running.plan.requests.iter().zip(&running.seen).any(|(fault, seen)| {
            fault.fault == Fault::Forbidden
                && fault.matches(verb, kind, name)
                && *seen >= fault.after
                && fault.times.is_none_or(|times| *seen < fault.after + times)
        })
    }

    pub(crate) fn webhook_down(&self) -> bool {
        self.running().plan.webhook_down
    }

    /// The words of a refusal, when the object is to be refused.
    pub(crate) fn rejects(&self, kind: &str, name: &str) -> Option<String> {
        let running = self.running();
        let rejection = running
            .plan
            .reject
            .iter()
            .find(|r| (r.kind.is_empty() || r.kind == kind) && (r.name == "*" || r.name == name))?;
        let words = &rejection.message;
        Some(if words.is_empty() { format!("{kind} {name} is refused by the lab") } else { words.clone() })
    }

    pub(crate) fn controller_down(&self) -> bool {
        self.running().plan.controller_down
    }

    pub(crate) fn agent_offline(&self, name: &str) -> bool {
        let running = self.running();
        running.plan.agents_offline.contains(name) || running.plan.agents_offline.contains("*")
    }

    pub(crate) fn agent_stuck(&self, name: &str) -> bool {
        let running = self.running();
        running.plan.agents_stuck.contains(name) || running.plan.agents_stuck.contains("*")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_begins_and_ends_where_it_says() {
        let faults = Faults::default();
        let mut fault = RequestFault::of_kind(Fault::Unauthorized, "VPC");
        (fault.after, fault.times) = (1, Some(2));
        faults.set(FaultPlan { requests: vec![fault], ..FaultPlan::default() });
        let hit = |kind: &str| faults.decide("list", kind, "").1.is_some();
        assert_eq!([hit("VPC"), hit("Server"), hit("VPC"), hit("VPC"), hit("VPC")], [false, false, true, true, false]);
    }

    #[test]
    fn the_plan_is_plain_json() {
        let text = r#"{"latencyMs": 5, "requests": [{"fault": "cut_answer", "verbs": ["create"], "times": 1}],
            "reject": [{"name": "x"}], "agentsStuck": ["*"]}"#;
        let faults = Faults::default();
        faults.set(serde_json::from_str(text).unwrap());
        assert!(faults.agent_stuck("leaf-01"));
        assert_eq!(faults.rejects("VPC", "x").as_deref(), Some("VPC x is refused by the lab"));
        assert!(serde_json::from_str::<FaultPlan>(r#"{"latency": 5}"#).is_err());
    }
}
