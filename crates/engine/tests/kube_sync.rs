//! The engine against a real kube-apiserver: the four verbs, end to end.

use engine::{Disposition, Engine, Request, Settings};
use model::compare::ObjectState;
use model::operation::{OperationState, Trigger, Verb};
use model::status::SyncState;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use store::{Cluster, FabricSecrets, FabricSpec, NewFabric, Scope, Sealed, Source, Store};
use testkit::ControlPlane;

fn request(fabric_id: i64, verb: Verb) -> Request {
    Request {
        fabric_id,
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

#[tokio::test(flavor = "multi_thread")]
async fn sync_makes_the_cluster_equal_and_sees_what_changed_there() {
    let plane = ControlPlane::start().await.unwrap();
    plane.install_crds(&lab::kinds::crds()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("h.db").to_str().unwrap()).await.unwrap();
    let id = store.fabrics().reserve_id().await.unwrap();
    let spec =
        FabricSpec { name: "lab".into(), cluster: Cluster::Kubeconfig, source: Source::Local, ..FabricSpec::default() };
    let secrets =
        FabricSecrets { kubeconfig: Some(Sealed(plane.kubeconfig_admin().into_bytes())), ..FabricSecrets::default() };
    store.fabrics().create(&Scope::System, NewFabric { id, spec, secrets }, jiff::Timestamp::now()).await.unwrap();
    let unseal: engine::Unseal =
        Arc::new(|_, _, sealed| Ok(SecretString::from(String::from_utf8(sealed.0.clone()).unwrap())));

    let repository = source::Repository::open(
        &engine::source_dir(folder.path(), id),
        source::Config { remote: None, branch: "main".into(), path: String::new(), allow_file: false },
    )
    .await
    .unwrap();
    let author = source::Author { name: "t".into(), email: "t@example.com".into() };
    let change = source::Change { path: "vpcs.yaml".into(), content: Some(VPCS.into()) };
    repository.commit(&[change], &author, "VPCs", None).await.unwrap();

    let engine =
        Engine::start(store.clone(), unseal, Settings::new(folder.path().into()), Arc::new(jiff::Timestamp::now))
            .await
            .unwrap();
    let run = async |verb| {
        let asked = engine.request(request(id, verb)).await.unwrap();
        assert_eq!(asked.disposition, Disposition::New);
        let done = engine.wait(asked.operation.id, Duration::from_secs(60)).await.unwrap();
        println!("{verb}: {} {:?} {}", done.state, done.code, done.message);
        for p in &done.phases {
            println!("   {} {} {}/{} {}", p.phase, p.state, p.done, p.total, p.detail);
        }
        done
    };
    assert_eq!(run(Verb::TestConnection).await.state, OperationState::Succeeded);
    assert_eq!(run(Verb::SyncFromGit).await.state, OperationState::Succeeded);
    assert_eq!(run(Verb::SyncToKubernetes).await.state, OperationState::Succeeded);
    let fabric = store.fabrics().get(&Scope::System, id).await.unwrap();
    let overview = engine.overview(&fabric).await.unwrap();
    assert_eq!(overview.sync_status, SyncState::InSync);
    let vpc = plane.client().unwrap().get("VPC", "vpc-01").await.unwrap().unwrap();
    assert_eq!(vpc["spec"]["subnets"]["default"]["vlan"], 1001);
    plane
        .kubectl(&["patch", "vpc", "vpc-01", "--type=merge", "-p", r#"{"spec":{"subnets":{"default":{"vlan":1002}}}}"#])
        .await
        .unwrap();
    assert_eq!(run(Verb::SyncFromFabric).await.state, OperationState::Succeeded);
    let overview = engine.overview(&fabric).await.unwrap();
    assert_eq!(overview.sync_status, SyncState::OutOfSync);
    let key = model::ObjectKey::new("vpc.githedgehog.com", "VPC", "default", "vpc-01");
    let row = store.objects().get(id, &key).await.unwrap();
    assert_eq!(row.brief.state, ObjectState::Modified);
    assert_eq!(row.diffs.iter().map(|d| d.path.as_str()).collect::<Vec<_>>(), ["spec.subnets.default.vlan"]);
    assert_eq!(row.diffs[0].manager.as_deref(), Some("kubectl-patch"));
    assert_eq!(run(Verb::SyncToKubernetes).await.state, OperationState::Succeeded);
    assert_eq!(engine.overview(&fabric).await.unwrap().sync_status, SyncState::InSync);
    let vpc = plane.client().unwrap().get("VPC", "vpc-01").await.unwrap().unwrap();
    assert_eq!(vpc["spec"]["subnets"]["default"]["vlan"], 1001);

    // What a sync that prunes would delete can be shown before anybody asks: what Hedgerow wrote, and what was adopted.
    let second = VPCS.split("---").next().unwrap().replace("vpc-01", "vpc-02").replace("10.0.1", "10.0.2");
    let second = second.replace("1001", "1002");
    let change =
        |content: Option<&str>| source::Change { path: "second.yaml".into(), content: content.map(Into::into) };
    repository.commit(&[change(Some(&second))], &author, "Second", None).await.unwrap();
    assert_eq!(run(Verb::SyncToKubernetes).await.state, OperationState::Succeeded);
    repository.commit(&[change(None)], &author, "Not any more", None).await.unwrap();
    let mut foreign = plane.client().unwrap().get("VPC", "vpc-02").await.unwrap().unwrap();
    foreign["metadata"] = serde_json::json!({"name": "foreign", "namespace": "default"});
    foreign["spec"]["subnets"]["default"] = serde_json::json!({"subnet": "10.0.9.0/24", "vlan": 1009});
    let foreign = plane.client().unwrap().create(&foreign).await.unwrap();
    assert_eq!(run(Verb::SyncFromGit).await.state, OperationState::Succeeded);
    let shown = async || {
        let plan = engine.prune_plan(&fabric).await.unwrap();
        assert!(!plan.is_allowed && plan.hindrance.is_none() && plan.comparison.is_some());
        let going: Vec<_> = plan.plan.deletions.iter().map(|d| (d.key.name.clone(), d.owner.as_str())).collect();
        (going, plan.plan.kept.iter().map(|kept| (kept.key.name.clone(), kept.because.as_str())).collect::<Vec<_>>())
    };
    let ours = ("vpc-02".to_owned(), "applied");
    let kept = ("foreign".to_owned(), "not_ours");
    assert_eq!(shown().await, (vec![ours.clone()], vec![kept.clone()]));
    let mut adopted = store::Adopted {
        key: model::ObjectKey::new("vpc.githedgehog.com", "VPC", "default", "foreign"),
        uid: "another one of that name".into(),
        actor: "tester".into(),
        at: jiff::Timestamp::now(),
    };
    store.adopted().put(id, std::slice::from_ref(&adopted)).await.unwrap();
    assert_eq!(shown().await, (vec![ours.clone()], vec![kept]));
    adopted.uid = foreign["metadata"]["uid"].as_str().unwrap().to_owned();
    store.adopted().put(id, std::slice::from_ref(&adopted)).await.unwrap();
    assert_eq!(shown().await, (vec![("foreign".to_owned(), "adopted"), ours], vec![]));
    engine.stop().await;
}
