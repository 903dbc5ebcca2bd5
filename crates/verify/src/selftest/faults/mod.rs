//! The faults that are planted, one by one. Each says what is wrong, how it is planted from outside, which journeys meet
//! it, and what they must find: the verdict, and the one class of cause.
//!
//! | file | faults |
//! |---|---|
//! | `page` | what a person would press, its address, its parts, and the way of a press |
//! | `session` | who is known, from when and until when |
//! | `guard` | forged requests, permissions, secrets |
//! | `state` | what the console says: status, records, differences |
//! | `work` | operations: done, undone, stuck, twice |

mod guard;
mod page;
mod session;
mod state;
mod work;

use super::bed::BedKind;
use super::rule::Rule;
use crate::cause::Cause;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// What a fault must be found as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The journey fails.
    Fail,
    /// The run is invalid: a precondition does not hold.
    Invalid,
}

/// What is done before a fault is planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing.
    Nothing,
    /// A commit that the cluster does not hold yet.
    Commit,
}

/// What the rules are about: the numbers and names of the console that they alter.
pub struct Ground {
    /// The number of the fabric.
    pub fabric: String,
    /// The number of the fabric whose cluster nobody reaches.
    pub unreachable: String,
    /// The administrator's name.
    pub admin: String,
    /// The administrator's password.
    pub password: String,
    /// A sync that succeeded some time ago.
    pub earlier: String,
}

impl Ground {
    /// The fabric's page.
    fn page(&self) -> String {
        format!(r"^/fabrics/{}/(\?.*)?$", self.fabric)
    }

    /// Something below the fabric's page.
    fn below(&self, way: &str) -> String {
        format!("^/fabrics/{}/{way}", self.fabric)
    }

    /// Where the button sends to.
    fn sync(&self) -> String {
        self.below("sync/$")
    }
}

type Rules = Box<dyn Fn(&Ground) -> Vec<Rule> + Send + Sync>;

/// A fault that can be planted.
pub struct Fault {
    /// Its name.
    pub name: &'static str,
    /// What is wrong with the console then.
    pub sentence: &'static str,
    /// The journeys that meet it; each must find it.
    pub journeys: Vec<&'static str>,
    /// The verdict that it must lead to.
    pub kind: Kind,
    /// The cause that must be named; where two are equally right, one of them.
    pub causes: Vec<Cause>,
    /// Whether only a browser can meet it.
    pub browser: bool,
    pub(super) bed: BedKind,
    pub(super) lab: Option<Value>,
    pub(super) before: Before,
    pub(super) patience: Duration,
    rules: Option<Rules>,
}

impl Fault {
    /// A fault that these journeys meet.
    pub fn new(name: &'static str, sentence: &'static str, journeys: &[&'static str]) -> Self {
        Self {
            name,
            sentence,
            journeys: journeys.to_vec(),
            kind: Kind::Fail,
            causes: Vec::new(),
            browser: false,
            bed: BedKind::Whole,
            lab: None,
            before: Before::Nothing,
            patience: Duration::from_secs(30),
            rules: None,
        }
    }

    /// The journeys must fail, and name this cause.
    #[must_use]
    pub fn fails(mut self, cause: Cause) -> Self {
        self.causes.push(cause);
        self
    }

    /// The run must be invalid, and name this cause.
    #[must_use]
    pub fn invalid(mut self, cause: Cause) -> Self {
        self.kind = Kind::Invalid;
        self.causes.push(cause);
        self
    }

    /// The proxy plants it, with these rules.
    #[must_use]
    pub fn rules(mut self, rules: impl Fn(&Ground) -> Vec<Rule> + Send + Sync + 'static) -> Self {
        self.rules = Some(Box::new(rules));
        self
    }

    /// The same, for a single rule.
    #[must_use]
    pub fn rule(self, rule: impl Fn(&Ground) -> Rule + Send + Sync + 'static) -> Self {
        self.rules(move |ground| vec![rule(ground)])
    }

    fn lab(mut self, plan: Value) -> Self {
        self.lab = Some(plan);
        self
    }

    fn after_a_commit(mut self) -> Self {
        self.before = Before::Commit;
        self
    }

    fn with_short_sessions(mut self) -> Self {
        self.bed = BedKind::ShortSessions;
        self
    }

    fn in_a_browser(mut self) -> Self {
        self.browser = true;
        self
    }

    fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Who plants it.
    pub fn planted_by(&self) -> &'static str {
        match (&self.rules, &self.lab) {
            (Some(_), Some(_)) => "proxy and lab",
            (None, Some(_)) => "lab",
            _ => "proxy",
        }
    }

    /// Whether cluster, Git or lab are not as they were when its journeys are over.
    pub(super) fn leaves_traces(&self) -> bool {
        let changes = |name: &str| crate::journeys::ALL.iter().any(|one| one.name == name && one.changes);
        self.lab.is_some() || self.before != Before::Nothing || self.journeys.iter().any(|name| changes(name))
    }

    /// Its rules; `None` where the lab plants it alone.
    pub(super) fn make_rules(&self, ground: &Ground) -> Option<Vec<Rule>> {
        self.rules.as_ref().map(|rules| rules(ground))
    }
}

/// All of them.
pub fn all() -> Vec<Fault> {
    [page::all(), session::all(), guard::all(), state::all(), work::all()].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_faults_are_many_and_told_apart() {
        let all = all();
        let names: BTreeSet<&str> = all.iter().map(|fault| fault.name).collect();
        assert_eq!(names.len(), all.len());
        assert!(all.len() >= 36, "{}", all.len());
        for fault in &all {
            assert!(fault.sentence.ends_with('.'), "{}", fault.name);
            assert!(!fault.causes.is_empty() && fault.causes.len() <= 2, "{}", fault.name);
            assert!(fault.rules.is_some() || fault.lab.is_some(), "{} is planted by nobody", fault.name);
            for journey in &fault.journeys {
                let known = crate::journeys::ALL.iter().any(|one| one.name == *journey);
                assert!(known, "{}: there is no journey {journey}", fault.name);
            }
        }
    }

    #[test]
    fn the_rules_of_every_fault_are_sound() {
        let text = |text: &str| text.to_owned();
        let (fabric, unreachable, earlier) = (text("1"), text("2"), text("/operations/3/"));
        let ground = Ground { fabric, unreachable, admin: text("admin"), password: text("hidden"), earlier };
        for fault in all() {
            let rules = fault.make_rules(&ground).unwrap_or_default();
            assert_eq!(rules.is_empty(), fault.planted_by() == "lab", "{}", fault.name);
            assert!(rules.iter().all(Rule::is_sound), "{}", fault.name);
        }
    }

    #[test]
    fn every_failure_point_is_met() {
        let points: BTreeSet<u8> =
            all().iter().flat_map(|fault| fault.causes.clone()).filter_map(Cause::failure_point).collect();
        assert_eq!(points, (1..=9).collect());
    }

    #[test]
    fn every_class_of_cause_that_a_precondition_or_a_press_can_have_is_met() {
        let met: BTreeSet<&str> = all().iter().flat_map(|fault| fault.causes.clone()).map(Cause::code).collect();
        for wanted in [
            Cause::BadPassword,
            Cause::NoSession,
            Cause::SessionExpired,
            Cause::Csrf,
            Cause::Permission,
            Cause::NotFound,
            Cause::Transport,
            Cause::OracleUnusable,
        ] {
            assert!(met.contains(wanted.code()), "{}", wanted.code());
        }
    }
}
