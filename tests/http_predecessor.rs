//! The predecessor's addresses, which bookmarks and scripts still call: what they answer, above all when it fails. A
//! failure is never HTTP 200, says what it is in every field that a client may look at, and moves no success.

use crate::world::{Fabric, NAMESPACES, endpoint, token, vpc, world};
use anyhow::{Context, Result};
use serde_json::Value;
use std::time::Duration;
use testkit::{Access, ApiFront, Chaos, ChaosProxy, Page, Rule};

/// Both addresses of Sync under the predecessor's prefix.
fn addresses(id: i64) -> [String; 2] {
    ["", "/api"].map(|part| format!("/plugins/hedgehog{part}/fabrics/{id}/sync/"))
}

/// Posts to an address as a script of the fabric's page does.
async fn post(fabric: &mut Fabric, address: &str) -> Result<Page> {
    let page = fabric.page().await?;
    let csrf = token(&page)?;
    Ok(fabric.user.script("POST", address, &[("X-CSRFToken", &csrf)], Some("{}")).await?)
}

async fn commit(fabric: &Fabric) -> Result<()> {
    let (one, two) = (vpc("vpc-01", 1, 1001), vpc("vpc-02", 2, 1002));
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("1.yaml", Some(&one)), ("2.yaml", Some(&two))]).await?;
    Ok(())
}

/// A fabric whose cluster is reached at this address.
async fn fabric_at(server: &str, token: &str) -> Result<Fabric> {
    let ca = world().await.plane.ca_certificate();
    let fabric = Fabric::add_with(&endpoint(server, token, ca)).await?;
    commit(&fabric).await?;
    Ok(fabric)
}

/// What every failure says, whatever it is: RFC 9457, our own fields, and those of the predecessor's clients.
fn is_problem(answer: &Page, status: u16, code: &str, point: Value, retryable: bool) -> Result<Value> {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("content-type").as_deref(), Some("application/problem+json"), "{code}");
    let said = answer.json()?;
    assert_eq!(said["code"], code, "{said}");
    assert_eq!(said["status"], status, "{said}");
    assert_eq!(said["success"], false, "{said}");
    assert_eq!(said["failure_point"], point, "{said}");
    assert_eq!(said["retryable"], retryable, "{said}");
    assert_eq!(said["instance"], answer.url.path(), "{said}");
    let error = if status == 401 { "authentication_required" } else { code };
    assert_eq!(said["error"], error, "{said}");
    for text in ["type", "title", "detail", "message", "request_id", "what_to_do"] {
        assert!(said[text].as_str().is_some_and(|text| !text.is_empty()), "{text}: {said}");
    }
    assert_eq!(said["detail"], said["message"]);
    assert_eq!(answer.header("x-request-id").as_deref(), said["request_id"].as_str(), "the id is that of the answer");
    match &said["redirect"] {
        Value::Null => assert_ne!(status, 401, "{said}"),
        to => {
            assert_eq!(status, 401, "only a login is somewhere else: {said}");
            assert!(to.as_str().is_some_and(|to| to.starts_with("/login/")), "{said}");
        }
    }
    Ok(said)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_predecessors_addresses_say_that_the_cluster_cannot_be_reached() -> Result<()> {
    let plane = &world().await.plane;
    let proxy = ChaosProxy::start(&plane.address()).await?;
    let user = plane.token_user("predecessor-cut", &Access::writer()).await?;
    let mut fabric = fabric_at(&format!("https://{}", proxy.address()), &user.token).await?;
    // The control: it can be reached, and the same request succeeds.
    let [first, _] = addresses(fabric.id);
    let good = post(&mut fabric, &first).await?;
    assert_eq!((good.status, &good.json()?["success"]), (200, &Value::Bool(true)), "{}", good.body);
    let before = fabric.status().await?["last_success"].clone();
    assert!(before.is_string(), "a success was recorded: {before}");

    proxy.set(Chaos::Cut);
    for address in addresses(fabric.id) {
        let said = is_problem(&post(&mut fabric, &address).await?, 502, "connection_failed", 7.into(), true)?;
        assert_eq!(said["operation"]["state"], "failed", "{said}");
        let seen = fabric.user.visit(said["operation"]["url"].as_str().context("an address")?).await?;
        assert!(seen.visible_text().contains("connection_failed"), "the page says the same");
    }
    assert_eq!(fabric.status().await?["last_success"], before, "the last success stays what it was");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_predecessors_addresses_say_that_the_token_is_refused() -> Result<()> {
    let plane = &world().await.plane;
    let user = plane.token_user("predecessor-revoked", &Access::writer()).await?;
    let mut fabric = fabric_at(&plane.url(), &user.token).await?;
    plane.revoke(&user).await?;
    for address in addresses(fabric.id) {
        let said = is_problem(&post(&mut fabric, &address).await?, 502, "kubernetes_unauthorized", 9.into(), false)?;
        assert!(said["what_to_do"].as_str().is_some_and(|todo| todo.contains("token")), "{said}");
    }
    assert!(fabric.live("VPC", "vpc-01").await?.is_none());
    assert_eq!(fabric.status().await?["last_success"], Value::Null);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_predecessors_addresses_name_the_object_that_was_refused() -> Result<()> {
    let plane = &world().await.plane;
    let front = ApiFront::start(plane).await?;
    let user = plane.token_user("predecessor-refused", &Access::writer()).await?;
    let mut fabric = fabric_at(&front.url(), &user.token).await?;
    let reason = "VPC.vpc.githedgehog.com \"vpc-01\" is invalid: spec.subnets: Forbidden: the subnet is not yours";
    front.add(Rule::on("POST", "/vpcs?").answer(422, "Invalid", reason));
    for address in addresses(fabric.id) {
        let said = is_problem(&post(&mut fabric, &address).await?, 422, "kubernetes_rejected", 9.into(), false)?;
        let text = said.to_string();
        assert!(text.contains("vpc-0") && text.contains("the subnet is not yours"), "object and reason: {said}");
        assert!(fabric.live("VPC", "vpc-01").await?.is_none());
        assert!(fabric.live("IPv4Namespace", "default").await?.is_some(), "what was not refused is done");
    }
    assert_eq!(fabric.status().await?["sync_status"], "error");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_predecessors_addresses_are_honest_about_what_is_not_over_yet() -> Result<()> {
    let plane = &world().await.plane;
    let front = ApiFront::start(plane).await?;
    let user = plane.token_user("predecessor-slow", &Access::writer()).await?;
    let mut fabric = fabric_at(&front.url(), &user.token).await?;
    front.add(Rule::on("GET", "/vpcs?").delay(Duration::from_secs(2)));
    for address in addresses(fabric.id) {
        let answer = post(&mut fabric, &format!("{address}?wait=1")).await?;
        let said = answer.json()?;
        assert_eq!((answer.status, &said["success"]), (202, &Value::Null), "neither success nor failure: {said}");
        assert_eq!(said["operation"]["success"], Value::Null);
        assert!(["queued", "running"].contains(&said["operation"]["state"].as_str().unwrap_or_default()), "{said}");
        let place = said["operation"]["url"].as_str().context("an address")?.to_owned();
        assert_eq!(fabric.ended(&place).await?["state"], "succeeded");
    }
    assert!(fabric.live("VPC", "vpc-02").await?.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_predecessors_addresses_refuse_who_may_not_ask() -> Result<()> {
    let mut fabric = Fabric::add().await?;
    commit(&fabric).await?;
    let mut nobody = world().await.console.visitor()?;
    for address in addresses(fabric.id) {
        let on = format!("{}/fabrics/{}/", world().await.console.url(), fabric.id);
        let stranger = nobody.script("POST", &address, &[("Referer", &on)], Some("{}")).await?;
        let said = is_problem(&stranger, 401, "authentication_required", 5.into(), false)?;
        let back = format!("/login/?next=%2Ffabrics%2F{}%2F", fabric.id);
        assert_eq!(said["redirect"], back, "the login leads back to the page that asked");
        let forged = fabric.user.script("POST", &address, &[("X-CSRFToken", "nonsense")], Some("{}")).await?;
        is_problem(&forged, 403, "csrf_failed", 4.into(), false)?;
        let missing = address.replace(&fabric.id.to_string(), "999999");
        is_problem(&post(&mut fabric, &missing).await?, 404, "not_found", Value::Null, false)?;
    }
    assert!(fabric.live("VPC", "vpc-01").await?.is_none(), "nothing was written");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_predecessors_addresses_say_why_there_is_nothing_to_sync_to() -> Result<()> {
    let mut without = Fabric::add_with(&[("cluster_kind", "none"), ("kubeconfig", "")]).await?;
    let mut off = Fabric::add_with(&[("sync_enabled", "off")]).await?;
    commit(&off).await?;
    for (fabric, code, point) in [(&mut without, "not_configured", 7.into()), (&mut off, "sync_disabled", Value::Null)]
    {
        for address in addresses(fabric.id) {
            is_problem(&post(fabric, &address).await?, 422, code, point.clone(), false)?;
        }
        let status = if code == "sync_disabled" { "disabled" } else { code };
        assert_eq!(fabric.status().await?["sync_status"], status);
    }
    assert!(off.live("VPC", "vpc-01").await?.is_none(), "switched off is switched off");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_predecessors_bookmarks_lead_to_the_fabric() -> Result<()> {
    let mut fabric = Fabric::add().await?;
    commit(&fabric).await?;
    let own = format!("/fabrics/{}/", fabric.id);
    for address in addresses(fabric.id) {
        for answer in [fabric.user.get(&address).await?, fabric.user.script("GET", &address, &[], None).await?] {
            assert_eq!(answer.location().as_deref(), Some(&*own), "{address}: {}", answer.status);
        }
    }
    let bookmark = fabric.user.visit(&format!("/plugins/hedgehog/fabrics/{}/", fabric.id)).await?;
    assert_eq!(bookmark.status, 200);
    assert_eq!(bookmark.attribute("#sync-now-btn", "data-fabric-id")?, Some(fabric.id.to_string()));
    let operations = fabric.user.visit(&format!("{own}operations/")).await?;
    assert_eq!(operations.texts("td.name a"), Vec::<String>::new(), "looking starts nothing");

    // The form of that page works there, too.
    let pressed = fabric.user.submit(&bookmark, "#sync-now-btn", &[]).await?;
    let place = pressed.location().with_context(|| pressed.visible_text())?;
    assert_eq!(fabric.ended(&place).await?["state"], "succeeded");
    assert!(fabric.live("VPC", "vpc-01").await?.is_some());
    Ok(())
}
