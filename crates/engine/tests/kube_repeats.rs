//! The engine against a real kube-apiserver, asked the same again: what it leaves out the second time, and what it
//! notices all the same.

#![allow(clippy::unwrap_used, reason = "a fixture that fails is a test that fails")]

use engine::{Engine, Request, Settings};
use model::ObjectKey;
use model::compare::ObjectState;
use model::operation::{OperationState, Trigger, Verb};
use secrecy::SecretString;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use store::objects::ObjectDetail;
use store::{Cluster, FabricSecrets, FabricSpec, NewFabric, Scope, Sealed, Source, Store};
use testkit::{ApiFront, ControlPlane};

const VPC: &str = "apiVersion: vpc.githedgehog.com/v1beta1
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

/// An engine with one fabric, whose cluster stands behind a door that counts.
struct Bed {
    engine: Engine,
    store: Store,
    id: i64,
    front: ApiFront,
    plane: ControlPlane,
    _folder: tempfile::TempDir,
}

impl Bed {
    async fn start() -> Self {
        let plane = ControlPlane::start().await.unwrap();
        plane.install_crds(&lab::kinds::crds()).await.unwrap();
        let front = ApiFront::start(&plane).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("h.db").to_str().unwrap()).await.unwrap();
        let id = store.fabrics().reserve_id().await.unwrap();
        let spec = FabricSpec {
            name: "lab".into(),
            cluster: Cluster::Kubeconfig,
            source: Source::Local,
            ..FabricSpec::default()
        };
        let kubeconfig = plane.kubeconfig(&front.url(), plane.admin_token());
        let secrets = FabricSecrets { kubeconfig: Some(Sealed(kubeconfig.into_bytes())), ..FabricSecrets::default() };
        store.fabrics().create(&Scope::System, NewFabric { id, spec, secrets }, jiff::Timestamp::now()).await.unwrap();
        let place = folder.path().join("sources").join(format!("fabric-{id}.git"));
        let config = source::Config { remote: None, branch: "main".into(), path: String::new(), allow_file: false };
        let repository = source::Repository::open(&place, config).await.unwrap();
        let author = source::Author { name: "t".into(), email: "t@example.com".into() };
        let change = source::Change { path: "vpc.yaml".into(), content: Some(VPC.into()) };
        repository.commit(&[change], &author, "A VPC", None).await.unwrap();
        let unseal: engine::Unseal =
            Arc::new(|_, _, sealed| Ok(SecretString::from(String::from_utf8(sealed.0.clone()).unwrap())));
        // The background comparison and the watches would count among the readings.
        let settings = Settings {
            compare_interval: Duration::from_secs(24 * 3600),
            watch: false,
            ..Settings::new(folder.path().into())
        };
        let engine = Engine::start(store.clone(), unseal, settings, Arc::new(jiff::Timestamp::now)).await.unwrap();
        let bed = Self { engine, store, id, front, plane, _folder: folder };
        testkit::eventually(Duration::from_secs(60), "the first comparison", async || {
            match bed.store.comparisons().latest(id).await.unwrap() {
                Some(comparison) if comparison.code.is_none() => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await
        .unwrap();
        bed
    }

    async fn run(&self, verb: Verb) {
        let request = Request {
            fabric_id: self.id,
            verb,
            actor: "tester".into(),
            actor_user_id: None,
            trigger: Trigger::Script,
            request_id: "test".into(),
            idempotency_key: None,
            shown_comparison: None,
            options: model::sync_options::SyncOptions::default(),
        };
        let asked = self.engine.request(request).await.unwrap();
        let done = self.engine.wait(asked.operation.id, Duration::from_secs(60)).await.unwrap();
        assert_eq!(done.state, OperationState::Succeeded, "{verb}: {:?} {}", done.code, done.message);
    }

    async fn vpc(&self) -> ObjectDetail {
        self.store
            .objects()
            .get(self.id, &ObjectKey::new("vpc.githedgehog.com", "VPC", "default", "vpc-01"))
            .await
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_no_switch_has_to_follow_reads_the_cluster_twice() {
    let bed = Bed::start().await;
    bed.front.take_calls();
    bed.run(Verb::SyncToKubernetes).await;
    let calls = bed.front.take_calls();
    let lists = |plural: &str| {
        let part = format!("/namespaces/default/{plural}?limit=");
        calls.iter().filter(|call| call.method == "GET" && call.path.contains(&part)).count()
    };
    assert_eq!((lists("vpcs"), lists("connections")), (2, 2), "before and after the writing");
    assert_eq!(lists("agents"), 2, "whether a switch is concerned is known from the second reading");

    // Once more: nothing is written, and one reading proves it.
    bed.run(Verb::SyncToKubernetes).await;
    let calls = bed.front.take_calls();
    let vpcs = calls.iter().filter(|c| c.path.contains("/default/vpcs")).map(|c| c.method.as_str()).collect::<Vec<_>>();
    assert_eq!(vpcs, ["GET"]);
    assert_eq!(bed.vpc().await.brief.state, ObjectState::Equal);
    // What changed in between is seen by that one reading, and written.
    let patch = r#"{"spec":{"subnets":{"default":{"vlan":1002}}}}"#;
    bed.plane.kubectl(&["patch", "vpc", "vpc-01", "--type=merge", "-p", patch]).await.unwrap();
    bed.run(Verb::SyncToKubernetes).await;
    let vpc = bed.plane.client().unwrap().get("VPC", "vpc-01").await.unwrap().unwrap();
    assert_eq!(vpc["spec"]["subnets"]["default"]["vlan"], 1001);
    bed.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_definition_is_noticed_although_commit_and_objects_are_the_same() {
    let bed = Bed::start().await;
    bed.run(Verb::SyncToKubernetes).await;
    bed.run(Verb::SyncFromFabric).await;
    bed.run(Verb::SyncFromFabric).await;
    assert_eq!(bed.vpc().await.brief.state, ObjectState::Equal);

    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/subnets/additionalProperties\
                /properties/vlan/maximum";
    let patch = |op: serde_json::Value| {
        let plane = &bed.plane;
        async move {
            let patch = json!([op]).to_string();
            plane.kubectl(&["patch", "crd", "vpcs.vpc.githedgehog.com", "--type=json", "-p", &patch]).await.unwrap();
        }
    };
    patch(json!({"op": "add", "path": path, "value": 1000})).await;
    bed.run(Verb::SyncFromFabric).await;
    let vpc = bed.vpc().await;
    let said: Vec<_> = vpc.findings.iter().map(|f| (f.rule.as_str(), f.path.as_deref().unwrap_or_default())).collect();
    assert_eq!(said, [("out_of_range", "spec.subnets.default.vlan")]);
    assert_eq!(vpc.brief.state, ObjectState::Unknown, "what Git says is wrong there now");

    patch(json!({"op": "add", "path": path, "value": 4094})).await;
    bed.run(Verb::SyncFromFabric).await;
    let vpc = bed.vpc().await;
    assert_eq!((vpc.brief.state, vpc.findings), (ObjectState::Equal, vec![]));
    bed.engine.stop().await;
}
