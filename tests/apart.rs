//! Consoles of a test's own, beside the shared one: with settings of their own, killed, cut off from their database, two
//! on one database. API server and Git server are the shared ones; each fabric here has a door of its own to them.

use crate::world::{Fabric, NAMESPACES, add_fabric, ended, endpoint, press, same_cookies, token, vpc, world};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use testkit::{
    Access, ApiCall, ApiFront, Chaos, ChaosProxy, Console, ConsoleOptions, HttpUser, Page, Postgres, eventually, sqlite,
};

/// How long things may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(60);

/// How many VPCs each fabric here has in its source.
pub const VPCS: u8 = 3;

/// The VPC that a sync is to delete where *prune* is held.
pub const LEFTOVER: &str = "vpc-09";

/// What a script asks for to have it deleted.
pub const PRUNING: &str = r#"{"prune": true}"#;

/// Which database a console has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// The file in its data folder.
    Sqlite,
    /// This one, by its URL.
    Postgres(String),
}

impl Database {
    /// A database of the shared PostgreSQL server.
    pub async fn postgres() -> Result<Self> {
        Ok(Self::Postgres(Postgres::shared().await?.database().await?))
    }
}

/// A console of the test's own, and its administrator, logged in.
pub struct Apart {
    pub console: Console,
    pub user: HttpUser,
    pub database: Database,
    settings: Vec<(String, String)>,
    password: String,
}

impl Apart {
    /// A console on this database. Leases are long, so that a busy machine does not look like a dead database, and
    /// nothing is compared by itself but what was just saved.
    pub async fn start(database: Database, settings: &[(&str, &str)]) -> Result<Self> {
        let mut env: Vec<(String, String)> = [
            ("HEDGEROW_OPERATION_LEASE", "60s"),
            ("HEDGEROW_COMPARE_INTERVAL", "170s"),
            ("HEDGEROW_COMPARE_WATCH", "false"),
            ("HEDGEROW_ROLLOUT_WAIT", "3s"),
        ]
        .iter()
        .chain(settings)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
        if let Database::Postgres(url) = &database {
            env.push(("HEDGEROW_DATABASE_URL".into(), url.clone()));
        }
        let console = Console::start(ConsoleOptions { env: env.clone(), ..ConsoleOptions::default() }).await?;
        let password = console.password()?.to_owned();
        let (user, _) = console.login("admin", &password).await?;
        Ok(Self { console, user, database, settings: env, password })
    }

    /// A second console on the same PostgreSQL database, with a data folder of its own and the first one's key.
    pub async fn beside(&self) -> Result<Self> {
        ensure!(self.database != Database::Sqlite, "a file is for one server");
        let mut env = self.settings.clone();
        let key = self.console.data_dir().join("secret.key");
        env.push(("HEDGEROW_SECRET_KEY_FILE".into(), key.display().to_string()));
        let console = Console::start(ConsoleOptions { env: env.clone(), ..ConsoleOptions::default() }).await?;
        let (user, _) = console.login("admin", &self.password).await?;
        let (database, password) = (self.database.clone(), self.password.clone());
        Ok(Self { console, user, database, settings: env, password })
    }

    /// Another tab of the administrator's browser.
    pub fn tab(&self) -> Result<HttpUser> {
        same_cookies(&self.console, &self.user)
    }

    /// Asks the database itself.
    pub async fn sql(&self, sql: &str) -> Result<String> {
        match &self.database {
            Database::Sqlite => sqlite(&self.console.data_dir().join("hedgerow.db"), sql).await,
            Database::Postgres(url) => Postgres::shared().await?.sql(url, sql).await,
        }
    }

    /// A fabric with something to sync, behind doors of its own, that was compared once.
    pub async fn fabric(&mut self) -> Result<Behind> {
        let world = world().await;
        let (name, own) = Fabric::place().await?;
        let account = world.plane.token_user(&name, &Access::writer()).await?;
        let front = ApiFront::start(&world.plane).await?;
        let cable = ChaosProxy::start(&front.address()).await?;
        let git = ChaosProxy::start(&world.git.address()).await?;
        let url = format!("http://{}/{name}.git", git.address());
        let server = format!("https://{}", cable.address());
        let mut fields: Vec<(&str, &str)> = own.iter().map(|(field, value)| (*field, value.as_str())).collect();
        let others = endpoint(&server, &account.token, world.plane.ca_certificate());
        let policy = [("prune", "on"), ("prune_limit", "60"), ("source_url", url.as_str())];
        for (field, value) in others.into_iter().chain(policy) {
            fields.retain(|(known, _)| *known != field);
            fields.push((field, value));
        }
        let mut fabric = Behind { id: 0, name: name.clone(), front, cable, git };
        fabric.commit("").await?;
        fabric.id = add_fabric(&mut self.user, &fields).await?;
        eventually(SOON, "it was compared", || async {
            let status = fabric.status(&mut self.tab()?).await?;
            ensure!(status["sync_status"] == "out_of_sync", "{status}");
            Ok(())
        })
        .await?;
        fabric.front.take_calls();
        Ok(fabric)
    }
}

/// A fabric of a console of the test's own. Dropped, its doors close.
pub struct Behind {
    pub id: i64,
    /// Its name, which is also that of its namespace and of its repository.
    pub name: String,
    /// The door to the API server.
    pub front: ApiFront,
    /// The cable between the console and that door.
    pub cable: ChaosProxy,
    /// The way to the Git server.
    pub git: ChaosProxy,
}

impl Behind {
    /// Commits its objects, after some words.
    async fn commit(&self, words: &str) -> Result<()> {
        self.commit_beside(words, None).await
    }

    /// The same, with or without one VPC more in a file of its own.
    async fn commit_beside(&self, words: &str, other: Option<&str>) -> Result<()> {
        let vpcs = (1..=VPCS).map(|n| vpc(&format!("vpc-0{n}"), n, 1000 + u16::from(n))).collect::<Vec<_>>();
        let vpcs = format!("{words}{}", vpcs.join("---\n"));
        let files = [("namespaces.yaml", Some(NAMESPACES)), ("vpcs.yaml", Some(vpcs.as_str())), ("other.yaml", other)];
        world().await.git.commit(&self.name, "main", &files, "VPCs").await.map(drop)
    }

    /// Its VPCs are in the cluster, by another's hand: a sync of the console's own would be followed by comparisons.
    pub async fn has_vpcs(&self) -> Result<()> {
        let client = world().await.plane.client()?;
        for n in 1..=VPCS {
            let text = vpc(&format!("vpc-0{n}"), n, 1000 + u16::from(n));
            let mut object: Value = serde_saphyr::from_str(&text)?;
            object["metadata"]["namespace"] = self.name.as_str().into();
            client.create(&object).await?;
        }
        Ok(())
    }

    /// How many of its VPCs the cluster holds, read by a client of the test's own.
    pub async fn live_vpcs(&self) -> Result<u8> {
        let client = world().await.plane.client()?;
        let mut live = 0;
        for n in 1..=VPCS {
            live += u8::from(client.get("VPC", &format!("{}/vpc-0{n}", self.name)).await?.is_some());
        }
        Ok(live)
    }

    /// Its JSON.
    pub async fn status(&self, user: &mut HttpUser) -> Result<Value> {
        let path = format!("/fabrics/{}/", self.id);
        Ok(user.script("GET", &path, &[], None).await?.json()?)
    }

    /// Presses a button and waits for the end.
    pub async fn press(&self, user: &mut HttpUser, verb: &str) -> Result<Value> {
        press(user, self.id, verb).await
    }

    /// Presses a button, and gives the address of the operation.
    pub async fn begin(&self, user: &mut HttpUser, verb: &str) -> Result<String> {
        let page = user.visit(&format!("/fabrics/{}/", self.id)).await?;
        let answer = user.submit(&page, &format!("form[data-verb={verb}]"), &[]).await?;
        answer.location().with_context(|| format!("{verb}: {} {}", answer.status, answer.visible_text()))
    }

    /// Everything is live, and a VPC more, which Git named once and names no more.
    pub async fn has_leftover(&self, user: &mut HttpUser) -> Result<()> {
        self.commit_beside("", Some(&vpc(LEFTOVER, 9, 1009))).await?;
        self.syncs(user).await?;
        ensure!(self.live(LEFTOVER).await?.is_some(), "{LEFTOVER} is in the cluster");
        self.commit_beside("", None).await?;
        self.front.take_calls();
        Ok(())
    }

    /// Asks for a sync with these options, as the page's script does; the address of the operation.
    pub async fn begin_with(&self, user: &mut HttpUser, options: &str) -> Result<String> {
        let csrf = token(&user.visit(&format!("/fabrics/{}/", self.id)).await?)?;
        let path = format!("/fabrics/{}/sync/", self.id);
        let answer = user.script("POST", &path, &[("X-CSRFToken", csrf.as_str())], Some(options)).await?;
        let said = answer.json()?;
        said["operation"]["url"].as_str().map(str::to_owned).with_context(|| format!("no operation: {said}"))
    }

    /// Asks for a verb as the script of the fabric's page does.
    pub async fn ask(&self, user: &mut HttpUser, way: &str, headers: &[(&str, &str)]) -> Result<Page> {
        let csrf = token(&user.visit(&format!("/fabrics/{}/", self.id)).await?)?;
        let all = [&[("X-CSRFToken", csrf.as_str())], headers].concat();
        Ok(user.script("POST", &format!("/fabrics/{}/{way}", self.id), &all, Some("{}")).await?)
    }

    /// Everything works again.
    pub fn heal(&self) {
        self.front.clear();
        // What is open and hangs is of no use to anybody any more.
        for way in [&self.git, &self.cable] {
            way.set(Chaos::Cut);
            way.set(Chaos::Pass);
        }
    }

    /// A VPC as it is in the cluster.
    pub async fn live(&self, name: &str) -> Result<Option<Value>> {
        world().await.plane.client()?.get("VPC", &format!("{}/{name}", self.name)).await
    }

    /// Presses Sync, and expects that the cluster is as Git says then, and that the console knows.
    pub async fn syncs(&self, user: &mut HttpUser) -> Result<Value> {
        let done = self.press(user, "sync_to_kubernetes").await?;
        ensure!(done["state"] == "succeeded", "{done}");
        for n in 1..=VPCS {
            let live = self.live(&format!("vpc-0{n}")).await?.with_context(|| format!("vpc-0{n} is in the cluster"))?;
            ensure!(live["spec"]["subnets"]["default"]["vlan"] == 1000 + u16::from(n), "{live}");
        }
        let status = self.status(user).await?;
        ensure!(status["sync_status"] == "in_sync", "{status}");
        Ok(done)
    }

    /// Holds that every object was created once, and nothing else was written.
    pub fn wrote_each_once(&self) -> Result<()> {
        let written = self.written();
        let created =
            written.iter().filter(|(call, _)| call.starts_with("POST ")).map(|(_, times)| times).sum::<usize>();
        ensure!(written.values().sum::<usize>() == created && created == usize::from(VPCS) + 2, "{written:?}");
        Ok(())
    }

    /// The writes that the API server carried out, by address, and how often each.
    pub fn written(&self) -> BTreeMap<String, usize> {
        let done = |call: &ApiCall| {
            call.method != "GET" && (200..300).contains(&call.status) && !call.path.contains("dryRun=All")
        };
        let mut found = BTreeMap::new();
        for call in self.front.calls().iter().filter(|call| done(call) && call.path.contains("githedgehog.com")) {
            *found
                .entry(format!("{} {}", call.method, call.path.split('?').next().unwrap_or_default()))
                .or_default() += 1;
        }
        found
    }
}

/// The phase of an operation that runs now, and the operation.
pub async fn running_phase(user: &mut HttpUser, location: &str) -> Result<(String, Value)> {
    let operation = operation(user, location).await?;
    let phases = operation["phases"].as_array().into_iter().flatten();
    let running: Vec<&str> =
        phases.rev().filter(|phase| phase["state"] == "running").filter_map(|phase| phase["phase"].as_str()).collect();
    // *Apply* is open around the deletions, because what frees them is written before and the rest after.
    let running = running.iter().find(|phase| **phase == "prune").or(running.first()).copied().unwrap_or_default();
    Ok((running.to_owned(), operation))
}

/// The operation at this address, as it stands.
pub async fn operation(user: &mut HttpUser, location: &str) -> Result<Value> {
    Ok(user.script("GET", location, &[], None).await?.json()?)
}

/// Waits until an operation has ended, however long it waited for its turn.
pub async fn end_of(user: &mut HttpUser, location: &str) -> Result<Value> {
    ended(user, location).await
}

/// A phase of an operation, how it is entered, and where it is held.
pub struct Hold {
    pub verb: &'static str,
    pub phase: &'static str,
    /// Its title on the page.
    pub title: &'static str,
    /// How it is made to hang.
    pub how: fn(&Behind),
}

impl Hold {
    /// Makes the phase hang, and begins an operation that comes to it and runs in this very process: another one on
    /// the same database may be faster with it. Gives its address.
    pub async fn begin(&self, apart: &Apart, fabric: &Behind) -> Result<String> {
        let mut user = apart.tab()?;
        loop {
            self.arm(fabric, &mut user).await?;
            let location = match self.phase {
                "prune" => fabric.begin_with(&mut user, PRUNING).await?,
                _ => fabric.begin(&mut user, self.verb).await?,
            };
            let id = location.trim_matches('/').rsplit('/').next().context("a number")?;
            let owner = eventually(SOON, "somebody runs it", || async {
                let owner = apart.sql(&format!("SELECT lease_owner FROM operations WHERE id = {id}")).await?;
                ensure!(!owner.is_empty(), "nobody");
                Ok(owner)
            })
            .await?;
            if owner.starts_with(&format!("{}-", apart.console.id()?)) {
                return Ok(location);
            }
            let page = user.visit(&location).await?;
            user.submit(&page, "form[data-verb=cancel]", &[]).await?;
            ended(&mut user, &location).await?;
            fabric.heal();
        }
    }

    /// The same again, when everything works: it ends as the first one was to end.
    pub async fn syncs(&self, fabric: &Behind, user: &mut HttpUser) -> Result<()> {
        if self.phase == "prune" {
            ensure!(fabric.live(LEFTOVER).await?.is_some(), "nothing deleted {LEFTOVER}");
            let location = fabric.begin_with(user, PRUNING).await?;
            let done = end_of(user, &location).await?;
            ensure!(done["state"] == "succeeded" && fabric.live(LEFTOVER).await?.is_none(), "{done}");
        }
        fabric.syncs(user).await.map(drop)
    }

    async fn arm(&self, fabric: &Behind, user: &mut HttpUser) -> Result<()> {
        match self.phase {
            // What the server has confirmed it is not asked about again.
            "compare" => fabric.commit("# The same objects in a new file.\n").await?,
            "prune" => fabric.has_leftover(user).await?,
            _ => {}
        }
        (self.how)(fabric);
        Ok(())
    }
}

/// Every phase that can be held from outside. *Preflight* asks nobody, so nothing can hold it; *compare* asks the server
/// only about what differs, and gives up after five seconds.
pub fn holds() -> Vec<Hold> {
    use testkit::Rule;
    let sync = "sync_to_kubernetes";
    vec![
        Hold {
            verb: sync,
            phase: "connect",
            title: "Connect to the cluster",
            how: |fabric| fabric.front.add(Rule::on("GET", "/namespaces/kube-system").hang()),
        },
        Hold { verb: sync, phase: "fetch_source", title: "Fetch the source", how: |f| f.git.set(Chaos::Blackhole) },
        Hold {
            verb: sync,
            phase: "observe",
            title: "Read the cluster",
            how: |fabric| fabric.front.add(Rule::on("GET", "/vpcs?").hang()),
        },
        Hold {
            verb: "sync_from_git",
            phase: "compare",
            title: "Compare",
            how: |fabric| fabric.front.add(Rule::on("POST", "dryRun=All").hang()),
        },
        Hold {
            verb: sync,
            phase: "prune",
            title: "Delete what Git no longer names",
            how: |fabric| fabric.front.add(Rule::on("DELETE", "/vpcs/").hang()),
        },
        Hold {
            verb: sync,
            phase: "apply",
            title: "Write to the cluster",
            how: |fabric| fabric.front.add(Rule::on("POST", "/vpcs?").after(1).times(1).hang()),
        },
        Hold {
            verb: sync,
            phase: "verify",
            title: "Read again and verify",
            how: |fabric| fabric.front.add(Rule::on("GET", "/vpcs?").after(1).hang()),
        },
        Hold {
            verb: sync,
            phase: "rollout",
            title: "Follow the switches",
            // The agents are read once, are then forbidden in the reading that verifies, and never answer afterwards.
            how: |fabric| {
                let words = "agents.agent.githedgehog.com is forbidden: User \"x\" cannot list resource \"agents\"";
                fabric.front.add(Rule::on("GET", "/agents?").after(1).times(1).answer(403, "Forbidden", words));
                fabric.front.add(Rule::on("GET", "/agents?").after(1).hang());
            },
        },
    ]
}
