//! Pages of a list: where they begin, how long they are, in which direction they run.

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// At most this many rows.
    pub limit: u32,
    /// Rows that are passed over.
    pub offset: u64,
}

impl Page {
    /// The longest page.
    pub const MAX: u32 = 1000;

    /// A page, its length cut to [`Page::MAX`].
    pub fn new(limit: u32, offset: u64) -> Self {
        Self { limit: limit.min(Self::MAX), offset }
    }

    /// The first rows.
    pub fn first(limit: u32) -> Self {
        Self::new(limit, 0)
    }

    /// Everything; for exports and for lists that are short by nature.
    pub fn all() -> Self {
        Self { limit: u32::MAX, offset: 0 }
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::first(50)
    }
}

/// One page of a list, and how long the whole list is.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// The rows of this page.
    pub rows: Vec<T>,
    /// Rows of all pages together.
    pub total: u64,
}

/// In which direction a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Smallest first.
    #[default]
    Ascending,
    /// Largest first.
    Descending,
}

impl Direction {
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Direction::Ascending => " ASC",
            Direction::Descending => " DESC",
        }
    }
}
