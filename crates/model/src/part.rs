//! Parts of an object, read out of its JSON text without parsing the rest: who looks at ten thousand objects at once, as
//! rules do, does not hold what nobody looks at.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Annotations that mean something to Hedgehog stand under a name that ends so.
const HEDGEHOG: &str = "githedgehog.com";

/// What is wanted of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Everything but `metadata.managedFields`, which are larger than the rest.
    WithoutManagers,
    /// What Hedgehog's own rules are about: no `status`, and of the metadata the names, the labels, and the annotations
    /// that are Hedgehog's own.
    Stated,
}

/// Whether an annotation of this name is Hedgehog's own.
pub fn is_hedgehogs(annotation: &str) -> bool {
    annotation.split_once('/').is_some_and(|(domain, _)| domain.ends_with(HEDGEHOG))
}

/// Reads a part of the object that a text holds.
///
/// # Errors
/// When the text is not the JSON of an object.
pub fn parse(text: &str, wanted: Part) -> Result<Value, serde_json::Error> {
    let mut text = serde_json::Deserializer::from_str(text);
    let object = At { wanted, place: Place::Object }.deserialize(&mut text)?;
    text.end()?;
    Ok(object)
}

/// Where in an object a map stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Object,
    Metadata,
    Annotations,
    /// Anywhere else: all of it is wanted.
    Within,
}

#[derive(Clone, Copy)]
struct At {
    wanted: Part,
    place: Place,
}

impl At {
    /// Where the value of a key stands; `None` when it is not wanted.
    fn below(self, key: &str) -> Option<Place> {
        match (self.place, self.wanted) {
            (Place::Object, Part::Stated) if key == "status" => None,
            (Place::Object, _) if key == "metadata" => Some(Place::Metadata),
            (Place::Metadata, Part::WithoutManagers) => (key != "managedFields").then_some(Place::Within),
            (Place::Metadata, Part::Stated) => match key {
                "annotations" => Some(Place::Annotations),
                "name" | "namespace" | "labels" => Some(Place::Within),
                _ => None,
            },
            (Place::Annotations, _) => is_hedgehogs(key).then_some(Place::Within),
            _ => Some(Place::Within),
        }
    }
}

impl<'de> DeserializeSeed<'de> for At {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.place {
            Place::Object => deserializer.deserialize_map(self),
            _ => deserializer.deserialize_any(self),
        }
    }
}

/// Maps and lists get the room that they need, and no more: as they grow, `serde_json` gives a map with one key room for
/// four, and most maps of an object have one.
impl<'de> Visitor<'de> for At {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut wanted: Vec<(String, Value)> = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            match self.below(&key) {
                Some(place) => {
                    let value = entries.next_value_seed(At { place, ..self })?;
                    wanted.push((key, value));
                }
                None => {
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        let mut map = Map::with_capacity(wanted.len());
        map.extend(wanted);
        Ok(Value::Object(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(At { place: Place::Within, ..self })? {
            list.push(item);
        }
        list.shrink_to_fit();
        Ok(Value::Array(list))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_managers_are_left_out() {
        let object = json!({
            "kind": "VPC", "managedFields": "not the one",
            "metadata": {"name": "a", "managedFields": [{"manager": "x"}], "labels": {"managedFields": "kept"}},
            "spec": {"metadata": {"managedFields": "kept"}, "n": 1.5}, "status": {"kept": true},
        });
        let mut expected = object.clone();
        expected["metadata"].as_object_mut().unwrap().remove("managedFields");
        assert_eq!(parse(&object.to_string(), Part::WithoutManagers).unwrap(), expected);
    }

    #[test]
    fn rules_get_what_is_stated() {
        let object = json!({
            "apiVersion": "v1", "kind": "VPC",
            "metadata": {
                "name": "a", "namespace": "default", "labels": {"tier": "1"}, "uid": "u", "managedFields": [],
                "annotations": {"example.com/note": "x", "fabric.githedgehog.com/p2p-link": "y", "plain": "z"},
            },
            "spec": {"status": "kept", "annotations": {"example.com/note": "kept"}, "list": [{"metadata": {"uid": 1}}]},
            "status": {"applied": 3},
        });
        let expected = json!({
            "apiVersion": "v1", "kind": "VPC",
            "metadata": {
                "name": "a", "namespace": "default", "labels": {"tier": "1"},
                "annotations": {"fabric.githedgehog.com/p2p-link": "y"},
            },
            "spec": object["spec"],
        });
        assert_eq!(parse(&object.to_string(), Part::Stated).unwrap(), expected);
    }

    #[test]
    fn what_stands_in_place_of_metadata_is_no_fault() {
        let of_metadata = [json!(null), json!("text"), json!([1, -2, 3.5, true]), json!({"annotations": null})];
        for object in of_metadata.map(|metadata| json!({"metadata": metadata, "spec": 1})) {
            assert_eq!(parse(&object.to_string(), Part::Stated).unwrap(), object);
        }
        for text in ["[", "7", "{} {}", ""] {
            assert!(parse(text, Part::Stated).is_err(), "{text}");
        }
    }
}
