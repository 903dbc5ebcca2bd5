//! Manifests at a commit: what is read, what is named and left out, and that reading again costs nearly nothing.

use crate::fixture::{OddRepository, SOON, ann, local, open, remote, vpc};
use model::Code;
use model::manifest::{Limits, Severity};
use source::{Change, Config, Credentials, Desired, Repository};
use std::sync::Arc;
use tempfile::TempDir;

struct Source {
    there: OddRepository,
    repository: Repository,
    _dir: TempDir,
}

impl Source {
    async fn new(path: &str, entries: &[(&str, &[u8], &[u8])]) -> Self {
        let there = OddRepository::new(entries);
        let dir = tempfile::tempdir().unwrap();
        let config = Config { path: path.into(), ..remote(&there.url(), Credentials::None) };
        let repository = open(dir.path(), config).await;
        repository.fetch(SOON, &|_| {}).await.unwrap();
        Self { there, repository, _dir: dir }
    }

    async fn read(&self) -> Arc<Desired> {
        self.read_within(&Limits::default()).await.unwrap()
    }

    async fn read_within(&self, limits: &Limits) -> Result<Arc<Desired>, source::Error> {
        let commit = self.repository.fetch(SOON, &|_| {}).await.unwrap();
        self.repository.read(&commit.id, "default", limits).await
    }
}

fn names(desired: &Desired) -> Vec<&str> {
    desired.manifests.iter().map(|m| m.key.name.as_str()).collect()
}

fn rules(desired: &Desired) -> Vec<(&str, &str)> {
    let file = |f: &'_ model::manifest::Finding| f.location.as_ref().map_or("", |l| Box::leak(l.file.clone().into()));
    desired.findings.iter().map(|f| (f.rule.as_str(), file(f))).collect()
}

#[tokio::test]
async fn lesson_18_a_file_in_the_repository_is_an_object() {
    let two = format!("{}---\n{}", vpc("b", 2), vpc("c", 3));
    let source = Source::new(
        "site/fabric",
        &[
            ("100644", b"site/fabric/a.yaml", vpc("a", 1).as_bytes()),
            ("100755", b"site/fabric/deep/er/two.yml", two.as_bytes()),
            ("100644", b"site/fabric/notes.txt", b"not a manifest"),
            ("100644", b"site/other/z.yaml", vpc("z", 9).as_bytes()),
        ],
    )
    .await;
    let desired = source.read().await;
    assert_eq!(names(&desired), ["a", "b", "c"]);
    assert_eq!(desired.files, 2);
    assert!(desired.findings.is_empty(), "{:?}", desired.findings);
    assert_eq!(&*desired.manifests[2].location.file, "site/fabric/deep/er/two.yml");
    assert_eq!(desired.manifests[2].location.document, 2);
    assert_eq!(desired.manifests[0].key.namespace, "default");
}

#[tokio::test]
async fn one_bad_file_leaves_the_others_standing() {
    let source = Source::new(
        "",
        &[
            ("100644", b"a.yaml", vpc("a", 1).as_bytes()),
            ("100644", b"bad.yaml", b"a: [1,\nb: }"),
            ("100644", b"c.yaml", vpc("c", 3).as_bytes()),
            ("100644", b"d.yaml", vpc("a", 7).as_bytes()),
        ],
    )
    .await;
    let desired = source.read().await;
    assert!(names(&desired).contains(&"c"));
    let errors: Vec<_> = desired.findings.iter().filter(|f| f.severity == Severity::Error).collect();
    let about = |file: &str| errors.iter().any(|f| f.location.as_ref().is_some_and(|l| *l.file == *file));
    assert!(about("bad.yaml"), "{errors:?}");
    assert!(errors.iter().any(|f| f.rule == "duplicate_object" && f.message.contains("a.yaml")), "{errors:?}");
}

#[tokio::test]
async fn what_is_not_followed_is_named() {
    let id = "1".repeat(40);
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let source = Source::new(
        "",
        &[
            ("100644", b"a.yaml", vpc("a", 1).as_bytes()),
            ("120000", b"link.yaml", b"/etc/passwd"),
            ("120000", b"elsewhere", b"../../.."),
            ("160000", b"sub", id.as_bytes()),
            ("100644", b"big.yaml", lfs),
            ("100644", b"\xff\xfe.yaml", vpc("odd", 1).as_bytes()),
            ("100644", b".github/workflows/ci.yaml", b"on: push"),
        ],
    )
    .await;
    let desired = source.read().await;
    assert_eq!(names(&desired), ["a"]);
    let expected = [
        ("hidden", ".github"),
        ("lfs_pointer", "big.yaml"),
        ("symlink", "elsewhere"),
        ("symlink", "link.yaml"),
        ("submodule", "sub"),
        ("file_name", "\u{fffd}\u{fffd}.yaml"),
    ];
    assert_eq!(rules(&desired), expected);
    let of =
        |rule: &str, severity| desired.findings.iter().filter(|f| f.rule == rule && f.severity == severity).count();
    let found = (of("symlink", Severity::Error), of("submodule", Severity::Error));
    assert_eq!(found, (2, 1), "objects may be meant to be where nothing is read");
}

#[tokio::test]
async fn limits_are_errors_with_their_number() {
    let files: Vec<_> = (0..5).map(|n| (format!("{n}.yaml"), vpc(&format!("v{n}"), n))).collect();
    let mut entries: Vec<(&str, &[u8], &[u8])> =
        files.iter().map(|(p, c)| ("100644", p.as_bytes(), c.as_bytes())).collect();
    let big = format!("{}{}", vpc("big", 1), "# filler\n".repeat(200));
    entries.push(("100644", b"big.yaml", big.as_bytes()));
    let source = Source::new("", &entries).await;
    let limits = Limits { file_bytes: 1_000, ..Limits::default() };
    let desired = source.read_within(&limits).await.unwrap();
    assert_eq!(rules(&desired), [("file_too_large", "big.yaml")]);
    // It was not even loaded: this is the sentence of who lists the files, not of who parses them.
    assert!(desired.findings[0].message.ends_with("It is not read."), "{:?}", desired.findings[0]);
    assert_eq!(desired.manifests.len(), 5);
    for limits in [Limits { files: 5, ..Limits::default() }, Limits { objects: 5, ..Limits::default() }] {
        let error = source.read_within(&limits).await.unwrap_err();
        assert_eq!(error.code, Code::SourceTooLarge, "{error}");
        assert!(error.message.contains('6') && error.message.contains('5'), "{error}");
    }
    assert_eq!(source.read().await.manifests.len(), 6);
}

#[tokio::test]
async fn the_predecessor_s_tree_is_understood() {
    let ingested = vpc("a", 1).replace(
        "  name: a\n",
        "  name: a\n  annotations:\n    hnp.githedgehog.com/ingested-at: '2025-08-06T10:42:27+00:00'\n",
    );
    let source = Source::new(
        "gitops/fabric-1",
        &[
            ("100644", b"gitops/fabric-1/managed/vpcs/a.yaml", ingested.as_bytes()),
            ("100644", b"gitops/fabric-1/managed/vpcs/b.yaml", vpc("b", 2).as_bytes()),
            ("100644", b"gitops/fabric-1/raw/all.yaml", format!("{}---\n{}", vpc("a", 1), vpc("c", 3)).as_bytes()),
            ("100644", b"gitops/fabric-1/raw/differs.yaml", vpc("b", 22).as_bytes()),
            ("100644", b"gitops/fabric-1/unmanaged/z.yaml", vpc("z", 9).as_bytes()),
            ("100644", b"gitops/fabric-1/.hnp/manifest.yaml", b"version: '1.0'\n"),
            ("100644", b"gitops/fabric-1/.hnp/archive-log.yaml", b"operations: []\n"),
        ],
    )
    .await;
    let desired = source.read().await;
    assert!(names(&desired).contains(&"a") && names(&desired).contains(&"c"));
    assert!(!names(&desired).contains(&"z"));
    assert_eq!(names(&desired).iter().filter(|n| **n == "a").count(), 1);
    let copy = desired.findings.iter().find(|f| f.rule == "already_ingested").unwrap();
    assert_eq!(copy.severity, Severity::Info);
    assert!(copy.message.contains("gitops/fabric-1/managed/vpcs/a.yaml"), "{}", copy.message);
    assert_eq!(&*copy.location.as_ref().unwrap().file, "gitops/fabric-1/raw/all.yaml");
    let differs: Vec<_> = desired.findings.iter().filter(|f| f.rule == "duplicate_object").collect();
    let said = format!("{differs:?}");
    assert!(!differs.is_empty() && differs.iter().all(|f| f.severity == Severity::Error));
    assert!(said.contains("raw/differs.yaml") && said.contains("managed/vpcs/b.yaml"), "{said}");
    assert!(rules(&desired).contains(&("unmanaged", "gitops/fabric-1/unmanaged")));
}

#[tokio::test]
async fn an_empty_folder_of_a_remote_is_worth_a_word() {
    let source = Source::new("", &[("100644", b"README.md", b"hello")]).await;
    let desired = source.read().await;
    assert_eq!((desired.files, desired.findings.len()), (0, 1));
    assert_eq!(desired.findings[0].rule, "no_manifests");
}

#[tokio::test]
async fn lesson_19_reading_again_changes_nothing_and_parses_nothing() {
    let files: Vec<_> = (0..300).map(|n| (format!("{n:04}.yaml"), vpc(&format!("v{n}"), n))).collect();
    let entries: Vec<(&str, &[u8], &[u8])> =
        files.iter().map(|(p, c)| ("100644", p.as_bytes(), c.as_bytes())).collect();
    let source = Source::new("", &entries).await;
    let first = source.read().await;
    let again = source.read().await;
    assert!(Arc::ptr_eq(&first, &again), "the same commit is the same result");

    // One file changes: the others' objects are the very same values, not parsed again.
    let mut changed = entries.clone();
    let new = vpc("v7", 4000);
    changed[7].2 = new.as_bytes();
    source.there.commit(&changed);
    let second = source.read().await;
    let same = |n: usize| first.manifests[n].object.is(&second.manifests[n].object);
    assert_eq!((0..300).filter(|n| !same(*n)).collect::<Vec<_>>(), [7]);

    // A commit that touches nothing: another commit, the same values.
    source.there.commit(&changed);
    let third = source.read().await;
    assert_ne!(second.commit.id, third.commit.id);
    assert!(second.manifests[7].object.is(&third.manifests[7].object));
}

#[tokio::test]
async fn commits_are_named_by_full_ids_that_the_repository_holds() {
    let source = Source::new("", &[("100644", b"a.yaml", vpc("a", 1).as_bytes())]).await;
    let read = async |id: &str| source.repository.read(id, "default", &Limits::default()).await.unwrap_err().code;
    assert_eq!(read("main").await, Code::InvalidInput);
    assert_eq!(read("--output=/tmp/x").await, Code::InvalidInput);
    assert_eq!(read(&"0".repeat(40)).await, Code::SourceRefNotFound);
    assert_eq!(read(&"a".repeat(40)).await, Code::SourceRefNotFound);
    // A tree or a blob is no commit.
    let blob = source.there.git(&["rev-parse", "main:a.yaml"], b"");
    assert_eq!(read(blob.trim()).await, Code::SourceRefNotFound);
}

#[tokio::test]
async fn the_namespace_belongs_to_the_result() {
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), local()).await;
    let change = Change { path: "a.yaml".into(), content: Some(vpc("a", 1).into()) };
    let commit = repository.commit(&[change], &ann(), "Add", None).await.unwrap();
    for namespace in ["default", "lab", "default"] {
        let desired = repository.read(&commit.id, namespace, &Limits::default()).await.unwrap();
        assert_eq!(desired.manifests[0].key.namespace, namespace);
    }
}

#[tokio::test]
async fn the_negative_samples_yield_findings_and_no_crash() {
    let Some(shared) = testkit::shared_folder() else {
        println!("skipped: ../shared is not here");
        return;
    };
    let root = shared.join("hedgehog/samples/negative");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    let entries: Vec<(&str, &[u8], &[u8])> =
        files.iter().map(|(p, c)| ("100644", p.as_bytes(), c.as_slice())).collect();
    let source = Source::new("", &entries).await;
    let desired = source.read().await;
    assert_eq!(desired.files, files.len());
    let has = |file: &str| {
        desired.manifests.iter().any(|m| *m.location.file == *file)
            || desired.findings.iter().any(|f| f.location.as_ref().is_some_and(|l| *l.file == *file))
    };
    let silent: Vec<_> = files.iter().map(|(f, _)| f).filter(|f| !has(f)).collect();
    assert!(silent.is_empty(), "neither an object nor a finding: {silent:?}");
}
