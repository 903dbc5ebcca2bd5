//! The faults that are planted, one by one. Each says what is wrong, how it is planted from outside, which journeys meet
//! it, and what they must find: the verdict, and the one class of cause.
//!
//! | file | faults |
//! |---|---|
//! | `page` | what a person would press, its address, its parts, and the way of a press |
//! | `parting` | one for every layer between a person and the cluster: there the two paths must be seen to part |
//! | `session` | who is known, from when and until when |
//! | `guard` | forged requests, permissions, secrets |
//! | `state` | what the console says: status, records, differences |
//! | `work` | operations: done, undone, stuck, twice |

mod guard;
mod page;
mod parting;
mod session;
mod state;
mod work;

use super::bed::BedKind;
use super::passing::Answered;
use super::rule::{Pass, Rule};
use crate::cause::{Cause, Layer};
use bytes::Bytes;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
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
    /// The same, of what a switch runs.
    CommitToASwitch,
    /// The fabric syncs by itself, and has something to do each time.
    Automatic,
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
    /// Where the paths must be seen to part, if both are walked.
    pub parts_at: Option<Layer>,
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
            parts_at: None,
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

    fn after_a_commit_to_a_switch(mut self) -> Self {
        self.before = Before::CommitToASwitch;
        self
    }

    fn while_syncs_run_by_themselves(mut self) -> Self {
        (self.before, self.bed) = (Before::Automatic, BedKind::ByItself);
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
    let all = [page::all(), session::all(), guard::all(), state::all(), work::all(), parting::all()];
    all.into_iter().flatten().collect()
}

/// The press does nothing, and an operation that succeeded before is shown as its own.
fn shows_earlier(rule: Rule, earlier: &str) -> Rule {
    let earlier = earlier.to_owned();
    let rule = rule.before(move |asked, _| {
        if !asked.is_script() {
            return ready(Pass::Answer(Box::new(Answered::redirect(&earlier))));
        }
        // A script expects the operation itself.
        (asked.method, asked.address, asked.body) = (Method::GET, earlier.clone(), Bytes::new());
        ready(Pass::On)
    });
    rule.after(|asked, answer| {
        let shown = asked.method == Method::GET;
        if shown && let Ok(operation) = serde_json::from_slice::<Value>(&answer.body) {
            *answer = Answered::json(202, &json!({"success": null, "disposition": "new", "operation": operation}));
        }
        shown
    })
}

/// The press does nothing, and is answered without a word: the page again, or data that says nothing.
fn says_nothing(rule: Rule, page: &str) -> Rule {
    let page = page.to_owned();
    rule.answer(
        move |asked| if asked.is_script() { Answered::json(202, &json!({})) } else { Answered::redirect(&page) },
    )
}

fn ready<'a>(pass: Pass) -> futures::future::BoxFuture<'a, Pass> {
    Box::pin(std::future::ready(pass))
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
    fn every_journey_and_every_layer_is_met() {
        let (all, journeys) = (all(), crate::journeys::ALL);
        let missing = journeys.iter().filter(|one| !all.iter().any(|fault| fault.journeys.contains(&one.name)));
        assert_eq!(missing.map(|one| one.name).collect::<Vec<_>>(), Vec::<&str>::new());
        let layers = |fault: &Fault| fault.parts_at.filter(|_| !fault.browser && fault.journeys.contains(&"two_paths"));
        let parted: BTreeSet<Layer> = all.iter().filter_map(layers).collect();
        assert_eq!(parted, Layer::ALL.into_iter().collect(), "without a browser");
    }

    #[test]
    fn every_failure_point_is_met() {
        let points: BTreeSet<u8> =
            all().iter().flat_map(|fault| fault.causes.clone()).filter_map(Cause::failure_point).collect();
        assert_eq!(points, (1..=9).collect());
    }

    #[test]
    fn rule_2_one_class_per_cause_and_each_is_met() {
        let met: BTreeSet<&str> = all().iter().flat_map(|fault| fault.causes.clone()).map(Cause::code).collect();
        for wanted in [
            Cause::BadPassword,
            Cause::NoSession,
            Cause::SessionExpired,
            Cause::Csrf,
            Cause::Permission,
            Cause::NotFound,
            Cause::Transport,
            Cause::Connection,
            Cause::Cluster,
            Cause::OracleUnusable,
        ] {
            assert!(met.contains(wanted.code()), "{}", wanted.code());
        }
    }
}
