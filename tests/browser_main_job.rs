//! The first sync of a new fabric in Chromium: added by the form, watched without a reload, and judged by what a client of
//! the test's own reads from the cluster. What comes after it is walked by verify: `browser_verify`.

use crate::browser_tab::Tab;
use crate::world::{Fabric, NAMESPACES, vpc, world};
use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The fields of one manifest that the cluster must hold, by the kind that the client knows it under.
fn expected() -> Vec<(&'static str, &'static str, Value)> {
    let vpc = |octet: u8, vlan: u16| {
        let (subnet, gateway) = (format!("10.0.{octet}.0/24"), format!("10.0.{octet}.1"));
        json!({"ipv4Namespace": "default", "vlanNamespace": "default",
            "subnets": {"default": {"subnet": subnet, "gateway": gateway, "vlan": vlan}}})
    };
    vec![
        ("IPv4Namespace", "default", json!({"subnets": ["10.0.0.0/16"]})),
        ("VLANNamespace", "default", json!({"ranges": [{"from": 1000, "to": 2999}]})),
        ("VPC", "vpc-01", vpc(1, 1001)),
        ("VPC", "vpc-02", vpc(2, 1002)),
    ]
}

async fn cluster_equals_git(fabric: &Fabric) -> Result<()> {
    for (kind, name, spec) in expected() {
        let live = fabric.live(kind, name).await?.with_context(|| format!("{kind} {name} is in the cluster"))?;
        assert_eq!(live["spec"], spec, "{kind} {name}");
    }
    Ok(())
}

/// Presses a button and waits for the answer in place: the operation ended and succeeded.
async fn press(tab: &Tab, button: &str) -> Result<()> {
    tab.click(button).await?;
    tab.says(
        "[data-press-group] .answer[data-answer='good'], [data-press-group] .answer[data-answer='bad']",
        "succeeded",
    )
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_the_main_job() -> Result<()> {
    let world = world().await;
    let (name, _) = Fabric::place().await?;
    let (one, two) = (vpc("vpc-01", 1, 1001), vpc("vpc-02", 2, 1002));
    let files = [("namespaces.yaml", Some(NAMESPACES)), ("vpcs/one.yml", Some(&*one)), ("vpcs/two.yaml", Some(&*two))];
    world.git.commit(&name, "main", &files, "Begin the network").await?;

    let tab = Tab::start(world.console.url()).await?;
    tab.login("/fabrics/add/", "admin", &world.password).await?;
    tab.type_into("#id_name", &name).await?;
    tab.choose("#id_cluster_kind", "kubeconfig").await?;
    tab.paste("#id_kubeconfig", &world.plane.kubeconfig_admin()).await?;
    tab.type_into("#id_namespace", &name).await?;
    tab.type_into("#id_source_url", &world.git.url(&name)).await?;
    tab.choose("#id_credential_kind", "token").await?;
    tab.type_into("#id_source_username", "hedgerow").await?;
    tab.type_into("#id_source_token", "git-token-1").await?;
    tab.click("form.form button.primary").await?;
    let id = tab.find("#sync-now-btn").await?.attr("data-fabric-id").await?.context("the button names its fabric")?;
    let mut fabric = Fabric { id: id.parse()?, name: name.clone(), user: world.admin().await? };
    let path = format!("/fabrics/{id}/");
    tab.at(&path).await?;

    tab.mark().await?;
    press(&tab, "#sync-from-git-btn").await?;
    tab.says("[data-live='head'] .sentence", "4 not delivered").await?;
    let differs = tab.says("[data-live='differs']", "vpc-02").await?;
    assert!(differs.contains("vpc-01") && differs.contains("Not delivered"), "{differs}");
    assert!(fabric.live("VPC", "vpc-01").await?.is_none(), "nothing was written yet");

    // Progress comes into the page, and so does the end.
    tab.script(
        "window.told = new Set(); new MutationObserver(() => { for (const each of \
         document.querySelectorAll('.answer-text p:first-child')) window.told.add(each.textContent); }) \
         .observe(document.body, {subtree: true, childList: true, characterData: true})",
    )
    .await?;
    press(&tab, "#sync-now-btn").await?;
    tab.says("[data-live='head'] .head-title", "In sync").await?;
    let told = tab.script("return [...window.told]").await?;
    let lines = told.as_array().context("what was told")?.iter().filter_map(Value::as_str);
    // The answer to the press before may still stand there when the watching begins.
    let lines: Vec<&str> = lines.skip_while(|line| line.starts_with("Sync from Git")).collect();
    assert_eq!(lines.first(), Some(&"Sent. Waiting for the answer."), "answered at once, in place: {told}");
    assert!(lines.iter().any(|line| line.starts_with("Sync to Kubernetes: ")), "what it is doing: {told}");
    assert_eq!(lines.last(), Some(&"Sync to Kubernetes succeeded."), "{told}");
    tab.not_reloaded().await?;
    cluster_equals_git(&fabric).await?;
    assert_eq!(fabric.status().await?["sync_status"], "in_sync");

    tab.no_complaints("the main job", &[]).await
}
