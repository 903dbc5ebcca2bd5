//! The four verbs: a form gets a 303 to the operation's page, a script the operation itself. With `?wait=SECONDS` a
//! script gets its result when it ends in time: 200 only for what was verified.

use crate::extract::{Fields, OfFabric, Told};
use crate::layers::classify::Asked;
use crate::layers::origin;
use crate::pages::operation::{as_json, failure};
use crate::problem::Problem;
use crate::routes::Route;
use crate::state::AppState;
use crate::url::{self, ALIAS, pattern};
use crate::view::{self, View, bad};
use auth::Action;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use engine::{Disposition, Request};
use http::StatusCode;
use model::Code;
use model::operation::{OperationState, Trigger, Verb};
use model::sync_options::{FieldOfObject, SyncOptions};
use serde_json::{Value, json};
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::time::Duration;

/// The routes of the verbs.
pub fn routes() -> Vec<Route> {
    vec![
        Route::verb("test_connection", pattern::test_connection, Verb::TestConnection, test_connection),
        Route::verb("sync_from_git", pattern::sync_from_git, Verb::SyncFromGit, sync_from_git),
        Route::verb("sync_from_fabric", pattern::sync_from_fabric, Verb::SyncFromFabric, sync_from_fabric),
        Route::verb("sync", pattern::sync, Verb::SyncToKubernetes, sync),
    ]
}

/// The longest `?wait=`; the limit on a whole request is a little longer.
const LONGEST_WAIT: u64 = 50;
/// How long the predecessor's sync addresses wait for a script that does not say.
const PREDECESSORS_WAIT: u64 = 25;
/// The field by which a form says that it is about chosen objects, so that none is not all.
pub const SELECTION: &str = "selection";
/// What every verb takes.
const FOR_ALL: [&str; 3] = ["csrfmiddlewaretoken", "idempotency_key", "comparison"];
/// What a sync takes besides.
const FOR_SYNC: [&str; 9] = [
    "dry_run",
    "object",
    "kind",
    "leave_object",
    "leave_field",
    "prune",
    "prune_confirmation",
    "allow_address_removal",
    SELECTION,
];
/// What reading the cluster takes besides.
const FOR_ADOPTING: [&str; 2] = ["adopt", "adopting"];

async fn test_connection(
    state: State<AppState>,
    view: View,
    on: OfFabric,
    fields: Fields,
) -> Result<Response, Problem> {
    run(&state, &view, &on, &fields, Verb::TestConnection).await
}

async fn sync_from_git(state: State<AppState>, view: View, on: OfFabric, fields: Fields) -> Result<Response, Problem> {
    run(&state, &view, &on, &fields, Verb::SyncFromGit).await
}

async fn sync_from_fabric(
    state: State<AppState>,
    view: View,
    on: OfFabric,
    fields: Fields,
) -> Result<Response, Problem> {
    run(&state, &view, &on, &fields, Verb::SyncFromFabric).await
}

async fn sync(state: State<AppState>, view: View, on: OfFabric, fields: Fields) -> Result<Response, Problem> {
    run(&state, &view, &on, &fields, Verb::SyncToKubernetes).await
}

async fn run(state: &AppState, view: &View, on: &OfFabric, fields: &Fields, verb: Verb) -> Result<Response, Problem> {
    let OfFabric(fabric) = on;
    takes(view, fields, verb)?;
    let wait = wait(view, verb)?;
    let options = options(fields)?;
    may_adopt(view, fabric.id, verb, fields, &options).await?;
    let asked_for = options.clone();
    let user = &view.login.user;
    let here = view.from == origin::From::Here;
    let request = Request {
        fabric_id: fabric.id,
        verb,
        actor: user.username.clone(),
        actor_user_id: Some(user.id),
        // A page's script asks for a person; other programs do not say that they come from a page of ours.
        trigger: if here || view.asked() == Asked::Navigation { Trigger::Button } else { Trigger::Script },
        request_id: view.request_id.clone(),
        // A key is one user's, on one fabric, for one verb: nobody gets at another's operation by guessing it.
        idempotency_key: key(view, fields, &options)?.map(|key| format!("{}:{}:{verb}:{key}", user.id, fabric.id)),
        shown_comparison: shown(state, fabric.id, fields).await?,
        options,
    };
    let requested = state.engine.request(request).await?;
    let (operation, disposition) = (requested.operation, requested.disposition);
    let got: SyncOptions = serde_json::from_value(operation.options.clone()).unwrap_or_default();
    if disposition == Disposition::SameKey && got != asked_for {
        let message = format!(
            "This Idempotency-Key was used for operation {}, which was asked for something else. Nothing was done.",
            operation.id
        );
        return Err(Problem::new(Code::InvalidInput, message)
            .status(StatusCode::UNPROCESSABLE_ENTITY)
            .todo("Send a request that is another one with a key of its own."));
    }
    let told = Told { operation_id: Some(operation.id), message: words(disposition).to_owned() };
    let answer = if view.asked() == Asked::Navigation {
        Ok(Redirect::to(&url::operation(operation.id)).into_response())
    } else {
        let operation = match wait {
            Some(up_to) => state.engine.wait(operation.id, up_to).await?,
            None => operation,
        };
        let asked_to_wait = wait.is_some();
        match operation.state {
            OperationState::Succeeded if asked_to_wait => {
                let body = body(view, &fabric.name, &operation, disposition, json!(true));
                Ok(view::json(StatusCode::OK, &body))
            }
            state if state.is_final() && asked_to_wait => {
                Err(failure(&operation).with("operation", as_json(view, &fabric.name, &operation)))
            }
            _ => {
                let body = body(view, &fabric.name, &operation, disposition, Value::Null);
                Ok(view::json(StatusCode::ACCEPTED, &body))
            }
        }
    };
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    response.extensions_mut().insert(told);
    Ok(response)
}

fn body(view: &View, fabric: &str, operation: &store::Operation, disposition: Disposition, success: Value) -> Value {
    json!({
        "success": success,
        "message": if operation.message.is_empty() { words(disposition) } else { &operation.message },
        "disposition": word(disposition),
        "code": (disposition == Disposition::AlreadyRunning).then_some(Code::AlreadyRunning),
        "request_id": view.request_id,
        "operation": as_json(view, fabric, operation),
    })
}

fn word(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::New => "new",
        Disposition::Queued => "queued",
        Disposition::AlreadyRunning => "already_running",
        Disposition::SameKey => "same_key",
    }
}

fn words(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::New => "It begins now.",
        Disposition::Queued => "Another operation writes to this fabric; this one runs next.",
        Disposition::AlreadyRunning => "The same is running already; this is that operation.",
        Disposition::SameKey => "This request was received before; this is the operation that it got.",
    }
}

/// Refuses what the verb does not take. What is misspelt, or meant for another verb, would otherwise turn a dry run or a
/// run of a part into a run of everything.
fn takes(view: &View, fields: &Fields, verb: Verb) -> Result<(), Problem> {
    let own: &[&str] = match verb {
        Verb::SyncToKubernetes => &FOR_SYNC,
        Verb::SyncFromFabric => &FOR_ADOPTING,
        Verb::TestConnection | Verb::SyncFromGit => &[],
    };
    let refuse = |what: &str, name: &str, takes: &str| {
        let name: String = name.chars().take(60).collect();
        let message = format!("{} does not know the {what} “{name}”. Nothing was done.", verb.title());
        Err(Problem::new(Code::InvalidInput, message).todo(format!("Correct its name or leave it out. {takes}")))
    };
    let query = view.query();
    if let Some(name) = query.names().find(|name| *name != "wait") {
        return refuse("parameter", name, "The address takes wait; everything else stands in the form or in the JSON.");
    }
    let known = |name: &str| FOR_ALL.contains(&name) || own.contains(&name);
    if let Some((name, _)) = fields.all().iter().find(|(name, _)| !known(name)) {
        let taken = FOR_ALL[1..].iter().chain(own).copied().collect::<Vec<_>>().join(", ");
        return refuse("field", name, &format!("It takes {taken}."));
    }
    // A list of nothing is a selection of nothing, and never one of everything.
    for chosen in [&["object", "kind"][..], &["adopt"]] {
        let is_given = chosen.iter().any(|name| fields.has(name));
        if is_given && chosen.iter().flat_map(|name| fields.every(name)).next().is_none() {
            return Err(nothing_chosen());
        }
    }
    Ok(())
}

fn nothing_chosen() -> Problem {
    Problem::new(Code::InvalidInput, "No object is chosen, so nothing was done.")
        .todo("Go back and tick at least one object.")
}

/// How long to wait for the result.
fn wait(view: &View, verb: Verb) -> Result<Option<Duration>, Problem> {
    if let Some(text) = view.query().get("wait") {
        let seconds: u64 = text.parse().map_err(|_| bad("wait", text))?;
        return Ok(Some(Duration::from_secs(seconds.min(LONGEST_WAIT))));
    }
    let predecessors = verb == Verb::SyncToKubernetes && view.uri.path().starts_with(ALIAS);
    Ok(predecessors.then_some(Duration::from_secs(PREDECESSORS_WAIT)))
}

/// The key that makes a repeated request the same request. A page's form that is sent once more with other choices, as
/// after a step back in the browser, is another request.
fn key(view: &View, fields: &Fields, options: &SyncOptions) -> Result<Option<String>, Problem> {
    let header = view.headers.get("idempotency-key").map(|value| value.to_str().unwrap_or("\u{0}"));
    let Some(key) = header.or_else(|| fields.get("idempotency_key")).filter(|key| !key.is_empty()) else {
        return Ok(None);
    };
    // RFC drafts write the key as a quoted string.
    let key = key.trim().trim_matches('"');
    if (1..=128).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let of_form = header.is_none() && *options != SyncOptions::default();
        Ok(Some(if of_form { format!("{key}:{:x}", digest(options)) } else { key.to_owned() }))
    } else {
        Err(Problem::new(Code::InvalidInput, "The Idempotency-Key must be 1 to 128 printable characters."))
    }
}

fn digest(options: &SyncOptions) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    serde_json::to_string(options).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

/// What the form or the script says besides the verb; see `model::sync_options`. A field may stand several times.
pub fn options(fields: &Fields) -> Result<SyncOptions, Problem> {
    fn each<T: FromStr, C: FromIterator<T>>(fields: &Fields, name: &str) -> Result<C, Problem> {
        fields.every(name).map(|text| text.parse().map_err(|_| bad(name, text))).collect()
    }
    // A form of chosen objects with no tick left must not turn into a run of everything.
    if !fields.text(SELECTION).is_empty() && fields.every("object").chain(fields.every("kind")).next().is_none() {
        return Err(nothing_chosen());
    }
    let leave_fields = fields.every("leave_field").map(|text| {
        let (object, path) = text.split_once('#').ok_or_else(|| bad("leave_field", text))?;
        let object = object.parse().map_err(|_| bad("leave_field", text))?;
        Ok(FieldOfObject { object, path: path.to_owned() })
    });
    Ok(SyncOptions {
        dry_run: fields.ticked("dry_run")?,
        objects: each(fields, "object")?,
        kinds: fields.every("kind").map(str::to_owned).collect(),
        leave_objects: each(fields, "leave_object")?,
        leave_fields: leave_fields.collect::<Result<_, Problem>>()?,
        prune: fields.ticked("prune")?,
        prune_confirmation: Some(fields.text("prune_confirmation").to_owned()).filter(|text| !text.is_empty()),
        allow_address_removal: fields.ticked("allow_address_removal")?,
        adopt: each(fields, "adopt")?,
    })
}

/// Adopting changes the desired state: it takes the permission to change the fabric besides the one to sync it. A form that
/// is for adopting and names no object is refused: it would only read.
async fn may_adopt(
    view: &View,
    fabric_id: i64,
    verb: Verb,
    fields: &Fields,
    options: &SyncOptions,
) -> Result<(), Problem> {
    let refused = |why: &str| Err(Problem::new(Code::InvalidInput, why));
    if options.adopt.is_empty() {
        return match fields.ticked("adopting")? {
            true => refused("No object was chosen, so nothing was committed.")
                .map_err(|problem| problem.todo("Go back and tick the objects to adopt.")),
            false => Ok(()),
        };
    }
    if verb != Verb::SyncFromFabric {
        return refused("Objects are adopted by Sync from Fabric.");
    }
    view.login.access.fabric(fabric_id, Action::Change).await?;
    Ok(())
}

/// The comparison that the page showed; of this fabric, or it is refused.
async fn shown(state: &AppState, fabric_id: i64, fields: &Fields) -> Result<Option<i64>, Problem> {
    let text = fields.text("comparison");
    if text.is_empty() {
        return Ok(None);
    }
    let unknown = || {
        Problem::new(Code::ChangedSinceComparison, "The comparison that the page showed is not known any more.")
            .todo("Reload the page, look at the differences, then sync again.")
    };
    let id: i64 = text.parse().map_err(|_| bad("comparison", text))?;
    match state.store.comparisons().get(id).await {
        Ok(comparison) if comparison.fabric_id == fabric_id => Ok(Some(id)),
        Ok(_) | Err(store::Error::NotFound(_)) => Err(unknown()),
        Err(error) => Err(error.into()),
    }
}
