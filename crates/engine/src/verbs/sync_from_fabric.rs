//! **Sync from Fabric**: read the cluster now and compare it with the commit that was fetched last. With objects to adopt,
//! they are committed to the source besides ([`super::adopt`]).

use super::{adopt, steps};
use crate::Error;
use crate::comparing;
use crate::run::{Finished, Run};
use model::Code;
use model::operation::Phase;
use serde_json::json;

pub(super) async fn run(run: &Run) -> Result<Finished, Error> {
    if !run.options().adopt.is_empty() {
        return adopt::run(run, &run.options().adopt).await;
    }
    let fabric = steps::fabric(run).await?;
    let observed = async {
        let (cluster, kinds) = steps::connect(run, &fabric).await?;
        let desired = steps::last_fetched(run, &fabric).await?;
        let observation = steps::observe(run, &fabric, &cluster, kinds, Phase::Observe).await?;
        run.begin(Phase::Compare, "Comparing");
        let compared = steps::compare_and_confirm(run, &fabric, &cluster, &desired, &observation).await?;
        run.end(Phase::Compare, compared.sentence());
        Ok::<_, Error>((observation, compared))
    };
    let (observation, compared) = match observed.await {
        Ok(pair) => pair,
        Err(e) => {
            comparing::failed_run(run, &e).await?;
            return Err(e);
        }
    };
    let result = json!({ "comparison": compared.comparison.id, "objects": observation.live.len(),
        "kinds": observation.read.len(), "problems": observation.problems });
    let message =
        format!("Read {} objects of {} kinds. {}", observation.live.len(), observation.read.len(), compared.sentence());
    let Some(problem) = observation.problems.first() else {
        return Ok(Finished { message, result, ..Finished::default() });
    };
    let kinds: Vec<&str> = observation.problems.iter().map(|p| p.kind.as_str()).filter(|k| !k.is_empty()).collect();
    Ok(Finished {
        message: format!("{message} Not read: {} ({})", kinds.join(", "), problem.message),
        code: Some(if problem.code == Code::KubernetesForbidden { problem.code } else { Code::Partial }),
        object: (!problem.kind.is_empty()).then(|| problem.kind.clone()),
        result,
        failed: false,
    })
}
