//! What the fabric's status rests on, read elsewhere: in the cluster and a fresh clone, in the target's own database, and in
//! its operations. What changes while it is read is no lie: page and oracle are read again, until they agree or it has
//! lasted.

use crate::cause::Cause;
use crate::drivers::Ask;
use crate::effect;
use crate::profile::DatabasePlaces;
use crate::records;
use crate::scene::Scene;
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::time::{Duration, Instant};

/// The pause between two looks.
const REST: Duration = Duration::from_secs(1);
/// How many operations are looked back at.
const LOOK_BACK: usize = 20;
/// How far apart two times of the same end may be: pages show whole seconds.
const SAME: SignedDuration = SignedDuration::from_secs(2);

/// The time of the last success is the end of an operation that succeeded.
pub(super) async fn last_success(scene: &mut Scene<'_>, visitor: &mut Visitor) -> Walked<()> {
    let profile = scene.profile();
    let (Some(place), Some(links)) = (&profile.fabric.last_success, records::listed(scene, visitor).await?) else {
        return Ok(());
    };
    let body = visitor.ask(&Ask::get(&place.address.replace("{id}", &scene.fabric()?.id))).await?.json()?;
    let last = body.pointer(&place.pointer).and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
    let Some(last) = last else { return Ok(()) };
    let expected = "the last success is the end of an operation that succeeded";
    let (mut newest, mut reaches_back): (Option<Timestamp>, bool) = (None, false);
    for link in links.iter().take(LOOK_BACK) {
        let one = records::read(scene, visitor, link).await?;
        reaches_back |= one.ended.is_some_and(|end| end + SAME < last);
        let Some(end) = one.ended.filter(|_| one.success == Some(true)) else { continue };
        if end.duration_since(last).abs() <= SAME {
            return scene.assert(true, Cause::TimestampOnly, expected, link);
        }
        newest = newest.max(Some(end));
    }
    // A list that does not reach back to that time, because there are too many or old ones are gone, tells nothing.
    let is_ahead = newest.is_some_and(|newest| newest < last);
    if !is_ahead && !reaches_back || newest.is_some_and(|newest| newest > last) {
        scene.untold(expected, "its operation is not among those that the list begins with");
        return Ok(());
    }
    let ended =
        newest.map_or_else(|| "none succeeded".to_owned(), |newest| format!("the newest that did ended at {newest}"));
    Err(scene.failed(Cause::TimestampOnly, expected, format!("it is said to be at {last}; of the operations {ended}")))
}

/// Whether the page says that all is well.
async fn called_good(scene: &mut Scene<'_>, visitor: &mut Visitor) -> Walked<Option<String>> {
    let page = scene.open_fabric(visitor).await?;
    let profile = scene.profile();
    let code = scene.status_on(&page).and_then(|(_, code)| code);
    if !code.is_some_and(|code| profile.status.good.contains(&code)) {
        return Ok(None);
    }
    Ok(Some(profile.fabric.commit.as_ref().and_then(|place| place.read(&page)).unwrap_or_default()))
}

/// Where the page says that all is well, the cluster must hold what Git says.
pub(super) async fn held(scene: &mut Scene<'_>, visitor: &mut Visitor) -> Walked<()> {
    let expected = "where all is said to be well, the cluster holds what Git says";
    let end = Instant::now() + scene.lag();
    loop {
        let commit = called_good(scene, visitor).await?;
        let world = effect::world(scene).await?;
        let Some(commit) = commit else {
            // Not all is well: the oracle may agree. That it sees nothing is no contradiction, for the reason may be another.
            let first = world.lacking.iter().next().map(|(object, why)| format!("{object}: {why}"));
            scene.verified = Some(first.is_some());
            let expected = "where not all is said to be well, the oracle sees the same";
            match first {
                Some(first) => scene.assert(true, Cause::StatusLies, expected, first)?,
                None => {
                    scene.untold(expected, "the page does not say that all is well; what it says is not read elsewhere")
                }
            }
            return Ok(());
        };
        let (Some(_), Some(desired)) = (&world.live, &world.desired) else {
            scene.verified = Some(false);
            scene.untold(expected, "no oracles were given that read both the cluster and Git");
            return Ok(());
        };
        let newest = &desired.commit[..desired.commit.len().min(12)];
        let is_last = Instant::now() >= end;
        // The page names the commit that it speaks of.
        let is_newest = commit.is_empty() || desired.commit.starts_with(&commit);
        if is_newest && world.lacking.is_empty() && !world.untold.is_empty() {
            scene.verified = Some(false);
            scene.untold(expected, &effect::cannot_tell(&world));
            return Ok(());
        }
        if is_newest && world.lacking.is_empty() {
            scene.verified = Some(true);
            let observed = format!("all {} objects of {newest} are held", desired.objects.len());
            return scene.assert(true, Cause::StatusLies, expected, observed);
        }
        if is_last && !is_newest {
            scene.verified = Some(false);
            scene.untold(expected, &format!("the page speaks of {commit}, and Git has moved on to {newest}"));
            return Ok(());
        }
        if is_last {
            scene.verified = Some(true);
            let list: Vec<String> =
                world.lacking.iter().take(5).map(|(object, why)| format!("{object}: {why}")).collect();
            return Err(scene.failed(Cause::StatusLies, expected, list.join("; ")));
        }
        tokio::time::sleep(REST).await;
    }
}

/// What the database says, where one is read and the profile knows what stands in it.
async fn read(scene: &Scene<'_>, query: Option<&String>) -> Walked<Option<Value>> {
    let (Some(database), Some(query)) = (&scene.site.plan.database, query) else { return Ok(None) };
    let query = query.replace("{id}", &scene.fabric()?.id);
    let read = database.one(query.trim()).await;
    let read = read.map_err(|error| Stop::Inconclusive(format!("The oracle could not read the database: {error}")))?;
    scene.recorder().reading(&read.reading.from, &read.reading.asked, &read.reading.found.to_string(), Value::Null);
    Ok(Some(read.value))
}

/// The word of the state that the database stores, if it stores one.
pub(super) async fn stored_status(scene: &Scene<'_>) -> Walked<Option<String>> {
    let profile = scene.profile();
    let query = profile.database.as_ref().and_then(|places| places.status.as_ref());
    Ok(read(scene, query).await?.and_then(|value| value.as_str().map(str::to_owned)))
}

/// What the database stores is what the page says.
pub(super) async fn stored(scene: &mut Scene<'_>, visitor: &mut Visitor) -> Walked<()> {
    let profile = scene.profile();
    let Some(places) = profile.database.as_ref().filter(|_| scene.site.plan.database.is_some()) else { return Ok(()) };
    let end = Instant::now() + scene.lag();
    while let Some(contradiction) = contradiction(scene, visitor, places).await? {
        if Instant::now() >= end {
            let (cause, expected, observed) = contradiction;
            return Err(scene.failed(cause, expected, observed));
        }
        tokio::time::sleep(REST).await;
    }
    Ok(())
}

type Contradiction = (Cause, &'static str, String);

/// Where database and page contradict each other; what agrees is noted.
async fn contradiction(
    scene: &mut Scene<'_>,
    visitor: &mut Visitor,
    places: &DatabasePlaces,
) -> Walked<Option<Contradiction>> {
    let mut agreed: Vec<Contradiction> = Vec::new();
    if called_good(scene, visitor).await?.is_some()
        && let Some(count) = read(scene, places.against_good.as_ref()).await?
    {
        let found = (
            Cause::StatusLies,
            "where all is said to be well, nothing in the target's database contradicts it",
            format!("{count} rows contradict it"),
        );
        if count.as_i64() != Some(0) {
            return Ok(Some(found));
        }
        agreed.push(found);
    }
    if let Some(place) = &scene.profile().fabric.last_success
        && let Some(stored) = read(scene, places.last_success.as_ref()).await?
    {
        let body = visitor.ask(&Ask::get(&place.address.replace("{id}", &scene.fabric()?.id))).await?.json()?;
        scene.shown_by(visitor);
        let shown =
            body.pointer(&place.pointer).and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
        let stored = stored.as_i64().and_then(|at| Timestamp::from_microsecond(at).ok());
        let same = match (shown, stored) {
            (Some(shown), Some(stored)) => shown.duration_since(stored).abs() <= SAME,
            (shown, stored) => shown.is_none() && stored.is_none(),
        };
        let word = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let found = (
            Cause::TimestampOnly,
            "the last success is the one that the target's database holds",
            format!("said to be {}; in the database {}", word(shown), word(stored)),
        );
        if !same {
            return Ok(Some(found));
        }
        agreed.push(found);
    }
    for (cause, expected, observed) in agreed {
        scene.assert(true, cause, expected, observed)?;
    }
    Ok(None)
}
