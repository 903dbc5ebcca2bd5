//! Every page and every link answers properly, with at least one object of every sort.

use crate::cause::Cause;
use crate::page::Page;
use crate::scene::{Scene, path_and_query, says};
use crate::stop::Walked;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many pages are opened at most.
const MOST: usize = 400;

pub(super) async fn walk(scene: &mut Scene<'_>) -> Walked<()> {
    let profile = scene.profile();
    let mut visitor = scene.user().await?;
    let origin = scene.site.target().origin();
    let mut waiting: VecDeque<(String, String)> =
        profile.crawl.start.iter().map(|address| (address.clone(), "the start".to_owned())).collect();
    waiting.push_back((scene.fabric()?.address, "the fabric".to_owned()));
    let mut known: BTreeSet<String> = waiting.iter().map(|(address, _)| address.clone()).collect();
    let mut few: BTreeMap<(usize, String), usize> = BTreeMap::new();
    let mut met: BTreeSet<String> = BTreeSet::new();
    let mut opened = 0;
    while let Some((address, from)) = waiting.pop_front() {
        if opened >= MOST {
            break;
        }
        let page = visitor.leaf(&address).await?;
        scene.shown_by(&visitor);
        opened += 1;
        proper(scene, &page, &address, &from)?;
        let path = path_and_query(&page.url);
        met.extend(
            profile.crawl.must_meet.iter().filter(|(_, pattern)| pattern.is_match(&path)).map(|(what, _)| what.clone()),
        );
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
            let outside = url.origin() != origin || !["http", "https"].contains(&url.scheme());
            let only = &profile.crawl.only;
            if outside
                || profile.crawl.skip.iter().any(|skip| skip.is_match(&path))
                || !only.is_empty() && !only.iter().any(|one| one.is_match(&path))
                || !known.insert(path.clone())
            {
                continue;
            }
            let group = profile.crawl.few.iter().enumerate().find_map(|(number, few)| {
                let found = few.pattern.captures(&path)?;
                Some((number, found.get(1).map(|one| one.as_str().to_owned()).unwrap_or_default(), few.most))
            });
            if let Some((number, name, most)) = group {
                let count = few.entry((number, name)).or_default();
                *count += 1;
                if *count > most {
                    continue;
                }
            }
            waiting.push_back((path, address.clone()));
        }
    }
    let missing: Vec<&String> = profile.crawl.must_meet.keys().filter(|what| !met.contains(*what)).collect();
    scene.assert(true, Cause::BrokenPage, "every page and every link answers properly", format!("{opened} pages"))?;
    if !missing.is_empty() {
        let missing = missing.into_iter().cloned().collect::<Vec<_>>().join(", ");
        scene.untold("at least one object of every sort is met", &format!("not met: {missing}"));
    }
    visitor.close().await;
    Ok(())
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
