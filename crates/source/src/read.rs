//! The manifests at a commit. Files are parsed once: what a blob holds cannot change, so parsed files are kept by
//! path, blob and namespace, and whole results by tree. Reading an unchanged tree again starts no parser, and reading
//! the same commit again starts no git either.

use crate::error::Error;
use crate::history::{self, Commit};
use crate::layout::{self, File, finding};

use crate::repository::Repository;
use crate::tree;
use model::Code;
use model::manifest::{Finding, Limits, Location, Manifest, Parsed, Severity, collect, parse_file};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

/// Bytes of all manifests together, whatever the limits per file and on their number allow.
const TOTAL_BYTES: usize = 256 << 20;
/// How many whole results are kept: the newest ones, and what a page compares them with.
const KEPT: usize = 4;
/// How every Git LFS pointer begins.
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The desired state at one commit.
#[derive(Debug, Clone)]
pub struct Desired {
    /// The commit.
    pub commit: Commit,
    /// The objects, in the order of their files.
    pub manifests: Vec<Arc<Manifest>>,
    /// What is wrong or left out, in the order of the files.
    pub findings: Vec<Finding>,
    /// How many manifest files were read.
    pub files: usize,
}

/// What must be equal for a result to be the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Scope {
    namespace: String,
    limits: [usize; 4],
}

/// What was read before.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// Whole results by tree; newest last.
    results: Vec<(Scope, String, Arc<Desired>)>,
    /// Parsed files by path and blob, per scope.
    files: HashMap<Scope, HashMap<Name, Arc<Parsed>>>,
}

/// A path with the blob that stands there, as a digest: half of SHA-256. Of ten thousand files the words themselves would
/// take more room than what is found by them.
type Name = [u8; 16];

fn name(file: &File) -> Name {
    let digest = Sha256::digest(format!("{}\n{}", file.id, file.path));
    std::array::from_fn(|n| digest[n])
}

impl Cache {
    fn by_commit(&self, scope: &Scope, commit: &str) -> Option<Arc<Desired>> {
        self.results.iter().rev().find(|(s, _, d)| s == scope && d.commit.id == commit).map(|(_, _, d)| d.clone())
    }

    fn by_tree(&self, scope: &Scope, tree: &str) -> Option<Arc<Desired>> {
        self.results.iter().rev().find(|(s, t, _)| s == scope && t == tree).map(|(_, _, d)| d.clone())
    }

    fn keep(&mut self, scope: Scope, tree: String, desired: Arc<Desired>) {
        self.results.push((scope, tree, desired));
        let surplus = self.results.len().saturating_sub(KEPT);
        self.results.drain(..surplus);
        // A scope of which no result is left is not read any more.
        let results = &self.results;
        self.files.retain(|scope, _| results.iter().any(|(s, ..)| s == scope));
    }

    fn file(&self, scope: &Scope, file: &File) -> Option<Arc<Parsed>> {
        self.files.get(scope)?.get(&name(file)).cloned()
    }

    /// Remembers exactly these files of a scope.
    fn keep_files(&mut self, scope: &Scope, files: &[File], parsed: &[Arc<Parsed>]) {
        let kept = files.iter().zip(parsed).map(|(file, parsed)| (name(file), parsed.clone()));
        self.files.insert(scope.clone(), kept.collect());
    }
}

impl Repository {
    /// Reads every manifest under the path at a commit (its full id). Objects without a namespace get `namespace`.
    /// What is wrong with one file is a finding and leaves the others standing; an error means that the tree as a whole
    /// cannot be read, or passes a limit.
    pub async fn read(&self, commit: &str, namespace: &str, limits: &Limits) -> Result<Arc<Desired>, Error> {
        let scope = Scope {
            namespace: namespace.to_owned(),
            limits: [limits.file_bytes, limits.files, limits.objects, limits.depth],
        };
        if let Some(desired) = self.cache().by_commit(&scope, commit) {
            return Ok(desired);
        }
        let commit = history::show(&self.git, commit).await?;
        let Some(tree) = self.require_path(&self.git, &commit).await? else {
            let empty = Desired { commit, manifests: Vec::new(), findings: Vec::new(), files: 0 };
            return Ok(Arc::new(empty));
        };
        let known = self.cache().by_tree(&scope, &tree);
        let (desired, of) = match known {
            Some(same) => (Desired { commit, ..(*same).clone() }, tree),
            None => {
                let (desired, has_links) = self.read_tree(commit, &tree, &scope, limits).await?;
                // Where a link leads may change outside of the tree.
                let of = if has_links { desired.commit.id.clone() } else { tree };
                (desired, of)
            }
        };
        let desired = Arc::new(desired);
        self.cache().keep(scope, of, desired.clone());
        Ok(desired)
    }

    /// What a tree holds, and whether there are links in it.
    async fn read_tree(
        &self,
        commit: Commit,
        tree: &str,
        scope: &Scope,
        limits: &Limits,
    ) -> Result<(Desired, bool), Error> {
        let folder = self.config.folder().into_owned();
        let mut entries = tree::list(&self.git, tree).await?;
        let has_links = tree::follow_links(&self.git, &commit.id, &folder, &mut entries).await?;
        let selection = layout::select(&folder, entries);
        let files = selection.files.len();
        if files > limits.files {
            let text = format!("The path holds {files} manifest files; {} are allowed.", limits.files);
            return Err(Error::new(Code::SourceTooLarge, text));
        }
        let mut findings = selection.findings;
        if files == 0 && self.address.is_some() {
            let says = "There is no .yaml or .yml file here at this commit.";
            findings.push(finding(Severity::Warning, "no_manifests", &folder, says));
        }
        let mut parsed = self.parse_all(selection.files, scope, limits).await?;
        if selection.hnp {
            findings.extend(layout::drop_copies(&mut parsed));
        }
        let objects: usize = parsed.iter().map(|(_, p)| p.manifests.len()).sum();
        if objects > limits.objects {
            let text = format!("The path holds {objects} objects; {} are allowed.", limits.objects);
            return Err(Error::new(Code::SourceTooLarge, text));
        }
        let all = collect(parsed);
        findings.extend(all.findings);
        findings.sort_by(|a, b| place(a).cmp(&place(b)));
        Ok((Desired { commit, manifests: all.manifests, findings, files }, has_links))
    }

    /// Each file with what it holds, from the cache or parsed now.
    async fn parse_all(
        &self,
        files: Vec<File>,
        scope: &Scope,
        limits: &Limits,
    ) -> Result<Vec<(String, Parsed)>, Error> {
        let known: Vec<Option<Arc<Parsed>>> = {
            let cache = self.cache();
            files.iter().map(|file| cache.file(scope, file)).collect()
        };
        let missing = files.iter().zip(&known).filter(|(_, known)| known.is_none());
        let missing: Vec<File> = missing.map(|(file, _)| file.clone()).collect();
        let unchanged = missing.is_empty();
        let mut fresh = self.load(missing, scope, limits).await?.into_iter();
        let parsed: Vec<Arc<Parsed>> =
            known.into_iter().map(|known| known.or_else(|| fresh.next()).unwrap_or_default()).collect();
        if !unchanged {
            self.cache().keep_files(scope, &files, &parsed);
        }
        Ok(files.into_iter().map(|f| f.path).zip(parsed.iter().map(|p| (**p).clone())).collect())
    }

    /// Reads and parses files that are not in the cache.
    async fn load(&self, files: Vec<File>, scope: &Scope, limits: &Limits) -> Result<Vec<Arc<Parsed>>, Error> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<&str> = files.iter().map(|f| f.id.as_str()).collect();
        let sizes: Vec<usize> = tree::sizes(&self.git, &names)
            .await?
            .into_iter()
            .map(|found| found.map(|(_, _, size)| size))
            .collect::<Option<_>>()
            .ok_or_else(|| Error::new(Code::Internal, "A file of the commit is missing in the repository."))?;
        let fits = |size: &usize| *size <= limits.file_bytes;
        let total: usize = sizes.iter().filter(|s| fits(s)).sum();
        if total > TOTAL_BYTES {
            let text = format!("The manifests take {} MiB; {} are allowed.", total >> 20, TOTAL_BYTES >> 20);
            return Err(Error::new(Code::SourceTooLarge, text));
        }
        let wanted: Vec<(&String, usize)> =
            files.iter().zip(&sizes).filter(|(_, s)| fits(s)).map(|(f, s)| (&f.id, *s)).collect();
        let mut blobs = tree::blobs(&self.git, &wanted).await?.into_iter();
        let contents: Vec<Content> = sizes
            .iter()
            .map(|size| {
                if fits(size) {
                    blobs.next().map_or(Content::TooLarge(*size), Content::Bytes)
                } else {
                    Content::TooLarge(*size)
                }
            })
            .collect();
        let (namespace, limits) = (scope.namespace.clone(), *limits);
        let work = move || parse_in_parallel(&files, &contents, &namespace, &limits);
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| Error::new(Code::Internal, "Reading the manifests ended unexpectedly."))
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Content {
    Bytes(Vec<u8>),
    TooLarge(usize),
}

/// Parses on every core; order is kept.
fn parse_in_parallel(files: &[File], contents: &[Content], namespace: &str, limits: &Limits) -> Vec<Arc<Parsed>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let share = files.len().div_ceil(cores).max(1);
    let one = |(file, content): (&File, &Content)| Arc::new(parse_one(file, content, namespace, limits));
    std::thread::scope(|scope| {
        let parts: Vec<_> = files
            .chunks(share)
            .zip(contents.chunks(share))
            .map(|(files, contents)| scope.spawn(move || files.iter().zip(contents).map(one).collect::<Vec<_>>()))
            .collect();
        // A panic in a parser reaches spawn_blocking, and is an error there.
        parts.into_iter().flat_map(|part| part.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    })
}

fn parse_one(file: &File, content: &Content, namespace: &str, limits: &Limits) -> Parsed {
    let only = |rule, says: &str| Parsed {
        manifests: Vec::new(),
        findings: vec![finding(Severity::Error, rule, &file.path, says)],
    };
    match content {
        Content::TooLarge(size) => only(
            "file_too_large",
            &format!("The file has {size} bytes; {} are allowed. It is not read.", limits.file_bytes),
        ),
        Content::Bytes(bytes) if bytes.starts_with(LFS) => {
            only("lfs_pointer", "The file is kept in Git LFS, which is not read. Keep manifests in Git itself.")
        }
        Content::Bytes(bytes) => parse_file(&file.path, bytes, namespace, limits),
    }
}

fn place(finding: &Finding) -> (Option<&Location>, &str) {
    (finding.location.as_ref(), &finding.rule)
}
