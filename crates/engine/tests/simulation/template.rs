//! What every simulation begins with, made once and copied: a migrated database, a repository with a first commit, and who
//! the clusters are. Everything lies in memory where the machine has such a folder, because a thousand simulations would
//! otherwise measure a disk.

use super::objects::{self, Desired};
use lab::Identity;
use source::{Author, Change, Repository};
use std::path::Path;
use std::sync::Arc;
use store::Store;

/// What all simulations begin with, made once: a migrated database and a repository with a first commit.
pub struct Template {
    pub folder: tempfile::TempDir,
    pub identities: Vec<Identity>,
    pub definitions: Vec<serde_json::Value>,
    /// The first commit, and what it names.
    pub first: (String, Arc<Desired>),
}

/// A folder that goes with the value.
pub fn folder(prefix: &str) -> tempfile::TempDir {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix(prefix);
    builder.tempdir_in("/dev/shm").or_else(|_| builder.tempdir()).expect("a folder can be made")
}

/// A runtime in real time.
pub fn here() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}

/// A local repository.
pub fn config() -> source::Config {
    source::Config { remote: None, branch: "main".into(), path: String::new(), allow_file: false }
}

/// Who commits.
pub fn author() -> Author {
    Author { name: "Anna".into(), email: "anna@example.com".into() }
}

impl Template {
    /// Makes it.
    pub fn make() -> Self {
        let folder = folder("hedgerow-sim-template-");
        let first = here().block_on(async {
            let store = Store::open(folder.path().join("h.db").to_str().unwrap()).await.unwrap();
            store.close().await;
            let repository = Repository::open(&folder.path().join("source"), config()).await.unwrap();
            let files: Vec<Change> = objects::at_first()
                .iter()
                .map(|object| Change { path: objects::file_of(object), content: Some(object.to_string().into_bytes()) })
                .collect();
            let commit = repository.commit(&files, &author(), "What is there at first", None).await.unwrap();
            let desired = read(&repository, &commit.id).await;
            (commit.id, Arc::new(desired))
        });
        let identities = (0..3).map(|_| Identity::generate(None).unwrap()).collect();
        Self { folder, identities, definitions: objects::definitions(), first }
    }
}

/// What a commit names, read by the real source.
pub async fn read(repository: &Repository, commit: &str) -> Desired {
    let limits = model::manifest::Limits::default();
    let read = repository.read(commit, "default", &limits).await.unwrap();
    assert!(read.findings.is_empty(), "{:?}", read.findings);
    let named = |m: &Arc<model::manifest::Manifest>| ((m.key.kind.clone(), m.key.name.clone()), m.object.value());
    read.manifests.iter().map(named).collect()
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
