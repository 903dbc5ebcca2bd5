//! The review of a sync: it lists what a run would do and whose values it would overwrite, keeps choices over its pages,
//! and its form is the verb's own.

use crate::console::{Answer, Browser, Console, encode};
use crate::verbs::{MANIFESTS, follow, press, with_lab};
use http::StatusCode;
use lab::Lab;
use serde_json::{Value, json};
use store::Fabric;

pub const VPC: &str = "VPC.vpc.githedgehog.com/default";

pub fn vpcs(from: usize, to: usize) -> String {
    let one = |n: usize| {
        format!(
            "---\napiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata: {{name: more-{n:02}}}\nspec:\n  \
             ipv4Namespace: default\n  vlanNamespace: default\n  subnets:\n    default: {{subnet: 10.10.{n}.0/24, vlan: {}}}\n",
            1000 + n
        )
    };
    (from..=to).map(one).collect()
}

fn changed_by_hand(lab: &Lab, name: &str, vlan: u32) {
    let mut object = lab.object("VPC", name).unwrap();
    object["spec"]["subnets"]["default"]["vlan"] = vlan.into();
    lab.load([object], "kubectl-edit").unwrap();
}

/// What the review's form holds, as a browser would send it: hidden fields, and boxes that are ticked.
pub fn fields(page: &Answer) -> Vec<(String, String)> {
    let form = page.body.split("id=\"review-form\"").nth(1).expect("the form").split("</form>").next().unwrap();
    let value = |tag: &str, name: &str| {
        let rest = tag.split(&format!("{name}=\"")).nth(1)?;
        Some(rest.split('"').next()?.replace("&#38;", "&").replace("&amp;", "&"))
    };
    form.split("<input")
        .skip(1)
        .map(|rest| rest.split_once('>').unwrap().0)
        .filter(|tag| !tag.contains("type=\"checkbox\"") || tag.ends_with(" checked") || tag.contains(" checked "))
        .filter_map(|tag| Some((value(tag, " name")?, value(tag, " value")?)))
        .collect()
}

pub async fn send(browser: &mut Browser, path: &str, fields: &[(String, String)], more: &[(&str, &str)]) -> Answer {
    let mut all: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.extend(more);
    browser.submit(path, &all).await
}

pub async fn synced(browser: &mut Browser, fabric: &Fabric) {
    let url = press(browser, fabric, "sync-now-btn").await;
    let operation = follow(browser, &url).await;
    assert_eq!(operation["state"], "succeeded", "the precondition: {operation}");
}

pub async fn compared(browser: &mut Browser, fabric: &Fabric) {
    let url = press(browser, fabric, "sync-from-git-btn").await;
    follow(browser, &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_is_written_and_whose_values_go_and_its_form_is_the_verbs_own() {
    let (lab, console, fabric, mut browser) = with_lab().await;
    synced(&mut browser, &fabric).await;
    changed_by_hand(&lab, "vpc-01", 1500);
    console.commit(&fabric, "vpcs/all.yaml", &format!("{MANIFESTS}{}", vpcs(3, 3))).await;
    compared(&mut browser, &fabric).await;
    let overview = browser.open(&format!("/fabrics/{}/", fabric.id)).await;
    let review = overview.body.split("id=\"review-link\" href=\"").nth(1).expect("a link").split('"').next().unwrap();
    let before = console.store.comparisons().latest(fabric.id).await.unwrap().unwrap();
    let page = browser.open(review).await;
    let text = page.text();
    assert_eq!(page.status, StatusCode::OK, "{text}");
    for part in ["1 would be created", "1 would be updated", "1 with changes of somebody else"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let block = page.body.split(&format!("data-object=\"{VPC}/vpc-01\"")).nth(1).expect("the changed one");
    let block = block.split("</li>").next().unwrap();
    for part in ["spec.subnets.default.vlan", ">1500<", ">1001<", "by kubectl-edit", "Overwrite"] {
        assert!(block.contains(part), "{part}: {block}");
    }
    assert!(block.contains(&format!("name=\"leave_field\" value=\"{VPC}/vpc-01#spec.subnets.default.vlan\"")));
    assert!(!page.body.contains(&format!("data-object=\"{VPC}/vpc-02\"")), "what is equal is not listed");
    let newest = console.store.comparisons().latest(fabric.id).await.unwrap().unwrap();
    // Another one may have been made since, by itself.
    let shown: i64 = page.field("comparison").parse().unwrap();
    assert!((before.id..=newest.id).contains(&shown), "{} {shown} {}", before.id, newest.id);
    let answer = send(&mut browser, &format!("/fabrics/{}/sync/", fabric.id), &fields(&page), &[]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    let operation = follow(&mut browser, answer.header("location")).await;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert_eq!(lab.object("VPC", "vpc-01").unwrap()["spec"]["subnets"]["default"]["vlan"], 1001);
    let page = browser.open(review).await;
    assert!(page.text().contains("Every object of Git is in the cluster as Git has it"), "{}", page.text());
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn choices_are_kept_over_pages_and_said() {
    let (lab, console, fabric, mut browser) = with_lab().await;
    console.commit(&fabric, "vpcs/all.yaml", &format!("{MANIFESTS}{}", vpcs(3, 70))).await;
    compared(&mut browser, &fabric).await;
    let review = format!("/fabrics/{}/sync/review/", fabric.id);
    let first = browser.open(&review).await;
    assert!(first.text().contains("1–50 of 72"), "{}", first.text());
    let left = format!("{VPC}/more-05");
    let second = send(&mut browser, &review, &fields(&first), &[("leave_object", &left), ("page", "2")]).await;
    assert_eq!(second.status, StatusCode::OK);
    assert!(second.text().contains("51–72 of 72"), "{}", second.text());
    assert!(second.text().contains("On other pages: 1 left-out object."), "{}", second.text());
    assert!(fields(&second).contains(&("leave_object".to_owned(), left.clone())));
    let back = send(&mut browser, &review, &fields(&second), &[("page", "1")]).await;
    let ticked = format!("name=\"leave_object\" value=\"{left}\" checked");
    assert!(back.body.contains(&ticked) && !back.body.contains("id=\"kept\""), "its own box holds it again");

    // Chosen in the list of objects: those alone; unticking the last one is not a run of everything.
    let chosen = encode(&[("object", &format!("{VPC}/more-05")), ("object", &format!("{VPC}/vpc-01"))]);
    let page = browser.open(&format!("{review}?{chosen}")).await;
    assert_eq!(page.body.matches("data-object=").count(), 2, "{}", page.text());
    let mut none = fields(&page);
    none.retain(|(name, _)| name != "object");
    for path in [review.clone(), format!("/fabrics/{}/sync/", fabric.id)] {
        let refused = send(&mut browser, &path, &none, &[]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}: {}", refused.text());
        assert!(refused.text().contains("No object is chosen"), "{}", refused.text());
    }
    let list = browser.open(&format!("/fabrics/{}/objects/?name=more-6", fabric.id)).await;
    let (_, rest) = list.body.split_once("Review all 10 that match").map_or(("", ""), |(before, _)| ("", before));
    let href = rest.rsplit("href=\"").next().unwrap().split('"').next().unwrap().replace("&#38;", "&");
    let page = browser.open(&href).await;
    assert_eq!(page.body.matches("data-object=").count(), 10, "{}", page.text());
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reads_the_cluster_again_in_place_or_says_why_it_cannot() {
    let (lab, _console, fabric, mut browser) = with_lab().await;
    synced(&mut browser, &fabric).await;
    let review = format!("/fabrics/{}/sync/review/", fabric.id);
    let page = browser.open(&review).await;
    changed_by_hand(&lab, "vpc-02", 1600);
    let again = send(&mut browser, &review, &fields(&page), &[("read_again", "on")]).await;
    assert!(again.text().contains("The cluster was read again."), "{}", again.text());
    assert!(again.body.contains(">1600<") && again.field("comparison") != page.field("comparison"));
    lab.faults().set(lab::FaultPlan {
        requests: vec![lab::RequestFault::all(lab::Fault::Unauthorized)],
        ..lab::FaultPlan::default()
    });
    let failed = send(&mut browser, &review, &fields(&again), &[("read_again", "on")]).await;
    assert_eq!(failed.status, StatusCode::OK, "the choices are not lost");
    assert!(failed.text().contains("The cluster could not be read again."), "{}", failed.text());
    assert!(failed.body.contains("kubernetes_unauthorized"));
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_choices_are_another_request_and_nonsense_is_refused() {
    let (lab, console, fabric, mut browser) = with_lab().await;
    compared(&mut browser, &fabric).await;
    let review = format!("/fabrics/{}/sync/review/", fabric.id);
    let page = browser.open(&review).await;
    let sync = format!("/fabrics/{}/sync/", fabric.id);
    // The browser's step back shows the same form with the same key.
    let dry = send(&mut browser, &sync, &fields(&page), &[("dry_run", "on")]).await;
    follow(&mut browser, dry.header("location")).await;
    let twice = send(&mut browser, &sync, &fields(&page), &[("dry_run", "on")]).await;
    assert_eq!(dry.header("location"), twice.header("location"), "the same form with the same choices is the same");
    let real = send(&mut browser, &sync, &fields(&page), &[]).await;
    assert_ne!(dry.header("location"), real.header("location"), "a sync is not answered with its dry run");
    follow(&mut browser, real.header("location")).await;
    for query in ["object=nonsense", "leave_field=VPC", "page=0", "match=state%3Dnonsense", "match=name%3Dnobody"] {
        let refused = browser.open(&format!("{review}?{query}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}: {}", refused.text());
    }

    // Who may look and not sync does not get there, and is not led there.
    let reader = console.user("reader", false).await;
    console.permit(&reader, &["view"], None).await;
    let mut reader = console.logged_in("reader").await;
    assert_eq!(reader.open(&review).await.status, StatusCode::FORBIDDEN);
    for path in [format!("/fabrics/{}/", fabric.id), format!("/fabrics/{}/objects/", fabric.id)] {
        let page = reader.open(&path).await;
        assert!(page.status == StatusCode::OK && !page.body.contains("/sync/review/"), "{path}");
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_sentence_names_who_changed_what_and_leads_to_it() {
    let (lab, console, fabric, mut browser) = with_lab().await;
    synced(&mut browser, &fabric).await;
    let path = format!("/fabrics/{}/", fabric.id);
    let cause = async |browser: &mut Browser| browser.script(&path).await.json()["cause"].clone();
    changed_by_hand(&lab, "vpc-01", 1500);
    let url = press(&mut browser, &fabric, "sync-from-fabric-btn").await;
    follow(&mut browser, &url).await;
    let found = cause(&mut browser).await;
    assert_eq!(
        (&found["kind"], &found["evidence"]["which"]["name"]),
        (&json!("modified"), &json!("vpc-01")),
        "{found}"
    );
    let sentence = found["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("VPC vpc-01 was changed in the cluster by kubectl-edit"), "{sentence}");
    for page in [path.clone(), "/".to_owned()] {
        let page = browser.open(&page).await;
        assert!(page.text().contains("VPC vpc-01 was changed in the cluster by kubectl-edit"), "{}", page.text());
        assert!(page.body.contains("objects/VPC.vpc.githedgehog.com/default/vpc-01/\">VPC vpc-01</a>"));
    }
    let list = browser.open(&format!("{path}objects/?state=modified")).await;
    assert!(list.text().contains("changed by kubectl-edit"), "{}", list.text());

    // Twice put right and changed again: another writer.
    for vlan in [1501, 1502] {
        synced(&mut browser, &fabric).await;
        changed_by_hand(&lab, "vpc-01", vlan);
        let url = press(&mut browser, &fabric, "sync-from-fabric-btn").await;
        follow(&mut browser, &url).await;
    }
    let found = cause(&mut browser).await;
    assert_eq!(found["kind"], "fight", "{found}");
    assert!(found["sentence"].as_str().unwrap().contains("put right by 2 of the last syncs"), "{found}");

    synced(&mut browser, &fabric).await;
    console.commit(&fabric, "vpcs/all.yaml", &format!("{MANIFESTS}{}", vpcs(3, 4))).await;
    compared(&mut browser, &fabric).await;
    let found = cause(&mut browser).await;
    assert_eq!(found["kind"], "undelivered", "{found}");
    assert!(found["sentence"].as_str().unwrap().contains("no sync has run since"), "{found}");
    lab.faults().set(lab::FaultPlan {
        requests: vec![lab::RequestFault::all(lab::Fault::Unauthorized)],
        ..lab::FaultPlan::default()
    });
    let url = press(&mut browser, &fabric, "sync-now-btn").await;
    let failed = follow(&mut browser, &url).await;
    let found = cause(&mut browser).await;
    assert_eq!((&found["kind"], &found["code"]), (&json!("credentials"), &json!("kubernetes_unauthorized")), "{found}");
    assert_eq!(found["evidence"], json!({"what": "operation", "which": failed["id"]}));
    let page = browser.open(&path).await;
    assert!(page.body.contains(&format!("/operations/{}/\">Operation {}</a>", failed["id"], failed["id"])));
    assert_eq!(browser.script(&url).await.json()["phases"][0]["phase"], Value::from("connect"));
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_that_contradicts_itself_is_refused_in_the_address_as_in_the_form() {
    let console = Console::start().await;
    console.admin().await;
    let fabric = console.fabric("lab-1").await;
    let mut browser = console.logged_in("alice").await;
    let path = format!("/fabrics/{}/sync/review/", fabric.id);
    for contradiction in ["prune=on&prune=off", "prune=off&prune=on"] {
        let refused = browser.open(&format!("{path}?{contradiction}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{contradiction}: {}", refused.text());
        assert!(refused.text().contains("The field “prune” came several times"), "{}", refused.text());
    }
    let control = browser.open(&format!("{path}?prune=off&prune=off")).await;
    assert!(!control.text().contains("came several times"), "the control: {}", control.text());
}
