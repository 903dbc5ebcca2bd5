//! A form that was sent after its session had ended, or that needed a login at the provider first: kept until its user has
//! logged in, and shown then, to be sent with one press. Nobody else gets it, and credentials are not in it.

use crate::extract::{Fields, Login};
use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::pages::error::{Again, SECRET_FIELDS};
use crate::pages::operations::attempt;
use crate::problem::{self, Problem};
use crate::routes::{self, Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use crate::when::When;
use askama::Template;
use auth::{Action, Place, SessionToken};
use axum::extract::{RawPathParams, State};
use axum::response::Response;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use model::Code;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use store::KeptForm;

/// The route of the page.
pub fn routes() -> Vec<Route> {
    vec![Route::page("kept", pattern::kept, Needs::LoggedIn, show)]
}

/// How long a form is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(12);

/// Characters of a form that is kept; a longer one is a file, which its user still has.
const LONGEST: usize = 100_000;

/// Fields that say nothing to a reader.
const OF_THE_FORM: &[&str] = &["csrfmiddlewaretoken", "idempotency_key", "comparison", "version", "next"];

/// The place of a form's seal: it is its user's.
fn place(user_id: i64) -> Place {
    Place { table: store::kept_forms::TABLE, column: "fields", row: user_id }
}

/// Why a form was not taken.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Why {
    /// The session had ended.
    SessionOver,
    /// Its user had proved long ago who it is, and had to do so elsewhere.
    ProofIsOld,
}

/// Keeps what was sent, without credentials; gives the address of its page. A form that cannot be kept is not: the login
/// leads to the page of its object then.
pub async fn keep(state: &AppState, user_id: i64, path: &str, fields: &Fields, why: Why) -> Option<String> {
    let worth = |(name, _): &&(String, String)| !SECRET_FIELDS.contains(&&**name) && name != "csrfmiddlewaretoken";
    let kept: Vec<&(String, String)> = fields.all().iter().filter(worth).collect();
    let lost = fields.all().iter().filter(|(name, value)| SECRET_FIELDS.contains(&&**name) && !value.is_empty());
    let lost: Vec<&str> = lost.map(|(name, _)| name.as_str()).collect();
    let text = serde_json::to_string(&(kept, lost, why)).ok().filter(|text| text.len() <= LONGEST)?;
    let token = SessionToken::generate().ok()?;
    let sealed = state.sealer.seal(place(user_id), &SecretString::from(text)).ok()?;
    let now = state.now();
    let form = KeptForm { user_id, created_at: now, path: path.to_owned(), fields: sealed };
    let before = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
    match state.store.kept_forms().keep(&token.hash(), &form, before).await {
        Ok(()) => Some(url::kept(token.reveal())),
        Err(error) => {
            tracing::warn!(%error, path, "a form that was sent too late could not be kept");
            None
        }
    }
}

async fn show(
    State(state): State<AppState>,
    view: View,
    login: Login,
    params: RawPathParams,
) -> Result<Response, Problem> {
    let gone = || {
        Problem::new(Code::NotFound, "There is no such form, or somebody else had sent it.")
            .todo("Open the page again and fill it in anew.")
    };
    let token = params.iter().next().and_then(|(_, token)| SessionToken::parse(token)).ok_or_else(gone)?;
    let since = view.now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
    let form = state.store.kept_forms().get(&token.hash(), login.user.id, since).await?.ok_or_else(gone)?;
    let opened = state.sealer.open(place(form.user_id), &form.fields);
    // What was sealed with a key that is gone is gone, too.
    let opened = opened.map_err(|_| gone())?;
    // So is what another release had kept in another form.
    let (kept, lost, why): (Vec<(String, String)>, Vec<String>, Why) =
        serde_json::from_str(opened.expose_secret()).map_err(|_| gone())?;
    let said = kept.iter().filter(|(name, value)| !value.is_empty() && !OF_THE_FORM.contains(&&**name));
    let said = said.map(|(name, value)| (name.replace('_', " "), value.clone())).collect();
    let mut fields = kept;
    // Credentials were not kept: their fields are asked for.
    fields.extend(lost.into_iter().map(|name| (name, "lost".to_owned())));
    let csrf = view.csrf()?;
    let back = routes::resolve(&Method::GET, &form.path)
        .filter(|route| route.kind == routes::Kind::Page)
        .map_or_else(|| routes::object_of(&form.path), |_| form.path.clone());
    let page = Page {
        frame: view.frame("kept", "Not sent yet", Nav::Account)?.crumbs(Vec::new(), "Not sent yet"),
        what: what(&view, &form.path).await,
        sent: view.when(form.created_at),
        why: match why {
            Why::SessionOver => "after your session had ended",
            Why::ProofIsOld => "when you had to log in once more for it",
        },
        said,
        again: Again::of(&form.path, &problem::Again { fields, csrf }, Code::SessionIdleExpired),
        back,
    };
    view::page("kept", &page)
}

/// What the form would do, and to what.
async fn what(view: &View, path: &str) -> String {
    let Some(route) = routes::resolve(&Method::POST, path) else { return String::new() };
    let deed = match route.kind {
        routes::Kind::Verb(verb) => verb.title().to_owned(),
        _ => attempt::deed(route.name),
    };
    let id = path.split('/').find_map(|part| part.parse::<i64>().ok());
    let access = &view.login.access;
    let name = match (route.needs, id) {
        (Needs::Fabric(_), Some(id)) => {
            access.fabric(id, Action::View).await.ok().map(|it| format!("fabric {}", it.name))
        }
        (Needs::User(_), Some(id)) => {
            access.user(id, Action::View).await.ok().map(|it| format!("user {}", it.username))
        }
        (Needs::Group(_), Some(id)) => access.group(id, Action::View).await.ok().map(|it| format!("group {}", it.name)),
        (Needs::Permission(_), Some(id)) => {
            access.permission(id, Action::View).await.ok().map(|it| format!("permission {}", it.name))
        }
        (Needs::Operation(_), Some(id)) => Some(format!("operation {id}")),
        _ => None,
    };
    match name {
        Some(name) => format!("{deed}, {name}"),
        None => deed,
    }
}

/// What the page shows.
#[derive(Template)]
#[template(path = "kept.html")]
pub struct Page {
    pub frame: Frame,
    /// What the form would do, and to what.
    pub what: String,
    pub sent: When,
    /// Why it was not taken.
    pub why: &'static str,
    /// The fields that say something, and what they hold.
    pub said: Vec<(String, String)>,
    pub again: Again,
    /// The page of what the form was about.
    pub back: String,
}
