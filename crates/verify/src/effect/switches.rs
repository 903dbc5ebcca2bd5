//! Whether what pages say of the switches is so, read in what their agents report to the cluster: a switch that is said to
//! run what it was given has applied the newest generation of its Agent and was heard of within a minute; one that is said
//! to run an object holds that very spec.

use super::{World, namespace};
use crate::cause::Cause;
use crate::oracle::agents::{self, Holding, SwitchReading, Verdict, Wanted};
use crate::oracle::{ClusterOracle, OracleError};
use crate::profile::SwitchPlaces;
use crate::scene::Scene;
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long page and agents must contradict each other until it is a lie: the target may need a moment to see a change.
const LASTS: Duration = Duration::from_secs(10);
/// The pause between two looks.
const REST: Duration = Duration::from_secs(1);
/// How many of the objects that were written are looked for on the switches.
const MOST_OBJECTS: usize = 3;

/// Judges what the fabric's page says of each switch, and what the pages of the objects say that a sync has written: those
/// that the cluster lacked before.
pub(crate) async fn judge(scene: &mut Scene<'_>, visitor: &mut Visitor, lacked: Option<&World>) -> Walked<()> {
    let profile = scene.profile();
    let (Some(places), Some(cluster)) = (&profile.switches, scene.site.plan.cluster.clone()) else { return Ok(()) };
    let expected = "what the fabric's page says of each switch is what its agent reports";
    // By nothing in particular: a switch may be behind with one object and have applied all that it was given.
    if !watch(scene, visitor, &cluster, places, expected, &Subject::Fabric).await? {
        return Ok(());
    }
    let (Some(before), Some(drift)) = (lacked, &profile.drift) else { return Ok(()) };
    let after = super::world(scene).await?;
    let Some(live) = &after.live else { return Ok(()) };
    let written = live
        .objects
        .iter()
        .filter(|(key, _)| before.lacking.contains_key(&key.to_string()) && agents::held_under(&key.kind).is_some());
    for (key, seen) in written.take(MOST_OBJECTS) {
        let kind = format!("{}.{}", key.kind, key.group);
        let address = drift.object_page(&scene.fabric()?.id, &kind, &live.namespace, &key.name);
        let expected = format!("what the page of {key} says of each switch is what its agent reports");
        let subject = Subject::Object { kind: &key.kind, name: &key.name, spec: &seen.spec, address };
        watch(scene, visitor, &cluster, places, &expected, &subject).await?;
    }
    Ok(())
}

/// What a page speaks of.
enum Subject<'a> {
    /// The fabric: whether each switch runs what it was given.
    Fabric,
    /// An object, with its live spec and its page.
    Object { kind: &'a str, name: &'a str, spec: &'a Value, address: String },
}

impl Subject<'_> {
    fn wanted(&self) -> Wanted<'_> {
        match self {
            Self::Fabric => Wanted::Anything,
            Self::Object { kind, name, spec, .. } => Wanted::Object(kind, name, spec),
        }
    }
}

/// Reads page and agents until they agree, or the contradiction has lasted. `false` where the agents cannot be read.
async fn watch(
    scene: &mut Scene<'_>,
    visitor: &mut Visitor,
    cluster: &ClusterOracle,
    places: &SwitchPlaces,
    expected: &str,
    subject: &Subject<'_>,
) -> Walked<bool> {
    let end = Instant::now() + LASTS;
    loop {
        let page = match subject {
            Subject::Fabric => scene.open_fabric(visitor).await?,
            Subject::Object { address, .. } => visitor.open(address).await?,
        };
        scene.shown_by(visitor);
        let mut said = page.rows(&places.row, &places.name, &places.state);
        let switches = match read(scene, cluster, subject.wanted()).await? {
            Ok(switches) => switches,
            Err(why) => {
                scene.untold(expected, &why);
                return Ok(false);
            }
        };
        // A gateway is no switch, and has an agent of another kind.
        said.retain(|(name, _)| switches.iter().any(|one| one.switch == *name));
        let lies = contradictions(places, &said, &switches);
        if said.is_empty() {
            scene.untold(expected, "the page names no switch that has an agent");
            return Ok(true);
        }
        if lies.is_empty() {
            let applied: Vec<&(String, String)> = said.iter().filter(|(_, word)| places.is_applied(word)).collect();
            let unknown = switches
                .iter()
                .find(|one| one.verdict == Verdict::Unknown && applied.iter().any(|(name, _)| *name == one.switch));
            if let Some(unknown) = unknown {
                scene.untold(expected, &unknown.sentence);
                return Ok(true);
            }
            let applied = applied.len();
            scene.assert(
                true,
                Cause::SwitchesLie,
                expected,
                format!("{applied} of {} are said to run it, and do", said.len()),
            )?;
            return Ok(true);
        }
        if Instant::now() >= end {
            return Err(scene.failed(Cause::SwitchesLie, expected, lies.join("; ")));
        }
        tokio::time::sleep(REST).await;
    }
}

/// What the agents report, by the cluster's clock; in words, why that cannot be read.
async fn read(
    scene: &Scene<'_>,
    cluster: &ClusterOracle,
    wanted: Wanted<'_>,
) -> Walked<Result<Vec<SwitchReading>, String>> {
    let unread = |error: OracleError| Stop::Inconclusive(format!("The oracle could not read the agents: {error}"));
    let kinds = cluster.kinds().await.map_err(unread)?.value;
    let Some(kind) = kinds.iter().find(|kind| kind.kind == "Agent" && kind.group.ends_with("githedgehog.com")) else {
        return Ok(Err("the cluster knows no agents".to_owned()));
    };
    let list = match cluster.list(kind, Some(&namespace(scene.site))).await {
        Ok(list) => list,
        Err(error @ OracleError::Forbidden { .. }) => return Ok(Err(format!("the oracle may not: {error}"))),
        Err(error) => return Err(unread(error)),
    };
    let version = cluster.version().await.map_err(unread)?.value;
    let now = version.server_time.unwrap_or_else(Timestamp::now);
    let switches = agents::read(&list.value, wanted, now);
    let found = json!(switches);
    scene.recorder().reading(&list.reading.from, &list.reading.asked, &found.to_string(), json!(null));
    Ok(Ok(switches))
}

/// Where a page says of a switch what its agent does not report.
fn contradictions(places: &SwitchPlaces, said: &[(String, String)], switches: &[SwitchReading]) -> Vec<String> {
    let of = |(name, word): &(String, String)| {
        let switch = switches.iter().find(|one| one.switch == *name)?;
        let is_lie = match (switch.verdict, switch.holding) {
            (Verdict::Pending | Verdict::Silent, _) | (_, Holding::Nothing | Holding::Another) => {
                places.is_applied(word)
            }
            (Verdict::Unknown, _) if switch.heartbeat.is_none() => places.is_applied(word),
            // Of everything that it was given together, a page may know more than the switch.
            (Verdict::Applied, Holding::This) => places.is_waiting(word),
            _ => false,
        };
        is_lie.then(|| format!("{name} is said to be “{word}”; {}", switch.sentence.trim_end_matches('.')))
    };
    said.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(generation: i64, applied: i64, spec: &Value, heartbeat: &str) -> Value {
        json!({
            "metadata": {"name": "leaf-01", "generation": generation}, "spec": spec,
            "status": {"lastAppliedGen": applied, "lastAttemptGen": generation, "lastHeartbeat": heartbeat},
        })
    }

    #[test]
    fn a_page_is_contradicted_by_what_the_agent_reports_and_by_nothing_else() {
        let places = crate::profile::built_in("hedgerow").unwrap().switches.unwrap();
        let (now, fresh, old) =
            ("2026-01-01T00:02:00Z".parse().unwrap(), "2026-01-01T00:01:50Z", "2026-01-01T00:00:00Z");
        let (new, was) = (json!({"vpcs": {"web": {"mode": "l3vni"}}}), json!({"vpcs": {"web": {}}}));
        let (none, live) = (json!({}), json!({"mode": "l3vni"}));
        let object = Wanted::Object("VPC", "web", &live);
        for (agent, wanted, word, lie) in [
            (agent(2, 2, &new, fresh), Wanted::Anything, "Applied", ""),
            (agent(2, 2, &new, fresh), object, "Applied", ""),
            (agent(2, 1, &new, fresh), object, "Pending", ""),
            // Behind with something, in the page's eyes; all that it was given is applied.
            (agent(2, 2, &was, fresh), Wanted::Anything, "Submitted", ""),
            (agent(2, 2, &new, fresh), Wanted::Anything, "Version skew", ""),
            (agent(2, 1, &new, fresh), Wanted::Anything, "Applied", "runs generation 1 and was given 2"),
            (agent(2, 2, &new, old), Wanted::Anything, "Applied", "was last heard of 120 s ago"),
            // Equal generations prove nothing of an object that the controller has not handed on.
            (agent(2, 2, &was, fresh), object, "Applied", "was given another version of VPC web"),
            (agent(2, 2, &none, fresh), object, "Applied", "was not given VPC web"),
            (agent(2, 2, &new, fresh), object, "Pending", "runs VPC web, generation 2"),
            (agent(2, 2, &new, "never"), Wanted::Anything, "applied", "has not reported yet"),
        ] {
            let said = [("leaf-01".to_owned(), word.to_owned()), ("gateway-1".to_owned(), "Applied".to_owned())];
            let found = contradictions(&places, &said, &agents::read(&[agent], wanted, now));
            assert_eq!(found.is_empty(), lie.is_empty(), "{word}: {found:?}");
            assert!(found.iter().all(|one| one.contains(lie) && one.contains("leaf-01")), "{lie}: {found:?}");
        }
    }
}
