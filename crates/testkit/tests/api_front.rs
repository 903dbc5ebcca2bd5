//! The door passes on what it is not told to touch, and does to the rest what it was told, when it was told.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use testkit::{ApiFront, ControlPlane, KubeClient, Rule, kubectl};

const NAMESPACES: &str = "/api/v1/namespaces";

async fn front(cluster: &ControlPlane) -> Result<(ApiFront, KubeClient)> {
    let front = ApiFront::start(cluster).await?;
    let client = KubeClient::new(&front.url(), cluster.ca_certificate(), Some(cluster.admin_token()))?;
    Ok((front, client))
}

#[tokio::test]
async fn requests_fail_as_ordered() -> Result<()> {
    let cluster = ControlPlane::pool().await?;
    let (front, client) = front(&cluster).await?;
    // Untouched: kubectl works through it, and everything is noted.
    let config = cluster.kubeconfig(&front.url(), cluster.admin_token());
    let names = kubectl(&config, &["get", "namespaces", "-o", "name"], None).await?;
    assert!(String::from_utf8_lossy(&names.stdout).contains("namespace/kube-system"));
    let asked = front.take_calls();
    assert!(asked.iter().any(|call| call.path.starts_with(NAMESPACES) && call.status == 200), "{asked:?}");

    // From the second on, and twice only.
    front.add(Rule::on("GET", NAMESPACES).after(1).times(2).unauthorized());
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(client.request("GET", NAMESPACES, None).await?.status);
    }
    assert_eq!(seen, [200, 401, 401, 200]);
    assert_eq!(front.take_calls().iter().map(|call| call.status).collect::<Vec<_>>(), seen);

    front.clear();
    front.add(Rule::on("*", NAMESPACES).delay(Duration::from_millis(300)));
    let started = Instant::now();
    assert_eq!(client.request("GET", NAMESPACES, None).await?.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(300));

    front.clear();
    front.add(Rule::on("GET", NAMESPACES).hang());
    let hung = tokio::time::timeout(Duration::from_secs(1), client.request("GET", NAMESPACES, None)).await;
    assert!(hung.is_err(), "it answered");
    assert_eq!(client.request("GET", "/version", None).await?.status, 200, "another path is not touched");

    front.clear();
    front.add(Rule::on("GET", NAMESPACES).throttle(7));
    assert_eq!(client.request("GET", NAMESPACES, None).await?.body["reason"], "TooManyRequests");
    Ok(())
}

#[tokio::test]
async fn a_broken_off_answer_was_carried_out() -> Result<()> {
    let cluster = ControlPlane::pool().await?;
    let (front, client) = front(&cluster).await?;
    front.add(Rule::on("POST", "/configmaps").break_off(20));
    let object = json!({"metadata": {"name": "done-all-the-same"}});
    let path = "/api/v1/namespaces/default/configmaps";
    assert!(client.request("POST", path, Some(&object)).await.is_err(), "half an answer was taken for one");
    assert!(cluster.client()?.get("ConfigMap", "done-all-the-same").await?.is_some());
    cluster.client()?.delete("ConfigMap", "done-all-the-same").await
}
