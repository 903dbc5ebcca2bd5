//! Hedgehog's webhooks refuse one object of several, or are not there at all.

use crate::site::{Site, fabric_files, text};
use crate::world::vpc;
use anyhow::Result;
use serde_json::json;
use testkit::Chaos;

/// A manifest that attaches a VPC to the server of rack 2.
fn attachment(vpc: &str) -> String {
    format!(
        "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPCAttachment\nmetadata:\n  name: {vpc}--server-02\nspec:\n  \
         subnet: {vpc}/default\n  connection: server-02--unbundled--leaf-03\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_objects_is_refused_in_the_webhooks_words_and_the_others_are_live() -> Result<()> {
    let mut site = Site::start().await?;
    site.commit(&fabric_files()).await?;
    site.synced().await?;

    let words = "the change window is closed";
    site.hedgehog.reject("vpc-12", words);
    let new = [11_u8, 12, 13].map(|n| vpc(&format!("vpc-{n}"), n, 1000 + u16::from(n)));
    let new = [new.join("---\n"), attachment("vpc-12"), attachment("vpc-13")];
    site.write("new.yaml", &new.join("---\n")).await?;
    let (operation, outcomes) = site.sync().await?;
    assert_eq!((&operation["state"], &operation["code"]), (&json!("partial"), &json!("kubernetes_rejected")));
    let refused = &outcomes["VPC/vpc-12"];
    assert_eq!((&refused["outcome"], &refused["verified"]), (&json!("refused"), &json!(false)), "{refused}");
    let said = format!("admission webhook \"vvpc.kb.io\" denied the request: {words}");
    assert!(text(&refused["message"]).contains(&said), "{refused}");
    for name in ["vpc-11", "vpc-13"] {
        let outcome = &outcomes[&format!("VPC/{name}")];
        assert_eq!((&outcome["outcome"], &outcome["verified"]), (&json!("created"), &json!(true)), "{outcome}");
        site.there("VPC", name).await?;
    }
    assert!(site.live("VPC", "vpc-12").await?.is_none());
    assert_eq!(refused["detail"]["webhook"], "vvpc.kb.io", "{refused}");
    // What hangs on it waits for it; what does not is live.
    let hanging = &outcomes["VPCAttachment/vpc-12--server-02"];
    assert_eq!(hanging["outcome"], "waiting_for_reference", "{hanging}");
    assert_eq!(hanging["detail"]["waiting_for"], "VPC vpc-12", "{hanging}");
    assert!(text(&hanging["message"]).contains("vpc vpc-12 not found"), "{hanging}");
    assert_eq!(outcomes["VPCAttachment/vpc-13--server-02"]["verified"], true);
    site.there("VPCAttachment", "vpc-13--server-02").await?;
    assert!(outcomes.values().all(|one| one["outcome"] != "not_attempted"), "{outcomes:?}");
    let page = site.operation_page(&operation).await?;
    assert!(page.visible_text().contains("Partly done"), "{}", page.visible_text());
    let rows = page.texts("tr[data-object]");
    assert!(rows[1].contains("vpc-12--server-02"), "failures stand on top: {rows:?}");
    assert!(
        rows[0].contains("vpc-12") && rows[0].contains(&said) && rows[0].contains("kubernetes_rejected"),
        "{rows:?}"
    );
    let status = site.status().await?;
    assert_eq!(status["sync_status"], "error");
    let accepted = &status["stages"][1];
    let reason = format!("VPC vpc-12 was refused: {said}");
    assert_eq!((&accepted["state"], &accepted["reason"]), (&json!("blocked"), &json!(reason)), "{accepted}");
    assert!(site.page().await?.visible_text().contains(words));

    site.hedgehog.accept("vpc-12");
    site.synced().await?;
    assert_eq!(site.status().await?["stages"][1]["state"], "done");
    site.there("VPC", "vpc-12").await?;
    site.there("VPCAttachment", "vpc-12--server-02").await?;
    assert_eq!(site.status().await?["sync_status"], "in_sync");
    assert!(!site.page().await?.visible_text().contains(words), "the old error ended with the success");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_are_down_are_said_to_be_down_and_nothing_else_is() -> Result<()> {
    let mut site = Site::start().await?;
    site.commit(&fabric_files()).await?;
    site.synced().await?;
    let (before, success) = (site.versions().await?, site.status().await?["last_success"].clone());

    site.hedgehog.webhooks().set(Chaos::Cut);
    let new = [11_u8, 12].map(|n| vpc(&format!("vpc-{n}"), n, 1000 + u16::from(n)));
    site.write("new.yaml", &[new.join("---\n"), attachment("vpc-11")].join("---\n")).await?;
    let (operation, outcomes) = site.sync().await?;
    assert_eq!(
        (&operation["state"], &operation["code"]),
        (&json!("failed"), &json!("kubernetes_webhook_down")),
        "{operation}"
    );
    assert!(text(&operation["message"]).contains("failed calling webhook"), "{operation}");
    assert!(text(&operation["what_to_do"]).contains("fabric controller"), "{operation}");
    for (name, outcome) in &outcomes {
        match name.as_str() {
            "VPC/vpc-11" | "VPC/vpc-12" => {
                assert_eq!(outcome["code"], "kubernetes_webhook_down", "{outcome}");
                assert!(["failed", "not_attempted"].contains(&text(&outcome["outcome"]).as_str()), "{outcome}");
            }
            "VPCAttachment/vpc-11--server-02" => {
                let said = (&outcome["outcome"], &outcome["code"]);
                assert_eq!(said, (&json!("not_attempted"), &json!("kubernetes_webhook_down")), "{outcome}");
                assert!(text(&outcome["message"]).contains("Not tried"), "{outcome}");
            }
            _ => assert_eq!((&outcome["outcome"], &outcome["code"]), (&json!("unchanged"), &json!(null)), "{outcome}"),
        }
    }
    let shown = site.operation_page(&operation).await?.visible_text();
    for wrong in ["forbidden", "unauthorized", "unreachable", "rejected", "refused the token"] {
        assert!(!shown.to_lowercase().contains(wrong), "{wrong}: {shown}");
    }
    assert_eq!(site.versions().await?, before, "nothing was written");
    // The cluster itself is well, and says so.
    assert_eq!(site.press("test_connection").await?["state"], "succeeded");
    assert_eq!(site.press("sync_from_fabric").await?["state"], "succeeded");
    let status = site.status().await?;
    assert_eq!(
        (&status["sync_status"], &status["status"]["code"]),
        (&json!("error"), &json!("kubernetes_webhook_down"))
    );
    assert_eq!(status["last_success"], success, "a failure does not move the last success");

    site.hedgehog.webhooks().set(Chaos::Pass);
    site.synced().await?;
    for name in ["vpc-11", "vpc-12"] {
        site.there("VPC", name).await?;
    }
    assert_eq!(site.status().await?["sync_status"], "in_sync");
    Ok(())
}
