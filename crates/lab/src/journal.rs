//! What clients have written, in the order in which it took effect: for tests that check what a client did, from the side
//! that it cannot lie to. A lab keeps it when it is asked to, because it grows for as long as the lab runs.

use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// One write of a client that changed something.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it took effect.
    pub at: Instant,
    /// The name that the client put behind its token; empty without one.
    pub client: String,
    /// `create`, `update`, `patch` or `delete`.
    pub verb: &'static str,
    /// The kind of the object.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Whether the client said which version it meant to change; of a creation, always.
    pub is_conditional: bool,
    /// The object before, unless it was created.
    pub before: Option<Arc<Value>>,
    /// The object after; of a deletion, as it was.
    pub after: Arc<Value>,
}

/// The writes of one lab.
#[derive(Debug, Default)]
pub struct Journal {
    entries: Mutex<Vec<Entry>>,
}

impl Journal {
    /// The writes from a position on.
    pub fn since(&self, position: usize) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(position..).unwrap_or_default().to_vec()
    }

    /// How many writes there were.
    pub fn len(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn add(&self, entry: Entry) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }
}
