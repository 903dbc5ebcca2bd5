//! Both histories describe the same tables: columns, types, nullability, keys, checks, indices.

use crate::bed::Bed;
use sqlx::{ConnectOptions, Row};
use std::collections::BTreeSet;

/// One line a fact, so that a difference shows as the line that differs.
type Facts = BTreeSet<String>;

async fn sqlite() -> Facts {
    let bed = Bed::sqlite().await;
    let mut conn = sqlx::sqlite::SqliteConnectOptions::new().filename(&bed.url).connect().await.unwrap();
    let mut facts = Facts::new();
    let columns = "SELECT t.name || '.' || c.name || ' ' || c.type || CASE WHEN c.\"notnull\" OR c.pk THEN ' NOT NULL' \
                   ELSE '' END FROM sqlite_schema t JOIN pragma_table_info(t.name) c \
                   WHERE t.type = 'table' AND t.name NOT LIKE '\\_%' ESCAPE '\\' AND t.name NOT LIKE 'sqlite%'";
    let keys = "SELECT t.name || ' PRIMARY KEY ' || group_concat(c.name) FROM sqlite_schema t \
                JOIN (SELECT * FROM sqlite_schema) s ON s.name = t.name JOIN pragma_table_info(t.name) c \
                WHERE t.type = 'table' AND c.pk > 0 AND t.name NOT LIKE '\\_%' ESCAPE '\\' \
                AND t.name NOT LIKE 'sqlite%' GROUP BY t.name";
    let references = "SELECT t.name || '.' || f.\"from\" || ' -> ' || f.\"table\" || '.' || f.\"to\" || ' ' || f.on_delete \
                      FROM sqlite_schema t JOIN pragma_foreign_key_list(t.name) f WHERE t.type = 'table'";
    let indices = "SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
    for sql in [columns, keys, references, indices] {
        for row in sqlx::query(sql).fetch_all(&mut conn).await.unwrap() {
            let fact: String = row.get(0);
            facts.insert(index(&fact.replace("INTEGER", "BIGINT").replace("BLOB", "BYTEA")));
        }
    }
    for row in sqlx::query("SELECT sql FROM sqlite_schema WHERE type = 'table'").fetch_all(&mut conn).await.unwrap() {
        let text: String = row.get(0);
        let words: Vec<&str> = text.split_whitespace().collect();
        for pair in words.windows(2).filter(|pair| pair[0] == "CONSTRAINT") {
            facts.insert(format!("check {}", pair[1]));
        }
    }
    facts
}

async fn postgres() -> Facts {
    let bed = Bed::postgres().await;
    let server = testkit::Postgres::shared().await.unwrap();
    let columns = "SELECT table_name || '.' || column_name || ' ' || upper(data_type) \
                   || CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END \
                   FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_%'";
    let keys = "SELECT k.table_name || ' PRIMARY KEY ' || string_agg(k.column_name, ',' ORDER BY k.ordinal_position) \
                FROM information_schema.table_constraints c JOIN information_schema.key_column_usage k \
                USING (constraint_name, table_schema) WHERE c.constraint_type = 'PRIMARY KEY' \
                AND k.table_name NOT LIKE '\\_%' AND c.table_schema = 'public' GROUP BY k.table_name";
    let references = "SELECT c.conrelid::regclass || '.' || a.attname || ' -> ' || c.confrelid::regclass || '.' \
                      || b.attname || CASE c.confdeltype WHEN 'c' THEN ' CASCADE' WHEN 'n' THEN ' SET NULL' ELSE ' ?' END \
                      FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] \
                      JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1] WHERE c.contype = 'f'";
    let checks = "SELECT 'check ' || conname FROM pg_constraint WHERE contype = 'c' \
                  AND connamespace = 'public'::regnamespace";
    let indices = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%_pkey'";
    let mut facts = Facts::new();
    for sql in [columns, keys, references, checks, indices] {
        for line in server.sql(&bed.url, sql).await.unwrap().lines() {
            facts.insert(index(line));
        }
    }
    facts
}

/// Indices as both engines write them; of a condition only that there is one, because PostgreSQL rewrites it.
fn index(fact: &str) -> String {
    if !fact.starts_with("CREATE") {
        return fact.replace("\"", "");
    }
    let plain = fact.replace("public.", "").replace(" USING btree", "").replace("::text", "");
    match plain.split_once(" WHERE ") {
        Some((columns, _)) => format!("{columns} WHERE ..."),
        None => plain,
    }
}

#[tokio::test]
async fn both_histories_make_the_same_schema() {
    let (sqlite, postgres) = (sqlite().await, postgres().await);
    let only = |a: &Facts, b: &Facts| a.difference(b).cloned().collect::<Vec<_>>();
    assert_eq!(
        (only(&sqlite, &postgres), only(&postgres, &sqlite)),
        (vec![], vec![]),
        "left: only in SQLite; right: only in PostgreSQL"
    );
    let count = |start: &str| sqlite.iter().filter(|f| f.starts_with(start)).count();
    assert!(count("check ") > 30 && count("CREATE") > 20 && sqlite.len() > 250, "{} facts", sqlite.len());
}
