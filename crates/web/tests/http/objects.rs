//! The list of objects of one kind shows the printer columns of the cluster's own definition of that kind.

use crate::console::Answer;
use crate::verbs::{follow, press, with_lab};

/// The heads of the table's columns.
fn heads(page: &Answer) -> Vec<String> {
    let head = page.body.split("<thead>").nth(1).expect("a table").split("</thead>").next().unwrap();
    // The boxes that choose objects are no column of theirs.
    head.split("<th ")
        .skip(1)
        .filter(|cell| !cell.contains("class=\"tick\""))
        .map(|cell| plain(cell.split_once('>').unwrap().1.split("</th>").next().unwrap()))
        .collect()
}

/// The cells of the row of this name.
fn cells(page: &Answer, name: &str) -> Vec<String> {
    let rows = page.body.split("<tbody>").nth(1).unwrap().split("</tbody>").next().unwrap();
    let row = rows.split("<tr>").find(|row| row.contains(&format!(">{name}</a>"))).expect("the row is there");
    let cells = row.split("<td").skip(1).filter(|cell| !cell.starts_with(" class=\"tick\""));
    cells.map(|cell| plain(cell.split_once('>').unwrap().1)).collect()
}

fn plain(markup: &str) -> String {
    let text: String = markup
        .split('<')
        .enumerate()
        .map(|(i, part)| if i == 0 { part } else { part.split_once('>').map_or("", |(_, text)| text) })
        .collect();
    text.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_one_kind_shows_the_columns_of_its_definition_with_live_values() {
    let (lab, console, fabric, mut browser) = with_lab().await;
    let url = press(&mut browser, &fabric, "sync-now-btn").await;
    follow(&mut browser, &url).await;
    let mut namespace = lab.object("VLANNamespace", "default").unwrap();
    namespace["metadata"] = serde_json::json!({"name": "somebody-elses", "namespace": "default"});
    namespace["spec"] = serde_json::json!({"ranges": [{"from": 1000, "to": 1100}]});
    lab.load([namespace], "kubectl-create").unwrap();
    let mut changed = lab.object("VPC", "vpc-01").unwrap();
    changed["spec"]["vlanNamespace"] = "somebody-elses".into();
    lab.load([changed], "kubectl-edit").unwrap();
    let url = press(&mut browser, &fabric, "sync-from-fabric-btn").await;
    follow(&mut browser, &url).await;

    // The pages' clock is the test's own; the lab's is the machine's.
    console.clock.advance(std::time::Duration::from_secs(600));
    let objects = format!("/fabrics/{}/objects/", fabric.id);
    let page = browser.open(&format!("{objects}?kind=VPC.vpc.githedgehog.com")).await;
    assert_eq!(heads(&page), ["Name", "State", "IPv4NS", "VLANNS", "Age", "File"]);
    let row = cells(&page, "vpc-01");
    assert_eq!(row[2..4], ["default", "somebody-elses"], "the live value stands there, not the one in Git: {row:?}");
    assert!(row[4].ends_with("min ago"), "{row:?}");
    assert_eq!(cells(&page, "vpc-02")[3], "default");

    // What kubectl shows with -o wide stands behind a link, which keeps the filters.
    let link =
        page.body.split("href=\"").map(|rest| rest.split('"').next().unwrap()).find(|href| href.contains("wide=1"));
    let wide = browser.open(&link.expect("a link to more columns").replace("&#38;", "&")).await;
    assert_eq!(heads(&wide), ["Name", "State", "IPv4NS", "VLANNS", "Subnets", "VNI", "Age", "File"]);
    let row = cells(&wide, "vpc-02");
    assert_eq!(row[4], "default", "a map of subnets shows their names");
    assert_eq!(row[5], "–", "what the object does not have is said");
    assert!(wide.text().contains("Fewer columns") && wide.body.contains("name=\"wide\" value=\"1\""));

    let short = browser.open(&format!("{objects}?kind=VPC")).await;
    assert_eq!(heads(&short).len(), 6, "a kind by its name alone is enough where there is one of that name");
    let all = browser.open(&objects).await;
    assert_eq!(heads(&all)[2..], ["Kind", "File"], "a list of several kinds has no columns of one");
    lab.stop().await;
}
