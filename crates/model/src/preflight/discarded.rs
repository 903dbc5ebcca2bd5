//! What Git names and the server drops without a word. The object is stored all the same, and looks equal.

use super::read::{entries, flag, is_there};
use super::world::{Found, Object};
use crate::normalise::is_system_label;
use crate::path::Path;

/// System labels by what follows or precedes the reserved domain; an export holds them, and they come back as they are.
const REBUILT: &[&str] = &[
    "fabric.githedgehog.com/ipv4ns",
    "fabric.githedgehog.com/vlanns",
    "fabric.githedgehog.com/vpc",
    "fabric.githedgehog.com/vpc1",
    "fabric.githedgehog.com/vpc2",
    "fabric.githedgehog.com/subnet",
    "fabric.githedgehog.com/connection",
    "fabric.githedgehog.com/connection-type",
    "fabric.githedgehog.com/nativevlan",
    "fabric.githedgehog.com/external",
    "fabric.githedgehog.com/profile",
];
const REBUILT_BEFORE: &[&str] = &[
    "vpc.fabric.githedgehog.com/",
    "switch.fabric.githedgehog.com/",
    "server.fabric.githedgehog.com/",
    "switchgroup.fabric.githedgehog.com/",
    "vlanns.fabric.githedgehog.com/",
    "vpc.gateway.githedgehog.com/",
];

pub(super) fn check(object: &Object<'_>, out: &mut Found) {
    for (key, _) in entries(&object.metadata, "/labels").filter(|(key, _)| is_system_label(key)) {
        let rebuilt = REBUILT.contains(&key.as_str()) || REBUILT_BEFORE.iter().any(|start| key.starts_with(start));
        if !rebuilt {
            let message = format!(
                "{}: Hedgehog removes every label whose key contains fabric.githedgehog.com/ and rebuilds its own. Use a domain of your own.",
                object.title()
            );
            let path = Path::root().join("metadata").join("labels").join(key.as_str());
            out.warning(object, path, "discarded_label", message);
        }
    }
    if object.kind == "VPC" {
        for (name, subnet) in entries(&object.value, "/spec/subnets") {
            for field in ["range", "options"] {
                if !flag(subnet, "/dhcp/enable") && is_there(subnet, &format!("/dhcp/{field}")) {
                    let path = Path::root().join("spec").join("subnets").join(name.as_str()).join("dhcp").join(field);
                    let message = format!(
                        "{}, subnet {name}: dhcp.{field} is given while DHCP is off; the server drops it. Set dhcp.enable or remove it.",
                        object.title()
                    );
                    out.warning(object, path, "discarded_dhcp", message);
                }
            }
        }
    }
}
