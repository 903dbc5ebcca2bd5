//! The played webhooks are asked by the real API server: they default, refuse, and are missed when they are gone.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use testkit::{AGENT_SECRET, AgentMode, Chaos, ControlPlane, Hedgehog, KubeClient, Lease};

fn object(kind: &str, group: &str, name: &str, spec: Value) -> Value {
    let api_version = format!("{group}.githedgehog.com/v1beta1");
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec})
}

fn vpc(name: &str, cidr: &str, vlan: u16) -> Value {
    object("VPC", "vpc", name, json!({"subnets": {"default": {"subnet": cidr, "vlan": vlan}}}))
}

/// A control plane with the project's own definitions, and Hedgehog moved in.
async fn hedgehog() -> Result<(Lease, Hedgehog, KubeClient)> {
    let cluster = ControlPlane::pool().await?;
    cluster.replace_crds(&lab::kinds::crds()).await?;
    let hedgehog = Hedgehog::start(&cluster).await?;
    let client = cluster.client()?;
    client.create(&object("IPv4Namespace", "vpc", "default", json!({"subnets": ["10.0.0.0/16"]}))).await?;
    let ranges = json!({"ranges": [{"from": 1000, "to": 2999}]});
    client.create(&object("VLANNamespace", "wiring", "default", ranges)).await?;
    Ok((cluster, hedgehog, client))
}

#[tokio::test]
async fn objects_are_defaulted_and_refused() -> Result<()> {
    let (_cluster, hedgehog, client) = hedgehog().await?;
    let stored = client.create(&vpc("vpc-1", "10.0.1.0/24", 1001)).await?;
    assert_eq!(stored["spec"]["ipv4Namespace"], "default");
    assert_eq!(stored["spec"]["subnets"]["default"]["gateway"], "10.0.1.1");
    // Known to the webhook by its watch, so in a moment.
    let refused = testkit::eventually(Duration::from_secs(10), "the overlap is seen", || async {
        let path = "/apis/vpc.githedgehog.com/v1beta1/namespaces/default/vpcs?dryRun=All";
        let answer = client.request("POST", path, Some(&vpc("vpc-2", "10.0.1.0/25", 1002))).await?;
        anyhow::ensure!(answer.status == 403, "it was answered {}", answer.status);
        Ok(answer.body["message"].as_str().unwrap_or_default().to_owned())
    })
    .await?;
    assert!(refused.contains(r#"admission webhook "vvpc.kb.io" denied the request"#), "{refused}");
    hedgehog.reject("vpc-3", "not today");
    let refused = client.create(&vpc("vpc-3", "10.0.3.0/24", 1003)).await.unwrap_err().to_string();
    assert!(refused.contains("403") && refused.contains("not today"), "{refused}");
    hedgehog.accept("vpc-3");
    client.create(&vpc("vpc-3", "10.0.3.0/24", 1003)).await?;
    Ok(())
}

#[tokio::test]
async fn writes_fail_while_the_webhooks_are_gone() -> Result<()> {
    let (mut cluster, hedgehog, client) = hedgehog().await?;
    hedgehog.webhooks().set(Chaos::Cut);
    let failed = client.create(&vpc("vpc-1", "10.0.1.0/24", 1001)).await.unwrap_err().to_string();
    assert!(failed.contains("500") && failed.contains("failed calling webhook"), "{failed}");
    hedgehog.webhooks().set(Chaos::Pass);
    client.create(&vpc("vpc-1", "10.0.1.0/24", 1001)).await?;
    hedgehog.webhooks().set(Chaos::Cut);
    cluster.reset().await?;
    assert!(client.list("VPC").await?.is_empty(), "a reset does not depend on the webhooks");
    Ok(())
}

/// A leaf whose every field the webhook asks for is there.
fn leaf(description: &str) -> Value {
    let spec = json!({
        "role": "server-leaf", "description": description, "profile": "dell-s5248f-on", "asn": 65101,
        "ip": "172.30.0.5/21", "protocolIP": "172.30.8.2/32", "vtepIP": "172.30.12.2/32",
        "boot": {"mac": "0c:20:12:ff:01:00"},
    });
    object("Switch", "wiring", "leaf-01", spec)
}

async fn agent_with(client: &KubeClient, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
    testkit::eventually(Duration::from_secs(20), what, || async {
        let agent = client.get("Agent", "leaf-01").await?.context("there is no Agent")?;
        if holds(&agent) {
            Ok(agent)
        } else {
            Err(anyhow::anyhow!("{} {}", agent["metadata"]["generation"], agent["status"]))
        }
    })
    .await
}

fn is_applied(agent: &Value) -> bool {
    agent["status"]["lastAppliedGen"] == agent["metadata"]["generation"]
}

#[tokio::test]
async fn agents_follow_the_objects() -> Result<()> {
    let (_cluster, hedgehog, client) = hedgehog().await?;
    client.create(&leaf("first")).await?;
    let agent = agent_with(&client, "the switch is applied", is_applied).await?;
    assert_eq!(agent["spec"]["switch"]["description"], "first");
    assert_eq!(agent["spec"]["switches"]["leaf-01"]["description"], "first");
    assert!(agent.to_string().contains(AGENT_SECRET));

    hedgehog.set_agent("leaf-01", AgentMode::Stuck);
    client.patch("Switch", "leaf-01", &json!({"spec": {"description": "second"}})).await?;
    let tried = |agent: &Value| agent["status"]["lastAttemptGen"] == 2;
    let agent = agent_with(&client, "it tries", tried).await?;
    assert_eq!(
        (&agent["status"]["lastAppliedGen"], &agent["status"]["conditions"][0]["reason"]),
        (&json!(1), &json!("ApplyPending"))
    );
    hedgehog.set_agent("leaf-01", AgentMode::Working);
    agent_with(&client, "it is applied", is_applied).await?;

    hedgehog.set_agent("leaf-01", AgentMode::Offline);
    let old = |agent: &Value| {
        let heard = agent["status"]["lastHeartbeat"].as_str().unwrap_or_default();
        heard
            .parse::<jiff::Timestamp>()
            .is_ok_and(|at| at < jiff::Timestamp::now() - jiff::SignedDuration::from_mins(9))
    };
    agent_with(&client, "it is offline", old).await?;
    hedgehog.set_agent("leaf-01", AgentMode::Working);
    agent_with(&client, "it is back", |agent| !old(agent)).await?;

    // Nothing tells of this from outside: the Agent is applied, and of yesterday.
    hedgehog.set_controller(false);
    client.patch("Switch", "leaf-01", &json!({"spec": {"description": "third"}})).await?;
    // Twice it is seen to act after the change; the controller acts at the same beat, when it does.
    hedgehog.set_agent("leaf-01", AgentMode::Offline);
    agent_with(&client, "it is offline once more", old).await?;
    hedgehog.set_agent("leaf-01", AgentMode::Working);
    let agent = agent_with(&client, "it is back once more", |agent| !old(agent)).await?;
    assert_eq!(agent["spec"]["switch"]["description"], "second");
    assert!(is_applied(&agent));
    hedgehog.set_controller(true);
    let third = |agent: &Value| agent["spec"]["switch"]["description"] == "third" && is_applied(agent);
    agent_with(&client, "the controller is back", third).await?;
    Ok(())
}
