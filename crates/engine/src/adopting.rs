//! What adopting an object of the cluster would commit: its manifest and its file, or why it is left. The page shows it
//! before, the operation does it; both ask here.

use crate::{Error, Shared};
use model::adopt::{self, Places};
use model::manifest::{Manifest, Severity};
use model::operation::OutcomeKind;
use model::{Code, ObjectKey, kind};
use serde_json::Value;
use source::{Desired, Repository};
use std::collections::HashMap;
use std::sync::Arc;
use store::Fabric;

/// One object that somebody wants to adopt.
#[derive(Debug, Clone, PartialEq)]
pub struct Adoption {
    /// Which object.
    pub key: ObjectKey,
    /// The file that would be committed, or why there is none.
    pub file: Result<NewFile, Left>,
}

/// A file that would be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Its path from the repository's root.
    pub path: String,
    /// The name that it would have had, when another file has that already.
    pub instead_of: Option<String>,
    /// Its text.
    pub text: String,
    /// The uid of the object in the cluster.
    pub uid: String,
}

/// Why an object is not adopted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// What this is to an operation.
    pub outcome: OutcomeKind,
    /// The code, when it is a failure.
    pub code: Option<Code>,
    /// Why, one sentence.
    pub message: String,
}

impl Left {
    fn new(outcome: OutcomeKind, code: Option<Code>, message: String) -> Self {
        Self { outcome, code, message }
    }
}

/// The source as it was read, for finding out what an object would become there.
pub(crate) struct Ground {
    desired: Option<Arc<Desired>>,
    places: Places,
}

impl Ground {
    /// Looks at a commit of the fabric's source.
    pub async fn at(repository: &Repository, fabric: &Fabric, desired: Arc<Desired>) -> Result<Self, Error> {
        let files = repository.files(&desired.commit.id).await?;
        let places = Places::new(&folder(fabric), &files, &desired.manifests);
        Ok(Self { desired: Some(desired), places })
    }

    /// A source that was never read.
    fn unread(fabric: &Fabric) -> Self {
        Self { desired: None, places: Places::new(&folder(fabric), &[], &[]) }
    }

    /// What would become of these objects. `live` gives the object as it is in the cluster, or why there is none; `plural`
    /// the plural of a kind.
    pub fn adopt<'k>(
        &mut self,
        keys: impl IntoIterator<Item = &'k ObjectKey>,
        live: impl Fn(&ObjectKey) -> Result<Arc<Value>, Left>,
        plural: impl Fn(&ObjectKey) -> String,
    ) -> Vec<Adoption> {
        let manifests: HashMap<&ObjectKey, &Manifest> =
            self.desired.iter().flat_map(|desired| &desired.manifests).map(|m| (&m.key, &**m)).collect();
        let mut places = std::mem::take(&mut self.places);
        let mut one = |key: &ObjectKey| {
            if let Some(manifest) = manifests.get(key) {
                let place = &manifest.location;
                let message = format!("It stands in Git already: {}, line {}.", place.file, place.line);
                return Err(Left::new(OutcomeKind::Unchanged, None, message));
            }
            if let Some(message) = self.broken(key) {
                return Err(Left::new(OutcomeKind::Refused, Some(Code::SourceInvalid), message));
            }
            let refused =
                |why: adopt::NotAdoptable| Left::new(OutcomeKind::Refused, Some(Code::NotAdoptable), why.to_string());
            // Of kinds that are not people's, nothing was read.
            adopt::check_kind(&key.group, &key.kind).map_err(refused)?;
            let live = live(key)?;
            let manifest = adopt::manifest(&live).map_err(refused)?;
            let place = places.choose(key, &plural(key));
            let uid = live["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
            Ok(NewFile { path: place.path, instead_of: place.instead_of, text: adopt::text(&manifest), uid })
        };
        let adoptions = keys.into_iter().map(|key| Adoption { key: key.clone(), file: one(key) }).collect();
        self.places = places;
        adoptions
    }

    /// A manifest of the object that cannot be used: another one beside it would be a second.
    fn broken(&self, key: &ObjectKey) -> Option<String> {
        let findings = self.desired.iter().flat_map(|desired| &desired.findings);
        let mut errors = findings.filter(|f| f.severity == Severity::Error && f.object.as_ref() == Some(key));
        errors
            .next()
            .map(|finding| format!("A manifest of it stands in Git and cannot be used: {}", finding.with_place()))
    }
}

/// The folder of the manifests as git writes it.
fn folder(fabric: &Fabric) -> String {
    let parts: Vec<&str> = fabric.path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    parts.join("/")
}

/// The plural of a kind that is in no list: as Kubernetes itself would guess it.
pub(crate) fn plural_of(key: &ObjectKey, known: Option<String>) -> String {
    let registered = || kind::find(&key.group, &key.kind).map(|known| known.plural.to_owned());
    known.or_else(registered).unwrap_or_else(|| format!("{}s", key.kind.to_lowercase()))
}

/// An object that the cluster does not hold (any more).
pub(crate) fn gone() -> Left {
    Left::new(OutcomeKind::NotAttempted, Some(Code::NotFound), "The cluster does not hold it (any more).".to_owned())
}

/// What adopting these objects would commit, as far as it is known now: the source as it was fetched last, the cluster as it
/// was compared last.
pub(crate) async fn preview(
    shared: &Shared,
    fabric: &Fabric,
    keys: &[ObjectKey],
    kinds: &Value,
) -> Result<Vec<Adoption>, Error> {
    let repository = shared.repository(fabric).await?;
    let mut ground = match shared.last_fetched(fabric, &repository).await? {
        Some(commit) => {
            let desired = repository.read(&commit.id, &fabric.namespace, &shared.settings.source).await?;
            Ground::at(&repository, fabric, desired).await?
        }
        None => Ground::unread(fabric),
    };
    let mut live: HashMap<&ObjectKey, Arc<Value>> = HashMap::new();
    for key in keys {
        match shared.store.objects().get(fabric.id, key).await {
            Ok(detail) => live.extend(detail.live.map(|object| (key, Arc::new(object)))),
            Err(store::Error::NotFound(_)) => {}
            Err(e) => return Err(e.into()),
        }
    }
    let plural = |key: &ObjectKey| plural_of(key, crate::read_kinds::plural(kinds, &key.group, &key.kind));
    Ok(ground.adopt(keys, |key| live.get(key).cloned().ok_or_else(gone), plural))
}
