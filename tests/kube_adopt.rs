//! Adopting: what only the cluster holds is chosen on the page and committed to the repository. The effect is read there,
//! and in what the API server makes of the files.

use crate::http_permissions::person;
use crate::site::{Site, fabric_objects, hedgehogs_definitions, plain, recorded, text};
use crate::world::{Fabric, NAMESPACES, database, ended, token, vpc, world};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use testkit::{HttpUser, Page};

/// Commits what a review page shows, by its form, and waits for the end of the operation.
pub async fn commit(user: &mut HttpUser, review: &Page) -> Result<Value> {
    let answer = user.submit(review, "#adopt-form button", &[]).await?;
    let location = answer.location().with_context(|| format!("{} {}", answer.status, answer.visible_text()))?;
    ended(user, &location).await
}

/// The review of everything that could be adopted.
pub async fn review_all(user: &mut HttpUser, fabric: i64) -> Result<Page> {
    let list = user.visit(&format!("/fabrics/{fabric}/adopt/")).await?;
    Ok(user.click(&list, "#review-all").await?)
}

/// Every outcome of an operation, by `Kind/name`.
pub async fn outcomes(user: &mut HttpUser, operation: &Value) -> Result<BTreeMap<String, Value>> {
    let mut all = BTreeMap::new();
    let (mut page, mut number) = (operation.clone(), 1);
    loop {
        for one in page["outcomes"]["results"].as_array().into_iter().flatten() {
            all.insert(format!("{}/{}", text(&one["key"]["kind"]), text(&one["key"]["name"])), one.clone());
        }
        match page["outcomes"]["next_page"].as_i64().filter(|next| *next > number) {
            Some(next) => number = next,
            None => return Ok(all),
        }
        let path = format!("{}?page={number}", text(&operation["url"]));
        page = user.script("GET", &path, &[], None).await?.json()?;
    }
}

/// The file that an outcome names.
pub fn file(outcome: &Value) -> Result<String> {
    let said = text(&outcome["message"]);
    let (_, rest) = said.split_once("Committed as ").with_context(|| said.clone())?;
    Ok(rest.split(' ').next().unwrap_or_default().trim_end_matches('.').to_owned())
}

/// The fields that a manifest has and the object as somebody made it has not. Its namespace may be said, and what is empty
/// states nothing.
fn added(manifest: &Value, made: &Value) -> Vec<String> {
    fn walk(one: &Value, other: &Value, path: &str, found: &mut Vec<String>) {
        let Some(fields) = one.as_object() else { return };
        for (name, value) in fields {
            let path = format!("{path}.{name}");
            match other.get(name) {
                Some(other) => walk(value, other, &path, found),
                None if path == ".metadata.namespace" || *value == json!({}) => {}
                None => found.push(path),
            }
        }
    }
    let mut found = Vec::new();
    walk(manifest, made, "", &mut found);
    found
}

/// Adopts a whole cluster into an empty repository, and holds everything that must be true then. Where `as_made`, nothing
/// but defaults was added to the objects as they were created; otherwise webhooks also spell them in another way.
async fn adopts_everything(site: &mut Site, objects: &[Value], as_made: bool) -> Result<()> {
    for object in objects {
        site.client.create(object).await?;
    }
    assert_eq!(site.press("sync_from_fabric").await?["state"], "succeeded");
    let page = site.page().await?;
    assert!(page.visible_text().contains(&format!("{} objects stand only in the cluster", objects.len())));
    let list = site.user.click(&page, "a[href$='/adopt/']").await?;
    assert!(list.text("#review-all").is_some_and(|words| words.ends_with(&objects.len().to_string())));
    let (before, first) = (site.versions().await?, site.git.head("fabric", "main").await?);
    site.writes(true);

    let review = review_all(&mut site.user, site.id).await?;
    let shown: Vec<String> = review.texts("#adopt-form pre");
    assert_eq!(shown.len(), objects.len());
    let operation = commit(&mut site.user, &review).await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    let outcomes = outcomes(&mut site.user, &operation).await?;
    assert_eq!(outcomes.len(), objects.len());

    assert_eq!(site.writes(true), [""; 0], "adopting writes nothing to the cluster");
    assert_eq!(site.versions().await?, before);
    // What stands in the repository: one commit more, by the user, with one file an object, as it was shown.
    let log = site.git.in_repo("fabric", &["log", "--format=%H %P|%an|%ae|%s", "main"]).await?;
    let line = log.lines().next().context("a commit")?.to_owned();
    let wanted = format!(
        "{}|admin|admin@hedgerow.local|Adopt {} objects from fabric site",
        first.clone().unwrap_or_default(),
        objects.len()
    );
    assert!(line.ends_with(&wanted), "{line}");
    assert_eq!(text(&operation["result"]["commit"]), line.split(' ').next().unwrap_or_default());
    assert_eq!(site.git.files("fabric", "main").await?.len(), objects.len() + 1);
    for object in objects {
        let title = format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]));
        let outcome = outcomes.get(&title).with_context(|| title.clone())?;
        assert_eq!((&outcome["outcome"], &outcome["verified"]), (&json!("adopted"), &json!(true)), "{outcome}");
        let path = file(outcome)?;
        let written = site.git.read("fabric", "main", &path).await?.with_context(|| path.clone())?;
        let shown_so = |shown: &String| shown.split_whitespace().eq(written.split_whitespace());
        assert!(shown.iter().any(shown_so), "{path} was not shown: {written}");
        // The API server takes the file, and stores what it holds already.
        let manifest: Value = serde_saphyr::from_str(&written)?;
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        let live = site.there(&kind, &name).await?;
        let more = if as_made { added(&manifest, object) } else { Vec::new() };
        assert_eq!(more, [""; 0], "what nobody wrote stands in {path}: {written}");
        let again = site.client.replace(&manifest).await.with_context(|| written.clone())?;
        assert_eq!(plain(&again), plain(&live), "{written}");
    }
    let status = site.status().await?;
    assert_eq!(status["sync_status"], "in_sync", "{}", status["status"]);
    assert_eq!(status["status"]["counts"]["equal"].as_u64(), Some(objects.len() as u64), "{}", status["status"]);

    // Once more: the page has nothing to offer, and the same request commits nothing.
    let list = site.user.visit(&format!("/fabrics/{}/adopt/", site.id)).await?;
    assert!(list.visible_text().contains("there is nothing to adopt"), "{}", list.visible_text());
    let again = commit(&mut site.user, &review).await?;
    assert_eq!(again["id"], operation["id"], "the same form is the same request");
    let keys: Vec<String> = review.attributes("#adopt-form input[name=adopt]", "value");
    let again = adopt(&mut site.user, site.id, &keys).await?;
    assert_eq!(again["state"], "succeeded", "{again}");
    assert!(text(&again["message"]).contains("stand in Git already"), "{again}");
    assert_eq!(site.git.in_repo("fabric", &["log", "--format=%H %P|%an|%ae|%s", "main"]).await?, log);
    // And a sync has nothing to do.
    let (synced, _) = site.sync().await?;
    assert!(text(&synced["message"]).contains("Nothing to do"), "{synced}");
    assert_eq!(site.writes(false), [""; 0]);
    Ok(())
}

/// Asks for an adoption as a script does, with the page's own token, and waits for its end.
pub async fn adopt(user: &mut HttpUser, fabric: i64, keys: &[String]) -> Result<Value> {
    let answer = ask(user, fabric, keys).await?;
    let location = text(&answer.json()?["operation"]["url"]);
    ended(user, &location).await
}

/// The same, with the answer as it comes.
pub async fn ask(user: &mut HttpUser, fabric: i64, keys: &[String]) -> Result<Page> {
    let csrf = token(&user.visit(&format!("/fabrics/{fabric}/")).await?)?;
    let path = format!("/fabrics/{fabric}/sync-from-fabric/");
    // An empty list would be refused: it may stand for "nothing" or for "everything".
    let body = if keys.is_empty() { json!({}) } else { json!({ "adopt": keys }) };
    Ok(user.script("POST", &path, &[("X-CSRFToken", &csrf)], Some(&body.to_string())).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_cluster_is_adopted_into_an_empty_repository() -> Result<()> {
    let mut site = Site::start().await?;
    adopts_everything(&mut site, &fabric_objects()?, true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_lab_is_adopted_into_an_empty_repository() -> Result<()> {
    let Some(pairs) = recorded("pairs.jsonl") else { return Ok(()) };
    let objects: Vec<Value> = pairs.into_iter().map(|mut pair| pair["applied"].take()).collect();
    let mut site = Site::start_with(&hedgehogs_definitions()?, &[]).await?;
    adopts_everything(&mut site, &objects, false).await
}

/// Creates VPCs of these numbers in the fabric's cluster and lets the console see them.
pub async fn with_vpcs(fabric: &mut Fabric, numbers: std::ops::Range<u8>) -> Result<()> {
    let cluster = fabric.cluster().await?;
    for n in numbers {
        let mut object: Value = serde_saphyr::from_str(&vpc(&format!("vpc-{n:02}"), n, 1000 + u16::from(n)))?;
        object["metadata"]["namespace"] = fabric.name.as_str().into();
        cluster.create(&object).await?;
    }
    assert_eq!(fabric.press("sync_from_fabric").await?["state"], "succeeded");
    Ok(())
}

/// The identity of a VPC of the fabric of this name.
pub fn key(fabric: &str, name: &str) -> String {
    format!("VPC.vpc.githedgehog.com/{fabric}/{name}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_over_several_pages_is_what_is_committed() -> Result<()> {
    let world = world().await;
    let mut fabric = Fabric::add().await?;
    // The repository's habit: VPCs lie in net/vpcs, with .yml; one name is taken by something else.
    let old = vpc("old", 90, 1090);
    let files =
        [("n.yaml", Some(NAMESPACES)), ("net/vpcs/old.yml", Some(&*old)), ("net/vpcs/vpc-57.yml", Some("# mine\n"))];
    fabric.commit(&files).await?;
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    with_vpcs(&mut fabric, 0..60).await?;
    let list = fabric.user.visit(&format!("/fabrics/{}/adopt/", fabric.id)).await?;
    assert!(list.visible_text().contains("Nothing is ticked."), "{}", list.visible_text());
    let (first, second) = (key(&fabric.name, "vpc-00"), key(&fabric.name, "vpc-57"));
    let page = fabric.user.submit(&list, "button[name=page][value='2']", &[("adopt", &first)]).await?;
    assert!(page.visible_text().contains("1 ticked, none of them on this page."), "{}", page.visible_text());
    let back = fabric.user.submit(&page, "button[name=page][value='1']", &[("adopt", &second)]).await?;
    assert!(back.visible_text().contains("2 ticked, 1 of them not on this page."), "{}", back.visible_text());
    let review = fabric.user.submit(&back, "#review-ticked", &[]).await?;
    assert_eq!(review.texts("#adopt-form .choice label"), ["VPC vpc-00", "VPC vpc-57"]);
    let shown = review.visible_text();
    assert!(shown.contains("net/vpcs/vpc-00.yml") && shown.contains("net/vpcs/vpc-57-vpc.yml"), "{shown}");
    assert!(shown.contains("net/vpcs/vpc-57.yml is another file"), "{shown}");

    // What changes between page and press is committed as it is then.
    fabric
        .kubectl(&["patch", "vpc", "vpc-00", "--type=merge", "-p", r#"{"spec":{"subnets":{"default":{"vlan":2222}}}}"#])
        .await?;
    let operation = commit(&mut fabric.user, &review).await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    let files = world.git.files(&fabric.name, "main").await?;
    let wanted = [
        "README.md",
        "n.yaml",
        "net/vpcs/old.yml",
        "net/vpcs/vpc-00.yml",
        "net/vpcs/vpc-57-vpc.yml",
        "net/vpcs/vpc-57.yml",
    ];
    assert_eq!(files, wanted);
    let read = |path: &'static str| world.git.read(&fabric.name, "main", path);
    assert_eq!(read("net/vpcs/vpc-57.yml").await?.as_deref(), Some("# mine\n"), "nobody's file is overwritten");
    assert!(read("net/vpcs/vpc-00.yml").await?.is_some_and(|text| text.contains("vlan: 2222")));

    // What a prune may delete later is known, with the uid of the very object.
    let rows = database(&world.console).await?.adopted().list(fabric.id).await?;
    let noted: Vec<(String, &str, &str)> =
        rows.iter().map(|row| (row.key.to_string(), row.uid.as_str(), row.actor.as_str())).collect();
    let uid = |object: Option<Value>| text(&object.unwrap_or_default()["metadata"]["uid"]);
    let (one, two) = (uid(fabric.live("VPC", "vpc-00").await?), uid(fabric.live("VPC", "vpc-57").await?));
    assert_eq!(noted, [(first, one.as_str(), "admin"), (second, two.as_str(), "admin")]);

    // A filter, and all that match it.
    let list = fabric.user.visit(&format!("/fabrics/{}/adopt/?name=vpc-3", fabric.id)).await?;
    assert_eq!(list.text("#review-all").as_deref(), Some("Review all 10 that match"));
    let review = fabric.user.click(&list, "#review-all").await?;
    assert_eq!(review.texts("#adopt-form .choice label").len(), 10);
    assert_eq!(commit(&mut fabric.user, &review).await?["state"], "succeeded");
    assert_eq!(world.git.files(&fabric.name, "main").await?.len(), wanted.len() + 10);
    let status = fabric.status().await?;
    assert_eq!(status["status"]["counts"]["equal"].as_u64(), Some(15), "{}", status["status"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_adopted_into_hedgerows_own_repository() -> Result<()> {
    let world = world().await;
    let local = [("source_url", ""), ("credential_kind", "none"), ("source_username", ""), ("source_token", "")];
    let mut fabric = Fabric::add_with(&local).await?;
    with_vpcs(&mut fabric, 1..3).await?;
    let review = review_all(&mut fabric.user, fabric.id).await?;
    assert!(review.visible_text().contains("the repository that Hedgerow keeps"), "{}", review.visible_text());
    assert_eq!(commit(&mut fabric.user, &review).await?["state"], "succeeded");
    let folder = world.console.data_dir().join(format!("sources/fabric-{}.git/repository.git", fabric.id));
    let git = |args: &[&str]| {
        let done = std::process::Command::new("git").arg("--git-dir").arg(&folder).args(args).output();
        done.map(|done| String::from_utf8_lossy(&done.stdout).into_owned())
    };
    let log = git(&["log", "-1", "--format=%an <%ae>%n%s", "main"])?;
    assert_eq!(log.trim(), format!("admin <admin@hedgerow.local>\nAdopt 2 objects from fabric {}", fabric.name));
    assert_eq!(git(&["ls-tree", "-r", "--name-only", "main"])?.trim(), "vpcs/vpc-01.yaml\nvpcs/vpc-02.yaml");
    assert_eq!(fabric.status().await?["sync_status"], "in_sync");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_adopted_over_ssh() -> Result<()> {
    let world = world().await;
    world.git.start_ssh().await?;
    let mut fabric = Fabric::add().await?;
    let edit = fabric.user.visit(&format!("/fabrics/{}/edit/", fabric.id)).await?;
    let (url, private_key, known) =
        (world.git.ssh_url(&fabric.name)?, world.git.private_key()?, world.git.known_hosts()?);
    let ssh = [
        ("source_url", url.as_str()),
        ("credential_kind", "ssh"),
        ("source_username", ""),
        ("ssh_key", &private_key),
        ("known_hosts", &known),
    ];
    let saved = fabric.user.submit(&edit, "form.form", &ssh).await?;
    assert_eq!(saved.status, 303, "{}", saved.visible_text());
    with_vpcs(&mut fabric, 1..2).await?;
    let operation = adopt(&mut fabric.user, fabric.id, &[key(&fabric.name, "vpc-01")]).await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert_eq!(world.git.files(&fabric.name, "main").await?, ["README.md", "vpcs/vpc-01.yaml"]);
    let author = world.git.in_repo(&fabric.name, &["log", "-1", "--format=%an|%s", "main"]).await?;
    assert_eq!(author.trim(), format!("admin|Adopt VPC vpc-01 from fabric {}", fabric.name));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_moves_meanwhile_keeps_what_came_and_gets_the_commit() -> Result<()> {
    let world = world().await;
    let mut fabric = Fabric::add().await?;
    with_vpcs(&mut fabric, 1..3).await?;
    world.git.race(&fabric.name, "main", "vpcs/vpc-01.yaml", 2);
    let operation = adopt(&mut fabric.user, fabric.id, &[key(&fabric.name, "vpc-01")]).await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    // The colleague's file has that name now, and keeps it.
    assert_eq!(world.git.files(&fabric.name, "main").await?, ["README.md", "vpcs/vpc-01-vpc.yaml", "vpcs/vpc-01.yaml"]);
    assert_eq!(world.git.read(&fabric.name, "main", "vpcs/vpc-01.yaml").await?.as_deref(), Some("1 of 2\n"));
    // Somebody who never stops: it ends, and says so.
    world.git.race(&fabric.name, "main", "race.txt", 5);
    let operation = adopt(&mut fabric.user, fabric.id, &[key(&fabric.name, "vpc-02")]).await?;
    assert_eq!((text(&operation["state"]), text(&operation["code"])), ("failed".into(), "source_moved".into()));
    assert!(text(&operation["message"]).contains("Nothing was committed"), "{operation}");
    let outcomes = outcomes(&mut fabric.user, &operation).await?;
    assert_eq!(outcomes["VPC/vpc-02"]["outcome"], "not_attempted", "{outcomes:?}");
    let head = world.git.in_repo(&fabric.name, &["log", "-1", "--format=%s", "main"]).await?;
    assert_eq!(head.trim(), "Race");
    let operation = adopt(&mut fabric.user, fabric.id, &[key(&fabric.name, "vpc-02")]).await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn adopting_takes_the_permission_to_change_the_fabric() -> Result<()> {
    let world = world().await;
    let mut fabric = Fabric::add().await?;
    fabric.commit(&[("n.yaml", Some(&NAMESPACES.replace("name: default", "name: one")))]).await?;
    with_vpcs(&mut fabric, 1..2).await?;
    let head = world.git.head(&fabric.name, "main").await?;
    let limit = json!({ "name": fabric.name }).to_string();
    let grants: [&[&str]; 1] = [&["--action", "view,sync", "--constraints", &limit]];
    let (mut user, _) = person("adopt-operator", &grants).await?;
    let keys = [key(&fabric.name, "vpc-01")];
    let refused = ask(&mut user, fabric.id, &keys).await?;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let said = refused.json()?;
    assert_eq!(said["code"], "permission_denied");
    assert!(text(&said["message"]).contains("hedgerow.change_fabric"), "{said}");
    let page = review_all(&mut user, fabric.id).await?;
    assert!(page.attribute("#adopt-form button[type=submit]", "disabled")?.is_some(), "the button cannot be pressed");
    assert!(page.visible_text().contains("Needs the permission hedgerow.change_fabric"), "{}", page.visible_text());
    assert_eq!(world.git.head(&fabric.name, "main").await?, head);
    let activity = fabric.user.visit(&format!("/fabrics/{}/activity/?show=refused", fabric.id)).await?.visible_text();
    assert!(activity.contains("adopt-operator") && activity.contains("permission_denied"), "{activity}");
    // Reading the cluster without adopting is what this user may do.
    assert_eq!(adopt(&mut user, fabric.id, &[]).await?["state"], "succeeded");

    let given = ["user", "grant", "adopt-operator", "--action", "change", "--constraints", &limit];
    let given = world.console.run(&given, None).await?;
    assert!(given.status.success(), "{given:?}");
    let adopted = adopt(&mut user, fabric.id, &keys).await?;
    assert_eq!(adopted["state"], "succeeded", "{adopted}");
    let author = world.git.in_repo(&fabric.name, &["log", "-1", "--format=%an <%ae>", "main"]).await?;
    assert_eq!(author.trim(), "adopt-operator <adopt-operator@hedgerow.local>");
    Ok(())
}
