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

pub(crate) mod adopted;
pub(crate) mod api_tokens;
pub(crate) mod attempts;
pub(crate) mod automatic;
pub(crate) mod backup;
pub(crate) mod changes;
pub(crate) mod comparisons;
pub(crate) mod fabrics;
pub(crate) mod kept_forms;
pub(crate) mod meta;
pub(crate) mod migrations;
pub(crate) mod nouns;
pub(crate) mod objects;
pub(crate) mod operations;
pub(crate) mod people;
pub(crate) mod scope;
pub(crate) mod sessions;
pub(crate) mod verify_runs;

/// Every statement of the store.
#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = &'static crate::sql::Statement> {
    [
        adopted::ALL,
        api_tokens::ALL,
        attempts::ALL,
        automatic::ALL,
        backup::ALL,
        changes::ALL,
        comparisons::ALL,
        fabrics::ALL,
        kept_forms::ALL,
        meta::ALL,
        migrations::ALL,
        objects::ALL,
        operations::ALL,
        people::ALL,
        sessions::ALL,
        verify_runs::ALL,
    ]
    .into_iter()
    .flatten()
    .copied()
}

#[cfg(test)]
mod tests {
    use crate::{Engine, Store};
    use sqlx::{Executor, SqlSafeStr};

    /// The engine itself reads each text: misspelt columns, wrong types and missing tables fail here, also in
    /// statements that no other test reaches.
    async fn prepare_all(store: Store) {
        let mut conn = store.read.acquire().await.unwrap();
        for statement in super::all() {
            let text = statement.text(store.engine());
            if let Err(e) = (&mut *conn).prepare(text.into_sql_str()).await {
                panic!("{} cannot {}: {e}\n{text}", store.engine(), statement.doing);
            }
        }
        drop(conn);
        store.close().await;
    }

    #[tokio::test]
    async fn sqlite_prepares_every_statement() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("test.db").to_str().unwrap()).await.unwrap();
        assert_eq!(store.engine(), Engine::Sqlite);
        prepare_all(store).await;
    }

    #[tokio::test]
    async fn postgres_prepares_every_statement() {
        let url = testkit::Postgres::shared().await.unwrap().database().await.unwrap();
        let store = Store::open(&url).await.unwrap();
        assert_eq!(store.engine(), Engine::Postgres);
        prepare_all(store).await;
    }

    #[test]
    fn there_are_statements() {
        assert!(super::all().count() > 60, "the lists of the modules are put together");
    }
}
