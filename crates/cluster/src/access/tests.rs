//! What is accepted as credentials, and in which words the rest is refused.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

const NOW: &str = "2026-06-01T00:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A self-signed certificate that is valid until the start of a year, and its key.
fn certificate(until: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["client".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn kubeconfig(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: one\ncontexts:\n- name: one\n  context: {{cluster: c, user: u}}\n- \
         name: two\n  context: {{cluster: c, user: none}}\nclusters:\n- name: c\n  cluster: {{{cluster}}}\nusers:\n- name: \
         u\n  user: {{{user}}}\n"
    )
}

fn check(text: &str) -> Result<Access, ConfigError> {
    Access::new_at(&Credentials::Kubeconfig(text.to_owned().into()), true, now())
}

fn endpoint(server: &str, token: &str, ca_pem: Option<&str>) -> Result<Access, ConfigError> {
    let credentials = Credentials::Endpoint {
        server: server.into(),
        token: token.to_owned().into(),
        ca_pem: ca_pem.map(str::to_owned),
    };
    Access::new_at(&credentials, true, now())
}

const SERVER: &str = "server: 'https://10.0.0.1:6443'";
const TOKEN: &str = "token: s3cr3t-token";

#[test]
fn what_a_server_can_use_is_accepted() {
    let (pem, key) = certificate(2030);
    let (pem, key) = (STANDARD.encode(pem), STANDARD.encode(key));
    let ca = format!("{SERVER}, certificate-authority-data: {pem}");
    check(&kubeconfig(&ca, TOKEN)).unwrap();
    check(&kubeconfig(&format!("{ca}, tls-server-name: kubernetes.example"), TOKEN)).unwrap();
    check(&kubeconfig(&ca, "username: admin, password: s3cr3t")).unwrap();
    check(&kubeconfig(&ca, &format!("{TOKEN}, as: someone, as-groups: [a, b]"))).unwrap();
    // A path beside inline data is what some tools leave behind; the data counts.
    let both = format!("client-certificate: /a, client-certificate-data: {pem}, client-key-data: {key}");
    let access = check(&kubeconfig(&ca, &both)).unwrap();
    assert_eq!(access.credentials_expire(), Some("2030-01-01T00:00:00Z".parse().unwrap()));
    // Other contexts do not matter.
    let other = kubeconfig(&ca, TOKEN) + "- name: none\n  user: {exec: {command: aws, apiVersion: v1}}\n";
    check(&other).unwrap();
    // A kubeconfig may be JSON.
    let json = format!(
        r#"{{"current-context":"a","contexts":[{{"name":"a","context":{{"cluster":"c","user":"u"}}}}],"clusters":[{{"name":"c","cluster":{{"server":"https://h","certificate-authority-data":"{pem}"}}}}],"users":[{{"name":"u","user":{{"token":"t"}}}}]}}"#
    );
    assert_eq!(check(&json).unwrap().server(), "https://h");
}

#[test]
fn what_it_cannot_use_is_refused_with_the_reason() {
    let (pem, key) = certificate(2030);
    let (_, other_key) = certificate(2030);
    let (old, old_key) = certificate(2025);
    let b64 = |text: &str| STANDARD.encode(text);
    let (good, good_key) = (b64(&pem), b64(&key));
    let ca = format!("{SERVER}, certificate-authority-data: {good}");
    let with_user = |user: &str| kubeconfig(&ca, user);
    let with_cluster = |cluster: &str| kubeconfig(cluster, TOKEN);
    let no_context = with_user(TOKEN).replace("current-context: one", "current-context: ''");
    let unknown_context = with_user(TOKEN).replace("current-context: one", "current-context: three");
    let table: Vec<(String, &[&str])> = vec![
        (String::new(), &["empty"]),
        ("a: [".into(), &["line 1", "cannot be read"]),
        (format!("{}\n  bad", with_user(TOKEN)), &["line", "cannot be read"]),
        (no_context, &["no current-context", "one, two"]),
        (unknown_context, &["'three'", "one, two"]),
        (with_user(TOKEN).replace("cluster: c,", "cluster: x,"), &["cluster 'x'", "does not describe"]),
        (with_user(TOKEN).replace("user: u}", "user: y}"), &["user 'y'", "does not describe"]),
        (with_user(TOKEN).replace(", user: u}", "}"), &["names no user"]),
        (with_cluster("tls-server-name: x"), &["has no server"]),
        (with_cluster("server: '10.0.0.1:6443'"), &["10.0.0.1:6443", "https://host:6443"]),
        (with_cluster("server: 'http://10.0.0.1'"), &["in clear"]),
        (with_cluster("server: 'ftp://10.0.0.1'"), &["ftp://"]),
        (with_cluster("server: 'https://me:s3cr3t@10.0.0.1'"), &["own field"]),
        (with_cluster("server: 'https://h/?x=1'"), &["'?'"]),
        (
            with_cluster(&format!("{SERVER}, certificate-authority: /etc/ca.crt")),
            &["certificate-authority", "--flatten"],
        ),
        (with_cluster(&format!("{SERVER}, certificate-authority-data: '%%%'")), &["not base64"]),
        (with_cluster(&format!("{SERVER}, certificate-authority-data: {}", b64("hello"))), &["no certificate in PEM"]),
        (
            with_cluster(&format!(
                "{SERVER}, certificate-authority-data: {}",
                b64("-----BEGIN CERTIFICATE-----\nAAAA\n")
            )),
            &["damaged PEM"],
        ),
        (
            with_cluster(&format!(
                "{SERVER}, certificate-authority-data: {}",
                b64("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            )),
            &["certificate-authority-data", "cannot be read"],
        ),
        (with_cluster(&format!("{SERVER}, proxy-url: 'http://proxy:3128'")), &["proxy-url", "directly"]),
        (
            with_cluster(&format!("{SERVER}, insecure-skip-tls-verify: true")),
            &["insecure-skip-tls-verify", "this fabric"],
        ),
        (with_cluster(&format!("{ca}, tls-server-name: 'not a name'")), &["tls-server-name"]),
        (with_user("exec: {command: aws, apiVersion: v1}"), &["'aws'", "exec plugin", "ServiceAccount"]),
        (with_user("auth-provider: {name: gcp}"), &["auth-provider 'gcp'", "ServiceAccount"]),
        (with_user("tokenFile: /var/run/token"), &["tokenFile"]),
        (with_user("client-certificate: /c, client-key: /k"), &["client-certificate", "--flatten"]),
        (with_user(&format!("client-certificate-data: {good}, client-key: /k")), &["client-key", "--flatten"]),
        (with_user(&format!("client-certificate-data: {good}")), &["without client-key-data"]),
        (with_user(&format!("client-key-data: {good_key}")), &["without client-certificate-data"]),
        (
            with_user(&format!("client-certificate-data: {good}, client-key-data: {}", b64("s3cr3t"))),
            &["client-key-data", "private key"],
        ),
        (
            with_user(&format!("client-certificate-data: {good}, client-key-data: {}", b64(&other_key))),
            &["not the key of"],
        ),
        (
            with_user(&format!("client-certificate-data: {}, client-key-data: {}", b64(&old), b64(&old_key))),
            &["client certificate expired on 2025-01-01"],
        ),
        (with_user("token: 'a b'"), &["'u'", "one line"]),
        (with_user("token: ''"), &["no token"]),
        (with_user("username: me"), &["not both"]),
        (with_user(""), &["no token, client certificate or password"]),
        (with_user(&format!("{TOKEN}, as-groups: [a]")), &["without 'as'"]),
        ("x".repeat(2 * 1024 * 1024), &["1 MiB"]),
    ];
    for (text, words) in table {
        let error = check(&text).expect_err(&text);
        assert_eq!(error.field, "kubeconfig", "{text}");
        for word in words {
            assert!(error.message.contains(word), "{word:?} is not in {:?}", error.message);
        }
        for secret in ["s3cr3t", &good_key[20..40]] {
            assert!(!format!("{error:?}").contains(secret), "{error:?}");
        }
        assert!(error.message.ends_with('.'), "{:?} is no sentence", error.message);
    }
}

#[test]
fn a_syntax_error_does_not_quote_the_text_around_it() {
    let text = format!("{}\n   token: [s3cr3t-token\n", kubeconfig(SERVER, TOKEN));
    let error = check(&text).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("s3cr3t"), "{error:?}");
}

#[test]
fn endpoints_are_checked_field_by_field() {
    let (pem, _) = certificate(2030);
    let access = endpoint(" https://[fd00::1]:6443/k8s/ ", " tok\n", Some(&pem)).unwrap();
    assert_eq!(access.server(), "https://[fd00::1]:6443/k8s");
    for loopback in ["http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost:1"] {
        endpoint(loopback, "tok", Some(&pem)).unwrap();
    }
    for (server, token, ca, field) in [
        ("", "tok", Some(pem.as_str()), "server"),
        ("host:6443", "tok", Some(&pem), "server"),
        ("http://host:6443", "tok", Some(&pem), "server"),
        ("https://", "tok", Some(&pem), "server"),
        ("https://h", "", Some(&pem), "token"),
        ("https://h", "two\nlines", Some(&pem), "token"),
        ("https://h", "t\u{f6}ken", Some(&pem), "token"),
        ("https://h", "tok", Some("hello"), "ca_pem"),
    ] {
        assert_eq!(endpoint(server, token, ca).unwrap_err().field, field, "{server} {token}");
    }
}

#[test]
fn skipping_verification_is_the_callers_decision() {
    let text = kubeconfig(&format!("{SERVER}, insecure-skip-tls-verify: true"), TOKEN);
    let access = Access::new_at(&Credentials::Kubeconfig(text.into()), false, now()).unwrap();
    assert!(!access.verifies_tls());
}

#[test]
fn no_secret_is_in_debug() {
    let (pem, key) = certificate(2030);
    let user = format!(
        "token: s3cr3t-token, client-certificate-data: {}, client-key-data: {}",
        STANDARD.encode(&pem),
        STANDARD.encode(&key)
    );
    let text = kubeconfig(&format!("{SERVER}, certificate-authority-data: {}", STANDARD.encode(&pem)), &user);
    let credentials = Credentials::Kubeconfig(text.clone().into());
    let endpoint =
        Credentials::Endpoint { server: "https://h".into(), token: "s3cr3t".to_owned().into(), ca_pem: None };
    let access = check(&text).unwrap();
    let shown = format!("{credentials:?} {endpoint:?} {access:?}");
    assert!(!shown.contains("s3cr3t") && !shown.contains(&STANDARD.encode(&key)[20..40]), "{shown}");
}

#[test]
fn the_end_of_a_token_is_read_where_it_says_so() {
    let (pem, _) = certificate(2030);
    let ends = |token: &str| endpoint("https://h", token, Some(&pem)).unwrap().credentials_expire();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"sub":"a","exp":1780272000}"#);
    // One that has ended is not refused here: the server's own answer is the evidence.
    assert_eq!(ends(&format!("e30.{payload}.sig")), Some("2026-06-01T00:00:00Z".parse().unwrap()));
    for silent in ["abc", "a.b.c", "..", "K10abc::server:x", "e30.e30.sig"] {
        assert_eq!(ends(silent), None, "{silent}");
    }
}
