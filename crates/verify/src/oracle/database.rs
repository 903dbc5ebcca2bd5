//! The target's own database, read beside the target: the facts that its pages rest on, as they are stored. What is asked
//! stands in the profile; it is asked in a connection that can change nothing.

use super::{Read, Reading};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Connection, Row, SqlSafeStr};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;
use url::Url;

/// How long connecting and one answer may take together.
const WITHIN: Duration = Duration::from_secs(20);

/// Why the database did not say what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DatabaseError {
    /// What was given is no address of a database.
    #[error("{0} is no database that can be read: give sqlite:PATH or postgres://USER@HOST/DATABASE")]
    Address(String),
    /// It cannot be opened.
    #[error("the database {address} cannot be opened: {why}")]
    Unreachable {
        /// Which, without its password.
        address: String,
        /// What it said.
        why: String,
    },
    /// It does not answer the query of the profile.
    #[error("the database {address} did not answer “{query}”: {why}")]
    Query {
        /// Which, without its password.
        address: String,
        /// What was asked.
        query: String,
        /// What it said.
        why: String,
    },
}

/// A database, by its kind.
#[derive(Debug, Clone)]
enum Kind {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
}

/// The oracle of one database.
#[derive(Debug, Clone)]
pub struct DatabaseOracle {
    kind: Kind,
    address: String,
    password: Option<SecretString>,
}

impl DatabaseOracle {
    /// A database by its address, as the console's own setting has it: `sqlite:PATH`, or `postgres://USER@HOST/DATABASE`.
    /// A password that is not in it is found as psql finds it: in PGPASSWORD, or in ~/.pgpass.
    pub fn open(address: &str) -> Result<Self, DatabaseError> {
        if let Some(path) = address.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if !Path::new(path).is_file() {
                return Err(unreachable(address, "there is no such file"));
            }
            let options = SqliteConnectOptions::new().filename(path).read_only(true);
            return Ok(Self { kind: Kind::Sqlite(options), address: address.to_owned(), password: None });
        }
        let mut shown = Url::parse(address).map_err(|_| DatabaseError::Address("--oracle-database".to_owned()))?;
        if !matches!(shown.scheme(), "postgres" | "postgresql") {
            return Err(DatabaseError::Address(shown.scheme().to_owned()));
        }
        let in_user =
            shown.password().map(|text| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned());
        let in_query = shown.query_pairs().find(|(name, _)| name == "password").map(|(_, value)| value.into_owned());
        let _ = shown.set_password(None);
        if in_query.is_some() {
            let others: Vec<(String, String)> =
                shown.query_pairs().into_owned().filter(|(name, _)| name != "password").collect();
            shown.query_pairs_mut().clear().extend_pairs(others);
        }
        // In the order in which the driver finds it.
        let password = in_query.or(in_user).or_else(|| std::env::var("PGPASSWORD").ok());
        let address_shown = shown.to_string();
        let options =
            PgConnectOptions::from_str(address).map_err(|error| unreachable(&address_shown, &error.to_string()))?;
        let options = options.options([("default_transaction_read_only", "on")]).disable_statement_logging();
        Ok(Self { kind: Kind::Postgres(options), address: address_shown, password: password.map(SecretString::from) })
    }

    /// Its address, without a password.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The password of its address or of PGPASSWORD, for whoever hides secrets; one of ~/.pgpass it does not know.
    pub fn password(&self) -> Option<&SecretString> {
        self.password.as_ref().filter(|secret| !secret.expose_secret().is_empty())
    }

    /// What asks the database for its own name and version.
    pub fn version_query(&self) -> &'static str {
        match self.kind {
            Kind::Sqlite(_) => "SELECT 'SQLite ' || sqlite_version()",
            Kind::Postgres(_) => "SELECT 'PostgreSQL ' || current_setting('server_version')",
        }
    }

    /// The first column of the first row that a query answers with: a number, a text, or null where there is none.
    pub async fn one(&self, query: &str) -> Result<Read<Value>, DatabaseError> {
        let late = || unreachable(&self.address, &format!("it did not answer within {} s", WITHIN.as_secs()));
        let value = tokio::time::timeout(WITHIN, self.ask(query)).await.map_err(|_| late())??;
        let reading = Reading::now(format!("database {}", self.address), query, value.clone());
        Ok(Read { value, reading })
    }

    async fn ask(&self, query: &str) -> Result<Value, DatabaseError> {
        let opened = |error: sqlx::Error| unreachable(&self.address, &error.to_string());
        let failed = |error: sqlx::Error| DatabaseError::Query {
            address: self.address.clone(),
            query: query.to_owned(),
            why: error.to_string(),
        };
        let query = sqlx::AssertSqlSafe(query.to_owned()).into_sql_str();
        match &self.kind {
            Kind::Sqlite(options) => {
                let mut connection = SqliteConnection::connect_with(options).await.map_err(opened)?;
                let row = sqlx::query(query).fetch_optional(&mut connection).await.map_err(failed)?;
                let value = row.map(|row| of_sqlite(&row)).transpose().map_err(failed)?;
                let _ = connection.close().await;
                Ok(value.unwrap_or(Value::Null))
            }
            Kind::Postgres(options) => {
                let mut connection = PgConnection::connect_with(options).await.map_err(opened)?;
                let row = sqlx::query(query).fetch_optional(&mut connection).await.map_err(failed)?;
                let value = row.map(|row| of_postgres(&row)).transpose().map_err(failed)?;
                let _ = connection.close().await;
                Ok(value.unwrap_or(Value::Null))
            }
        }
    }
}

fn of_sqlite(row: &SqliteRow) -> Result<Value, sqlx::Error> {
    row.try_get::<Option<i64>, _>(0)
        .map(|number| json!(number))
        .or_else(|_| row.try_get::<Option<String>, _>(0).map(|text| json!(text)))
}

fn of_postgres(row: &PgRow) -> Result<Value, sqlx::Error> {
    row.try_get::<Option<i64>, _>(0)
        .map(|number| json!(number))
        .or_else(|_| row.try_get::<Option<i32>, _>(0).map(|number| json!(number)))
        .or_else(|_| row.try_get::<Option<String>, _>(0).map(|text| json!(text)))
}

fn unreachable(address: &str, why: &str) -> DatabaseError {
    DatabaseError::Unreachable { address: address.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn file(folder: &Path) -> String {
        let path = folder.join("console.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        for statement in [
            "CREATE TABLE operations (fabric_id INTEGER, ended_at INTEGER, state TEXT)",
            "INSERT INTO operations VALUES (1, 17, 'succeeded'), (1, 23, 'failed'), (2, 5, 'succeeded')",
        ] {
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
        format!("sqlite:{}", path.display())
    }

    #[tokio::test]
    async fn a_number_a_text_and_nothing_are_read_and_nothing_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let oracle = DatabaseOracle::open(&file(folder.path()).await).unwrap();
        let one = async |query: &str| oracle.one(query).await.map(|read| read.value);
        assert_eq!(one("SELECT MAX(ended_at) FROM operations WHERE fabric_id = 1").await.unwrap(), 23);
        assert_eq!(one("SELECT state FROM operations WHERE ended_at = 23").await.unwrap(), "failed");
        assert_eq!(one("SELECT state FROM operations WHERE ended_at = 99").await.unwrap(), Value::Null);
        assert_eq!(one("SELECT MAX(ended_at) FROM operations WHERE fabric_id = 9").await.unwrap(), Value::Null);
        let refused = one("DELETE FROM operations").await.unwrap_err();
        assert!(refused.to_string().contains("readonly"), "{refused}");
        assert_eq!(one("SELECT COUNT(*) FROM operations").await.unwrap(), 3);
        let version = one(oracle.version_query()).await.unwrap();
        assert!(version.as_str().is_some_and(|text| text.starts_with("SQLite 3.")), "{version}");
        let unknown = one("SELECT state FROM nowhere").await.unwrap_err();
        assert!(unknown.to_string().contains("SELECT state FROM nowhere"), "it names the query: {unknown}");
    }

    #[test]
    fn an_address_names_no_password_and_a_wrong_one_is_refused() {
        let oracle = DatabaseOracle::open("postgres://reader:hush%21@db.example.net/hedgerow").unwrap();
        assert_eq!(oracle.address(), "postgres://reader@db.example.net/hedgerow");
        assert_eq!(oracle.password().map(ExposeSecret::expose_secret), Some("hush!"));
        let oracle = DatabaseOracle::open("postgres://reader@db/hedgerow?sslmode=disable&password=hush%21").unwrap();
        assert_eq!(oracle.address(), "postgres://reader@db/hedgerow?sslmode=disable");
        assert_eq!(oracle.password().map(ExposeSecret::expose_secret), Some("hush!"));
        assert!(DatabaseOracle::open("mysql://db/hedgerow").is_err());
        let missing = DatabaseOracle::open("sqlite:/nowhere/at/all.db").unwrap_err();
        assert!(missing.to_string().contains("no such file"), "{missing}");
    }
}
