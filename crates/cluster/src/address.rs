//! Paths of the Kubernetes API: from kind, namespace and name to a request target.

use crate::kinds::KindInfo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but what RFC 3986 calls unreserved: names come from manifests and forms, and must stay one segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One segment or query value, escaped.
pub(crate) fn escape(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Whether a name can be a path segment at all.
pub(crate) fn is_segment(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
}

/// The collection of a kind; of all namespaces when `namespace` is empty.
pub(crate) fn collection(kind: &KindInfo, namespace: &str) -> String {
    let gvk = &kind.gvk;
    let base = if gvk.group.is_empty() {
        format!("/api/{}", escape(&gvk.version))
    } else {
        format!("/apis/{}/{}", escape(&gvk.group), escape(&gvk.version))
    };
    if kind.namespaced && !namespace.is_empty() {
        format!("{base}/namespaces/{}/{}", escape(namespace), escape(&kind.plural))
    } else {
        format!("{base}/{}", escape(&kind.plural))
    }
}

/// One object.
pub(crate) fn object(kind: &KindInfo, namespace: &str, name: &str) -> String {
    format!("{}/{}", collection(kind, namespace), escape(name))
}

/// How an object is named in operations and messages: `VPC default/vpc-1`.
pub(crate) fn spoken(kind: &KindInfo, namespace: &str, name: &str) -> String {
    if kind.namespaced && !namespace.is_empty() {
        format!("{} {namespace}/{name}", kind.gvk.kind)
    } else {
        format!("{} {name}", kind.gvk.kind)
    }
}

/// How a collection is named in operations and messages: `VPC in default`.
pub(crate) fn spoken_collection(kind: &KindInfo, namespace: &str) -> String {
    if kind.namespaced && !namespace.is_empty() {
        format!("{} in {namespace}", kind.gvk.kind)
    } else {
        kind.gvk.kind.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_one_segment() {
        let kind = KindInfo::bare("vpc.githedgehog.com", "v1beta1", "VPC", "vpcs", true);
        assert_eq!(
            object(&kind, "default", "vpc-1"),
            "/apis/vpc.githedgehog.com/v1beta1/namespaces/default/vpcs/vpc-1"
        );
        assert_eq!(collection(&kind, ""), "/apis/vpc.githedgehog.com/v1beta1/vpcs");
        let odd = object(&kind, "de/fault", "../../secrets?x=1#");
        assert_eq!(odd, "/apis/vpc.githedgehog.com/v1beta1/namespaces/de%2Ffault/vpcs/..%2F..%2Fsecrets%3Fx%3D1%23");
        assert!(!is_segment("..") && !is_segment("") && is_segment("a"));
    }
}
