//! **Sync from Git**: fetch the source and compare. What was fetched counts even when the cluster cannot be read.

use super::steps;
use crate::Error;
use crate::comparing;
use crate::findings::errors_in_words;
use crate::run::{Finished, Run};
use model::operation::{Phase, PhaseState};
use serde_json::json;

pub(super) async fn run(run: &Run) -> Result<Finished, Error> {
    let fabric = steps::fabric(run).await?;
    let desired = match steps::fetch(run, &fabric).await {
        Ok(desired) => desired,
        // Nobody knows any more what is desired: that stands in the fabric's status at once. The comparison that comes by
        // itself then goes on with the commit that is known, and with it the watches.
        Err(e) => {
            if fabric.is_configured() {
                comparing::failed_run(run, &e).await?;
                run.shared.schedule.now(fabric.id);
            }
            return Err(e);
        }
    };
    let fetched = format!("Fetched {}: {} objects", desired.commit.short(), desired.manifests.len());
    let errors = desired.findings.iter().filter(|f| f.severity == model::manifest::Severity::Error).count();
    let mut result = json!({ "commit": desired.commit.id, "objects": desired.manifests.len(), "files": desired.files,
        "errors": errors });
    let compared = async {
        let (cluster, kinds) = steps::connect(run, &fabric).await?;
        let observation = steps::observe(run, &fabric, &cluster, kinds, Phase::Observe).await?;
        run.begin(Phase::Compare, "Comparing");
        let compared = steps::compare_and_confirm(run, &fabric, &cluster, &desired, &observation).await?;
        run.end(Phase::Compare, compared.sentence());
        Ok::<_, Error>(compared)
    };
    let mut message = match compared.await {
        Ok(compared) => {
            result["comparison"] = json!(compared.comparison.id);
            format!("{fetched}. {}", compared.sentence())
        }
        // Git did what was asked. The cluster's trouble is told, and stands in the fabric's status by its own record.
        Err(e) => {
            if e.code != model::Code::NotConfigured {
                comparing::failed_run(run, &e).await?;
            }
            for phase in [Phase::Connect, Phase::Observe, Phase::Compare] {
                run.close(phase, PhaseState::Skipped, "");
            }
            format!("{fetched}. Not compared: {}", e.message)
        }
    };
    if errors > 0 {
        message = format!("{message} {}", errors_in_words(&desired.findings));
    }
    Ok(Finished { message, result, ..Finished::default() })
}
