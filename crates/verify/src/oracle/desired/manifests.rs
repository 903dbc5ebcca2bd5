//! The manifests in a file: its documents, one by one, and of those Hedgehog's. A document that is no YAML, or one of
//! Hedgehog's that has no kind or name, is an error that names file and line; it is never skipped.

use super::{DesiredObject, GitError};
use crate::oracle::cluster::kinds::is_hedgehogs;
use serde_json::Value;
use serde_saphyr::DefaultMessageFormatter;
use serde_saphyr::localizer::Localizer;
use std::borrow::Cow;

/// A document that is no manifest.
#[derive(Debug)]
pub(super) struct Broken {
    file: String,
    line: usize,
    why: String,
}

impl Broken {
    pub(super) fn of(self, address: &str) -> GitError {
        let Self { file, line, why } = self;
        GitError::Broken { address: address.to_owned(), file, line, why }
    }
}

/// Hedgehog's objects in a file, and how many documents are others'.
pub(super) fn read(file: &str, bytes: &[u8]) -> Result<(Vec<DesiredObject>, usize), Broken> {
    let broken = |line: usize, why: String| Broken { file: file.to_owned(), line, why };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        broken(1 + before.iter().filter(|&&byte| byte == b'\n').count(), "it is no UTF-8".to_owned())
    })?;
    let (mut objects, mut others) = (Vec::new(), 0);
    for document in documents(text) {
        let value = parse(&document.text).map_err(|(line, why)| broken(document.first + line.max(1) - 1, why))?;
        let items = match (&value["kind"], &value["items"]) {
            (Value::String(kind), Value::Array(items)) if kind == "List" => items.clone(),
            _ => vec![value],
        };
        for item in items {
            let api_version = item["apiVersion"].as_str().unwrap_or_default();
            if !is_hedgehogs(api_version.split_once('/').map_or("", |(group, _)| group)) {
                others += usize::from(!item.is_null());
                continue;
            }
            let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
            let line = document.line;
            objects.push(DesiredObject {
                kind: text(&item["kind"]).ok_or_else(|| broken(line, "it has no kind".to_owned()))?,
                api_version: api_version.to_owned(),
                namespace: text(&item["metadata"]["namespace"]),
                name: text(&item["metadata"]["name"])
                    .ok_or_else(|| broken(line, "it has no metadata.name".to_owned()))?,
                labels: item["metadata"]["labels"].clone(),
                annotations: item["metadata"]["annotations"].clone(),
                spec: item["spec"].clone(),
                file: file.to_owned(),
                line,
            });
        }
    }
    Ok((objects, others))
}

/// One document, as Kubernetes' own tools read it; the line, within the document, and the reason if it cannot be.
fn parse(text: &str) -> Result<Value, (usize, String)> {
    let options = serde_saphyr::options! { legacy_octal_numbers: true, with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().map_or(1, |at| usize::try_from(at.line()).unwrap_or(1));
        let words = error.render_with_formatter(&DefaultMessageFormatter.with_localizer(&NoPlaces));
        (line, format!("it is no YAML ({})", words.trim().trim_end_matches('.')))
    })
}

/// The parser's places count from the document's start, and would contradict ours.
struct NoPlaces;

impl Localizer for NoPlaces {
    fn attach_location<'a>(&self, base: Cow<'a, str>, _: serde_saphyr::Location) -> Cow<'a, str> {
        base
    }
}

/// One document of a file.
struct Document {
    /// The line of its first text.
    first: usize,
    /// The line of its first content.
    line: usize,
    text: String,
}

/// Splits a file at the lines that YAML reserves for that: no content can begin with `---` or `...` at a line's start.
fn documents(text: &str) -> Vec<Document> {
    let mut documents = Vec::new();
    let mut open = Document { first: 1, line: 0, text: String::new() };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (n, line) in text.lines().enumerate() {
        let n = n + 1;
        let marker = ["---", "..."].into_iter().find_map(|marker| line.strip_prefix(marker));
        let marker = marker.filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
        let line = match marker {
            None => line.to_owned(),
            Some(rest) => {
                documents.push(std::mem::replace(&mut open, Document { first: n, line: 0, text: String::new() }));
                format!("   {rest}")
            }
        };
        let content = line.trim_start();
        if open.line == 0 && !content.is_empty() && !content.starts_with('#') {
            // `%YAML` and the like stand before a document, and are none.
            if content.starts_with('%') && line.starts_with('%') {
                open.text.push('\n');
                continue;
            }
            open.line = n;
        }
        open.text.push_str(&line);
        open.text.push('\n');
    }
    documents.push(open);
    documents.retain(|document| document.line > 0);
    documents
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_document_is_read_with_its_line() {
        let text = "# a file\n%YAML 1.1\n--- # one\napiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\n\
                    metadata: {name: vpc-1, namespace: fab}\nspec:\n  vlan: 0010\n  text: |\n    ---\n    x\n---\n\n---\n\
                    kind: Kustomization\n...\n---\n{apiVersion: v1, kind: List, items: [{apiVersion: wiring.githedgehog.com/v1beta1, \
                    kind: Server, metadata: {name: s}}, {apiVersion: v1, kind: ConfigMap}]}\n";
        let (objects, others) = read("a/b.yaml", text.as_bytes()).unwrap();
        let told: Vec<_> = objects.iter().map(|one| (one.kind.as_str(), one.name.as_str(), one.line)).collect();
        assert_eq!(told, [("VPC", "vpc-1", 4), ("Server", "s", 18)]);
        assert_eq!(others, 2);
        assert_eq!(objects[0].spec, json!({"vlan": 8, "text": "---\nx\n"}));
        assert_eq!((objects[0].namespace.as_deref(), objects[1].namespace.as_deref()), (Some("fab"), None));
        assert_eq!(objects[0].group(), "vpc.githedgehog.com");
        assert!(read("empty.yaml", b"# nothing\n---\n").unwrap().0.is_empty());
    }

    #[test]
    fn what_is_broken_is_named_with_its_line() {
        let at = |text: &[u8]| read("f.yaml", text).map(|(objects, _)| objects.len()).unwrap_err();
        let broken = at(b"a: 1\n---\nkind: [VPC\nb: }\n");
        assert_eq!(broken.file, "f.yaml");
        assert!((3..=4).contains(&broken.line) && broken.why.contains("no YAML"), "{broken:?}");
        let broken = at(b"---\n\napiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\n");
        assert_eq!((broken.line, broken.why.as_str()), (3, "it has no metadata.name"));
        let broken = at(b"apiVersion: vpc.githedgehog.com/v1beta1\nmetadata: {name: a}\n");
        assert_eq!((broken.line, broken.why.as_str()), (1, "it has no kind"));
        assert_eq!(at(b"a: 1\nb: \xff\n").line, 2);
        let error = at(b"a: 1\na: 2\n").of("https://g/a.git").to_string();
        assert!(error.contains("https://g/a.git") && error.contains("f.yaml:2"), "{error}");
    }
}
