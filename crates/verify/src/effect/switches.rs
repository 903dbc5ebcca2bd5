//! Whether what pages say of the switches is so, read in what their agents report to the cluster: a switch that is said to
//! run what it was given has applied the newest generation of its Agent and was heard of within a minute; one that is said
//! to run an object holds that very spec.

use super::{World, namespace};
use crate::cause::Cause;
use crate::oracle::agents::{self, Holding, SwitchReading, Verdict, Wanted};
use crate::oracle::{ClusterOracle, Key, Kind, OracleError};
use crate::profile::SwitchPlaces;
use crate::scene::Scene;
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

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
    let is_written =
        |key: &&Key| before.lacking.contains_key(&key.to_string()) && agents::held_under(&key.kind).is_some();
    let written: Vec<&Key> = live.objects.keys().filter(is_written).collect();
    for key in written.iter().take(MOST_OBJECTS) {
        let kind = after.kinds.iter().find(|kind| kind.kind == key.kind && kind.group == key.group);
        let Some(kind) = kind else { continue };
        let kind_and_group = format!("{}.{}", key.kind, key.group);
        let address = drift.object_page(&scene.fabric()?.id, &kind_and_group, &live.namespace, &key.name);
        let expected = format!("what the page of {key} says of each switch is what its agent reports");
        watch(scene, visitor, &cluster, places, &expected, &Subject::Object { kind, name: &key.name, address }).await?;
    }
    if written.len() > MOST_OBJECTS {
        let rest = format!("{} of {} objects were looked at, the first by name", MOST_OBJECTS, written.len());
        scene.untold("what the pages of all objects that were written say of the switches", &rest);
    }
    Ok(())
}

/// What a page speaks of.
enum Subject<'a> {
    /// The fabric: whether each switch runs what it was given.
    Fabric,
    /// An object, with its page.
    Object { kind: &'a Kind, name: &'a str, address: String },
}

/// What is contradicted: the switch, and where its agent stands. Another generation is another contradiction.
type Contradicted = (String, Option<(i64, Option<i64>)>);

/// Reads page and agents until they agree, or one contradiction has lasted. `false` where the agents cannot be read.
async fn watch(
    scene: &mut Scene<'_>,
    visitor: &mut Visitor,
    cluster: &ClusterOracle,
    places: &SwitchPlaces,
    expected: &str,
    subject: &Subject<'_>,
) -> Walked<bool> {
    let (began, lasts) = (Instant::now(), scene.lag());
    let mut since: BTreeMap<Contradicted, Instant> = BTreeMap::new();
    loop {
        let page = match subject {
            Subject::Fabric => scene.open_fabric(visitor).await?,
            Subject::Object { address, .. } => visitor.open(address).await?,
        };
        scene.shown_by(visitor);
        let said = page.rows(&places.row, &places.name, &places.state);
        // Read anew each time: somebody may change it meanwhile, and the switches with it.
        let live = match subject {
            Subject::Fabric => None,
            Subject::Object { kind, name, .. } => match spec(scene, cluster, kind, name).await? {
                Some(spec) => Some((kind.kind.as_str(), *name, spec)),
                None => {
                    scene.untold(expected, "the object was deleted meanwhile");
                    return Ok(true);
                }
            },
        };
        let wanted = match &live {
            None => Wanted::Anything,
            Some((kind, name, spec)) => Wanted::Object(kind, name, spec),
        };
        let reported = match read(scene, cluster, wanted).await? {
            Ok(reported) => reported,
            Err(why) => {
                scene.untold(expected, &why);
                return Ok(false);
            }
        };
        let lies = contradictions(places, &said, &reported);
        if lies.is_empty() {
            agreed(scene, places, expected, &said, &reported)?;
            return Ok(true);
        }
        let now = Instant::now();
        since.retain(|which, _| lies.contains_key(which));
        let lasting: Vec<&str> = lies
            .iter()
            .filter(|(which, _)| now.duration_since(*since.entry((*which).clone()).or_insert(now)) >= lasts)
            .map(|(_, sentence)| sentence.as_str())
            .collect();
        if !lasting.is_empty() {
            return Err(scene.failed(Cause::SwitchesLie, expected, lasting.join("; ")));
        }
        if began.elapsed() > scene.site.plan.patience {
            scene.untold(expected, "the switches took something new all the time");
            return Ok(true);
        }
        tokio::time::sleep(REST).await;
    }
}

/// Notes that page and agents agree, and of what that is not known.
fn agreed(
    scene: &mut Scene<'_>,
    places: &SwitchPlaces,
    expected: &str,
    said: &[(String, String)],
    reported: &Reported,
) -> Walked<()> {
    let of = |name: &str| reported.agents.iter().find(|one| one.switch == name);
    let applied = said.iter().filter(|(_, word)| places.is_applied(word));
    let (known, others): (Vec<_>, Vec<_>) = applied.partition(|(name, _)| of(name).is_some());
    let unknown = known.iter().filter_map(|(name, _)| of(name)).find(|one| one.verdict == Verdict::Unknown);
    if let Some(unknown) = unknown {
        scene.untold(expected, &unknown.sentence);
        return Ok(());
    }
    if let Some((first, word)) = others.first() {
        let what = format!("of {} that are “{word}”, {first} first, the oracle reads no Agent", others.len());
        scene.untold("what the page says of all that are applied", &what);
    }
    let told = said.iter().filter(|(name, _)| of(name).is_some()).count();
    if told == 0 {
        scene.untold(expected, "the page names no switch that has an agent");
        return Ok(());
    }
    let observed = format!("{} of {told} are said to run it, and do", known.len());
    scene.assert(true, Cause::SwitchesLie, expected, observed)
}

/// The live spec of an object; `None` where there is no such object.
async fn spec(scene: &Scene<'_>, cluster: &ClusterOracle, kind: &Kind, name: &str) -> Walked<Option<Value>> {
    match cluster.get(kind, Some(&namespace(scene.site)), name).await {
        Ok(mut read) => Ok(Some(read.value["spec"].take())),
        Err(OracleError::NotFound { .. }) => Ok(None),
        Err(error) => Err(Stop::Inconclusive(format!("The oracle could not read {} {name}: {error}", kind.kind))),
    }
}

/// What the cluster knows of its switches.
struct Reported {
    /// What each agent reports.
    agents: Vec<SwitchReading>,
    /// Every Switch, as far as the oracle may list them.
    switches: BTreeSet<String>,
}

/// What the agents report, by the cluster's clock; in words, why that cannot be read.
async fn read(scene: &Scene<'_>, cluster: &ClusterOracle, wanted: Wanted<'_>) -> Walked<Result<Reported, String>> {
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
    let mut agents = agents::read(&list.value, wanted, now);
    scene.recorder().reading(&list.reading.from, &list.reading.asked, &json!(agents).to_string(), json!(null));
    // What a gateway was given it holds in a form of its own; that it runs all of it, it reports as a switch does.
    let gateways = kinds.iter().find(|kind| kind.kind == "GatewayAgent" && kind.group.ends_with("githedgehog.com"));
    if let Some(kind) = gateways {
        match cluster.list(kind, Some(&namespace(scene.site))).await {
            Ok(list) => agents.extend(agents::read(&list.value, Wanted::Anything, now)),
            Err(OracleError::Forbidden { .. }) => {}
            Err(error) => return Err(unread(error)),
        }
    }
    let kind = kinds.iter().find(|kind| kind.kind == "Switch" && kind.group.ends_with("githedgehog.com"));
    let listed = match kind {
        Some(kind) => match cluster.list(kind, Some(&namespace(scene.site))).await {
            Ok(list) => list.value,
            Err(OracleError::Forbidden { .. }) => Vec::new(),
            Err(error) => return Err(unread(error)),
        },
        None => Vec::new(),
    };
    let switches = listed.iter().filter_map(|one| one["metadata"]["name"].as_str().map(str::to_owned)).collect();
    Ok(Ok(Reported { agents, switches }))
}

/// Where a page says of a switch what its agent does not report: each with a sentence.
fn contradictions(
    places: &SwitchPlaces,
    said: &[(String, String)],
    reported: &Reported,
) -> BTreeMap<Contradicted, String> {
    let of = |(name, word): &(String, String)| {
        let Some(switch) = reported.agents.iter().find(|one| one.switch == *name) else {
            let is_lie = reported.switches.contains(name) && places.is_applied(word);
            return is_lie.then(|| ((name.clone(), None), format!("{name} is said to be “{word}”; it has no Agent")));
        };
        let is_lie = match (switch.verdict, switch.holding) {
            (Verdict::Pending | Verdict::Silent, _) | (_, Holding::Nothing | Holding::Another) => {
                places.is_applied(word)
            }
            (Verdict::Unknown, _) if switch.heartbeat.is_none() => places.is_applied(word),
            // Of everything that it was given together, a page may know more than the switch.
            (Verdict::Applied, Holding::This) => places.is_waiting(word),
            _ => false,
        };
        let which = (name.clone(), Some((switch.generation, switch.applied)));
        is_lie.then(|| (which, format!("{name} is said to be “{word}”; {}", switch.sentence.trim_end_matches('.'))))
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
            let switches = BTreeSet::from(["leaf-01".to_owned(), "leaf-02".to_owned()]);
            let reported = Reported { agents: agents::read(&[agent], wanted, now), switches };
            let found = contradictions(&places, &said, &reported);
            assert_eq!(found.is_empty(), lie.is_empty(), "{word}: {found:?}");
            assert!(found.values().all(|one| one.contains(lie) && one.contains("leaf-01")), "{lie}: {found:?}");
            // A switch that has no Agent runs nothing that anybody could know.
            let said = ["Applied", "Unknown"].map(|word| ("leaf-02".to_owned(), word.to_owned()));
            let found = contradictions(&places, &said, &reported);
            let sentences: Vec<&String> = found.values().collect();
            assert_eq!(sentences, ["leaf-02 is said to be “Applied”; it has no Agent"]);
        }
    }
}
