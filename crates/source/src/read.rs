//! The manifests at a commit. Files are parsed once: what a blob holds cannot change, so parsed files are kept by
//! blob, path and namespace, and whole results by tree. Reading an unchanged tree again starts no parser, and reading
//! the same commit again starts no git either.

use crate::error::Error;
use crate::history::{self, Commit};
use crate::layout::{self, File, finding};

use crate::repository::Repository;
use crate::tree;
use model::Code;
use model::manifest::{Finding, Limits, Location, Manifest, Parsed, Severity, collect, parse_file};
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
    pub manifests: Vec<Manifest>,
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
    /// Parsed files.
    files: HashMap<(Scope, String, String), Kept>,
    /// Counts reads; files that two reads did not use are dropped.
    round: u64,
}

#[derive(Debug)]
struct Kept {
    parsed: Arc<Parsed>,
    round: u64,
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
        let desired = match known {
            Some(same) => Desired { commit, ..(*same).clone() },
            None => self.read_tree(commit, &tree, &scope, limits).await?,
        };
        let desired = Arc::new(desired);
        self.cache().keep(scope, tree, desired.clone());
        Ok(desired)
    }

    async fn read_tree(&self, commit: Commit, tree: &str, scope: &Scope, limits: &Limits) -> Result<Desired, Error> {
        let folder = self.config.folder().into_owned();
        let selection = layout::select(&folder, tree::list(&self.git, tree).await?);
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
        let all = collect(parsed.into_iter());
        findings.extend(all.findings);
        findings.sort_by(|a, b| place(a).cmp(&place(b)));
        Ok(Desired { commit, manifests: all.manifests, findings, files })
    }

    /// Each file with what it holds, from the cache or parsed now.
    async fn parse_all(
        &self,
        files: Vec<File>,
        scope: &Scope,
        limits: &Limits,
    ) -> Result<Vec<(String, Parsed)>, Error> {
        let mut slots: Vec<Option<Arc<Parsed>>> = Vec::with_capacity(files.len());
        let round = {
            let mut cache = self.cache();
            cache.round += 1;
            let round = cache.round;
            for file in &files {
                let kept = cache.files.get_mut(&(scope.clone(), file.id.clone(), file.path.clone()));
                slots.push(kept.map(|kept| {
                    kept.round = round;
                    kept.parsed.clone()
                }));
            }
            round
        };
        let missing: Vec<usize> = (0..files.len()).filter(|i| slots[*i].is_none()).collect();
        let wanted: Vec<File> = missing.iter().map(|i| files[*i].clone()).collect();
        let fresh = self.load(wanted, scope, limits).await?;
        {
            let mut cache = self.cache();
            for (index, parsed) in missing.into_iter().zip(fresh) {
                let file = &files[index];
                let key = (scope.clone(), file.id.clone(), file.path.clone());
                cache.files.insert(key, Kept { parsed: parsed.clone(), round });
                slots[index] = Some(parsed);
            }
            cache.files.retain(|_, kept| kept.round + 1 >= round);
        }
        let parsed = slots.into_iter().map(|slot| slot.map(|p| (*p).clone()).unwrap_or_default());
        Ok(files.into_iter().map(|f| f.path).zip(parsed).collect())
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
