//! The journeys: what a person does, one file each. Each has a name and a sentence on what it proves.
//!
//! | file | journey |
//! |---|---|
//! | `login_logout` | in, known, out, and out for good |
//! | `wrong_password` | turned away, and told so |
//! | `fabric_page` | the page, its parts and its buttons |
//! | `sync` | the button that makes the cluster match; with and without script |
//! | `reading` | Sync from Git, Sync from Fabric, Test Connection |
//! | `twice` | a double click; two users at once |
//! | `refusals` | forged requests, a missing permission |
//! | `session_ends` | idle, too old, ended by somebody |
//! | `session_in_place` | the warning, the login over the page, a long sync |
//! | `session_missing` | a press without a session; a press in a tab that is older than the login |
//! | `secrets` | nothing that is read of a fabric shows a secret |
//! | `unreachable` | a cluster that does not answer |
//! | `operations` | nothing is stuck; cancel |
//! | `status`, `status_truth` | one status everywhere, and what it rests on |
//! | `automatic` | what runs by itself goes on |
//! | `crawl` | every page and every link |
//! | `drift` | a difference, with its field |

mod automatic;
mod crawl;
mod drift;
mod fabric_page;
mod login_logout;
mod operations;
mod reading;
mod refusals;
mod secrets;
mod session_ends;
mod session_in_place;
mod session_missing;
mod status;
mod status_truth;
mod sync;
mod twice;
mod unreachable;
mod wrong_password;

use crate::scene::Scene;
use crate::stop::Walked;
use futures::future::BoxFuture;

/// A journey.
pub struct Journey {
    /// Its name, as `--journey` takes it.
    pub name: &'static str,
    /// What it proves.
    pub proves: &'static str,
    /// Whether it changes anything: `--allow-sync` must allow it.
    pub changes: bool,
    /// Walks it.
    pub walk: for<'s, 'a> fn(&'s mut Scene<'a>) -> BoxFuture<'s, Walked<()>>,
}

macro_rules! journey {
    ($name:literal, $changes:literal, $walk:path, $proves:literal) => {
        Journey { name: $name, proves: $proves, changes: $changes, walk: |scene| Box::pin($walk(scene)) }
    };
}

/// All of them, in the order in which they are made.
pub static ALL: &[Journey] = &[
    journey!(
        "login_logout",
        false,
        login_logout::walk,
        "Who logs in is known to the server until the logout, and not a moment longer; the login leads to pages of this site only."
    ),
    journey!(
        "wrong_password",
        false,
        wrong_password::walk,
        "A wrong password is turned away, the page says so, and nobody is logged in."
    ),
    journey!(
        "fabric_page",
        false,
        fabric_page::walk,
        "The fabric's page answers its user and nobody else, its scripts and styles load, and its button can be pressed and leads somewhere."
    ),
    journey!(
        "sync_by_button",
        true,
        sync::by_button,
        "A press of the button makes the cluster hold what Git says, the page says so when it is so, and the operation stands in the records."
    ),
    journey!(
        "sync_by_form",
        true,
        sync::by_form,
        "The same where the page runs no script: the form does it by itself."
    ),
    journey!(
        "sync_from_git",
        false,
        reading::from_git,
        "Sync from Git reads the newest commit, as a fresh clone has it, and changes nothing in the cluster."
    ),
    journey!(
        "sync_from_fabric",
        false,
        reading::from_fabric,
        "Sync from Fabric reads the cluster, says so, and changes nothing in it."
    ),
    journey!(
        "test_connection",
        false,
        reading::test_connection,
        "Test Connection says of the cluster what is true, and changes nothing in it."
    ),
    journey!("double_click", true, twice::double_click, "Two clicks are one operation."),
    journey!("two_users", true, twice::two_users, "Two users who press at once get one operation, and both are told."),
    journey!(
        "csrf",
        false,
        refusals::csrf,
        "A request without the page's token, with a wrong or an old one, or from another site does nothing, and says why."
    ),
    journey!(
        "permission",
        false,
        refusals::permission,
        "A user who may not sync is offered no button, and refused whatever is sent."
    ),
    journey!(
        "older_tab",
        false,
        session_missing::older_tab,
        "A button of a page that is older than a login in another tab works, or the page says what to do."
    ),
    journey!(
        "session_missing",
        false,
        session_missing::gone,
        "A press without a session leads to the login, and a script gets 401 with its reason in data."
    ),
    journey!(
        "session_revoked",
        false,
        session_ends::revoked,
        "A session that its user ended elsewhere is over at once, and says so; the other one goes on."
    ),
    journey!(
        "session_idle_expiry",
        false,
        session_ends::idle,
        "A session that rests ends at its idle limit, and says so; one that is used goes on."
    ),
    journey!(
        "session_absolute_expiry",
        false,
        session_ends::absolute,
        "A session ends at its absolute limit although it is used, and says so; a younger one goes on."
    ),
    journey!(
        "unreachable",
        false,
        unreachable::walk,
        "A cluster that cannot be reached is a failure that the page tells in time, and nothing is green."
    ),
    journey!(
        "stuck_operation",
        false,
        operations::stuck,
        "No operation goes on after its deadline, and the next one gets its turn."
    ),
    journey!("cancel", true, operations::cancel, "A sync that is cancelled stops, says so, and writes nothing more."),
    journey!(
        "status_agrees",
        false,
        status::walk,
        "List, page, API, metrics and database say the same of the fabric, and it is what the oracles read."
    ),
    journey!(
        "secrets",
        false,
        secrets::walk,
        "Nothing that may be read of the fabric shows a secret, to its user or to somebody who may only look."
    ),
    journey!("drift", true, drift::walk, "A difference in the cluster is shown with its field and both values."),
    journey!(
        "crawl",
        false,
        crawl::walk,
        "Every page and every link answers properly, with an object of every sort among them."
    ),
    journey!(
        "expiry_warning",
        false,
        session_in_place::warning,
        "An open page warns of its session's end in time, and staying moves the end."
    ),
    journey!(
        "relogin_in_place",
        false,
        session_in_place::again,
        "After the end, the login comes over the page, and what was pressed is offered again and done once."
    ),
    journey!(
        "long_sync_expiry",
        true,
        session_in_place::long_sync,
        "A sync goes on when the session that began it ends, and the user finds its end after the next login."
    ),
    journey!(
        "automatic_sync",
        true,
        automatic::walk,
        "Automatic syncs go on after a sync by hand, after a failure and after a restart."
    ),
    journey!(
        "two_paths",
        true,
        crate::discrepancy::walk,
        "The user's path and the direct one come to the same, in both orders; where they part, the first layer is named."
    ),
];
