//! Walks through the pages of one fabric as a person does who clicks on everything.

use anyhow::Result;
use std::collections::{BTreeSet, VecDeque};
use testkit::{HttpUser, Page};

/// Everything that was seen.
pub struct Crawled {
    /// Every page, in the order in which it was opened.
    pub pages: Vec<Page>,
    /// Every address of this site that a page leads to, shows or sends a form to: method, address, and the page it
    /// stands on.
    pub targets: BTreeSet<(String, String, String)>,
}

/// Opens the pages that do not belong to one fabric, and every page of this fabric and of its operations, each address
/// once. Fabrics of tests that run beside this one are left alone: they come and go.
pub async fn crawl(user: &mut HttpUser, fabric: i64) -> Result<Crawled> {
    crawl_where(user, fabric, |_| true).await
}

/// The same, but for pages of the fabric that `wanted` passes over. What leads there is seen all the same.
pub async fn crawl_where(user: &mut HttpUser, fabric: i64, mut wanted: impl FnMut(&str) -> bool) -> Result<Crawled> {
    let own = format!("/fabrics/{fabric}/");
    let everywhere = [
        "/",
        "/fabrics/add/",
        "/activity/",
        "/account/",
        "/users/",
        "/users/add/",
        "/groups/",
        "/groups/add/",
        "/permissions/",
        "/permissions/add/",
        "/permissions/explain/",
    ];
    let mut waiting: VecDeque<String> = everywhere.iter().map(|path| (*path).to_owned()).collect();
    waiting.push_back(own.clone());
    let mut known: BTreeSet<String> = waiting.iter().cloned().collect();
    let mut crawled = Crawled { pages: Vec::new(), targets: BTreeSet::new() };
    while let Some(path) = waiting.pop_front() {
        let page = user.get(&path).await?;
        let ours = path.starts_with(&own) || path.starts_with("/operations/");
        for (method, target) in targets(&page) {
            let of_a_fabric = target.starts_with("/fabrics/") && !target.starts_with("/fabrics/add/");
            let elsewhere = (of_a_fabric && !target.starts_with(&own) && target != "/fabrics/")
                || (target.starts_with("/operations/") && !ours);
            if elsewhere {
                continue;
            }
            crawled.targets.insert((method.clone(), target.clone(), path.clone()));
            let is_page = target.starts_with(&own) || target.starts_with("/operations/");
            if method == "LINK" && is_page && known.insert(target.clone()) && wanted(&target) {
                waiting.push_back(target);
            }
        }
        crawled.pages.push(page);
    }
    Ok(crawled)
}

/// Where a page leads: its links, what it loads, and its forms, as addresses of this site.
fn targets(page: &Page) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut add = |method: &str, written: &str| {
        let Ok(url) = page.url.join(written) else { return };
        if url.origin() == page.url.origin() {
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            found.push((method.to_owned(), format!("{}{query}", url.path())));
        }
    };
    for link in page.attributes("a[href]", "href") {
        add("LINK", &link);
    }
    for loaded in page.attributes("link[href]", "href").iter().chain(&page.attributes("[src]", "src")) {
        add("GET", loaded);
    }
    for form in page.attributes("form[method=post]", "action") {
        add("POST", &form);
    }
    for form in page.attributes("form[method=get]", "action") {
        add("GET", &form);
    }
    for name in ["data-session-url", "data-login-url", "data-fabrics-url"] {
        page.attributes("body", name).iter().for_each(|url| add("GET", url));
    }
    page.attributes("body", "data-client-error-url").iter().for_each(|url| add("POST", url));
    found
}
