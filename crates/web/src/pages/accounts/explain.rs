//! Why a user may, or may not, do something to an object. Everybody may ask about themselves; about others, whoever may
//! see them. A permission that the asker may not see counts, but is not named.

use super::users::any_of;
use super::{choices, frame, linked, sections, seen, words};
use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::layers::classify::Asked;
use crate::parts::{Badge, Choice, Tone};
use crate::problem::{Problem, capitalised};
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use askama::Template;
use auth::{Action, Considered, Explanation, Finding, ObjectType, Rank, Step};
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;
use store::{Link, Named, Noun, User};

/// The route of this page.
pub fn routes() -> Vec<Route> {
    vec![Route::page("permission_explain", pattern::permission_explain, Needs::Listing, show)]
}

/// What is asked.
struct Asking {
    user: User,
    action: Action,
    object_type: ObjectType,
    object: Option<Named>,
}

/// The user who is asked about: oneself, or one that may be seen.
async fn user(view: &View, id: Option<i64>) -> Result<User, Problem> {
    match id {
        Some(id) if id != view.login.user.id => Ok(view.login.access.user(id, Action::View).await?.into_inner()),
        _ => Ok(view.login.user.clone()),
    }
}

async fn show(State(state): State<AppState>, view: View) -> Result<Response, Problem> {
    let query = view.query();
    let object_type = query.word("type")?.unwrap_or(ObjectType::Fabric);
    let action = query.word("action")?.unwrap_or(Action::View);
    let user = user(&view, query.word("user")?).await?;
    let objects = choices(&view, object_type).await?;
    let object = match query.word::<i64>("object")? {
        // Of another type than is asked about now: the form was changed.
        Some(_) if query.get("of").is_some_and(|of| of != object_type.name()) => None,
        Some(id) => Some(
            objects
                .iter()
                .find(|one| one.id == id)
                .cloned()
                .ok_or_else(|| Problem::not_found(object_type.noun().word()))?,
        ),
        None => None,
    };
    let asking = Asking { user, action, object_type, object };
    let id = asking.object.as_ref().map(|one| one.id);
    let explanation = auth::explain(&state.store, &asking.user, action, object_type, id).await?;
    let (sentence, why) = verdict(&asking, &explanation);
    if view.asked() == Asked::Script {
        let missing = missing(&asking, &explanation);
        let body = json!({ "may": explanation.may, "message": sentence, "why": why, "missing": missing });
        return Ok(view::json(StatusCode::OK, &body));
    }
    let is_own = asking.user.id == view.login.user.id;
    let groups = linked(&view, Link::Member, (Noun::User, asking.user.id)).await?;
    let visible = seen(&view, ObjectType::ObjectPermission);
    let mut steps = Vec::new();
    for step in &explanation.steps {
        let mut rows = Vec::new();
        for considered in &step.considered {
            let may_see = state.store.permissions().get_in(&visible, considered.permission.id).await.is_ok();
            rows.push(row(considered, may_see, is_own || may_see, is_own, &groups, &asking));
        }
        // What decides comes first, what is about something else last.
        rows.sort_by_key(|row| row.rank);
        steps.push(StepView { title: step_title(&asking, step), may: badge(step.may), rows });
    }
    let mut users = choices(&view, ObjectType::User).await?;
    if !users.iter().any(|one| one.id == view.login.user.id) {
        users.insert(0, Named { id: view.login.user.id, name: view.login.user.username.clone() });
    }
    let chosen = |value: String, label: String, selected| Choice { value, label, selected };
    let page = Page {
        frame: frame(&view, "permission_explain", "Explain", vec![])?,
        sections: sections(&view, &url::permission_explain()),
        users: users.into_iter().map(|one| chosen(one.id.to_string(), one.name, one.id == asking.user.id)).collect(),
        actions: Action::ALL
            .iter()
            .map(|each| chosen(each.as_str().to_owned(), each.as_str().to_owned(), *each == action))
            .collect(),
        types: ObjectType::ALL
            .iter()
            .map(|each| chosen(each.name(), each.plural().to_owned(), *each == object_type))
            .collect(),
        objects: any_of(objects.into_iter().map(|one| (one.id.to_string(), one.name)), id.map(|id| id.to_string())),
        of: object_type.name(),
        may: badge(explanation.may),
        is_inactive: explanation.rank == Rank::Inactive,
        is_superuser: explanation.rank == Rank::Superuser,
        missing: missing(&asking, &explanation),
        sentence,
        why,
        steps,
    };
    view::page("permission_explain", &page)
}

fn badge(may: bool) -> Badge {
    match may {
        true => Badge::new(Tone::Good, Icon::Tick, "May"),
        false => Badge::new(Tone::Bad, Icon::Stopped, "May not"),
    }
}

fn what(asking: &Asking, action: Action) -> String {
    match &asking.object {
        Some(object) if action != Action::Add => {
            format!("{} the {} {}", action.as_str(), asking.object_type.noun().word(), object.name)
        }
        _ if action == Action::Add => format!("add {}", asking.object_type.plural()),
        _ => format!("{} some {}", action.as_str(), asking.object_type.plural()),
    }
}

fn step_title(asking: &Asking, step: &Step) -> String {
    capitalised(&what(asking, step.action)).trim_end_matches('.').to_owned()
}

/// The answer in one sentence, and its reason in another.
fn verdict(asking: &Asking, explanation: &Explanation) -> (String, String) {
    let verb = if explanation.may { "may" } else { "may not" };
    let sentence = format!("{} {verb} {}.", asking.user.username, what(asking, asking.action));
    let decisive = explanation.steps.iter().find(|step| !step.may).or(explanation.steps.last());
    let why = match (explanation.rank, decisive) {
        (Rank::Inactive, _) => "The user is switched off and cannot log in, whatever its permissions say.".to_owned(),
        (Rank::Superuser, _) => "The user is an administrator.".to_owned(),
        (_, Some(step)) if step.may => "A permission grants it.".to_owned(),
        (_, Some(step)) if step.action == Action::View && asking.action != Action::View => {
            "The user may not see it, and nothing can be done to what is not seen.".to_owned()
        }
        (_, Some(step)) if step.considered.is_empty() => "No permission is given to the user at all.".to_owned(),
        _ => "No permission of the user grants it.".to_owned(),
    };
    (sentence, why)
}

/// The permissions that would have to be granted.
fn missing(asking: &Asking, explanation: &Explanation) -> Vec<String> {
    let lacking = explanation.steps.iter().filter(|step| !step.may);
    lacking.map(|step| asking.object_type.permission(step.action)).collect()
}

fn row(
    considered: &Considered,
    may_see: bool,
    may_know: bool,
    is_own: bool,
    groups: &[Named],
    asking: &Asking,
) -> ConsideredView {
    let mut ways = Vec::new();
    if considered.is_direct {
        ways.push("given directly".to_owned());
    }
    for group in &considered.groups {
        match is_own || groups.iter().any(|one| one.id == group.id) {
            true => ways.push(format!("by the group {}", group.name)),
            false => ways.push("by a group that you may not see".to_owned()),
        }
    }
    let grants = considered.finding.grants();
    let says = match (&considered.finding, may_know) {
        (_, false) => vec![],
        (Finding::Off, _) => vec!["It is switched off.".to_owned()],
        (Finding::OtherType, _) => vec![format!("It is about {}.", words::object_types(&considered.permission))],
        (Finding::OtherAction, _) => vec![format!("It grants {}.", words::actions(&considered.permission))],
        (Finding::Unusable(error), _) => {
            vec![format!(
                "Its constraints cannot be understood, so it grants nothing. {}",
                capitalised(&error.to_string())
            )]
        }
        (Finding::Everything, _) => vec![format!("It grants this on all {}.", asking.object_type.plural())],
        (Finding::Within(limits), _) => {
            let all: Vec<String> =
                limits.iter().map(|limit| limit.iter().map(words::term).collect::<Vec<_>>().join(" and ")).collect();
            vec![format!("It grants this on {} whose {}.", asking.object_type.plural(), all.join(", or whose "))]
        }
        (Finding::Tested(limits), _) => limits.iter().map(|limit| tested(limit)).collect(),
    };
    let rank = match considered.finding {
        _ if grants => 0,
        Finding::Tested(_) | Finding::Unusable(_) => 1,
        Finding::Off => 2,
        _ => 3,
    };
    ConsideredView {
        name: if may_know {
            considered.permission.name.clone()
        } else {
            "a permission that you may not see".to_owned()
        },
        href: may_see.then(|| url::permission(considered.permission.id)),
        ways: ways.join(", "),
        verdict: match grants {
            true => Badge::new(Tone::Good, Icon::Tick, "Grants it"),
            false => Badge::new(Tone::Off, Icon::Hollow, "Does not"),
        },
        says,
        rank,
    }
}

/// One limit with what the object has: the terms that do not hold are said, or that all do.
fn tested(limit: &[(store::scope::Term, store::nouns::Tested)]) -> String {
    let value = |value: &str| if value.is_empty() { "empty".to_owned() } else { format!("“{value}”") };
    let failed: Vec<String> = limit
        .iter()
        .filter(|(_, tested)| !tested.holds)
        .map(|(term, tested)| {
            format!("Does not match: {} – the {} is {}.", words::term(term), term.field().name, value(&tested.value))
        })
        .collect();
    match failed.is_empty() {
        true => {
            let all: Vec<String> = limit.iter().map(|(term, _)| words::term(term)).collect();
            format!("Matches: {}.", all.join(" and "))
        }
        false => failed.join(" "),
    }
}

/// What the page shows.
#[derive(Template)]
#[template(path = "explain.html")]
pub struct Page {
    pub frame: Frame,
    pub sections: Vec<Choice>,
    pub users: Vec<Choice>,
    pub actions: Vec<Choice>,
    pub types: Vec<Choice>,
    pub objects: Vec<Choice>,
    /// The type that the objects are of.
    pub of: String,
    pub may: Badge,
    pub sentence: String,
    pub why: String,
    pub is_inactive: bool,
    pub is_superuser: bool,
    pub missing: Vec<String>,
    pub steps: Vec<StepView>,
}

/// One action.
pub struct StepView {
    pub title: String,
    pub may: Badge,
    pub rows: Vec<ConsideredView>,
}

/// One permission.
pub struct ConsideredView {
    pub name: String,
    pub href: Option<String>,
    pub ways: String,
    pub verdict: Badge,
    pub says: Vec<String>,
    pub rank: u8,
}
