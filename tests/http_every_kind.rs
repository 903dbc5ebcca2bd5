//! Every page stands with every kind on it: objects of each kind that users write and of those that controllers write,
//! in each state that an object can be in.

use crate::crawl::crawl_where;
use crate::world::{Fabric, endpoint, world};
use anyhow::{Context, Result};
use model::kind::{Author, KNOWN};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use testkit::{Access, ApiFront, Rule};

/// Objects of one kind whose pages are opened; all of them are listed.
const OF_A_KIND: usize = 2;

/// A network of our own, without the files that have a mistake in them or lean on what Hedgehog's webhooks fill in, which
/// are not here; and with a kind that it has no use for.
fn files() -> Vec<(&'static str, String)> {
    const PROFILE: &str = "apiVersion: wiring.githedgehog.com/v1beta1\nkind: ServerProfile\nmetadata:\n  name: \
                           plain\nspec:\n  nics:\n    - name: eth0\n";
    let wrong = ["vpcs/guest.yaml", "attachments/bench.yaml", "attachments/shared.yaml"];
    let east = lab::demo::east().files.iter().map(|file| (file.path, file.text));
    let sound = east.filter(|(path, _)| !wrong.contains(path)).chain([("wiring/profiles.yaml", PROFILE)]);
    sound.map(|(path, text)| (path, without_options(text))).collect()
}

/// A VPC without DHCP options: the server wants all of them, and the webhooks fill in those that are left out.
fn without_options(text: &str) -> String {
    let mut inside = false;
    let keep = |line: &&str| {
        inside = *line == "        options:" || (inside && line.starts_with("          "));
        !inside
    };
    text.lines().filter(keep).fold(String::new(), |text, line| text + line + "\n")
}

/// The kinds of our definitions that people write.
fn written_by_users() -> BTreeSet<String> {
    let described: BTreeSet<String> =
        lab::kinds::crds().iter().filter_map(|crd| Some(crd["spec"]["names"]["kind"].as_str()?.to_owned())).collect();
    let by_users = KNOWN.iter().filter(|kind| kind.author == Author::User);
    by_users.map(|kind| kind.kind.to_owned()).filter(|kind| described.contains(kind)).collect()
}

/// What the fabric controller and the agents keep beside the users' objects, with what must never be shown.
fn written_by_controllers(namespace: &str) -> Vec<Value> {
    let object = |group: &str, version: &str, kind: &str, name: &str, spec: Value| {
        json!({"apiVersion": format!("{group}.githedgehog.com/{version}"), "kind": kind,
            "metadata": {"name": name, "namespace": namespace}, "spec": spec})
    };
    let users = json!([{"name": "admin", "role": "admin", "password": "$5$crawl$a-hash-that-nobody-may-see"}]);
    let leases = json!({"subnet": "web/frontend", "cidrBlock": "10.20.1.0/24", "gateway": "10.20.1.1",
        "startIP": "10.20.1.10", "endIP": "10.20.1.99", "leaseTimeSeconds": 3600, "vrf": "VrfVweb",
        "circuitID": "Vlan1001", "pxeURL": "", "defaultURL": "", "dnsServers": [], "timeServers": [],
        "interfaceMTU": 9036});
    vec![
        object("agent", "v1beta1", "Agent", "leaf-01", json!({"role": "server-leaf", "users": users})),
        object("agent", "v1beta1", "Catalog", "vpcs", json!({})),
        object("dhcp", "v1beta1", "DHCPSubnet", "web--frontend", leases),
        object("gateway", "v1alpha1", "VPCInfo", "web", json!({})),
        object("gwint", "v1alpha1", "GatewayAgent", "gw-01", json!({})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_25_every_page_stands_with_every_kind_in_every_state() -> Result<()> {
    let plane = &world().await.plane;
    let front = ApiFront::start(plane).await?;
    let account = plane.token_user("lesson-25", &Access::writer()).await?;
    let mut fabric = Fabric::add_with(&endpoint(&front.url(), &account.token, plane.ca_certificate())).await?;
    let client = plane.client()?;
    for profile in lab::profiles::built_in() {
        let mut profile = profile.clone();
        profile["metadata"]["namespace"] = json!(fabric.name);
        client.create(&profile).await?;
    }
    let files = files();
    let all: Vec<(&str, Option<&str>)> = files.iter().map(|(path, text)| (*path, Some(text.as_str()))).collect();
    fabric.commit(&all).await?;
    let synced = fabric.press("sync_to_kubernetes").await?;
    assert_eq!(synced["state"], "succeeded", "{synced}");
    for object in written_by_controllers(&fabric.name) {
        client.create(&object).await?;
    }
    let applied = json!({"lastAppliedGen": 1, "lastAppliedTime": "2026-01-01T00:00:00Z", "version": "v1",
        "lastHeartbeat": "2026-01-01T00:00:00Z", "lastAttemptGen": 1, "lastAttemptTime": "2026-01-01T00:00:00Z",
        "installID": "i", "runID": "r", "bootID": "b", "conditions": [], "statusUpdates": []});
    client.patch_status("Agent", &format!("{}/leaf-01", fabric.name), &applied).await?;

    // Refused by the cluster.
    let servers = &files.iter().find(|(path, _)| *path == "wiring/servers.yaml").context("servers")?.1;
    let more = format!("{servers}---\n{}", server("server-98", ""));
    fabric.commit(&[("wiring/servers.yaml", Some(&more))]).await?;
    front.add(Rule::on("POST", "/servers?").answer(422, "Invalid", "Server \"server-98\" is invalid: it has no place"));
    let refused = fabric.press("sync_to_kubernetes").await?;
    assert_ne!(refused["state"], "succeeded", "{refused}");
    // Changed in the cluster, gone from it, only in it, changed on both sides, and wrong in the source.
    for name in ["server-01", "server-03"] {
        let patch = r#"{"spec":{"description":"somebody was here"}}"#;
        fabric.kubectl(&["patch", "server", name, "--type=merge", "-p", patch]).await?;
    }
    fabric.kubectl(&["delete", "server", "server-02"]).await?;
    client
        .create(&json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "Server",
            "metadata": {"name": "server-99", "namespace": fabric.name}, "spec": {"description": "nobody's"}}))
        .await?;
    let third = "name: server-03\nspec:\n  description: ";
    assert!(more.contains(third), "the file is as it was");
    let more = more.replace(third, &format!("{third}another "));
    let misspelt = server("server-97", "descriptoin: misspelt");
    fabric
        .commit(&[
            ("wiring/servers.yaml", Some(&more)),
            ("broken.yaml", Some("kind: [\n")),
            ("misspelt.yaml", Some(&misspelt)),
        ])
        .await?;
    for way in ["sync_from_git", "sync_from_fabric", "test_connection"] {
        fabric.press(way).await?;
    }
    fabric.ask("sync/", &[("X-CSRFToken", "of nobody")]).await?;

    let mut opened: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let crawled = crawl_where(&mut fabric.user, fabric.id, |path| {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let Some((_, rest)) = path.split_once("/objects/").filter(|(_, rest)| !rest.is_empty()) else {
            // Filters one at a time: their combinations are another test's.
            return !query.contains('&');
        };
        let mut parts = rest.split('/');
        let kind = parts.next().and_then(|kind| kind.split('.').next()).unwrap_or_default().to_owned();
        let name = parts.nth(1).unwrap_or_default().to_owned();
        let planted = ["server-01", "server-02", "server-03", "server-98", "server-99"].contains(&name.as_str());
        let names = opened.entry(kind).or_default();
        planted || names.contains(&name) || (names.len() < OF_A_KIND && names.insert(name))
    })
    .await?;
    for page in &crawled.pages {
        assert_eq!(page.status, 200, "{}", page.url);
        assert!(!page.body.contains("a-hash-that-nobody-may-see"), "{} shows a password hash", page.url);
    }
    for (method, target, on) in &crawled.targets {
        if method == "GET" {
            let answer = fabric.user.get(target).await?;
            assert!(answer.status < 400, "{on} loads {target}: {}", answer.status);
        }
    }
    let missing: Vec<String> = written_by_users().into_iter().filter(|kind| !opened.contains_key(kind)).collect();
    assert_eq!(missing, Vec::<String>::new(), "no page of these kinds was opened");
    let page = fabric.page().await?.visible_text();
    for words in [
        "Changed in cluster",
        "Missing in cluster",
        "Only in cluster",
        "Changed on both sides",
        "broken.yaml",
        "descriptoin",
        "leaf-01",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let outcomes = fabric.user.visit(refused["url"].as_str().context("an address")?).await?.visible_text();
    assert!(outcomes.contains("server-98") && outcomes.contains("it has no place"), "{outcomes}");
    Ok(())
}

fn server(name: &str, line: &str) -> String {
    format!(
        "apiVersion: wiring.githedgehog.com/v1beta1\nkind: Server\nmetadata:\n  name: {name}\nspec:\n  description: \
         one more\n  {line}\n"
    )
}
