//! The preconditions: the oracles answer, the target is what the profile says, the user can log in, and there is a fabric.

use super::Runner;
use crate::cause::Cause;
use crate::effect;
use crate::exchange::Exchange;
use crate::obstacle::Obstacle;
use crate::oracle::DatabaseOracle;
use crate::results::Clock;
use crate::scene::Scene;
use crate::site::{FabricRef, Site};
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use jiff::Timestamp;
use serde_json::{Value, json};

impl Runner {
    /// The preconditions: the oracles answer, the target is what the profile says, the user can log in, and there is a
    /// fabric.
    pub(super) async fn begin(&mut self) -> Result<(), Stop> {
        self.site.recorder.begin("");
        let uid = self.ask_oracles().await?;
        let Some(kind) = self.site.plan.drivers.first().copied() else {
            return Err(Stop::Inconclusive("No driver was chosen.".to_owned()));
        };
        let mut scene = Scene::new(&self.site, kind);
        let found = prepare(&mut scene, uid.as_deref()).await;
        self.preconditions.append(&mut scene.checks);
        let (fabric, namespace, product) = found?;
        self.product = product;
        self.clocks.extend(target_clock(&self.site));
        if let (Some(given), Some(shown)) = (&self.site.namespace, &namespace)
            && given != shown
        {
            let observed = format!("--namespace is {given}, and the fabric's page says {shown}");
            let expected = "the oracle reads the namespace of the fabric";
            return Err(Stop::invalid(Cause::OracleUnusable, expected, observed));
        }
        if self.site.namespace.is_none() {
            self.site.namespace = namespace;
        }
        self.site.fabric = fabric;
        let mut scene = Scene::new(&self.site, kind);
        let left = effect::left_by_others(&mut scene).await;
        self.preconditions.append(&mut scene.checks);
        left
    }

    async fn ask_oracles(&mut self) -> Result<Option<String>, Stop> {
        let recorder = self.site.recorder.clone();
        let mut uid = None;
        if let Some(cluster) = &self.site.plan.cluster {
            let unusable = |error: &dyn std::fmt::Display| {
                Stop::invalid(
                    Cause::OracleUnusable,
                    "the oracle reaches the cluster that it was given",
                    error.to_string(),
                )
            };
            let version = cluster.version().await.map_err(|error| unusable(&error))?;
            recorder.reading(
                &version.reading.from,
                &version.reading.asked,
                &version.reading.found.to_string(),
                json!(null),
            );
            self.site.note_version("cluster", &version.value.git_version);
            self.clocks.extend(version.value.server_time.map(|said| clock("cluster", said, version.value.local_time)));
            let identity = cluster.identity().await.map_err(|error| unusable(&error))?;
            recorder.reading(
                &identity.reading.from,
                &identity.reading.asked,
                &identity.reading.found.to_string(),
                json!(null),
            );
            uid = identity.value;
        }
        if let Some(git) = &self.site.plan.git {
            let read = git.read().await.map_err(|error| {
                Stop::invalid(
                    Cause::OracleUnusable,
                    "the oracle can clone the repository that it was given",
                    error.to_string(),
                )
            })?;
            recorder.reading(&read.reading.from, &read.reading.asked, &read.reading.found.to_string(), json!(null));
            self.site.git_head = Some(read.value.commit);
            if let Some(version) = git.version().await {
                self.site.note_version("git", &version);
            }
        }
        if let Some(database) = &self.site.plan.database {
            let read = database.one(database.version_query()).await.map_err(|error| {
                Stop::invalid(
                    Cause::OracleUnusable,
                    "the oracle can read the database that it was given",
                    error.to_string(),
                )
            })?;
            recorder.reading(&read.reading.from, &read.reading.asked, &read.reading.found.to_string(), json!(null));
            self.site.note_version("database", read.value.as_str().unwrap_or_default());
        }
        Ok(uid)
    }
}

/// Logs in once, recognises the target, and finds the fabric.
async fn prepare(
    scene: &mut Scene<'_>,
    uid: Option<&str>,
) -> Result<(Option<FabricRef>, Option<String>, String), Stop> {
    let mut visitor = scene.user().await?;
    let profile = scene.profile();
    let list = visitor.open(&profile.fabrics.address).await?;
    scene.shown_by(&visitor);
    if list.status == 404 {
        return Err(Stop::Mismatch(format!(
            "{} is not {}: it has no {}, where the profile {} finds the fabrics. It answers {}.",
            scene.site.plan.target,
            profile.product,
            profile.fabrics.address,
            profile.name,
            crate::scene::says(&list)
        )));
    }
    let expected = "the list of fabrics answers who is logged in";
    if scene.is_login(&list) {
        return Err(scene.invalid(Cause::NoSession, expected, crate::scene::says(&list)));
    }
    if list.status != 200 {
        let cause = match list.status {
            401 => Cause::NoSession,
            403 => Cause::Permission,
            500.. => Cause::ServerError,
            _ => Cause::BrokenPage,
        };
        return Err(scene.invalid(cause, expected, crate::scene::says(&list)));
    }
    if let Some(version) = profile.recognise.version.iter().find_map(|place| place.read(&list)) {
        scene.site.note_version("target", &version);
    }
    let wanted = scene.site.plan.fabric.clone();
    // Further pages are read for the one that was named, and in search of the oracle's cluster.
    let is_it = |fabric: &FabricRef| match &wanted {
        Some(wanted) => fabric.name == *wanted,
        None => uid.is_none() || profile.fabric.cluster_uid.is_none(),
    };
    let (rows, _) = crate::fabrics::until(&mut visitor, list, &profile, is_it).await?;
    let mut found: Vec<FabricRef> = rows.into_iter().map(|(fabric, _)| fabric).collect();
    if let Some(wanted) = &wanted {
        let names: Vec<String> = found.iter().map(|fabric| fabric.name.clone()).collect();
        found = crate::fabrics::named(found, wanted).into_iter().collect();
        if found.is_empty() {
            let observed = match names.as_slice() {
                [] => "it shows this user none".to_owned(),
                names => format!("it shows {}", names.join(", ").chars().take(300).collect::<String>()),
            };
            return Err(scene.invalid(Cause::FabricUnknown, &format!("the list of fabrics shows {wanted}"), observed));
        }
    }
    let (fabric, namespace) = crate::fabrics::choose(scene, &mut visitor, found, uid).await?;
    if let Some(fabric) = &fabric {
        database_fits(scene, &mut visitor, fabric).await?;
    }
    visitor.close().await;
    Ok((fabric, namespace, profile.product.clone()))
}

/// That the oracle's database is the target's own: it knows the fabric by this name, and the newest operation that the
/// target lists, which a copy of yesterday does not.
async fn database_fits(scene: &mut Scene<'_>, visitor: &mut Visitor, fabric: &FabricRef) -> Walked<()> {
    let profile = scene.profile();
    let (Some(database), Some(places)) = (scene.site.plan.database.clone(), &profile.database) else { return Ok(()) };
    let expected = "the oracle's database is the target's own";
    let (mut told, mut proved) = (Vec::new(), true);
    if let Some(query) = &places.name {
        let name = one(scene, &database, query, &fabric.id).await?;
        let name = name.as_str().unwrap_or("none").to_owned();
        proved = name == fabric.name;
        told.push(format!("fabric {} is {name} in it, and {} on the page", fabric.id, fabric.name));
    }
    if let (Some(query), Some(operations)) = (places.newest.as_ref().filter(|_| proved), &profile.operation) {
        let page = visitor.leaf(&operations.list.replace("{id}", &fabric.id)).await?;
        scene.shown_by(visitor);
        let links = page.attributes(&operations.list_link, "href");
        let number = |link: &String| operations.address.captures(link)?.get(1)?.as_str().parse::<i64>().ok();
        let listed = links.iter().filter_map(number).max();
        // Read after the list: what began meanwhile makes it newer, and never older.
        let stored = one(scene, &database, query, &fabric.id).await?.as_i64();
        proved = stored >= listed;
        let number = |number: Option<i64>| number.map_or_else(|| "none".to_owned(), |number| number.to_string());
        told.push(format!("its newest operation is {}, the list's {}", number(stored), number(listed)));
    }
    if told.is_empty() {
        scene.untold(expected, "the profile says nothing by which it would be known");
        return Ok(());
    }
    scene.require(proved, Cause::OracleUnusable, expected, told.join("; "))
}

async fn one(scene: &Scene<'_>, database: &DatabaseOracle, query: &str, id: &str) -> Walked<Value> {
    let read = database.one(query.replace("{id}", id).trim()).await.map_err(|error| {
        Stop::invalid(Cause::OracleUnusable, "the oracle can read the target's database", error.to_string())
    })?;
    scene.recorder().reading(&read.reading.from, &read.reading.asked, &read.reading.found.to_string(), json!(null));
    Ok(read.value)
}

/// What the target's clock said in the newest answer.
fn target_clock(site: &Site) -> Option<Clock> {
    let steps = site.recorder.steps_from(0);
    // What came out of a cache tells the time at which it came into it.
    let is_new = |one: &&Exchange| one.status != 0 && !one.from_cache;
    let exchange = steps.iter().flat_map(|step| &step.exchanges).rev().find(is_new)?;
    let date = exchange.response_headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("date"))?;
    let said = jiff::fmt::rfc2822::parse(&date.1).ok()?.timestamp();
    let half = i64::try_from(exchange.ms / 2).unwrap_or(0);
    let ours = exchange.started + jiff::SignedDuration::from_millis(half);
    Some(clock("target", said, ours))
}

fn clock(of: &str, said: Timestamp, ours: Timestamp) -> Clock {
    let ahead_ms = i64::try_from(said.duration_since(ours).as_millis()).unwrap_or(i64::MAX);
    Clock { of: of.to_owned(), said, ours, ahead_ms }
}

/// What a step that could not be taken means before anything was judged.
impl From<&Obstacle> for Cause {
    fn from(obstacle: &Obstacle) -> Self {
        match obstacle {
            Obstacle::NoAnswer { .. } => Self::Transport,
            Obstacle::Cookie { .. } => Self::NoSession,
            Obstacle::Missing(_) => Self::ControlMissing,
            Obstacle::Unusable(_) => Self::ControlDead,
            _ => Self::BrokenPage,
        }
    }
}
