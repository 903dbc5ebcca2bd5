//! Adopting that is refused, by the Git server or by what the objects are: what was done is said, and nothing else is done.

use crate::kube_adopt::{adopt, commit, key, outcomes, review_all, with_vpcs};
use crate::site::text;
use crate::world::{Fabric, database, world};
use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The states and codes of an operation and of one of its objects.
fn ends(operation: &Value) -> (String, String) {
    (text(&operation["state"]), text(&operation["code"]))
}

/// Adopting fails with `source_push_refused` in these words, and changes nothing on the server or in the notes.
async fn is_refused(fabric: &mut Fabric, words: &str) -> Result<()> {
    let world = world().await;
    let before = world.git.in_repo(&fabric.name, &["for-each-ref"]).await?;
    let operation = adopt(&mut fabric.user, fabric.id, &[key(&fabric.name, "vpc-01")]).await?;
    assert_eq!(ends(&operation), ("failed".into(), "source_push_refused".into()), "{operation}");
    assert!(text(&operation["message"]).contains(words), "{operation}");
    let outcomes = outcomes(&mut fabric.user, &operation).await?;
    let outcome = &outcomes["VPC/vpc-01"];
    assert_eq!((&outcome["outcome"], &outcome["code"]), (&json!("not_attempted"), &json!("source_push_refused")));
    let page = fabric.user.visit(&text(&operation["url"])).await?.visible_text();
    assert!(page.contains(words) && !page.contains("git-token-1"), "{page}");
    assert_eq!(world.git.in_repo(&fabric.name, &["for-each-ref"]).await?, before);
    assert_eq!(database(&world.console).await?.adopted().list(fabric.id).await?, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_branch_gets_a_branch_beside_it_and_the_page_says_which() -> Result<()> {
    let world = world().await;
    let mut fabric = Fabric::add().await?;
    with_vpcs(&mut fabric, 1..3).await?;
    let head = world.git.head(&fabric.name, "main").await?;
    world.git.protect(&fabric.name, "main", Some("main takes merge requests only"))?;
    let review = review_all(&mut fabric.user, fabric.id).await?;
    let operation = commit(&mut fabric.user, &review).await?;
    assert_eq!(ends(&operation), ("partial".into(), "source_push_refused".into()), "{operation}");
    let branch = text(&operation["result"]["branch"]);
    assert!(branch.starts_with("hedgerow/adopt-"), "{operation}");
    let page = fabric.user.visit(&text(&operation["url"])).await?.visible_text();
    assert!(page.contains(&branch) && page.contains("main takes merge requests only"), "{page}");
    assert_eq!(world.git.files(&fabric.name, &branch).await?, ["README.md", "vpcs/vpc-01.yaml", "vpcs/vpc-02.yaml"]);
    assert_eq!(world.git.head(&fabric.name, "main").await?, head);
    for (name, outcome) in outcomes(&mut fabric.user, &operation).await? {
        assert_eq!(outcome["verified"], false, "{name} is not in the fabric's branch: {outcome}");
    }
    // As long as nobody merges it, Git does not hold them, and a prune must not take them for adopted.
    assert_eq!(database(&world.console).await?.adopted().list(fabric.id).await?, []);
    let list = fabric.user.visit(&format!("/fabrics/{}/adopt/", fabric.id)).await?;
    assert!(list.text("#review-all").is_some_and(|words| words.ends_with('2')), "{}", list.visible_text());

    // Adopted once more before anybody merged it: the branch that waits is pointed at, and there is no second one.
    let before = world.git.in_repo(&fabric.name, &["for-each-ref"]).await?;
    let keys = [key(&fabric.name, "vpc-01"), key(&fabric.name, "vpc-02")];
    let again = adopt(&mut fabric.user, fabric.id, &keys).await?;
    assert_eq!(ends(&again), ("partial".into(), "source_push_refused".into()), "{again}");
    let said = text(&again["message"]);
    assert!(
        said.contains(&format!("wait on the branch {branch} already")) && said.contains("Nothing was pushed"),
        "{said}"
    );
    assert_eq!(again["result"]["branch"], branch.as_str(), "{again}");
    assert_eq!(world.git.in_repo(&fabric.name, &["for-each-ref"]).await?, before);
    assert_eq!(database(&world.console).await?.adopted().list(fabric.id).await?, []);
    // Something else gets a branch of its own, and the one that waits is named.
    let other = adopt(&mut fabric.user, fabric.id, &keys[..1]).await?;
    assert_ne!(other["result"]["branch"], branch.as_str(), "{other}");
    assert!(text(&other["message"]).contains(&format!("An earlier one waits there, too: {branch}.")), "{other}");

    let merged = text(&operation["result"]["commit"]);
    world.git.in_repo(&fabric.name, &["update-ref", "refs/heads/main", &merged]).await?;
    assert_eq!(fabric.press("sync_from_git").await?["state"], "succeeded");
    assert_eq!(fabric.status().await?["sync_status"], "in_sync");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_refuses_is_quoted_and_nothing_is_changed() -> Result<()> {
    let git = testkit::GitServer::start().await?;
    git.create_repo("own").await?;
    git.commit("own", "main", &[("README.md", Some("Manifests."))], "Begin").await?;
    git.refuse_push(Some("the change window is closed"))?;
    let url = git.url("own");
    let open =
        [("source_url", url.as_str()), ("credential_kind", "none"), ("source_username", ""), ("source_token", "")];
    let mut fabric = Fabric::add_with(&open).await?;
    with_vpcs(&mut fabric, 1..2).await?;
    let before = git.in_repo("own", &["for-each-ref"]).await?;
    is_refused(&mut fabric, "the change window is closed").await?;
    assert_eq!(git.in_repo("own", &["for-each-ref"]).await?, before);
    git.refuse_push(None)?;
    let operation = adopt(&mut fabric.user, fabric.id, &[key(&fabric.name, "vpc-01")]).await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert_eq!(git.files("own", "main").await?, ["README.md", "vpcs/vpc-01.yaml"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_may_only_read_is_said_to_be_one() -> Result<()> {
    world().await.git.add_reader("adopt-reader", "git-token-1");
    let mut fabric = Fabric::add_with(&[("source_username", "adopt-reader")]).await?;
    with_vpcs(&mut fabric, 1..2).await?;
    is_refused(&mut fabric, "but not write to it").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_adopted_is_named_and_the_rest_is_committed() -> Result<()> {
    let world = world().await;
    let mut fabric = Fabric::add().await?;
    with_vpcs(&mut fabric, 1..5).await?;
    // One is made by another object, one is deleted after the page was read.
    let owner = json!({"metadata": {"ownerReferences": [{"apiVersion": "vpc.githedgehog.com/v1beta1",
        "kind": "VPCInterconnect", "name": "dc-2", "uid": "6d1c1e0e-8f1e-4a35-9a52-0b7c4d0a9d11"}]}});
    fabric.kubectl(&["patch", "vpc", "vpc-02", "--type=merge", "-p", &owner.to_string()]).await?;
    assert_eq!(fabric.press("sync_from_fabric").await?["state"], "succeeded");
    let review = review_all(&mut fabric.user, fabric.id).await?;
    assert!(review.visible_text().contains("VPC vpc-02 is left: It belongs to VPCInterconnect dc-2"));
    assert_eq!(review.texts("#adopt-form .choice label"), ["VPC vpc-01", "VPC vpc-03", "VPC vpc-04"]);
    fabric.kubectl(&["delete", "vpc", "vpc-03"]).await?;
    let operation = commit(&mut fabric.user, &review).await?;
    assert_eq!(ends(&operation), ("partial".into(), "not_found".into()), "{operation}");
    assert!(text(&operation["message"]).contains("VPC vpc-03"), "{operation}");
    let all = outcomes(&mut fabric.user, &operation).await?;
    assert_eq!(all["VPC/vpc-03"]["outcome"], "not_attempted", "{all:?}");
    assert_eq!((&all["VPC/vpc-04"]["outcome"], &all["VPC/vpc-04"]["verified"]), (&json!("adopted"), &json!(true)));
    assert_eq!(world.git.files(&fabric.name, "main").await?, ["README.md", "vpcs/vpc-01.yaml", "vpcs/vpc-04.yaml"]);

    // Nothing that can be adopted: nothing is committed, and each has its reason.
    let head = world.git.head(&fabric.name, "main").await?;
    let agent = format!("Agent.agent.githedgehog.com/{}/leaf-01", fabric.name);
    let operation =
        adopt(&mut fabric.user, fabric.id, &[key(&fabric.name, "nobody"), agent, key(&fabric.name, "vpc-02")]).await?;
    assert_eq!(operation["state"], "failed", "{operation}");
    assert!(text(&operation["message"]).starts_with("Nothing was committed."), "{operation}");
    let all = outcomes(&mut fabric.user, &operation).await?;
    let said = |name: &str| text(&all[name]["message"]);
    assert!(said("VPC/nobody").contains("does not hold it"), "{all:?}");
    assert!(said("Agent/leaf-01").contains("not by people"), "{all:?}");
    assert!(said("VPC/vpc-02").contains("VPCInterconnect dc-2"), "{all:?}");
    assert_eq!(world.git.head(&fabric.name, "main").await?, head);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_of_nothing_is_refused_and_commits_nothing() -> Result<()> {
    let world = world().await;
    let mut fabric = Fabric::add().await?;
    with_vpcs(&mut fabric, 1..3).await?;
    let head = world.git.head(&fabric.name, "main").await?;
    let list = fabric.user.visit(&format!("/fabrics/{}/adopt/", fabric.id)).await?;
    let answer = fabric.user.submit(&list, "#review-ticked", &[]).await?;
    assert_eq!(answer.status, 400);
    assert!(answer.visible_text().contains("Nothing is ticked"), "{}", answer.visible_text());
    // All boxes of the review taken off.
    let review = review_all(&mut fabric.user, fabric.id).await?;
    let answer = fabric.user.submit(&review, "#adopt-form button", &[("adopt", "off")]).await?;
    assert_eq!(answer.status, 400);
    assert!(answer.visible_text().contains("No object was chosen"), "{}", answer.visible_text());
    // Names that are none, and the wrong verb.
    for (path, query) in
        [("adopt/?adopt=nonsense", ""), ("adopt/?page=0", ""), ("adopt/?all=1&step=review&name=nobody", "")]
    {
        let answer = fabric.user.get(&format!("/fabrics/{}/{path}{query}", fabric.id)).await?;
        assert_eq!(answer.status, 400, "{path}: {}", answer.visible_text());
    }
    let csrf = crate::world::token(&fabric.page().await?)?;
    let body = json!({ "adopt": [key(&fabric.name, "vpc-01")] }).to_string();
    let path = format!("/fabrics/{}/sync-from-git/", fabric.id);
    let answer = fabric.user.script("POST", &path, &[("X-CSRFToken", &csrf)], Some(&body)).await?;
    assert_eq!((answer.status, text(&answer.json()?["code"])), (400, "invalid_input".into()), "{}", answer.body);
    assert_eq!(world.git.head(&fabric.name, "main").await?, head);
    let operations = fabric.user.visit(&format!("/fabrics/{}/operations/", fabric.id)).await?;
    assert_eq!(
        operations.texts("td.name a").len(),
        1,
        "only the reading of the cluster: {}",
        operations.visible_text()
    );
    operations.attribute("td.name a", "href")?.context("its address").map(drop)
}
