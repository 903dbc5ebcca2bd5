//! Signatures beside the real openssl: keys that it made, signatures that it checks. It must be on the machine.

use super::{folder_of, sample, text};
use std::path::Path;
use std::process::{Command, Output};
use verify::evidence::check::Signature;
use verify::evidence::sign::{KeyError, PublicKey, SigningKey};
use verify::evidence::{self, Problem, check};

fn shell(folder: &Path, line: &str) -> Output {
    Command::new("sh").args(["-c", line]).current_dir(folder).output().unwrap()
}

fn must(folder: &Path, line: &str) -> String {
    let output = shell(folder, line);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "`{line}` failed. These tests need openssl, jq and sha256sum. {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn keys(name: &str) -> (tempfile::TempDir, SigningKey, PublicKey) {
    let folder = tempfile::tempdir().unwrap();
    must(folder.path(), &format!("openssl genpkey -algorithm ed25519 -out {name}.pem"));
    must(folder.path(), &format!("openssl pkey -in {name}.pem -pubout -out public.pem"));
    let private = SigningKey::read(&folder.path().join(format!("{name}.pem"))).unwrap();
    let public = PublicKey::read(&folder.path().join("public.pem")).unwrap();
    (folder, private, public)
}

#[test]
fn a_third_party_checks_it_with_openssl_alone() {
    let (keys, private, public) = keys("private");
    assert_eq!(private.public_key(), public);
    assert_eq!(public.to_pem(), text(keys.path(), "public.pem"));
    let folder = folder_of(&sample::run());
    evidence::write(&sample::run(), folder.path(), Some(&private)).unwrap();
    let public_pem = keys.path().join("public.pem");
    let verify = format!(
        "base64 -d manifest.sig > {raw} && openssl pkeyutl -verify -pubin -inkey {key} -rawin -in manifest.json -sigfile {raw}",
        raw = keys.path().join("raw").display(),
        key = public_pem.display(),
    );
    assert!(must(folder.path(), &verify).contains("Signature Verified Successfully"));
    let sums = r#"jq -r '.files[] | .sha256 + "  " + .path' manifest.json | sha256sum --check --strict"#;
    assert!(must(folder.path(), sums).contains("report.html: OK"));
    // The report tells a third party the same commands.
    let report = scraper::Html::parse_document(&text(folder.path(), "report.html"));
    assert!(report.root_element().text().collect::<String>().contains(sums));

    let checked = check(folder.path(), Some(&public)).unwrap();
    assert_eq!((checked.signature, checked.problems.as_slice()), (Signature::Valid, [].as_slice()));
    assert_eq!(check(folder.path(), None).unwrap().signature, Signature::NotAsked);

    let manifest = text(folder.path(), "manifest.json");
    std::fs::write(
        folder.path().join("manifest.json"),
        manifest.replace("2026", "2027").replace("\"created\"", " \"created\""),
    )
    .unwrap();
    let altered = check(folder.path(), Some(&public)).unwrap();
    assert_eq!((altered.signature, altered.problems.as_slice()), (Signature::Invalid, [Problem::Signature].as_slice()));
    assert!(!shell(folder.path(), &verify).status.success(), "openssl sees it too");
}

#[test]
fn another_key_and_a_signature_that_was_taken_away() {
    let (_mine, private, public) = keys("private");
    let (_others, _, other) = keys("other");
    let folder = folder_of(&sample::run());
    evidence::write(&sample::run(), folder.path(), Some(&private)).unwrap();
    let checked = check(folder.path(), Some(&other)).unwrap();
    assert_eq!((checked.signature, checked.problems.as_slice()), (Signature::Invalid, [Problem::Signature].as_slice()));
    std::fs::write(folder.path().join("manifest.sig"), "no base64").unwrap();
    assert_eq!(check(folder.path(), Some(&public)).unwrap().signature, Signature::Invalid);
    std::fs::remove_file(folder.path().join("manifest.sig")).unwrap();
    let checked = check(folder.path(), Some(&public)).unwrap();
    assert_eq!((checked.signature, checked.problems.as_slice()), (Signature::Absent, [Problem::Unsigned].as_slice()));
    assert!(check(folder.path(), None).unwrap().is_sound());
}

#[test]
fn other_keys_are_refused_by_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |line: &str| {
        must(folder.path(), line);
        SigningKey::read(&folder.path().join("key.pem")).unwrap_err()
    };
    let error = refused("openssl genpkey -algorithm ed25519 -aes256 -pass pass:geheim -out key.pem");
    assert!(matches!(error, KeyError::Encrypted), "{error}");
    for (algorithm, name) in [
        ("rsa -pkeyopt rsa_keygen_bits:1024", "RSA"),
        ("ec -pkeyopt ec_paramgen_curve:P-256", "EC"),
        ("x25519", "X25519"),
        ("ed448", "Ed448"),
    ] {
        let error = refused(&format!("openssl genpkey -algorithm {algorithm} -out key.pem"));
        assert!(matches!(error, KeyError::OtherAlgorithm(found) if found == name), "{name}: {error}");
    }
    let error = refused("openssl ecparam -name prime256v1 -genkey -out key.pem");
    assert!(matches!(&error, KeyError::OtherSection { found, .. } if found == "EC PRIVATE KEY"), "{error}");
    let error = refused("openssl genpkey -algorithm ed25519 | openssl pkey -pubout -out key.pem");
    assert!(error.to_string().contains("\"PUBLIC KEY\", and \"PRIVATE KEY\" is needed"), "{error}");
    let error = refused("echo hello > key.pem");
    assert!(matches!(error, KeyError::NoPem("PRIVATE KEY")), "{error}");
    let error = refused("openssl genpkey -algorithm ed25519 | grep -v END > key.pem");
    assert!(matches!(error, KeyError::Damaged(_)), "{error}");
    must(folder.path(), "openssl genpkey -algorithm ed25519 -out key.pem");
    let error = PublicKey::read(&folder.path().join("key.pem")).unwrap_err();
    assert!(error.to_string().contains("-pubout"), "{error}");
    let pem = text(folder.path(), "key.pem");
    let secret = pem.lines().nth(1).unwrap();
    let key = SigningKey::from_pem(&pem.clone().into()).unwrap();
    assert!(!format!("{key:?}").contains(&secret[..20]));
}
