//! Every page and every link answers properly, with at least one object of every sort and kind.

use crate::cause::Cause;
use crate::drivers::Ask;
use crate::page::Page;
use crate::profile::Crawl;
use crate::scene::{Scene, path_and_query, says};
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What stands in a query as it is: so do pages write it, and nothing is opened twice.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How many pages are opened at most.
const MOST: usize = 1000;

/// The pages that are still to be opened.
#[derive(Default)]
struct Waiting {
    /// Each with the page that links to it.
    queue: VecDeque<(String, String)>,
    known: BTreeSet<String>,
    /// How many were taken of those of which a few stand for all.
    few: BTreeMap<(usize, String), usize>,
    /// Where forms send to, and what nobody can read, each with the form's page.
    unfound: Vec<(String, String)>,
    /// Whether the target tells an address that takes another method from one that is not there.
    tells_methods: bool,
}

impl Waiting {
    /// Takes a page in, whatever the profile says of its sort.
    fn start(&mut self, address: String, from: &str) {
        if self.known.insert(address.clone()) {
            self.queue.push_back((address, from.to_owned()));
        }
    }

    /// Whether an address is a new one that the profile wants opened.
    fn wants(&mut self, crawl: &Crawl, path: &str) -> bool {
        let unwanted = crawl.skip.iter().any(|skip| skip.is_match(path))
            || !crawl.only.is_empty() && !crawl.only.iter().any(|only| only.is_match(path));
        if unwanted || !self.known.insert(path.to_owned()) {
            return false;
        }
        let group = crawl.few.iter().enumerate().find_map(|(number, few)| {
            let found = few.pattern.captures(path)?;
            Some((number, found.get(1).map(|one| one.as_str().to_owned()).unwrap_or_default(), few.most))
        });
        let Some((number, name, most)) = group else { return true };
        let count = self.few.entry((number, name)).or_default();
        *count += 1;
        *count <= most
    }
}

pub(super) async fn walk(scene: &mut Scene<'_>) -> Walked<()> {
    let profile = scene.profile();
    let crawl = &profile.crawl;
    let mut visitor = scene.user().await?;
    let origin = scene.site.target().origin();
    let mut waiting = Waiting::default();
    for address in &crawl.start {
        waiting.start(address.clone(), "the start");
    }
    waiting.start(scene.fabric()?.address, "the fabric");
    let mut kinds = kinds(scene, &mut visitor, &mut waiting).await?;
    let mut met: BTreeSet<String> = BTreeSet::new();
    let mut opened = 0;
    while let Some((address, from)) = waiting.queue.pop_front() {
        if opened >= MOST {
            return Err(Stop::Inconclusive(format!(
                "{opened} pages answer properly, and {} more were not opened. The profile says of which sorts a few stand for all.",
                waiting.queue.len() + 1
            )));
        }
        let page = visitor.leaf(&address).await?;
        scene.shown_by(&visitor);
        opened += 1;
        proper(scene, &page, &address, &from)?;
        let path = path_and_query(&page.url);
        met.extend(crawl.must_meet.iter().filter(|(_, pattern)| pattern.is_match(&path)).map(|(what, _)| what.clone()));
        if let Some(found) = crawl.kinds.as_ref().and_then(|places| places.object.captures(page.url.path())) {
            let kind = found.get(1).map(|kind| kind.as_str().to_owned()).unwrap_or_default();
            kinds.remove(&kind);
        }
        if !page.is_html() {
            continue;
        }
        for link in page.attributes("a[href]", "href") {
            let Ok(mut url) = page.url.join(&link) else {
                let expected = format!("the links of {address} are addresses");
                return Err(scene.failed(Cause::BrokenPage, &expected, link));
            };
            url.set_fragment(None);
            let path = path_and_query(&url);
            if url.origin() == origin && waiting.wants(crawl, &path) {
                waiting.queue.push_back((path, address.clone()));
            }
        }
        beside(scene, &mut visitor, &mut waiting, &page).await?;
    }
    scene.assert(true, Cause::BrokenPage, "every page and every link answers properly", format!("{opened} pages"))?;
    if let Some((address, from)) = waiting.unfound.first() {
        let expected = format!("{address}, where a form of {from} sends to, exists");
        if waiting.tells_methods {
            return Err(scene.failed(Cause::WrongAddress, &expected, "status 404"));
        }
        scene.untold(&expected, "the target answers 404 to whoever only reads an address that is there to be sent to");
    }
    let missing = crawl.must_meet.keys().filter(|what| !met.contains(*what)).cloned();
    let missing: Vec<String> = missing.chain(kinds.into_iter().map(|kind| format!("an object of {kind}"))).collect();
    let expected = "at least one object of every sort and kind is met";
    if missing.is_empty() {
        scene.assert(true, Cause::BrokenPage, expected, "none is missing")?;
    } else {
        scene.untold(expected, &format!("not met: {}", missing.join(", ")));
    }
    visitor.close().await;
    Ok(())
}

/// What a page loads, and where its forms send to: asked for in a way that does nothing.
async fn beside(scene: &mut Scene<'_>, visitor: &mut Visitor, waiting: &mut Waiting, page: &Page) -> Walked<()> {
    let profile = scene.profile();
    let own = |address: &String| {
        let url = page.url.join(address).ok()?;
        (url.origin() == page.url.origin() && url.scheme().starts_with("http")).then(|| path_and_query(&url))
    };
    let loaded =
        [page.attributes("link[rel=stylesheet], link[rel=icon]", "href"), page.attributes("[src]", "src")].concat();
    for address in loaded.iter().filter_map(own) {
        if waiting.known.insert(address.clone()) {
            let answer = visitor.ask(&Ask::get(&address).with("Accept", "*/*")).await?;
            scene.shown_by(visitor);
            let expected = format!("{address}, which {} loads, is there", page.url.path());
            scene.found(answer.status < 400, Cause::AssetBroken, &expected, &format!("status {}", answer.status))?;
        }
    }
    for address in page.attributes("form[method=post]", "action").iter().filter_map(own) {
        if waiting.wants(&profile.crawl, &address) {
            let answer = visitor.ask(&Ask::get(&address)).await?;
            scene.shown_by(visitor);
            // Some targets answer 404 to a method that an address does not take.
            match answer.status {
                404 => waiting.unfound.push((address, page.url.path().to_owned())),
                _ => waiting.tells_methods = true,
            }
        }
    }
    Ok(())
}

/// The kinds that the target names, each with its list among those to be opened.
async fn kinds(scene: &Scene<'_>, visitor: &mut Visitor, waiting: &mut Waiting) -> Walked<BTreeSet<String>> {
    let profile = scene.profile();
    let Some(places) = &profile.crawl.kinds else { return Ok(BTreeSet::new()) };
    let id = scene.fabric()?.id;
    let list = places.list.replace("{id}", &id);
    let page = visitor.leaf(&list).await?;
    let kinds = page.attributes(&places.option, "value").into_iter().filter(|kind| !kind.is_empty());
    let kinds: BTreeSet<String> = kinds.collect();
    for kind in &kinds {
        let shown = utf8_percent_encode(kind, PLAIN).to_string();
        waiting.start(places.address.replace("{id}", &id).replace("{kind}", &shown), &list);
    }
    Ok(kinds)
}

/// A page is one that a person can read: not an error, not a stack trace, not a login page.
fn proper(scene: &mut Scene<'_>, page: &Page, address: &str, from: &str) -> Walked<()> {
    let expected = format!("{address}, a link of {from}, answers with a page");
    if page.status >= 500 {
        return Err(scene.failed(Cause::ServerError, &expected, says(page)));
    }
    if page.status >= 400 {
        let cause = if page.status == 404 { Cause::NotFound } else { Cause::BrokenPage };
        return Err(scene.failed(cause, &expected, says(page)));
    }
    let asked_for_login = address.starts_with(&scene.site.profile.login.address);
    if scene.is_login(page) && !asked_for_login {
        return Err(scene.failed(Cause::NoSession, &expected, says(page)));
    }
    if page.is_html() {
        let text = page.visible_text();
        let raw = ["Traceback (most recent call last)", "panicked at", "[object Object]", "{{ ", "{% "];
        if let Some(raw) = raw.iter().find(|raw| text.contains(**raw)) {
            return Err(scene.failed(Cause::BrokenPage, &expected, format!("the page shows “{raw}”")));
        }
        if page.title().is_empty() || text.len() < 20 {
            return Err(scene.failed(Cause::BrokenPage, &expected, format!("an empty page: {}", says(page))));
        }
    }
    Ok(())
}
