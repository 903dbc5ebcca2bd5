//! Hints to open pages that something changed. They carry ids only: whoever listens reads the truth from the store.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::broadcast;

/// Something happened to a fabric; read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An operation was queued, made progress or ended.
    Operation {
        /// Which operation.
        id: i64,
    },
    /// A comparison was stored.
    Compared {
        /// Which comparison.
        comparison_id: i64,
    },
    /// Something else about the fabric changed.
    Changed,
}

/// One channel a fabric, made when first asked for.
#[derive(Debug, Default)]
pub(crate) struct Events {
    channels: Mutex<HashMap<i64, broadcast::Sender<Event>>>,
}

impl Events {
    /// Listens to one fabric. A listener that is too slow misses hints, which is harmless: the next one is enough.
    pub fn subscribe(&self, fabric_id: i64) -> broadcast::Receiver<Event> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.entry(fabric_id).or_insert_with(|| broadcast::channel(64).0).subscribe()
    }

    /// Tells everyone who listens to a fabric.
    pub fn send(&self, fabric_id: i64, event: Event) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = channels.get(&fabric_id)
            && sender.send(event).is_err()
        {
            channels.remove(&fabric_id);
        }
    }
}
