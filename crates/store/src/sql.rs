//! Running statements: arguments, the choice of the text for the engine, errors that name the statement, and the
//! assembly of lists (filter, scope, order, page) from fragments that are all written in [`crate::statements`].

use crate::{Engine, Error, Result};
use jiff::Timestamp;
use sqlx::any::{AnyArguments, AnyQueryResult, AnyRow};
use sqlx::{AnyConnection, Arguments, AssertSqlSafe};

/// One bound value. Everything in the schema is one of three types, nullable or not.
#[derive(Debug, Clone)]
pub(crate) enum Arg {
    Int(Option<i64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
}

macro_rules! arg_from {
    ($($from:ty => |$v:ident| $make:expr;)*) => {
        $(impl From<$from> for Arg { fn from($v: $from) -> Arg { $make } })*
    };
}

arg_from! {
    i64 => |v| Arg::Int(Some(v));
    u32 => |v| Arg::Int(Some(i64::from(v)));
    u8 => |v| Arg::Int(Some(i64::from(v)));
    u64 => |v| Arg::Int(Some(i64::try_from(v).unwrap_or(i64::MAX)));
    bool => |v| Arg::Int(Some(i64::from(v)));
    Option<bool> => |v| Arg::Int(v.map(i64::from));
    Option<i64> => |v| Arg::Int(v);
    Option<u32> => |v| Arg::Int(v.map(i64::from));
    Timestamp => |v| Arg::Int(Some(v.as_microsecond()));
    Option<Timestamp> => |v| Arg::Int(v.map(Timestamp::as_microsecond));
    &str => |v| Arg::Text(Some(v.to_owned()));
    String => |v| Arg::Text(Some(v));
    &String => |v| Arg::Text(Some(v.clone()));
    Option<String> => |v| Arg::Text(v);
    &Option<String> => |v| Arg::Text(v.clone());
    Option<&str> => |v| Arg::Text(v.map(str::to_owned));
    Option<Vec<u8>> => |v| Arg::Blob(v);
}

/// The bound values of a statement, in the order of `$1`, `$2`, ...
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::sql::Arg::from($value)),*] };
}
pub(crate) use args;

fn arguments(doing: &'static str, args: Vec<Arg>) -> Result<AnyArguments> {
    let mut out = AnyArguments::default();
    out.reserve(args.len(), 0);
    for arg in args {
        match arg {
            Arg::Int(v) => out.add(v),
            Arg::Text(v) => out.add(v),
            Arg::Blob(v) => out.add(v),
        }
        .map_err(|e| Error::Query { doing, source: sqlx::Error::Encode(e) })?;
    }
    Ok(out)
}

/// Which engine a connection speaks to.
pub(crate) fn engine_of(conn: &AnyConnection) -> Engine {
    if conn.backend_name() == "SQLite" { Engine::Sqlite } else { Engine::Postgres }
}

/// One statement: what it does, and its text, which is nearly always the same for both engines.
#[derive(Debug)]
pub(crate) struct Statement {
    /// What it does, as the end of "could not ...".
    pub doing: &'static str,
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

impl Statement {
    pub(crate) fn text(&self, engine: Engine) -> &'static str {
        match engine {
            Engine::Sqlite => self.sqlite,
            Engine::Postgres => self.postgres,
        }
    }

    pub(crate) async fn all(&self, conn: &mut AnyConnection, args: Vec<Arg>) -> Result<Vec<AnyRow>> {
        let args = arguments(self.doing, args)?;
        let text = self.text(engine_of(conn));
        sqlx::query_with(text, args).fetch_all(conn).await.map_err(|e| Error::of(self.doing, e))
    }

    pub(crate) async fn optional(&self, conn: &mut AnyConnection, args: Vec<Arg>) -> Result<Option<AnyRow>> {
        // Not fetch_optional: it stops after the first row, and a statement that writes must run to its end.
        Ok(self.all(conn, args).await?.into_iter().next())
    }

    /// The first row, or [`Error::NotFound`] of `what`.
    pub(crate) async fn one(&self, conn: &mut AnyConnection, what: &'static str, args: Vec<Arg>) -> Result<AnyRow> {
        self.optional(conn, args).await?.ok_or(Error::NotFound(what))
    }

    /// Runs it and gives the number of rows that it changed.
    pub(crate) async fn run(&self, conn: &mut AnyConnection, args: Vec<Arg>) -> Result<u64> {
        let args = arguments(self.doing, args)?;
        let text = self.text(engine_of(conn));
        let done: AnyQueryResult =
            sqlx::query_with(text, args).execute(conn).await.map_err(|e| Error::of(self.doing, e))?;
        Ok(done.rows_affected())
    }
}

/// A statement that is put together from fragments, with its bound values.
#[derive(Debug)]
pub(crate) struct Sql {
    doing: &'static str,
    text: String,
    args: Vec<Arg>,
    has_where: bool,
    keep: bool,
    numbered: bool,
}

impl Sql {
    pub(crate) fn new(doing: &'static str, text: &'static str) -> Self {
        Self::with_args(doing, text, Vec::new())
    }

    /// A text that has its first placeholders already.
    pub(crate) fn with_args(doing: &'static str, text: &'static str, args: Vec<Arg>) -> Self {
        Self { doing, text: text.to_owned(), args, has_where: false, keep: true, numbered: true }
    }

    /// A statement with the values of many rows. SQLite keeps the name of each `$n` in a list that it walks for each
    /// of them, which takes the square of their number: 10,000 objects took four seconds. Plain `?` have no names.
    pub(crate) fn bulk(conn: &AnyConnection, doing: &'static str, text: &'static str) -> Self {
        Self { numbered: engine_of(conn) == Engine::Postgres, ..Self::new(doing, text) }
    }

    /// The prepared statement is not kept: its text will hardly come again.
    pub(crate) fn once(&mut self) -> &mut Self {
        self.keep = false;
        self
    }

    /// Appends a fragment.
    pub(crate) fn push(&mut self, fragment: &str) -> &mut Self {
        self.text.push_str(fragment);
        self
    }

    /// Appends a placeholder and binds the value to it.
    pub(crate) fn bind(&mut self, value: impl Into<Arg>) -> &mut Self {
        use std::fmt::Write;
        self.args.push(value.into());
        if self.numbered {
            // Writing to a String cannot fail.
            let _ = write!(self.text, "${}", self.args.len());
        } else {
            self.text.push('?');
        }
        self
    }

    /// Begins a condition: `WHERE` the first time, `AND` from then on.
    pub(crate) fn and(&mut self) -> &mut Self {
        self.text.push_str(if self.has_where { " AND " } else { " WHERE " });
        self.has_where = true;
        self
    }

    /// Conditions of an inner query, which begins its own `WHERE`.
    pub(crate) fn nested(&mut self, conditions: impl FnOnce(&mut Self)) -> &mut Self {
        let outer = std::mem::take(&mut self.has_where);
        conditions(self);
        self.has_where = outer;
        self
    }

    /// A condition with one value; `?` stands for its placeholder, however often it occurs.
    pub(crate) fn condition(&mut self, fragment: &'static str, value: impl Into<Arg>) -> &mut Self {
        self.and();
        self.expand(fragment, value)
    }

    /// Appends a fragment in which every `?` stands for one and the same bound value.
    pub(crate) fn expand(&mut self, fragment: &str, value: impl Into<Arg>) -> &mut Self {
        self.args.push(value.into());
        let placeholder = format!("${}", self.args.len());
        self.text.push_str(&fragment.replace('?', &placeholder));
        self
    }

    /// `($1, $2, ...)` for a list of values; for an empty list a text that no row matches.
    pub(crate) fn bind_list<T: Into<Arg>>(&mut self, values: impl IntoIterator<Item = T>) -> &mut Self {
        self.push("(");
        let mut first = true;
        for value in values {
            if !std::mem::take(&mut first) {
                self.push(", ");
            }
            self.bind(value);
        }
        self.push(if first { "NULL)" } else { ")" })
    }

    /// `($1, $2, ...), ($3, $4, ...)`: the values of many rows, in the order of the statement's columns.
    pub(crate) fn rows<T>(&mut self, items: &[T], values: impl Fn(&T) -> Result<Vec<Arg>>) -> Result<&mut Self> {
        for (i, item) in items.iter().enumerate() {
            self.push(if i == 0 { "" } else { ", " });
            self.bind_list(values(item)?);
        }
        Ok(self)
    }

    /// `LIMIT` and `OFFSET`.
    pub(crate) fn page(&mut self, page: crate::Page) -> &mut Self {
        self.up_to(u64::from(page.limit)).push(" OFFSET ").bind(page.offset)
    }

    /// `LIMIT`.
    pub(crate) fn up_to(&mut self, rows: u64) -> &mut Self {
        self.push(" LIMIT ").bind(rows)
    }

    pub(crate) async fn all(self, conn: &mut AnyConnection) -> Result<Vec<AnyRow>> {
        let args = arguments(self.doing, self.args)?;
        // Every fragment is a constant of this crate, every value is bound.
        let query = sqlx::query_with(AssertSqlSafe(self.text), args).persistent(self.keep);
        query.fetch_all(conn).await.map_err(|e| Error::of(self.doing, e))
    }

    pub(crate) async fn optional(self, conn: &mut AnyConnection) -> Result<Option<AnyRow>> {
        Ok(self.all(conn).await?.into_iter().next())
    }

    pub(crate) async fn run(self, conn: &mut AnyConnection) -> Result<u64> {
        let args = arguments(self.doing, self.args)?;
        let query = sqlx::query_with(AssertSqlSafe(self.text), args).persistent(self.keep);
        let done = query.execute(conn).await.map_err(|e| Error::of(self.doing, e))?;
        Ok(done.rows_affected())
    }

    /// How the engine goes about it.
    #[cfg(test)]
    pub(crate) async fn explained(mut self, how: &str, conn: &mut AnyConnection) -> Result<Vec<AnyRow>> {
        self.text.insert_str(0, how);
        self.all(conn).await
    }

    /// The single number that the statement gives.
    pub(crate) async fn count(self, conn: &mut AnyConnection) -> Result<i64> {
        use crate::row::Columns;
        self.optional(conn).await?.map_or(Ok(0), |row| row.int("n"))
    }
}

/// A value for `LIKE ... ESCAPE '\'`: folded to lower case (ASCII, as both engines fold), its wildcards taken literally.
pub(crate) fn like(before: &str, value: &str, after: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push_str(before);
    for c in value.chars() {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c.to_ascii_lowercase());
    }
    out.push_str(after);
    out
}
