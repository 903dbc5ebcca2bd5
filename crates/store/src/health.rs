//! Whether the database answers, as far as the last statements of this process know. When it stops, every page, every
//! tick of the queue and every comparison meets the same failure; the log says it once, and once when it is over.
//!
//! It is over when something was written: a file that another program holds, or whose disk is full, can be read all the
//! time.

use crate::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Looked at after each write, so it is more than the lock below.
static IS_DOWN: AtomicBool = AtomicBool::new(false);
static SINCE: Mutex<Option<Instant>> = Mutex::new(None);

/// Notes a statement that was not carried out. What the caller asked wrongly is no failure of the database.
pub(crate) fn failed(error: &Error) {
    let (kind, doing, source) = match error {
        Error::Busy { doing, source } => ("busy", doing, source),
        Error::Unavailable { doing, source, .. } => ("unavailable", doing, source),
        Error::Query { .. } => return metrics::store_failed("refused"),
        _ => return,
    };
    metrics::store_failed(kind);
    let mut since = SINCE.lock().unwrap_or_else(PoisonError::into_inner);
    if since.is_none() {
        *since = Some(Instant::now());
        IS_DOWN.store(true, Ordering::Release);
        tracing::error!(kind, doing, error = %source, "the database does not answer; work that needs it is tried again");
    }
}

/// Notes that something was written.
pub(crate) fn answered() {
    if !IS_DOWN.load(Ordering::Acquire) {
        return;
    }
    let since = SINCE.lock().unwrap_or_else(PoisonError::into_inner).take();
    IS_DOWN.store(false, Ordering::Release);
    if let Some(since) = since {
        tracing::info!(after_ms = since.elapsed().as_millis() as u64, "the database answers again");
    }
}
