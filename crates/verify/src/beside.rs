//! What is there beside the words of an answer, and may say the contrary: errors that the page's script got and did not
//! show, a request that still waits, a reading of nothing where the oracle reads something.

use crate::answer::{Answer, Tone};
use crate::cause::Cause;
use crate::exchange::{Exchange, KEPT_BODY};
use crate::oracle::Snapshot;
use crate::profile::Profile;
use crate::scene::Scene;
use crate::stop::Walked;
use serde_json::Value;

impl Scene<'_> {
    /// That a page which says nothing does not still wait for its answer.
    pub(crate) fn look_at_silence(&mut self, answer: &Answer, before: usize) -> Walked<()> {
        if answer.is_final() {
            return Ok(());
        }
        let steps = self.recorder().steps_from(before);
        let waits = steps.iter().flat_map(|step| &step.exchanges).find(|one| one.is_write() && one.status == 0);
        let Some(waits) = waits else { return Ok(()) };
        let why = waits.error.as_deref().unwrap_or("no answer");
        let observed = format!("{} {}: {why}", waits.method, waits.path());
        Err(self.failed(Cause::Unanswered, "the request of a press is answered in the time that was given", observed))
    }

    /// That a success has no errors beside it, which the page's script got and did not show.
    pub(crate) fn look_beside(&mut self, answer: &Answer, before: usize) -> Walked<()> {
        let profile = self.profile();
        if answer.tone != Tone::Good || profile.answers.json.as_ref().is_none_or(|places| places.errors.is_none()) {
            return Ok(());
        }
        let steps = self.recorder().steps_from(before);
        let expected = "an answer that says that it went well lists no errors";
        let writes = || steps.iter().flat_map(|step| &step.exchanges).filter(|one| one.is_write());
        if writes().any(|one| one.response_bytes > KEPT_BODY as u64) {
            self.untold(expected, "the answer is too long to have been kept whole");
            return Ok(());
        }
        let errors = writes();
        let errors: Vec<String> = errors.flat_map(|one| errors_of(one, &profile)).collect();
        let list = errors.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
        let observed =
            if errors.is_empty() { "none".to_owned() } else { format!("“{}”; and beside it: {list}", answer.text) };
        self.assert(errors.is_empty(), Cause::FailureCalledSuccess, expected, observed)
    }
}

/// Words of a success that say that nothing was read from the cluster, where the oracle reads something at the same time:
/// whatever follows from such a reading cannot have been done.
pub(crate) fn read_nothing(scene: &mut Scene<'_>, words: &str, live: Option<&Snapshot>) -> Walked<()> {
    let (Some(read), Some(live)) = (read_of(words, &scene.profile()), live) else { return Ok(()) };
    let there = live.objects.len();
    let expected = "a success has read the cluster that the oracle reads";
    let observed = format!("“{words}”; the oracle reads {there} objects in {}", live.namespace);
    scene.assert(read > 0 || there == 0, Cause::FailureCalledSuccess, expected, observed)
}

/// The errors that an answer to a press lists, whatever word it has for itself; none where it is no data, or too long to
/// have been kept whole.
fn errors_of(exchange: &Exchange, profile: &Profile) -> Vec<String> {
    let pointer = profile.answers.json.as_ref().and_then(|places| places.errors.as_deref());
    let body = exchange.response_body.as_deref().and_then(|body| serde_json::from_str::<Value>(body).ok());
    let found = body.zip(pointer).and_then(|(body, pointer)| body.pointer(pointer).cloned());
    let words = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match found {
        Some(Value::Array(errors)) => errors.iter().map(words).collect(),
        Some(Value::Null) | None => Vec::new(),
        Some(error) => Some(words(&error)).filter(|words| !words.is_empty()).into_iter().collect(),
    }
}

/// How many objects the words of a success say were read from the cluster.
fn read_of(text: &str, profile: &Profile) -> Option<u64> {
    profile.answers.read.as_ref()?.captures(text)?.get(1)?.as_str().parse().ok()
}
