//! What a killed Hedgerow leaves behind, and that only its own folder is ever written.

use crate::fixture::{OddRepository, SOON, ann, files_below, local, open, remote, vpc};
use source::{Change, Credentials, Repository};
use std::fs;

#[tokio::test]
async fn stale_locks_of_a_killed_git_do_not_block() {
    let there = OddRepository::new(&[("100644", b"a.yaml", vpc("a", 1).as_bytes())]);
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), remote(&there.url(), Credentials::None)).await;
    repository.fetch(SOON, &|_| {}).await.unwrap();
    let git = dir.path().join("repository.git");
    let reference = fs::read_dir(git.join("refs/hedgerow/source")).unwrap().next().unwrap().unwrap().path();
    let stale = [
        reference.with_extension("lock"),
        git.join("packed-refs.lock"),
        git.join("HEAD.lock"),
        git.join("config.lock"),
        git.join("shallow.lock"),
        git.join("objects/pack/tmp_pack_abc"),
    ];
    for file in &stale {
        fs::write(file, "").unwrap();
    }
    let second = there.commit(&[("100644", b"a.yaml", vpc("a", 2).as_bytes())]);
    assert_eq!(repository.fetch(SOON, &|_| {}).await.unwrap().id, second);
    assert!(stale.iter().all(|file| !file.exists()));
}

#[tokio::test]
async fn stale_locks_do_not_block_a_commit_either() {
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), local()).await;
    fs::write(dir.path().join("repository.git/refs/heads/main.lock"), "").unwrap();
    let change = Change { path: "a.yaml".into(), content: Some(vpc("a", 1).into()) };
    repository.commit(&[change], &ann(), "Add a", None).await.unwrap();
    assert_eq!(repository.log(10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn keys_and_folders_of_a_dead_process_are_swept_at_open() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), local()).await);
    let scratch = dir.path().join("scratch");
    // No process has this id: it is above the kernel's largest.
    for left in ["4194305-0", "strange"] {
        fs::create_dir(scratch.join(left)).unwrap();
        fs::write(scratch.join(left).join("key"), "secret").unwrap();
    }
    drop(open(dir.path(), local()).await);
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
}

#[tokio::test]
async fn opening_is_idempotent_and_survives_a_half_made_repository() {
    let dir = tempfile::tempdir().unwrap();
    // Killed in the middle of the very first open.
    fs::create_dir_all(dir.path().join("repository.git/objects")).unwrap();
    let first = open(dir.path(), local()).await.head().await.unwrap().unwrap();
    for _ in 0..3 {
        assert_eq!(open(dir.path(), local()).await.head().await.unwrap().unwrap(), first);
    }
}

#[tokio::test]
async fn lesson_47_only_the_own_folder_is_written() {
    let outside = tempfile::tempdir().unwrap();
    let there = OddRepository::new(&[("100644", b"a.yaml", vpc("a", 1).as_bytes())]);
    fs::write(outside.path().join("mine.yaml"), vpc("mine", 5)).unwrap();
    let data = outside.path().join("data");
    let before = (files_below(outside.path()), files_below(&there.path()));
    let dir = data.join("7");
    let repository = open(&dir, remote(&there.url(), Credentials::None)).await;
    repository.check(SOON).await.unwrap();
    let commit = repository.fetch(SOON, &|_| {}).await.unwrap();
    repository.read(&commit.id, "default", &Default::default()).await.unwrap();
    let repository = open(&dir, local()).await;
    let change = Change { path: "b.yaml".into(), content: Some(vpc("b", 1).into()) };
    repository.commit(&[change], &ann(), "Add b", None).await.unwrap();
    let after: Vec<_> = files_below(outside.path()).into_iter().filter(|(p, _)| !p.starts_with(&dir)).collect();
    assert_eq!((after, files_below(&there.path())), before);
    // Nothing is ever checked out: the only manifests on disk are git's objects.
    assert!(files_below(&dir).iter().all(|(p, _)| p.extension().is_none_or(|e| e != "yaml")));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&dir).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_missing_remote_setting_is_refused_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("new");
    let mut config = remote("file:///srv/a.git", Credentials::None);
    config.allow_file = false;
    let error = Repository::open(&target, config).await.unwrap_err();
    assert_eq!(error.code, model::Code::SourceConfigInvalid);
    assert!(!target.exists());
}
