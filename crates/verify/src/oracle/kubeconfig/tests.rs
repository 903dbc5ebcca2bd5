//! Kubeconfigs as they are found, good and bad.

use super::*;

fn config(cluster: &str, user: &str) -> String {
    format!(
        "current-context: a\ncontexts:\n- {{name: a, context: {{cluster: c, user: u, namespace: fab}}}}\n\
         - {{name: b, context: {{cluster: gone, user: u}}}}\n- {{name: n, context: {{cluster: c}}}}\n\
         clusters:\n- name: c\n  cluster: {{server: 'https://10.0.0.1:6443'{cluster}}}\n\
         users:\n- name: u\n  user: {{{user}}}\n"
    )
}

fn read(text: &str, context: Option<&str>) -> Result<Kubeconfig, KubeconfigError> {
    Kubeconfig::parse(text, "/home/me/config", Path::new("/home/me"), context)
}

#[test]
fn the_current_context_or_a_named_one() {
    let current = read(&config("", "token: s3cret"), None).unwrap();
    assert_eq!((current.context.as_str(), current.namespace.as_deref()), ("a", Some("fab")));
    assert_eq!(current.server.as_str(), "https://10.0.0.1:6443/");
    assert_eq!(current.trust, Trust::System);
    assert!(matches!(&current.login, Login::Token(token) if token.expose_secret() == "s3cret"));
    assert!(!format!("{current:?}").contains("s3cret"));
    assert!(matches!(read(&config("", "token: s3cret"), Some("n")).unwrap().login, Login::None));
    let error = read(&config("", "token: s3cret"), Some("x")).unwrap_err().to_string();
    assert!(error.contains("no context x") && error.contains("a, b, n"), "{error}");
    let error = read(&config("", ""), Some("b")).unwrap_err().to_string();
    assert!(error.contains("(context b)") && error.contains("no cluster gone"), "{error}");
}

#[test]
fn what_is_not_supported_is_said_with_file_and_context() {
    for (user, word) in [
        ("exec: {command: aws}", "exec"),
        ("auth-provider: {name: oidc}", "auth-provider"),
        ("as: root, token: s3cret", "as"),
    ] {
        let error = read(&config("", user), None).unwrap_err().to_string();
        assert!(error.contains("/home/me/config (context a)"), "{error}");
        assert!(
            error.contains(&format!("its user has {word}, which")) && error.contains("Make a kubeconfig"),
            "{error}"
        );
    }
    let both = ", proxy-url: 'http://p:3128', tls-server-name: x";
    assert!(read(&config(both, ""), None).unwrap_err().why.contains("proxy-url"));
    let both = ", insecure-skip-tls-verify: true, certificate-authority-data: QQ==";
    assert!(read(&config(both, ""), None).unwrap_err().why.contains("insecure-skip-tls-verify"));
}

#[test]
fn no_error_quotes_a_secret() {
    let broken = ["token: [s3cret]", "token: {a: s3cret}", "username: [s3cret]", "client-key-data: '*s3cret*'"];
    for user in broken {
        let error = read(&config("", user), None).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
    let error = read("current-context: a\n  token: s3cret\n :", None).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cret") && error.why.contains("YAML"), "{error}");
    let text = config("", "token: s3cret").replace("https://10.0.0.1:6443", "https://u:s3cret@h");
    assert!(!read(&text, None).unwrap_err().to_string().contains("s3cret"));
    let proxied =
        read(&config(", proxy-url: 'http://u:s3cret@p:3128'", "password: s3cret, username: me"), None).unwrap();
    assert!(!format!("{proxied:?}").contains("s3cret"));
}

#[test]
fn relative_paths_start_at_the_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), "CA").unwrap();
    fs::write(folder.path().join("cert.pem"), "CERT").unwrap();
    fs::write(folder.path().join("key.pem"), "KEY").unwrap();
    let user = "client-certificate: cert.pem, client-key: key.pem, tokenFile: token, token: other";
    let file = folder.path().join("config");
    fs::write(&file, config(", certificate-authority: ca.pem", user)).unwrap();
    let read = Kubeconfig::read(&file, None).unwrap();
    assert_eq!(read.trust, Trust::Given(b"CA".to_vec()));
    assert!(matches!(&read.login, Login::TokenFile(path) if *path == folder.path().join("token")));
    let (certificate, key) = read.identity.unwrap();
    assert_eq!((certificate.as_slice(), key.expose_secret()), (&b"CERT"[..], "KEY"));
    fs::remove_file(folder.path().join("key.pem")).unwrap();
    let error = Kubeconfig::read(&file, None).unwrap_err().to_string();
    assert!(error.contains("client-key") && error.contains("key.pem"), "{error}");
    let error = Kubeconfig::read(&folder.path().join("none"), None).unwrap_err().to_string();
    assert!(error.contains("none") && error.contains("cannot be read"), "{error}");
}

#[test]
fn credentials_cross_no_network_in_clear() {
    let text = config("", "token: s3cret").replace("https://10.0.0.1", "http://10.0.0.1");
    assert!(read(&text, None).unwrap_err().why.contains("in clear"));
    assert!(read(&text.replace("10.0.0.1", "127.0.0.1"), None).is_ok());
}
