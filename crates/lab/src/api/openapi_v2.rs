//! OpenAPI v2, as little of it as kubectl still asks for: before it sends a `kind: List` it looks here, in protobuf
//! only, whether the server validates fields itself.

use super::registry::Registry;
use serde_json::{Value, json};

/// Media type of the protobuf form, as it is asked for.
pub(super) const ASKED: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
/// The same as it is answered: the `@` does not stand up to a parser of media types.
pub(super) const ANSWERED: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// The JSON form, which points to version 3.
pub(super) fn json() -> Value {
    json!({"swagger": "2.0", "info": {"title": "Kubernetes", "version": super::VERSION,
        "description": "Served in full at /openapi/v3."}, "paths": {}})
}

/// The protobuf form (gnostic's `openapi.v2.Document`): for every kind, its PATCH with the query parameters.
pub(super) fn protobuf(registry: &Registry) -> Vec<u8> {
    let mut document = Message::default();
    document.text(1, "2.0").message(2, Message::default().text(1, "Kubernetes").text(2, super::VERSION));
    let mut paths = Message::default();
    for r in registry.all() {
        let kind = json!({"group": r.group, "version": r.version, "kind": r.kind}).to_string();
        let mut patch = Message::default();
        for parameter in ["dryRun", "fieldManager", "fieldValidation", "force"] {
            let mut query = Message::default();
            query.text(2, "query").text(4, parameter).text(6, "string");
            // ParametersItem.parameter . Parameter.non_body_parameter . NonBodyParameter.query_parameter_sub_schema
            let wrapped = [3, 2, 1].iter().fold(query, |inner, field| {
                let mut outer = Message::default();
                outer.message(*field, &inner);
                outer
            });
            patch.message(8, &wrapped);
        }
        let mut extension = Message::default();
        extension.text(1, "x-kubernetes-group-version-kind").message(2, Message::default().text(2, &kind));
        patch.message(13, &extension);
        let mut item = Message::default();
        item.message(8, &patch);
        let path = format!("/apis/{}/{}/{}/{{name}}", r.group, r.version, r.plural);
        paths.message(2, Message::default().text(1, &path).message(2, &item));
    }
    document.message(8, &paths);
    document.0
}

/// A protobuf message that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn text(&mut self, field: u8, text: &str) -> &mut Self {
        self.bytes(field, text.as_bytes())
    }

    fn message(&mut self, field: u8, message: &Self) -> &mut Self {
        self.bytes(field, &message.0)
    }

    fn bytes(&mut self, field: u8, bytes: &[u8]) -> &mut Self {
        self.0.push(field << 3 | 2);
        let mut length = bytes.len();
        while length >= 0x80 {
            self.0.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        self.0.push(length as u8);
        self.0.extend(bytes);
        self
    }
}
