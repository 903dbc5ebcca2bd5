//! A monitor of the user's path: the same run again and again, and what is made of it. Nothing here walks and nothing
//! here waits: [`Judged`] is what is kept of a run, [`Row`] counts what did not pass, [`due`] says when somebody must be
//! told, [`Alert`] is what they are told, [`Tally`] is what Prometheus reads, [`beyond`] which evidence goes. `hedgerow
//! verify --every` and the console's own monitor (`verify.every`) are built from these; only [`Webhook`] talks to anybody.

mod alert;
mod judged;
mod keep;
mod row;
mod tally;
mod webhook;

pub use alert::{Alert, AlertJourney};
pub use judged::{Judged, JudgedJourney, Mark};
pub use keep::{Kept, beyond, folder_name, is_folder_name};
pub use row::{Event, Row, due};
pub use tally::Tally;
pub use webhook::{Undelivered, Webhook};

/// The journeys that leave no trace: their sessions are ended, and they press nothing that begins an operation or writes
/// anything into Git or a cluster. A monitor makes these unless it is told others.
pub const QUIET: [&str; 3] = ["login_logout", "fabric_page", "status_agrees"];

#[cfg(test)]
mod tests {
    use super::QUIET;
    use crate::journeys;

    #[test]
    fn what_leaves_no_trace_changes_nothing() {
        for name in QUIET {
            let journey = journeys::ALL.iter().find(|one| one.name == name);
            assert!(journey.is_some_and(|one| !one.changes), "{name}");
        }
    }
}
