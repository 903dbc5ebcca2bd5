//! Kinds that carry password hashes and keys: what `model` does not allow is dropped on arrival.

use crate::kinds::KindInfo;
use serde_json::Value;

/// Reduces an object of a kind that carries secrets to its allowed fields; others pass unchanged.
///
/// Which kind it is, is known from what was asked, not from what the object says of itself: one that names another
/// kind, or none, is filtered all the same.
pub(crate) fn keep_allowed(kind: &KindInfo, mut object: Value) -> Value {
    if !kind.carries_secrets() {
        return object;
    }
    let Value::Object(map) = &mut object else { return Value::Null };
    map.insert("apiVersion".to_owned(), kind.gvk.api_version().into());
    map.insert("kind".to_owned(), kind.gvk.kind.as_str().into());
    model::rollout::filter_allowed(&object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_agent_is_filtered_whatever_it_calls_itself() {
        let kind = KindInfo::bare("agent.githedgehog.com", "v1beta1", "Agent", "agents", true);
        for (api_version, name) in [("agent.githedgehog.com/v1beta1", "Agent"), ("v1", "ConfigMap"), ("", "")] {
            let agent = json!({
                "apiVersion": api_version, "kind": name,
                "metadata": {"name": "leaf-1", "generation": 3, "annotations": {"x": "secret"}, "managedFields": ["secret"]},
                "spec": {"users": [{"password": "secret"}], "vpcs": {"v": {"a": 1}}, "version": {"ca": "secret"}},
                "status": {"lastAppliedGen": 3, "unheardOf": "secret"},
            });
            let kept = keep_allowed(&kind, agent);
            assert!(!kept.to_string().contains("secret"), "{kept}");
            assert_eq!((&kept["spec"]["vpcs"]["v"]["a"], &kept["status"]["lastAppliedGen"]), (&json!(1), &json!(3)));
        }
        assert_eq!(keep_allowed(&kind, json!("secret")), Value::Null);
    }

    #[test]
    fn other_kinds_pass_unchanged() {
        let kind = KindInfo::bare("vpc.githedgehog.com", "v1beta1", "VPC", "vpcs", true);
        let vpc = json!({"metadata": {"annotations": {"a": "b"}}, "anything": [1]});
        assert_eq!(keep_allowed(&kind, vpc.clone()), vpc);
    }
}
