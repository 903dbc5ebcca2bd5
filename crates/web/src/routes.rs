//! The one table of routes. The router is built from it and from nothing else, so that no route is without a name, a
//! declaration of what it needs, and a test that calls it.

use crate::guard;
use crate::pages;
use crate::state::AppState;
use crate::url::{self, ALIAS, pattern};
use auth::{Action, ObjectType};
use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use model::operation::Verb;
use serde::Serialize;
use std::fmt;

/// What a route needs before its handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: anybody may ask.
    Public,
    /// A session.
    LoggedIn,
    /// A session; the handler lists only what the user may see.
    Listing,
    /// The token of the metrics, or a superuser's session.
    Metrics,
    /// A session and the permission to do this to some fabric at all.
    Fabrics(Action),
    /// A session and the permission to do this to the fabric `{id}`.
    Fabric(Action),
    /// A session and the permission to do this to the fabric of the operation `{id}`.
    Operation(Action),
    /// A session and the permission to do this to some object of the type at all.
    Type(Action, ObjectType),
    /// A session and the permission to do this to the user `{id}`.
    User(Action),
    /// A session and the permission to do this to the group `{id}`.
    Group(Action),
    /// A session and the permission to do this to the object permission `{id}`.
    Permission(Action),
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Needs::Public => f.write_str("nothing"),
            Needs::LoggedIn => f.write_str("a session"),
            Needs::Listing => f.write_str("a session; lists what the user may see"),
            Needs::Metrics => f.write_str("the token of the metrics, or a superuser's session"),
            Needs::Fabrics(action) => write!(f, "the permission to {} fabrics", action.as_str()),
            Needs::Fabric(action) => write!(f, "the permission to {} the fabric", action.as_str()),
            Needs::Operation(action) => write!(f, "the permission to {} the operation's fabric", action.as_str()),
            Needs::Type(action, of) => write!(f, "the permission to {} {}", action.as_str(), of.plural()),
            Needs::User(action) => write!(f, "the permission to {} the user", action.as_str()),
            Needs::Group(action) => write!(f, "the permission to {} the group", action.as_str()),
            Needs::Permission(action) => write!(f, "the permission to {} the permission", action.as_str()),
        }
    }
}

/// What kind of answer a route gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A page for people; a login may lead back to it.
    Page,
    /// Data for scripts.
    Data,
    /// A form's action.
    Action,
    /// A form's action of which each try is recorded, because people will ask who it was.
    Recorded,
    /// A verb on a fabric; each try is recorded.
    Verb(Verb),
    /// A stream of hints.
    Stream,
    /// A static file or a probe: no session is looked at.
    Plain,
    /// A GET on an action's address: leads to the object.
    Back,
    /// A step on the way to a provider of logins and back: leads on.
    Way,
}

/// Whether a route asks for the password again when it was entered long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sensitive {
    /// Never.
    No,
    /// When the form holds a credential.
    WithCredentials,
    /// Always.
    Always,
}

/// One route.
pub struct Route {
    name: &'static str,
    method: Method,
    path: String,
    needs: Needs,
    kind: Kind,
    sensitive: Sensitive,
    handler: MethodRouter<AppState>,
}

/// What the table says of a route: for the guard, for tests and for the reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteInfo {
    /// Its name; aliases have their route's.
    pub name: &'static str,
    /// Its method.
    #[serde(serialize_with = "as_text")]
    pub method: Method,
    /// Its path.
    pub path: String,
    /// What it needs.
    #[serde(serialize_with = "as_text")]
    pub needs: Needs,
    /// What it answers.
    #[serde(serialize_with = "as_text")]
    pub kind: Kind,
    /// Whether the password must have been entered lately.
    #[serde(skip)]
    pub sensitive: Sensitive,
}

fn as_text<T: fmt::Display, S: serde::Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Page => f.write_str("page"),
            Kind::Data => f.write_str("data"),
            Kind::Action => f.write_str("action"),
            Kind::Recorded => f.write_str("action, recorded"),
            Kind::Verb(verb) => write!(f, "verb: {}", verb.title()),
            Kind::Stream => f.write_str("stream"),
            Kind::Plain => f.write_str("plain"),
            Kind::Back => f.write_str("leads back to the object"),
            Kind::Way => f.write_str("leads to the provider of logins or back"),
        }
    }
}

impl RouteInfo {
    /// Whether a form that was sent here after its session had ended is kept for its user. Where nothing was typed and
    /// nothing would be done, there is nothing to keep.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        self.method == Method::POST
            && !matches!(self.path.as_str(), pattern::session | pattern::theme | pattern::logout)
    }

    /// Whether an API token may come here. One that was stolen must not be able to make itself another one or a password,
    /// or to end somebody's session, so what is about an account is for people; so is what wants the password lately
    /// (`guard::password`).
    pub fn takes_tokens(&self) -> bool {
        !self.path.starts_with("/account/") && self.path != pattern::logout
    }
}

impl Kind {
    /// Whether each try gets a row among the attempts, also one that is turned away.
    pub fn is_recorded(self) -> bool {
        matches!(self, Kind::Verb(_) | Kind::Recorded)
    }

    /// Whether somebody may see more or less after it: sessions, accounts and fabrics are changed by such routes, and by
    /// a login from outside, which brings groups.
    pub(crate) fn may_change_rights(self) -> bool {
        matches!(self, Kind::Recorded | Kind::Way)
    }
}

impl Route {
    fn new<H, T>(name: &'static str, method: Method, path: &str, needs: Needs, kind: Kind, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let filter = if method == Method::POST { MethodFilter::POST } else { MethodFilter::GET };
        Self {
            name,
            method,
            path: path.to_owned(),
            needs,
            kind,
            sensitive: Sensitive::No,
            handler: on(filter, handler),
        }
    }

    /// A page.
    pub fn page<H, T>(name: &'static str, path: &str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        Self::new(name, Method::GET, path, needs, Kind::Page, handler)
    }

    /// Something else that is read.
    pub fn get<H, T>(name: &'static str, path: &str, needs: Needs, kind: Kind, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        Self::new(name, Method::GET, path, needs, kind, handler)
    }

    /// A form's action.
    pub fn post<H, T>(name: &'static str, path: &str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        Self::new(name, Method::POST, path, needs, Kind::Action, handler)
    }

    /// A form's action of which each try is recorded.
    pub fn recorded<H, T>(name: &'static str, path: &str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        Self::new(name, Method::POST, path, needs, Kind::Recorded, handler)
    }

    /// A verb on a fabric.
    pub fn verb<H, T>(name: &'static str, path: &str, verb: Verb, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        Self::new(name, Method::POST, path, Needs::Fabric(Action::Sync), Kind::Verb(verb), handler)
    }

    /// A change after which somebody else could come in, or learn or use a secret: whoever entered the password longer
    /// ago than `session.reauthenticate` enters it again, in the field `current_password` of the same form.
    pub fn sensitive(self) -> Self {
        Self { sensitive: Sensitive::Always, ..self }
    }

    /// The same, when the form holds a credential.
    pub fn sensitive_with_credentials(self) -> Self {
        Self { sensitive: Sensitive::WithCredentials, ..self }
    }

    fn info(&self) -> RouteInfo {
        RouteInfo {
            name: self.name,
            method: self.method.clone(),
            path: self.path.clone(),
            needs: self.needs,
            kind: self.kind,
            sensitive: self.sensitive,
        }
    }

    fn at(&self, path: String) -> Self {
        Self { path, method: self.method.clone(), handler: self.handler.clone(), ..*self }
    }
}

/// Every route of the pages, without the aliases.
fn own() -> Vec<Route> {
    [
        pages::dashboard::routes(),
        pages::fabric_form::routes(),
        pages::fabric::routes(),
        pages::fabric_delete::routes(),
        pages::suspend::routes(),
        pages::tokens::routes(),
        pages::verbs::routes(),
        pages::review::routes(),
        pages::objects::routes(),
        pages::object::routes(),
        pages::adopt::routes(),
        pages::operations::routes(),
        pages::timeline::routes(),
        pages::verify::routes(),
        pages::operation::routes(),
        pages::events::routes(),
        pages::login::routes(),
        pages::openid::routes(),
        pages::session::routes(),
        pages::account_sessions::routes(),
        pages::account_password::routes(),
        pages::kept::routes(),
        pages::accounts::routes(),
        pages::plain::routes(),
        pages::docs::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The whole table: the pages' routes, their aliases under the predecessor's addresses, and a GET that leads back to
/// the object for every action.
fn table() -> Vec<Route> {
    let mut table = own();
    let mut more = Vec::new();
    for route in &table {
        if route.path.starts_with("/fabrics/") {
            more.push(route.at(format!("{ALIAS}{}", route.path)));
        }
        if route.path == pattern::home {
            more.push(route.at(format!("{ALIAS}/")));
        }
        if route.path == pattern::sync {
            more.push(route.at(format!("{ALIAS}/api{}", route.path)));
        }
    }
    table.append(&mut more);
    let back: Vec<Route> = table
        .iter()
        .filter(|route| route.method == Method::POST)
        .filter(|route| !table.iter().any(|other| other.path == route.path && other.method == Method::GET))
        .map(|route| Route::get(route.name, &route.path, Needs::Public, Kind::Back, pages::plain::back))
        .collect();
    table.extend(back);
    table
}

/// What the table says of every route: for tests and for the reference.
pub fn routes() -> Vec<RouteInfo> {
    table().iter().map(Route::info).collect()
}

/// The table for looking addresses up, made once.
fn known() -> &'static [RouteInfo] {
    static KNOWN: std::sync::OnceLock<Vec<RouteInfo>> = std::sync::OnceLock::new();
    KNOWN.get_or_init(routes)
}

/// The router: each route of the table behind the guard that enforces what it needs.
pub(crate) fn router(state: &AppState) -> Router<AppState> {
    table().into_iter().fold(Router::new(), |router, route| {
        let (info, path) = (route.info(), route.path.clone());
        let guarded = route
            .handler
            .route_layer(axum::middleware::from_fn_with_state(guard::Guard::new(state.clone(), info), guard::guard));
        router.route(&path, guarded)
    })
}

/// The route of an address, if there is one.
pub fn resolve(method: &Method, path: &str) -> Option<&'static RouteInfo> {
    let candidates = known().iter().filter(|route| route.method == *method && matches(&route.path, path));
    // As in the router, a written word is nearer than a variable.
    candidates.max_by_key(|route| route.path.split('/').filter(|part| !part.starts_with('{')).count())
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(want), Some(have)) if want.starts_with('{') && !have.is_empty() => {}
            (Some(want), Some(have)) if want == have => {}
            _ => return false,
        }
    }
}

/// The page of the object that an action's address belongs to: the address without its last word, under the canonical
/// prefix; the dashboard when there is none.
pub fn object_of(path: &str) -> String {
    let path = path.strip_prefix(ALIAS).unwrap_or(path);
    let path = path.strip_prefix("/api").unwrap_or(path);
    let mut parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    while parts.pop().is_some() {
        let parent = if parts.is_empty() { "/".to_owned() } else { format!("/{}/", parts.join("/")) };
        if resolve(&Method::GET, &parent).is_some_and(|route| route.kind == Kind::Page) {
            return parent;
        }
    }
    url::home()
}

/// A page of this site, or nothing: where a login may lead.
pub fn safe_next(next: &str) -> Option<&str> {
    // What may stand in a `Location` as it is; a browser reads a backslash as a slash.
    let plain = next.starts_with('/') && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let path = next.split(['?', '#']).next().unwrap_or_default();
    // A browser goes up where a variable is `..`, and arrives at another page than the one that was looked up.
    let plain =
        plain && !path.split('/').any(|part| matches!(&*part.to_ascii_lowercase().replace("%2e", "."), "." | ".."));
    let page = resolve(&Method::GET, path).is_some_and(|route| route.kind == Kind::Page);
    (plain && page && path != pattern::login && next.len() <= 2_000).then_some(next)
}

#[cfg(test)]
mod tests;
