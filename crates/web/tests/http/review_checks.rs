//! The review of a sync: what would stop the run, and what it would delete, is said before the button is pressed, and the
//! run then does exactly that.

use crate::console::{Browser, Console};
use crate::review::{VPC, compared, fields, send, synced, vpcs};
use crate::verbs::{MANIFESTS, follow, with_lab};
use auth::Clock;
use model::policy::Policy;
use serde_json::{Value, json};
use store::fabrics::SecretChanges;
use store::{Cluster, Fabric, FabricSpec, Scope};

const STOPPED: &str = "This run would end before its first write.";

/// A VPC with two subnets, or with its first alone.
fn wide(subnets: u8) -> String {
    let second = if subnets > 1 { "\n    second: {subnet: 10.10.91.0/24, vlan: 1091}" } else { "" };
    format!(
        "---\napiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata: {{name: wide}}\nspec:\n  ipv4Namespace: default\n  \
         vlanNamespace: default\n  subnets:\n    default: {{subnet: 10.10.90.0/24, vlan: 1090}}{second}\n"
    )
}

fn made_by_hand(kind: &str, version: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec})
}

/// The fabric's policy lets a sync delete, up to this share of a hundred without a confirmation.
async fn allow_prune(console: &Console, fabric: &Fabric, percent: u8) {
    let fabrics = console.store.fabrics();
    let stored = fabrics.get(&Scope::System, fabric.id).await.unwrap();
    let policy = Policy { prune: true, prune_limit_percent: percent, ..Policy::default() };
    let spec = FabricSpec { name: stored.name, cluster: Cluster::Kubeconfig, policy, ..FabricSpec::default() };
    let (version, secrets) = (stored.version, SecretChanges::default());
    fabrics.update(&Scope::System, fabric.id, version, &spec, &secrets, console.clock.now()).await.unwrap();
}

async fn run(browser: &mut Browser, fabric: &Fabric, fields: &[(String, String)]) -> Value {
    let answer = send(browser, &format!("/fabrics/{}/sync/", fabric.id), fields, &[]).await;
    follow(browser, answer.header("location")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stops_a_run_is_said_before_it_is_asked_for_and_stops_nothing_that_it_is_not_about() {
    let (lab, console, fabric, mut browser) = with_lab().await;
    console.commit(&fabric, "vpcs/all.yaml", &format!("{MANIFESTS}{}", wide(2))).await;
    synced(&mut browser, &fabric).await;
    let sides = json!({"permit": [{"wide": {"subnets": ["second"]}, "vpc-01": {"subnets": ["default"]}}]});
    let peering = made_by_hand("VPCPeering", "vpc.githedgehog.com/v1beta1", "theirs", sides);
    lab.load([peering], "kubectl-create").unwrap();
    console.commit(&fabric, "vpcs/all.yaml", &format!("{MANIFESTS}{}{}", wide(1), vpcs(3, 3))).await;
    compared(&mut browser, &fabric).await;

    let review = format!("/fabrics/{}/sync/review/", fabric.id);
    let page = browser.open(&review).await;
    let text = page.text();
    assert!(text.contains(STOPPED) && text.contains("VPCPeering theirs"), "{text}");
    assert!(text.contains("Stops the run VPC wide"), "the finding itself stands there too: {text}");
    let button = page.body.find("id=\"review-sync-btn\"").unwrap();
    assert!(page.body.find(STOPPED).is_some_and(|at| at < button), "it stands before the button");
    let operation = run(&mut browser, &fabric, &fields(&page)).await;
    assert_eq!(
        (&operation["state"], &operation["code"]),
        (&json!("failed"), &json!("preflight_failed")),
        "{operation}"
    );
    let why = operation["message"].as_str().unwrap();
    assert!(text.contains(why), "the page said what the run says: {why}\n{text}");
    assert!(lab.object("VPC", "more-03").is_none(), "nothing was written");

    // Without that object the same run goes, and the page says so.
    let page = send(&mut browser, &review, &fields(&page), &[("leave_object", &format!("{VPC}/wide"))]).await;
    assert!(!page.text().contains(STOPPED), "{}", page.text());
    assert!(page.text().contains("1 would be created") && !page.text().contains("would be updated"), "{}", page.text());
    let operation = run(&mut browser, &fabric, &fields(&page)).await;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert!(lab.object("VPC", "more-03").is_some());
    assert!(lab.object("VPC", "wide").unwrap()["spec"]["subnets"]["second"].is_object(), "it was left");
    // Chosen alone it is stopped as well.
    let page = browser.open(&format!("{review}?object={VPC}/wide")).await;
    assert!(page.text().contains(STOPPED), "{}", page.text());
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_are_judged_and_confirmed_by_those_that_are_chosen() {
    let (lab, console, fabric, mut browser) = with_lab().await;
    console.commit(&fabric, "vpcs/all.yaml", &format!("{MANIFESTS}{}", vpcs(3, 8))).await;
    synced(&mut browser, &fabric).await;
    allow_prune(&console, &fabric, 20).await;
    console.commit(&fabric, "vpcs/all.yaml", &format!("{MANIFESTS}{}", vpcs(3, 4))).await;
    compared(&mut browser, &fabric).await;
    let review = format!("/fabrics/{}/sync/review/", fabric.id);
    let page = browser.open(&review).await;
    assert!(page.text().contains("4 can be deleted") && page.text().contains("4 of the 10 objects"), "{}", page.text());

    // What was typed wrong is said at the field.
    let mut choices = fields(&page);
    choices.retain(|(name, _)| name != "prune_confirmation");
    choices.push(("prune".into(), "on".into()));
    let page = send(&mut browser, &review, &choices, &[("prune_confirmation", "lab-2")]).await;
    assert!(page.body.contains("id=\"error-prune\"") && page.text().contains("lab-2"), "{}", page.text());
    assert!(page.text().contains("4 would be deleted"), "{}", page.text());

    // Two of ten are within the limit; what is kept keeps its box.
    let [five, six] = [5, 6].map(|n| format!("{VPC}/more-0{n}"));
    let page = send(&mut browser, &review, &choices, &[("leave_object", &five), ("leave_object", &six)]).await;
    let text = page.text();
    assert!(text.contains("2 would be deleted") && !text.contains("id_prune_confirmation"), "{text}");
    assert!(!page.body.contains("id=\"id_prune_confirmation\""), "nobody has to type anything: {text}");
    for key in [&five, &six] {
        assert!(page.body.contains(&format!("name=\"leave_object\" value=\"{key}\" checked")), "{key}: {text}");
    }
    let operation = run(&mut browser, &fabric, &fields(&page)).await;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    for (name, stays) in [("more-05", true), ("more-06", true), ("more-07", false), ("more-08", false)] {
        assert_eq!(lab.object("VPC", name).is_some(), stays, "{name}");
    }

    // What stays and uses one of them stops a run with deletions, and only that.
    let version = "gateway.githedgehog.com/v1alpha1";
    let side = |cidr: &str| json!({"expose": [{"ips": [{"cidr": cidr}]}]});
    let sides = json!({"peering": {"more-05": side("10.10.5.0/24"), "vpc-01": side("10.10.1.0/24")}});
    let group = made_by_hand("GatewayGroup", version, "default", json!({}));
    let peering = made_by_hand("GatewayPeering", version, "theirs", sides);
    lab.load([group, peering], "kubectl-create").unwrap();
    compared(&mut browser, &fabric).await;
    let page = browser.open(&review).await;
    let text = page.text();
    assert!(!text.contains(STOPPED) && text.contains("With these deletions the run would end"), "{text}");
    let page = send(&mut browser, &review, &fields(&page), &[("prune", "on")]).await;
    let text = page.text();
    assert!(text.contains(STOPPED) && text.contains("VPC more-05 is not to be deleted"), "{text}");
    let operation = run(&mut browser, &fabric, &fields(&page)).await;
    assert_eq!(operation["code"], "preflight_failed", "{operation}");
    assert!(lab.object("VPC", "more-06").is_some(), "nothing was deleted");
    let page = send(&mut browser, &review, &fields(&page), &[("leave_object", &five)]).await;
    assert!(!page.text().contains("would end before"), "{}", page.text());
    let operation = run(&mut browser, &fabric, &fields(&page)).await;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert!(lab.object("VPC", "more-06").is_none() && lab.object("VPC", "more-05").is_some());
    lab.stop().await;
}
