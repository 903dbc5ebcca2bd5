//! Adding a fabric and changing its settings. Every field round-trips; secrets are write-only: what is stored is never
//! shown, an empty field keeps it, and choosing a way without a secret removes it.

mod draft;

use crate::extract::{Fields as Given, OfFabric};
use crate::frame::{Find, Frame, Nav};
use crate::icon::Icon;
use crate::layers::classify::Asked;
use crate::pages::fabric::manager;
use crate::parts::derive;
use crate::parts::field::Field;
use crate::parts::head::FabricPage;
use crate::parts::{Head, Tabs};
use crate::problem::Problem;
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use askama::Template;
use auth::{Action, ObjectType, Place};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use draft::{Draft, Errors};
use http::StatusCode;
use model::Code;
use secrecy::SecretString;
use serde_json::json;
use store::fabrics::{NewFabric, SecretChange, SecretChanges};
use store::{Error, Fabric, FabricSecrets, Sealed, Unique};

/// The routes of the form.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page("fabric_add", pattern::fabric_add, Needs::Fabrics(Action::Add), show_add),
        Route::recorded("fabric_add", pattern::fabric_add, Needs::Fabrics(Action::Add), add)
            .sensitive_with_credentials(),
        Route::page("fabric_edit", pattern::fabric_edit, Needs::Fabric(Action::Change), show_edit),
        Route::recorded("fabric_edit", pattern::fabric_edit, Needs::Fabric(Action::Change), edit)
            .sensitive_with_credentials(),
    ]
}

async fn show_add(state: State<AppState>, view: View) -> Result<Response, Problem> {
    form(&state, &view, None, &Draft::new(), StatusCode::OK).await
}

async fn show_edit(state: State<AppState>, view: View, OfFabric(fabric): OfFabric) -> Result<Response, Problem> {
    form(&state, &view, Some(&fabric), &Draft::of(&fabric), StatusCode::OK).await
}

/// The form, empty or as it was sent.
async fn form(
    state: &AppState,
    view: &View,
    fabric: Option<&Fabric>,
    draft: &Draft,
    status: StatusCode,
) -> Result<Response, Problem> {
    let (name, title) = if fabric.is_some() { ("fabric_edit", "Settings") } else { ("fabric_add", "Add a fabric") };
    let mut frame = view.frame(name, title, Nav::Fabrics)?;
    let mut way = vec![("Fabrics".to_owned(), url::fabrics())];
    let (mut head, mut tabs, mut secrets) = (None, None, FabricSecrets::default());
    if let Some(fabric) = fabric {
        let overview = state.engine.overview(fabric).await?;
        let (its_head, its_tabs) = derive::head(view, fabric, &overview, FabricPage::Settings).await?;
        (head, tabs) = (Some(its_head), Some(its_tabs));
        secrets = state.store.fabrics().secrets(fabric.id).await?;
        way.push((fabric.name.clone(), url::fabric(fabric.id)));
        frame.find = Find::objects(fabric.id);
        frame.title = format!("Settings · {}", fabric.name);
    }
    let namespace = if draft.namespace.trim().is_empty() { "default" } else { draft.namespace.trim() };
    let may_delete = match fabric {
        Some(fabric) => view.login.access.may(fabric.id, Action::Delete).await?,
        None => false,
    };
    let page = Page {
        frame: frame.crumbs(way, title),
        head,
        tabs,
        action: fabric.map_or_else(url::fabric_add, |fabric| url::fabric_edit(fabric.id)),
        version: fabric.map(|_| draft.version.clone()),
        form: draft.fields(&secrets, fabric.and_then(|fabric| fabric.cluster.login())),
        errors: draft.errors.list(),
        password: view.password_field("Needed to save a credential, because you entered it some time ago."),
        submit: if fabric.is_some() { "Save changes" } else { "Add the fabric" }.to_owned(),
        cancel: fabric.map_or_else(url::fabrics, |fabric| url::fabric(fabric.id)),
        delete: fabric.filter(|_| may_delete).map(|fabric| url::fabric_delete(fabric.id)),
        service_account: cluster::service_account_manifest("hedgerow", namespace, &[]),
        token_command: format!(
            "kubectl -n {namespace} get secret hedgerow-token -o jsonpath='{{.data.token}}' | base64 -d"
        ),
    };
    let mut response = view::page(name, &page)?;
    *response.status_mut() = status;
    Ok(response)
}

/// A form that was refused: for a script its errors by field, for a navigation the form with everything in it.
async fn refused(state: &AppState, view: &View, fabric: Option<&Fabric>, draft: &Draft) -> Result<Response, Problem> {
    if view.asked() == Asked::Script {
        let message = format!("{} of the fields cannot be saved as they are.", draft.errors.0.len());
        let mut problem = Problem::new(Code::InvalidInput, message).status(StatusCode::UNPROCESSABLE_ENTITY);
        problem.fields = draft.errors.0.iter().map(|(name, message)| ((*name).to_owned(), message.clone())).collect();
        return Err(problem);
    }
    form(state, view, fabric, draft, StatusCode::UNPROCESSABLE_ENTITY).await
}

fn saved(view: &View, fabric: &Fabric, status: StatusCode) -> Response {
    let page = url::fabric(fabric.id);
    match view.asked() {
        Asked::Script => view::json(status, &json!({ "success": true, "id": fabric.id, "redirect": page })),
        Asked::Navigation => Redirect::to(&page).into_response(),
    }
}

async fn add(State(state): State<AppState>, view: View, given: Given) -> Result<Response, Problem> {
    let mut draft = Draft::read(&given);
    let checked = draft.check(None, &state.settings);
    let Some(spec) = checked else { return refused(&state, &view, None, &draft).await };
    let id = state.store.fabrics().reserve_id().await?;
    let seal = |column: &'static str, secret: &Option<SecretString>| seal(&state, id, column, secret.as_ref());
    let secrets = FabricSecrets {
        kubeconfig: seal("kubeconfig", &draft.kubeconfig)?,
        endpoint: match spec.cluster.login() {
            Some(login) => seal(login.place(), draft.of_login(login))?,
            None => None,
        },
        source_token: seal("source_token", &draft.source_token)?,
        ssh_key: seal("ssh_key", &draft.ssh_key)?,
    };
    let (scope, author) = (view.login.access.require(Action::Add)?, view.author());
    let secrets = draft::only_used(&spec, secrets);
    match state.store.fabrics().by(&author).create(&scope, NewFabric { id, spec, secrets }, view.now).await {
        Ok(fabric) => {
            tracing::info!(fabric = fabric.id, name = fabric.name, by = view.login.user.username, "a fabric was added");
            state.engine.fabric_saved(fabric.id).await;
            Ok(saved(&view, &fabric, StatusCode::CREATED))
        }
        Err(error) => {
            let error = view.hide_taken(error, ObjectType::Fabric, &draft.name).await;
            draft.errors.of_store(error)?;
            refused(&state, &view, None, &draft).await
        }
    }
}

async fn edit(
    State(state): State<AppState>,
    view: View,
    OfFabric(fabric): OfFabric,
    given: Given,
) -> Result<Response, Problem> {
    let mut draft = Draft::read(&given);
    let checked = draft.check(Some(&fabric), &state.settings);
    let version: Option<i64> = draft.version.parse().ok();
    if version.is_none() {
        draft
            .errors
            .set("name", "The form does not say which version of the settings it was opened with. Load it again.");
    }
    let (Some(spec), Some(version)) = (checked, version) else {
        return refused(&state, &view, Some(&fabric), &draft).await;
    };
    let change = |column: &'static str, secret: &Option<SecretString>| -> Result<SecretChange, Problem> {
        Ok(seal(&state, fabric.id, column, secret.as_ref())?.map_or(SecretChange::Keep, SecretChange::Set))
    };
    let mut secrets = SecretChanges {
        kubeconfig: change("kubeconfig", &draft.kubeconfig)?,
        endpoint: match spec.cluster.login() {
            Some(login) => change(login.place(), draft.of_login(login))?,
            None => SecretChange::Keep,
        },
        source_token: change("source_token", &draft.source_token)?,
        ssh_key: change("ssh_key", &draft.ssh_key)?,
    };
    draft::keep_unused(&spec, &mut secrets);
    let (scope, author) = (view.login.access.require(Action::Change)?, view.author());
    match state.store.fabrics().by(&author).update(&scope, fabric.id, version, &spec, &secrets, view.now).await {
        Ok(changed) => {
            tracing::info!(
                fabric = changed.id,
                name = changed.name,
                by = view.login.user.username,
                "a fabric was changed"
            );
            state.engine.fabric_saved(changed.id).await;
            Ok(saved(&view, &changed, StatusCode::OK))
        }
        Err(error) => {
            let error = view.hide_taken(error, ObjectType::Fabric, &draft.name).await;
            let is_taken = matches!(error, Error::Conflict(Unique::ClusterNamespace));
            draft.errors.of_store(error)?;
            if is_taken
                && let Some((_, name)) =
                    manager::of(&state, &view, fabric.cluster_uid.as_deref(), &spec.namespace).await?
            {
                draft.errors.set("namespace", format!("Fabric {name} already manages this namespace of this cluster."));
            }
            refused(&state, &view, Some(&fabric), &draft).await
        }
    }
}

/// Seals a secret for its place; an empty field seals nothing.
fn seal(
    state: &AppState,
    id: i64,
    column: &'static str,
    secret: Option<&SecretString>,
) -> Result<Option<Sealed>, Problem> {
    let Some(secret) = secret else { return Ok(None) };
    let sealed = state.sealer.seal(Place::fabric(column, id), secret);
    sealed.map(Some).map_err(|error| Problem::internal("seal a secret", &error))
}

impl Errors {
    /// What the store refused, at the field that it is about; anything else is the whole request's problem.
    fn of_store(&mut self, error: Error) -> Result<(), Problem> {
        let sentence = crate::problem::capitalised(&error.to_string());
        let field = match &error {
            Error::Conflict(Unique::FabricName) => "name",
            Error::Conflict(Unique::ClusterNamespace) => "namespace",
            Error::Stale(_) | Error::OutOfScope(_) => "name",
            Error::Invalid(check) => draft::field_of_check(check),
            _ => return Err(error.into()),
        };
        self.set(field, sentence);
        Ok(())
    }
}

/// What the page shows.
#[derive(Template)]
#[template(path = "fabric_form.html")]
pub struct Page {
    pub frame: Frame,
    pub head: Option<Head>,
    pub tabs: Option<Tabs>,
    pub action: String,
    pub version: Option<String>,
    pub form: Fields,
    pub errors: Vec<(String, String)>,
    /// The user's own password, when a credential could not be saved without it.
    pub password: Option<Field>,
    pub submit: String,
    pub cancel: String,
    pub delete: Option<String>,
    pub service_account: String,
    pub token_command: String,
}

/// The fields of the form.
pub struct Fields {
    pub name: Field,
    pub description: Field,
    pub sync_enabled: Field,
    pub deadline_minutes: Field,
    pub cluster_kind: Field,
    pub kubeconfig: Field,
    pub server: Field,
    pub token: Field,
    pub client_certificate: Field,
    pub client_key: Field,
    pub ca_pem: Field,
    pub verify_tls: Field,
    pub namespace: Field,
    pub source_url: Field,
    pub branch: Field,
    pub path: Field,
    pub credential_kind: Field,
    pub source_username: Field,
    pub source_token: Field,
    pub ssh_key: Field,
    pub known_hosts: Field,
    pub automatic: AutomaticFields,
}

/// The fields that say what the fabric does by itself.
pub struct AutomaticFields {
    pub sync_interval: Field,
    pub self_heal: Field,
    pub prune: Field,
    pub prune_limit: Field,
    pub rollout_wait: Field,
    pub windows: Vec<WindowFields>,
}

/// One row of the windows.
pub struct WindowFields {
    pub kind: Field,
    pub schedule: Field,
    pub minutes: Field,
    pub time_zone: Field,
}
