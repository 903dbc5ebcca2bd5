//! Which files of a tree are manifests, and what is said about those that are not.
//!
//! Two layouts: plain (every `.yaml` and `.yml` at any depth), and that of the predecessor (HNP), known by a folder
//! `managed/`: `managed/<plural>/` holds what was ingested, `raw/` what was dropped there and waits, `unmanaged/` what
//! is to be left alone, `.hnp/` its own notes. HNP wrote each ingested object again with annotations of its own, and a
//! second time under another file name when it ingested twice; such copies are one object here.

use crate::tree::{Entry, Kind};
use model::manifest::{Finding, Location, Parsed, Severity};
use model::{Body, ObjectKey};
use serde_json::Value;
use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, HashMap};

/// Annotations that HNP added to what it ingested.
const HNP_ANNOTATIONS: &str = "hnp.githedgehog.com/";

/// One manifest file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// Its blob's id.
    pub(crate) id: String,
    /// Its path, relative to the repository's root.
    pub(crate) path: String,
}

/// What a tree holds for us.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// The manifest files, `managed/` before `raw/` in HNP's layout, otherwise in git's order.
    pub(crate) files: Vec<File>,
    /// What is left out, and why.
    pub(crate) findings: Vec<Finding>,
    /// Whether the tree has HNP's layout.
    pub(crate) hnp: bool,
}

/// Chooses the manifest files among a folder's entries. `folder` is its path from the repository's root.
pub(crate) fn select(folder: &str, entries: Vec<Entry>) -> Selection {
    let hnp = entries.iter().any(|e| e.kind == Kind::File && e.path.starts_with(b"managed/"));
    let mut selection = Selection { hnp, ..Selection::default() };
    let mut skipped: BTreeMap<String, (Skip, usize)> = BTreeMap::new();
    let (mut raw, mut json) = (Vec::new(), Vec::new());
    for entry in entries {
        let yaml = is_yaml(&entry.path);
        let Ok(below) = std::str::from_utf8(&entry.path) else {
            if yaml || entry.kind == Kind::Link {
                let shown = join(folder, &String::from_utf8_lossy(&entry.path));
                let says = "The file's name is not UTF-8, so it is not read. Rename it.";
                selection.findings.push(finding(Severity::Error, "file_name", &shown, says));
            }
            continue;
        };
        let path = join(folder, below);
        match entry.kind {
            // What would not be read as a file or folder either is none of ours.
            Kind::Link | Kind::LinkToFile | Kind::Submodule if left_alone(below, hnp).is_some() => {}
            Kind::Submodule => {
                // An error, as a link to a folder: manifests may have stood below, or are meant to.
                let says = "This is a submodule; no object is read below it. Keep manifests in this repository itself, \
                            or the submodule outside of the fabric's folder.";
                selection.findings.push(finding(Severity::Error, "submodule", &path, says));
            }
            Kind::Link | Kind::LinkToFile if yaml => {
                // An error, as a file that cannot be read: who wrote it means objects to be here, and Git names them no
                // more. What depends on knowing all of them, deleting above all, waits until it is put right.
                let says = "This is a symbolic link, and links are not followed: no object is read here. Put the file \
                            itself here, or remove the link.";
                selection.findings.push(finding(Severity::Error, "symlink", &path, says));
            }
            Kind::Link => {
                // An error for the same reason: manifests may have stood below, or are meant to.
                let says = "This is a symbolic link to a folder, or to what is not in this commit, and links are not \
                            followed: no object is read below it. Put the folder itself here, or remove the link.";
                selection.findings.push(finding(Severity::Error, "symlink", &path, says));
            }
            // Its name says that it is no manifest.
            Kind::LinkToFile => {}
            Kind::File if !yaml => {
                if ends(&entry.path, b".json") && left_alone(below, hnp).is_none() {
                    json.push(path);
                }
            }
            Kind::File => match left_alone(below, hnp) {
                Some((skip, top)) => match skipped.entry(join(folder, top)) {
                    Slot::Occupied(mut seen) => seen.get_mut().1 += 1,
                    Slot::Vacant(new) => drop(new.insert((skip, 1))),
                },
                None if hnp && below.starts_with("raw/") => raw.push(File { id: entry.id, path }),
                None => selection.files.push(File { id: entry.id, path }),
            },
        }
    }
    selection.files.append(&mut raw);
    if let Some(first) = json.first() {
        let says = match json.len() {
            1 => "This file is not read: manifests end in .yaml or .yml. JSON is YAML; if it is one, rename it."
                .to_owned(),
            n => format!(
                "This and {} more that end in .json are not read: manifests end in .yaml or .yml. JSON is YAML; if they \
                 are manifests, rename them.",
                n - 1
            ),
        };
        selection.findings.push(finding(Severity::Info, "json", first, &says));
    }
    for (path, (skip, count)) in skipped {
        selection.findings.push(skip.finding(&path, count));
    }
    selection
}

/// Why a folder's manifests are not read.
#[derive(Debug, Clone, Copy)]
enum Skip {
    Hidden,
    Unmanaged,
}

impl Skip {
    fn finding(self, folder: &str, count: usize) -> Finding {
        let files = if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
        match self {
            Self::Hidden => {
                let says = format!("{files} below are not read, because the name starts with a dot.");
                finding(Severity::Info, "hidden", folder, &says)
            }
            Self::Unmanaged => {
                let says = format!("{files} below are left alone, because the folder is named 'unmanaged'.");
                finding(Severity::Info, "unmanaged", folder, &says)
            }
        }
    }
}

/// Whether a file is left out, and the folder (or file) that is the reason.
fn left_alone(below: &str, hnp: bool) -> Option<(Skip, &str)> {
    if hnp && below.starts_with("unmanaged/") {
        return Some((Skip::Unmanaged, "unmanaged"));
    }
    let mut end = 0;
    for part in below.split('/') {
        end += part.len();
        if part.starts_with('.') {
            return Some((Skip::Hidden, &below[..end]));
        }
        end += 1;
    }
    None
}

fn is_yaml(path: &[u8]) -> bool {
    ends(path, b".yaml") || ends(path, b".yml")
}

fn ends(path: &[u8], end: &[u8]) -> bool {
    path.len() > end.len() && path[path.len() - end.len()..].eq_ignore_ascii_case(end)
}

fn join(folder: &str, below: &str) -> String {
    if folder.is_empty() { below.to_owned() } else { format!("{folder}/{below}") }
}

/// A finding about a whole file or folder.
pub(crate) fn finding(severity: Severity, rule: &str, path: &str, message: &str) -> Finding {
    Finding {
        severity,
        rule: rule.into(),
        object: None,
        path: None,
        location: Some(Location { file: path.into(), line: 1, column: 1, document: 1 }),
        message: message.into(),
        glimpses: Vec::new(),
    }
}

/// In HNP's layout: takes out copies of an object that say the same as an earlier one, with a finding each. Copies that
/// differ stay, and are a duplicate for everybody to see. Files come with `managed/` first.
pub(crate) fn drop_copies(files: &mut [(String, Parsed)]) -> Vec<Finding> {
    let mut seen: HashMap<ObjectKey, (Body, Location)> = HashMap::new();
    let mut findings = Vec::new();
    for (_, parsed) in files {
        parsed.manifests.retain(|manifest| match seen.get(&manifest.key) {
            None => {
                seen.insert(manifest.key.clone(), (manifest.object.clone(), manifest.location.clone()));
                true
            }
            Some((first, _)) if !same(first, &manifest.object) => true,
            Some((_, place)) => {
                findings.push(Finding {
                    severity: Severity::Info,
                    rule: "already_ingested".into(),
                    object: Some(manifest.key.clone()),
                    path: None,
                    location: Some(manifest.location.clone()),
                    message: format!(
                        "The same object, with the same content, stands in {}. Delete this copy.",
                        place.file
                    ),
                    glimpses: Vec::new(),
                });
                false
            }
        });
    }
    findings
}

/// Whether two objects are equal but for HNP's own annotations.
fn same(a: &Body, b: &Body) -> bool {
    a == b || without_notes(a.value()) == without_notes(b.value())
}

fn without_notes(mut object: Value) -> Value {
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(metadata) = metadata
        && let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut)
    {
        annotations.retain(|key, _| !key.starts_with(HNP_ANNOTATIONS));
        if annotations.is_empty() {
            metadata.shift_remove("annotations");
        }
    }
    object
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
