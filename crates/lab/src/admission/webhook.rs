//! The same rules as a webhook server, for a real kube-apiserver beside which Hedgehog's controller does not run.

use super::{Lookup, Operation, SharedObjects, WEBHOOK_KINDS, webhook_name};
use axum::{Json, Router, extract::State, routing::post};
use base64::Engine;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::Arc;

/// Where the webhooks learn of the other objects: anew for each request, so that a watch or a LIST may stand behind it.
pub trait Source: Send + Sync + 'static {
    /// The objects as they are now; an error makes the webhook answer 500, as one that is broken does.
    fn lookup(&self) -> BoxFuture<'_, Result<Arc<dyn Lookup + Send + Sync>, String>>;
}

impl Source for SharedObjects {
    fn lookup(&self) -> BoxFuture<'_, Result<Arc<dyn Lookup + Send + Sync>, String>> {
        let snapshot: Arc<dyn Lookup + Send + Sync> = Arc::new(self.snapshot());
        Box::pin(std::future::ready(Ok(snapshot)))
    }
}

/// A router with `/mutate` and `/validate`, speaking `admission.k8s.io/v1`.
pub fn webhook_router(source: Arc<dyn Source>) -> Router {
    Router::new().route("/mutate", post(mutate)).route("/validate", post(validate)).with_state(source)
}

/// The two objects that make a kube-apiserver ask the router at `base_url` (`https://host:port`), whose certificate is
/// signed by `ca_pem`.
pub fn webhook_configurations(base_url: &str, ca_pem: &str) -> Vec<Value> {
    let bundle = base64::engine::general_purpose::STANDARD.encode(ca_pem);
    let configuration = |mutating: bool, kind: &str, path: &str, operations: &[&str]| {
        let webhooks: Vec<Value> = WEBHOOK_KINDS
            .iter()
            .map(|(group, version, kind, plural)| {
                json!({
                    "name": webhook_name(mutating, kind),
                    "clientConfig": {"url": format!("{base_url}{path}"), "caBundle": bundle},
                    "rules": [{
                        "apiGroups": [group], "apiVersions": [version], "resources": [plural],
                        "operations": operations, "scope": "Namespaced",
                    }],
                    "admissionReviewVersions": ["v1"],
                    "failurePolicy": "Fail",
                    "sideEffects": "None",
                    "timeoutSeconds": 10,
                })
            })
            .collect();
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": format!("hedgerow-{}", &path[1..])},
            "webhooks": webhooks,
        })
    };
    vec![
        configuration(true, "MutatingWebhookConfiguration", "/mutate", &["CREATE", "UPDATE"]),
        configuration(false, "ValidatingWebhookConfiguration", "/validate", &["CREATE", "UPDATE", "DELETE"]),
    ]
}

fn review(request: &Value, mut response: Value) -> Json<Value> {
    response["uid"] = request["uid"].clone();
    Json(json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}))
}

fn broken(request: &Value, reason: String) -> Json<Value> {
    review(request, json!({"allowed": false, "status": {"code": 500, "reason": "InternalError", "message": reason}}))
}

async fn mutate(State(source): State<Arc<dyn Source>>, Json(body): Json<Value>) -> Json<Value> {
    let request = &body["request"];
    let lookup = match source.lookup().await {
        Ok(lookup) => lookup,
        Err(reason) => return broken(request, reason),
    };
    let before = &request["object"];
    let after = super::default(before, lookup.as_ref());
    let patch = json_patch::diff(before, &after);
    if patch.is_empty() {
        return review(request, json!({"allowed": true}));
    }
    match serde_json::to_vec(&patch) {
        Ok(patch) => {
            let patch = base64::engine::general_purpose::STANDARD.encode(patch);
            review(request, json!({"allowed": true, "patchType": "JSONPatch", "patch": patch}))
        }
        Err(error) => broken(request, format!("encode the patch: {error}")),
    }
}

async fn validate(State(source): State<Arc<dyn Source>>, Json(body): Json<Value>) -> Json<Value> {
    let request = &body["request"];
    let lookup = match source.lookup().await {
        Ok(lookup) => lookup,
        Err(reason) => return broken(request, reason),
    };
    let (old, new) = (request.get("oldObject"), request.get("object"));
    let (old, new) = (old.filter(|o| o.is_object()), new.filter(|o| o.is_object()));
    let operation = match request["operation"].as_str() {
        Some("CREATE") => Operation::Create,
        Some("UPDATE") => Operation::Update,
        Some("DELETE") => Operation::Delete,
        other => return broken(request, format!("operation {other:?} is not handled")),
    };
    match super::validate(operation, old, new, lookup.as_ref()) {
        Ok(warnings) => review(request, json!({"allowed": true, "warnings": warnings})),
        Err(refusal) => review(
            request,
            json!({"allowed": false, "status": {"code": 403, "reason": "Forbidden", "message": refusal.message}}),
        ),
    }
}
