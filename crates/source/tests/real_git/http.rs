//! Over HTTP: who may read, what is missing, what hangs; and that nobody hears a credential.

use crate::fixture::{SOON, command_lines, files_below, open, remote, token, vpc};
use model::Code;
use model::manifest::Limits;
use source::{Config, Credentials, Error, Repository};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use testkit::{Chaos, ChaosProxy, GitMode, GitServer, eventually};

const TOKEN: &str = "glpat-0123456789abcdef";

async fn server() -> GitServer {
    let server = GitServer::start().await.unwrap();
    server.create_repo("fabric").await.unwrap();
    let files = [("fabric/a.yaml", Some(vpc("a", 1001))), ("README.md", Some("hello".into()))];
    let files: Vec<_> = files.iter().map(|(p, c)| (*p, c.as_deref())).collect();
    server.commit("fabric", "main", &files, "First").await.unwrap();
    server.add_user("ci", TOKEN);
    server
}

fn config(server: &GitServer, credentials: Credentials) -> Config {
    remote(&server.url("fabric"), credentials)
}

async fn fetch(config: Config) -> Result<source::Commit, Error> {
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), config).await;
    let fetched = repository.fetch(SOON, &|_| {}).await;
    // The connection test and the fetch are one client, and agree.
    let checked = repository.check(SOON).await;
    match (&fetched, &checked) {
        (Ok(a), Ok(b)) => assert_eq!(a, b),
        (Err(a), Err(b)) => assert_eq!(a.code, b.code, "{a} / {b}"),
        other => panic!("fetch and check disagree: {other:?}"),
    }
    fetched
}

fn silent(text: &str) {
    assert!(!text.contains(TOKEN), "{text}");
    assert!(!text.contains("Y2k6Z2xwYXQ"), "{text}");
}

#[tokio::test]
async fn a_good_token_fetches_the_branch() {
    let server = server().await;
    server.require_auth(true);
    let commit = fetch(config(&server, token(Some("ci"), TOKEN))).await.unwrap();
    assert_eq!(Some(&commit.id), server.head("fabric", "main").await.unwrap().as_ref());
    assert_eq!((commit.author.as_str(), commit.subject.as_str()), ("A Colleague", "First"));
    assert_eq!(commit.short().len(), 8);
}

#[tokio::test]
async fn lesson_17_refused_credentials_are_errors() {
    let server = server().await;
    server.require_auth(true);
    for credentials in [Credentials::None, token(Some("ci"), "wrong-token"), token(None, TOKEN)] {
        let error = fetch(config(&server, credentials)).await.unwrap_err();
        assert_eq!(error.code, Code::SourceUnauthorized, "{error:?}");
        assert!(error.message.contains("127.0.0.1"), "{error}");
        silent(&format!("{error:?}"));
    }
    server.set_mode(GitMode::Fail(403));
    let error = fetch(config(&server, token(Some("ci"), TOKEN))).await.unwrap_err();
    assert_eq!(error.code, Code::SourceUnauthorized, "{error:?}");
    silent(&format!("{error:?}"));
}

#[tokio::test]
async fn lesson_17_a_missing_repository_is_an_error() {
    let server = server().await;
    let error = fetch(remote(&server.url("nothing"), Credentials::None)).await.unwrap_err();
    assert_eq!(error.code, Code::SourceNotFound, "{error:?}");
}

#[tokio::test]
async fn lesson_21_wrong_credentials_fail_the_check_and_counts_are_the_repository_s() {
    let server = server().await;
    server.require_auth(true);
    let dir = tempfile::tempdir().unwrap();
    let wrong = open(dir.path(), config(&server, token(Some("ci"), "guess"))).await;
    assert_eq!(wrong.check(SOON).await.unwrap_err().code, Code::SourceUnauthorized);
    assert_eq!(wrong.head().await.unwrap(), None);

    let good = open(dir.path(), config(&server, token(Some("ci"), TOKEN))).await;
    good.check(SOON).await.unwrap();
    let files: Vec<_> = (0..23).map(|n| (format!("fabric/x/{n}.yml"), vpc(&format!("v{n}"), 1000 + n))).collect();
    let changes: Vec<_> = files.iter().map(|(p, c)| (p.as_str(), Some(c.as_str()))).collect();
    server.commit("fabric", "main", &changes, "More").await.unwrap();
    let commit = good.fetch(SOON, &|_| {}).await.unwrap();
    let desired = good.read(&commit.id, "default", &Limits::default()).await.unwrap();
    let yaml = server.files("fabric", "main").await.unwrap().iter().filter(|f| !f.ends_with(".md")).count();
    assert_eq!((desired.files, yaml), (24, 24));
}

#[tokio::test]
async fn lesson_37_a_check_changes_nothing() {
    let server = server().await;
    server.require_auth(true);
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), config(&server, token(Some("ci"), TOKEN))).await;
    let (here, there) = (files_below(dir.path()), server.in_repo("fabric", &["for-each-ref"]).await.unwrap());
    let commit = repository.check(SOON).await.unwrap();
    assert_eq!(Some(commit.id), server.head("fabric", "main").await.unwrap());
    assert_eq!(repository.head().await.unwrap(), None, "a check must not fetch");
    assert_eq!(files_below(dir.path()), here);
    assert_eq!(server.in_repo("fabric", &["for-each-ref"]).await.unwrap(), there);
}

#[tokio::test]
async fn a_missing_branch_names_those_there_are() {
    let server = server().await;
    let mut config = config(&server, Credentials::None);
    config.branch = "prod".into();
    let error = fetch(config).await.unwrap_err();
    assert_eq!(error.code, Code::SourceRefNotFound);
    assert!(error.message.contains("'prod'") && error.message.contains("has: main."), "{error}");
}

#[tokio::test]
async fn an_empty_repository_says_so() {
    let server = GitServer::start().await.unwrap();
    server.create_repo("fabric").await.unwrap();
    let error = fetch(config(&server, Credentials::None)).await.unwrap_err();
    assert_eq!(error.code, Code::SourceRefNotFound);
    assert!(error.message.contains("empty"), "{error}");
}

#[tokio::test]
async fn a_missing_path_is_an_error_in_check_and_read() {
    let server = server().await;
    let dir = tempfile::tempdir().unwrap();
    for (path, says) in [("fabrics", "does not exist"), ("README.md", "is not a folder")] {
        let config = Config { path: path.into(), ..config(&server, Credentials::None) };
        let repository = open(&dir.path().join(path), config).await;
        let error = repository.check(SOON).await.unwrap_err();
        assert_eq!(error.code, Code::SourceRefNotFound);
        assert!(error.message.contains(says), "{error}");
        let commit = repository.fetch(SOON, &|_| {}).await.unwrap();
        let error = repository.read(&commit.id, "default", &Limits::default()).await.unwrap_err();
        assert_eq!(error.code, Code::SourceRefNotFound);
        assert!(error.message.contains(says) && error.message.contains(commit.short()), "{error}");
        // Known already, the check looks into the fetched commit, and says the same.
        assert!(repository.check(SOON).await.unwrap_err().message.contains(says));
    }
}

#[tokio::test]
async fn a_force_push_is_followed() {
    let server = server().await;
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), config(&server, Credentials::None)).await;
    let first = repository.fetch(SOON, &|_| {}).await.unwrap();
    server.commit("fabric", "main", &[("b.yaml", Some(&vpc("b", 2)))], "Second").await.unwrap();
    let second = repository.fetch(SOON, &|_| {}).await.unwrap();
    assert_eq!(repository.log(10).await.unwrap().len(), 2);
    server.in_repo("fabric", &["update-ref", "refs/heads/main", &first.id]).await.unwrap();
    server.commit("fabric", "main", &[("c.yaml", Some(&vpc("c", 3)))], "Rewritten").await.unwrap();
    let third = repository.fetch(SOON, &|_| {}).await.unwrap();
    assert_eq!(third.subject, "Rewritten");
    let subjects: Vec<_> = repository.log(10).await.unwrap().into_iter().map(|c| c.subject).collect();
    assert_eq!(subjects, ["Rewritten", "First"]);
    // What was synced before can still be read.
    assert_eq!(repository.read(&second.id, "default", &Limits::default()).await.unwrap().files, 2);
}

#[tokio::test]
async fn an_unchanged_branch_costs_one_conversation() {
    let server = server().await;
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), config(&server, Credentials::None)).await;
    let commit = repository.fetch(SOON, &|_| {}).await.unwrap();
    let before = server.requests();
    assert_eq!(repository.fetch(SOON, &|_| {}).await.unwrap(), commit);
    assert!(server.requests() - before <= 2, "{} requests", server.requests() - before);
}

#[tokio::test]
async fn another_remote_never_shows_the_old_one_s_commit() {
    let server = server().await;
    server.create_repo("other").await.unwrap();
    server.commit("other", "main", &[("o.yaml", Some(&vpc("o", 9)))], "Other").await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path(), config(&server, Credentials::None)).await;
    let old = first.fetch(SOON, &|_| {}).await.unwrap();
    let second = open(dir.path(), remote(&server.url("other"), Credentials::None)).await;
    assert_eq!(second.head().await.unwrap(), None);
    assert_eq!(second.fetch(SOON, &|_| {}).await.unwrap().subject, "Other");
    // And without a remote, the local repository starts from what was fetched last.
    let local = open(dir.path(), crate::fixture::local()).await;
    assert_eq!(local.head().await.unwrap().unwrap().subject, "Other");
    assert_ne!(local.head().await.unwrap().unwrap().id, old.id);
}

#[tokio::test]
async fn redirects_are_not_followed_but_the_git_suffix_is_tried() {
    let server = server().await;
    server.require_auth(true);
    let seen: &'static Mutex<Vec<String>> = Box::leak(Box::default());
    let redirecting = redirecting(server.address(), seen).await;
    // GitLab's way: /fabric redirects to /fabric.git on the same server.
    let commit = fetch(remote(&format!("{redirecting}/fabric"), token(Some("ci"), TOKEN))).await.unwrap();
    assert_eq!(commit.subject, "First");
    // To elsewhere: an error, and the token did not go along.
    seen.lock().unwrap().clear();
    let error = fetch(remote(&format!("{redirecting}/away"), token(Some("ci"), TOKEN))).await.unwrap_err();
    assert_eq!(error.code, Code::SourceConfigInvalid, "{error:?}");
    assert!(error.message.contains("redirect"), "{error}");
    assert_eq!(*seen.lock().unwrap(), Vec::<String>::new(), "the other host was asked");
}

/// A server that redirects `/fabric/…` to `/fabric.git/…` of its own and `/away/…` to its trap, and passes the rest on.
async fn redirecting(target: String, seen: &'static Mutex<Vec<String>>) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    let base = own.clone();
    let serve = async move |mut client: tokio::net::TcpStream, target: String, base: String| {
        let mut head = Vec::new();
        while !head.windows(4).any(|w| w == b"\r\n\r\n") {
            if client.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let uri = String::from_utf8_lossy(&head).split(' ').nth(1).unwrap_or_default().to_owned();
        let place = match (uri.strip_prefix("/fabric/"), uri.strip_prefix("/away")) {
            (Some(rest), _) => format!("{base}/fabric.git/{rest}"),
            (_, Some(rest)) => format!("{base}/trap{rest}"),
            _ => {
                if uri.starts_with("/trap") {
                    seen.lock().unwrap().push(uri);
                }
                let mut server = tokio::net::TcpStream::connect(&target).await?;
                server.write_all(&head).await?;
                return tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop);
            }
        };
        let status = "HTTP/1.1 301 Moved Permanently\r\nContent-Length: 0\r\nConnection: close";
        client.write_all(format!("{status}\r\nLocation: {place}\r\n\r\n").as_bytes()).await
    };
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, target.clone(), base.clone()));
        }
    });
    own
}

#[tokio::test]
async fn server_errors_and_dead_servers_are_unreachable() {
    let server = server().await;
    for status in [500, 503, 429] {
        server.set_mode(GitMode::Fail(status));
        let error = fetch(config(&server, Credentials::None)).await.unwrap_err();
        assert_eq!(error.code, Code::SourceUnreachable, "{status}: {error:?}");
    }
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/a.git", free.local_addr().unwrap());
    drop(free);
    let error = fetch(remote(&nobody, Credentials::None)).await.unwrap_err();
    assert_eq!(error.code, Code::SourceUnreachable);
    assert!(error.message.contains("nothing answers"), "{error}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_unreachable() {
    let error = fetch(remote("https://git.invalid/a.git", Credentials::None)).await.unwrap_err();
    assert_eq!(error.code, Code::SourceUnreachable, "{error:?}");
    assert!(error.message.starts_with("git.invalid"), "{error}");
}

#[tokio::test]
async fn an_untrusted_certificate_is_said() {
    let server = untrusted().await;
    let error = fetch(remote(&format!("https://{server}/a.git"), Credentials::None)).await.unwrap_err();
    assert_eq!(error.code, Code::SourceUnreachable, "{error:?}");
    assert!(error.message.contains("certificate"), "{error:?}");
}

/// A TLS server with a certificate that nobody knows.
async fn untrusted() -> String {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let der = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], der)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The client breaks the handshake off.
            let _ = acceptor.accept(stream).await;
        }
    });
    format!("localhost:{port}")
}

/// Runs an action against a server that never answers; meanwhile looks at every process of the machine.
async fn against_silence<T>(
    url: &str,
    secrets: &[&str],
    action: impl Future<Output = Result<T, Error>>,
) -> (Result<T, Error>, usize) {
    let seen = Mutex::new(0);
    let watch = async {
        loop {
            for (_, line) in command_lines().into_iter().filter(|(_, line)| line.contains(url)) {
                assert!(!secrets.iter().any(|s| line.contains(s)), "a secret in an argument list: {line}");
                *seen.lock().unwrap() += 1;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let result = tokio::select! {
        result = action => result,
        () = watch => unreachable!(),
    };
    (result, seen.into_inner().unwrap())
}

#[tokio::test]
async fn lesson_48_a_server_that_never_answers_is_a_timeout_and_the_children_are_gone() {
    let server = server().await;
    server.set_mode(GitMode::NeverAnswer);
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), config(&server, token(Some("ci"), TOKEN))).await;
    let url = server.url("fabric");
    for action in ["fetch", "check"] {
        let started = Instant::now();
        let deadline = Duration::from_millis(1500);
        let run = async {
            match action {
                "fetch" => repository.fetch(deadline, &|_| {}).await,
                _ => repository.check(deadline).await,
            }
        };
        let (result, seen) = against_silence(&url, &[TOKEN, "Y2k6Z2xwYXQ"], run).await;
        let error = result.unwrap_err();
        assert_eq!(error.code, Code::SourceTimeout, "{error:?}");
        silent(&format!("{error:?}"));
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
        assert!(seen >= 2, "git and its helper were to be seen while they ran");
        nobody_talks_to(&url).await;
    }
    server.set_mode(GitMode::Serve);
    repository.fetch(SOON, &|_| {}).await.unwrap();
}

#[tokio::test]
async fn dropping_a_fetch_ends_its_children() {
    let server = server().await;
    server.set_mode(GitMode::NeverAnswer);
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), config(&server, Credentials::None)).await;
    let url = server.url("fabric");
    let (result, seen) = against_silence(&url, &[], async {
        let _ = tokio::time::timeout(Duration::from_secs(1), repository.fetch(SOON, &|_| {})).await;
        Ok(())
    })
    .await;
    assert!(result.is_ok() && seen > 0);
    nobody_talks_to(&url).await;
    server.set_mode(GitMode::Serve);
    repository.fetch(SOON, &|_| {}).await.unwrap();
}

async fn nobody_talks_to(url: &str) {
    eventually(Duration::from_secs(5), "the children to be gone", || async {
        let left: Vec<_> = command_lines().into_iter().filter(|(_, line)| line.contains(url)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_connection_that_is_cut_half_way_is_unreachable_and_the_next_fetch_works() {
    let server = server().await;
    let big = "# filler\n".repeat(200_000);
    let noise: String = big.lines().enumerate().map(|(n, l)| format!("{l} {n} {}\n", n * 7919 % 104_729)).collect();
    server.commit("fabric", "main", &[("fabric/big.yaml", Some(&noise))], "Big").await.unwrap();
    let proxy = ChaosProxy::start(&server.address()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let url = format!("http://{}/fabric.git", proxy.address());
    let repository = open(dir.path(), remote(&url, Credentials::None)).await;
    proxy.set(Chaos::ResetAfter(40_000));
    let error = repository.fetch(SOON, &|_| {}).await.unwrap_err();
    assert_eq!(error.code, Code::SourceUnreachable, "{error:?}");
    assert_eq!(repository.head().await.unwrap(), None);
    proxy.set(Chaos::Pass);
    let lines = Mutex::new(Vec::new());
    let commit = repository.fetch(SOON, &|line| lines.lock().unwrap().push(line.to_owned())).await.unwrap();
    assert_eq!(commit.subject, "Big");
    let lines = lines.into_inner().unwrap();
    assert!(lines.iter().any(|l| l.contains("objects")), "no progress came: {lines:?}");
}

#[tokio::test]
async fn a_repository_over_its_limit_is_refused_and_leaves_no_piece() {
    let server = server().await;
    let noise: String = (0..60_000u64).map(|n| format!("# {:x}\n", n.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
    server.commit("fabric", "main", &[("fabric/big.yaml", Some(&noise))], "Big").await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), config(&server, Credentials::None)).await.with_size_limit(100_000);
    let error = repository.fetch(SOON, &|_| {}).await.unwrap_err();
    assert_eq!(error.code, Code::SourceTooLarge, "{error:?}");
    assert_eq!(repository.head().await.unwrap(), None, "what was not taken must not be shown");
    let pieces: Vec<_> =
        files_below(dir.path()).into_iter().filter(|(p, _)| p.to_string_lossy().contains("tmp_")).collect();
    assert!(pieces.is_empty(), "{pieces:?}");
    // Nothing of it stays: the folder is as small as before, and with a higher limit the same fetch works.
    let bytes: u64 = files_below(dir.path()).iter().map(|(_, bytes)| bytes).sum();
    assert!(bytes < 100_000, "{bytes} bytes are left");
    let repository = repository.with_size_limit(100_000_000);
    assert_eq!(repository.fetch(SOON, &|_| {}).await.unwrap().subject, "Big");
}

#[tokio::test]
async fn two_fetches_of_one_repository_take_turns() {
    let server = server().await;
    let dir = tempfile::tempdir().unwrap();
    let one = open(dir.path(), config(&server, Credentials::None)).await;
    let two = open(dir.path(), config(&server, Credentials::None)).await;
    let rounds = (0..6).map(|n| {
        let repository: &Repository = if n % 2 == 0 { &one } else { &two };
        repository.fetch(SOON, &|_| {})
    });
    let commits = futures::future::join_all(rounds).await;
    assert!(commits.iter().all(|c| c.as_ref().is_ok_and(|c| c.subject == "First")), "{commits:?}");
}

#[tokio::test]
async fn new_settings_take_hold_while_a_fetch_with_the_old_ones_hangs() {
    let server = server().await;
    let silent = GitServer::start().await.unwrap();
    silent.create_repo("fabric").await.unwrap();
    silent.set_mode(GitMode::NeverAnswer);
    let dir = tempfile::tempdir().unwrap();
    let old = open(dir.path(), config(&silent, Credentials::None)).await;
    let hanging = tokio::spawn(async move { old.fetch(SOON, &|_| {}).await });
    eventually(SOON, "the fetch to hang", || async { if silent.requests() > 0 { Ok(()) } else { Err("not yet") } })
        .await
        .unwrap();
    let new = open(dir.path(), config(&server, Credentials::None)).await;
    new.check(SOON).await.unwrap();
    // A fetch waits for its turn, says so, and gets it.
    let error = new.fetch(Duration::from_millis(100), &|_| {}).await.unwrap_err();
    assert_eq!(error.code, Code::SourceTimeout);
    assert!(error.message.contains("Another run"), "{error}");
    assert!(!hanging.is_finished(), "the old fetch was to hang all the while");
    hanging.abort();
    assert_eq!(new.fetch(SOON, &|_| {}).await.unwrap().subject, "First");
}
