//! The door passes on what it is not told to touch, and does to the rest what it was told, when it was told.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use testkit::{ApiFront, ControlPlane, Gate, KubeClient, Rule, kubectl, tls};

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

#[tokio::test]
async fn a_held_request_waits_and_then_meets_the_rules_of_that_moment() -> Result<()> {
    let cluster = ControlPlane::pool().await?;
    let (front, client) = front(&cluster).await?;
    let gate = Gate::default();
    front.add(Rule::on("GET", NAMESPACES).without("limit=").hold(&gate));
    let meanwhile = async {
        let came = gate.arrived(Duration::from_secs(10)).await?;
        assert_eq!(came, format!("GET {NAMESPACES}"));
        assert_eq!(client.request("GET", "/api/v1/namespaces?limit=1", None).await?.status, 200, "it is not held");
        assert_eq!(front.acted(), 0, "to be held is not counted");
        front.add(Rule::on("GET", NAMESPACES).unauthorized().times(1));
        gate.open();
        anyhow::Ok(())
    };
    let (held, done) = tokio::join!(client.request("GET", NAMESPACES, None), meanwhile);
    done?;
    assert_eq!((held?.status, front.acted()), (401, 1));
    assert_eq!(client.request("GET", NAMESPACES, None).await?.status, 200, "an open gate holds nobody");
    let nobody = Gate::default().arrived(Duration::from_millis(50)).await.unwrap_err();
    assert!(nobody.to_string().contains("no request came"), "{nobody}");
    Ok(())
}

#[tokio::test]
async fn another_certificate_is_met_by_the_next_connection() -> Result<()> {
    let cluster = ControlPlane::pool().await?;
    let (front, before) = front(&cluster).await?;
    assert_eq!(before.request("GET", NAMESPACES, None).await?.status, 200);
    front.set_identity(&tls::Authority::new("a stranger")?.server(&["127.0.0.1"])?)?;
    let token = Some(cluster.admin_token());
    let after = KubeClient::new(&front.url(), cluster.ca_certificate(), token)?;
    assert!(after.request("GET", NAMESPACES, None).await.is_err(), "a stranger was trusted");
    assert_eq!(before.request("GET", NAMESPACES, None).await?.status, 200, "what stands, stands");
    front.set_identity(&cluster.serving_certificate()?)?;
    assert_eq!(after.request("GET", NAMESPACES, None).await?.status, 200);
    Ok(())
}
