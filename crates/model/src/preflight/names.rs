//! Names: what Kubernetes and Hedgehog allow, and how long they may be.

use super::world::{Found, Object};

const PATH: &str = "metadata.name";

/// Kinds whose names become part of interface and VRF names on the switches.
const SHORT: [&str; 3] = ["VPC", "External", "IPv4Namespace"];
const SHORT_LENGTH: usize = 11;

pub(super) fn check(object: &Object<'_>, out: &mut Found) {
    let (title, name) = (object.title(), object.name);
    let label = |part: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    if name.len() > 253 || !name.split('.').all(label) {
        let message = format!(
            "{title}: a name has lower-case letters, digits, '-' and '.' only, begins and ends with a letter or digit, and has at most 253 characters."
        );
        out.error(object, PATH, "invalid_name", message);
    }
    if SHORT.contains(&object.kind) && name.len() > SHORT_LENGTH {
        let message = format!("{title}: the name has {} characters; it may have {SHORT_LENGTH}.", name.len());
        out.error(object, PATH, "name_too_long", message);
    }
    if object.kind == "VPC" && name.starts_with("ext.") {
        let message = format!("{title}: the name of a VPC must not begin with 'ext.', which stands for externals.");
        out.error(object, PATH, "invalid_name", message);
    }
}
