//! Publishing to a remote: over HTTP and SSH, onto a branch that moved, is protected, or may not be written.

use crate::fixture::{SOON, ann, local, open, remote, token, vpc};
use model::Code;
use model::manifest::Limits;
use source::{Change, Config, Credentials, Error, Proposal, Published, Repository};
use std::path::Path;
use testkit::{GitMode, GitServer};

const TOKEN: &str = "glpat-0123456789abcdef";

async fn server() -> GitServer {
    let server = GitServer::start().await.unwrap();
    server.create_repo("fabric").await.unwrap();
    server.commit("fabric", "main", &[("a.yaml", Some(&vpc("a", 1)))], "First").await.unwrap();
    server.add_user("ci", TOKEN);
    server.require_auth(true);
    server
}

fn by_token(server: &GitServer) -> Config {
    remote(&server.url("fabric"), token(Some("ci"), TOKEN))
}

/// Publishes one file onto what was fetched last.
async fn publish(repository: &Repository, path: &str, text: &str) -> Result<Published, Error> {
    let onto = repository.head().await.unwrap().unwrap().id;
    publish_onto(repository, path, text, &onto).await
}

async fn publish_onto(repository: &Repository, path: &str, text: &str, onto: &str) -> Result<Published, Error> {
    let changes = [Change { path: path.into(), content: Some(text.as_bytes().to_vec()) }];
    let message = "Adopt b\n\nBecause.";
    let proposal = Proposal { changes: &changes, author: &ann(), message, onto, beside: "hedgerow/adopt-" };
    repository.publish(proposal, SOON).await
}

/// The branches of the server with their commits, as git itself says.
async fn branches(server: &GitServer) -> Vec<String> {
    let text = server.in_repo("fabric", &["for-each-ref", "--format=%(objectname) %(refname)"]).await.unwrap();
    text.lines().map(str::to_owned).collect()
}

async fn arrives(server: &GitServer, repository: &Repository) {
    let before = repository.fetch(SOON, &|_| {}).await.unwrap();
    let Published::OnBranch(commit) = publish(repository, "vpcs/b.yaml", &vpc("b", 2)).await.unwrap() else {
        panic!("the branch takes pushes")
    };
    assert_eq!(server.head("fabric", "main").await.unwrap().as_ref(), Some(&commit.id));
    let shown = server.in_repo("fabric", &["log", "-1", "--format=%an <%ae>%n%cn%n%P%n%B", "main"]).await.unwrap();
    assert_eq!(shown.trim(), format!("Ann Example <ann@example.test>\nHedgerow\n{}\nAdopt b\n\nBecause.", before.id));
    assert_eq!(server.read("fabric", "main", "vpcs/b.yaml").await.unwrap().unwrap(), vpc("b", 2));
    assert_eq!(server.read("fabric", "main", "a.yaml").await.unwrap().unwrap(), vpc("a", 1));
    // Here it is the newest commit too, without another fetch, and is read.
    assert_eq!(repository.head().await.unwrap().as_ref(), Some(&commit));
    let read = repository.read(&commit.id, "default", &Limits::default()).await.unwrap();
    assert_eq!(read.manifests.len(), 2);
    assert_eq!(repository.files(&commit.id).await.unwrap(), ["a.yaml", "vpcs/b.yaml"]);
    // The same again is no commit.
    let again = publish(repository, "vpcs/b.yaml", &vpc("b", 2)).await.unwrap();
    assert_eq!(again, Published::OnBranch(commit.clone()));
    assert_eq!(branches(server).await, [format!("{} refs/heads/main", commit.id)]);
}

#[tokio::test]
async fn a_commit_arrives_over_http() {
    let server = server().await;
    let dir = tempfile::tempdir().unwrap();
    arrives(&server, &open(dir.path(), by_token(&server)).await).await;
}

#[tokio::test]
async fn a_commit_arrives_over_ssh() {
    let server = server().await;
    server.start_ssh().await.unwrap();
    let private_key = server.private_key().unwrap().into();
    let credentials = Credentials::SshKey { private_key, known_hosts: Some(server.known_hosts().unwrap()) };
    let dir = tempfile::tempdir().unwrap();
    arrives(&server, &open(dir.path(), remote(&server.ssh_url("fabric").unwrap(), credentials)).await).await;
}

#[tokio::test]
async fn a_commit_to_the_local_repository_is_published_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), local()).await;
    let first = repository.head().await.unwrap().unwrap();
    let published = publish(&repository, "b.yaml", &vpc("b", 2)).await.unwrap();
    assert_eq!(published, Published::OnBranch(repository.head().await.unwrap().unwrap()));
    let error = publish_onto(&repository, "c.yaml", &vpc("c", 3), &first.id).await.unwrap_err();
    assert_eq!(error.code, Code::SourceMoved);
}

/// What the server's branch was moved to stays, whichever way it was moved.
async fn stays(server: &GitServer, repository: &Repository) {
    let theirs = branches(server).await;
    let error = publish(repository, "b.yaml", &vpc("b", 2)).await.unwrap_err();
    assert_eq!(error.code, Code::SourceMoved, "{error:?}");
    assert_eq!(branches(server).await, theirs);
    let fetched = repository.fetch(SOON, &|_| {}).await.unwrap();
    assert_eq!(server.head("fabric", "main").await.unwrap(), Some(fetched.id), "nothing of ours is left in the way");
}

#[tokio::test]
async fn a_branch_that_moved_meanwhile_is_not_overwritten() {
    let server = server().await;
    let first = server.head("fabric", "main").await.unwrap().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), by_token(&server)).await;
    repository.fetch(SOON, &|_| {}).await.unwrap();
    server.commit("fabric", "main", &[("theirs.yaml", Some(&vpc("theirs", 3)))], "Theirs").await.unwrap();
    stays(&server, &repository).await;
    // Backwards: what they took off the branch must not come back by our push.
    server.in_repo("fabric", &["update-ref", "refs/heads/main", &first]).await.unwrap();
    stays(&server, &repository).await;
    // Between our reading of the branch and the push itself.
    server.race("fabric", "main", "race.txt", 1);
    let error = publish(&repository, "b.yaml", &vpc("b", 2)).await.unwrap_err();
    assert_eq!(error.code, Code::SourceMoved, "{error:?}");
    assert_eq!(server.files("fabric", "main").await.unwrap(), ["a.yaml", "race.txt"]);
    repository.fetch(SOON, &|_| {}).await.unwrap();
    publish(&repository, "b.yaml", &vpc("b", 2)).await.unwrap();
    assert_eq!(server.files("fabric", "main").await.unwrap(), ["a.yaml", "b.yaml", "race.txt"]);
}

#[tokio::test]
async fn a_protected_branch_gets_a_branch_beside_it() {
    let server = server().await;
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), by_token(&server)).await;
    let before = repository.fetch(SOON, &|_| {}).await.unwrap();
    server.protect("fabric", "main", Some("main takes merge requests only")).unwrap();
    let published = publish(&repository, "b.yaml", &vpc("b", 2)).await.unwrap();
    let Published::Beside { commit, branch, others, why } = published else { panic!("{published:?}") };
    assert!(branch.starts_with("hedgerow/adopt-") && others.is_empty(), "{branch} {others:?}");
    assert_eq!(why.code, Code::SourcePushRefused);
    assert!(why.message.contains("branch main: main takes merge requests only"), "{why}");
    let theirs = [format!("{} refs/heads/{branch}", commit.id), format!("{} refs/heads/main", before.id)];
    assert_eq!(branches(&server).await, theirs);
    assert_eq!(repository.head().await.unwrap(), Some(before.clone()), "the fabric's own branch is where it was");

    // The same files again: they wait already. Other files get a branch of their own, and the first one is named.
    let again = publish(&repository, "b.yaml", &vpc("b", 2)).await.unwrap();
    assert_eq!(again, Published::Waiting { branch: branch.clone(), id: commit.id.clone(), why });
    assert_eq!(branches(&server).await, theirs, "nothing was pushed");
    let Published::Beside { branch: second, others, .. } = publish(&repository, "c.yaml", &vpc("c", 3)).await.unwrap()
    else {
        panic!("it is another proposal")
    };
    assert!(second != branch && others == [branch.clone()], "{second} {others:?}");
    // Merged and taken out again, the files are no proposal that waits.
    server.in_repo("fabric", &["update-ref", "refs/heads/main", &commit.id]).await.unwrap();
    server.protect("fabric", "main", None).unwrap();
    server.commit("fabric", "main", &[("b.yaml", None)], "Take it out").await.unwrap();
    server.protect("fabric", "main", Some("main takes merge requests only")).unwrap();
    repository.fetch(SOON, &|_| {}).await.unwrap();
    let anew = publish(&repository, "b.yaml", &vpc("b", 2)).await.unwrap();
    let Published::Beside { commit: anew, branch: same, .. } = anew else { panic!("{anew:?}") };
    assert_eq!((same.as_str(), anew.id == commit.id), (branch.as_str(), false));
    assert!(branches(&server).await.contains(&format!("{} refs/heads/{branch}", anew.id)));
}

#[tokio::test]
async fn a_hook_that_takes_nothing_is_quoted_and_nothing_is_left() {
    let server = server().await;
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), by_token(&server)).await;
    repository.fetch(SOON, &|_| {}).await.unwrap();
    let before = branches(&server).await;
    server.refuse_push(Some("the change window is closed")).unwrap();
    let error = publish(&repository, "b.yaml", &vpc("b", 2)).await.unwrap_err();
    assert_eq!(error.code, Code::SourcePushRefused);
    assert!(error.message.contains("the change window is closed"), "{error}");
    assert_eq!(branches(&server).await, before);
}

/// Publishing fails with this code, and changes nothing.
async fn fails(server: &GitServer, dir: &Path, credentials: Credentials) -> Error {
    let repository = open(dir, remote(&server.url("fabric"), credentials)).await;
    repository.fetch(SOON, &|_| {}).await.unwrap();
    let before = branches(server).await;
    let error = publish(&repository, "b.yaml", &vpc("b", 2)).await.unwrap_err();
    assert_eq!(branches(server).await, before);
    assert!(
        !format!("{error:?}").contains(TOKEN) && !format!("{error:?}").contains(&*dir.to_string_lossy()),
        "{error:?}"
    );
    error
}

#[tokio::test]
async fn credentials_that_may_only_read_are_told_so() {
    let server = server().await;
    server.add_reader("reader", TOKEN);
    let dir = tempfile::tempdir().unwrap();
    let error = fails(&server, &dir.path().join("reader"), token(Some("reader"), TOKEN)).await;
    assert_eq!(error.code, Code::SourcePushRefused, "{error:?}");
    assert!(error.message.contains("but not write to it"), "{error}");
    // A public repository, read without credentials.
    server.require_auth(false);
    let error = fails(&server, &dir.path().join("nobody"), Credentials::None).await;
    assert_eq!(error.code, Code::SourceUnauthorized, "{error:?}");
}

#[tokio::test]
async fn a_server_that_falls_silent_ends_the_push_at_its_deadline() {
    let server = server().await;
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), by_token(&server)).await;
    let head = repository.fetch(SOON, &|_| {}).await.unwrap();
    server.set_mode(GitMode::NeverAnswer);
    let changes = [Change { path: "b.yaml".into(), content: Some(b"x: 1\n".to_vec()) }];
    let proposal = Proposal { changes: &changes, author: &ann(), message: "m", onto: &head.id, beside: "x-" };
    let error = repository.publish(proposal, std::time::Duration::from_secs(2)).await.unwrap_err();
    assert_eq!(error.code, Code::SourceTimeout, "{error:?}");
    server.set_mode(GitMode::Serve);
    publish(&repository, "b.yaml", "x: 1\n").await.unwrap();
}

#[tokio::test]
async fn lesson_37_checking_the_source_changes_nothing_there() {
    let server = server().await;
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), by_token(&server)).await;
    let before = branches(&server).await;
    // Whoever pushes, races: so a push would be seen.
    server.race("fabric", "main", "pushed.txt", 1);
    repository.check(SOON).await.unwrap();
    repository.fetch(SOON, &|_| {}).await.unwrap();
    repository.check(SOON).await.unwrap();
    assert_eq!(branches(&server).await, before);
}
