//! What a page's handler has at hand: who looks, when, from where, and how a page is answered.

use crate::ending::Ending;
use crate::extract::{Credential, Login};
use crate::frame::{Find, Frame, Nav, Theme};
use crate::guard::password;
use crate::layers::classify::Asked;
use crate::layers::request_id::RequestId;
use crate::layers::{cookies, origin};
use crate::parts::field::{Field, FieldKind};
use crate::problem::Problem;
use crate::state::AppState;
use crate::url;
use crate::when::When;
use askama::Template;
use auth::{Action, ObjectType};
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use jiff::Timestamp;
use model::Code;
use store::{Fabric, Scope, Unique};

/// What a page's handler has at hand.
#[derive(Clone)]
pub struct View {
    /// The console.
    pub state: AppState,
    /// Who looks.
    pub login: Login,
    /// The request's headers.
    pub headers: HeaderMap,
    /// The request's address.
    pub uri: Uri,
    /// The request's id.
    pub request_id: String,
    /// Where the browser says that the request comes from.
    pub from: origin::From,
    /// One moment for the whole page.
    pub now: Timestamp,
}

impl FromRequestParts<AppState> for View {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let login = Login::from_request_parts(parts, state).await?;
        let Ok(RequestId(request_id)) = RequestId::from_request_parts(parts, state).await;
        Ok(Self {
            state: state.clone(),
            login,
            headers: parts.headers.clone(),
            uri: parts.uri.clone(),
            request_id,
            from: parts.extensions.get::<origin::From>().copied().unwrap_or(origin::From::Unsaid),
            now: state.now(),
        })
    }
}

impl View {
    /// Who asks.
    pub fn asked(&self) -> Asked {
        Asked::of(&self.headers)
    }

    /// A moment, seen from now.
    pub fn when(&self, at: Timestamp) -> When {
        When::new(at, self.now)
    }

    /// A CSRF token for this session; nothing for an API token, which needs none.
    pub fn csrf(&self) -> Result<String, Problem> {
        let Credential::Session(session) = &self.login.credential else { return Ok(String::new()) };
        self.state.csrf.token(session).map_err(|error| Problem::internal("make a CSRF token", &error))
    }

    /// When what somebody was let in by ends.
    fn ending(&self) -> Ending {
        let limits = self.state.sessions.limits();
        match &self.login.credential {
            Credential::Session(session) => Ending::of(session, limits.of(session), self.now),
            // Nobody looks at such a page; its end is no session's.
            Credential::Token(token) => {
                let end = token.expires_at.unwrap_or(Timestamp::MAX);
                Ending::new((end, end), limits, self.now)
            }
        }
    }

    /// A refusal because a name is taken, for somebody who may not see what has it: that it exists is not told. It reads
    /// as a name outside of the permission does.
    pub async fn hide_taken(&self, error: store::Error, object_type: ObjectType, name: &str) -> store::Error {
        let is_taken = matches!(
            error,
            store::Error::Conflict(Unique::FabricName | Unique::Username | Unique::GroupName | Unique::PermissionName)
        );
        let scope = self.login.access.scope(Action::View, object_type);
        if !is_taken || scope == Scope::All {
            return error;
        }
        let noun = object_type.noun();
        let found = self.state.store.nouns().names(noun, &scope, name, store::Page::first(200)).await;
        match found {
            Ok(found) if found.rows.iter().any(|one| one.name.eq_ignore_ascii_case(name)) => error,
            _ => store::Error::OutOfScope(noun.word()),
        }
    }

    /// The field for the user's own password in a sensitive form, when it was entered long ago; `when` it is needed, in
    /// words.
    pub fn password_field(&self, when: &str) -> Option<Field> {
        let session = self.login.session().ok()?;
        let needed = self.login.user.has_password() && self.state.sessions.needs_password(session);
        needed.then(|| Field::new(FieldKind::Password, password::FIELD, "Your own password", "").help(when))
    }

    /// The theme.
    pub fn theme(&self) -> Theme {
        cookies::theme(&self.state.settings, &self.headers)
    }

    /// The address of this page, with its query.
    pub fn here(&self) -> String {
        self.uri.path_and_query().map_or_else(|| "/".to_owned(), |all| all.as_str().to_owned())
    }

    /// The frame of a page.
    pub fn frame(&self, page: &'static str, title: impl Into<String>, nav: Nav) -> Result<Frame, Problem> {
        Ok(Frame {
            title: title.into(),
            page,
            nav,
            crumbs: Vec::new(),
            find: Find::fabrics(),
            user: self.login.user.username.clone(),
            accounts: crate::pages::accounts::first_of(self),
            csrf: self.csrf()?,
            theme: self.theme(),
            now: self.now,
            here: self.here(),
            ending: self.ending(),
            openid: self.state.settings.openid.as_ref().map(|openid| openid.name.clone()),
            events: None,
            fresh_until: None,
            refresh_without_script: 0,
        })
    }

    /// The frame of a page of a fabric: it stands below the fabric's own, and below these pages between.
    pub fn fabric_frame(
        &self,
        page: &'static str,
        title: &str,
        fabric: &Fabric,
        between: Option<(&str, String)>,
        here: &str,
    ) -> Result<Frame, Problem> {
        let mut way = vec![("Fabrics".to_owned(), url::fabrics()), (fabric.name.clone(), url::fabric(fabric.id))];
        way.extend(between.map(|(label, href)| (label.to_owned(), href)));
        let mut frame = self.frame(page, format!("{title} · {}", fabric.name), Nav::Fabrics)?.crumbs(way, here);
        frame.find = Find::objects(fabric.id);
        Ok(frame)
    }

    /// The author of what this request writes.
    pub fn author(&self) -> store::Author {
        self.login.access.author(&self.request_id, self.now)
    }

    /// The parameters of the query, decoded.
    pub fn query(&self) -> Query {
        Query::of(self.uri.query().unwrap_or_default())
    }
}

/// The parameters of a query.
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query string.
    pub fn of(text: &str) -> Self {
        Self(::url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// A parameter's value without the space around it; nothing when it is absent or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim());
        value.filter(|value| !value.is_empty())
    }

    /// Every value of a parameter that may stand several times, without those that are empty.
    pub fn every<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        every(&self.0, name)
    }

    /// The names of all parameters.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The page of a list, from 1.
    pub fn page(&self) -> Result<u64, Problem> {
        page_number(self.get("page").unwrap_or_default())
    }

    /// A parameter that is one of some words.
    pub fn word<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.get(name).map(|text| text.parse().map_err(|_| bad(name, text))).transpose()
    }
}

/// The number of a page of a list, from 1, as it is asked for; the first one when nothing says which.
pub fn page_number(text: &str) -> Result<u64, Problem> {
    match text {
        "" => Ok(1),
        text => text.parse().ok().filter(|page| (1..=1_000_000).contains(page)).ok_or_else(|| bad("page", text)),
    }
}

/// Every value of a name that may stand several times, without those that are empty.
pub fn every<'a>(pairs: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a str> {
    let of_name = pairs.iter().filter(move |(key, _)| key == name);
    of_name.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
}

/// A parameter that makes no sense.
pub fn bad(name: &str, value: &str) -> Problem {
    let shown: String = value.chars().take(60).collect();
    Problem::new(Code::InvalidInput, format!("The parameter {name} cannot be “{shown}”."))
        .todo("Correct the address, or begin again from the page's own filters.")
}

/// The header by which a page's script knows that what it read is this page.
static PAGE: HeaderName = HeaderName::from_static("x-hedgerow-page");

/// Answers with a page.
pub fn page(name: &'static str, template: &impl Template) -> Result<Response, Problem> {
    let html = template.render()?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (PAGE.clone(), HeaderValue::from_static(name)),
        (header::VARY, HeaderValue::from_static("Accept, Sec-Fetch-Mode")),
    ];
    Ok((headers, html).into_response())
}

/// Answers with data.
pub fn json(status: http::StatusCode, body: &serde_json::Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::VARY, HeaderValue::from_static("Accept, Sec-Fetch-Mode")),
    ];
    (status, headers, body.to_string()).into_response()
}
