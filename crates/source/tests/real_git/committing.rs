//! Commits to the local repository.

use crate::fixture::{SOON, ann, git, local, open, vpc};
use model::Code;
use model::manifest::Limits;
use source::{Author, Change, Config};

fn write(path: &str, text: &str) -> Change {
    Change { path: path.into(), content: Some(text.as_bytes().to_vec()) }
}

fn remove(path: &str) -> Change {
    Change { path: path.into(), content: None }
}

#[tokio::test]
async fn a_commit_holds_the_change_its_author_and_its_message() {
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), local()).await;
    let first = repository.head().await.unwrap().unwrap();
    assert_eq!(repository.fetch(SOON, &|_| {}).await.unwrap(), first);
    assert_eq!(repository.check(SOON).await.unwrap(), first);
    assert_eq!(repository.read(&first.id, "default", &Limits::default()).await.unwrap().files, 0);
    let changes = [write("vpcs/ä \"b\".yaml", &vpc("a", 1)), write("empty.yml", "")];
    let commit = repository.commit(&changes, &ann(), "Add a\n\nBecause.", Some(&first.id)).await.unwrap();
    assert_eq!((commit.author.as_str(), commit.subject.as_str()), ("Ann Example", "Add a"));
    assert_eq!(repository.head().await.unwrap().unwrap(), commit);
    // What git itself says about it.
    let bare = dir.path().join("repository.git");
    let shown = git(&bare, &["log", "-1", "--format=%an <%ae>%n%cn%n%P%n%B", "main"], b"");
    assert_eq!(shown.trim(), format!("Ann Example <ann@example.test>\nHedgerow\n{}\nAdd a\n\nBecause.", first.id));
    let text = git(&bare, &["cat-file", "blob", "main:vpcs/ä \"b\".yaml"], b"");
    assert_eq!(text, vpc("a", 1));
    git(&bare, &["fsck", "--strict", "--no-dangling"], b"");
    let blob = repository.blob(&commit.id, "vpcs/ä \"b\".yaml", 1 << 20).await.unwrap();
    assert_eq!(blob.as_deref(), Some(vpc("a", 1).as_bytes()));
    assert_eq!(repository.blob(&commit.id, "vpcs", 1 << 20).await.unwrap(), None);
    assert_eq!(repository.blob(&commit.id, "nope", 1 << 20).await.unwrap(), None);
    assert_eq!(repository.blob(&commit.id, "vpcs/ä \"b\".yaml", 3).await.unwrap_err().code, Code::SourceTooLarge);
    let references = git(&bare, &["for-each-ref", "--format=%(refname)"], b"");
    assert_eq!(references.trim(), "refs/heads/main", "a pending reference is left");
}

#[tokio::test]
async fn lesson_19_the_same_change_twice_makes_one_commit() {
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), local()).await;
    let changes = [write("a.yaml", &vpc("a", 1)), remove("never-there.yaml")];
    let once = repository.commit(&changes, &ann(), "Ingest", None).await.unwrap();
    let twice = repository.commit(&changes, &ann(), "Ingest", None).await.unwrap();
    assert_eq!(once, twice);
    assert_eq!(repository.log(10).await.unwrap().len(), 2);
    assert_eq!(repository.commit(&[], &ann(), "Nothing", None).await.unwrap(), once);
    let bare = dir.path().join("repository.git");
    assert_eq!(git(&bare, &["ls-tree", "-r", "--name-only", "main"], b"").trim(), "a.yaml");
    assert_eq!(git(&bare, &["for-each-ref", "--format=%(refname)"], b"").trim(), "refs/heads/main");
}

#[tokio::test]
async fn what_moved_the_branch_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), local()).await;
    let base = repository.head().await.unwrap().unwrap();
    let theirs = repository.commit(&[write("a.yaml", "one")], &ann(), "Theirs", Some(&base.id)).await.unwrap();
    let error = repository.commit(&[write("a.yaml", "two")], &ann(), "Mine", Some(&base.id)).await.unwrap_err();
    assert_eq!(error.code, Code::ChangedSinceComparison);
    assert_eq!(repository.head().await.unwrap().unwrap(), theirs);
}

#[tokio::test]
async fn of_many_at_once_with_one_base_exactly_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let repositories = [open(dir.path(), local()).await, open(dir.path(), local()).await];
    let base = repositories[0].head().await.unwrap().unwrap();
    let (base, author) = (&base.id, ann());
    let changes: Vec<_> = (0..8).map(|n| [write("a.yaml", &format!("writer {n}"))]).collect();
    let runs = changes.iter().enumerate().map(|(n, change)| {
        let repository = &repositories[n % 2];
        repository.commit(change, &author, "Race", Some(base))
    });
    let results = futures::future::join_all(runs).await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    assert!(results.iter().filter_map(|r| r.as_ref().err()).all(|e| e.code == Code::ChangedSinceComparison));
    assert_eq!(repositories[0].log(10).await.unwrap().len(), 2);
    // Without a base each goes on top of the other: nothing is lost.
    let files: Vec<_> = (0..8).map(|n| [write(&format!("{n}.yaml"), "x")]).collect();
    let runs = files.iter().map(|f| repositories[0].commit(f, &author, "Pile", None));
    assert!(futures::future::join_all(runs).await.iter().all(Result::is_ok));
    assert_eq!(repositories[0].log(100).await.unwrap().len(), 10);
}

#[tokio::test]
async fn removing_and_many_files_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), local()).await;
    let many: Vec<_> = (0..600).map(|n| write(&format!("vpcs/v{n}.yaml"), &vpc(&format!("v{n}"), n))).collect();
    let commit = repository.commit(&many, &ann(), "Adopt", None).await.unwrap();
    assert_eq!(repository.read(&commit.id, "default", &Limits::default()).await.unwrap().files, 600);
    let gone: Vec<_> = (0..599).map(|n| remove(&format!("vpcs/v{n}.yaml"))).collect();
    let commit = repository.commit(&gone, &ann(), "Remove", Some(&commit.id)).await.unwrap();
    assert_eq!(repository.read(&commit.id, "default", &Limits::default()).await.unwrap().files, 1);
    let history: Vec<_> = repository.log(2).await.unwrap().into_iter().map(|c| c.subject).collect();
    assert_eq!(history, ["Remove", "Adopt"]);
}

#[tokio::test]
async fn bad_changes_are_refused_and_nothing_moves() {
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), Config { path: "fabric".into(), ..local() }).await;
    let base = repository.commit(&[write("fabric/d/a.yaml", "x")], &ann(), "Base", None).await.unwrap();
    let cases = [
        write("a.yaml", "outside"),
        write("fabric/../a.yaml", "x"),
        write("/fabric/a.yaml", "x"),
        write("fabric//a.yaml", "x"),
        write("fabric/.git/config", "x"),
        write("fabric/a\nb.yaml", "x"),
        write("fabric", "x"),
        write("fabric/d", "a folder is there"),
        write("fabric/d/a.yaml/b.yaml", "a file is there"),
    ];
    for change in cases {
        let error = repository.commit(std::slice::from_ref(&change), &ann(), "Bad", None).await.unwrap_err();
        assert_eq!(error.code, Code::InvalidInput, "{change:?}: {error}");
    }
    let twice = [write("fabric/b.yaml", "1"), write("fabric/b.yaml", "2")];
    assert_eq!(repository.commit(&twice, &ann(), "Twice", None).await.unwrap_err().code, Code::InvalidInput);
    assert_eq!(repository.head().await.unwrap().unwrap(), base);
    // Removing a folder's name removes nothing.
    assert_eq!(repository.commit(&[remove("fabric/d")], &ann(), "Folder", None).await.unwrap(), base);
}

#[tokio::test]
async fn a_hostile_author_and_message_stay_text() {
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), local()).await;
    let eve = Author { name: "Eve <e@x> 0 +0000\nfrom 0".into(), email: "\n>".into() };
    let message = "subject\n\ndone\nD \"a.yaml\"\ncommit refs/heads/evil\n";
    let commit = repository.commit(&[write("a.yaml", "data 3\ndone\n")], &eve, message, None).await.unwrap();
    let bare = dir.path().join("repository.git");
    assert_eq!(git(&bare, &["for-each-ref", "--format=%(refname)"], b"").trim(), "refs/heads/main");
    assert_eq!(git(&bare, &["cat-file", "blob", "main:a.yaml"], b""), "data 3\ndone\n");
    git(&bare, &["fsck", "--strict", "--no-dangling"], b"");
    assert_eq!(commit.subject, "subject");
}

#[tokio::test]
async fn a_remote_source_is_not_committed_to() {
    let there = crate::fixture::OddRepository::new(&[("100644", b"a.yaml", b"x")]);
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), crate::fixture::remote(&there.url(), source::Credentials::None)).await;
    let error = repository.commit(&[write("a.yaml", "y")], &ann(), "No", None).await.unwrap_err();
    assert_eq!(error.code, Code::SourceConfigInvalid);
}

#[tokio::test]
async fn changing_the_source_s_settings_never_empties_the_desired_state() {
    let there = crate::fixture::OddRepository::new(&[("100644", b"theirs.yaml", b"x")]);
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), local()).await;
    let mine = repository.commit(&[write("mine.yaml", "1")], &ann(), "Mine", None).await.unwrap();
    // Another branch name: the same commit.
    let renamed = open(dir.path(), Config { branch: "prod/east".into(), ..local() }).await;
    assert_eq!(renamed.head().await.unwrap().unwrap(), mine);
    // A remote, and then none again: what was fetched last goes on, and the local work is kept.
    let remote = open(dir.path(), crate::fixture::remote(&there.url(), source::Credentials::None)).await;
    let theirs = remote.fetch(SOON, &|_| {}).await.unwrap();
    let back = open(dir.path(), local()).await;
    assert_eq!(back.head().await.unwrap().unwrap(), theirs);
    let bare = dir.path().join("repository.git");
    let kept = git(&bare, &["for-each-ref", "--format=%(objectname)", "refs/hedgerow/kept"], b"");
    assert_eq!(kept.trim(), mine.id);
    // From there on it is a local repository like any other, also after a restart.
    let next = back.commit(&[write("next.yaml", "1")], &ann(), "Next", Some(&theirs.id)).await.unwrap();
    assert_eq!(open(dir.path(), local()).await.head().await.unwrap().unwrap(), next);
}

#[tokio::test]
async fn no_hook_ever_runs() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), local()).await;
    let hooks = dir.path().join("repository.git/hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    let trace = dir.path().join("a hook ran");
    for name in ["reference-transaction", "pre-commit", "post-commit", "update", "post-update"] {
        let hook = hooks.join(name);
        std::fs::write(&hook, format!("#!/bin/sh\ntouch '{}'\n", trace.display())).unwrap();
        std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o755)).unwrap();
    }
    repository.commit(&[write("a.yaml", "1")], &ann(), "One", None).await.unwrap();
    assert!(!trace.exists());
    // The hook is a good one: git runs it when it may.
    git(&dir.path().join("repository.git"), &["update-ref", "refs/heads/proof", "main"], b"");
    assert!(trace.exists());
}

#[tokio::test]
async fn the_head_is_right_whoever_moved_it() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (open(dir.path(), local()).await, open(dir.path(), local()).await);
    let bare = dir.path().join("repository.git");
    let first = one.head().await.unwrap().unwrap();
    let moved = two.commit(&[write("a.yaml", "1")], &ann(), "Moved", None).await.unwrap();
    assert_eq!(one.head().await.unwrap().unwrap(), moved);
    // An administrator packs the references, and takes the commit back.
    git(&bare, &["pack-refs", "--all"], b"");
    assert_eq!(one.head().await.unwrap().unwrap(), moved);
    git(&bare, &["update-ref", "refs/heads/main", &first.id], b"");
    assert_eq!(one.head().await.unwrap().unwrap(), first);
}

#[tokio::test]
async fn many_commits_are_packed_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), local()).await;
    let bare = dir.path().join("repository.git");
    git(&bare, &["config", "gc.auto", "20"], b"");
    for n in 0..30 {
        let files: Vec<_> = (0..20).map(|f| write(&format!("{f}.yaml"), &vpc(&format!("v{f}"), n))).collect();
        repository.commit(&files, &ann(), &format!("Round {n}"), None).await.unwrap();
    }
    let loose = git(&bare, &["count-objects"], b"");
    let loose: u32 = loose.split(' ').next().unwrap().parse().unwrap();
    assert!(loose < 600, "{loose} loose objects: nothing was packed");
    assert_eq!(repository.log(100).await.unwrap().len(), 31);
    assert_eq!(repository.head().await.unwrap().unwrap().subject, "Round 29");
    git(&bare, &["fsck", "--strict"], b"");
}
