//! Webhooks that are real: one that refuses, one that warns, one that is gone. The API server's words about them differ
//! from RBAC's only in detail, and the detail decides what a user is told.

use crate::connect;
use crate::kinds::{basic, server};
use crate::support::{Server, json as answer};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cluster::{Cluster, Error, ErrorKind, KindInfo};
use http_body_util::BodyExt;
use model::Code;
use serde_json::{Value, json};
use testkit::{ControlPlane, eventually};

const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

/// A webhook over servers, at any address.
fn configuration(url: &str, ca: &str) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "test"},
        "webhooks": [{
            "name": "vserver.kb.io", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
            "timeoutSeconds": 2,
            "clientConfig": {"url": url, "caBundle": STANDARD.encode(ca)},
            "rules": [{"apiGroups": ["wiring.githedgehog.com"], "apiVersions": ["*"], "resources": ["servers"],
                       "operations": ["CREATE", "UPDATE", "DELETE"]}],
        }],
    })
}

/// Refuses what is described as `bad`, warns of everything else.
async fn webhook() -> Server {
    Server::start(|request| async {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let review: Value = serde_json::from_slice(&body).unwrap();
        let uid = &review["request"]["uid"];
        let bad = review["request"]["object"]["spec"]["description"] == "bad";
        let response = if bad {
            json!({"uid": uid, "allowed": false, "status": {"code": 403, "reason": "Forbidden", "message": "failed to validate server: User \"x\" cannot be bad"}})
        } else {
            json!({"uid": uid, "allowed": true, "warnings": ["this one is \"fine\", but odd"]})
        };
        answer(200, &json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}))
    })
    .await
}

/// The failure that a bad server meets once the configuration is in force.
async fn refused(cluster: &Cluster, kind: &KindInfo, dry_run: bool) -> Error {
    eventually(std::time::Duration::from_secs(30), "the webhook is in force", || async {
        match cluster.create(kind, &server("s", "bad"), dry_run).await {
            Err(error) => Ok(error),
            Ok(made) => {
                if !dry_run {
                    let text = |field: &str| made.object["metadata"][field].as_str().unwrap().to_owned();
                    cluster.delete(kind, "default", "s", &text("uid"), &text("resourceVersion"), false).await.unwrap();
                }
                Err("not yet")
            }
        }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_denial_is_no_missing_right_and_a_dead_webhook_no_denial() {
    let plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    let client = plane.client().unwrap();
    let hook = webhook().await;
    let url = format!("{}/validate", hook.url());
    client
        .request("POST", CONFIGURATIONS, Some(&configuration(&url, &hook.ca)))
        .await
        .unwrap()
        .success("hook")
        .unwrap();
    let cluster = connect(&plane.kubeconfig_admin());
    let kinds = cluster.discover().await.unwrap();
    let kind = kinds.find("wiring.githedgehog.com", "Server").unwrap();

    for dry_run in [true, false] {
        let error = refused(&cluster, kind, dry_run).await;
        assert_eq!((error.kind, error.code()), (ErrorKind::Rejected, Code::KubernetesRejected), "{error}");
        assert_eq!(error.webhook.as_deref(), Some("vserver.kb.io"));
        assert!(error.message.contains("failed to validate server"), "{error}");
    }
    let made = cluster.create(kind, &server("good", "fine"), false).await.unwrap();
    assert_eq!(made.warnings, ["this one is \"fine\", but odd"]);
    let text = |field: &str| made.object["metadata"][field].as_str().unwrap();

    let dead = configuration("https://127.0.0.1:1/gone", &hook.ca);
    let path = format!("{CONFIGURATIONS}/test");
    let live = client.request("GET", &path, None).await.unwrap().success("read").unwrap();
    let mut dead = dead;
    dead["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
    client.request("PUT", &path, Some(&dead)).await.unwrap().success("hook").unwrap();
    let error = eventually(std::time::Duration::from_secs(30), "the webhook is gone", || async {
        let error = refused(&cluster, kind, false).await;
        if error.kind == ErrorKind::Rejected { Err(error.to_string()) } else { Ok(error) }
    })
    .await
    .unwrap();
    assert_eq!((error.kind, error.code()), (ErrorKind::WebhookDown, Code::KubernetesWebhookDown), "{error}");
    assert_eq!(error.webhook.as_deref(), Some("vserver.kb.io"));
    let error = cluster.delete(kind, "default", "good", text("uid"), text("resourceVersion"), false).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::WebhookDown, "{error}");

    client.request("DELETE", &path, None).await.unwrap().success("remove the hook").unwrap();
}
