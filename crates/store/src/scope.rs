//! What a caller may see, compiled into the query: rows outside of it never leave the database.
//!
//! A permission's constraints are an OR of [`Constraint`]s, each an AND of terms, as in NetBox. The room `auth` makes
//! a [`Scope`] of a user's permissions; only columns on the allow-list of the noun can be named. A term that names
//! anything else is an error there, and grants nothing.

use crate::nouns::{Field, Noun};
use crate::sql::{Arg, Sql, like};
use crate::statements::scope as statements;
use std::str::FromStr;

/// Which rows of a noun a caller may see or change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Hedgerow itself: the schedule, the runner, the command line.
    System,
    /// Every row: a superuser, or a permission without constraints.
    All,
    /// No row.
    None,
    /// The rows that at least one of these matches.
    Where(Vec<Constraint>),
    /// The rows that are in both.
    Both(Box<[Scope; 2]>),
}

/// The terms that must all hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Constraint {
    /// The terms; none of them means every row.
    pub terms: Vec<Term>,
}

/// One term: a column, a comparison, a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    field: &'static Field,
    lookup: Lookup,
    values: Vec<String>,
}

/// How a column is compared. Comparisons of texts fold case in ASCII only, on both engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Equal.
    Exact,
    /// Not equal.
    Not,
    /// Contains.
    Contains,
    /// Contains, upper and lower case being the same.
    IContains,
    /// Equal, upper and lower case being the same.
    IExact,
    /// Begins with.
    StartsWith,
    /// Begins with, upper and lower case being the same.
    IStartsWith,
    /// Ends with.
    EndsWith,
    /// Ends with, upper and lower case being the same.
    IEndsWith,
    /// One of several.
    In,
    /// Less than.
    Lt,
    /// At most.
    Lte,
    /// Greater than.
    Gt,
    /// At least.
    Gte,
}

impl Lookup {
    /// Every lookup, by its word in a permission and what it means. The first is the one that is meant without a word.
    pub const ALL: &[(Lookup, &str, &str)] = &[
        (Self::Exact, "", "is"),
        (Self::Not, "n", "is not"),
        (Self::In, "in", "is one of"),
        (Self::StartsWith, "startswith", "begins with"),
        (Self::EndsWith, "endswith", "ends with"),
        (Self::Contains, "contains", "contains"),
        (Self::IExact, "iexact", "is, in any case"),
        (Self::IStartsWith, "istartswith", "begins with, in any case"),
        (Self::IEndsWith, "iendswith", "ends with, in any case"),
        (Self::IContains, "icontains", "contains, in any case"),
        (Self::Lt, "lt", "is less than"),
        (Self::Lte, "lte", "is at most"),
        (Self::Gt, "gt", "is greater than"),
        (Self::Gte, "gte", "is at least"),
    ];

    /// Whether it makes sense for numbers and for yes or no, too.
    pub fn fits_numbers(self) -> bool {
        matches!(self, Self::Exact | Self::Not | Self::In | Self::Lt | Self::Lte | Self::Gt | Self::Gte)
    }

    /// Its meaning in words.
    pub fn words(self) -> &'static str {
        Self::ALL.iter().find(|(lookup, ..)| *lookup == self).map_or("is", |(.., words)| words)
    }

    fn template(self) -> &'static str {
        match self {
            Self::Exact => statements::EXACT,
            Self::Not => statements::NOT,
            Self::Lt => statements::LT,
            Self::Lte => statements::LTE,
            Self::Gt => statements::GT,
            Self::Gte => statements::GTE,
            Self::In => statements::IN,
            Self::IContains | Self::IExact | Self::IStartsWith | Self::IEndsWith => statements::LIKE,
            Self::Contains => statements::CONTAINS,
            Self::StartsWith => statements::STARTS_WITH,
            Self::EndsWith => statements::ENDS_WITH,
        }
    }
}

impl FromStr for Lookup {
    type Err = BadTerm;

    /// Reads both Django's words and NetBox's short ones.
    fn from_str(s: &str) -> Result<Self, BadTerm> {
        Ok(match s {
            "" | "exact" => Self::Exact,
            "n" => Self::Not,
            "contains" => Self::Contains,
            "ic" | "icontains" => Self::IContains,
            "ie" | "iexact" => Self::IExact,
            "startswith" => Self::StartsWith,
            "isw" | "istartswith" => Self::IStartsWith,
            "endswith" => Self::EndsWith,
            "iew" | "iendswith" => Self::IEndsWith,
            "in" => Self::In,
            "lt" => Self::Lt,
            "lte" => Self::Lte,
            "gt" => Self::Gt,
            "gte" => Self::Gte,
            other => return Err(BadTerm::Lookup(other.to_owned())),
        })
    }
}

/// Why a constraint cannot be used. It grants nothing then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTerm {
    /// The column is not on the allow-list.
    #[error("a permission cannot be limited by the field '{0}'")]
    Field(String),
    /// The comparison is unknown.
    #[error("'{0}' is not a comparison")]
    Lookup(String),
    /// The value does not fit the column or the comparison.
    #[error("the value for '{0}' does not fit")]
    Value(String),
    /// The value holds the character NUL, which no text of a database has.
    #[error("the value for '{0}' holds the character NUL, which is no text")]
    Nul(String),
}

impl Term {
    /// A term over one value; [`Lookup::In`] takes several.
    fn new(key: &str, field: &'static Field, lookup: Lookup, values: Vec<String>) -> Result<Self, BadTerm> {
        if values.iter().any(|value| value.contains('\0')) {
            return Err(BadTerm::Nul(key.to_owned()));
        }
        if (lookup != Lookup::In && values.len() != 1)
            || (!field.is_text() && !lookup.fits_numbers())
            || values.iter().any(|v| field.arg(v).is_none())
        {
            return Err(BadTerm::Value(key.to_owned()));
        }
        Ok(Self { field, lookup, values })
    }

    /// Reads a term on fabrics.
    pub fn parse(key: &str, value: &serde_json::Value) -> Result<Self, BadTerm> {
        Self::read(Noun::Fabric, key, value)
    }

    /// Reads `field` or `field__lookup`, as a permission on objects of this noun writes it, with its JSON value.
    pub fn read(noun: Noun, key: &str, value: &serde_json::Value) -> Result<Self, BadTerm> {
        use serde_json::Value;
        let (name, lookup) = key.split_once("__").unwrap_or((key, ""));
        let field = noun.field(name).ok_or_else(|| BadTerm::Field(name.to_owned()))?;
        let lookup: Lookup = lookup.parse()?;
        let text = |v: &Value| match v {
            Value::String(s) => Some(s.clone()),
            Value::Number(n) => Some(n.to_string()),
            Value::Bool(b) => Some(b.to_string()),
            _ => None,
        };
        let values = match value {
            Value::Array(items) if lookup == Lookup::In => items.iter().map(text).collect::<Option<Vec<_>>>(),
            other => text(other).map(|v| vec![v]),
        };
        Self::new(key, field, lookup, values.ok_or_else(|| BadTerm::Value(key.to_owned()))?)
    }

    /// The field that it compares.
    pub fn field(&self) -> &'static Field {
        self.field
    }

    /// How it compares it.
    pub fn lookup(&self) -> Lookup {
        self.lookup
    }

    /// With what.
    pub fn values(&self) -> &[String] {
        &self.values
    }

    pub(crate) fn push(&self, sql: &mut Sql) {
        let template = self.lookup.template();
        if self.lookup == Lookup::In {
            sql.push(&template.replace("{c}", self.field.column));
            sql.bind_list(self.values.iter().filter_map(|v| self.field.arg(v)));
            return;
        }
        let value = self.values.first().map_or("", String::as_str);
        let arg = match self.lookup {
            Lookup::IContains => Arg::from(like("%", value, "%")),
            Lookup::IExact => Arg::from(like("", value, "")),
            Lookup::IStartsWith => Arg::from(like("", value, "%")),
            Lookup::IEndsWith => Arg::from(like("%", value, "")),
            // new() has checked that the value fits; a NULL would match no row.
            _ => self.field.arg(value).unwrap_or(Arg::Text(None)),
        };
        sql.expand(&template.replace("{c}", self.field.column), arg);
    }
}

impl Scope {
    /// Whether no row can match, so that the query need not be asked.
    pub fn is_none(&self) -> bool {
        match self {
            Scope::None => true,
            Scope::Where(constraints) => constraints.is_empty(),
            Scope::Both(both) => both.iter().any(Scope::is_none),
            Scope::System | Scope::All => false,
        }
    }

    /// The rows that are in this scope and in another one.
    pub fn within(&self, other: &Scope) -> Scope {
        match (self, other) {
            (Scope::None, _) | (_, Scope::None) => Scope::None,
            (Scope::System | Scope::All, rest) | (rest, Scope::System | Scope::All) => rest.clone(),
            (ours, theirs) => Scope::Both(Box::new([ours.clone(), theirs.clone()])),
        }
    }

    /// Adds this scope as a condition on another table: `fragment` opens `column IN (SELECT fabrics.id FROM fabrics`.
    pub(crate) fn restrict_by_fabric(&self, sql: &mut Sql, fragment: &'static str) {
        if matches!(self, Scope::System | Scope::All) {
            return;
        }
        sql.and().push(fragment);
        sql.nested(|sql| self.restrict(sql));
        sql.push(")");
    }

    /// Adds this scope as a condition on the table of its noun.
    pub(crate) fn restrict(&self, sql: &mut Sql) {
        match self {
            Scope::System | Scope::All => {}
            Scope::Where(constraints) if !constraints.is_empty() => {
                let is_long = constraints.len() > PLANNED;
                sql.and().push(if is_long { "CASE WHEN " } else { "" });
                any_of(sql, constraints);
                sql.push(if is_long { " THEN 1 ELSE 0 END = 1" } else { "" });
            }
            Scope::Both(both) => both.iter().for_each(|scope| scope.restrict(sql)),
            Scope::None | Scope::Where(_) => {
                sql.and().push("1 = 0");
            }
        }
    }
}

/// Planners think about each part of an OR, and SQLite's about each pair: of more than so many it gets one condition, and
/// looks at the rows, of which there are few.
const PLANNED: usize = 16;

/// The constraints, OR-ed in halves: a chain of them would be as deep as it is long, and SQLite reads a thousand levels.
fn any_of(sql: &mut Sql, constraints: &[Constraint]) {
    sql.push("(");
    match constraints {
        [constraint] => {
            sql.push("1 = 1");
            for term in &constraint.terms {
                sql.push(" AND ");
                term.push(sql);
            }
        }
        several => {
            let (left, right) = several.split_at(several.len() / 2);
            any_of(sql, left);
            sql.push(" OR ");
            any_of(sql, right);
        }
    }
    sql.push(")");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn terms_are_read_from_permissions() {
        let term = Term::parse("name__istartswith", &json!("lab-")).unwrap();
        assert_eq!((term.field.name, term.lookup), ("name", Lookup::IStartsWith));
        let term = Term::parse("id__in", &json!([1, 2])).unwrap();
        assert_eq!(term.values, ["1", "2"]);
    }

    #[test]
    fn what_is_not_on_the_allow_list_is_refused() {
        assert_eq!(Term::parse("kubeconfig", &json!("x")), Err(BadTerm::Field("kubeconfig".into())));
        assert_eq!(Term::parse("name__regex", &json!("x")), Err(BadTerm::Lookup("regex".into())));
        assert!(matches!(Term::parse("id", &json!("1 OR 1=1")), Err(BadTerm::Value(_))));
        assert!(matches!(Term::parse("id__ic", &json!("1")), Err(BadTerm::Value(_))));
        assert!(matches!(Term::parse("name", &json!({"a": 1})), Err(BadTerm::Value(_))));
        assert!(matches!(Term::parse("name", &json!(["a"])), Err(BadTerm::Value(_))));
        assert_eq!(Term::parse("name", &json!("a\0")), Err(BadTerm::Nul("name".into())));
        assert_eq!(Term::parse("name__in", &json!(["a", "\0"])), Err(BadTerm::Nul("name__in".into())));
    }

    #[test]
    fn each_noun_has_fields_of_its_own() {
        assert!(Term::read(Noun::User, "is_superuser", &json!(false)).is_ok());
        assert!(Term::read(Noun::User, "password_hash__startswith", &json!("$")).is_err());
        assert!(Term::read(Noun::Group, "name", &json!("operators")).is_ok());
        assert!(Term::read(Noun::Permission, "enabled", &json!(true)).is_ok());
        assert_eq!(Term::read(Noun::Fabric, "username", &json!("x")), Err(BadTerm::Field("username".into())));
        for (lookup, word, _) in Lookup::ALL {
            assert_eq!(word.parse::<Lookup>().unwrap(), *lookup);
        }
    }

    #[test]
    fn within_narrows_and_never_widens() {
        let of = |name: &str| Constraint { terms: vec![Term::parse("name", &json!(name)).unwrap()] };
        let (ab, c) = (Scope::Where(vec![of("a"), of("b")]), Scope::Where(vec![of("c")]));
        assert_eq!(Scope::All.within(&ab), ab);
        assert_eq!(ab.within(&Scope::System), ab);
        assert_eq!(ab.within(&Scope::None), Scope::None);
        let mut sql = Sql::new("list", "SELECT id FROM fabrics");
        ab.within(&c).restrict(&mut sql);
        let (first, second) = ("fabrics.name = $1", "fabrics.name = $2");
        let text = format!("{sql:?}");
        assert!(
            text.contains(&format!("WHERE ((1 = 1 AND {first}) OR (1 = 1 AND {second})) AND (1 = 1 AND")),
            "{text}"
        );
        assert!(ab.within(&Scope::Where(vec![])).is_none());
    }

    #[test]
    fn an_empty_or_matches_nothing_and_an_empty_and_everything() {
        assert!(Scope::Where(vec![]).is_none());
        assert!(!Scope::Where(vec![Constraint::default()]).is_none());
    }

    #[test]
    fn what_grants_nothing_matches_nothing_even_if_the_query_is_asked() {
        for nothing in [Scope::None, Scope::Where(vec![])] {
            let mut sql = Sql::new("list", "SELECT id FROM fabrics");
            nothing.restrict(&mut sql);
            assert!(format!("{sql:?}").contains("WHERE 1 = 0"), "{sql:?}");
        }
    }
}
