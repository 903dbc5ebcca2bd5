//! What writes a run down as it happens: steps, readings, what has to be cleaned up. Everybody who takes part has a clone.

use crate::redact::Redactor;
use crate::results::{Cleaned, OracleReading, Path, Step};
use jiff::Timestamp;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Default)]
struct Kept {
    steps: Vec<Step>,
    readings: Vec<OracleReading>,
    cleanup: Vec<Cleaned>,
    journey: String,
}

/// Writes a run down. Clones write into the same.
#[derive(Clone)]
pub struct Recorder {
    kept: Arc<Mutex<Kept>>,
    folder: Option<PathBuf>,
    redactor: Redactor,
}

impl Recorder {
    /// One that puts pictures into this folder; without one there are none.
    pub fn new(folder: Option<PathBuf>, redactor: Redactor) -> Self {
        Self { kept: Arc::default(), folder, redactor }
    }

    /// What follows belongs to this journey.
    pub fn begin(&self, journey: &str) {
        journey.clone_into(&mut self.lock().journey);
    }

    /// Whether pictures are kept.
    pub fn keeps_pictures(&self) -> bool {
        self.folder.is_some()
    }

    /// Writes a step down, and gives its number.
    pub fn step(&self, mut step: Step, screenshot: Option<&[u8]>, tree: Option<&Value>) -> usize {
        let mut kept = self.lock();
        step.number = kept.steps.len();
        step.journey.clone_from(&kept.journey);
        step.message = self.redactor.text(&step.message);
        step.what = self.redactor.text(&step.what);
        step.url = self.redactor.text(&step.url);
        step.title = self.redactor.text(&step.title);
        step.obstacle = step.obstacle.as_deref().map(|text| self.redactor.text(text));
        step.screenshot = screenshot.and_then(|bytes| {
            let ending = if bytes.starts_with(b"RIFF") { "webp" } else { "png" };
            self.file(step.number, ending, bytes)
        });
        let tree = tree.and_then(|tree| serde_json::to_vec(tree).ok());
        step.accessible_tree = tree.and_then(|bytes| self.file(step.number, "tree.json", &bytes));
        let number = step.number;
        kept.steps.push(step);
        number
    }

    /// A picture that cannot be written is missing in the step; the run goes on.
    fn file(&self, number: usize, ending: &str, bytes: &[u8]) -> Option<String> {
        let folder = self.folder.as_ref()?;
        let name = format!("steps/{number:04}.{ending}");
        std::fs::create_dir_all(folder.join("steps")).ok()?;
        std::fs::write(folder.join(&name), bytes).ok()?;
        Some(name)
    }

    /// Writes down what an oracle read.
    pub fn reading(&self, from: &str, asked: &str, found: &str, data: Value) {
        let mut kept = self.lock();
        let journey = kept.journey.clone();
        let (from, asked) = (self.redactor.text(from), self.redactor.text(asked));
        let found = self.redactor.text(found);
        kept.readings.push(OracleReading { at: Timestamp::now(), journey, from, asked, found, data });
    }

    /// Writes down a step without pages: a command, a call of the cluster.
    pub fn direct(&self, who: &str, what: &str, started: Timestamp, took: Duration, said: &str) -> usize {
        let step = Step {
            number: 0,
            journey: String::new(),
            path: Path::Direct,
            who: who.to_owned(),
            what: what.to_owned(),
            started,
            ms: millis(took),
            url: String::new(),
            status: 0,
            title: String::new(),
            message: said.chars().take(4_000).collect(),
            obstacle: None,
            exchanges: Vec::new(),
            console: Vec::new(),
            screenshot: None,
            accessible_tree: None,
        };
        self.step(step, None, None)
    }

    /// Writes down that something was made or changed for the run, and how it is now.
    pub fn cleaned(&self, what: &str, restored: Result<(), String>) {
        let why = restored.err().map(|why| self.redactor.text(&why));
        let at = Some(Timestamp::now());
        self.lock().cleanup.push(Cleaned { what: self.redactor.text(what), restored: why.is_none(), why, at });
    }

    /// How many steps there are.
    pub fn count(&self) -> usize {
        self.lock().steps.len()
    }

    /// The steps from a number on.
    pub fn steps_from(&self, first: usize) -> Vec<Step> {
        self.lock().steps.iter().skip(first).cloned().collect()
    }

    /// Everything, at the end.
    pub fn take(&self) -> (Vec<Step>, Vec<OracleReading>, Vec<Cleaned>) {
        let mut kept = self.lock();
        (std::mem::take(&mut kept.steps), std::mem::take(&mut kept.readings), std::mem::take(&mut kept.cleanup))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time in whole milliseconds.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
