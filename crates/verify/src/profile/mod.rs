//! A profile says where things are on a target, and what its words mean. It is a TOML file that anybody can write; the
//! two that come along are read from `profiles/`. What a page is asked for (addresses of actions, methods, tokens) is
//! never in it: that comes from the page.

mod check;
mod operation;
mod pages;
mod read;
mod session;
mod status;
mod switches;
mod texts;

use crate::page::{Locator, Page};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use operation::{ObjectRows, OperationJson, OperationPage};
pub use pages::{Activity, Crawl, CrawlKinds, DriftPlaces, Few};
pub use read::{ProfileError, built_in, built_in_names, load};
pub use session::{CsrfPlaces, EndCodes, Refusals, SessionPlaces};
pub use status::{ApiStatus, DatabasePlaces, Metric, Status};
pub use switches::SwitchPlaces;
pub use texts::{Css, Pattern};

/// The number of this format.
pub const SCHEMA: u32 = 1;

/// The JSON schema of a profile, as it is published.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Profile).to_value()
}

/// Where something stands on a page, as text.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// A CSS selector. The first element that it finds counts.
    pub element: Css,
    /// The attribute that holds it; the element's text without one.
    #[serde(default)]
    pub attribute: Option<String>,
    /// A regular expression; its first group, or all that it finds, is what counts.
    #[serde(default)]
    pub pattern: Option<Pattern>,
}

/// A target, described.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The number of the format: 1.
    pub schema: u32,
    /// The name that `--profile` takes.
    pub name: String,
    /// The product, as people call it.
    pub product: String,
    /// What this profile is for, in a sentence.
    pub about: String,
    /// By what the target is recognised. If its login page shows none of it, the profile does not fit.
    pub recognise: Recognise,
    /// The login.
    pub login: Login,
    /// The list of fabrics.
    pub fabrics: Fabrics,
    /// The page of a fabric.
    pub fabric: FabricPage,
    /// What the words of a status mean.
    pub status: Status,
    /// What can be pressed on a fabric's page, by name: `sync`, `sync_from_git`, `sync_from_fabric`, `test_connection`.
    pub actions: IndexMap<String, Action>,
    /// Requests that the page's own script makes, for drivers that run no script.
    #[serde(default)]
    pub calls: Vec<ScriptCall>,
    /// Where the page says what came of a press.
    pub answers: Answers,
    /// The page of an operation, where there is one.
    #[serde(default)]
    pub operation: Option<OperationPage>,
    /// What a page says of its session.
    #[serde(default)]
    pub session: Option<SessionPlaces>,
    /// Tokens against forged requests.
    pub csrf: CsrfPlaces,
    /// How requests are turned away.
    pub refusals: Refusals,
    /// Which pages there are.
    pub crawl: Crawl,
    /// What the target's own database says.
    #[serde(default)]
    pub database: Option<DatabasePlaces>,
    /// The list of what was done.
    #[serde(default)]
    pub activity: Option<Activity>,
    /// What differs, on the fabric's page and on an object's.
    #[serde(default)]
    pub drift: Option<DriftPlaces>,
    /// What pages say of the switches.
    #[serde(default)]
    pub switches: Option<SwitchPlaces>,
    /// What a target of this kind is known not to have, by journey: why it is skipped.
    #[serde(default)]
    pub without: IndexMap<String, String>,
}

/// By what a target is recognised.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recognise {
    /// Regular expressions for the title of the login page.
    #[serde(default)]
    pub titles: Vec<Pattern>,
    /// CSS selectors of what stands on it.
    #[serde(default)]
    pub elements: Vec<Css>,
    /// Where the target says its version.
    #[serde(default)]
    pub version: Vec<Place>,
}

impl Recognise {
    /// Whether a page shows any of it.
    pub fn is_on(&self, page: &Page) -> bool {
        self.titles.iter().any(|title| title.is_match(&page.title()))
            || self.elements.iter().any(|element| page.has(element))
    }
}

/// The login.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The login page.
    pub address: String,
    /// The field for the name.
    pub username: Locator,
    /// The field for the password.
    pub password: Locator,
    /// The button that sends them.
    pub button: Locator,
    /// Words of the page when name or password are wrong; one of them.
    pub refused: Vec<String>,
    /// Regular expressions for the names of cookies that are the session.
    pub session_cookies: Vec<Pattern>,
    /// Where a page names who is logged in. Without one, its visible text must.
    #[serde(default)]
    pub names_user: Option<Place>,
    /// The control that logs out.
    pub logout: Locator,
    /// The parameter of the login page that says where to go afterwards.
    pub next: String,
}

/// The list of fabrics.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fabrics {
    /// Its address.
    pub address: String,
    /// One fabric in it.
    pub row: Css,
    /// The link to the fabric's page, in the row.
    pub link: Css,
    /// The word of its state, in the row.
    pub status: Css,
}

/// The page of a fabric.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FabricPage {
    /// A regular expression for the path of its address; the first group is the fabric's number.
    pub address: Pattern,
    /// A regular expression for the paths of what can be done to it; the first group is the fabric's number. A button whose
    /// address has another number than its page is not pressed.
    #[serde(default)]
    pub below: Option<Pattern>,
    /// Its name.
    pub name: Place,
    /// The word of its state.
    pub status: Place,
    /// The sentence that says why.
    #[serde(default)]
    pub sentence: Option<Place>,
    /// How many seconds the pages may be behind cluster and database; 10 without it. What contradicts them for longer is a
    /// lie.
    #[serde(default = "ten")]
    pub lag: u64,
    /// Where a script reads the time of the last success.
    #[serde(default)]
    pub last_success: Option<ApiStatus>,
    /// Where a script reads when the next sync begins by itself: absent or null where none does.
    #[serde(default)]
    pub next_automatic: Option<ApiStatus>,
    /// Its namespace in the cluster, if the page says it.
    #[serde(default)]
    pub namespace: Option<Place>,
    /// The UID of its cluster's namespace kube-system, if the page says it: by it the oracle's cluster is recognised.
    #[serde(default)]
    pub cluster_uid: Option<Place>,
    /// The commit that it compares with.
    #[serde(default)]
    pub commit: Option<Place>,
    /// The repository that it is compared with, and its branch: by them the oracle's repository is recognised.
    #[serde(default)]
    pub source: Option<Place>,
    /// The branch.
    #[serde(default)]
    pub branch: Option<Place>,
    /// The folder of the repository that holds its manifests: it must be the one that the oracle reads.
    #[serde(default)]
    pub path: Option<Place>,
    /// The address of its cluster, if the page says it: what shows that one cannot be reached.
    #[serde(default)]
    pub cluster_address: Option<Place>,
    /// Pairs of words that cannot both be true of one page: one says that all is well, the other that nobody has looked.
    #[serde(default)]
    pub never_checked: Vec<NeverChecked>,
}

/// Two places of a page that contradict each other: one says good, the other that nobody looked.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NeverChecked {
    /// Words that say that all is well.
    pub good: String,
    /// Words that say that nobody has looked.
    pub never: String,
}

/// What a press shall bring about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The cluster holds what Git says.
    ClusterHoldsGit,
    /// The target has read the newest commit.
    GitRead,
    /// The target has read the cluster.
    ClusterRead,
    /// The target says whether it reaches the cluster.
    ConnectionTold,
}

fn ten() -> u64 {
    10
}

/// Something that can be pressed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// The button.
    pub button: Locator,
    /// What it is for.
    pub effect: Effect,
    /// What the operation that a press begins calls itself, where `operation.json.verb` is read.
    #[serde(default)]
    pub verb: Option<String>,
    /// Whether a press changes something that the target stores, beyond a record of the press itself: it then needs leave.
    /// A sync always does.
    #[serde(default)]
    pub changes: bool,
}

/// A request that the page's script makes for a press, read out of the page's own script.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptCall {
    /// A regular expression for the button's `onclick`; its first group is the argument.
    pub onclick: Pattern,
    /// A regular expression that finds the address in the page's script; its first group is the address, in which
    /// `${...}` stands for the argument.
    pub address: Pattern,
    /// The same for the method; POST when it is not found.
    #[serde(default)]
    pub method: Option<Pattern>,
    /// Where the page holds the token.
    pub token: Place,
    /// The header that takes it.
    pub token_header: String,
    /// Further headers that the script sends.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    /// The body that it sends.
    #[serde(default)]
    pub body: String,
}

/// Where a page says what came of a press. The first that is there counts.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// Selectors of what says that it went well.
    pub good: Vec<Css>,
    /// Selectors of what says that it failed.
    pub bad: Vec<Css>,
    /// Selectors of what says that it is still going on.
    #[serde(default)]
    pub busy: Vec<Css>,
    /// Where the answer links to its operation.
    #[serde(default)]
    pub operation: Option<Css>,
    /// A regular expression for the words of a press: its first group is how many objects they say were read from the
    /// cluster. None at all, of a cluster in which the oracle reads some, is no success.
    #[serde(default)]
    pub read: Option<Pattern>,
    /// Pointers into the JSON that a script gets.
    #[serde(default)]
    pub json: Option<JsonAnswer>,
}

/// The JSON that a script gets for a press.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonAnswer {
    /// Whether it went well: true, false, or null for not over yet.
    pub success: String,
    /// The words, the first that are there.
    pub message: Vec<String>,
    /// The address of the operation.
    #[serde(default)]
    pub operation: Option<String>,
    /// Errors that the answer lists beside its word: a list that is not empty under a success is a failure that the page
    /// keeps to itself.
    #[serde(default)]
    pub errors: Option<String>,
    /// What the page's script shows for a refusal; `{error}` for the words. Empty: the words.
    #[serde(default)]
    pub shown_as: String,
}
