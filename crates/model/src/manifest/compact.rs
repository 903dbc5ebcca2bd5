//! Values that are kept for long, in no more memory than they need: a map grows by doubling, and ten thousand manifests
//! are mostly small maps.

use serde_json::{Map, Value};

/// The same value, without room to grow.
pub(super) fn compact(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut fitting = Map::with_capacity(map.len());
            for (mut key, value) in map {
                key.shrink_to_fit();
                fitting.insert(key, compact(value));
            }
            Value::Object(fitting)
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(compact).collect::<Vec<_>>().into_boxed_slice().into())
        }
        Value::String(mut text) => {
            text.shrink_to_fit();
            Value::String(text)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_but_the_room_is_another() {
        let value = json!({"z": [1, {"a": "text", "b": null}, []], "a": {"empty": {}}, "n": 1.5});
        let same = compact(value.clone());
        assert_eq!(same.to_string(), value.to_string(), "also in the same order");
    }
}
