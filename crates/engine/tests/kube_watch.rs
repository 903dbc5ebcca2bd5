//! The watches of the engine against a real kube-apiserver behind things that break: what changes in the cluster is known
//! at once, what breaks comes back by itself, and what cannot be known is never green.

#![allow(clippy::unwrap_used, reason = "a fixture that fails is a test that fails")]

use engine::{Engine, Overview, Request, Settings};
use model::ObjectKey;
use model::compare::ObjectState;
use model::operation::{OperationState, Trigger, Verb};
use model::status::SyncState;
use secrecy::SecretString;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use store::{Cluster, EndpointLogin, FabricSecrets, FabricSpec, NewFabric, Scope, Sealed, Source, Store};
use testkit::{Access, ApiFront, Chaos, ChaosProxy, ControlPlane, Gate, Rule, TokenUser, eventually};

const VPCS: &str = "apiVersion: vpc.githedgehog.com/v1beta1
kind: VPC
metadata: {name: vpc-01}
spec:
  ipv4Namespace: default
  vlanNamespace: default
  subnets:
    default: {subnet: 10.0.1.0/24, gateway: 10.0.1.1, vlan: 1001}
---
apiVersion: vpc.githedgehog.com/v1beta1
kind: IPv4Namespace
metadata: {name: default}
spec: {subnets: [10.0.0.0/16]}
---
apiVersion: wiring.githedgehog.com/v1beta1
kind: VLANNamespace
metadata: {name: default}
spec: {ranges: [{from: 1000, to: 2999}]}
";

/// Longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The background comparison is out of the way: what is seen, a watch has seen.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// An engine with one fabric in sync, its cluster behind a proxy and a door.
struct Bed {
    engine: Engine,
    store: Store,
    id: i64,
    spec: FabricSpec,
    user: Option<TokenUser>,
    plane: ControlPlane,
    front: ApiFront,
    proxy: ChaosProxy,
    _folder: tempfile::TempDir,
}

fn endpoint(bed_address: &str, ca: &str) -> Cluster {
    Cluster::Endpoint {
        server: format!("https://{bed_address}"),
        ca_pem: Some(ca.to_owned()),
        login: EndpointLogin::Token,
    }
}

fn token(token: &str) -> FabricSecrets {
    FabricSecrets { endpoint: Some(Sealed(token.as_bytes().to_vec())), ..FabricSecrets::default() }
}

impl Bed {
    async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_as(None, change).await
    }

    /// The same as a user of that name instead of an administrator.
    async fn start_as(user: Option<&str>, change: impl FnOnce(&mut Settings)) -> Self {
        let plane = ControlPlane::start().await.unwrap();
        plane.install_crds(&lab::kinds::crds()).await.unwrap();
        let user = match user {
            Some(name) => Some(plane.token_user(name, &Access::writer()).await.unwrap()),
            None => None,
        };
        let client = plane.client().unwrap();
        for object in VPCS.split("---\n") {
            let object: serde_json::Value = serde_saphyr::from_str(object).unwrap();
            client.create(&object).await.unwrap();
        }
        let front = ApiFront::start(&plane).await.unwrap();
        let proxy = ChaosProxy::start(front.url().strip_prefix("https://").unwrap()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("h.db").to_str().unwrap()).await.unwrap();
        let id = store.fabrics().reserve_id().await.unwrap();
        let spec = FabricSpec {
            name: "lab".into(),
            cluster: endpoint(&proxy.address(), plane.ca_certificate()),
            source: Source::Local,
            ..FabricSpec::default()
        };
        let secrets = token(user.as_ref().map_or(plane.admin_token(), |user| &user.token));
        let new = NewFabric { id, spec: spec.clone(), secrets };
        store.fabrics().create(&Scope::System, new, jiff::Timestamp::now()).await.unwrap();
        let config = source::Config { remote: None, branch: "main".into(), path: String::new(), allow_file: false };
        let repository = source::Repository::open(&engine::source_dir(folder.path(), id), config).await.unwrap();
        let author = source::Author { name: "t".into(), email: "t@example.com".into() };
        let file = source::Change { path: "vpcs.yaml".into(), content: Some(VPCS.into()) };
        repository.commit(&[file], &author, "VPCs", None).await.unwrap();
        let unseal: engine::Unseal =
            Arc::new(|_, _, sealed| Ok(SecretString::from(String::from_utf8(sealed.0.clone()).unwrap())));
        let mut settings = Settings::new(folder.path().into());
        settings.compare_interval = NEVER;
        settings.freshness = NEVER * 2;
        change(&mut settings);
        let engine = Engine::start(store.clone(), unseal, settings, Arc::new(jiff::Timestamp::now)).await.unwrap();
        let bed = Self { engine, store, id, spec, user, plane, front, proxy, _folder: folder };
        bed.until("the first comparison", |o| o.sync_status == SyncState::InSync).await;
        bed.watched().await;
        bed
    }

    async fn overview(&self) -> Overview {
        let fabric = self.store.fabrics().get(&Scope::System, self.id).await.unwrap();
        self.engine.overview(&fabric).await.unwrap()
    }

    async fn until(&self, what: &str, holds: impl Fn(&Overview) -> bool) -> Overview {
        eventually(PATIENCE, what, async || {
            let overview = self.overview().await;
            match holds(&overview) {
                true => Ok(overview),
                false => Err(format!("{:?}", overview.status)),
            }
        })
        .await
        .unwrap()
    }

    /// Waits until the streams are open: those of the VPCs, and as many in all as there are kinds.
    async fn watched(&self) {
        eventually(PATIENCE, "every kind has a stream", async || {
            let open = self.streams("").len();
            if open >= 15 && !self.streams("vpcs").is_empty() { Ok(()) } else { Err(format!("{open} streams")) }
        })
        .await
        .unwrap();
    }

    /// The streams that were opened since the calls were last taken, of kinds that are called so.
    fn streams(&self, plural: &str) -> Vec<String> {
        let calls = self.front.calls();
        let opened = calls.iter().filter(|c| c.path.contains("watch=true") && c.status == 200);
        opened.map(|c| c.path.clone()).filter(|path| path.contains(&format!("/{plural}"))).collect()
    }

    fn lists(&self) -> Vec<String> {
        self.front.calls().into_iter().map(|c| c.path).filter(|path| path.contains("limit=")).collect()
    }

    async fn vlan(&self, vlan: u16) {
        let patch = json!({"spec": {"subnets": {"default": {"vlan": vlan}}}}).to_string();
        self.plane.kubectl(&["patch", "vpc", "vpc-01", "--type=merge", "-p", &patch]).await.unwrap();
    }

    /// Somebody changes the VPC, and it is seen; then back.
    async fn drift_is_seen(&self, vlan: u16) {
        self.vlan(vlan).await;
        self.until("the drift is seen", |o| o.sync_status == SyncState::OutOfSync).await;
        self.vlan(1001).await;
        self.until("it is as it should be again", |o| o.sync_status == SyncState::InSync).await;
    }

    /// Somebody changes an object of a kind whose stream was only interrupted, and it is seen.
    async fn drift_of_another_kind_is_seen(&self) {
        let patch = json!({"spec": {"ranges": [{"from": 1000, "to": 2998}]}}).to_string();
        self.plane.kubectl(&["patch", "vlannamespace", "default", "--type=merge", "-p", &patch]).await.unwrap();
        let kind = "VLANNamespace.wiring.githedgehog.com";
        self.until("its change is seen", |o| o.counts[kind].get(&ObjectState::Modified) == Some(&1)).await;
    }

    fn request(&self, verb: Verb) -> Request {
        Request {
            fabric_id: self.id,
            verb,
            actor: "tester".into(),
            actor_user_id: None,
            trigger: Trigger::Script,
            request_id: "test".into(),
            idempotency_key: None,
            shown_comparison: None,
            options: model::sync_options::SyncOptions::default(),
        }
    }

    async fn state(&self) -> ObjectState {
        let key = ObjectKey::new("vpc.githedgehog.com", "VPC", "default", "vpc-01");
        self.store.objects().get(self.id, &key).await.unwrap().brief.state
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kubectl_changes_is_compared_at_once_and_nothing_is_listed_for_it() {
    let bed = Bed::start(|_| {}).await;
    bed.front.take_calls();
    bed.vlan(1002).await;
    let overview = bed.until("the drift is seen", |o| o.sync_status == SyncState::OutOfSync).await;
    assert_eq!(bed.state().await, ObjectState::Modified, "the cluster was changed, not Git");
    let key = ObjectKey::new("vpc.githedgehog.com", "VPC", "default", "vpc-01");
    let row = bed.store.objects().get(bed.id, &key).await.unwrap();
    let told: Vec<_> = row.diffs.iter().map(|d| (d.path.as_str(), d.manager.as_deref())).collect();
    assert_eq!(told, [("spec.subnets.default.vlan", Some("kubectl-patch"))]);
    assert_eq!(overview.counts["VPC.vpc.githedgehog.com"][&ObjectState::Modified], 1);
    eventually(PATIENCE, "the server has confirmed it", async || {
        let confirmed = bed.store.objects().get(bed.id, &key).await.unwrap().brief.confirmed;
        if confirmed == Some(true) { Ok(()) } else { Err(format!("{confirmed:?}")) }
    })
    .await
    .unwrap();

    bed.plane.kubectl(&["delete", "vpc", "vpc-01"]).await.unwrap();
    bed.until("it is missing", |o| o.status.counts.is_some_and(|c| c.missing == 1 && c.modified == 0)).await;
    let again: serde_json::Value = serde_saphyr::from_str(VPCS.split("---\n").next().unwrap()).unwrap();
    bed.plane.client().unwrap().create(&again).await.unwrap();
    bed.until("it is back", |o| o.sync_status == SyncState::InSync).await;
    let mut extra = again;
    extra["metadata"]["name"] = "vpc-02".into();
    bed.plane.client().unwrap().create(&extra).await.unwrap();
    bed.until("one more is there", |o| o.status.counts.is_some_and(|c| c.extra == 1)).await;
    bed.plane.kubectl(&["delete", "vpc", "vpc-02"]).await.unwrap();
    bed.until("and gone", |o| o.sync_status == SyncState::InSync).await;
    assert_eq!(bed.lists(), Vec::<String>::new(), "the streams told all of it");
    bed.engine.stop().await;
}

/// What a run writes comes back by the watches. It is not compared over and over meanwhile, and what others do is seen all
/// the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_change_while_a_sync_writes_is_seen_before_it_ends() {
    let bed = Bed::start(|_| {}).await;
    bed.vlan(1002).await;
    bed.until("the drift is seen", |o| o.sync_status == SyncState::OutOfSync).await;
    let gate = Gate::default();
    bed.front.add(Rule::on("PUT", "/vpcs/vpc-01").without("dryRun").hold(&gate));
    let began = std::time::Instant::now();
    let operation = bed.engine.request(bed.request(Verb::SyncToKubernetes)).await.unwrap().operation.id;
    gate.arrived(PATIENCE).await.unwrap();
    bed.front.take_calls();
    let before = bed.store.comparisons().latest(bed.id).await.unwrap().unwrap().id;
    bed.drift_of_another_kind_is_seen().await;
    let seen = began.elapsed();
    assert!(seen >= Duration::from_secs(5), "what a run writes would be compared as often: after {seen:?}");
    assert_eq!(bed.store.operations().get(operation).await.unwrap().state, OperationState::Running);
    let stored = bed.store.comparisons().latest(bed.id).await.unwrap().unwrap().id - before;
    assert_eq!(stored, 1, "one comparison told of it");
    let asked: Vec<_> = bed.front.calls().into_iter().filter(|call| call.path.contains("dryRun")).collect();
    assert!(asked.is_empty(), "nothing is asked while the run writes: {asked:?}");
    gate.open();
    let ended = bed.engine.wait(operation, PATIENCE).await.unwrap();
    assert!(ended.state.is_final(), "{ended:?}");
    assert_eq!(bed.state().await, ObjectState::Equal, "what was held was written");
    bed.engine.stop().await;
}

/// Somebody installs Hedgehog's kinds anew. Nobody presses anything; the kind is gone from what is known of the cluster, and
/// is found again with the next comparison, not when that is asked for anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_is_gone_and_comes_back_is_read_again_by_itself() {
    let bed = Bed::start(|settings| settings.compare_interval = Duration::from_secs(1)).await;
    let vpc = lab::kinds::crds().into_iter().find(|crd| crd["spec"]["names"]["kind"] == "VPC").unwrap();
    let name = vpc["metadata"]["name"].as_str().unwrap();
    bed.plane.kubectl(&["delete", "crd", name, "--wait=true"]).await.unwrap();
    // A press asks which kinds there are, and that is believed for some minutes.
    let operation = bed.engine.request(bed.request(Verb::SyncFromFabric)).await.unwrap().operation.id;
    bed.engine.wait(operation, PATIENCE).await.unwrap();
    bed.until("the kind is missed", |o| o.sync_status == SyncState::Error).await;
    bed.plane.install_crds(&[vpc]).await.unwrap();
    let again: serde_json::Value = serde_saphyr::from_str(VPCS.split("---\n").next().unwrap()).unwrap();
    bed.plane.client().unwrap().create(&again).await.unwrap();
    bed.until("it is in sync again", |o| o.sync_status == SyncState::InSync).await;
    bed.drift_is_seen(1002).await;
    bed.engine.stop().await;
}

/// Hedgehog is upgraded: a kind that the source names is served in another version, and no more in the one that is known.
#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_is_served_in_another_version_is_found_by_itself() {
    let bed = Bed::start(|settings| settings.compare_interval = Duration::from_secs(1)).await;
    let mut vpc = lab::kinds::crds().into_iter().find(|crd| crd["spec"]["names"]["kind"] == "VPC").unwrap();
    let name = vpc["metadata"]["name"].as_str().unwrap().to_owned();
    bed.plane.kubectl(&["delete", "crd", &name, "--wait=true"]).await.unwrap();
    vpc["spec"]["versions"][0]["name"] = json!("v1beta2");
    bed.plane.install_crds(&[vpc]).await.unwrap();
    bed.front.take_calls();
    let listed = |call: &testkit::ApiCall| call.path.contains("/v1beta2/") && call.path.contains("/vpcs?");
    eventually(PATIENCE, "it is listed in its new version", async || {
        let calls = bed.front.calls();
        if calls.iter().any(|call| listed(call) && call.status == 200) { Ok(()) } else { Err("it is not") }
    })
    .await
    .unwrap();
    bed.until("nothing is unread", |o| o.problems.is_empty() && o.sync_status == SyncState::OutOfSync).await;
    bed.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_reset_goes_on_where_it_was() {
    let bed = Bed::start(|_| {}).await;
    bed.front.take_calls();
    bed.proxy.set(Chaos::Cut);
    bed.vlan(1002).await;
    bed.vlan(1003).await;
    assert_eq!(bed.state().await, ObjectState::Equal, "the control: nothing gets through");
    bed.proxy.set(Chaos::Pass);
    bed.until("what happened meanwhile is seen", |o| o.sync_status == SyncState::OutOfSync).await;
    assert_eq!(bed.lists(), Vec::<String>::new(), "the streams went on, nothing was listed");
    bed.vlan(1001).await;
    bed.until("in sync", |o| o.sync_status == SyncState::InSync).await;
    bed.drift_is_seen(1002).await;
    bed.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_is_noticed_and_left_again() {
    let short = |settings: &mut Settings| settings.cluster.request = Duration::from_secs(3);
    let bed = Bed::start(short).await;
    bed.proxy.set(Chaos::Blackhole);
    bed.vlan(1002).await;
    let before = bed.proxy.accepted();
    eventually(PATIENCE, "the dead connection is noticed", async || {
        if bed.proxy.accepted() > before { Ok(()) } else { Err("no new connection") }
    })
    .await
    .unwrap();
    assert_eq!(bed.state().await, ObjectState::Equal, "the control: nothing gets through");
    bed.proxy.set(Chaos::Cut);
    bed.proxy.set(Chaos::Pass);
    bed.until("the drift is seen", |o| o.sync_status == SyncState::OutOfSync).await;
    bed.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_was_killed_is_watched_again() {
    let mut bed = Bed::start(|_| {}).await;
    bed.plane.stop_api_server();
    bed.plane.start_api_server().await.unwrap();
    bed.drift_is_seen(1002).await;
    bed.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_the_server_has_forgotten_is_listed_anew_and_nothing_else_is() {
    // A beat is a sixth of the freshness.
    let beat = Duration::from_secs(2);
    let bed = Bed::start(|settings| settings.freshness = beat * 6).await;
    bed.front.take_calls();
    bed.front.add(Rule::on("GET", "vpcs?watch=true").expired().times(1));
    bed.proxy.set(Chaos::Cut);
    bed.vlan(1002).await;
    // The outage itself is what is tested, and nothing outside shows that a beat has passed, nor that a connection was
    // refused: it lasts as long as three beats, which must list nothing.
    tokio::time::sleep(beat * 3).await;
    bed.proxy.set(Chaos::Pass);
    let of_vpcs = |o: &Overview, state| o.counts["VPC.vpc.githedgehog.com"].get(&state).copied().unwrap_or_default();
    bed.until("what happened meanwhile is seen", |o| of_vpcs(o, ObjectState::Modified) == 1).await;
    bed.watched().await;
    // What was deleted while nobody watched is gone, too.
    bed.front.add(Rule::on("GET", "vpcs?watch=true").expired().times(1));
    bed.proxy.set(Chaos::Cut);
    bed.plane.kubectl(&["delete", "vpc", "vpc-01"]).await.unwrap();
    bed.proxy.set(Chaos::Pass);
    bed.until("it is missing", |o| of_vpcs(o, ObjectState::Missing) == 1).await;
    bed.drift_of_another_kind_is_seen().await;
    let lists = bed.lists();
    assert!(lists.len() == 2 && lists.iter().all(|path| path.contains("/vpcs?")), "{lists:?}");
    bed.engine.stop().await;
}

/// An etcd that is restored from a backup goes on with the versions of then: what is known is ahead of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_was_restored_from_a_backup_is_read_anew() {
    let often = |settings: &mut Settings| {
        settings.compare_interval = Duration::from_secs(2);
        settings.freshness = Duration::from_secs(60);
    };
    let mut bed = Bed::start(often).await;
    let snapshot = bed.plane.snapshot().await.unwrap();
    // The cluster lives on: many versions are given out, at the end everything is as Git has it.
    for n in 0..40 {
        bed.vlan(1002 + n % 2).await;
    }
    bed.until("the drift is seen", |o| o.sync_status == SyncState::OutOfSync).await;
    bed.vlan(1001).await;
    bed.until("in sync", |o| o.sync_status == SyncState::InSync).await;
    bed.plane.restore(&snapshot).await.unwrap();
    let restored = jiff::Timestamp::now();
    bed.vlan(1002).await;
    let green = |o: &Overview| o.sync_status == SyncState::InSync && o.status.evidence_at > Some(restored);
    let told = async {
        bed.until("the drift in the restored cluster is seen", |o| {
            assert!(!green(o), "green, by evidence from after the restore: {:?}", o.status);
            o.sync_status == SyncState::OutOfSync && o.status.evidence_at > Some(restored)
        })
        .await
    };
    told.await;
    // It stays so: neither a list nor a watch brings back what is no more, however often it is compared.
    let mut evidence = BTreeSet::new();
    let until = std::time::Instant::now() + PATIENCE;
    while evidence.len() < 6 {
        let overview = bed.overview().await;
        assert!(!green(&overview), "green again: {:?}", overview.status);
        evidence.insert(overview.status.evidence_at);
        assert!(std::time::Instant::now() < until, "it is compared each two seconds: {evidence:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bed.vlan(1001).await;
    bed.until("in sync", |o| o.sync_status == SyncState::InSync).await;
    bed.drift_is_seen(1003).await;
    bed.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_dropped_makes_the_status_unknown_and_never_green() {
    let bed = Bed::start(|settings| settings.freshness = Duration::from_secs(4)).await;
    bed.front.add(Rule::on("GET", "watch=true").hang());
    bed.front.add(Rule::on("GET", "limit=").hang());
    bed.proxy.set(Chaos::Cut);
    bed.proxy.set(Chaos::Pass);
    bed.vlan(1002).await;
    let overview = bed.until("nothing is known any more", |o| o.sync_status == SyncState::Unknown).await;
    assert!(overview.status.message.contains("counts no more"), "{}", overview.status.message);
    // It stays so, however long nobody knows, although the beat goes on. Nothing outside shows that a beat has passed: this
    // span is several of them, and that nothing comes of them is what is tested.
    let evidence = overview.status.evidence_at;
    let until = std::time::Instant::now() + Duration::from_secs(3);
    while std::time::Instant::now() < until {
        let overview = bed.overview().await;
        assert_eq!((overview.sync_status, overview.status.evidence_at), (SyncState::Unknown, evidence));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bed.front.clear();
    bed.proxy.set(Chaos::Cut);
    bed.proxy.set(Chaos::Pass);
    let patched = |o: &Overview| o.counts["VPC.vpc.githedgehog.com"].get(&ObjectState::Modified) == Some(&1);
    bed.until("the drift is seen", patched).await;
    bed.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_replaced_is_used_and_everything_goes_on() {
    let bed = Bed::start_as(Some("hedgerow"), |_| {}).await;
    let user = bed.user.as_ref().unwrap();
    bed.plane.revoke(user).await.unwrap();
    // An open stream outlives its token; the next one does not come to be.
    bed.proxy.set(Chaos::Cut);
    bed.proxy.set(Chaos::Pass);
    let overview = bed.until("the refusal is said", |o| o.sync_status == SyncState::Error).await;
    assert_eq!(overview.status.code, Some(model::Code::KubernetesUnauthorized), "{}", overview.status.message);
    assert!(overview.status.message.contains("does not accept the credentials"), "{}", overview.status.message);

    let fabric = bed.store.fabrics().get(&Scope::System, bed.id).await.unwrap();
    let endpoint = store::fabrics::SecretChange::Set(Sealed(bed.plane.admin_token().as_bytes().to_vec()));
    let secrets = store::fabrics::SecretChanges { endpoint, ..store::fabrics::SecretChanges::default() };
    let (spec, now) = (bed.spec.clone(), jiff::Timestamp::now());
    bed.front.take_calls();
    bed.store.fabrics().update(&Scope::System, bed.id, fabric.version, &spec, &secrets, now).await.unwrap();
    bed.engine.fabric_saved(bed.id).await;
    bed.until("in sync by itself", |o| o.sync_status == SyncState::InSync).await;
    // The streams are new ones under the new token, and they alone tell what happens next.
    bed.watched().await;
    bed.front.take_calls();
    bed.drift_is_seen(1002).await;
    assert_eq!(bed.lists(), Vec::<String>::new(), "the streams told it");
    bed.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_stays_fresh_by_the_streams_alone() {
    let bed = Bed::start(|settings| {
        settings.compare_interval = Duration::from_secs(70);
        settings.freshness = Duration::from_secs(200);
    })
    .await;
    bed.front.take_calls();
    let before = bed.overview().await;
    // A bookmark comes about once a minute for each kind; the oldest of them is the evidence.
    eventually(Duration::from_secs(150), "the evidence is younger", async || {
        let now = bed.overview().await;
        if now.status.evidence_at > before.status.evidence_at { Ok(()) } else { Err(format!("{:?}", now.status)) }
    })
    .await
    .unwrap();
    assert_eq!(bed.overview().await.sync_status, SyncState::InSync);
    assert_eq!(bed.lists(), Vec::<String>::new());
    bed.engine.stop().await;
}
