//! What lists share: chips for active filters, the pager, choices, and the table of operations.

use super::{Badge, markup};
use crate::icon::Icon;
use crate::parts::changes::ChangedObjects;
use crate::url;
use crate::when::When;
use askama::Template;

/// One active filter.
#[derive(Debug, Clone)]
pub struct Chip {
    /// The filter.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// The same page without it.
    pub without: String,
}

/// The active filters.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/chips.html")]
pub struct Chips {
    /// The filters.
    pub chips: Vec<Chip>,
    /// The page without any.
    pub clear: String,
}

/// One value of a select, or one link of a row of choices.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The value, or the address.
    pub value: String,
    /// Its words.
    pub label: String,
    /// Whether it is the one.
    pub selected: bool,
}

/// How many rows a page of a list has.
pub const PAGE_SIZE: u64 = 50;

/// The rows of a page of a list; pages count from 1.
pub fn page_of(number: u64) -> store::Page {
    store::Page::new(PAGE_SIZE as u32, number.saturating_sub(1) * PAGE_SIZE)
}

/// Links to the page before and the page after, and where this one stands.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/pager.html")]
pub struct Pager {
    /// The list without its page.
    pub path: String,
    /// The rest of the query, encoded, without `page`.
    pub query: Vec<(String, String)>,
    /// The page, from 1.
    pub page: u64,
    /// Rows in all.
    pub total: u64,
    /// Rows a page.
    pub size: u64,
}

impl Pager {
    /// A pager over `total` rows.
    pub fn new(path: String, query: Vec<(String, String)>, page: u64, total: u64) -> Self {
        Self { path, query, page: page.max(1), total, size: PAGE_SIZE }
    }

    /// Whether there is more than one page, or a page beyond the last was asked for.
    pub fn needed(&self) -> bool {
        self.total > self.size || self.page > 1
    }

    /// How many pages there are; one at least.
    pub fn pages(&self) -> u64 {
        self.total.div_ceil(self.size).max(1)
    }

    /// The first row of the page, from 1.
    pub fn from(&self) -> u64 {
        if self.total == 0 { 0 } else { ((self.page - 1) * self.size + 1).min(self.total) }
    }

    /// The last row of the page.
    pub fn to(&self) -> u64 {
        self.page.saturating_mul(self.size).min(self.total)
    }

    fn at(&self, page: u64) -> String {
        let page = page.to_string();
        let mut pairs: Vec<(&str, &str)> = self.query.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        if page != "1" {
            pairs.push(("page", &page));
        }
        url::with_query(&self.path, &pairs)
    }

    fn previous(&self) -> Option<String> {
        (self.page > 1).then(|| self.at((self.page - 1).min(self.pages())))
    }

    fn next(&self) -> Option<String> {
        (self.to() < self.total).then(|| self.at(self.page + 1))
    }
}

/// One operation or attempt in a table.
#[derive(Debug, Clone)]
pub struct OperationRow {
    /// The verb.
    pub title: String,
    /// The operation's page; an attempt that was rejected has none.
    pub href: Option<String>,
    /// The fabric's name and page.
    pub fabric: Option<(String, Option<String>)>,
    /// What became of it.
    pub state: Badge,
    /// Who started it.
    pub actor: String,
    /// Whether the system itself did: by its schedule or by the fabric's policy.
    pub is_automatic: bool,
    /// When.
    pub when: When,
    /// How long it took.
    pub took: String,
    /// What came of it, in words.
    pub summary: String,
    /// The code of the failure.
    pub code: Option<String>,
    /// What it changed.
    pub changed: ChangedObjects,
}

/// A table of operations and attempts.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/operations_table.html")]
pub struct OperationsTable {
    /// The rows, newest first.
    pub rows: Vec<OperationRow>,
    /// Whether the rows are of several fabrics.
    pub show_fabric: bool,
}

markup!(Chips, Pager, OperationsTable);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_exactly() {
        let pager = |page, total| Pager::new("/x/".into(), vec![("kind".into(), "VPC".into())], page, total);
        let first = pager(1, 120);
        assert_eq!((first.from(), first.to()), (1, 50));
        assert_eq!(first.next().unwrap(), "/x/?kind=VPC&page=2");
        assert!(first.previous().is_none());
        let last = pager(3, 120);
        assert_eq!((last.from(), last.to()), (101, 120));
        assert!(last.next().is_none());
        assert_eq!(last.previous().unwrap(), "/x/?kind=VPC&page=2");
        assert_eq!(pager(2, 60).previous().unwrap(), "/x/?kind=VPC");
        assert!(!pager(1, 50).needed());
        assert!(pager(1, 51).needed());
        let beyond = pager(9, 60);
        assert_eq!(beyond.previous().unwrap(), "/x/?kind=VPC&page=2");
        assert!(beyond.next().is_none());
        let empty = pager(1, 0);
        assert_eq!((empty.from(), empty.to()), (0, 0));
    }
}
