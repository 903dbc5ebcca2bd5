//! Whether a live spec holds a desired one. The live one may hold more, because webhooks add defaults. It may also hold
//! less: what is nothing in Go (false, zero, empty) is stored as absent. A pure function; it knows no kind.
//!
//! Webhooks also rewrite: they sort lists, fill in `to` of a range, complete `vpc-1` to `vpc-1/default`. This room does
//! not know how, on purpose: where [`differences`] finds some, [`super::ClusterOracle::differences`] asks the server what it
//! would store, and looks whether live holds that.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// How many differences are told; the rest is counted by nobody.
const MOST: usize = 50;

/// One place at which live does not hold what is desired.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Difference {
    /// `spec.subnets.default.vlan`, `spec.ranges[0].to`, `spec.a["b.c"]`
    pub path: String,
    /// What is desired there.
    pub desired: Value,
    /// What is live there; `None` when nothing is.
    pub live: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.live {
            Some(live) => write!(f, "{}: {} is desired, {live} is live", self.path, self.desired),
            None => write!(f, "{}: {} is desired, nothing is live", self.path, self.desired),
        }
    }
}

/// Where live does not hold what is desired, at most fifty places. Empty: it holds.
pub fn differences(desired: &Value, live: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("spec", desired, Some(live), &mut found);
    found
}

/// Whether live holds all that is desired.
pub fn holds(desired: &Value, live: &Value) -> bool {
    differences(desired, live).is_empty()
}

/// Whether two specs are the same, where absent is the same as false, zero and empty: each holds the other.
pub fn same(one: &Value, other: &Value) -> bool {
    holds(one, other) && holds(other, one)
}

fn compare(path: &str, desired: &Value, live: Option<&Value>, found: &mut Vec<Difference>) {
    if found.len() >= MOST || desired.is_null() {
        return;
    }
    let live = live.filter(|live| !live.is_null());
    match (desired, live) {
        // Each leaf of what is not there is a difference of its own, unless it is nothing.
        (Value::Object(fields), None) => {
            for (key, value) in fields {
                compare(&below(path, key), value, None, found);
            }
        }
        (desired, None) if is_nothing(desired) => {}
        (Value::Object(fields), Some(Value::Object(there))) => {
            for (key, value) in fields {
                compare(&below(path, key), value, there.get(key), found);
            }
        }
        (Value::Array(items), Some(Value::Array(there))) if items.len() == there.len() => {
            for (n, (item, there)) in items.iter().zip(there).enumerate() {
                compare(&format!("{path}[{n}]"), item, Some(there), found);
            }
        }
        (Value::Number(one), Some(Value::Number(other))) if equal(one, other) => {}
        (desired, Some(live)) if desired == live => {}
        (desired, live) => {
            found.push(Difference { path: path.to_owned(), desired: desired.clone(), live: live.cloned() });
        }
    }
}

/// What Go's `omitempty` leaves out.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_nothing),
        Value::Bool(true) => false,
    }
}

/// `1` is `1.0`; whole numbers are compared as such, because a float cannot tell large ones apart.
fn equal(one: &serde_json::Number, other: &serde_json::Number) -> bool {
    let whole = |number: &serde_json::Number| number.as_i128();
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one.as_f64() == other.as_f64(),
    }
}

fn below(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if plain { format!("{path}.{key}") } else { format!("{path}[{}]", Value::from(key)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn live_may_hold_more_and_not_less() {
        let desired = json!({"subnets": {"a": {"subnet": "10.0.1.0/24", "vlan": 1001}}});
        let live = json!({"mode": "l2vni", "subnets": {"a": {"subnet": "10.0.1.0/24", "vlan": 1001.0, "dhcp": {}}}});
        assert!(holds(&desired, &live) && !holds(&live, &desired));
        assert!(!same(&desired, &live));
        let found = differences(&desired, &json!({"subnets": {"a": {"subnet": "10.0.2.0/24"}}}));
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "spec.subnets.a.subnet: \"10.0.1.0/24\" is desired, \"10.0.2.0/24\" is live",
                "spec.subnets.a.vlan: 1001 is desired, nothing is live",
            ]
        );
        assert_eq!(differences(&desired, &Value::Null).len(), 2, "each leaf");
    }

    #[test]
    fn lists_are_as_long_and_in_order() {
        let desired = json!({"l": [{"from": 1}, {"from": 2}]});
        assert!(holds(&desired, &json!({"l": [{"from": 1, "to": 1}, {"from": 2}]})));
        assert_eq!(differences(&desired, &json!({"l": [{"from": 1}]}))[0].path, "spec.l");
        assert_eq!(differences(&desired, &json!({"l": [{"from": 1}, {"from": 3}]}))[0].path, "spec.l[1].from");
        assert!(!holds(&json!({"l": []}), &json!({"l": [1]})) && holds(&json!({"l": []}), &json!({})));
    }

    #[test]
    fn what_is_nothing_may_be_absent_and_what_is_not_desired_may_be_anything() {
        let nothing = json!({"a": false, "b": 0, "c": "", "d": {}, "e": {"f": []}, "g": null});
        assert!(holds(&nothing, &json!({})) && holds(&nothing, &Value::Null));
        assert!(holds(&json!({"g": null}), &json!({"g": 7})));
        assert!(!holds(&json!({"a": false}), &json!({"a": true})));
        assert!(!holds(&json!({"a": "1"}), &json!({"a": 1})), "a text is no number");
        assert!(same(&json!({"a": false, "n": 1}), &json!({"n": 1.0, "z": ""})));
        assert!(!holds(&json!({"n": 9_007_199_254_740_993_u64}), &json!({"n": 9_007_199_254_740_992_u64})));
    }

    #[test]
    fn at_most_fifty_places_are_told_and_odd_keys_are_quoted() {
        let many: serde_json::Map<_, _> = (0..80).map(|n| (format!("k{n}"), json!(n + 1))).collect();
        assert_eq!(differences(&Value::Object(many), &json!({})).len(), 50);
        let odd = differences(&json!({"dhcp": {"AA:BB.1": 1}}), &json!({}));
        assert_eq!(odd[0].path, "spec.dhcp[\"AA:BB.1\"]");
    }
}
