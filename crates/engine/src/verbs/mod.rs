//! The four verbs, one file each, and the steps that they share.

mod adopt;
mod steps;
mod sync_from_fabric;
mod sync_from_git;
mod sync_to_kubernetes;
mod test_connection;

use crate::Error;
use crate::run::{Finished, Run};
use futures::future::{BoxFuture, FutureExt};
use model::operation::Verb;

/// Runs an operation's verb to its end.
pub(crate) fn run(run: &Run) -> BoxFuture<'_, Result<Finished, Error>> {
    match run.operation.verb {
        Verb::TestConnection => test_connection::run(run).boxed(),
        Verb::SyncFromGit => sync_from_git::run(run).boxed(),
        Verb::SyncFromFabric => sync_from_fabric::run(run).boxed(),
        Verb::SyncToKubernetes => sync_to_kubernetes::run(run).boxed(),
    }
}

pub(crate) use steps::{background, check_identity, prune};
