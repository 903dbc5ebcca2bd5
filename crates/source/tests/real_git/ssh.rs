//! Over SSH, against a real `sshd`.

use crate::fixture::{SOON, files_below, open, remote, vpc};
use model::Code;
use source::{Config, Credentials};
use std::time::Duration;
use testkit::{GitMode, GitServer};

async fn server() -> GitServer {
    let server = GitServer::start().await.unwrap();
    server.create_repo("fabric").await.unwrap();
    server.commit("fabric", "main", &[("a.yaml", Some(&vpc("a", 1)))], "First").await.unwrap();
    server.start_ssh().await.unwrap();
    server
}

fn config(server: &GitServer, known_hosts: Option<String>) -> Config {
    let private_key = server.private_key().unwrap().into();
    remote(&server.ssh_url("fabric").unwrap(), Credentials::SshKey { private_key, known_hosts })
}

#[tokio::test]
async fn a_key_fetches_and_is_gone_afterwards() {
    let server = server().await;
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), config(&server, Some(server.known_hosts().unwrap()))).await;
    let checked = repository.check(SOON).await.unwrap();
    let fetched = repository.fetch(SOON, &|_| {}).await.unwrap();
    assert_eq!((checked, fetched.subject.as_str()), (fetched.clone(), "First"));
    let secret = server.private_key().unwrap();
    let line = secret.lines().nth(1).unwrap();
    for (path, _) in files_below(dir.path()) {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        assert!(!text.contains(line), "the key is left in {}", path.display());
    }
}

#[tokio::test]
async fn without_known_hosts_the_first_key_is_remembered_and_another_refused() {
    let (server, other) = (server().await, server().await);
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), config(&server, None)).await;
    repository.fetch(SOON, &|_| {}).await.unwrap();
    let seen = dir.path().join("known_hosts");
    let remembered = std::fs::read_to_string(&seen).unwrap();
    assert!(server.known_hosts().unwrap().split_whitespace().all(|word| remembered.contains(word)), "{remembered}");
    // The same address, another machine behind it.
    let (theirs, ours) = (other.known_hosts().unwrap(), server.known_hosts().unwrap());
    let swapped = format!("{} {}", ours.split(' ').next().unwrap(), theirs.split_once(' ').unwrap().1);
    std::fs::write(&seen, swapped).unwrap();
    let error = repository.fetch(SOON, &|_| {}).await.unwrap_err();
    assert_eq!(error.code, Code::SourceConfigInvalid, "{error:?}");
    assert!(error.message.contains("host key"), "{error}");
}

#[tokio::test]
async fn a_host_that_is_not_among_the_known_ones_is_refused() {
    let (server, other) = (server().await, server().await);
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), config(&server, Some(other.known_hosts().unwrap()))).await;
    let error = repository.check(SOON).await.unwrap_err();
    assert_eq!(error.code, Code::SourceConfigInvalid, "{error:?}");
    assert!(error.message.contains("host key"), "{error}");
}

#[tokio::test]
async fn refused_and_missing_keys_are_unauthorized() {
    let server = server().await;
    let dir = tempfile::tempdir().unwrap();
    let none = open(&dir.path().join("none"), remote(&server.ssh_url("fabric").unwrap(), Credentials::None)).await;
    assert_eq!(none.check(SOON).await.unwrap_err().code, Code::SourceUnauthorized);
    let repository = open(&dir.path().join("key"), config(&server, None)).await;
    repository.check(SOON).await.unwrap();
    server.revoke_ssh_key().unwrap();
    for error in [repository.check(SOON).await.unwrap_err(), repository.fetch(SOON, &|_| {}).await.unwrap_err()] {
        assert_eq!(error.code, Code::SourceUnauthorized, "{error:?}");
        assert!(!format!("{error:?}").contains(&*dir.path().to_string_lossy()), "a path of this server: {error:?}");
    }
}

#[tokio::test]
async fn a_missing_repository_and_a_silent_server_have_their_codes() {
    let server = server().await;
    let dir = tempfile::tempdir().unwrap();
    let private_key = server.private_key().unwrap().into();
    let credentials = Credentials::SshKey { private_key, known_hosts: Some(server.known_hosts().unwrap()) };
    let missing = remote(&server.ssh_url("nothing").unwrap(), credentials);
    let error = open(dir.path(), missing).await.fetch(SOON, &|_| {}).await.unwrap_err();
    assert_eq!(error.code, Code::SourceNotFound, "{error:?}");
    server.set_mode(GitMode::NeverAnswer);
    let repository = open(dir.path(), config(&server, None)).await;
    let error = repository.fetch(Duration::from_secs(1), &|_| {}).await.unwrap_err();
    assert_eq!(error.code, Code::SourceTimeout, "{error:?}");
    server.set_mode(GitMode::Fail(500));
    let error = repository.fetch(SOON, &|_| {}).await.unwrap_err();
    assert_eq!(error.code, Code::SourceUnreachable, "{error:?}");
}

#[tokio::test]
async fn a_broken_key_is_a_matter_of_settings() {
    let server = server().await;
    let dir = tempfile::tempdir().unwrap();
    let key = server.private_key().unwrap();
    let mut lines: Vec<&str> = key.lines().collect();
    lines.remove(2);
    let credentials = Credentials::SshKey { private_key: lines.join("\n").into(), known_hosts: None };
    let repository = open(dir.path(), remote(&server.ssh_url("fabric").unwrap(), credentials)).await;
    let error = repository.check(SOON).await.unwrap_err();
    assert_eq!(error.code, Code::SourceConfigInvalid, "{error:?}");
    assert!(error.message.contains("private key"), "{error}");
}
