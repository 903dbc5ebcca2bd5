//! The Git server is real: Git itself clones, pushes, is refused and hangs.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Result, ensure};
use testkit::{Folder, Gate, GitMode, GitServer};

/// Runs git as a user's machine would, without any settings of its own, and without blocking the test.
async fn git(home: &Folder, environment: &[(&str, String)], args: &[&str]) -> Result<Output> {
    let mut command = tokio::process::Command::from(Command::new("git"));
    command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", home.path()).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C").current_dir(home.path());
    command.envs(environment.iter().map(|(key, value)| (key, value))).kill_on_drop(true);
    Ok(command.output().await?)
}

async fn git_ok(home: &Folder, environment: &[(&str, String)], args: &[&str]) -> Result<String> {
    let output = git(home, environment, args).await?;
    ensure!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

async fn git_error(home: &Folder, environment: &[(&str, String)], args: &[&str]) -> Result<String> {
    let output = git(home, environment, args).await?;
    ensure!(!output.status.success(), "git {args:?} was to fail");
    Ok(String::from_utf8(output.stderr)?)
}

async fn server() -> Result<(GitServer, Folder)> {
    let server = GitServer::start().await?;
    server.create_repo("desired").await?;
    Ok((server, Folder::new("home")?))
}

#[tokio::test]
async fn commits_arrive_at_a_clone() -> Result<()> {
    let (server, home) = server().await?;
    let first = server
        .commit("desired", "main", &[("a/vpc.yaml", Some("kind: VPC\n")), ("b \"odd\".yaml", Some("x"))], "Start")
        .await?;
    git_ok(&home, &[], &["clone", "-q", &server.url("desired"), "work"]).await?;
    assert_eq!(git_ok(&home, &[], &["-C", "work", "rev-parse", "HEAD"]).await?, first);
    assert_eq!(std::fs::read_to_string(home.join("work/a/vpc.yaml"))?, "kind: VPC\n");
    assert_eq!(server.files("desired", "main").await?, ["a/vpc.yaml", "b \"odd\".yaml"]);
    let second = server.commit("desired", "main", &[("a/vpc.yaml", None)], "Remove it").await?;
    git_ok(&home, &[], &["-C", "work", "pull", "-q"]).await?;
    assert_eq!(git_ok(&home, &[], &["-C", "work", "rev-parse", "HEAD~1"]).await?, first);
    assert_ne!(first, second);
    assert!(!Path::new(&home.join("work/a/vpc.yaml")).exists());
    assert_eq!(server.read("desired", &first, "a/vpc.yaml").await?.as_deref(), Some("kind: VPC\n"));
    assert_eq!(server.read("desired", "main", "a/vpc.yaml").await?, None);
    Ok(())
}

#[tokio::test]
async fn users_read_and_push_until_they_are_revoked() -> Result<()> {
    let (server, home) = server().await?;
    server.commit("desired", "main", &[("one.yaml", Some("1\n"))], "Start").await?;
    server.add_user("bot", "token-1");
    server.require_auth(true);
    let url = server.url("desired");
    let refused = git_error(&home, &[], &["ls-remote", &url]).await?;
    assert!(refused.contains("could not read Username") || refused.contains("Authentication failed"), "{refused}");
    let wrong = url.replace("http://", "http://bot:wrong@");
    assert!(git_error(&home, &[], &["ls-remote", &wrong]).await?.contains("Authentication failed"));
    let theirs = url.replace("http://", "http://bot:token-1@");
    git_ok(&home, &[], &["clone", "-q", &theirs, "work"]).await?;
    std::fs::write(home.join("work/two.yaml"), "2\n")?;
    git_ok(&home, &[], &["-C", "work", "add", "."]).await?;
    let identity = ["-c", "user.name=Bot", "-c", "user.email=bot@example.test"];
    let commit = [&["-C", "work"], &identity[..], &["commit", "-q", "-m", "Two"]].concat();
    git_ok(&home, &[], &commit).await?;
    git_ok(&home, &[], &["-C", "work", "push", "-q", "origin", "main"]).await?;
    assert_eq!(server.read("desired", "main", "two.yaml").await?.as_deref(), Some("2\n"));
    server.refuse_push(Some("the branch is protected: open a pull request"))?;
    git_ok(&home, &[], &[&["-C", "work"], &identity[..], &["commit", "-q", "--allow-empty", "-m", "No"]].concat())
        .await?;
    let refused = git_error(&home, &[], &["-C", "work", "push", "-q", "origin", "main"]).await?;
    assert!(refused.contains("the branch is protected"), "{refused}");
    server.revoke("bot");
    assert!(git_error(&home, &[], &["ls-remote", &theirs]).await?.contains("Authentication failed"));
    Ok(())
}

#[tokio::test]
async fn a_server_that_never_answers_hangs_its_client() -> Result<()> {
    let (server, home) = server().await?;
    let url = server.url("desired");
    server.set_mode(GitMode::NeverAnswer);
    let before = server.requests();
    let asked = tokio::time::timeout(Duration::from_secs(2), git(&home, &[], &["ls-remote", &url])).await;
    assert!(asked.is_err(), "it answered");
    assert_eq!(server.requests(), before + 1);
    server.set_mode(GitMode::Fail(503));
    assert!(git_error(&home, &[], &["ls-remote", &url]).await?.contains("503"));
    server.set_mode(GitMode::Serve);
    git_ok(&home, &[], &["ls-remote", &url]).await?;
    Ok(())
}

#[tokio::test]
async fn a_held_request_meets_what_the_server_does_when_it_is_let_in() -> Result<()> {
    let (server, home) = server().await?;
    let (url, gate) = (server.url("desired"), Gate::default());
    server.hold(Some(&gate));
    let meanwhile = async {
        let came = gate.arrived(Duration::from_secs(10)).await?;
        assert!(came.starts_with("GET ") && came.contains("git-upload-pack"), "{came}");
        server.set_mode(GitMode::Fail(503));
        gate.open();
        anyhow::Ok(())
    };
    let args = ["ls-remote", url.as_str()];
    let (refused, done) = tokio::join!(git_error(&home, &[], &args), meanwhile);
    done?;
    assert!(refused?.contains("503"));
    server.set_mode(GitMode::Serve);
    server.hold(None);
    git_ok(&home, &[], &args).await?;
    Ok(())
}

#[tokio::test]
async fn ssh_serves_the_same_repositories() -> Result<()> {
    let (server, home) = server().await?;
    server.start_ssh().await?;
    let id = server.commit("desired", "main", &[("one.yaml", Some("1\n"))], "Start").await?;
    let key = home.write("key", server.private_key()?)?;
    let known = home.write("known_hosts", server.known_hosts()?)?;
    let ssh = |known: &Path| {
        let (key, known) = (key.display(), known.display());
        let options = "-o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes";
        [("GIT_SSH_COMMAND", format!("ssh -F none -i {key} -o UserKnownHostsFile={known} {options}"))]
    };
    let url = server.ssh_url("desired")?;
    git_ok(&home, &ssh(&known), &["clone", "-q", &url, "work"]).await?;
    assert_eq!(git_ok(&home, &[], &["-C", "work", "rev-parse", "HEAD"]).await?, id);
    git_ok(&home, &ssh(&known), &["-C", "work", "push", "-q", "origin", "HEAD:refs/heads/other"]).await?;
    assert_eq!(server.head("desired", "other").await?, Some(id));
    let nobody = home.write("empty", "")?;
    assert!(git_error(&home, &ssh(&nobody), &["ls-remote", &url]).await?.contains("Host key verification failed"));
    server.revoke_ssh_key()?;
    assert!(git_error(&home, &ssh(&known), &["ls-remote", &url]).await?.contains("Permission denied"));
    Ok(())
}
