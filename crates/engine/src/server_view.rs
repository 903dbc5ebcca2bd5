//! What the server itself says of one object: a dry run of the very write that a sync would do.

use crate::connections::Belief;
use crate::retrying::Retrying;
use crate::{Engine, Error};
use model::compare::desired_for_write;
use model::compare::{FieldDiff, ObjectState, compare_object};
use model::{Code, ObjectKey};
use serde::Serialize;
use std::time::Duration;

/// The server's answer.
#[derive(Debug, Clone, Serialize)]
pub struct ServerView {
    /// The server would change nothing.
    pub equal: bool,
    /// What it would change, compared with the live object.
    pub changes: Vec<FieldDiff>,
    /// Why it would refuse, with its words.
    pub refusal: Option<(Code, String)>,
    /// Its warnings.
    pub warnings: Vec<String>,
}

/// How long a page waits for it.
const LIMIT: Duration = Duration::from_secs(5);

impl Engine {
    /// Asks the server what a sync of this one object would change. Nothing is written.
    ///
    /// # Errors
    /// When the object is not in the source, or the cluster cannot be reached within five seconds.
    pub async fn server_view(&self, fabric: &store::Fabric, key: &ObjectKey) -> Result<ServerView, Error> {
        let asked = tokio::time::timeout(LIMIT, self.ask_server(fabric, key));
        asked.await.map_err(|_| Error::new(Code::KubernetesTimeout, "The cluster did not answer within 5 s."))?
    }

    async fn ask_server(&self, fabric: &store::Fabric, key: &ObjectKey) -> Result<ServerView, Error> {
        let shared = &self.shared;
        let row = shared.store.objects().get(fabric.id, key).await?;
        let Some(desired) = row.desired else {
            return Err(Error::new(Code::NotFound, "The object is not in the source, so there is nothing to send."));
        };
        let cluster = shared.cluster(fabric).await?;
        let kinds = shared.kinds(fabric, &cluster, Belief::Usual, Retrying::NEVER).await?;
        let Some(kind) = kinds.find(&key.group, &key.kind) else {
            return Err(Error::new(Code::NotFound, format!("The cluster does not serve the kind {}.", key.kind)));
        };
        let live = cluster.get(kind, &key.namespace, &key.name).await?;
        let object = desired_for_write(&desired, live.as_ref(), row.base.as_ref());
        let answer = match &live {
            Some(_) => cluster.replace(kind, &object, true).await,
            None => cluster.create(kind, &object, true).await,
        };
        match answer {
            Ok(written) => {
                let (state, changes) = compare_object(Some(&written.object), live.as_ref(), None);
                let equal = state == ObjectState::Equal;
                Ok(ServerView { equal, changes, refusal: None, warnings: written.warnings })
            }
            Err(e) if matches!(e.code(), Code::KubernetesRejected | Code::KubernetesWebhookDown) => Ok(ServerView {
                equal: false,
                changes: Vec::new(),
                refusal: Some((e.code(), e.to_string())),
                warnings: Vec::new(),
            }),
            Err(e) => Err(e.into()),
        }
    }
}
