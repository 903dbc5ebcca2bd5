//! What the pages show: counts count, forms keep what they hold. That links resolve and states agree is walked by verify:
//! `http_verify`.

use crate::world::{Fabric, NAMESPACES, vpc, world};
use anyhow::{Context, Result};
use testkit::Access;

async fn synced() -> Result<Fabric> {
    let mut fabric = Fabric::add().await?;
    fabric.commit(&[("namespaces.yaml", Some(NAMESPACES)), ("one.yaml", Some(&vpc("vpc-01", 1, 1001)))]).await?;
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    Ok(fabric)
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_23_delete_lists_dependents_and_asks_for_the_name() -> Result<()> {
    let mut fabric = synced().await?;
    let (id, name) = (fabric.id, fabric.name.clone());
    let path = format!("/fabrics/{id}/delete/");
    let page = fabric.user.visit(&path).await?;
    let text = page.visible_text();
    for dependents in ["Operations", "Comparisons", "Objects", "Credentials", "Repository"] {
        assert!(text.contains(dependents), "{dependents}: {text}");
    }
    let wrong = fabric.user.submit(&page, "form.form", &[("confirm", "something else")]).await?;
    assert_eq!(wrong.status, 422);
    assert_eq!(fabric.page().await?.status, 200, "nothing was deleted");
    let answer = fabric.user.submit(&page, "form.form", &[("confirm", &name)]).await?;
    assert_eq!(answer.location().as_deref(), Some("/fabrics/"), "{}", answer.visible_text());
    assert_eq!(fabric.user.get(&format!("/fabrics/{id}/")).await?.status, 404);
    assert!(fabric.live("VPC", "vpc-01").await?.is_some(), "the cluster is not touched");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_24_every_field_round_trips_and_saving_unchanged_changes_nothing() -> Result<()> {
    let fields = [("description", "Two spines & <four> \"leaves\""), ("deadline_minutes", "30"), ("path", "fabric/a")];
    let mut fabric = Fabric::add_with(&fields).await?;
    let path = format!("/fabrics/{}/edit/", fabric.id);
    let before = fabric.user.visit(&path).await?;
    let form = before.form("form.form")?;
    let expected = [("name", fabric.name.as_str()), ("namespace", &fabric.name), ("branch", "main")];
    for (field, value) in fields.iter().chain(&expected) {
        assert_eq!(form.value(field).as_deref(), Some(*value), "{field}");
    }
    for secret in ["kubeconfig", "source_token"] {
        assert_eq!(form.value(secret).as_deref(), Some(""), "{secret} is never shown");
    }
    assert!(!before.body.contains("git-token-1"));
    let saved = fabric.user.submit(&before, "form.form", &[]).await?;
    assert_eq!(saved.status, 303, "{}", saved.visible_text());
    let after = fabric.user.visit(&path).await?.form("form.form")?;
    let kept = |form: &testkit::Form| -> Vec<(String, String)> {
        let passing = ["csrfmiddlewaretoken", "version"];
        form.fields().into_iter().filter(|(name, _)| !passing.contains(&name.as_str())).collect()
    };
    assert_eq!(kept(&form), kept(&after));
    assert_eq!(fabric.press("test_connection").await?["state"], "succeeded", "the stored secrets were kept");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_29_the_operation_names_code_object_and_message_of_every_failure() -> Result<()> {
    let plane = &world().await.plane;
    let user = plane.token_user("lesson-29", &Access::writer().read_only("vpcs")).await?;
    let kubeconfig = plane.kubeconfig(&plane.url(), &user.token);
    let mut fabric = Fabric::add_with(&[("kubeconfig", &kubeconfig)]).await?;
    let [one, two, three] = [1, 2, 3].map(|n| vpc(&format!("vpc-0{n}"), n, 1000 + u16::from(n)));
    fabric
        .commit(&[
            ("n.yaml", Some(NAMESPACES)),
            ("1.yaml", Some(&one)),
            ("2.yaml", Some(&two)),
            ("3.yaml", Some(&three)),
        ])
        .await?;
    let ended = fabric.press("sync_to_kubernetes").await?;
    assert_ne!(ended["state"], "succeeded", "{ended}");
    let page = fabric.user.visit(ended["url"].as_str().context("its address")?).await?;
    let rows = page.texts("tr[data-object]");
    for name in ["vpc-01", "vpc-02", "vpc-03"] {
        let row = rows.iter().find(|row| row.contains(name)).with_context(|| format!("{name}: {rows:?}"))?;
        assert!(row.contains("kubernetes_forbidden"), "{row}");
        assert!(fabric.live("VPC", name).await?.is_none());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_26_and_36_filters_pages_and_counters_count_what_the_cluster_holds() -> Result<()> {
    let mut fabric = Fabric::add().await?;
    let many: Vec<String> = (1..=60).map(|n| vpc(&format!("vpc-{n:02}"), n, 1000 + u16::from(n))).collect();
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("v.yaml", Some(&many.join("---\n")))]).await?;
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    let list = format!("/fabrics/{}/objects/", fabric.id);
    let all = fabric.user.visit(&format!("{list}?kind=VPC.vpc.githedgehog.com&sort=name")).await?;
    assert_eq!(all.texts("main tbody tr").len(), 50);
    assert!(all.visible_text().contains("VPC (60)"), "{}", all.visible_text());
    let second = fabric.user.visit(&format!("{list}?kind=VPC.vpc.githedgehog.com&sort=name&page=2")).await?;
    assert_eq!(second.texts("main tbody tr").len(), 10);
    assert!(second.texts("main tbody tr")[9].contains("vpc-60"));
    let named = fabric.user.visit(&format!("{list}?name=vpc-1")).await?;
    assert_eq!(named.texts("main tbody tr").len(), 10);
    let down = fabric.user.visit(&format!("{list}?kind=VPC.vpc.githedgehog.com&sort=-name")).await?;
    assert!(down.texts("main tbody tr")[0].contains("vpc-60"));
    assert!(fabric.user.visit(&format!("{list}?state=missing")).await?.texts("main tbody tr").is_empty());
    let live = fabric.kubectl(&["get", "vpcs", "-o", "name"]).await?;
    assert_eq!(live.lines().count(), 60);
    let counts = fabric.page().await?.texts("section[data-live=counts] tbody tr");
    let row = counts.iter().find(|row| row.starts_with("VPC ")).with_context(|| format!("{counts:?}"))?;
    assert!(row.split(' ').any(|cell| cell == "60"), "{row}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_predecessors_sync_address_waits_and_says_success_only_when_verified() -> Result<()> {
    let mut fabric = Fabric::add().await?;
    fabric.commit(&[("namespaces.yaml", Some(NAMESPACES)), ("one.yaml", Some(&vpc("vpc-01", 1, 1001)))]).await?;
    let path = format!("/plugins/hedgehog/api/fabrics/{}/sync/", fabric.id);
    let back = fabric.user.get(&path).await?;
    assert_eq!(back.location(), Some(format!("/fabrics/{}/", fabric.id)));
    let page = fabric.page().await?;
    let csrf = page.attribute("meta[name=csrf-token]", "content")?.context("a token")?;
    let answer = fabric.user.script("POST", &path, &[("X-CSRFToken", &csrf)], Some("{}")).await?;
    assert_eq!((answer.status, answer.json()?["success"].as_bool()), (200, Some(true)), "{}", answer.body);
    assert!(answer.body.len() < 20_000, "lesson 51: the answer is bounded");
    assert!(fabric.live("VPC", "vpc-01").await?.is_some());
    Ok(())
}
