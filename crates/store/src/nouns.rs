//! What permissions are about: fabrics, users, groups and permissions. Each noun has a table, the fields that a
//! constraint may name, and a name that people know its rows by.

use crate::row::Columns;
use crate::scope::{Scope, Term};
use crate::sql::{Arg, Sql, like};
use crate::statements::nouns as st;
use crate::{Error, Listed, Page, Result, Store};

/// A noun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Noun {
    /// Fabrics.
    Fabric,
    /// Users.
    User,
    /// Groups.
    Group,
    /// Object permissions.
    Permission,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Text.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
}

/// A field that a constraint may name.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in a permission.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    pub(crate) column: &'static str,
}

const fn field(name: &'static str, holds: Holds, column: &'static str) -> Field {
    Field { name, holds, column }
}

const FABRIC: &[Field] = &[
    field("name", Holds::Text, "fabrics.name"),
    field("id", Holds::Number, "fabrics.id"),
    field("description", Holds::Text, "fabrics.description"),
    field("namespace", Holds::Text, "fabrics.namespace"),
    // Empty for a local source.
    field("source_url", Holds::Text, "COALESCE(fabrics.source_url, '')"),
    field("branch", Holds::Text, "fabrics.branch"),
    field("path", Holds::Text, "fabrics.path"),
    field("sync_enabled", Holds::Flag, "fabrics.sync_enabled"),
];
const USER: &[Field] = &[
    field("username", Holds::Text, "users.username"),
    field("id", Holds::Number, "users.id"),
    field("is_active", Holds::Flag, "users.is_active"),
    field("is_superuser", Holds::Flag, "users.is_superuser"),
];
const GROUP: &[Field] = &[field("name", Holds::Text, "user_groups.name"), field("id", Holds::Number, "user_groups.id")];
const PERMISSION: &[Field] = &[
    field("name", Holds::Text, "object_permissions.name"),
    field("id", Holds::Number, "object_permissions.id"),
    field("enabled", Holds::Flag, "object_permissions.enabled"),
];

impl Field {
    /// Whether it holds text.
    pub fn is_text(&self) -> bool {
        self.holds == Holds::Text
    }

    pub(crate) fn arg(&self, value: &str) -> Option<Arg> {
        match self.holds {
            Holds::Text => Some(Arg::from(value)),
            Holds::Number => value.parse::<i64>().ok().map(Arg::from),
            Holds::Flag => match value {
                "true" | "1" => Some(Arg::from(true)),
                "false" | "0" => Some(Arg::from(false)),
                _ => None,
            },
        }
    }

    /// A value as people read it.
    fn shown(&self, value: String) -> String {
        match (self.holds, value.as_str()) {
            (Holds::Flag, "0") => "false".to_owned(),
            (Holds::Flag, "1") => "true".to_owned(),
            _ => value,
        }
    }
}

impl Noun {
    /// Every noun.
    pub const ALL: &[Noun] = &[Self::Fabric, Self::User, Self::Group, Self::Permission];

    /// The fields that a constraint may name; the first is the name.
    pub const fn fields(self) -> &'static [Field] {
        match self {
            Self::Fabric => FABRIC,
            Self::User => USER,
            Self::Group => GROUP,
            Self::Permission => PERMISSION,
        }
    }

    /// A field by its name; `pk` is Django's word for the id.
    pub fn field(self, name: &str) -> Option<&'static Field> {
        let name = if name == "pk" { "id" } else { name };
        self.fields().iter().find(|field| field.name == name)
    }

    /// The word in the change log and in permissions, as in NetBox.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fabric => "hedgerow.fabric",
            Self::User => "users.user",
            Self::Group => "users.group",
            Self::Permission => "users.objectpermission",
        }
    }

    /// The word for one of them.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fabric => "fabric",
            Self::User => "user",
            Self::Group => "group",
            Self::Permission => "permission",
        }
    }
}

impl std::str::FromStr for Noun {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|n| n.as_str() == s).ok_or_else(|| format!("'{s}' is not an object type"))
    }
}

/// The name of a row, and nothing else of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Id.
    pub id: i64,
    /// Name.
    pub name: String,
}

/// What holds rows of two nouns together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// A group and a user who belongs to it.
    Member,
    /// A permission and a user whom it is given to.
    ToUser,
    /// A permission and a group that it is given to.
    ToGroup,
}

impl Link {
    /// The two nouns, in their order.
    pub const fn sides(self) -> (Noun, Noun) {
        match self {
            Self::Member => (Noun::Group, Noun::User),
            Self::ToUser => (Noun::Permission, Noun::User),
            Self::ToGroup => (Noun::Permission, Noun::Group),
        }
    }

    /// Those that begin or end at a noun.
    pub(crate) fn at(noun: Noun) -> &'static [Link] {
        match noun {
            Noun::Fabric => &[],
            Noun::User => &[Self::Member, Self::ToUser],
            Noun::Group => &[Self::Member, Self::ToGroup],
            Noun::Permission => &[Self::ToUser, Self::ToGroup],
        }
    }
}

/// One pair that is held together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// Of the first noun.
    pub left: Named,
    /// Of the second noun.
    pub right: Named,
}

/// Links that begin and that end for one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// The others that it is linked to from now on.
    pub add: Vec<i64>,
    /// The others that it is no longer linked to.
    pub remove: Vec<i64>,
}

impl Links {
    /// Only new ones.
    pub fn to(others: &[i64]) -> Self {
        Self { add: others.to_vec(), remove: Vec::new() }
    }

    /// Only ones that end.
    pub fn from(others: &[i64]) -> Self {
        Self { add: Vec::new(), remove: others.to_vec() }
    }

    /// What makes `chosen` of `now`, among those that the chooser could see. The others stay as they are.
    pub fn choose(seen: &[i64], now: &[i64], chosen: &[i64]) -> Self {
        Self {
            add: chosen.iter().copied().filter(|id| !now.contains(id)).collect(),
            remove: now.iter().copied().filter(|id| seen.contains(id) && !chosen.contains(id)).collect(),
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = i64> + '_ {
        self.add.iter().chain(&self.remove).copied()
    }
}

/// The links of one row, or of all rows, that are in both scopes, on any connection.
pub(crate) async fn links_on(
    conn: &mut sqlx::AnyConnection,
    link: Link,
    scopes: (&Scope, &Scope),
    of: Option<(Noun, i64)>,
) -> Result<Vec<Linked>> {
    if scopes.0.is_none() || scopes.1.is_none() {
        return Ok(Vec::new());
    }
    let (left, _) = link.sides();
    let (select, of_left, of_right, order) = st::linked(link);
    let mut sql = Sql::new(st::LINKS, select);
    scopes.0.restrict(&mut sql);
    scopes.1.restrict(&mut sql);
    if let Some((noun, id)) = of {
        sql.condition(if noun == left { of_left } else { of_right }, id);
    }
    sql.push(order);
    let named =
        |row: &sqlx::any::AnyRow, id, name| -> Result<Named> { Ok(Named { id: row.int(id)?, name: row.text(name)? }) };
    let linked = |row: &sqlx::any::AnyRow| {
        Ok(Linked { left: named(row, "left_id", "left_name")?, right: named(row, "right_id", "right_name")? })
    };
    sql.all(conn).await?.iter().map(linked).collect()
}

/// What became of one term for one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// Whether it holds.
    pub holds: bool,
    /// What the row has in the field.
    pub value: String,
}

/// The functions on rows of any noun; from [`Store::nouns`].
#[derive(Debug, Clone, Copy)]
pub struct Nouns<'a>(&'a Store);

impl<'a> Nouns<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// The names of the rows in the scope, by name: for choices, for previews, and for what a permission covers.
    pub async fn names(&self, noun: Noun, scope: &Scope, search: &str, page: Page) -> Result<Listed<Named>> {
        if scope.is_none() {
            return Ok(Listed { rows: Vec::new(), total: 0 });
        }
        let (select, count, like_name, order) = st::of(noun);
        let conditions = |sql: &mut Sql| {
            scope.restrict(sql);
            if !search.is_empty() {
                sql.condition(like_name, like("%", search, "%"));
            }
        };
        let (mut counting, mut selecting) = (Sql::new(st::NAMES, count), Sql::new(st::NAMES, select));
        conditions(&mut counting);
        conditions(&mut selecting);
        selecting.push(order).page(page);
        let mut conn = self.0.reader(st::NAMES).await?;
        let total = counting.count(&mut conn).await?.unsigned_abs();
        let rows = selecting.all(&mut conn).await?;
        let named = |row: &sqlx::any::AnyRow| Ok(Named { id: row.int("id")?, name: row.text("name")? });
        Ok(Listed { rows: rows.iter().map(named).collect::<Result<_>>()?, total })
    }

    /// The links of one row, or of all rows, of which the actor may see both sides.
    pub async fn links(&self, link: Link, scopes: (&Scope, &Scope), of: Option<(Noun, i64)>) -> Result<Vec<Linked>> {
        let mut conn = self.0.reader(st::LINKS).await?;
        links_on(&mut conn, link, scopes, of).await
    }

    /// Whether one term holds for one row, and what the row has there: the very condition that a scope is compiled
    /// into, asked of the same engine.
    pub async fn test(&self, noun: Noun, id: i64, term: &Term) -> Result<Tested> {
        let mut sql = Sql::new(st::TEST, st::TEST_TERM);
        term.push(&mut sql);
        sql.push(st::TEST_VALUE).push(term.field().column).push(st::tested(noun));
        sql.bind(id);
        let mut conn = self.0.reader(st::TEST).await?;
        let row = sql.optional(&mut conn).await?.ok_or(Error::NotFound(noun.word()))?;
        Ok(Tested { holds: row.bool("holds")?, value: term.field().shown(row.text("value")?) })
    }
}
