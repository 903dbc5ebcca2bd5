//! What a command changes stands in the activity, too, like what is done on the pages: a row for each command that
//! changed something or failed to, beside the log of changes.

use anyhow::Context as _;
use jiff::Timestamp;
use model::Code;
use std::sync::OnceLock;
use store::{Author, NewAttempt, Store};

/// What a command does, as the activity calls it.
pub(crate) struct Deed<'a> {
    /// The name of the page's route that does the same.
    pub action: &'static str,
    /// The command.
    pub command: &'static str,
    /// On whom or on what.
    pub subject: &'a str,
}

/// Under which name changes are recorded; all of one command are of one request.
pub(crate) fn author() -> Author {
    static REQUEST: OnceLock<String> = OnceLock::new();
    let request = REQUEST.get_or_init(|| uuid::Uuid::new_v4().to_string());
    auth::Actor::System("command line").author(request, Timestamp::now())
}

impl Deed<'_> {
    /// Does it, and records how that ended. A record that cannot be written fails the command, which says then that the
    /// rest is done.
    pub(crate) async fn record<T>(
        &self,
        store: &Store,
        work: impl AsyncFnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let done = work().await;
        let Author { actor, request_id, .. } = author();
        let attempt = NewAttempt {
            at: Timestamp::now(),
            fabric_id: None,
            fabric_name: String::new(),
            verb: None,
            action: self.action.to_owned(),
            subject: self.subject.to_owned(),
            actor,
            user_id: None,
            token_key: None,
            address: "the command line".to_owned(),
            method: "COMMAND".to_owned(),
            path: self.command.to_owned(),
            http_status: if done.is_ok() { 200 } else { Code::InvalidInput.http_status() },
            redirected: false,
            code: done.as_ref().err().map(|_| Code::InvalidInput),
            message: match &done {
                Ok(_) => format!("Done by {}.", self.command),
                Err(error) => format!("{} failed: {error:#}.", self.command),
            },
            request_id,
            operation_id: None,
        };
        let recorded = store.attempts().record(&attempt).await;
        match (done, recorded) {
            (Ok(done), Ok(_)) => Ok(done),
            (Ok(_), Err(error)) => {
                Err(error).context("it is done, but no row of it could be written into the activity")
            }
            // Why it failed is what counts.
            (Err(error), _) => Err(error),
        }
    }
}
