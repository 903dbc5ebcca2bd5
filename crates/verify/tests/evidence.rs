//! What a run hands over: written, read by others' programs, checked, altered, compared.
//!
//! The tests of signatures need the program `openssl`, the one of the sums `jq` and `sha256sum`: a third party's tools.
//! `HEDGEROW_EVIDENCE_KEEP=DIR` writes the samples' folders there, to be looked at.

#![allow(clippy::unwrap_used, reason = "a fixture that fails is a test that fails")]

#[path = "evidence/altered.rs"]
mod altered;
#[path = "evidence/bounded.rs"]
mod bounded;
#[path = "evidence/compared.rs"]
mod compared;
#[path = "evidence/judged.rs"]
mod judged;
#[path = "evidence/parts.rs"]
mod parts;
#[path = "evidence/png.rs"]
mod png;
#[path = "evidence/reported.rs"]
mod reported;
#[path = "evidence/sample.rs"]
mod sample;
#[path = "evidence/self_tested.rs"]
mod self_tested;
#[path = "evidence/signed.rs"]
mod signed;
#[path = "evidence/written.rs"]
mod written;

use std::path::Path;
use verify::evidence;
use verify::results::Run;

/// A folder with the sample's pictures, where a run has not been written yet.
fn folder_of(run: &Run) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    pictures(run, folder.path());
    folder
}

/// The pictures and trees that a run's driver would have left.
fn pictures(run: &Run, folder: &Path) {
    std::fs::create_dir_all(folder.join("steps")).unwrap();
    for step in &run.steps {
        if let Some(name) = &step.screenshot {
            std::fs::write(folder.join(name), png::page(step.number)).unwrap();
        }
        if let Some(name) = &step.accessible_tree {
            std::fs::write(folder.join(name), r#"{"role": "main", "children": []}"#).unwrap();
        }
    }
}

/// The sample, written.
fn written(run: &Run) -> tempfile::TempDir {
    let folder = folder_of(run);
    evidence::write(run, folder.path(), None).unwrap();
    folder
}

fn text(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// Leaves a run's folder for those who asked to look at it.
fn keep(name: &str, run: &Run) {
    let Some(place) = std::env::var_os("HEDGEROW_EVIDENCE_KEEP") else { return };
    let folder = Path::new(&place).join(name);
    pictures(run, &folder);
    evidence::write(run, &folder, None).unwrap();
}
