//! Kubeconfig text, as `kubectl config view --raw --flatten` would print it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::tls::Identity;

/// A kubeconfig with a bearer token.
pub fn with_token(server: &str, ca_certificate: &str, token: &str) -> String {
    text(server, ca_certificate, &format!("token: {token}"))
}

/// A kubeconfig with a client certificate.
pub fn with_certificate(server: &str, ca_certificate: &str, identity: &Identity) -> String {
    let user = format!(
        "client-certificate-data: {}\n    client-key-data: {}",
        STANDARD.encode(&identity.certificate),
        STANDARD.encode(&identity.key)
    );
    text(server, ca_certificate, &user)
}

fn text(server: &str, ca_certificate: &str, user: &str) -> String {
    let authority = STANDARD.encode(ca_certificate);
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: test
  cluster:
    server: {server}
    certificate-authority-data: {authority}
contexts:
- name: test
  context:
    cluster: test
    user: test
current-context: test
users:
- name: test
  user:
    {user}
"
    )
}
