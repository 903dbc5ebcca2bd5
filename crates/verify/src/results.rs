//! What a run leaves behind, as data: `results.json`. Its schema is generated from these types and published in
//! `docs/reference/verify-results.schema.json`; a change of meaning is a new [`SCHEMA`] number.

mod hide;

use crate::cause::{Cause, Layer};
use crate::exchange::Exchange;
use crate::redact::Leak;
use crate::verdict::{RunVerdict, Verdict};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The number of this format.
pub const SCHEMA: u32 = 1;

/// Everything about one run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// The number of the format, [`SCHEMA`].
    pub schema: u32,
    /// A random name of this run; it stands in what it sent as part of the user agent.
    pub id: String,
    /// The verdict on everything.
    pub verdict: RunVerdict,
    /// The exit code of the command.
    pub exit_code: u8,
    /// The verdict in one sentence.
    pub sentence: String,
    /// Why the run is invalid, or the profile does not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
    /// When it began.
    pub started: Timestamp,
    /// When it was over.
    pub ended: Timestamp,
    /// What was verified.
    pub target: Target,
    /// How: what was allowed, with which drivers and oracles.
    pub conditions: Conditions,
    /// Versions of everything that took part.
    pub versions: Vec<Version>,
    /// What the clocks of others said, beside ours.
    pub clocks: Vec<Clock>,
    /// What had to hold before anything was judged.
    pub preconditions: Vec<Check>,
    /// The journeys, in the order in which they were made.
    pub journeys: Vec<JourneyResult>,
    /// Where the user's path and the direct one part, if both were walked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discrepancy: Option<Discrepancy>,
    /// Everything that was done, in order.
    pub steps: Vec<Step>,
    /// Everything that the oracles read.
    pub readings: Vec<OracleReading>,
    /// Secrets that answers showed, by what they are and where.
    pub leaks: Vec<Leak>,
    /// What was made or changed for the run, and whether it is as before.
    pub cleanup: Vec<Cleaned>,
    /// How many requests were sent to the target.
    pub requests: u64,
}

impl Run {
    /// Its evidence could not be written down: then it is no verdict on the target. What was seen to fail stays a failure.
    pub fn unwritten(&mut self) {
        if matches!(self.verdict, RunVerdict::Fail | RunVerdict::Interrupted) {
            return;
        }
        self.sentence = format!("Its evidence could not be written down. {}", self.sentence);
        self.verdict = RunVerdict::Invalid;
        self.exit_code = self.verdict.exit_code();
    }
}

/// The target of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// Its address.
    pub url: String,
    /// The profile that says what is where.
    pub profile: String,
    /// The product that was recognised.
    pub product: String,
    /// Who used it.
    pub username: String,
    /// The fabric that was used, as its page names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fabric: Option<String>,
}

/// What a run was allowed and given.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Conditions {
    /// The drivers: `http`, `chromium`, `firefox`.
    pub drivers: Vec<String>,
    /// The journeys that were asked for; empty for all.
    pub journeys: Vec<String>,
    /// Whether it was allowed to change anything.
    pub allow_sync: bool,
    /// Which oracles were given: `cluster`, `git`, `database`.
    pub oracles: Vec<String>,
    /// How many requests it may send.
    pub max_requests: u64,
    /// How long it may take, in seconds.
    pub max_seconds: u64,
}

/// The version of something that took part.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// What it is of: `verify`, `target`, `chromium`, `cluster`, `git`, `operating system`.
    pub of: String,
    /// The version, as it says itself.
    pub version: String,
}

/// The clock of somebody else, beside ours.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Clock {
    /// Whose: `target`, `cluster`.
    pub of: String,
    /// What it said.
    pub said: Timestamp,
    /// Our time in the middle of the question.
    pub ours: Timestamp,
    /// How far it is ahead of ours, in milliseconds; within a second it cannot be told from the `Date` header.
    pub ahead_ms: i64,
}

/// What kind of thing is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    /// It must hold, or nothing can be judged.
    Precondition,
    /// It is what the journey proves.
    Assertion,
    /// The same without the thing in question, beside it: what shows that the probe can tell.
    Control,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What kind.
    pub kind: CheckKind,
    /// What was expected, in a sentence.
    pub expected: String,
    /// What was seen.
    pub observed: String,
    /// Whether it held; absent when it could not be told.
    pub held: Option<bool>,
    /// When.
    pub at: Timestamp,
    /// The step that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
}

/// What was found wrong.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The class of the cause.
    pub cause: Cause,
    /// The layer of the path where it stands.
    pub layer: Layer,
    /// Which of the nine failure points a user met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_point: Option<u8>,
    /// What was expected, and why.
    pub expected: String,
    /// What was observed instead.
    pub observed: String,
    /// What to do.
    pub what_to_do: String,
    /// The step that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
}

impl Finding {
    /// A finding of a cause.
    pub fn new(cause: Cause, expected: impl Into<String>, observed: impl Into<String>) -> Self {
        Self {
            cause,
            layer: cause.layer(),
            failure_point: cause.failure_point(),
            expected: expected.into(),
            observed: observed.into(),
            what_to_do: cause.todo().to_owned(),
            step: None,
        }
    }
}

/// What one journey came to, with one driver.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct JourneyResult {
    /// Its name.
    pub name: String,
    /// What it proves, in a sentence.
    pub proves: String,
    /// The driver that made it.
    pub driver: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether an oracle confirmed what the target said: absent where nothing needed it, `false` where none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// The verdict in a sentence; why, when it was skipped or is inconclusive.
    pub sentence: String,
    /// What was found wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
    /// What was looked at.
    pub checks: Vec<Check>,
    /// Times that were measured, in milliseconds, by what they are.
    pub measured: Vec<Measured>,
    /// When it began.
    pub started: Timestamp,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// The first of its steps, and how many there are.
    pub first_step: usize,
    /// How many steps it has.
    pub steps: usize,
}

/// A time that was measured.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// Of what.
    pub what: String,
    /// In milliseconds.
    pub ms: u64,
}

/// Which path a step belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Path {
    /// The user's: pages, buttons, forms.
    User,
    /// The direct one: the engine's own command, the cluster's API.
    Direct,
    /// Reading by an oracle.
    Oracle,
}

/// One thing that was done.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Its number, from 0.
    pub number: usize,
    /// The journey that it belongs to; empty for the preconditions.
    pub journey: String,
    /// Which path.
    pub path: Path,
    /// Who did it: the user and the driver, as "admin, http".
    pub who: String,
    /// What was done, as "press “Sync to Kubernetes”".
    pub what: String,
    /// When it began.
    pub started: Timestamp,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// The address of the page after it.
    pub url: String,
    /// Its status; 0 when it is not known.
    pub status: u16,
    /// The page's title after it.
    pub title: String,
    /// What the page says to the user: alerts, answers, the sentence of the state.
    pub message: String,
    /// Why it could not be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<String>,
    /// The requests that were sent, with their answers, redirects one by one.
    pub exchanges: Vec<Exchange>,
    /// Lines that the page wrote to the browser's console.
    pub console: Vec<ConsoleLine>,
    /// A picture of the window: a file in the run's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screenshot: Option<String>,
    /// The accessible tree: a file in the run's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accessible_tree: Option<String>,
}

/// A line of a browser's console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsoleLine {
    /// `SEVERE`, `WARNING`, `INFO` and so on.
    pub level: String,
    /// The text, with the place that it came from.
    pub text: String,
}

/// What an oracle read.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct OracleReading {
    /// When.
    pub at: Timestamp,
    /// The journey that it was read for; empty for the preconditions.
    pub journey: String,
    /// From where: "cluster https://...", "git https://...".
    pub from: String,
    /// What was asked.
    pub asked: String,
    /// What was found, in words.
    pub found: String,
    /// The data, as far as it is small.
    #[serde(skip_serializing_if = "Value::is_null", default)]
    pub data: Value,
}

/// Where the user's path and the direct one part.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Discrepancy {
    /// What was done on both paths.
    pub subject: String,
    /// What came of each, in each order.
    pub arms: Vec<Arm>,
    /// The first layer at which they part; absent where they agree, or where it could not be found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts_at: Option<Layer>,
    /// The same in a sentence.
    pub sentence: String,
    /// The hypotheses that were tried, layer by layer.
    pub probes: Vec<Probe>,
}

/// One path in one order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Arm {
    /// The path.
    pub path: Path,
    /// By what, as "the button, http" or "hedgerow sync".
    pub by: String,
    /// Which came first in this pair: `user` or `direct`.
    pub first: Path,
    /// When it began.
    pub started: Timestamp,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// What it said.
    pub said: String,
    /// Whether it claimed success; absent when it said neither.
    pub claimed: Option<bool>,
    /// Whether the oracle saw the effect; absent where there was none to ask.
    pub effect: Option<bool>,
    /// What the oracle saw.
    pub seen: String,
}

/// A hypothesis, tried.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// The layer that it is about.
    pub layer: Layer,
    /// What is supposed, in a sentence: "the session is not known to the server".
    pub hypothesis: String,
    /// What was done to find out.
    pub probe: String,
    /// What came of it.
    pub outcome: String,
    /// The same without the thing in question.
    pub control: String,
    /// What came of that.
    pub control_outcome: String,
    /// Whether the hypothesis holds: this layer is where the path breaks. Absent when it could not be told.
    pub holds: Option<bool>,
    /// How long the probe took, in milliseconds.
    pub ms: u64,
}

/// Something that was made for the run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Cleaned {
    /// What it was.
    pub what: String,
    /// Whether it is as before.
    pub restored: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it was put right, or could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// The JSON schema of [`Run`], as it is published.
pub fn schema() -> Value {
    schemars::schema_for!(Run).to_value()
}
