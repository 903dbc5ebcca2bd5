//! What happens by itself: automatic syncs that nothing stops, that people can suspend, and that windows keep away. Each
//! journey has a console of its own, which compares every second or two; the effect is read from the cluster.

use crate::world::{self, NAMESPACES, database, vpc, world};
use anyhow::{Context, Result, ensure};
use model::operation::{OperationState, OutcomeKind};
use serde_json::Value;
use std::time::Duration;
use store::operations::OperationFilter;
use store::{Operation, Page as Rows, Scope};
use testkit::{Chaos, ChaosProxy, Console, ConsoleOptions, HeldDatabase, HttpUser, Page, Postgres, eventually};

/// How long anything may take on a busy machine.
const SOON: Duration = Duration::from_secs(90);

/// A console of one journey's own, with one fabric on the shared API server, behind a cable that can be cut.
pub struct Automatic {
    /// The console.
    pub console: Console,
    /// Who uses it.
    pub user: HttpUser,
    /// The fabric's number.
    pub id: i64,
    /// Its name, which is also the name of its repository and its namespace.
    pub name: String,
    /// The cable to its cluster.
    pub cable: ChaosProxy,
}

impl Automatic {
    /// A fabric with these values in its form besides those that lead to its cluster and its source.
    pub async fn start(fields: &[(&str, &str)]) -> Result<Self> {
        Self::start_with(fields, &[]).await
    }

    /// The same on a console with these settings.
    pub async fn start_with(fields: &[(&str, &str)], settings: &[(&str, &str)]) -> Result<Self> {
        let world = world().await;
        let (name, mut own) = world::Fabric::place().await?;
        let cable = ChaosProxy::start(&world.plane.address()).await?;
        let kubeconfig = world.plane.kubeconfig(&format!("https://{}", cable.address()), world.plane.admin_token());
        own.retain(|(field, _)| *field != "kubeconfig");
        let env = [
            ("HEDGEROW_COMPARE_INTERVAL", "1s"),
            ("HEDGEROW_SCHEDULE_SHORTEST_INTERVAL", "2s"),
            ("HEDGEROW_ROLLOUT_WAIT", "1s"),
        ];
        // Of a name that stands twice the last value counts.
        let env = env.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let console = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
        let mut user = console.visitor()?;
        user.login(console.username()?, console.password()?).await?;
        let mut all: Vec<(&str, &str)> = own.iter().map(|(field, value)| (*field, value.as_str())).collect();
        all.push(("kubeconfig", &kubeconfig));
        all.extend(fields);
        let form = user.visit("/fabrics/add/").await?;
        let answer = user.submit(&form, "form.form", &all).await?;
        ensure!(answer.status == 303, "the form was not taken: {} {}", answer.status, answer.visible_text());
        let page = user.arrive(answer).await?;
        let id = page.attribute("#sync-now-btn", "data-fabric-id")?.context("the button names its fabric")?.parse()?;
        Ok(Self { console, user, id, name, cable })
    }

    /// Commits files to its repository.
    pub async fn commit(&self, files: &[(&str, Option<&str>)]) -> Result<String> {
        world().await.git.commit(&self.name, "main", files, "Change").await
    }

    /// The VLAN of a VPC as the cluster has it.
    pub async fn vlan(&self, name: &str) -> Result<Option<i64>> {
        let live = world().await.plane.client()?.get("VPC", &format!("{}/{name}", self.name)).await?;
        Ok(live.and_then(|vpc| vpc["spec"]["subnets"]["default"]["vlan"].as_i64()))
    }

    /// Waits until the cluster has this VLAN.
    pub async fn until_vlan(&self, name: &str, vlan: i64) -> Result<()> {
        eventually(SOON, &format!("VPC {name} has VLAN {vlan}"), || async {
            let found = self.vlan(name).await?;
            ensure!(found == Some(vlan), "it has {found:?}");
            Ok::<_, anyhow::Error>(())
        })
        .await
    }

    /// Changes a VPC in the cluster, as another person would.
    pub async fn set_vlan(&self, name: &str, vlan: i64) -> Result<()> {
        let patch = format!(r#"{{"spec":{{"subnets":{{"default":{{"vlan":{vlan}}}}}}}}}"#);
        let args = ["-n", &self.name, "patch", "vpc", name, "--type=merge", "-p", &patch];
        world().await.plane.kubectl(&args).await.map(drop)
    }

    /// Its page.
    pub async fn page(&mut self) -> Result<Page> {
        Ok(self.user.visit(&format!("/fabrics/{}/", self.id)).await?)
    }

    /// The JSON of the fabric, as a script gets it.
    pub async fn status(&mut self) -> Result<Value> {
        let path = format!("/fabrics/{}/", self.id);
        Ok(self.user.script("GET", &path, &[("Accept", "application/json")], None).await?.json()?)
    }

    /// Waits until the fabric's JSON says what is wanted.
    pub async fn until(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        let this = tokio::sync::Mutex::new(self);
        eventually(SOON, what, || async {
            let status = this.lock().await.status().await?;
            ensure!(holds(&status), "{} {}", status["status"], status["automatic"]);
            Ok::<_, anyhow::Error>(status)
        })
        .await
    }

    /// Every sync to the cluster, oldest first, from the database.
    pub async fn syncs(&self) -> Result<Vec<Operation>> {
        let store = database(&self.console).await?;
        let filter = OperationFilter { fabric_id: Some(self.id), ..OperationFilter::default() };
        let listed = store.operations().list(&Scope::System, &filter, Rows::all()).await;
        store.close().await;
        let mut rows = listed?.rows;
        rows.retain(|operation| operation.verb == model::operation::Verb::SyncToKubernetes);
        rows.reverse();
        Ok(rows)
    }

    /// Waits until two more comparisons than now are stored, the last of them complete, and two slots have begun.
    async fn two_rounds(&mut self) -> Result<()> {
        let from = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(5);
        self.until("the next comparisons are stored", |status| {
            let at = status["status"]["evidence_at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
            at.is_some_and(|at| at > from)
        })
        .await
        .map(drop)
    }

    /// Saves the settings with these fields changed.
    async fn save(&mut self, fields: &[(&str, &str)]) -> Result<Page> {
        let form = self.user.visit(&format!("/fabrics/{}/edit/", self.id)).await?;
        Ok(self.user.submit(&form, "form.form", fields).await?)
    }
}

pub const BY_INTERVAL: (&str, &str) = ("sync_interval", "2 s");
/// The time between two slots.
const SLOT: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn lesson_06_six_cycles_with_a_manual_sync_a_failure_and_a_restart_in_between() -> Result<()> {
    let mut fabric = Automatic::start(&[BY_INTERVAL]).await?;
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("web.yaml", Some(&vpc("web", 1, 1001)))]).await?;
    fabric.until_vlan("web", 1001).await?;
    // 2: a new commit is delivered by the next interval.
    fabric.commit(&[("web.yaml", Some(&vpc("web", 1, 1002)))]).await?;
    fabric.until_vlan("web", 1002).await?;
    // A manual sync stops nothing. It is one: with an automatic one under way, the press would get that back.
    fabric.until("nothing is under way", |status| status["sync_status"] == "in_sync").await?;
    let pressed = world::press(&mut fabric.user, fabric.id, "sync_to_kubernetes").await?;
    assert_eq!((&pressed["state"], &pressed["actor"]), (&"succeeded".into(), &"admin".into()), "{pressed}");
    // 3: what was changed in the cluster is made equal again.
    fabric.set_vlan("web", 1999).await?;
    fabric.until_vlan("web", 1002).await?;
    // A failure stops nothing: the cluster is away until that is noticed.
    fabric.cable.set(Chaos::Cut);
    fabric.until("the cluster's absence is noticed", |status| status["sync_status"] == "error").await?;
    // 4: what was committed meanwhile comes when it is back.
    fabric.commit(&[("web.yaml", Some(&vpc("web", 1, 1004)))]).await?;
    fabric.cable.set(Chaos::Pass);
    fabric.until_vlan("web", 1004).await?;
    // A restart stops nothing, nor does a death.
    fabric.console.restart().await?;
    // 5
    fabric.commit(&[("db.yaml", Some(&vpc("db", 2, 1005)))]).await?;
    fabric.until_vlan("db", 1005).await?;
    fabric.console.kill9();
    fabric.console.resume().await?;
    // 6
    fabric.set_vlan("web", 1998).await?;
    fabric.until_vlan("web", 1004).await?;
    fabric.until("everything is in sync", |status| status["sync_status"] == "in_sync").await?;
    Ok(())
}

/// Slots pass while nobody can read what the policy says, or note that one is settled.
async fn outage_stops_nothing(mut fabric: Automatic, outage: impl AsyncFnOnce(&Console) -> Result<()>) -> Result<()> {
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("web.yaml", Some(&vpc("web", 1, 1001)))]).await?;
    fabric.until_vlan("web", 1001).await?;
    fabric.until("it is in sync", |status| status["sync_status"] == "in_sync").await?;
    outage(&fabric.console).await?;
    fabric.commit(&[("web.yaml", Some(&vpc("web", 1, 1002)))]).await?;
    fabric.until_vlan("web", 1002).await?;
    fabric.until("it is in sync by itself", |status| status["sync_status"] == "in_sync").await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_06_a_database_that_was_away_for_some_slots_stops_no_schedule() -> Result<()> {
    let fabric = Automatic::start(&[BY_INTERVAL]).await?;
    outage_stops_nothing(fabric, async |console| {
        let held = HeldDatabase::hold(&console.data_dir().join("hedgerow.db")).await?;
        tokio::time::sleep(3 * SLOT).await;
        drop(held);
        Ok(())
    })
    .await?;
    let mut server = Postgres::start().await?;
    let url = server.database().await?;
    let fabric = Automatic::start_with(&[BY_INTERVAL], &[("HEDGEROW_DATABASE_URL", &url)]).await?;
    outage_stops_nothing(fabric, async |_| {
        server.stop().await?;
        tokio::time::sleep(3 * SLOT).await;
        server.resume().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_31_an_automatic_sync_has_a_system_actor_and_none_is_made_for_nothing() -> Result<()> {
    let mut fabric = Automatic::start(&[BY_INTERVAL]).await?;
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("web.yaml", Some(&vpc("web", 1, 1001)))]).await?;
    fabric.until_vlan("web", 1001).await?;
    fabric.until("it is in sync", |status| status["sync_status"] == "in_sync").await?;
    let before = fabric.syncs().await?;
    let first = before.first().context("there was an automatic sync")?;
    assert_eq!((first.actor.as_str(), first.actor_user_id), ("system:schedule", None));
    assert_eq!(first.trigger, model::operation::Trigger::Interval);
    let path = format!("/operations/{}/", first.id);
    for (what, path) in [
        ("the operation's page", path.clone()),
        ("the list of operations", format!("/fabrics/{}/operations/", fabric.id)),
        ("the activity", "/activity/".to_owned()),
        ("the fabric's page", format!("/fabrics/{}/", fabric.id)),
    ] {
        let page = fabric.user.visit(&path).await?;
        assert!(page.texts("main").concat().contains("system:schedule"), "{what}: {}", page.visible_text());
    }
    let json = fabric.user.script("GET", &path, &[("Accept", "application/json")], None).await?.json()?;
    assert_eq!((&json["actor"], &json["trigger"]), (&"system:schedule".into(), &"interval".into()));
    // With nothing to do, slots pass and leave no operation: the comparison is the evidence.
    fabric.two_rounds().await?;
    let after: Vec<i64> = fabric.syncs().await?.iter().map(|operation| operation.id).collect();
    assert_eq!(after, before.iter().map(|operation| operation.id).collect::<Vec<_>>());
    let status = fabric.status().await?;
    assert_eq!(status["automatic"]["last_run"]["operation"], after[after.len() - 1], "{}", status["automatic"]);
    assert_eq!(status["automatic"]["policy"]["sync_interval_seconds"], 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_suspends_says_why_and_people_may_sync_all_the_while() -> Result<()> {
    let mut fabric = Automatic::start(&[BY_INTERVAL, ("self_heal", "on")]).await?;
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("web.yaml", Some(&vpc("web", 1, 1001)))]).await?;
    fabric.until_vlan("web", 1001).await?;
    let page = fabric.page().await?;
    assert!(page.text("#automatic").unwrap_or_default().contains("every 2 s"), "{}", page.visible_text());

    let path = format!("/fabrics/{}/suspend/", fabric.id);
    let form = fabric.user.visit(&path).await?;
    let refused = fabric.user.submit(&form, "form.form", &[("reason", "  ")]).await?;
    assert_eq!(refused.status, 422);
    assert!(refused.visible_text().contains("the reason is missing"), "{}", refused.visible_text());
    let long = "x".repeat(301);
    let refused = fabric.user.submit(&form, "form.form", &[("reason", &long)]).await?;
    assert_eq!(refused.form("form.form[action$='suspend/']")?.value("reason"), Some(long), "what was typed stays");
    let done = fabric.user.submit(&form, "form.form", &[("reason", "cabling in <rack> 7")]).await?;
    assert_eq!(done.status, 303, "{}", done.visible_text());

    // Neither the interval nor self-heal begins anything.
    let before = fabric.syncs().await?.len();
    fabric.commit(&[("web.yaml", Some(&vpc("web", 1, 1002)))]).await?;
    fabric.until("the commit is seen", |status| status["sync_status"] == "out_of_sync").await?;
    fabric.two_rounds().await?;
    assert_eq!(fabric.vlan("web").await?, Some(1001));
    assert_eq!(fabric.syncs().await?.len(), before);
    let status = fabric.status().await?;
    assert_eq!(status["automatic"]["state"], "suspended");
    assert_eq!(status["automatic"]["suspension"]["by"], "admin");
    assert_eq!(status["automatic"]["suspension"]["reason"], "cabling in <rack> 7");
    let page = fabric.page().await?;
    let said = page.text("[data-live=notices]").unwrap_or_default();
    assert!(said.contains("suspended") && said.contains("admin") && said.contains("cabling in <rack> 7"), "{said}");
    let list = fabric.user.visit("/").await?.texts("main tbody tr").concat();
    assert!(list.contains("suspended by admin: cabling in <rack> 7"), "{list}");
    let tries = fabric.user.visit("/activity/?show=attempts").await?.texts("main tbody tr").concat();
    assert!(tries.contains("Suspend automatic syncs") && tries.contains("cabling in <rack> 7"), "{tries}");

    // A person may.
    assert_eq!(world::press(&mut fabric.user, fabric.id, "sync_to_kubernetes").await?["state"], "succeeded");
    assert_eq!(fabric.vlan("web").await?, Some(1002));
    // Also over a restart it stays suspended; who resumes lets it go on.
    fabric.console.restart().await?;
    fabric.commit(&[("web.yaml", Some(&vpc("web", 1, 1003)))]).await?;
    fabric.until("the commit is seen", |status| status["sync_status"] == "out_of_sync").await?;
    let page = fabric.page().await?;
    let resumed = fabric.user.submit(&page, "form[action$='resume/']", &[]).await?;
    assert_eq!(resumed.status, 303, "{}", resumed.visible_text());
    fabric.until_vlan("web", 1003).await?;
    assert_eq!(fabric.status().await?["automatic"]["suspension"], Value::Null);
    Ok(())
}

/// What somebody has to confirm waits for that; everything else is delivered by the next interval all the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_automatic_sync_deletes_what_the_limit_allows_and_leaves_the_rest_to_people() -> Result<()> {
    let mut fabric = Automatic::start(&[BY_INTERVAL, ("prune", "on"), ("prune_limit", "30")]).await?;
    let (db, mail) = (vpc("db", 2, 1002), vpc("mail", 3, 1003));
    let files = [("n.yaml", NAMESPACES), ("web.yaml", &vpc("web", 1, 1001)), ("db.yaml", &db), ("mail.yaml", &mail)];
    fabric.commit(&files.map(|(path, text)| (path, Some(text)))).await?;
    for (name, vlan) in [("web", 1001), ("db", 1002), ("mail", 1003)] {
        fabric.until_vlan(name, vlan).await?;
    }
    fabric.until("it is in sync", |status| status["sync_status"] == "in_sync").await?;

    // Two of five are more than three of ten.
    fabric.commit(&[("db.yaml", None), ("mail.yaml", None), ("web.yaml", Some(&vpc("web", 1, 1101)))]).await?;
    fabric.until_vlan("web", 1101).await?;
    fabric.until("only the two differ", |status| status["status"]["counts"]["equal"] == 3).await?;
    fabric.two_rounds().await?;
    assert_eq!((fabric.vlan("db").await?, fabric.vlan("mail").await?), (Some(1002), Some(1003)));
    let syncs = fabric.syncs().await?;
    let failed: Vec<_> = syncs.iter().filter(|sync| sync.state != OperationState::Succeeded).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let last = syncs.last().context("there was a sync")?;
    let store = database(&fabric.console).await?;
    let extra = store.operations().outcomes(last.id, &[OutcomeKind::Extra], Rows::all()).await;
    store.close().await;
    let said: Vec<(String, String)> = extra?.rows.into_iter().map(|o| (o.key.name, o.message)).collect();
    let why = "It stands only in the cluster. Somebody has to confirm its deletion, so an automatic sync leaves it.";
    assert_eq!(said, ["db", "mail"].map(|name| (name.to_owned(), why.to_owned())));

    // One of five is not.
    fabric.commit(&[("mail.yaml", Some(&mail)), ("web.yaml", Some(&vpc("web", 1, 1201)))]).await?;
    fabric.until_vlan("web", 1201).await?;
    eventually(SOON, "what the limit allows is deleted", || async {
        let found = fabric.vlan("db").await?;
        ensure!(found.is_none(), "it has {found:?}");
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    assert_eq!(fabric.vlan("mail").await?, Some(1003));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_keeps_automatic_syncs_away_and_no_others() -> Result<()> {
    let closed = [
        BY_INTERVAL,
        ("window_kind_2", "deny"),
        ("window_schedule_2", "0 * * * *"),
        ("window_minutes_2", "10080"),
        ("window_time_zone_2", "Europe/Berlin"),
    ];
    let mut fabric = Automatic::start(&closed).await?;
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("web.yaml", Some(&vpc("web", 1, 1001)))]).await?;
    fabric.until("the commit is seen", |status| status["sync_status"] == "out_of_sync").await?;
    fabric.two_rounds().await?;
    assert_eq!(fabric.vlan("web").await?, None);
    assert!(fabric.syncs().await?.is_empty());
    let status = fabric.status().await?;
    assert_eq!(status["automatic"]["state"], "closed", "{}", status["automatic"]);
    let said = fabric.page().await?.text("#automatic").unwrap_or_default();
    assert!(said.contains("window 1 denies it") && said.contains("automatic syncs only"), "{said}");
    assert_eq!(world::press(&mut fabric.user, fabric.id, "sync_to_kubernetes").await?["state"], "succeeded");
    assert_eq!(fabric.vlan("web").await?, Some(1001), "people may sync at any time");

    // What cannot be meant is refused at its field, and what was typed stays; the one that is stored stands in row 1.
    let refused = fabric.save(&[("sync_interval", "1 s"), ("window_schedule_1", "0 * * *")]).await?;
    assert_eq!(refused.status, 422);
    for (field, words) in [("sync_interval", "2 s or longer"), ("window_schedule_1", "there are 4")] {
        let said = refused.text(&format!("#error-{field}")).with_context(|| format!("a word at {field}"))?;
        assert!(said.contains(words), "{said}");
    }
    let typed = refused.form("form.form")?;
    assert_eq!(typed.value("window_schedule_1").as_deref(), Some("0 * * *"));
    assert_eq!(typed.value("window_time_zone_1").as_deref(), Some("Europe/Berlin"));

    // Taken away, the commit that waited is delivered.
    fabric.commit(&[("web.yaml", Some(&vpc("web", 1, 1002)))]).await?;
    let saved = fabric.save(&[("window_kind_1", "none")]).await?;
    assert_eq!(saved.status, 303, "{}", saved.visible_text());
    fabric.until_vlan("web", 1002).await?;
    assert_eq!(fabric.status().await?["automatic"]["policy"]["windows"], serde_json::json!([]));
    Ok(())
}
