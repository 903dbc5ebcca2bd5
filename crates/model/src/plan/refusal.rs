//! Reads in a webhook's refusal which object it missed: while the same run creates that object, or the webhook's cache
//! lags behind, trying again helps.

use crate::object::ObjectKey;
use serde::{Deserialize, Serialize};

/// An object that a refusal says does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingReference {
    /// Its kind, e.g. `VPC`; `subnet` for a subnet of some VPC.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// The words for kinds in Hedgehog's and Kubernetes' messages, and the kinds they mean.
const WORDS: &[(&str, &str)] = &[
    ("vpc", "VPC"),
    ("vpcs", "VPC"),
    ("relayvpc", "VPC"),
    ("subnet", "subnet"),
    ("connection", "Connection"),
    ("connections", "Connection"),
    ("switch", "Switch"),
    ("switches", "Switch"),
    ("server", "Server"),
    ("servers", "Server"),
    ("profile", "SwitchProfile"),
    ("switchprofile", "SwitchProfile"),
    ("switchprofiles", "SwitchProfile"),
    ("switchgroup", "SwitchGroup"),
    ("switchgroups", "SwitchGroup"),
    ("vlannamespace", "VLANNamespace"),
    ("vlannamespaces", "VLANNamespace"),
    ("ipv4namespace", "IPv4Namespace"),
    ("ipv4namespaces", "IPv4Namespace"),
    ("external", "External"),
    ("externals", "External"),
    ("gateway", "Gateway"),
    ("gateways", "Gateway"),
    ("gatewaygroup", "GatewayGroup"),
    ("gatewaygroups", "GatewayGroup"),
    ("vpcinfo", "VPCInfo"),
    ("vpcinfos", "VPCInfo"),
];

impl MissingReference {
    /// Whether writing this object may provide what was missed. A VPCInfo is made by the controller after its VPC or
    /// External; a subnet comes with its VPC, whose name the message does not tell.
    pub fn is_provided_by(&self, key: &ObjectKey) -> bool {
        match self.kind.as_str() {
            "subnet" => key.kind == "VPC",
            "VPCInfo" => match self.name.strip_prefix("ext.") {
                Some(external) => key.kind == "External" && key.name == external,
                None => key.kind == "VPC" && key.name == self.name,
            },
            kind => key.kind == kind && key.name == self.name,
        }
    }
}

/// Which object a refusal says does not exist; `None` when it says something else.
///
/// Hedgehog writes `vpc nope not found`, Kubernetes `vpcs.vpc.githedgehog.com "nope" not found`.
pub fn reference_not_found(message: &str) -> Option<MissingReference> {
    message.match_indices(" not found").find_map(|(end, _)| {
        let before: Vec<&str> = message[..end].split_whitespace().collect();
        let (name, before) = before.split_last()?;
        let name = name.trim_matches(|c: char| matches!(c, '"' | '\'' | '`' | ','));
        // The last word, and the last two run together, as in `gateway group default`.
        let last = before.last()?;
        let two = before.len().checked_sub(2).map(|n| format!("{}{last}", before[n]));
        let kind = two.as_deref().and_then(kind_of).or_else(|| kind_of(last))?;
        (!name.is_empty()).then(|| MissingReference { kind: kind.to_owned(), name: name.to_owned() })
    })
}

fn kind_of(word: &str) -> Option<&'static str> {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric()).split('.').next()?.to_ascii_lowercase();
    WORDS.iter().find(|(text, _)| *text == word).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_what_they_missed() {
        let denied = "admission webhook \"vvpc.kb.io\" denied the request: ";
        for (message, kind, name) in [
            ("failed to validate vpc attachment: vpc nope not found", "VPC", "nope"),
            ("failed to validate vpc attachment: connection a--b not found", "Connection", "a--b"),
            ("error validating connection: switch nope not found", "Switch", "nope"),
            ("failed to validate vpc: VLANNamespace nope not found", "VLANNamespace", "nope"),
            ("failed to validate vpc: permit policy #0: subnet nope not found", "subnet", "nope"),
            ("gateway group default not found", "GatewayGroup", "default"),
            ("failed to get vpc: vpcs.vpc.githedgehog.com \"v1\" not found", "VPC", "v1"),
            ("VPCInfo.gateway.githedgehog.com \"ext.e1\" not found", "VPCInfo", "ext.e1"),
            ("external e1 not found: try again", "External", "e1"),
        ] {
            let wanted = MissingReference { kind: kind.into(), name: name.into() };
            assert_eq!(reference_not_found(&format!("{denied}{message}")), Some(wanted), "{message}");
        }
        for message in [
            "failed to validate vpc: vlan 1001 is already used by other VPC",
            "not found",
            "vpc not found",
            "the server could not find the requested resource",
            "page xyz not found",
            "",
        ] {
            assert_eq!(reference_not_found(message), None, "{message}");
        }
    }

    #[test]
    fn a_vpc_info_comes_with_its_vpc_or_external() {
        let key = |kind: &str, name: &str| ObjectKey::new("vpc.githedgehog.com", kind, "default", name);
        let missing = MissingReference { kind: "VPCInfo".into(), name: "ext.e1".into() };
        assert!(missing.is_provided_by(&key("External", "e1")) && !missing.is_provided_by(&key("VPC", "e1")));
        let missing = MissingReference { kind: "subnet".into(), name: "a".into() };
        assert!(missing.is_provided_by(&key("VPC", "v1")) && !missing.is_provided_by(&key("External", "a")));
    }
}
