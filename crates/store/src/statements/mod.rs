//! Every SQL text of the store, one module a noun. `$1` is a parameter on both engines; where the engines disagree a
//! statement has two texts. A test prepares each of them on both.
//!
//! Lists are put together from the fragments that stand here as plain texts; in these `?` is the one value of the
//! condition and `{c}` a column of the allow-list.

/// Declares statements, and `ALL`, the list of them.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident ($doing:literal) = $text:tt;)*) => {
        $($(#[$doc])* pub(crate) const $name: &$crate::sql::Statement = &$crate::statements::statement!($doing, $text);)*
        /// Every statement above.
        #[cfg(test)]
        pub(crate) const ALL: &[&$crate::sql::Statement] = &[$($name),*];
    };
}
pub(crate) use statements;

/// One text for both engines in parentheses, or `{ sqlite text, postgres text }`.
macro_rules! statement {
    ($doing:literal, ($($text:tt)*)) => {
        $crate::sql::Statement { doing: $doing, sqlite: concat!($($text)*), postgres: concat!($($text)*) }
    };
    ($doing:literal, { sqlite: ($($sqlite:tt)*), postgres: ($($postgres:tt)*) $(,)? }) => {
        $crate::sql::Statement { doing: $doing, sqlite: concat!($($sqlite)*), postgres: concat!($($postgres)*) }
    };
}
pub(crate) use statement;

pub(crate) mod attempts;
pub(crate) mod comparisons;
pub(crate) mod fabrics;
pub(crate) mod meta;
pub(crate) mod migrations;
pub(crate) mod objects;
pub(crate) mod operations;
pub(crate) mod people;
pub(crate) mod scope;
pub(crate) mod sessions;

/// Every statement of the store.
#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = &'static crate::sql::Statement> {
    [
        attempts::ALL,
        comparisons::ALL,
        fabrics::ALL,
        meta::ALL,
        migrations::ALL,
        objects::ALL,
        operations::ALL,
        people::ALL,
        sessions::ALL,
    ]
    .into_iter()
    .flatten()
    .copied()
}
