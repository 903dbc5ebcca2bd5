//! The little protobuf that kubectl speaks even to servers of custom resources: reviews of access. Read only; answers
//! are JSON, which such clients accept too.

use serde_json::{Map, Value, json};

/// Kubernetes puts this in front of every protobuf body.
const MAGIC: &[u8] = b"k8s\0";

/// A review as JSON; `None` when the body is none.
pub(super) fn review(body: &[u8]) -> Option<Value> {
    let envelope = fields(body.strip_prefix(MAGIC)?)?;
    let kind = fields(find(&envelope, 1)?)?;
    let message = fields(find(&envelope, 2)?)?;
    let mut spec = Map::new();
    for (number, bytes) in find(&message, 2).and_then(fields).unwrap_or_default() {
        // Both in SelfSubjectAccessReview; a SelfSubjectRulesReview has the namespace as text in field 1.
        match (number, text(find(&kind, 2)?)?.as_str()) {
            (1, "SelfSubjectAccessReview") => {
                let names = ["namespace", "verb", "group", "version", "resource", "subresource", "name"];
                spec.insert("resourceAttributes".to_owned(), texts(bytes, &names)?);
            }
            (2, "SelfSubjectAccessReview") => {
                spec.insert("nonResourceAttributes".to_owned(), texts(bytes, &["path", "verb"])?);
            }
            (1, "SelfSubjectRulesReview") => {
                spec.insert("namespace".to_owned(), json!(text(bytes)?));
            }
            _ => {}
        }
    }
    Some(json!({"apiVersion": text(find(&kind, 1)?)?, "kind": text(find(&kind, 2)?)?, "spec": spec}))
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

fn find<'a>(fields: &[(u64, &'a [u8])], number: u64) -> Option<&'a [u8]> {
    fields.iter().find(|(n, _)| *n == number).map(|(_, bytes)| *bytes)
}

/// A message of texts, named in the order of their numbers.
fn texts(bytes: &[u8], names: &[&str]) -> Option<Value> {
    let mut all = Map::new();
    for (number, bytes) in fields(bytes)? {
        let name = usize::try_from(number).ok().and_then(|n| names.get(n.checked_sub(1)?));
        if let Some(name) = name {
            all.insert((*name).to_owned(), json!(text(bytes)?));
        }
    }
    Some(Value::Object(all))
}

/// The fields of a message that have a length; numbers are skipped.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, &[u8])>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        match key & 7 {
            0 => _ = varint(&mut bytes)?,
            1 => bytes = bytes.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                all.push((key >> 3, bytes.get(..length)?));
                bytes = &bytes[length..];
            }
            5 => bytes = bytes.get(4..)?,
            _ => return None,
        }
    }
    Some(all)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_of_kubectl() {
        let mut body = MAGIC.to_vec();
        let kind = b"\x0a\x17authorization.k8s.io/v1\x12\x17SelfSubjectAccessReview";
        let asked = b"\x0a\x07default\x12\x04list\x2a\x04vpcs";
        let spec = [&[0x0a, asked.len() as u8][..], asked].concat();
        let message = [&[0x12, spec.len() as u8][..], &spec, &[0x18, 0x01]].concat();
        body.extend([0x0a, kind.len() as u8]);
        body.extend(kind);
        body.extend([0x12, message.len() as u8]);
        body.extend(&message);
        assert_eq!(
            review(&body).unwrap(),
            json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {"namespace": "default", "verb": "list", "resource": "vpcs"}}})
        );
        for cut in 0..body.len() {
            let _ = review(&body[..cut]);
        }
        assert!(review(b"{}").is_none());
    }
}
