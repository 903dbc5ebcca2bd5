//! The world that the journeys share: one console, one API server with the project's own kinds, one Git server. Each
//! test has a fabric of its own in a namespace of its own, so that they run side by side.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use testkit::{Console, ConsoleOptions, ControlPlane, GitServer, HttpUser, KubeClient, Page};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// What all tests of this binary share.
pub struct World {
    /// The console.
    pub console: Console,
    /// The API server.
    pub plane: ControlPlane,
    /// The Git server.
    pub git: GitServer,
    /// The administrator's password.
    pub password: String,
}

static WORLD: OnceCell<World> = OnceCell::const_new();
static FABRICS: AtomicU32 = AtomicU32::new(0);

/// What the world lives on: each test has a runtime of its own, which ends with it.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime for the world starts"));

/// The shared world, started by the first who asks.
pub async fn world() -> &'static World {
    let start = || async { RUNTIME.spawn(World::start()).await.expect("it does not panic") };
    WORLD.get_or_init(|| async { start().await.expect("the world of the journeys starts") }).await
}

impl World {
    async fn start() -> Result<Self> {
        let plane = ControlPlane::start().await?;
        plane.install_crds(&lab::kinds::crds()).await?;
        let git = GitServer::start().await?;
        git.add_user("hedgerow", "git-token-1");
        git.require_auth(true);
        let console = Console::start(ConsoleOptions {
            // Of its own accord it compares rarely and watches nothing, so that what a page says comes from what the
            // journey did. `kube_watch` and `browser_drift` are about what comes by itself.
            env: vec![
                ("HEDGEROW_COMPARE_INTERVAL".into(), "170s".into()),
                ("HEDGEROW_COMPARE_WATCH".into(), "false".into()),
            ],
            ..ConsoleOptions::default()
        })
        .await?;
        let password = console.password()?.to_owned();
        Ok(Self { console, plane, git, password })
    }

    /// The administrator, logged in by the form.
    pub async fn admin(&self) -> Result<HttpUser> {
        let mut user = HttpUser::new(self.console.url())?;
        user.login("admin", &self.password).await?;
        Ok(user)
    }
}

/// One fabric with all that belongs to it.
pub struct Fabric {
    /// Its number in the console.
    pub id: i64,
    /// Its name, which is also the name of its repository and its namespace.
    pub name: String,
    /// Who made it.
    pub user: HttpUser,
}

impl Fabric {
    /// A fabric with a namespace and a remote repository of its own, made by the form.
    pub async fn add() -> Result<Self> {
        Self::add_with(&[]).await
    }

    /// A namespace and a remote repository, and what a form needs in order to make a fabric of them.
    pub async fn place() -> Result<(String, Vec<(&'static str, String)>)> {
        let world = world().await;
        let name = format!("fabric-{}-{}", std::process::id(), FABRICS.fetch_add(1, Ordering::Relaxed));
        world
            .plane
            .client()?
            .create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
            .await?;
        world.git.create_repo(&name).await?;
        world.git.commit(&name, "main", &[("README.md", Some("Manifests."))], "Begin").await?;
        let fields = vec![
            ("name", name.clone()),
            ("kubeconfig", world.plane.kubeconfig_admin()),
            ("namespace", name.clone()),
            ("source_url", world.git.url(&name)),
            ("cluster_kind", "kubeconfig".to_owned()),
            ("branch", "main".to_owned()),
            ("credential_kind", "token".to_owned()),
            ("source_username", "hedgerow".to_owned()),
            ("source_token", "git-token-1".to_owned()),
        ];
        Ok((name, fields))
    }

    /// The same, with other values in some fields of the form.
    pub async fn add_with(fields: &[(&str, &str)]) -> Result<Self> {
        let world = world().await;
        let (name, own) = Self::place().await?;
        let mut user = world.admin().await?;
        let mut all: Vec<(&str, &str)> = own.iter().map(|(field, value)| (*field, value.as_str())).collect();
        for (field, value) in fields {
            all.retain(|(known, _)| known != field);
            all.push((field, value));
        }
        let id = add_fabric(&mut user, &all).await?;
        Ok(Self { id, name, user })
    }

    /// Commits files to its repository.
    pub async fn commit(&self, files: &[(&str, Option<&str>)]) -> Result<String> {
        world().await.git.commit(&self.name, "main", files, "Change").await
    }

    /// Its page.
    pub async fn page(&mut self) -> Result<Page> {
        Ok(self.user.visit(&format!("/fabrics/{}/", self.id)).await?)
    }

    /// Presses a button of its page, follows to the operation's page, and waits until it has ended.
    pub async fn press(&mut self, verb: &str) -> Result<Value> {
        press(&mut self.user, self.id, verb).await
    }

    /// One object of the fabric's namespace, read by a client of the test's own.
    pub async fn live(&self, kind: &str, name: &str) -> Result<Option<Value>> {
        self.cluster().await?.get(kind, &format!("{}/{name}", self.name)).await
    }

    /// A client of the test's own.
    pub async fn cluster(&self) -> Result<KubeClient> {
        world().await.plane.client()
    }

    /// Changes an object as another person would, with kubectl.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        let mut all = vec!["--namespace", &self.name];
        all.extend(args);
        world().await.plane.kubectl(&all).await
    }

    /// Waits until the operation at this address has ended, and gives its JSON.
    pub async fn ended(&mut self, location: &str) -> Result<Value> {
        ended(&mut self.user, location).await
    }

    /// Asks for a verb as the script of the fabric's page does: `way` is the last word of its address, with a query
    /// if need be, and the token is the page's.
    pub async fn ask(&mut self, way: &str, headers: &[(&str, &str)]) -> Result<Page> {
        let page = self.page().await?;
        let csrf = token(&page)?;
        let path = format!("/fabrics/{}/{way}", self.id);
        let all = [&[("X-CSRFToken", csrf.as_str())], headers].concat();
        Ok(self.user.script("POST", &path, &all, Some("{}")).await?)
    }

    /// The JSON of the fabric, as a script gets it.
    pub async fn status(&mut self) -> Result<Value> {
        let path = format!("/fabrics/{}/", self.id);
        Ok(self.user.script("GET", &path, &[("Accept", "application/json")], None).await?.json()?)
    }
}

/// Makes a fabric by the form, and gives its number.
pub async fn add_fabric(user: &mut HttpUser, fields: &[(&str, &str)]) -> Result<i64> {
    let form = user.visit("/fabrics/add/").await?;
    let answer = user.submit(&form, "form.form", fields).await?;
    if answer.status != 303 {
        bail!("the form was not taken: {} {}", answer.status, answer.visible_text());
    }
    let page = user.arrive(answer).await?;
    page.attribute("#sync-now-btn", "data-fabric-id")?
        .context("the button names its fabric")?
        .parse()
        .context("a number")
}

/// Presses a button of a fabric's page, follows to the operation's page, and waits until it has ended.
pub async fn press(user: &mut HttpUser, fabric: i64, verb: &str) -> Result<Value> {
    let page = user.visit(&format!("/fabrics/{fabric}/")).await?;
    let answer = user.submit(&page, &format!("form[data-verb={verb}]"), &[]).await?;
    let location =
        answer.location().with_context(|| format!("pressing {verb} leads to the operation: {}", answer.status))?;
    ended(user, &location).await
}

/// Waits until the operation at this address has ended, and gives its JSON.
pub async fn ended(user: &mut HttpUser, location: &str) -> Result<Value> {
    for _ in 0..600 {
        let answer = user.script("GET", location, &[("Accept", "application/json")], None).await?;
        let operation = answer.json()?;
        match operation["state"].as_str() {
            Some("queued" | "running") => tokio::time::sleep(Duration::from_millis(100)).await,
            Some(_) => return Ok(operation),
            None => bail!("{location} is no operation: {operation}"),
        }
    }
    bail!("{location} did not end within a minute")
}

/// Fields for a cluster by endpoint, token and CA.
pub fn endpoint<'a>(server: &'a str, token: &'a str, ca: &'a str) -> [(&'a str, &'a str); 5] {
    [("cluster_kind", "endpoint"), ("kubeconfig", ""), ("server", server), ("token", token), ("ca_pem", ca)]
}

/// The token of a page.
pub fn token(page: &Page) -> Result<String> {
    page.attribute("meta[name=csrf-token]", "content")?.context("the page has a token")
}

/// Another tab of the same browser as far as its cookies go, as they are now.
pub fn same_cookies(console: &Console, user: &HttpUser) -> Result<HttpUser> {
    let mut other = HttpUser::new(console.url())?;
    for cookie in user.cookies() {
        other.set_cookie(&cookie.name, Some(&cookie.value));
    }
    Ok(other)
}

/// The database of a console, opened beside it.
pub async fn database(console: &Console) -> Result<store::Store> {
    let file = console.data_dir().join("hedgerow.db");
    store::Store::open_unmigrated(&file.display().to_string()).await.context("open the console's database")
}

/// Manifests of a small fabric: the namespaces, and one VPC with the VLAN given.
pub fn vpc(name: &str, octet: u8, vlan: u16) -> String {
    format!(
        "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata:\n  name: {name}\nspec:\n  ipv4Namespace: \
         default\n  vlanNamespace: default\n  subnets:\n    default:\n      subnet: 10.0.{octet}.0/24\n      gateway: \
         10.0.{octet}.1\n      vlan: {vlan}\n"
    )
}

/// The namespaces that VPCs need.
pub const NAMESPACES: &str = "apiVersion: vpc.githedgehog.com/v1beta1
kind: IPv4Namespace
metadata:
  name: default
spec:
  subnets: [10.0.0.0/16]
---
apiVersion: wiring.githedgehog.com/v1beta1
kind: VLANNamespace
metadata:
  name: default
spec:
  ranges:
    - {from: 1000, to: 2999}
";
