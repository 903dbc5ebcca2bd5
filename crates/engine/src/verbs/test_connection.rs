//! **Test Connection**: ask the cluster who it is, what it serves and what these credentials may do. Changes nothing.

use super::steps;
use crate::Error;
use crate::retrying::Retrying;
use crate::run::{Finished, Run};
use model::operation::Phase;

pub(super) async fn run(run: &Run) -> Result<Finished, Error> {
    let fabric = steps::fabric(run).await?;
    run.begin(Phase::Connect, "Asking the cluster who it is");
    let cluster = run.shared.cluster(&fabric).await?;
    let report = cluster.test(&fabric.namespace).await;
    let result = serde_json::to_value(&report).unwrap_or_default();
    let sentence = report.message.clone();
    // An account that only compares is a choice: what it is for works, and what it may not do is named.
    let compares = report.outcome == cluster::Outcome::Forbidden && report.can_read;
    if let Some(code) = report.code.filter(|_| !compares) {
        run.close(Phase::Connect, model::operation::PhaseState::Failed, sentence.clone());
        return Ok(Finished { message: sentence, code: Some(code), result, failed: true, ..Finished::default() });
    }
    if let Err(e) = steps::check_identity(&run.shared, &fabric, &cluster, Retrying::NEVER).await {
        run.close(Phase::Connect, model::operation::PhaseState::Failed, e.message.clone());
        return Ok(Finished { message: e.message, code: Some(e.code), result, failed: true, ..Finished::default() });
    }
    match compares {
        true => run.close(Phase::Connect, model::operation::PhaseState::Partial, sentence.clone()),
        false => run.end(Phase::Connect, sentence.clone()),
    }
    Ok(Finished { message: sentence, code: report.code, result, ..Finished::default() })
}
