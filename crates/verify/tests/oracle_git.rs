//! The oracle of a repository before a real Git server: what it reads, and how it says that it could not.

use anyhow::{Result, ensure};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use testkit::{Folder, GitMode, GitServer, eventually};
use verify::oracle::{GitError, GitOracle};

const VPCS: &str = "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata: {name: vpc-1, namespace: default}\n\
                    spec: {subnets: {default: {subnet: 10.0.1.0/24, vlan: 1001}}}\n---\n\
                    apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata: {name: vpc-2}\nspec: {}\n";

/// A server with one repository: two VPCs and a Kustomization in `fabric`, a broken file outside it.
async fn server() -> Result<(GitServer, String)> {
    let server = GitServer::start().await?;
    server.create_repo("desired").await?;
    server.commit("desired", "main", &[("fabric/old.yaml", Some(VPCS))], "Start").await?;
    let files = [
        ("fabric/old.yaml", None),
        ("fabric/a/vpcs.yml", Some(VPCS)),
        ("fabric/kustomization.yaml", Some("kind: Kustomization\n")),
        ("fabric/odd \"name\".txt", Some("a: [")),
        ("other/broken.yaml", Some("a: 1\nb: [\n")),
    ];
    let commit = server.commit("desired", "main", &files, "Move").await?;
    Ok((server, commit))
}

fn of(server: &GitServer, folder: &str) -> Result<GitOracle, GitError> {
    GitOracle::remote(&server.url("desired"), "main", folder)
}

/// How reading ends when it does not end well.
async fn fault(oracle: GitOracle) -> GitError {
    oracle.read().await.expect_err("it was read")
}

#[tokio::test]
async fn the_newest_commit_is_read_with_its_manifests() -> Result<()> {
    let (server, commit) = server().await?;
    let read = of(&server, "fabric")?.read().await?;
    assert_eq!(read.value.commit, commit);
    assert!(jiff::Timestamp::now().duration_since(read.value.author_time).as_secs() < 60);
    let objects = read.value.objects.iter();
    let told: Vec<_> = objects.map(|one| (one.name.as_str(), one.file.as_str(), one.line)).collect();
    assert_eq!(told, [("vpc-1", "fabric/a/vpcs.yml", 1), ("vpc-2", "fabric/a/vpcs.yml", 6)]);
    assert_eq!(read.value.find("VPC", "vpc-1")[0].spec["subnets"]["default"]["vlan"], 1001);
    assert_eq!((read.value.files, read.value.others), (2, 1));
    assert_eq!(read.reading.from, format!("git {}", server.url("desired")));
    assert_eq!(read.reading.found["commit"], commit);
    let newer = server.commit("desired", "main", &[("fabric/a/vpcs.yml", None)], "Empty").await?;
    let read = of(&server, "/fabric/")?.read().await?.value;
    assert_eq!((read.commit, read.objects.len()), (newer, 0), "a fresh clone");
    Ok(())
}

#[tokio::test]
async fn what_is_missing_or_broken_is_named() -> Result<()> {
    let (server, commit) = server().await?;
    let broken = fault(of(&server, "")?).await;
    assert!(matches!(&broken, GitError::Broken { file, .. } if file == "other/broken.yaml"), "{broken}");
    let folder = fault(of(&server, "nothing")?).await;
    assert!(matches!(&folder, GitError::FolderMissing { commit: at, .. } if *at == commit), "{folder}");
    let branch = fault(GitOracle::remote(&server.url("desired"), "gone", "")?).await;
    assert!(matches!(branch, GitError::BranchMissing { .. }), "{branch}");
    server.in_repo("desired", &["tag", "v1", "main"]).await?;
    let tag = fault(GitOracle::remote(&server.url("desired"), "v1", "fabric")?).await;
    assert!(matches!(tag, GitError::BranchMissing { .. }), "{tag}");
    let repository = fault(GitOracle::remote(&server.url("nothing"), "main", "")?).await;
    assert!(matches!(repository, GitError::NotFound { .. }), "{repository}");
    let git = fault(of(&server, "")?.with_program("no-such-git")).await;
    assert!(matches!(git, GitError::Missing { .. }), "{git}");
    Ok(())
}

#[tokio::test]
async fn a_login_is_used_and_shown_nowhere() -> Result<()> {
    let (server, commit) = server().await?;
    server.add_user("me", "s3cret-t'oken");
    server.require_auth(true);
    let refused = fault(of(&server, "fabric")?).await;
    assert!(matches!(refused, GitError::Refused { .. }), "{refused}");
    let oracle = of(&server, "fabric")?.with_login("me", "s3cret-t'oken".to_owned().into())?;
    assert_eq!(oracle.read().await?.value.commit, commit);
    let inside = server.url("desired").replace("://", "://me:s3cret-t'oken@");
    let read = GitOracle::remote(&inside, "main", "fabric")?.read().await?;
    assert_eq!(read.value.commit, commit);
    assert!(!serde_json::to_string(&read.reading)?.contains("s3cret"));
    let wrong = fault(GitOracle::remote(&inside.replace("s3cret", "s3cret-wrong"), "main", "fabric")?).await;
    assert!(matches!(wrong, GitError::Refused { .. }), "{wrong}");
    assert!(!format!("{wrong} {wrong:?}").contains("s3cret"), "{wrong}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_away_or_never_answers_is_told_apart() -> Result<()> {
    let (server, _) = server().await?;
    server.set_mode(GitMode::NeverAnswer);
    let begun = std::time::Instant::now();
    let silent = fault(of(&server, "")?.within(Duration::from_secs(1))).await;
    assert!(matches!(silent, GitError::NoAnswer { .. }), "{silent}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    // What git started ends with it.
    let url = server.url("desired");
    eventually(Duration::from_secs(10), "no process is left", || async {
        let left = started_with(&url)?;
        ensure!(left.is_empty(), "{left:?}");
        anyhow::Ok(())
    })
    .await?;
    server.set_mode(GitMode::Fail(500));
    let failing = fault(of(&server, "")?).await;
    assert!(matches!(&failing, GitError::Failed { said, .. } if said.contains("500")), "{failing}");
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let nobody = format!("http://127.0.0.1:{port}/a.git");
    let away = fault(GitOracle::remote(&nobody, "main", "")?).await;
    assert!(matches!(&away, GitError::Unreachable { address, .. } if *address == nobody), "{away}");
    Ok(())
}

#[tokio::test]
async fn nobody_waits_any_more_and_git_ends() -> Result<()> {
    let (server, _) = server().await?;
    server.set_mode(GitMode::NeverAnswer);
    let (url, oracle) = (server.url("desired"), of(&server, "")?);
    let reading = tokio::spawn(async move { oracle.read().await.map(drop) });
    eventually(Duration::from_secs(10), "git runs", || async {
        ensure!(started_with(&url)?.len() > 1, "not yet");
        anyhow::Ok(())
    })
    .await?;
    reading.abort();
    eventually(Duration::from_secs(10), "no process is left", || async {
        let left = started_with(&url)?;
        ensure!(left.is_empty(), "{left:?}");
        anyhow::Ok(())
    })
    .await
}

#[tokio::test]
async fn what_git_says_is_read_to_a_limit() -> Result<()> {
    let (server, _) = server().await?;
    let home = Folder::new("program")?;
    let program = home.write("git", "#!/bin/sh\nexec head -c 80000000 /dev/zero\n")?;
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    let endless = fault(of(&server, "")?.with_program(&program.display().to_string())).await;
    assert!(matches!(&endless, GitError::Failed { said, .. } if said.contains("larger than 64 MiB")), "{endless}");
    Ok(())
}

/// The processes of this machine that have an address among their arguments.
fn started_with(url: &str) -> Result<Vec<String>> {
    let all = std::fs::read_dir("/proc")?.filter_map(|entry| Some(entry.ok()?.path().join("cmdline")));
    let lines = all.filter_map(|file| Some(String::from_utf8_lossy(&std::fs::read(file).ok()?).into_owned()));
    Ok(lines.filter(|line| line.contains(url)).collect())
}

#[tokio::test]
async fn over_ssh_the_users_key_counts() -> Result<()> {
    let (server, commit) = server().await?;
    server.start_ssh().await?;
    let home = Folder::new("home")?;
    let key = home.write("key", server.private_key()?)?;
    let hosts = home.write("hosts", server.known_hosts()?)?;
    make_private(&key)?;
    let ssh = |hosts: &Path| {
        let strict = "-F none -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes";
        format!("ssh {strict} -i {} -o UserKnownHostsFile={}", key.display(), hosts.display())
    };
    let oracle = GitOracle::remote(&server.ssh_url("desired")?, "main", "fabric")?;
    let read = oracle.clone().with_ssh_command(&ssh(&hosts)).read().await?;
    assert_eq!(read.value.commit, commit);
    let none = home.write("none", "")?;
    let unknown = fault(oracle.clone().with_ssh_command(&ssh(&none))).await;
    assert!(matches!(&unknown, GitError::Refused { said, .. } if said.contains("host key")), "{unknown}");
    server.revoke_ssh_key()?;
    let revoked = fault(oracle.with_ssh_command(&ssh(&hosts))).await;
    assert!(matches!(&revoked, GitError::Refused { said, .. } if said.contains("publickey")), "{revoked}");
    Ok(())
}

fn make_private(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))?)
}

#[tokio::test]
async fn a_repository_on_this_machine_is_cloned_as_well() -> Result<()> {
    let (server, commit) = server().await?;
    let home = Folder::new("local")?;
    let bare = home.join("with space.git");
    let made = Command::new("git").args(["clone", "-q", "--bare", &server.url("desired")]).arg(&bare).status()?;
    assert!(made.success());
    assert_eq!(GitOracle::local(&bare, "main", "fabric")?.read().await?.value.commit, commit);
    let error = GitOracle::local(&home.join("none"), "main", "").unwrap_err();
    assert!(matches!(error, GitError::Address { .. }), "{error}");
    let empty = home.join("empty.git");
    assert!(Command::new("git").args(["init", "-q", "--bare"]).arg(&empty).status()?.success());
    let error = fault(GitOracle::local(&empty, "main", "")?).await;
    assert!(matches!(error, GitError::BranchMissing { .. }), "{error}");
    Ok(())
}
