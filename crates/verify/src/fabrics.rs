//! Which fabric a run is about: the one that was named; else the one whose cluster is the oracle's; else the only one, or
//! the first.

use crate::cause::Cause;
use crate::obstacle::Taken;
use crate::page::Page;
use crate::profile::{Place, Profile};
use crate::scene::{Scene, path_of};
use crate::site::FabricRef;
use crate::stop::Walked;
use crate::visitor::Visitor;
use scraper::Selector;

/// How many fabrics are looked at in search of the oracle's.
const MOST: usize = 500;
/// How many pages of a list are read.
const MOST_PAGES: usize = 50;

/// What must hold of the oracle's cluster.
const SAME_CLUSTER: &str = "the oracle's cluster is the fabric's";

/// The fabrics of a list, in its order.
pub fn listed(list: &Page, profile: &Profile) -> Vec<FabricRef> {
    rows(list, profile).into_iter().map(|(fabric, _)| fabric).collect()
}

/// The fabrics of a list with the word of each one's state.
pub fn rows(list: &Page, profile: &Profile) -> Vec<(FabricRef, String)> {
    let document = crate::page::document(&list.body);
    let (Ok(row), Ok(link), Ok(status)) = (
        Selector::parse(&profile.fabrics.row),
        Selector::parse(&profile.fabrics.link),
        Selector::parse(&profile.fabrics.status),
    ) else {
        return Vec::new();
    };
    let text = |element: scraper::ElementRef<'_>| {
        element.text().collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let mut found: Vec<(FabricRef, String)> = Vec::new();
    for row in document.select(&row) {
        let fabric = row.select(&link).find_map(|link| {
            let url = list.url.join(link.value().attr("href")?).ok()?;
            let id = profile.fabric.address.captures(url.path())?.get(1)?.as_str().to_owned();
            Some(FabricRef { id, name: text(link), address: url.path().to_owned() })
        });
        let Some(fabric) = fabric else { continue };
        let word = row.select(&status).next().map(text).unwrap_or_default();
        if !found.iter().any(|(one, _)| one.id == fabric.id) {
            found.push((fabric, word));
        }
    }
    found
}

/// The address of the next page of a list, as the page shows it: a link that says so by its relation or its words, or the
/// link of a pager to the number behind this one.
pub fn next_page(list: &Page) -> Option<String> {
    let document = crate::page::document(&list.body);
    let links = Selector::parse("a[href], link[href]").ok()?;
    let here = number_of(&list.url);
    let (mut by_words, mut by_number) = (None, None);
    for link in document.select(&links) {
        let value = link.value();
        let Some(url) = value.attr("href").and_then(|href| list.url.join(href).ok()) else { continue };
        if url.origin() != list.url.origin() || url.path() != list.url.path() || url.query() == list.url.query() {
            continue;
        }
        let address = crate::scene::path_and_query(&url);
        if value.attr("rel").is_some_and(|rel| rel.split_whitespace().any(|one| one.eq_ignore_ascii_case("next"))) {
            return Some(address);
        }
        let text = link.text().collect::<String>();
        let words = [Some(text.as_str()), value.attr("aria-label"), value.attr("title")];
        let says_next = |words: &str| NEXT.contains(&words.trim().to_lowercase().as_str());
        if by_words.is_none() && words.into_iter().flatten().any(says_next) {
            by_words = Some(address);
        } else if by_number.is_none() && number_of(&url) == here + 1 {
            by_number = Some(address);
        }
    }
    by_words.or(by_number)
}

/// What links to the next page say.
const NEXT: [&str; 6] = ["next", "next page", "›", "»", ">", "next ›"];

fn number_of(url: &url::Url) -> u64 {
    url.query_pairs().find(|(name, _)| name == "page").and_then(|(_, number)| number.parse().ok()).unwrap_or(1)
}

/// All fabrics of a list with the words of their states, page after page from this one on, until one is found that is
/// looked for, or none is left; and the page that was read last.
pub async fn until(
    visitor: &mut Visitor,
    list: Page,
    profile: &Profile,
    wanted: impl Fn(&FabricRef) -> bool,
) -> Taken<(Vec<(FabricRef, String)>, Page)> {
    let mut found = rows(&list, profile);
    let (mut page, mut read) = (list, 1);
    while read < MOST_PAGES && !found.iter().any(|(one, _)| wanted(one)) {
        let Some(next) = next_page(&page) else { break };
        page = visitor.leaf(&next).await?;
        read += 1;
        let before = found.len();
        for row in rows(&page, profile) {
            if !found.iter().any(|(one, _)| one.id == row.0.id) {
                found.push(row);
            }
        }
        // A pager that leads nowhere new.
        if found.len() == before {
            break;
        }
    }
    Ok((found, page))
}

/// The one of these that somebody means: by its name, or else by its number, which may be another one's name.
pub fn named(found: Vec<FabricRef>, wanted: &str) -> Option<FabricRef> {
    let by_name = found.iter().position(|one| one.name == wanted);
    let at = by_name.or_else(|| found.iter().position(|one| one.id == wanted))?;
    found.into_iter().nth(at)
}

/// Chooses one, and says what its page says of its namespace.
pub(crate) async fn choose(
    scene: &mut Scene<'_>,
    visitor: &mut Visitor,
    found: Vec<FabricRef>,
    uid: Option<&str>,
) -> Walked<(Option<FabricRef>, Option<String>)> {
    let profile = scene.profile();
    let named = scene.site.plan.fabric.is_some();
    let names: Vec<String> = found.iter().map(|fabric| fabric.name.clone()).collect();
    let mut first = None;
    for fabric in found.into_iter().take(MOST) {
        let page = visitor.open(&fabric.address).await?;
        scene.shown_by(visitor);
        let namespace = profile.fabric.namespace.as_ref().and_then(|place| place.read(&page));
        let shown = profile.fabric.cluster_uid.as_ref().and_then(|place| place.read(&page));
        if let (Some(wanted), Some(shown)) = (uid, &shown) {
            if wanted == shown {
                let observed = format!("{}: the UID of kube-system is {shown} in both", fabric.name);
                scene.require(true, Cause::OracleUnusable, SAME_CLUSTER, observed)?;
                source_fits(scene, &page)?;
                return Ok((Some(fabric), namespace));
            }
            if named {
                let observed = format!("{} is at the cluster {shown}, the oracle reads {wanted}", fabric.name);
                return Err(scene.invalid(Cause::OracleUnusable, SAME_CLUSTER, observed));
            }
            continue;
        }
        if first.is_none() {
            first = Some((fabric, namespace, page));
        }
        if uid.is_none() || named {
            break;
        }
    }
    let Some(first) = first else {
        if uid.is_none() || profile.fabric.cluster_uid.is_none() {
            return Ok((None, None));
        }
        let expected = "one of the fabrics is at the oracle's cluster";
        let observed = format!("no fabric that {} shows is", path_of(&profile.fabrics.address));
        return Err(scene.invalid(Cause::OracleUnusable, expected, observed));
    };
    let plan = &scene.site.plan;
    let is_chosen = named || names.len() == 1;
    let list: String = names.join(", ").chars().take(200).collect();
    if plan.allow_sync && !is_chosen {
        let observed = format!("--allow-sync was given, the list shows {list}, and none was named");
        return Err(scene.invalid(Cause::FabricUnknown, "it is clear which fabric may be synced", observed));
    }
    if plan.cluster.is_some() {
        let why = match uid {
            Some(_) => "the fabric's page does not say at which cluster it is",
            None => "the oracle may not read the namespace kube-system, whose UID would tell",
        };
        if !is_chosen {
            let observed = format!("{why}; the list shows {list}, and none was named");
            return Err(scene.invalid(Cause::FabricUnknown, SAME_CLUSTER, observed));
        }
        scene.untold(SAME_CLUSTER, &format!("{why}; it is taken to be so, because both were given together"));
    }
    source_fits(scene, &first.2)?;
    Ok((Some(first.0), first.1))
}

/// What a page says where a fabric has no folder of its own.
const WHOLE: [&str; 3] = ["", ".", "the whole repository"];

/// That the oracle's repository is the fabric's: its page is at the newest commit, or names branch and repository alike.
fn source_fits(scene: &mut Scene<'_>, page: &Page) -> Walked<()> {
    let Some(git) = &scene.site.plan.git else { return Ok(()) };
    let places = &scene.profile().fabric;
    let read = |place: &Option<Place>| place.as_ref().and_then(|place| place.read(page));
    let (commit, source, branch) = (read(&places.commit), read(&places.source), read(&places.branch));
    let (address, own) = (git.address().to_owned(), git.branch().to_owned());
    let expected = "the oracle's repository is the fabric's";
    let head = scene.site.git_head.clone().unwrap_or_default();
    // Several fabrics may lie in one repository.
    if let Some(path) = read(&places.path) {
        let (path, folder) = (path.trim_matches('/'), git.folder());
        if path != folder && !(folder.is_empty() && WHOLE.contains(&path)) {
            let whole =
                |folder: &str| if folder.is_empty() { "the whole repository".to_owned() } else { folder.to_owned() };
            let observed = format!("the fabric's manifests are those of {path}, the oracle reads {}", whole(folder));
            let expected = "the oracle reads the folder of the fabric, which --oracle-folder names";
            return Err(scene.invalid(Cause::OracleUnusable, expected, observed));
        }
    }
    if let Some(commit) = commit.filter(|commit| commit.len() >= 7 && head.starts_with(commit.as_str())) {
        return scene.require(true, Cause::OracleUnusable, expected, format!("both are at {commit}"));
    }
    if let Some(branch) = branch.filter(|branch| *branch != own) {
        let observed = format!("the fabric's branch is {branch}, the oracle reads {own}");
        return Err(scene.invalid(Cause::OracleUnusable, expected, observed));
    }
    let last = |address: &str| {
        let name = address.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
        name.trim_end_matches(".git").to_lowercase()
    };
    match source {
        Some(source) if source.contains('/') && last(&source) != last(&address) => {
            let observed = format!("the fabric's source is {source}, the oracle reads {address}");
            Err(scene.invalid(Cause::OracleUnusable, expected, observed))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(address: &str, body: &str) -> Page {
        let url = url::Url::parse("https://h.example").unwrap().join(address).unwrap();
        Page { status: 200, url, headers: reqwest::header::HeaderMap::new(), body: body.to_owned() }
    }

    #[test]
    fn a_name_comes_before_a_number() {
        let one = |id: &str, name: &str| FabricRef { id: id.into(), name: name.into(), address: String::new() };
        let all = || vec![one("2", "10"), one("10", "2"), one("3", "west")];
        let found = |wanted: &str| named(all(), wanted).map(|one| one.id);
        assert_eq!((found("2").as_deref(), found("10").as_deref()), (Some("10"), Some("2")));
        assert_eq!((found("west").as_deref(), found("3").as_deref(), found("4")), (Some("3"), Some("3"), None));
    }

    #[test]
    fn the_next_page_is_where_the_page_says() {
        for (here, body, next) in [
            ("/f/", r#"<a href="/f/?page=2" rel="next">Next</a>"#, Some("/f/?page=2")),
            ("/f/?q=x&page=2", r#"<a href="?q=x">1</a> <a href="?q=x&amp;page=3">3</a>"#, Some("/f/?q=x&page=3")),
            (
                "/f/",
                r#"<a href="?page=9">9</a><a href="?page=2" aria-label="Next page"><i></i></a>"#,
                Some("/f/?page=2"),
            ),
            ("/f/", r#"<a href="?page=2">2</a><a href="?page=3">3</a>"#, Some("/f/?page=2")),
            ("/f/?page=3", r#"<a href="?page=1">1</a><a href="?page=2">2</a>"#, None),
            ("/f/", r#"<a href="/other/?page=2" rel="next">Next</a>"#, None),
            ("/f/", r#"<a href="https://elsewhere.example/f/?page=2" rel="next">Next</a>"#, None),
            ("/f/", r#"<a href="/f/1/">one</a>"#, None),
        ] {
            assert_eq!(next_page(&list(here, body)).as_deref(), next, "{here}: {body}");
        }
    }
}
