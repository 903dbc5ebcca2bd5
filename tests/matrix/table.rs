//! The table: for every fault and moment what the contracts allow to come of it, or why it cannot occur. Written from
//! `docs/concepts`, not from what the engine does.

use super::words::{Fault, Moment};

/// A way for an operation to end: its state and its code.
pub type End = (&'static str, Option<&'static str>);

/// One cell.
#[derive(Debug)]
pub enum Cell {
    /// It can occur.
    Occurs(Expect),
    /// It cannot, for this reason.
    Cannot(&'static str),
}

/// What may come of it.
#[derive(Debug)]
pub struct Expect {
    /// The ends that are true.
    pub ends: Vec<End>,
    /// Whether a run that did not succeed must name what it is about.
    pub names: Names,
}

/// What must be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Nothing: it is not about an object.
    Nothing,
    /// One of the objects of the plan.
    Object,
    /// The kind that is concerned, or an object of it.
    Kind,
}

const UNREACHABLE: &[&str] = &["connection_failed", "kubernetes_unavailable"];
const SILENT: &[&str] = &["kubernetes_timeout", "connection_failed", "kubernetes_unavailable"];

fn ends(states: &[&'static str], codes: &[&'static str]) -> Vec<End> {
    states.iter().flat_map(|state| codes.iter().map(|code| (*state, Some(*code)))).collect()
}

fn occurs(ends: Vec<End>, names: Names) -> Cell {
    Cell::Occurs(Expect { ends, names })
}

/// The run goes on, and is whole.
fn survived() -> Cell {
    occurs(vec![("succeeded", None)], Names::Nothing)
}

/// The way to the cluster, or the right to use it, is lost: nothing was written before the first write, something
/// afterwards, also when it could not be read back, and when the switches are followed everything is done already.
fn lost(moment: Moment, codes: &[&'static str]) -> Cell {
    match moment {
        Moment::Connect | Moment::FetchSource | Moment::List1 | Moment::List2 => {
            occurs(ends(&["failed"], codes), Names::Nothing)
        }
        Moment::DryRun => occurs(ends(&["failed", "partial"], codes), Names::Object),
        Moment::Apply => occurs(ends(&["partial"], codes), Names::Object),
        Moment::BeforeReread | Moment::Reread => {
            // Not "not verified": that is for what was read again and is something else.
            occurs(ends(&["partial"], codes), Names::Nothing)
        }
        Moment::Rollout => survived(),
    }
}

/// A webhook is called when an object is written, also in a dry run; whenever it broke before, that is when it shows.
fn webhook(moment: Moment, codes: &[&'static str]) -> Cell {
    match moment {
        Moment::BeforeReread | Moment::Reread | Moment::Rollout => {
            Cell::Cannot("Nothing is written any more, and reading calls no webhook.")
        }
        Moment::Apply => occurs(ends(&["partial"], codes), Names::Object),
        _ => occurs(ends(&["failed", "partial"], codes), Names::Object),
    }
}

/// Git is asked once in a run.
fn git(moment: Moment, code: &'static str) -> Cell {
    match moment {
        Moment::Connect | Moment::FetchSource => occurs(ends(&["failed"], &[code]), Names::Nothing),
        _ => after_the_fetch(),
    }
}

fn after_the_fetch() -> Cell {
    Cell::Cannot("The source is fetched already: this run does not ask Git again, the next one meets it.")
}

/// What may come of a fault at a moment.
pub fn cell(fault: Fault, moment: Moment) -> Cell {
    use Fault::*;
    match fault {
        ApiServerKilled => lost(moment, UNREACHABLE),
        ConnectionReset | Throttled | ServerErrors => survived(),
        BlackHole => match lost(moment, SILENT) {
            Cell::Occurs(expect) if moment != Moment::Rollout => {
                let ends = [expect.ends, ends(&["timed_out"], &["deadline_exceeded"])].concat();
                occurs(ends, Names::Nothing)
            }
            cell => cell,
        },
        Slow => {
            let has_written = matches!(moment, Moment::Apply | Moment::BeforeReread | Moment::Reread);
            let states: &[_] = if has_written { &["partial"] } else { &["failed", "partial"] };
            let late = ends(states, &["kubernetes_timeout"]);
            let ends = [vec![("succeeded", None)], ends(&["timed_out"], &["deadline_exceeded"]), late].concat();
            if moment == Moment::Rollout { survived() } else { occurs(ends, Names::Nothing) }
        }
        CertificateChanged => lost(moment, &["connection_failed"]),
        TokenRevoked => lost(moment, &["kubernetes_unauthorized"]),
        KindForbidden => match moment {
            Moment::DryRun => occurs(ends(&["failed", "partial"], &["kubernetes_forbidden"]), Names::Kind),
            Moment::BeforeReread | Moment::Reread => occurs(ends(&["partial"], &["kubernetes_forbidden"]), Names::Kind),
            Moment::Rollout => survived(),
            _ => occurs(ends(&["partial"], &["kubernetes_forbidden"]), Names::Kind),
        },
        Conflict => match moment {
            Moment::Apply => {
                occurs(ends(&["partial"], &["kubernetes_conflict", "changed_since_comparison"]), Names::Object)
            }
            Moment::DryRun => occurs(ends(&["failed", "partial"], &["kubernetes_conflict"]), Names::Object),
            Moment::Connect | Moment::FetchSource | Moment::List1 | Moment::List2 => Cell::Cannot(
                "What somebody else does before the object is read is read; nothing was sent that could collide.",
            ),
            _ => Cell::Cannot("Only a write is answered 409, and all writes are done."),
        },
        Rejected => match moment {
            Moment::Apply => occurs(ends(&["partial"], &["kubernetes_rejected"]), Names::Object),
            Moment::DryRun => occurs(ends(&["failed", "partial"], &["kubernetes_rejected"]), Names::Object),
            _ => Cell::Cannot("Only a write is answered 422, and none is under way."),
        },
        WebhookDown => webhook(moment, &["kubernetes_webhook_down"]),
        WebhookHangs => match webhook(moment, &["kubernetes_webhook_down", "kubernetes_timeout"]) {
            Cell::Occurs(expect) => {
                occurs([expect.ends, ends(&["timed_out"], &["deadline_exceeded"])].concat(), Names::Nothing)
            }
            cell => cell,
        },
        ListExpired => match moment {
            Moment::List2 | Moment::Reread => survived(),
            _ => Cell::Cannot("Only the next page of a list is answered 410."),
        },
        CrdRemoved => match moment {
            Moment::Apply | Moment::BeforeReread | Moment::Reread => {
                occurs(ends(&["partial"], &["kubernetes_rejected"]), Names::Kind)
            }
            Moment::Rollout => survived(),
            _ => occurs(ends(&["failed", "partial"], &["kubernetes_rejected"]), Names::Kind),
        },
        GitDown => git(moment, "source_unreachable"),
        GitHangs => git(moment, "source_timeout"),
        GitCredentials => git(moment, "source_unauthorized"),
        BranchGone => git(moment, "source_ref_not_found"),
        // The branch is what the remote says it is.
        HistoryRewritten => match moment {
            Moment::Connect | Moment::FetchSource => survived(),
            _ => after_the_fetch(),
        },
        DatabaseLocked | DatabaseGone => {
            let ended = ends(&["failed", "partial"], &["store_unavailable"]);
            let dead = ends(&["interrupted"], &["interrupted"]);
            occurs([vec![("succeeded", None)], ended, dead].concat(), Names::Nothing)
        }
        HedgerowKilled => occurs(ends(&["interrupted"], &["interrupted"]), Names::Nothing),
    }
}

/// The plural of the kind that a fault about one kind is about: the one whose request stands at the door.
pub const fn victim(moment: Moment) -> (&'static str, &'static str) {
    match moment {
        Moment::List1 | Moment::List2 | Moment::Reread => ("servers", "Server"),
        Moment::Rollout => ("agents", "Agent"),
        _ => ("vpcs", "VPC"),
    }
}
