//! Which file an adopted object gets: one file an object, where the source keeps objects of that kind already, otherwise
//! in a folder of the kind's plural. A file that is there is never overwritten.

use crate::ObjectKey;
use crate::manifest::Manifest;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The file of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its path from the repository's root.
    pub path: String,
    /// The name that it would have had, when another file has that already.
    pub instead_of: Option<String>,
}

/// The files of a source, and those that were chosen since.
#[derive(Debug, Default)]
pub struct Places {
    folder: String,
    /// Paths in lower case: two files that differ in case alone cannot lie side by side everywhere.
    taken: BTreeSet<String>,
    /// Folder and ending of the files of a kind, by (group, kind), where the source has a clear habit.
    habits: BTreeMap<(String, String), (String, &'static str)>,
    /// Whether the tree is the predecessor's, which keeps what it reads below `managed/`.
    managed: bool,
}

impl Places {
    /// Looks at a source: `folder` holds the manifests (empty for the root), `files` are the paths of everything in the
    /// repository, `manifests` what was read of it.
    pub fn new(folder: &str, files: &[String], manifests: &[Arc<Manifest>]) -> Self {
        let managed = join(folder, "managed/");
        Self {
            folder: folder.to_owned(),
            taken: files.iter().map(|path| path.to_lowercase()).collect(),
            habits: habits(manifests),
            managed: files.iter().any(|path| path.starts_with(&managed)),
        }
    }

    /// Chooses the file of an object and keeps it for it; `plural` is the plural of its kind.
    pub fn choose(&mut self, key: &ObjectKey, plural: &str) -> Place {
        let (folder, ending) = match self.habits.get(&(key.group.clone(), key.kind.clone())) {
            Some((folder, ending)) => (folder.clone(), *ending),
            None => (self.folder_of(plural), "yaml"),
        };
        let name = safe(&key.name);
        let wanted = join(&folder, &format!("{name}.{ending}"));
        let kind = safe(&key.kind.to_lowercase());
        let others = std::iter::once(format!("{name}-{kind}")).chain((2..).map(|n| format!("{name}-{kind}-{n}")));
        let mut names = std::iter::once(name.clone()).chain(others);
        let path = names.find_map(|name| {
            let path = join(&folder, &format!("{name}.{ending}"));
            (!self.is_taken(&path)).then_some(path)
        });
        // The names are endless, the files are not.
        let path = path.unwrap_or_else(|| wanted.clone());
        self.taken.insert(path.to_lowercase());
        let instead_of = (path != wanted).then_some(wanted);
        Place { path, instead_of }
    }

    /// The folder of a kind for which the source has no habit; another name where a file has this one.
    fn folder_of(&self, plural: &str) -> String {
        let above = if self.managed { join(&self.folder, "managed") } else { self.folder.clone() };
        let plural = safe(plural);
        let names = std::iter::once(plural.clone()).chain((2..).map(|n| format!("{plural}-{n}")));
        let mut folders = names.map(|name| join(&above, &name));
        let free = folders.find(|folder| !self.taken.contains(&folder.to_lowercase()));
        free.unwrap_or_else(|| join(&above, &plural))
    }

    /// Whether there is a file or a folder of this name.
    fn is_taken(&self, path: &str) -> bool {
        let path = path.to_lowercase();
        let below = format!("{path}/");
        self.taken.contains(&path)
            || self.taken.range(below.clone()..).next().is_some_and(|next| next.starts_with(&below))
    }
}

/// Where all objects of a kind stand in one folder, each alone in its file: that folder, and the files' ending.
fn habits(manifests: &[Arc<Manifest>]) -> BTreeMap<(String, String), (String, &'static str)> {
    let mut in_file: HashMap<&str, usize> = HashMap::new();
    for manifest in manifests {
        *in_file.entry(&manifest.location.file).or_default() += 1;
    }
    let mut habits: BTreeMap<(String, String), Option<(String, &'static str)>> = BTreeMap::new();
    for manifest in manifests {
        let file = &*manifest.location.file;
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        let ending = if name.to_lowercase().ends_with(".yml") { "yml" } else { "yaml" };
        let alone = in_file.get(file) == Some(&1);
        let habit = habits.entry((manifest.key.group.clone(), manifest.key.kind.clone()));
        let habit = habit.or_insert_with(|| Some((folder.to_owned(), ending)));
        match habit {
            Some((before, _)) if !alone || before != folder => *habit = None,
            // Files of both endings: the longer one is Kubernetes' own.
            Some((_, before)) if *before != ending => *before = "yaml",
            _ => {}
        }
    }
    habits.into_iter().filter_map(|(kind, habit)| Some((kind, habit?))).collect()
}

fn join(folder: &str, below: &str) -> String {
    if folder.is_empty() { below.to_owned() } else { format!("{folder}/{below}") }
}

/// A name as a file's. The API server lets nothing else through; this is for servers that do.
fn safe(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = name.chars().map(|c| if fits(c) { c } else { '-' }).take(200).collect();
    if name.is_empty() || name.starts_with('.') { format!("x{name}") } else { name }
}
