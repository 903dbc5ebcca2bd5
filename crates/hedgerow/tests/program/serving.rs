//! `hedgerow serve`: the first start, the address, the lock, TLS.

use crate::running::{PATIENCE, Running, assert_done, program, run, run_with_input, stderr, stdout};
use crate::visitor::Visitor;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// `serve` on a free port, with its data in `home/data`.
pub fn serve(home: &Path, extra: &[&str]) -> Running {
    let arguments = [&["serve", "--listen", "127.0.0.1:0", "--data", "data"], extra].concat();
    Running::start(program(home, &arguments))
}

/// A client that follows no redirect and trusts `root`, if there is one.
fn client(root: Option<&str>) -> reqwest::Client {
    // The program's own choice of provider does not reach this process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
    if let Some(pem) = root {
        builder = builder.tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes()).unwrap()]);
    }
    builder.build().unwrap()
}

fn url(ready: &serde_json::Value, path: &str) -> String {
    format!("{}{path}", ready["url"].as_str().unwrap().trim_end_matches('/'))
}

#[tokio::test]
async fn the_first_start_prints_the_password_once() {
    let home = tempfile::tempdir().unwrap();
    let mut first = serve(home.path(), &["--json"]);
    let ready = first.json();
    assert_eq!(ready["username"], "admin");
    let password = ready["password"].as_str().unwrap().to_owned();
    assert!(password.len() >= 20, "{ready}");
    let login = client(None).get(url(&ready, "/login/")).send().await.unwrap();
    assert_eq!(login.status(), 200);
    assert!(login.text().await.unwrap().contains("name=\"csrfmiddlewaretoken\""));
    let (status, rest) = first.stop("-TERM");
    assert_eq!((status.code(), rest.as_str()), (Some(0), ""), "{}", first.errors());
    assert!(!first.errors().contains(&password), "the password is in the log");

    let mut second = serve(home.path(), &["--json"]);
    let ready = second.json();
    assert_eq!((&ready["username"], &ready["password"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert_eq!(second.stop("-INT").0.code(), Some(0), "{}", second.errors());
}

#[tokio::test]
async fn a_password_from_the_command_line_counts_at_once_and_ends_the_sessions() {
    let home = tempfile::tempdir().unwrap();
    let mut server = serve(home.path(), &["--json"]);
    let ready = server.json();
    let mut visitor = Visitor::of(&ready);
    assert_eq!(visitor.log_in(&ready).await, 303);
    assert_eq!(visitor.get("/").await.status(), 200);

    let set = ["user", "set-password", "admin", "--password-stdin", "--data", "data"];
    let output = run_with_input(home.path(), &set, "trellis-moth-92\n");
    assert_done(&output);
    assert!(stdout(&output).contains("ended 1 session"), "{}", stdout(&output));

    assert_eq!(visitor.get("/").await.status(), 303, "the session goes on");
    assert_eq!(Visitor::of(&ready).log_in(&ready).await, 401, "the old password is still good");
    assert_eq!(Visitor::of(&ready).log_in_as("admin", "trellis-moth-92").await, 303);
    server.stop("-TERM");
}

#[test]
fn the_first_start_tells_a_person_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let mut server = serve(home.path(), &[]);
    let first = server.line();
    assert!(first.contains("http://127.0.0.1:"), "{first}");
    let rest = server.stop("-TERM").1;
    assert!(rest.contains("admin") && rest.contains("once"), "{rest}");
}

#[test]
fn no_first_administrator_beside_other_users() {
    let home = tempfile::tempdir().unwrap();
    let create = ["user", "create", "alice", "--password-stdin", "--data", "data"];
    assert_done(&run_with_input(home.path(), &create, "trellis-moth-92\n"));
    let mut server = serve(home.path(), &["--json"]);
    assert_eq!(server.json()["password"], serde_json::Value::Null);
    server.stop("-TERM");
}

#[test]
fn the_data_folder_and_its_secrets_are_closed_to_others() {
    let home = tempfile::tempdir().unwrap();
    let mut server = serve(home.path(), &["--json"]);
    server.json();
    let mode = |path: &str| std::fs::metadata(home.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("data"), 0o700);
    for entry in std::fs::read_dir(home.path().join("data")).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{:?} can be read by others: {mode:o}", entry.file_name());
    }
    assert_eq!(mode("data/secret.key"), 0o600);
    server.stop("-TERM");
}

#[test]
fn a_second_server_on_the_same_data_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let mut first = serve(home.path(), &["--json"]);
    first.json();
    let second = run(home.path(), &["serve", "--listen", "127.0.0.1:0", "--data", "data"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains(&format!("in use by process {}", first.id())), "{}", stderr(&second));
    // Who died without a word holds nothing.
    first.stop("-KILL");
    let mut third = serve(home.path(), &["--json"]);
    third.json();
    assert_eq!(third.stop("-TERM").0.code(), Some(0));
}

#[test]
fn plain_http_beyond_loopback_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let refused = run(home.path(), &["serve", "--listen", "0.0.0.0:0", "--data", "data"]);
    assert_eq!(refused.status.code(), Some(2));
    let text = stderr(&refused);
    assert!(text.contains("--tls-cert") && text.contains("trusted_proxies"), "{text}");
    assert!(!home.path().join("data").exists(), "it was refused before anything was made");
    let proxied = [
        "serve",
        "--listen",
        "0.0.0.0:0",
        "--data",
        "data",
        "--set",
        "trusted_proxies=127.0.0.1",
        "--set",
        "public_url=https://hedgerow.example.net",
    ];
    let mut server = Running::start(program(home.path(), &proxied));
    let line = server.line();
    assert!(line.contains("https://hedgerow.example.net/"), "{line}");
    server.stop("-TERM");
}

#[tokio::test]
async fn tls_is_served_and_its_files_are_named_when_they_are_wrong() {
    let home = tempfile::tempdir().unwrap();
    let tls = ["--json", "--tls-cert", "chain.pem", "--tls-key", "key.pem"];
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(home.path().join("chain.pem"), made.cert.pem()).unwrap();
    let arguments = [&["serve", "--listen", "127.0.0.1:0", "--data", "data"], &tls[..]].concat();
    let refused = run(home.path(), &arguments);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("key.pem"), "{}", stderr(&refused));

    std::fs::write(home.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let mut server = serve(home.path(), &tls);
    let ready = server.json();
    assert!(ready["url"].as_str().unwrap().starts_with("https://"), "{ready}");
    let login = client(Some(&made.cert.pem())).get(url(&ready, "/login/")).send().await.unwrap();
    assert_eq!(login.status(), 200);
    let cookies: Vec<_> = login.headers().get_all("set-cookie").iter().map(|c| c.to_str().unwrap()).collect();
    assert!(cookies.iter().all(|cookie| cookie.contains("Secure")), "{cookies:?}");

    // As a browser does it over HTTP/2, which names the host in no header.
    assert_eq!(login.version(), reqwest::Version::HTTP_2);
    let cookie = cookies[0].split(';').next().unwrap().to_owned();
    let form = login.text().await.unwrap();
    let token = form.split("name=\"csrfmiddlewaretoken\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let word = |name: &str| ready[name].as_str().unwrap();
    let fields = [("username", word("username")), ("password", word("password")), ("csrfmiddlewaretoken", token)];
    let sent = |origin: &str| {
        let post = client(Some(&made.cert.pem())).post(url(&ready, "/login/")).form(&fields).header("cookie", &cookie);
        post.header("origin", origin).header("sec-fetch-site", "same-origin").send()
    };
    assert_eq!(sent("https://evil.example").await.unwrap().status(), 403);
    assert_eq!(sent(word("url").trim_end_matches('/')).await.unwrap().status(), 303);
    assert_eq!(server.stop("-TERM").0.code(), Some(0));
}

#[test]
fn the_command_line_trusts_what_it_is_given_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    // An authority of its own, as `openssl req -x509` makes them.
    let own = |name: &str| {
        let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        std::fs::write(home.path().join(format!("{name}.pem")), params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(home.path().join(format!("{name}.key")), key.serialize_pem()).unwrap();
    };
    own("shown");
    own("another");
    std::fs::write(home.path().join("empty.pem"), "").unwrap();
    std::fs::write(home.path().join("token"), format!("nbt_abcdefghijkm.{}", "s".repeat(43))).unwrap();
    let mut server = serve(home.path(), &["--json", "--tls-cert", "shown.pem", "--tls-key", "shown.key"]);
    let address = server.json()["url"].as_str().unwrap().to_owned();
    let asked = |ca: &[&str]| {
        let words = [&["diff", "lab", "--server", &address, "--token-file", "token", "--timeout", "5s"], ca].concat();
        let output = run(home.path(), &words);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        stderr(&output)
    };
    let let_in = asked(&["--ca", "shown.pem"]);
    assert!(let_in.contains("token_invalid"), "the console answered, and did not know the token: {let_in}");
    for (ca, words) in [
        (&[][..], "certificate"),
        (&["--ca", "another.pem"][..], "certificate"),
        (&["--ca", "empty.pem"][..], "--ca empty.pem: The CA holds no certificate in PEM"),
        (&["--ca", "none.pem"][..], "--ca none.pem cannot be read"),
    ] {
        let refused = asked(ca);
        assert!(refused.contains(words) && !refused.contains("token_invalid"), "{ca:?}: {refused}");
    }
    server.stop("-TERM");
}

#[tokio::test]
async fn the_first_page_comes_within_a_second_when_the_database_is_there() {
    let home = tempfile::tempdir().unwrap();
    assert_done(&run(home.path(), &["migrate", "--data", "data"]));
    let mut server = serve(home.path(), &["--json"]);
    let ready = server.json();
    let login = client(None).get(url(&ready, "/login/")).send().await.unwrap();
    assert_eq!(login.status(), 200);
    server.stop("-TERM");
}

#[test]
fn json_logs_are_json_and_carry_no_secret() {
    let home = tempfile::tempdir().unwrap();
    let mut server = serve(home.path(), &["--json", "--set", "log.format=json", "--set", "log.level=debug"]);
    let ready = server.json();
    server.stop("-TERM");
    let log = server.errors();
    assert!(!log.is_empty());
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    assert!(!log.contains(ready["password"].as_str().unwrap()));
}

#[test]
fn the_port_that_is_taken_is_named() {
    let home = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = run(home.path(), &["serve", "--listen", &address, "--data", "data"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains(&format!("cannot listen on {address}")), "{}", stderr(&refused));
    assert_eq!(stdout(&refused), "");
}
