//! The head of every page of a fabric: name, state, age, the one sentence and the verbs, always in the same place.

use super::{Badge, markup};
use crate::icon::Icon;
use crate::url;
use crate::when::When;
use askama::Template;
use model::operation::Verb;

/// How old the evidence is, in words: "verified 12 s ago".
#[derive(Debug, Clone)]
pub struct Age {
    /// The word before the time.
    pub label: &'static str,
    /// The time.
    pub when: When,
}

/// One verb as a plain form.
#[derive(Debug, Clone)]
pub struct VerbForm {
    /// Which verb.
    pub verb: Verb,
    /// Where the form goes.
    pub action: String,
    /// The comparison that this page shows.
    pub comparison: Option<i64>,
    /// The key that makes a repeated press the same request.
    pub key: String,
    /// Why the button cannot be pressed.
    pub why_not: Option<String>,
}

impl VerbForm {
    fn is_primary(&self) -> bool {
        self.verb == Verb::SyncToKubernetes
    }

    fn button_id(&self) -> &'static str {
        match self.verb {
            Verb::TestConnection => "test-connection-btn",
            Verb::SyncFromGit => "sync-from-git-btn",
            Verb::SyncFromFabric => "sync-from-fabric-btn",
            Verb::SyncToKubernetes => "sync-now-btn",
        }
    }
}

/// Where a verb's form goes.
pub fn verb_action(fabric_id: i64, verb: Verb) -> String {
    match verb {
        Verb::TestConnection => url::test_connection(fabric_id),
        Verb::SyncFromGit => url::sync_from_git(fabric_id),
        Verb::SyncFromFabric => url::sync_from_fabric(fabric_id),
        Verb::SyncToKubernetes => url::sync(fabric_id),
    }
}

/// The head of a fabric's pages.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/fabric_head.html")]
pub struct Head {
    /// The fabric.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: Badge,
    /// How old the evidence is.
    pub age: Option<Age>,
    /// What is the matter, in one sentence.
    pub sentence: String,
    /// Where the evidence for the sentence stands: its words and its address.
    pub evidence: Option<(String, String)>,
    /// The page that shows what a sync would do; for those who may sync.
    pub review: Option<String>,
    /// The operation that runs or waits.
    pub watch: Option<i64>,
    /// The session's CSRF token.
    pub csrf: String,
    /// The verbs; the primary one last.
    pub verbs: Vec<VerbForm>,
    /// The cluster's certificate is not checked.
    pub tls_unverified: bool,
}

/// A name of more characters leaves no room for the actions beside it.
const LONG: usize = 28;

impl Head {
    fn is_long(&self) -> bool {
        self.name.chars().count() > LONG
    }

    /// Each reason why buttons cannot be pressed, once, with the element's id.
    fn reasons(&self) -> Vec<(String, &str)> {
        let mut reasons: Vec<(String, &str)> = Vec::new();
        for form in &self.verbs {
            if let Some(why) = &form.why_not
                && !reasons.iter().any(|(_, known)| known == why)
            {
                reasons.push((format!("why-not-{}", form.verb), why));
            }
        }
        reasons
    }

    /// The element that says why a button cannot be pressed.
    fn why_id(&self, form: &VerbForm) -> String {
        let of_this = |(_, why): &&(String, &str)| Some(*why) == form.why_not.as_deref();
        self.reasons().iter().find(of_this).map(|(id, _)| id.clone()).unwrap_or_default()
    }
}

/// One tab.
#[derive(Debug, Clone)]
pub struct Tab {
    /// Its word.
    pub label: &'static str,
    /// Its page.
    pub href: String,
    /// A number behind the word.
    pub count: Option<u64>,
    /// Whether this is the page.
    pub current: bool,
}

/// The tabs of a fabric's pages.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/fabric_tabs.html")]
pub struct Tabs {
    /// The fabric's name.
    pub name: String,
    /// The tabs.
    pub tabs: Vec<Tab>,
}

markup!(Head, Tabs);

/// Which page of a fabric is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FabricPage {
    /// The overview.
    Overview,
    /// What a sync would do; it has no tab.
    Review,
    /// The objects, or one of them.
    Objects,
    /// The operations.
    Operations,
    /// The activity.
    Activity,
    /// The settings, deletion and confirmations.
    Settings,
}

impl Tabs {
    /// The tabs of a fabric; the settings only for those who may change it.
    pub fn of(id: i64, name: &str, objects: Option<u64>, may_change: bool, page: FabricPage) -> Self {
        let tab = |label, href, count, which| Tab { label, href, count, current: which == page };
        let mut tabs = vec![
            tab("Overview", url::fabric(id), None, FabricPage::Overview),
            tab("Objects", url::objects(id), objects, FabricPage::Objects),
            tab("Operations", url::fabric_operations(id), None, FabricPage::Operations),
            tab("Activity", url::fabric_activity(id), None, FabricPage::Activity),
        ];
        if may_change {
            tabs.push(tab("Settings", url::fabric_edit(id), None, FabricPage::Settings));
        }
        Self { name: name.to_owned(), tabs }
    }
}
