//! `hedgerow verify --check DIR`: whether a run's folder is what was sealed. Sums against the manifest, the manifest
//! against its signature, the results against their schema, and everything derived against the results.
//!
//! The folder comes from others: no link is followed, no place outside it is opened.

use super::manifest::{self, Manifest, Sum};
use super::sign::PublicKey;
use super::words::{count, plain};
use super::{EvidenceError, MANIFEST, RESULTS, SELF_TEST, SIGNATURE, derived, folder, self_test};
use crate::results::{Run, SCHEMA};
use crate::verdict::RunVerdict;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

mod problem;

pub use problem::Problem;

/// Longer manifests and signatures are not read.
const LONGEST_MANIFEST: u64 = 64 << 20;
const LONGEST_RESULTS: u64 = 1 << 30;

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// How many files the manifest names.
    pub files: usize,
    /// Everything that is not as it was sealed.
    pub problems: Vec<Problem>,
    /// What is known of the signature.
    pub signature: Signature,
    /// Whether the report and its like were derived again and compared.
    pub derived: Derived,
    /// The run, as the manifest names it.
    pub run: Option<String>,
    /// The verdict that the results hold.
    pub verdict: Option<RunVerdict>,
}

/// What is known of the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// There is none.
    Absent,
    /// It is by the key that was given, over this manifest.
    Valid,
    /// It is not.
    Invalid,
    /// There is one, and no key was given to check it with.
    NotAsked,
}

/// Whether the files that follow from the results do follow from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Derived {
    /// They were derived again; where they differ, a problem says so.
    Compared,
    /// Another version of this program wrote them, whose bytes this one cannot make. Their sums were compared.
    OtherProgram(String),
    /// The results could not be read.
    NotPossible,
}

impl Checked {
    /// Whether nothing was found that is not as it was sealed.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    /// The same in sentences, one a line.
    pub fn to_text(&self) -> String {
        let run = self.run.as_deref().map_or("an unknown run".to_owned(), |run| format!("the run {}", plain(run)));
        let mut text = match self.problems.len() {
            0 => format!(
                "Nothing was altered: {} of {run} are as the manifest says.",
                count(self.files, "file", "files")
            ),
            found => format!("The folder of {run} is not as it was sealed: {}.", count(found, "problem", "problems")),
        };
        text.push_str(match self.signature {
            Signature::Valid => "\nThe manifest is signed by the key that was given.",
            Signature::Invalid => "\nThe signature does not fit.",
            Signature::Absent => {
                "\nNothing is signed: whoever can alter a file can alter its sum in the manifest. Keep the sum of \
                 manifest.json elsewhere, or sign the run."
            }
            Signature::NotAsked => "\nThe signature was not checked. Give the public key with --public-key.",
        });
        if let Derived::OtherProgram(other) = &self.derived {
            let ours = manifest::maker();
            // Writing into a String cannot fail.
            let _ = write!(
                text,
                "\nThe report was written by {}, this is {ours}: its sum was compared, it was not derived again.",
                plain(other)
            );
        }
        if let Some(verdict) = self.verdict {
            let _ = write!(text, "\nThe verdict in it: {}.", verdict.word());
        }
        for problem in &self.problems {
            let _ = write!(text, "\n- {}", plain(&problem.to_string()));
        }
        text.push('\n');
        text
    }
}

/// Checks a run's folder.
///
/// # Errors
/// When the folder cannot be read at all. Everything that is wrong in it is a [`Problem`].
pub fn check(folder: &Path, public_key: Option<&PublicKey>) -> Result<Checked, EvidenceError> {
    folder::is_folder(folder)?;
    let mut problems = Vec::new();
    let bytes = folder::read_bounded(folder, MANIFEST, LONGEST_MANIFEST);
    let signature = signature(folder, bytes.as_deref().unwrap_or_default(), public_key, &mut problems);
    let manifest = bytes.and_then(|bytes| parsed(&bytes));
    let mut checked =
        Checked { files: 0, problems: Vec::new(), signature, derived: Derived::NotPossible, run: None, verdict: None };
    match manifest {
        Err(why) => problems.push(Problem::Manifest(why)),
        Ok(manifest) => {
            sums(folder, &manifest.files, &mut problems)?;
            checked.files = manifest.files.len();
            if folder::is_taken(folder, SELF_TEST) && !folder::is_taken(folder, RESULTS) {
                of_self_test(folder, &manifest, &mut checked, &mut problems);
            } else {
                results(folder, &manifest, &mut checked, &mut problems)?;
            }
            checked.run = Some(manifest.run);
        }
    }
    checked.problems = problems;
    Ok(checked)
}

fn parsed(bytes: &[u8]) -> Result<Manifest, String> {
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match manifest.schema {
        manifest::SCHEMA => Ok(manifest),
        other => Err(format!("it is of schema {other}, this program knows {}", manifest::SCHEMA)),
    }
}

fn signature(folder: &Path, signed: &[u8], key: Option<&PublicKey>, problems: &mut Vec<Problem>) -> Signature {
    match (folder::is_taken(folder, SIGNATURE), key) {
        (false, None) => Signature::Absent,
        (true, None) => Signature::NotAsked,
        (false, Some(_)) => {
            problems.push(Problem::Unsigned);
            Signature::Absent
        }
        (true, Some(key)) => {
            let text =
                folder::read_bounded(folder, SIGNATURE, 4096).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            if text.is_ok_and(|text| key.has_signed(signed, &text)) {
                return Signature::Valid;
            }
            problems.push(Problem::Signature);
            Signature::Invalid
        }
    }
}

/// Every file of the manifest against the folder, and the other way round.
fn sums(folder: &Path, files: &[Sum], problems: &mut Vec<Problem>) -> Result<(), EvidenceError> {
    let mut there = BTreeMap::new();
    for entry in folder::entries(folder)? {
        there.insert(entry.path, entry.odd);
    }
    let mut named = BTreeSet::from([MANIFEST, SIGNATURE]);
    for file in files {
        if !folder::is_inside(&file.path) || !named.insert(&file.path) {
            problems.push(Problem::Place(file.path.clone()));
            continue;
        }
        match there.get(&file.path) {
            None => problems.push(Problem::Missing(file.path.clone())),
            // Said below, with all that is no file.
            Some(Some(_)) => {}
            Some(None) => {
                let (is_bytes, is) = folder::sum(&folder.join(&file.path))?;
                if is != file.sha256 || is_bytes != file.bytes {
                    let (path, was, was_bytes) = (file.path.clone(), file.sha256.clone(), file.bytes);
                    problems.push(Problem::Altered { path, was, was_bytes, is, is_bytes });
                }
            }
        }
    }
    for (path, odd) in there {
        match odd {
            Some(what) => problems.push(Problem::Odd { path, what: what.to_owned() }),
            None if !named.contains(path.as_str()) => problems.push(Problem::Added(path)),
            None => {}
        }
    }
    Ok(())
}

/// Whether the results can be read, are of this run, and the rest follows from them.
fn results(
    folder: &Path,
    manifest: &Manifest,
    checked: &mut Checked,
    problems: &mut Vec<Problem>,
) -> Result<(), EvidenceError> {
    let run = match folder::read_bounded(folder, RESULTS, LONGEST_RESULTS).and_then(|bytes| run_of(&bytes)) {
        Ok(run) => run,
        Err(why) => {
            problems.push(Problem::Results(why));
            return Ok(());
        }
    };
    checked.verdict = Some(run.verdict);
    if run.id != manifest.run {
        problems.push(Problem::OtherRun { manifest: manifest.run.clone(), results: run.id.clone() });
    }
    if manifest.made_by != manifest::maker() {
        checked.derived = Derived::OtherProgram(manifest.made_by.clone());
        return Ok(());
    }
    checked.derived = Derived::Compared;
    for (name, bytes) in derived(&run, folder)? {
        // A missing file was said before.
        let is = folder::read_bounded(folder, name, LONGEST_RESULTS);
        if is.is_ok_and(|is| is != bytes) {
            problems.push(Problem::NotDerived(name.to_owned()));
        }
    }
    Ok(())
}

/// The same for a self-test, whose folder holds the folders of runs beside its own result.
fn of_self_test(folder: &Path, manifest: &Manifest, checked: &mut Checked, problems: &mut Vec<Problem>) {
    let read = folder::read_bounded(folder, SELF_TEST, LONGEST_RESULTS)
        .and_then(|bytes| self_test::read(&bytes).map_err(|error| error.to_string()));
    let result = match read {
        Ok(result) => result,
        Err(why) => return problems.push(Problem::Results(why)),
    };
    if result.id != manifest.run {
        problems.push(Problem::OtherRun { manifest: manifest.run.clone(), results: result.id.clone() });
    }
    if manifest.made_by != manifest::maker() {
        checked.derived = Derived::OtherProgram(manifest.made_by.clone());
        return;
    }
    checked.derived = Derived::Compared;
    let table = folder::read_bounded(folder, self_test::TABLE, LONGEST_RESULTS);
    if table.is_ok_and(|table| table != result.to_text().into_bytes()) {
        problems.push(Problem::NotDerived(self_test::TABLE.to_owned()));
    }
}

fn run_of(bytes: &[u8]) -> Result<Run, String> {
    #[derive(serde::Deserialize)]
    struct Number {
        schema: u32,
    }
    let number: Number = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if number.schema != SCHEMA {
        return Err(format!("it is of schema {}, this program knows {SCHEMA}", number.schema));
    }
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}
