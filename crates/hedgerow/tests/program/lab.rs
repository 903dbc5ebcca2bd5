//! `hedgerow lab`: a Kubernetes API that a client finds by its kubeconfig.

use crate::running::{Running, program};
use base64::Engine as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The value behind `key: ` in a kubeconfig that the lab wrote.
fn field(kubeconfig: &str, key: &str) -> String {
    let line = kubeconfig.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("{key} is missing in {kubeconfig}")).to_owned()
}

/// Asks the API of a kubeconfig for the names of all objects of a kind, as its user.
pub async fn names(kubeconfig: &Path, path: &str) -> Vec<String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let text = std::fs::read_to_string(kubeconfig).unwrap();
    let ca = base64::engine::general_purpose::STANDARD.decode(field(&text, "certificate-authority-data")).unwrap();
    let client =
        reqwest::Client::builder().tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()]).build().unwrap();
    let url = format!("{}{path}", field(&text, "server"));
    let answer = client.get(url).bearer_auth(field(&text, "token")).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let list: serde_json::Value = answer.json().await.unwrap();
    let name = |object: &serde_json::Value| object["metadata"]["name"].as_str().unwrap().to_owned();
    list["items"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn an_empty_lab_serves_its_switch_profiles_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let mut lab = Running::start(program(home.path(), &["lab", "--empty", "--json"]));
    let ready = lab.json();
    let keys: Vec<&str> = ready.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["url", "kubeconfig"]);
    let kubeconfig = Path::new(ready["kubeconfig"].as_str().unwrap()).to_owned();
    assert_eq!(kubeconfig.metadata().unwrap().permissions().mode() & 0o777, 0o600, "it holds a token");
    let namespaced = "/apis/wiring.githedgehog.com/v1beta1/namespaces/default";
    assert!(names(&kubeconfig, &format!("{namespaced}/switchprofiles")).await.len() > 10);
    assert!(names(&kubeconfig, &format!("{namespaced}/switches")).await.is_empty());
    let (status, rest) = lab.stop("-TERM");
    assert_eq!((status.code(), rest.as_str()), (Some(0), ""), "{}", lab.errors());
    assert!(!kubeconfig.exists(), "the token of a lab that is gone is gone, too");
}
