//! What is refused before git is started.

use super::*;
use secrecy::ExposeSecret;

#[test]
fn an_address_loses_its_credentials_and_strange_ones_are_refused() {
    let oracle = GitOracle::remote("https://me:s3cret%21@git.example.net/a.git", "main", "/desired/").unwrap();
    assert_eq!((oracle.address(), oracle.folder.as_str()), ("https://git.example.net/a.git", "desired"));
    let login = oracle.login.as_ref().unwrap();
    let password = login.password.as_ref().unwrap();
    assert_eq!((login.user.expose_secret(), password.expose_secret()), ("me", "s3cret!"));
    assert!(!format!("{oracle:?}").contains("s3cret"));
    for good in ["ssh://git@h:2222/a.git", "git@h:a/b.git", "http://127.0.0.1:1/a.git", "file:///a.git"] {
        assert!(GitOracle::remote(good, "main", "").is_ok(), "{good}");
    }
    for bad in ["ext::sh -c id", "--upload-pack=id", "ftp://h/a", "", "-oProxyCommand=id:a", "ssh://u:s3cret@h/a"] {
        assert!(matches!(GitOracle::remote(bad, "main", ""), Err(GitError::Address { .. })), "{bad}");
    }
    assert!(GitOracle::remote("https://h/a", "--branch", "").is_err());
    assert!(GitOracle::remote("https://h/a", "main", "../a").is_err());
    let error = GitOracle::remote("http://me:s3cret@git.example.net/a", "main", "").unwrap_err().to_string();
    assert!(error.contains("in clear") && !error.contains("s3cret"), "{error}");
}
