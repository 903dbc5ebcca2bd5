//! The control plane is real: it stores, refuses, forgets and comes back.

use anyhow::Result;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};
use testkit::{Access, Change, Chaos, ChaosProxy, ControlPlane, KubeClient, kubectl};

/// A kind of our own in one of Hedgehog's groups, so that nothing here needs files.
fn crd(kind: &str, plural: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.vpc.githedgehog.com")},
        "spec": {
            "group": "vpc.githedgehog.com", "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List")},
            "versions": [{
                "name": "v1beta1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                }}},
            }],
        },
    })
}

fn vpc(name: &str, vlan: u32) -> Value {
    json!({
        "apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC", "metadata": {"name": name},
        "spec": {"vlan": vlan},
    })
}

#[tokio::test]
async fn objects_are_stored_read_changed_and_deleted() -> Result<()> {
    let cluster = ControlPlane::pool().await?;
    cluster.replace_crds(&[crd("VPC", "vpcs")]).await?;
    let client = cluster.client()?;
    let made = client.create(&vpc("one", 1001)).await?;
    assert_eq!(made["metadata"]["generation"], 1);
    assert_eq!(client.get("VPC", "one").await?.unwrap()["spec"]["vlan"], 1001);
    client.patch("vpcs", "one", &json!({"spec": {"vlan": 1002}})).await?;
    client.patch_status("VPC", "one", &json!({"ready": true})).await?;
    client.put(&vpc("two", 7)).await?;
    let listed = client.list("vpcs.vpc.githedgehog.com").await?;
    let vlans: Vec<&Value> = listed.iter().map(|one| &one["spec"]["vlan"]).collect();
    assert_eq!(vlans, [1002, 7]);
    assert_eq!(listed[0]["status"]["ready"], true);
    // kubectl is the second eye.
    assert_eq!(cluster.kubectl(&["get", "vpcs", "one", "-o", "jsonpath={.spec.vlan}"]).await?, "1002");
    client.delete("VPC", "one").await?;
    assert_eq!(client.get("VPC", "one").await?, None);
    Ok(())
}

#[tokio::test]
async fn a_watch_tells_what_is_and_what_becomes() -> Result<()> {
    let cluster = ControlPlane::pool().await?;
    cluster.replace_crds(&[crd("VPC", "vpcs")]).await?;
    let client = cluster.client()?;
    client.create(&vpc("early", 1)).await?;
    let changes = client.watch("VPC").await?;
    client.create(&vpc("late", 2)).await?;
    client.patch("VPC", "late", &json!({"spec": {"vlan": 3}})).await?;
    client.delete("VPC", "early").await?;
    let told: Vec<String> = changes
        .take(5)
        .map_ok(|change| match change {
            Change::Put(object) => format!("{} {}", object["metadata"]["name"], object["spec"]["vlan"]),
            Change::Synced => "synced".to_owned(),
            Change::Gone(object) => format!("{} gone", object["metadata"]["name"]),
        })
        .try_collect()
        .await?;
    assert_eq!(told, ["\"early\" 1", "synced", "\"late\" 2", "\"late\" 3", "\"early\" gone"]);
    Ok(())
}

#[tokio::test]
async fn a_stopped_server_comes_back_with_its_data() -> Result<()> {
    let mut cluster = ControlPlane::pool().await?;
    cluster.replace_crds(&[crd("VPC", "vpcs")]).await?;
    let uid = cluster.cluster_uid().await?;
    let client = cluster.client()?;
    client.create(&vpc("kept", 5)).await?;
    cluster.stop_api_server();
    assert!(client.get("VPC", "kept").await.is_err(), "a killed server answered");
    cluster.start_api_server().await?;
    assert_eq!(cluster.client()?.get("VPC", "kept").await?.unwrap()["spec"]["vlan"], 5);
    assert_eq!(cluster.cluster_uid().await?, uid);
    Ok(())
}

#[tokio::test]
async fn users_have_the_rights_they_were_given_and_no_others() -> Result<()> {
    let cluster = ControlPlane::pool().await?;
    cluster.replace_crds(&[crd("VPC", "vpcs"), crd("External", "externals")]).await?;
    cluster.client()?.create(&vpc("one", 1)).await?;
    let reader = cluster.token_user("reader", &Access::reader().except("externals")).await?;
    let theirs = cluster.client_as(&reader.token)?;
    assert_eq!(theirs.list("VPC").await?.len(), 1);
    let denied = theirs.list("External").await.unwrap_err().to_string();
    assert!(denied.contains("403") && denied.contains("externals"), "{denied}");
    assert!(theirs.create(&vpc("two", 2)).await.unwrap_err().to_string().contains("403"));
    cluster.grant(&reader, &Access::writer().read_only("externals")).await?;
    theirs.create(&vpc("two", 2)).await?;
    assert_eq!(theirs.list("External").await?.len(), 0);
    // The very same token, through kubectl.
    let config = cluster.kubeconfig(&cluster.url(), &reader.token);
    let who = kubectl(&config, &["auth", "can-i", "create", "externals.vpc.githedgehog.com"], None).await?;
    assert_eq!(String::from_utf8_lossy(&who.stdout).trim(), "no");
    cluster.revoke(&reader).await?;
    assert!(theirs.list("VPC").await.unwrap_err().to_string().contains("401"));
    Ok(())
}

#[tokio::test]
async fn a_client_certificate_names_its_user() -> Result<()> {
    let cluster = ControlPlane::pool().await?;
    let identity = cluster.client_certificate("someone", &["system:masters"])?;
    let config = cluster.kubeconfig_with_certificate(&identity);
    let who = kubectl(&config, &["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"], None).await?;
    assert_eq!(String::from_utf8_lossy(&who.stdout), "someone", "{}", String::from_utf8_lossy(&who.stderr));
    Ok(())
}

#[tokio::test]
async fn a_reset_leaves_the_definitions_and_nothing_else() -> Result<()> {
    let mut cluster = ControlPlane::pool().await?;
    cluster.replace_crds(&[crd("VPC", "vpcs")]).await?;
    let client = cluster.client()?;
    let mut held = vpc("held", 1);
    held["metadata"]["finalizers"] = json!(["example.test/hold"]);
    client.create(&held).await?;
    client.create(&vpc("free", 2)).await?;
    let user = cluster.token_user("gone", &Access::reader()).await?;
    cluster.reset().await?;
    assert_eq!(client.list("VPC").await?, Vec::<Value>::new());
    assert_eq!(client.get("ServiceAccount", &user.name).await?, None);
    assert_eq!(client.get("ClusterRole", "testkit-gone").await?, None);
    Ok(())
}

#[tokio::test]
async fn two_control_planes_are_two_clusters() -> Result<()> {
    let both = ControlPlane::pool_of(2).await?;
    assert_ne!(both[0].cluster_uid().await?, both[1].cluster_uid().await?);
    let ours = KubeClient::new(&both[0].url(), both[1].ca_certificate(), None)?;
    assert!(ours.request("GET", "/readyz", None).await.is_err(), "the other cluster's CA was trusted");
    Ok(())
}

#[tokio::test]
async fn hedgehogs_definitions_install() -> Result<()> {
    let Some(shared) = testkit::shared_folder() else {
        println!("skipped: ../shared is not here");
        return Ok(());
    };
    let cluster = ControlPlane::pool().await?;
    for folder in ["hedgehog/crds-by-release/v0.96", "hedgehog/crds-by-release/v0.120", "hedgehog/crds"] {
        let definitions = testkit::read_crds(&shared.join(folder))?;
        cluster.replace_crds(&definitions).await?;
        let client = cluster.client()?;
        for definition in &definitions {
            assert_eq!(client.list(definition["metadata"]["name"].as_str().unwrap()).await?.len(), 0);
        }
        assert_eq!(client.list("CustomResourceDefinition").await?.len(), definitions.len(), "{folder}");
    }
    Ok(())
}

#[tokio::test]
async fn a_proxy_stands_in_front() -> Result<()> {
    let cluster = ControlPlane::pool().await?;
    let proxy = ChaosProxy::start(&cluster.address()).await?;
    let url = format!("https://{}", proxy.address());
    let client = KubeClient::new(&url, cluster.ca_certificate(), Some(cluster.admin_token()))?;
    assert!(client.get("Namespace", "kube-system").await?.is_some());
    proxy.set(Chaos::Cut);
    assert!(client.get("Namespace", "kube-system").await.is_err(), "a cut connection answered");
    proxy.set(Chaos::Pass);
    assert!(client.get("Namespace", "kube-system").await?.is_some());
    Ok(())
}
