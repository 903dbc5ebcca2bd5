//! What a cluster can do to a sync, and what the user is told: refused tokens, partial rights, nobody at home, another
//! cluster, slow answers.

use crate::world::{Fabric, NAMESPACES, endpoint, vpc, world};
use anyhow::Result;
use testkit::{Access, Chaos, ChaosProxy, ControlPlane};

async fn commit_two(fabric: &Fabric) -> Result<()> {
    let one = vpc("vpc-01", 1, 1001);
    fabric.commit(&[("namespaces.yaml", Some(NAMESPACES)), ("one.yaml", Some(&one))]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_01_after_a_sync_from_fabric_the_objects_listed_equal_the_clusters() -> Result<()> {
    let mut fabric = Fabric::add().await?;
    commit_two(&fabric).await?;
    let two = vpc("vpc-09", 9, 1009);
    world().await.plane.kubectl_output(&["--namespace", &fabric.name, "create", "-f", "-"], Some(&two)).await?;
    assert_eq!(fabric.press("sync_from_fabric").await?["state"], "succeeded");
    let page = fabric.user.visit(&format!("/fabrics/{}/objects/", fabric.id)).await?;
    let text = page.visible_text();
    assert!(text.contains("vpc-09") && text.contains("Only in cluster"), "{text}");
    assert!(fabric.live("VPC", "vpc-09").await?.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_02_a_revoked_token_is_an_error_and_the_last_success_stays() -> Result<()> {
    let plane = &world().await.plane;
    let user = plane.token_user("lesson-02", &Access::writer()).await?;
    let (server, ca) = (plane.url(), plane.ca_certificate());
    let mut fabric = Fabric::add_with(&endpoint(&server, &user.token, ca)).await?;
    commit_two(&fabric).await?;
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    let before = fabric.status().await?;
    plane.revoke(&user).await?;
    for verb in ["sync_from_fabric", "sync_to_kubernetes"] {
        let ended = fabric.press(verb).await?;
        assert_eq!(
            (ended["state"].as_str(), ended["code"].as_str()),
            (Some("failed"), Some("kubernetes_unauthorized"))
        );
    }
    let after = fabric.status().await?;
    assert_eq!(after["sync_status"], "error");
    assert_eq!(after["last_success"], before["last_success"], "a failure does not move the last success");
    assert!(fabric.page().await?.visible_text().contains("kubernetes_unauthorized"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_03_and_41_an_unreachable_cluster_is_a_failure_and_a_healthy_one_runs() -> Result<()> {
    let plane = &world().await.plane;
    let proxy = ChaosProxy::start(&plane.address()).await?;
    let server = format!("https://{}", proxy.address());
    let user = plane.token_user("lesson-03", &Access::writer()).await?;
    let mut fabric = Fabric::add_with(&endpoint(&server, &user.token, plane.ca_certificate())).await?;
    commit_two(&fabric).await?;
    assert_eq!(fabric.press("test_connection").await?["state"], "succeeded");

    // Stored "connected", cluster gone.
    proxy.set(Chaos::Cut);
    let ended = fabric.press("sync_to_kubernetes").await?;
    assert_eq!(
        (ended["state"].as_str(), ended["code"].as_str()),
        (Some("failed"), Some("connection_failed")),
        "{ended}"
    );
    assert!(fabric.live("VPC", "vpc-01").await?.is_none(), "nothing was written");
    assert_eq!(fabric.press("test_connection").await?["state"], "failed");
    assert_eq!(fabric.status().await?["sync_status"], "error");

    // Stored "failed", cluster healthy: sync runs, and ends the old error (lesson 28).
    proxy.set(Chaos::Pass);
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    assert!(fabric.live("VPC", "vpc-01").await?.is_some());
    assert_eq!(fabric.status().await?["sync_status"], "in_sync");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_04_one_kind_forbidden_is_partial_and_names_the_kind() -> Result<()> {
    let plane = &world().await.plane;
    let user = plane.token_user("lesson-04", &Access::writer().except("ipv4namespaces")).await?;
    let server = plane.url();
    let mut fabric = Fabric::add_with(&endpoint(&server, &user.token, plane.ca_certificate())).await?;
    commit_two(&fabric).await?;
    let read = fabric.press("sync_from_fabric").await?;
    assert_eq!(
        (read["state"].as_str(), read["code"].as_str()),
        (Some("partial"), Some("kubernetes_forbidden")),
        "{read}"
    );
    assert!(read["message"].as_str().is_some_and(|m| m.contains("IPv4Namespace")), "{read}");
    let synced = fabric.press("sync_to_kubernetes").await?;
    assert_eq!((synced["state"].as_str(), synced["code"].as_str()), (Some("partial"), Some("kubernetes_forbidden")));
    assert!(fabric.live("VPC", "vpc-01").await?.is_some(), "what is permitted was done");
    assert!(fabric.live("IPv4Namespace", "default").await?.is_none());
    assert_eq!(fabric.status().await?["sync_status"], "error");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_16_a_good_git_sync_is_a_success_without_a_cluster() -> Result<()> {
    let mut fabric = Fabric::add_with(&[("cluster_kind", "none"), ("kubeconfig", "")]).await?;
    commit_two(&fabric).await?;
    let fetched = fabric.press("sync_from_git").await?;
    assert_eq!(fetched["state"], "succeeded", "{fetched}");
    assert!(fetched["message"].as_str().is_some_and(|m| m.contains("3 objects")), "{fetched}");
    // Lesson 12: nothing is synced with no server configured.
    assert_eq!(fabric.status().await?["sync_status"], "not_configured");
    let synced = fabric.press("sync_to_kubernetes").await;
    assert!(synced.is_err() || synced?["code"] == "not_configured", "there is nothing to sync to");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_20_never_checked_is_never_synced() -> Result<()> {
    let plane = ChaosProxy::start(&world().await.plane.address()).await?;
    plane.set(Chaos::Blackhole);
    let server = format!("https://{}", plane.address());
    let mut fabric = Fabric::add_with(&endpoint(&server, "token", world().await.plane.ca_certificate())).await?;
    assert_eq!(fabric.status().await?["sync_status"], "never_synced");
    let text = fabric.page().await?.visible_text();
    assert!(text.contains("Never synced") && !text.contains("In sync"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_44_another_cluster_behind_the_fabric_blocks_writes_until_confirmed() -> Result<()> {
    let other = ControlPlane::start().await?;
    other.install_crds(&lab::kinds::crds()).await?;
    let mut fabric = Fabric::add().await?;
    let namespace = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": fabric.name}});
    other.client()?.create(&namespace).await?;
    commit_two(&fabric).await?;
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");

    let edit = fabric.user.visit(&format!("/fabrics/{}/edit/", fabric.id)).await?;
    let kubeconfig = other.kubeconfig_admin();
    let answer = fabric.user.submit(&edit, "form.form", &[("kubeconfig", &kubeconfig)]).await?;
    assert_eq!(answer.status, 303, "{}", answer.visible_text());
    let ended = fabric.press("sync_to_kubernetes").await?;
    assert_eq!((ended["state"].as_str(), ended["code"].as_str()), (Some("failed"), Some("cluster_changed")), "{ended}");
    let there = other.client()?;
    let key = format!("{}/vpc-01", fabric.name);
    assert!(there.get("VPC", &key).await?.is_none(), "nothing was written to the other cluster");

    let confirm = fabric.user.visit(&format!("/fabrics/{}/confirm-cluster/", fabric.id)).await?;
    let name = fabric.name.clone();
    let wrong = fabric.user.submit(&confirm, "form.form", &[("confirm", "something else")]).await?;
    assert_ne!(wrong.status, 303, "only the fabric's name confirms");
    let answer = fabric.user.submit(&confirm, "form.form", &[("confirm", &name)]).await?;
    assert_eq!(answer.status, 303, "{}", answer.visible_text());
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    assert!(there.get("VPC", &key).await?.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_50_connection_test_and_sync_agree_about_a_wrong_certificate() -> Result<()> {
    let plane = &world().await.plane;
    let user = plane.token_user("lesson-50", &Access::writer()).await?;
    let other = testkit::tls::Authority::new("somebody else")?;
    let server = plane.url();
    let mut fabric = Fabric::add_with(&endpoint(&server, &user.token, other.certificate())).await?;
    commit_two(&fabric).await?;
    let (test, sync) = (fabric.press("test_connection").await?, fabric.press("sync_to_kubernetes").await?);
    assert_eq!((test["state"].as_str(), sync["state"].as_str()), (Some("failed"), Some("failed")));
    assert_eq!(test["code"], sync["code"]);
    assert!(test["message"].as_str().is_some_and(|m| m.contains("certificate")), "{test}");

    // The control: the right authority, and both succeed.
    let mut fabric = Fabric::add_with(&endpoint(&server, &user.token, plane.ca_certificate())).await?;
    commit_two(&fabric).await?;
    assert_eq!(fabric.press("test_connection").await?["state"], "succeeded");
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    Ok(())
}
