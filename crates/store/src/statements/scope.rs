//! The comparisons that a scope is compiled from.

pub(crate) const EXACT: &str = "{c} = ?";
pub(crate) const NOT: &str = "{c} <> ?";
pub(crate) const LT: &str = "{c} < ?";
pub(crate) const LTE: &str = "{c} <= ?";
pub(crate) const GT: &str = "{c} > ?";
pub(crate) const GTE: &str = "{c} >= ?";
/// Followed by the list of values.
pub(crate) const IN: &str = "{c} IN ";
/// Without case; the value is a folded pattern.
pub(crate) const LIKE: &str = "lower({c}) LIKE ? ESCAPE '\\'";
// With case, by means that both engines have: LIKE folds case on one of them.
pub(crate) const CONTAINS: &str = "(? = '' OR replace({c}, ?, '') <> {c})";
pub(crate) const STARTS_WITH: &str = "substr({c}, 1, length(?)) = ?";
pub(crate) const ENDS_WITH: &str = "(length({c}) >= length(?) AND substr({c}, length({c}) - length(?) + 1) = ?)";
