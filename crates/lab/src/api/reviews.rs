//! Reviews of access: may I do this, what may I do, who am I. The one user may do everything but what a fault forbids.

use super::{App, USER, error::ApiError};
use serde_json::{Value, json};

pub(super) fn answer(app: &App, kind: &str, mut review: Value) -> Result<Value, ApiError> {
    if !review.is_object() {
        return Err(ApiError::bad_request("the body is not an object"));
    }
    review["metadata"] = json!({"creationTimestamp": null});
    review["status"] = match kind {
        "SelfSubjectAccessReview" => access(app, &review["spec"]),
        "SelfSubjectRulesReview" => rules(app),
        _ => json!({"userInfo": {"username": USER, "groups": ["system:masters", "system:authenticated"]}}),
    };
    Ok(review)
}

fn access(app: &App, spec: &Value) -> Value {
    let asked = &spec["resourceAttributes"];
    let text = |key: &str| asked[key].as_str().unwrap_or_default();
    if !asked.is_object() {
        return json!({"allowed": true});
    }
    let found = app.store.registry.all().iter().find(|r| r.group == text("group") && r.plural == text("resource"));
    let kind = found.map_or("", |r| r.kind.as_str());
    if found.is_some() && app.faults.forbids(text("verb"), kind, text("name")) {
        return json!({"allowed": false});
    }
    json!({"allowed": true, "reason": "the lab's token may do everything"})
}

fn rules(app: &App) -> Value {
    let rules: Vec<Value> = app
        .store
        .registry
        .all()
        .iter()
        .map(|r| {
            let verbs: Vec<&&str> = r.verbs.iter().filter(|v| !app.faults.forbids(v, &r.kind, "")).collect();
            json!({"verbs": verbs, "apiGroups": [r.group], "resources": [r.plural, format!("{}/status", r.plural)]})
        })
        .collect();
    json!({"resourceRules": rules, "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}], "incomplete": false})
}
