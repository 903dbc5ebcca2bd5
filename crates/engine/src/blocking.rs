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

/// Fewer items than this are not worth a thread.
const SHARE: usize = 256;

/// Does the same with each item, on every core when there are many; order is kept. Blocks, so within [`compute`].
pub(crate) fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let share = items.len().div_ceil(cores).max(SHARE);
    if items.len() <= share {
        return items.iter().map(work).collect();
    }
    let work = &work;
    std::thread::scope(|scope| {
        let parts: Vec<_> =
            items.chunks(share).map(|part| scope.spawn(move || part.iter().map(work).collect::<Vec<_>>())).collect();
        // A panic goes on here, and is an error of the computation.
        parts.into_iter().flat_map(|part| part.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_however_many_there_are() {
        for count in [0, 1, SHARE, SHARE + 1, 10 * SHARE + 7] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(each(&items, |n| n * 2), (0..count).map(|n| n * 2).collect::<Vec<_>>());
        }
    }

    #[tokio::test]
    async fn a_panic_within_is_an_error() {
        let items: Vec<usize> = (0..4 * SHARE).collect();
        let done = compute("Counting", move || each(&items, |n| assert_ne!(*n, 3 * SHARE, "planted"))).await;
        assert!(done.unwrap_err().message.contains("Counting ended unexpectedly"));
    }
}
