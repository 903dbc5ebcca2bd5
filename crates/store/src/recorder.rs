//! How a change gets into the log: what the database says of an object before the change and after it, in one
//! transaction. Nobody writes down what they meant to do. Of a secret only that it was set, changed or cleared.

use crate::author::Author;
use crate::changes::ChangeAction;
use crate::nouns::{Link, Links, Noun, links_on};
use crate::row::Columns;
use crate::row::to_json;
use crate::scope::Scope;
use crate::sql::args;
use crate::statements::{changes as st, fabrics, people};
use crate::{Error, Fabric, Result};
use serde_json::{Map, Value, json};
use sqlx::AnyConnection;
use std::collections::BTreeMap;

/// What is known of one object.
struct State {
    name: String,
    fields: Map<String, Value>,
    /// Compared, never written.
    secrets: BTreeMap<&'static str, Vec<u8>>,
}

/// The objects that a change may concern, as they were before it.
pub(crate) struct Recorder<'a> {
    author: Option<&'a Author>,
    before: BTreeMap<(Noun, i64), Option<State>>,
}

impl<'a> Recorder<'a> {
    /// Before a change by this author; without one nothing is recorded.
    pub(crate) fn new(author: Option<&'a Author>) -> Self {
        Self { author, before: BTreeMap::new() }
    }

    /// Before a change of an object that is there, and of what it is linked to.
    pub(crate) async fn of(conn: &mut AnyConnection, author: Option<&'a Author>, noun: Noun, id: i64) -> Result<Self> {
        let mut recorder = Self::new(author);
        recorder.note(conn, noun, id).await?;
        if author.is_some() {
            for link in Link::at(noun) {
                let (left, right) = link.sides();
                for pair in links_on(conn, *link, (&Scope::System, &Scope::System), Some((noun, id))).await? {
                    let other = if noun == left { (right, pair.right.id) } else { (left, pair.left.id) };
                    recorder.note(conn, other.0, other.1).await?;
                }
            }
        }
        Ok(recorder)
    }

    /// An object that the change may concern, too.
    pub(crate) async fn note(&mut self, conn: &mut AnyConnection, noun: Noun, id: i64) -> Result<()> {
        if self.author.is_some() && !self.before.contains_key(&(noun, id)) {
            let state = state(conn, noun, id).await?;
            self.before.insert((noun, id), state);
        }
        Ok(())
    }

    /// The other ends of links that are about to change.
    pub(crate) async fn note_links(&mut self, conn: &mut AnyConnection, noun: Noun, links: &Links) -> Result<()> {
        for id in links.all() {
            self.note(conn, noun, id).await?;
        }
        Ok(())
    }

    /// An object that the change has made.
    pub(crate) fn made(&mut self, noun: Noun, id: i64) {
        if self.author.is_some() {
            self.before.insert((noun, id), None);
        }
    }

    /// After the change: a row for each object that differs.
    pub(crate) async fn record(self, conn: &mut AnyConnection) -> Result<()> {
        let Some(author) = self.author else { return Ok(()) };
        for ((noun, id), before) in self.before {
            let after = state(conn, noun, id).await?;
            let action = match (&before, &after) {
                (None, None) => continue,
                (None, Some(_)) => ChangeAction::Created,
                (Some(_), None) => ChangeAction::Deleted,
                (Some(_), Some(_)) => ChangeAction::Changed,
            };
            let name = after.as_ref().or(before.as_ref()).map(|state| state.name.clone()).unwrap_or_default();
            let (was, is) = difference(before, after);
            if was.is_empty() && is.is_empty() {
                continue;
            }
            let text = |fields: Map<String, Value>| match fields.is_empty() {
                true => Ok(None),
                false => to_json("changes", &fields).map(Some),
            };
            let fabric = (noun == Noun::Fabric).then_some(id);
            let args = args![
                author.at,
                &author.actor,
                author.user_id,
                &author.request_id,
                noun.as_str(),
                id,
                name,
                fabric,
                action.as_str(),
                text(was)?,
                text(is)?
            ];
            st::RECORD.run(conn, args).await?;
        }
        Ok(())
    }
}

/// The fields that differ, on both sides. What was made or deleted has all of its fields on one.
fn difference(before: Option<State>, after: Option<State>) -> (Map<String, Value>, Map<String, Value>) {
    let (mut was, mut is) = (Map::new(), Map::new());
    let both = before.is_some() && after.is_some();
    let empty = || State { name: String::new(), fields: Map::new(), secrets: BTreeMap::new() };
    let (before, after) = (before.unwrap_or_else(empty), after.unwrap_or_else(empty));
    let names: std::collections::BTreeSet<&String> = before.fields.keys().chain(after.fields.keys()).collect();
    for name in names {
        let (old, new) = (before.fields.get(name), after.fields.get(name));
        if old != new {
            let put = |side: &mut Map<String, Value>, value: Option<&Value>| {
                if let Some(value) = value.filter(|value| both || !is_nothing(value)) {
                    side.insert(name.clone(), value.clone());
                }
            };
            put(&mut was, old);
            put(&mut is, new);
        }
    }
    let secrets: std::collections::BTreeSet<&&str> = before.secrets.keys().chain(after.secrets.keys()).collect();
    for name in secrets {
        let (old, new) = (before.secrets.get(*name), after.secrets.get(*name));
        if old == new {
            continue;
        }
        let said = match (old, new) {
            (Some(_), Some(_)) => "changed",
            (None, Some(_)) => "set",
            _ => "cleared",
        };
        if old.is_some() {
            was.insert((**name).to_owned(), json!("set"));
        }
        if both || new.is_some() {
            is.insert((**name).to_owned(), json!(said));
        }
    }
    (was, is)
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

async fn state(conn: &mut AnyConnection, noun: Noun, id: i64) -> Result<Option<State>> {
    let mut state = match noun {
        Noun::Fabric => return fabric_state(conn, id).await,
        Noun::User => {
            let Some(row) = people::USER_GET.optional(conn, args![id]).await? else { return Ok(None) };
            let user = crate::users::user(&row)?;
            let fields = json!({
                "username": user.username, "is_superuser": user.is_superuser, "is_active": user.is_active,
                "external_issuer": user.external.as_ref().map(|known| known.issuer.as_str()),
                "external_subject": user.external.as_ref().map(|known| known.subject.as_str()),
            });
            let secrets = [("password", user.password_hash.into_bytes())].into();
            State { name: user.username, fields: object(fields), secrets }
        }
        Noun::Group => {
            let Some(row) = people::GROUP_GET.optional(conn, args![id]).await? else { return Ok(None) };
            let group = crate::groups::group(&row)?;
            let limits = people::GROUP_LIMITS.one(conn, "group", args![id]).await?;
            let fields = json!({
                "name": group.name, "description": group.description,
                "session_idle": limits.int_or_null("session_idle")?,
                "session_absolute": limits.int_or_null("session_absolute")?,
            });
            State { name: group.name, fields: object(fields), secrets: BTreeMap::new() }
        }
        Noun::Permission => {
            let Some(row) = people::PERMISSION_GET.optional(conn, args![id]).await? else { return Ok(None) };
            let permission = crate::permissions::permission(&row)?;
            let fields = json!({
                "name": permission.name, "enabled": permission.enabled, "object_types": permission.object_types,
                "actions": permission.actions, "constraints": permission.constraints,
            });
            State { name: permission.name, fields: object(fields), secrets: BTreeMap::new() }
        }
    };
    for link in Link::at(noun) {
        let (left, right) = link.sides();
        let pairs = links_on(conn, *link, (&Scope::System, &Scope::System), Some((noun, id))).await?;
        let (other, names): (Noun, Vec<String>) = match noun == left {
            true => (right, pairs.into_iter().map(|pair| pair.right.name).collect()),
            false => (left, pairs.into_iter().map(|pair| pair.left.name).collect()),
        };
        let field = match (noun, other) {
            (Noun::Group, Noun::User) => "members",
            (_, Noun::User) => "users",
            (_, Noun::Group) => "groups",
            _ => "permissions",
        };
        state.fields.insert(field.to_owned(), json!(names));
    }
    Ok(Some(state))
}

async fn fabric_state(conn: &mut AnyConnection, id: i64) -> Result<Option<State>> {
    let fabric = match crate::fabrics::get_in(conn, &Scope::System, id).await {
        Err(Error::NotFound(_)) => return Ok(None),
        found => found?,
    };
    let row = fabrics::SECRETS.one(conn, "fabric", args![id]).await?;
    let mut secrets = BTreeMap::new();
    for name in ["kubeconfig", "token", "source_token", "ssh_key"] {
        if let Some(sealed) = row.blob_or_null(name)? {
            secrets.insert(name, sealed);
        }
    }
    Ok(Some(State { name: fabric.name.clone(), fields: fabric_fields(&fabric)?, secrets }))
}

/// What a user can set about a fabric.
fn fabric_fields(fabric: &Fabric) -> Result<Map<String, Value>> {
    use crate::fabrics::{Cluster, EndpointLogin, Source};
    let (server, ca, certificate) = match &fabric.cluster {
        Cluster::Endpoint { server, ca_pem, login } => {
            let certificate = if let EndpointLogin::Certificate { pem } = login { Some(pem) } else { None };
            (Some(server), ca_pem.as_ref(), certificate)
        }
        Cluster::None | Cluster::Kubeconfig => (None, None, None),
    };
    let (url, username, known_hosts) = match &fabric.source {
        Source::Remote { url, username, known_hosts, .. } => (Some(url), username.as_ref(), known_hosts.as_ref()),
        Source::Local => (None, None, None),
    };
    let policy: Value = serde_json::from_str(&to_json("policy", &fabric.policy)?)
        .map_err(|e| Error::Corrupt { what: "policy", detail: e.to_string() })?;
    let suspended = fabric.suspension.as_ref().map(|s| format!("by {}: {}", s.by, s.reason));
    Ok(object(json!({
        "name": fabric.name, "description": fabric.description, "cluster": fabric.cluster.kind(), "server": server,
        "ca_certificate": ca, "client_certificate": certificate, "verify_tls": fabric.verify_tls,
        "namespace": fabric.namespace, "source": url, "credential": fabric.source.credential_kind().as_str(),
        "source_username": username, "known_hosts": known_hosts, "branch": fabric.branch, "path": fabric.path,
        "sync_enabled": fabric.sync_enabled, "deadline_seconds": fabric.deadline_seconds, "policy": policy,
        "suspended": suspended, "cluster_uid": fabric.cluster_uid,
    })))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
