//! Long work that only computes, away from the threads that answer pages and keep leases.

use crate::Error;
use model::Code;

/// Does the work on a thread of its own kind. When the caller goes away meanwhile the work goes on to its end, and its
/// result is dropped: it must own what it changes.
pub(crate) async fn compute<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Error::new(Code::Internal, format!("{what} ended unexpectedly; the log says where.")))
}
