//! What is allowed and what is refused, with the field that is to blame.

use super::*;

fn config(url: &str, credentials: Credentials) -> Config {
    let remote = Some(Remote { url: url.into(), credentials });
    Config { remote, branch: "main".into(), path: String::new(), allow_file: false }
}

fn refused(url: &str) -> String {
    let error = config(url, Credentials::None).validate().unwrap_err();
    assert_eq!(error.field, "url", "{url}");
    error.message
}

#[test]
fn good_addresses_pass() {
    for url in [
        "https://git.example.com/network/fabric.git",
        "https://git.example.com:8443/network/fabric",
        "http://127.0.0.1:3000/a.git",
        "http://[::1]:3000/a.git",
        "http://localhost/a",
        "ssh://git@git.example.com/network/fabric.git",
        "ssh://git@git.example.com:2222/network/fabric.git",
        "ssh://git@[2001:db8::1]/a.git",
        "git@git.example.com:network/fabric.git",
        "git.example.com:network/fabric.git",
    ] {
        assert_eq!(config(url, Credentials::None).validate(), Ok(()), "{url}");
    }
}

#[test]
fn bad_addresses_are_refused_with_a_reason() {
    let cases = [
        ("", "empty"),
        ("  ", "empty"),
        ("--upload-pack=touch /tmp/x", "space"),
        ("--upload-pack=x:y", "dash"),
        ("-oProxyCommand=x:y", "dash"),
        ("ext::sh -c id", "space"),
        ("ext::id", "Remote helpers"),
        ("fd::17", "Remote helpers"),
        ("/srv/git/a.git", "whole address"),
        ("../a.git", "whole address"),
        ("file:///srv/git/a.git", "source.allow_file"),
        ("git://git.example.com/a.git", "git://"),
        ("ftp://git.example.com/a.git", "Only https"),
        ("http://git.example.com/a.git", "clear"),
        ("http://127.0.0.1.example.com/a.git", "clear"),
        ("https://git.example.com/", "no repository"),
        ("https:///a.git?x", "?"),
        ("https://git.example.com/a.git#b", "#"),
        ("https://git.example.com/a.git?b", "?"),
        ("ssh://-oProxyCommand=x/a.git", "valid"),
        ("ssh://-x@git.example.com/a.git", "user"),
        ("-x@git.example.com:a", "dash"),
        ("git@-x:a", "host"),
        ("git@git.example.com:", "no repository"),
        ("git@git.example.com:-x", "no repository"),
        ("C:\\git\\a", "backslash"),
        ("https://git.example.com/a b.git", "space"),
        ("https://git.example.com/a\n.git", "control"),
    ];
    for (url, says) in cases {
        let message = refused(url);
        assert!(message.contains(says), "{url}: {message}");
    }
}

#[test]
fn lesson_33_credentials_in_the_address_are_refused_and_not_repeated() {
    for url in [
        "https://ann:s3cret@git.example.com/a.git",
        "https://s3cret@git.example.com/a.git",
        "ssh://git:s3cret@git.example.com/a.git",
        "git:s3cret@git.example.com:a.git",
    ] {
        let message = refused(url);
        assert!(message.contains("credential fields"), "{url}: {message}");
        assert!(!message.contains("s3cret"), "{message}");
    }
}

#[test]
fn file_addresses_need_the_setting() {
    let mut config = config("file:///srv/git/a.git", Credentials::None);
    config.allow_file = true;
    assert_eq!(config.validate(), Ok(()));
    config.remote.as_mut().unwrap().url = "file://host/srv/a.git".into();
    assert_eq!(config.validate().unwrap_err().field, "url");
}

#[test]
fn credentials_fit_their_transport() {
    let token = |t: &str| Credentials::Token { username: None, token: t.into() };
    let field = |url: &str, c: Credentials| config(url, c).validate().err().map(|e| e.field);
    assert_eq!(field("https://h.example/a", token("abc")), None);
    assert_eq!(field("git@h.example:a", token("abc")), Some("credentials"));
    assert_eq!(field("https://h.example/a", token("")), Some("token"));
    assert_eq!(field("https://h.example/a", token("abc\n")), Some("token"));
    let named = Credentials::Token { username: Some("a:b".into()), token: "abc".into() };
    assert_eq!(field("https://h.example/a", named), Some("username"));
    let key = Credentials::SshKey { private_key: KEY.into(), known_hosts: None };
    assert_eq!(field("https://h.example/a", key.clone()), Some("credentials"));
    assert_eq!(field("git@h.example:a", key), None);
}

/// The shape of an unsealed OpenSSH key; the bytes behind the header mean nothing.
const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
-----END OPENSSH PRIVATE KEY-----";

#[test]
fn ssh_keys_are_looked_at() {
    let says = |key: &str| check_private_key(key).unwrap_err();
    assert_eq!(check_private_key(KEY), Ok(()));
    assert!(says("ssh-ed25519 AAAA ann@example").contains("public key"));
    assert!(says("-----BEGIN OPENSSH PRIVATE KEY-----\nabc").contains("incomplete"));
    assert!(says("nonsense").contains("incomplete"));
    let sealed = KEY.replace("BG5vbmUAAAAEbm9uZQAAAA", "CmFlczI1Ni1jdHIAAAAGYm");
    assert!(says(&sealed).contains("passphrase"), "{sealed}");
    let pem = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nabc\n-----END RSA PRIVATE KEY-----";
    assert!(says(pem).contains("passphrase"));
}

#[test]
fn known_hosts_are_looked_at() {
    assert_eq!(check_known_hosts(Some("# note\ngit.example.com ssh-ed25519 AAAA\n")), Ok(()));
    assert!(check_known_hosts(Some("git.example.com")).unwrap_err().contains("Line 1"));
    assert!(check_known_hosts(Some("\n")).unwrap_err().contains("no key"));
}

#[test]
fn branches_follow_git_s_rules() {
    for good in ["main", "release/26.03", "a-b_c", "feature/ünïcode", "a.b"] {
        assert_eq!(check_branch(good), Ok(()), "{good}");
    }
    let bad = [
        "",
        "-x",
        "--upload-pack=x",
        "a..b",
        "a b",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[",
        "a\\b",
        "/a",
        "a/",
        "a//b",
        ".a",
        "a/.b",
        "a.lock",
        "a.lock/b",
        "a.",
        "@",
        "a@{1}",
        "HEAD",
        "a\x07",
        "refs/heads/main",
    ];
    for bad in bad {
        assert!(check_branch(bad).is_err(), "{bad}");
    }
    assert!(check_branch("refs/heads/main").unwrap_err().contains(": main."));
}

#[test]
fn paths_stay_inside() {
    for (path, clean) in [("", ""), (".", ""), ("a", "a"), ("a/b/", "a/b"), ("./a//b", "a/b"), ("a..b", "a..b")] {
        assert_eq!(check_path(path), Ok(()), "{path}");
        assert_eq!(folder(path), clean);
    }
    for bad in ["/", "/a", "..", "a/../b", "a\\b", ".git", "a/.GIT/b", "a\nb"] {
        assert!(check_path(bad).is_err(), "{bad:?}");
    }
}
