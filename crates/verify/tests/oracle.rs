//! The oracle of a cluster before a real kube-apiserver: what it reads, and how it says that it could not.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use testkit::{AGENT_SECRET, Access, AgentMode, Chaos, ChaosProxy, ControlPlane, Hedgehog, Lease, eventually};
use verify::oracle::agents::{self, SwitchReading, Verdict, Wanted};
use verify::oracle::{ClusterOracle, Kind, Kubeconfig, OracleError, Snapshot, holds};

const SOON: Duration = Duration::from_secs(30);

fn oracle(kubeconfig: &str) -> Result<ClusterOracle> {
    Ok(ClusterOracle::new(Kubeconfig::parse(kubeconfig, "kubeconfig", Path::new("."), None)?)?)
}

fn object(kind: &str, group: &str, name: &str, spec: Value) -> Value {
    let api_version = format!("{group}.githedgehog.com/v1beta1");
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec})
}

fn vpc(number: u16) -> Value {
    let subnet = json!({"subnet": format!("10.0.{number}.0/24"), "vlan": 1000 + number});
    object("VPC", "vpc", &format!("vpc-{number}"), json!({"subnets": {"default": subnet}}))
}

async fn cluster() -> Result<Lease> {
    let cluster = ControlPlane::pool().await?;
    cluster.replace_crds(&lab::kinds::crds()).await?;
    Ok(cluster)
}

/// Namespaces that VPCs are in, by the webhooks' rules.
async fn prepare(cluster: &ControlPlane) -> Result<()> {
    let client = cluster.client()?;
    client.create(&object("IPv4Namespace", "vpc", "default", json!({"subnets": ["10.0.0.0/16"]}))).await?;
    let ranges = json!({"ranges": [{"from": 1000, "to": 2999}]});
    client.create(&object("VLANNamespace", "wiring", "default", ranges)).await?;
    Ok(())
}

async fn kind(oracle: &ClusterOracle, name: &str) -> Result<Kind> {
    let kinds = oracle.kinds().await?.value;
    kinds.into_iter().find(|kind| kind.kind == name).with_context(|| format!("kind {name} is discovered"))
}

#[tokio::test]
async fn version_identity_kinds_and_rights_are_read() -> Result<()> {
    let cluster = cluster().await?;
    let admin = oracle(&cluster.kubeconfig_admin())?;
    let version = admin.version().await?;
    assert!(version.value.git_version.starts_with("v1."), "{version:?}");
    assert!(version.value.clock_ahead().context("a Date header")?.abs().as_secs() <= 2);
    assert_eq!(version.reading.from, format!("cluster {}", cluster.url()));
    assert_eq!(admin.identity().await?.value, Some(cluster.cluster_uid().await?));
    let vpcs = kind(&admin, "VPC").await?;
    assert_eq!((vpcs.full_name().as_str(), vpcs.version.as_str()), ("vpcs.vpc.githedgehog.com", "v1beta1"));
    assert!(vpcs.namespaced);
    assert!(admin.kinds().await?.value.iter().all(|kind| kind.group.ends_with("githedgehog.com")));
    let reader = cluster.token_user("reader", &Access::reader()).await?;
    let reader = oracle(&cluster.kubeconfig(&cluster.url(), &reader.token))?;
    assert!(reader.can_i("list", &vpcs.group, "vpcs", Some("default")).await?.value.allowed);
    let denied = reader.can_i("patch", &vpcs.group, "vpcs", Some("default")).await?;
    assert!(!denied.value.allowed && denied.reading.asked.contains("patch vpcs.vpc.githedgehog.com"));
    let none = cluster.token_user("none", &Access::none()).await?;
    let none = oracle(&cluster.kubeconfig(&cluster.url(), &none.token))?.identity().await?;
    assert_eq!((none.value, none.reading.found["error"].as_str()), (None, Some("forbidden")));
    let identity = cluster.client_certificate("someone", &["system:masters"])?;
    assert!(oracle(&cluster.kubeconfig_with_certificate(&identity))?.identity().await?.value.is_some());
    Ok(())
}

#[tokio::test]
async fn lists_come_whole_and_objects_by_name() -> Result<()> {
    let cluster = cluster().await?;
    let client = cluster.client()?;
    for number in 0..260 {
        client.create(&object("Server", "wiring", &format!("server-{number:03}"), json!({}))).await?;
    }
    client.create(&vpc(1)).await?;
    let oracle = oracle(&cluster.kubeconfig_admin())?;
    let servers = kind(&oracle, "Server").await?;
    let list = oracle.list(&servers, Some("default")).await?;
    assert_eq!(list.value.len(), 260, "two pages");
    assert_eq!(list.reading.found["count"], 260);
    assert_eq!(oracle.list(&servers, Some("elsewhere")).await?.value.len(), 0);
    let vpcs = kind(&oracle, "VPC").await?;
    let read = oracle.get(&vpcs, Some("default"), "vpc-1").await?;
    assert_eq!(read.value["spec"]["subnets"]["default"]["vlan"], 1001);
    assert_eq!(read.reading.found["spec"], read.value["spec"]);
    for name in ["vpc-2", "..", "", "a/b"] {
        let error = oracle.get(&vpcs, Some("default"), name).await.unwrap_err();
        assert!(matches!(error, OracleError::NotFound { .. }), "{name}: {error}");
        let error = oracle.merge_patch(&vpcs, Some("default"), name, &json!({})).await.unwrap_err();
        assert!(matches!(error, OracleError::NotFound { .. }), "{name}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_dry_run_shows_the_webhooks_hand_and_stores_nothing() -> Result<()> {
    let cluster = cluster().await?;
    let hedgehog = Hedgehog::start(&cluster).await?;
    prepare(&cluster).await?;
    let oracle = oracle(&cluster.kubeconfig_admin())?;
    let vpcs = kind(&oracle, "VPC").await?;
    let desired = vpc(1);
    let pretended = eventually(SOON, "the webhook knows the namespaces", || async {
        oracle.dry_run_apply(&vpcs, Some("default"), &desired).await
    })
    .await?;
    assert_eq!(pretended.value["spec"]["subnets"]["default"]["gateway"], "10.0.1.1");
    assert!(oracle.list(&vpcs, None).await?.value.is_empty(), "nothing was stored");
    assert!(holds::holds(&desired["spec"], &pretended.value["spec"]));
    hedgehog.reject("vpc-1", "not today");
    let error = oracle.dry_run_apply(&vpcs, Some("default"), &desired).await.unwrap_err();
    let refused = matches!(&error, OracleError::Refused { status: 403, message, .. } if message.contains("not today"));
    assert!(refused, "{error}");
    hedgehog.accept("vpc-1");
    cluster.client()?.create(&desired).await?;
    let before = Snapshot::take(&oracle, "default").await?.value;
    let drift = json!({"spec": {"subnets": {"default": {"vlan": 1999}}}});
    oracle.merge_patch(&vpcs, Some("default"), "vpc-1", &drift).await?;
    let live = oracle.get(&vpcs, Some("default"), "vpc-1").await?.value;
    assert!(live["metadata"]["managedFields"].to_string().contains("\"hedgerow-verify\""), "{live}");
    let found = holds::differences(&desired["spec"], &live["spec"]);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].path.as_str(), &found[0].live), ("spec.subnets.default.vlan", &Some(json!(1999))));
    let after = Snapshot::take(&oracle, "default").await?.value;
    let found = Snapshot::differences(&before, &after);
    assert!(found.created.is_empty() && found.deleted.is_empty() && found.touched.is_empty(), "{found:?}");
    assert_eq!((found.changed.len(), found.changed[0].key.to_string().as_str()), (1, "VPC vpc-1"));
    assert_eq!(found.changed[0].spec[0].path, "spec.subnets.default.vlan");
    assert!(found.unchanged.len() > 2, "{found:?}");
    let told = oracle.differences(&vpcs, Some("default"), &desired, &live).await?;
    assert_eq!((told.value.len(), told.value[0].path.as_str()), (1, "spec.subnets.default.vlan"));
    hedgehog.leave().await
}

#[tokio::test]
async fn what_webhooks_rewrite_is_no_difference() -> Result<()> {
    let cluster = cluster().await?;
    let hedgehog = Hedgehog::start(&cluster).await?;
    let oracle = oracle(&cluster.kubeconfig_admin())?;
    let namespaces = kind(&oracle, "VLANNamespace").await?;
    let desired = object("VLANNamespace", "wiring", "a", json!({"ranges": [{"from": 200, "to": 210}, {"from": 100}]}));
    let stored = cluster.client()?.create(&desired).await?;
    assert!(!holds::holds(&desired["spec"], &stored["spec"]), "sorted, and completed: {stored}");
    let told = oracle.differences(&namespaces, Some("default"), &desired, &stored).await?;
    assert_eq!(told.value, [], "the server itself says so");
    let drift = json!({"spec": {"ranges": [{"from": 100, "to": 101}, {"from": 200, "to": 210}]}});
    let live = oracle.merge_patch(&namespaces, Some("default"), "a", &drift).await?.value;
    let told = oracle.differences(&namespaces, Some("default"), &desired, &live).await?;
    assert_eq!((told.value.len(), told.value[0].path.as_str()), (1, "spec.ranges[0].to"));
    assert_eq!(told.reading.found["differences"][0]["live"], 101);
    hedgehog.leave().await
}

#[tokio::test]
async fn a_snapshot_says_what_it_could_not_read() -> Result<()> {
    let cluster = cluster().await?;
    let client = cluster.client()?;
    client.create(&vpc(1)).await?;
    let user = cluster.token_user("partly", &Access::reader().except("externals")).await?;
    let partly = oracle(&cluster.kubeconfig(&cluster.url(), &user.token))?;
    let before = Snapshot::take(&partly, "default").await?;
    let said = &before.value.unread["externals.vpc.githedgehog.com"];
    assert!(said.contains(&cluster.url()) && said.contains("403") && said.contains("list externals"), "{said}");
    assert_eq!(before.value.objects.len(), 1);
    client.delete("VPC", "vpc-1").await?;
    client.create(&vpc(1)).await?;
    client.create(&vpc(2)).await?;
    let after = Snapshot::take(&partly, "default").await?.value;
    let found = Snapshot::differences(&before.value, &after);
    assert_eq!(found.unread, ["externals.vpc.githedgehog.com"]);
    assert!(found.changed[0].recreated && found.changed[0].spec.is_empty(), "{found:?}");
    assert_eq!(found.created.len(), 1);
    let externals = kind(&partly, "External").await?;
    let error = partly.list(&externals, Some("default")).await.unwrap_err();
    assert!(matches!(error, OracleError::Forbidden { .. }), "{error}");
    Ok(())
}

/// What the agents say, by the cluster's clock; and nothing of it shows what they carry.
async fn verdict(oracle: &ClusterOracle, wanted: Wanted<'_>) -> Result<(Verdict, Vec<SwitchReading>)> {
    let agent = kind(oracle, "Agent").await?;
    let now = oracle.version().await?.value.server_time.context("a Date header")?;
    let list = oracle.list(&agent, Some("default")).await?;
    let one = oracle.get(&agent, Some("default"), "leaf-1").await?;
    ensure!(one.value.to_string().contains(AGENT_SECRET), "they do carry secrets");
    let read = agents::read(&list.value, wanted, now);
    let shown = serde_json::to_string(&(&list.reading, &one.reading, &read))?;
    assert!(!shown.contains(AGENT_SECRET), "{shown}");
    Ok((agents::overall(&read), read))
}

#[tokio::test]
async fn agents_tell_what_runs_on_the_switches() -> Result<()> {
    let cluster = cluster().await?;
    let hedgehog = Hedgehog::start(&cluster).await?;
    prepare(&cluster).await?;
    let client = cluster.client()?;
    let profile = client.list("SwitchProfile").await?[0]["metadata"]["name"].clone();
    let switch = json!({
        "role": "server-leaf", "profile": profile, "vlanNamespaces": ["default"], "asn": 65101,
        "ip": "172.30.0.11/21", "protocolIP": "172.30.8.11/32", "vtepIP": "172.30.12.11/32",
        "boot": {"mac": "0c:20:12:ff:00:01"},
    });
    eventually(SOON, "the webhook knows the profile", || async {
        client.put(&object("Switch", "wiring", "leaf-1", switch.clone())).await
    })
    .await?;
    let oracle = oracle(&cluster.kubeconfig_admin())?;
    let live = oracle.get(&kind(&oracle, "Switch").await?, Some("default"), "leaf-1").await?.value;
    let becomes = async |wanted, expected| {
        eventually(SOON, "the verdict", || async {
            let (found, read) = verdict(&oracle, wanted).await?;
            ensure!(found == expected, "{read:?}");
            anyhow::Ok(read)
        })
        .await
    };
    let wanted = Wanted::Object("Switch", "leaf-1", &live["spec"]);
    let read = becomes(wanted, Verdict::Applied).await?;
    assert!(read[0].sentence.starts_with("leaf-1 runs Switch leaf-1, generation "), "{read:?}");
    becomes(Wanted::Gone("VPC", "vpc-1"), Verdict::Applied).await?;
    becomes(Wanted::Gone("Switch", "leaf-1"), Verdict::Pending).await?;
    hedgehog.set_agent("leaf-1", AgentMode::Offline);
    becomes(wanted, Verdict::Silent).await?;
    hedgehog.leave().await
}

#[tokio::test]
async fn each_failure_has_its_class_and_names_the_address() -> Result<()> {
    let cluster = ControlPlane::pool().await?;
    let class = |error: OracleError, expected: &str, address: &str| {
        assert_eq!(error.class(), expected, "{error}");
        assert!(error.to_string().contains(address) && error.to_string().contains("say its version"), "{error}");
    };
    let of = |server: &str, token: &str| oracle(&cluster.kubeconfig(server, token));
    let wrong = of(&cluster.url(), "no-such-token")?;
    class(wrong.version().await.unwrap_err(), "unauthorized", &cluster.url());
    let proxy = ChaosProxy::start(&cluster.address()).await?;
    let address = format!("https://{}", proxy.address());
    let behind = of(&address, cluster.admin_token())?;
    behind.version().await?;
    proxy.set(Chaos::Blackhole);
    class(behind.clone().within(Duration::from_secs(1)).version().await.unwrap_err(), "timeout", &address);
    let fresh = of(&address, cluster.admin_token())?.within(Duration::from_secs(1));
    class(fresh.version().await.unwrap_err(), "timeout", &address);
    proxy.set(Chaos::Cut);
    class(behind.version().await.unwrap_err(), "unreachable", &address);
    let stranger = testkit::tls::Authority::new("somebody-else")?;
    let config = testkit::kubeconfig::with_token(&cluster.url(), stranger.certificate(), cluster.admin_token());
    class(oracle(&config)?.version().await.unwrap_err(), "tls", &cluster.url());
    let nowhere = of("https://no-such-host.invalid:6443", "x")?;
    class(nowhere.version().await.unwrap_err(), "unreachable", "https://no-such-host.invalid:6443");
    Ok(())
}

#[tokio::test]
async fn the_servers_name_and_skipped_checks_work_as_with_kubectl() -> Result<()> {
    let cluster = ControlPlane::pool().await?;
    let config = cluster.kubeconfig_admin();
    let line = config.lines().find(|line| line.contains("certificate-authority-data")).context("a CA")?.to_owned();
    let skipped = config.replace(&line, "    insecure-skip-tls-verify: true");
    oracle(&skipped)?.version().await?;
    let named = config.replace(&line, &format!("{line}\n    tls-server-name: localhost"));
    let read = oracle(&named)?.version().await?;
    assert_eq!(read.reading.from, format!("cluster {}", cluster.url()));
    let named = config.replace(&line, &format!("{line}\n    tls-server-name: other.example"));
    let error = oracle(&named)?.version().await.unwrap_err();
    assert!(matches!(&error, OracleError::Tls { address, .. } if *address == cluster.url()), "{error}");
    Ok(())
}
