//! How an operation ends: which state and which sentence, and that this end is stored, however long that takes.

use crate::events::Event;
use crate::run::{Finished, Run};
use crate::{Error, noting};
use model::Code;
use model::operation::{ObjectOutcome, OperationState, OutcomeKind, Phase};
use std::time::Duration;
use store::operations::Finish;
use tokio::time::Instant;

/// The longest pause between two tries to store an end.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long one try may take.
const TRY: Duration = Duration::from_secs(10);
/// How long an engine that stops goes on trying; then leases expire, and another process says what happened.
const WHILE_STOPPING: Duration = Duration::from_secs(6);

/// How a run was ended.
pub(crate) enum End {
    /// The verb came to its end.
    Verb(Result<Finished, Error>),
    /// Somebody asked for it.
    Cancelled,
    /// Its time was up.
    DeadlinePassed,
    /// Its heartbeat could not be stored for so long that another process may take over soon.
    HoldPassed,
    /// Another process has taken over.
    LeaseLost,
    /// Hedgerow is being stopped.
    Stopping,
}

/// The last word about an operation.
pub(crate) struct LastWord {
    state: OperationState,
    finished: Finished,
}

/// What became of it, in a sentence, with a last word on every object and phase.
pub(crate) fn conclude(run: &Run, end: End) -> LastWord {
    let word = |state, code: Code, message: String| LastWord {
        state,
        finished: Finished { message, code: Some(code), ..Finished::default() },
    };
    let last = match end {
        End::Verb(Ok(finished)) => {
            let state = match finished.code {
                None => OperationState::Succeeded,
                Some(_) if finished.failed => OperationState::Failed,
                Some(_) => OperationState::Partial,
            };
            LastWord { state, finished }
        }
        End::Verb(Err(e)) => {
            // What stopped it, and, of a run that has sent something, how far it had come.
            let began = written(run) > 0 || run.unanswered() > 0;
            let message = if began { format!("{} {}", e.message, done(run)) } else { e.message };
            let finished = Finished { message, code: Some(e.code), object: e.object, ..Finished::default() };
            LastWord { state: stopped(run), finished }
        }
        End::Cancelled => {
            let by = run.shared.cancelled_by(run.operation.id);
            word(OperationState::Cancelled, Code::Cancelled, format!("Cancelled by {by}. {}", done(run)))
        }
        End::DeadlinePassed => {
            let limit = in_words(run.operation.time_limit);
            let message = format!("The deadline of {limit} passed{}. {}", whose_time(&run.times()), done(run));
            word(OperationState::TimedOut, Code::DeadlineExceeded, message)
        }
        End::HoldPassed => {
            let why = run.hold.why_passed(run.now());
            let message = format!("{why}, so it stopped before another process could take it for dead. {}", done(run));
            word(stopped(run), Code::StoreUnavailable, message)
        }
        End::Stopping => word(
            OperationState::Interrupted,
            Code::Interrupted,
            format!("Hedgerow was stopped while it ran. {}", done(run)),
        ),
        End::LeaseLost => word(OperationState::Interrupted, Code::Interrupted, String::new()),
    };
    if let Some(code) = last.finished.code {
        run.leave_rest("Not tried, because the operation ended before.", code);
    }
    run.close_open_phases(&last.finished.message);
    last
}

/// How it ends when something stopped it: what was written before counts.
fn stopped(run: &Run) -> OperationState {
    if written(run) == 0 { OperationState::Failed } else { OperationState::Partial }
}

/// Objects that were changed; a dry run changes none, though it says what would be.
fn written(run: &Run) -> usize {
    if run.options().dry_run {
        return 0;
    }
    use OutcomeKind::{Adopted, Created, NotVerified, Pruned, Updated};
    // What was equal and is not any more was not sent.
    let is_sent = |o: &ObjectOutcome| o.outcome != NotVerified || o.attempts > 0 || !run.operation.verb.writes();
    let outcomes = run.outcomes();
    let changed = outcomes.iter().filter(|o| matches!(o.outcome, Created | Updated | Pruned | Adopted | NotVerified));
    changed.filter(|o| is_sent(o)).count()
}

/// What had been done when it ended before its time.
fn done(run: &Run) -> String {
    let count = |kind| run.outcomes().iter().filter(|o| o.outcome == kind).count();
    let sent = run.unanswered();
    let left = count(OutcomeKind::NotAttempted).saturating_sub(sent);
    what_was_done(written(run), left, sent + count(OutcomeKind::Unknown))
}

/// The same by numbers: objects written, not written, and sent without an answer.
fn what_was_done(written: usize, left: usize, open: usize) -> String {
    let objects = |n: usize| if n == 1 { "1 object".to_owned() } else { format!("{n} objects") };
    let mut said = match (written, left) {
        (0, _) if open == 0 => return "Nothing had been written.".to_owned(),
        (0, _) => "No write had been confirmed".to_owned(),
        (w, 0) => format!("Until then {} had been written", objects(w)),
        (w, l) => format!("Until then {} had been written, {l} had not", objects(w)),
    };
    if open > 0 {
        said = format!("{said}; {} had been sent without a clear answer yet, and may have been written", objects(open));
    }
    format!("{said}.")
}

/// ` during "Read the cluster", which had taken 4.6 s`, and the phase that took most, if that is another.
fn whose_time(times: &[(Phase, Duration)]) -> String {
    let Some((last, took)) = times.last() else { return String::new() };
    let during = format!(" during \"{}\", which had taken {}", last.title(), in_words(*took));
    match times.iter().max_by_key(|(_, took)| *took) {
        Some((most, took)) if most != last => {
            format!("{during}; \"{}\" before had taken {}", most.title(), in_words(*took))
        }
        _ => during,
    }
}

/// A time as a person says it.
pub(crate) fn in_words(time: Duration) -> String {
    match time.as_secs() {
        0..=9 => format!("{:.1} s", time.as_secs_f32()),
        seconds @ 10..=119 => format!("{seconds} s"),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// Stores the end. A database that does not answer is asked again until it does, until the operation has another end, or
/// until the engine stops: an end is not lost while this process lives.
pub(crate) async fn store(run: &Run, mut last: LastWord) {
    let id = run.operation.id;
    let mut pause = Duration::from_millis(50);
    let mut stopping: Option<Instant> = None;
    let (mut failures, mut is_plain) = (0_u32, false);
    loop {
        let stored = tokio::time::timeout(TRY, finish(run, &last));
        match stored.await {
            Ok(Ok(true)) => return,
            Ok(Ok(false)) => {
                tracing::warn!(operation = id, "the operation has another end already; what this run says is dropped");
                return;
            }
            // What the database refuses to take will not be taken later either: a plainer end is.
            Ok(Err(e)) if e.code != Code::StoreUnavailable && !is_plain => {
                tracing::error!(operation = id, error = %e, "the end of the operation was refused by the database");
                is_plain = true;
                last.state = OperationState::Failed;
                last.finished = Finished {
                    message: "The operation ended, but the database refused to store how; the log says why.".to_owned(),
                    code: Some(Code::Internal),
                    ..Finished::default()
                };
                continue;
            }
            // Once a few times, then now and then: a database may be gone for hours.
            Ok(Err(e)) if failures < 3 || failures.is_multiple_of(60) => {
                tracing::warn!(operation = id, error = %e, failures, "the end of the operation could not be stored yet");
            }
            Ok(Err(_)) => {}
            Err(_) => tracing::warn!(operation = id, "the database did not answer; the end is not stored yet"),
        }
        failures = failures.saturating_add(1);
        if run.shared.stopping.is_cancelled() {
            let since = *stopping.get_or_insert_with(Instant::now);
            if since.elapsed() >= WHILE_STOPPING {
                tracing::error!(operation = id, "the end of the operation could not be stored; its lease will expire");
                return;
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn finish(run: &Run, last: &LastWord) -> Result<bool, Error> {
    match run.flush().await {
        Err(e) if e.code == Code::StoreUnavailable => return Err(e),
        Err(e) => tracing::error!(operation = run.operation.id, error = %e, "the last outcomes could not be stored"),
        Ok(_) => {}
    }
    let shared = &run.shared;
    let end = Finish {
        state: last.state,
        code: last.finished.code,
        message: last.finished.message.clone(),
        error_object: last.finished.object.clone(),
        result: last.finished.result.clone(),
        phases: run.phases(),
    };
    let stored = shared.store.operations().finish(run.operation.id, &shared.lease.owner, &end, run.now()).await?;
    shared.places.note(run.operation.fabric_id, last.finished.code);
    shared.events.send(run.operation.fabric_id, Event::Operation { id: run.operation.id });
    if stored {
        let ran = noting::operation_ended(&run.operation, last.state, run.now());
        tracing::info!(operation = run.operation.id, fabric = run.operation.fabric_id, verb = %run.operation.verb,
            state = %last.state, code = last.finished.code.map(Code::as_str), object = last.finished.object,
            duration_ms = ran.as_millis() as u64, request_id = %run.operation.request_id, "operation ended");
    }
    Ok(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_until_then_is_counted() {
        assert_eq!(what_was_done(0, 5, 0), "Nothing had been written.");
        assert_eq!(what_was_done(1, 4, 0), "Until then 1 object had been written, 4 had not.");
        assert_eq!(what_was_done(5, 0, 0), "Until then 5 objects had been written.");
        assert_eq!(
            what_was_done(4, 1, 1),
            "Until then 4 objects had been written, 1 had not; 1 object had been sent without a clear answer yet, and \
             may have been written."
        );
        assert!(what_was_done(0, 3, 2).starts_with("No write had been confirmed; 2 objects had been sent"));
    }

    #[test]
    fn a_passed_deadline_names_the_phase_that_took_the_time() {
        let seconds = Duration::from_secs_f32;
        assert_eq!(whose_time(&[]), "");
        let times = [(Phase::Connect, seconds(0.2)), (Phase::Observe, seconds(4.63))];
        assert_eq!(whose_time(&times), " during \"Read the cluster\", which had taken 4.6 s");
        let times = [(Phase::FetchSource, seconds(290.0)), (Phase::Observe, seconds(12.9))];
        assert_eq!(
            whose_time(&times),
            " during \"Read the cluster\", which had taken 12 s; \"Fetch the source\" before had taken 4 min 50 s"
        );
        assert_eq!(in_words(seconds(900.0)), "15 min");
    }
}
